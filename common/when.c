/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "text.h"
#include "when.h"

#define DAY_MS INT64_C(86400000)

/* What is missing of a time that is given in part, from where it ends. */
static const char pattern[] = "0000-01-01T00:00:00Z";

/* Fills *tm with local time. */
static void
local(int64_t ms, struct tm *tm)
{
	time_t t = (time_t)(ms / 1000 - (ms % 1000 < 0));

	if (localtime_r(&t, tm) == NULL)
		*tm = (struct tm){.tm_mday = 1, .tm_year = 70};
}

/* Reads a calendar date, with a time of day or not, as local time. */
static int
parse_local(const char *s, int64_t *ms)
{
	char whole[sizeof(pattern)];
	size_t len = strlen(s);
	struct tm tm;
	time_t t;

	if (len != strlen("2026-11-23") && len != strlen("2026-11-23T10:00") &&
	    len != strlen("2026-11-23T10:00:30"))
		return -1;
	memcpy(whole, pattern, sizeof(pattern));
	memcpy(whole, s, len);
	if (whole[10] == ' ')
		whole[10] = 'T';
	/* What it says is checked as if it were UTC, and then taken apart. */
	if (clock_parse(whole, strlen(whole), ms) == -1)
		return -1;
	t = (time_t)(*ms / 1000 - (*ms % 1000 < 0));
	if (gmtime_r(&t, &tm) == NULL)
		return -1;
	tm.tm_isdst = -1;
	*ms = (int64_t)mktime(&tm) * 1000;
	return 0;
}

/* The midnight with which the day began that is so many days before now. */
static int64_t
midnight(int64_t now_ms, int days)
{
	struct tm tm;

	local(now_ms, &tm);
	tm.tm_mday -= days;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	return (int64_t)mktime(&tm) * 1000;
}

/* A duration; a number without its unit might be anything. */
static int
parse_ago(const char *s, int64_t *ago)
{
	size_t len = strlen(s);

	if (len == 0 || (s[len - 1] >= '0' && s[len - 1] <= '9'))
		return -1;
	return text_duration(s, ago);
}

int
when_parse(const char *s, int64_t now_ms, int64_t *ms)
{
	int64_t ago;

	if (clock_parse(s, strlen(s), ms) == 0 || parse_local(s, ms) == 0)
		return 0;
	if (strcmp(s, "now") == 0)
		*ms = now_ms;
	else if (strcmp(s, "today") == 0)
		*ms = midnight(now_ms, 0);
	else if (strcmp(s, "yesterday") == 0)
		*ms = midnight(now_ms, 1);
	else if (parse_ago(s, &ago) == 0)
		*ms = now_ms - ago;
	else
		return -1;
	return 0;
}

void
when_format(int64_t ms, char buf[WHEN_TEXT])
{
	struct tm tm;

	local(ms, &tm);
	if (strftime(buf, WHEN_TEXT, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		buf[0] = '\0';
}

void
when_brief(int64_t ms, int64_t now_ms, char buf[WHEN_TEXT])
{
	int64_t away = ms < now_ms ? now_ms - ms : ms - now_ms;
	struct tm tm;

	local(ms, &tm);
	if (strftime(buf, WHEN_TEXT,
		away > 180 * DAY_MS ? "%Y-%m-%d" : "%m-%d %H:%M:%S", &tm) == 0)
		buf[0] = '\0';
}

void
when_span(int64_t ms, char buf[WHEN_TEXT])
{
	if (ms < 1000)
		snprintf(buf, WHEN_TEXT, "%" PRId64 " ms", ms);
	else if (ms < 100000)
		snprintf(buf, WHEN_TEXT, "%" PRId64 ".%" PRId64 " s", ms / 1000,
		    ms % 1000 / 100);
	else if (ms < 2 * 3600000)
		snprintf(buf, WHEN_TEXT, "%" PRId64 " min", ms / 60000);
	else if (ms < 2 * DAY_MS)
		snprintf(buf, WHEN_TEXT, "%" PRId64 " h", ms / 3600000);
	else
		snprintf(buf, WHEN_TEXT, "%" PRId64 " days", ms / DAY_MS);
}
