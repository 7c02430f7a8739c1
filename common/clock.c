/* SPDX-License-Identifier: ISC */
#include <stdbool.h>
#include <time.h>

#include "clock.h"

#define DAY_MS 86400000
#define YEAR_0 (-62167219200000)  /* 0000-01-01T00:00:00.000Z */
#define YEAR_9999 253402300799999 /* 9999-12-31T23:59:59.999Z */

int64_t
clock_steady_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_steady_ms(void)
{
	return clock_steady_us() / 1000;
}

int64_t
clock_wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool
is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int
month_days(int year, int month)
{
	static const int days[] = {
	    31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

/* Days from 0000-01-01 to the first of a year. */
static int64_t
year_start(int year)
{
	int before = year - 1; /* the year 0 is a leap year itself */

	return year == 0 ? 0
			 : (int64_t)year * 365 + before / 4 - before / 100 +
		before / 400 + 1;
}

/* Writes n as exactly count digits. */
static char *
put(char *at, int64_t n, int count)
{
	for (int i = count - 1; i >= 0; i--) {
		at[i] = (char)('0' + n % 10);
		n /= 10;
	}
	return at + count;
}

static char *
put_date(char *at, int64_t day)
{
	int year = (int)(day / 366), month = 1;

	while (year_start(year + 1) <= day)
		year++;
	day -= year_start(year);
	for (; day >= month_days(year, month); month++)
		day -= month_days(year, month);
	at = put(at, year, 4);
	*at++ = '-';
	at = put(at, month, 2);
	*at++ = '-';
	return put(at, day + 1, 2);
}

void
clock_format(int64_t ms, char buf[CLOCK_TEXT])
{
	char *at = buf;

	ms = ms < YEAR_0 ? YEAR_0 : ms > YEAR_9999 ? YEAR_9999 : ms;
	ms -= YEAR_0;
	at = put_date(at, ms / DAY_MS);
	ms %= DAY_MS;
	*at++ = 'T';
	at = put(at, ms / 3600000, 2);
	*at++ = ':';
	at = put(at, ms / 60000 % 60, 2);
	*at++ = ':';
	at = put(at, ms / 1000 % 60, 2);
	*at++ = '.';
	at = put(at, ms % 1000, 3);
	*at++ = 'Z';
	*at = '\0';
}

/* What is still to be read of a time; bad once anything did not fit. */
struct scan {
	const char *at, *end;
	bool bad;
};

static bool
is_digit(const struct scan *s)
{
	return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

/* Reads exactly count digits, a number from min to max. */
static int
take(struct scan *s, int count, int min, int max)
{
	int n = 0;

	for (; count > 0; count--) {
		if (!is_digit(s)) {
			s->bad = true;
			return min;
		}
		n = n * 10 + (*s->at++ - '0');
	}
	if (n >= min && n <= max)
		return n;
	s->bad = true;
	return min;
}

/* Reads one character of a set and returns it, or 0. */
static char
take_one(struct scan *s, const char *set)
{
	if (s->at < s->end)
		for (; *set != '\0'; set++)
			if (*set == *s->at)
				return *s->at++;
	s->bad = true;
	return 0;
}

/* Reads "YYYY-MM-DD" to days since 0000-01-01. */
static int64_t
take_date(struct scan *s)
{
	int year, month, day;
	int64_t days;

	year = take(s, 4, 0, 9999);
	take_one(s, "-");
	month = take(s, 2, 1, 12);
	take_one(s, "-");
	day = take(s, 2, 1, month_days(year, month));
	days = year_start(year) + day - 1;
	for (int m = 1; m < month; m++)
		days += month_days(year, m);
	return days;
}

/* Reads "HH:MM:SS.mmm" to milliseconds. A leap second is the next minute. */
static int64_t
take_time(struct scan *s)
{
	int64_t ms;
	int scale = 100;

	ms = take(s, 2, 0, 23) * (int64_t)3600000;
	take_one(s, ":");
	ms += take(s, 2, 0, 59) * (int64_t)60000;
	take_one(s, ":");
	ms += take(s, 2, 0, 60) * (int64_t)1000;
	if (s->at == s->end || *s->at != '.')
		return ms;
	s->at++;
	if (!is_digit(s))
		s->bad = true;
	for (; is_digit(s); s->at++, scale /= 10)
		ms += (*s->at - '0') * scale;
	return ms;
}

/* Reads "Z" or an offset from UTC to milliseconds. */
static int64_t
take_zone(struct scan *s)
{
	char sign = take_one(s, "Zz+-");
	int64_t ms;

	if (sign != '+' && sign != '-')
		return 0;
	ms = take(s, 2, 0, 23) * (int64_t)3600000;
	take_one(s, ":");
	ms += take(s, 2, 0, 59) * (int64_t)60000;
	return sign == '-' ? -ms : ms;
}

int
clock_parse(const char *text, size_t len, int64_t *ms)
{
	struct scan s = {.at = text, .end = text + len};
	int64_t t = YEAR_0;

	t += take_date(&s) * DAY_MS;
	take_one(&s, "Tt");
	t += take_time(&s);
	t -= take_zone(&s);
	if (s.bad || s.at != s.end)
		return -1;
	*ms = t;
	return 0;
}
