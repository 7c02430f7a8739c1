/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "webhook-private.h"

#define PATTERNS_MAX 1000
#define PATTERN_MAX 256
#define TENANT_MAX 256
#define FILTER_MAX 8192
#define DESCRIPTION_MAX 1024
#define TIMEOUT_MAX 3600000 /* an hour */
#define RETRIES_MAX 100
#define RETRY_MAX 2073600000 /* 24 days */
#define RATE_MIN 0.00001     /* about one a day */
#define RATE_MAX 1000000.0
#define IN_FLIGHT_MAX 10000

/* Whether s has a control character, one of C1 in UTF-8 included. */
static bool
has_control(const char *s)
{
	for (const unsigned char *p = (const unsigned char *)s; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f ||
		    (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
			return true;
	return false;
}

/* A string of 1 to max bytes; NULL with *e. */
static const char *
bounded(const char *key, const json_t *value, size_t max, struct err *e)
{
	const char *s = json_string_value(value);

	if (s == NULL)
		err_set(e, "%s: not a string", key);
	else if (s[0] == '\0')
		err_set(e, "%s: empty", key);
	else if (json_string_length(value) > max)
		err_set(e, "%s: over %zu bytes", key, max);
	else if (strlen(s) != json_string_length(value))
		err_set(e, "%s: holds a NUL", key);
	else
		return s;
	return NULL;
}

const char *
webhook_text(const char *key, const json_t *value, size_t max, struct err *e)
{
	const char *s = bounded(key, value, max, e);

	if (s != NULL && has_control(s)) {
		err_set(e, "%s: '%.100s' has a control character", key, s);
		return NULL;
	}
	return s;
}

/* An exact type, "prefix.*", or "*". */
static int
check_pattern(const json_t *value, struct err *e)
{
	const char *s = webhook_text("events", value, PATTERN_MAX, e), *star;

	if (s == NULL)
		return -1;
	star = strchr(s, '*');
	if (star == NULL || strcmp(s, "*") == 0)
		return 0;
	if (star[1] == '\0' && star - s >= 2 && star[-1] == '.')
		return 0;
	return err_set(e,
	    "events: '%.100s' is no pattern: * stands alone, or after a dot "
	    "at the end",
	    s);
}

int
webhook_check_events(const json_t *value, struct err *e)
{
	size_t count = json_array_size(value);

	if (!json_is_array(value))
		return err_set(e, "events: not an array");
	if (count > PATTERNS_MAX)
		return err_set(e, "events: over %d patterns", PATTERNS_MAX);
	for (size_t i = 0; i < count; i++) {
		const json_t *pattern = json_array_get(value, i);

		if (check_pattern(pattern, e) == -1)
			return -1;
		for (size_t k = 0; k < i; k++)
			if (json_equal(pattern, json_array_get(value, k)))
				return err_set(e,
				    "events: '%.100s' is there twice",
				    json_string_value(pattern));
	}
	return 0;
}

int
webhook_check_tenant(const json_t *value, struct err *e)
{
	return webhook_text("tenant", value, TENANT_MAX, e) ? 0 : -1;
}

int
webhook_check_filter(const json_t *value, struct err *e)
{
	return bounded("filter", value, FILTER_MAX, e) ? 0 : -1;
}

int
webhook_check_description(const json_t *value, struct err *e)
{
	return webhook_text("description", value, DESCRIPTION_MAX, e) ? 0 : -1;
}

static int
check_integer(const char *key, const json_t *value, json_int_t min,
    json_int_t max, struct err *e)
{
	json_int_t n = json_integer_value(value);

	if (json_is_integer(value) && n >= min && n <= max)
		return 0;
	return err_set(e,
	    "%s: not a whole number from %" JSON_INTEGER_FORMAT
	    " to %" JSON_INTEGER_FORMAT,
	    key, min, max);
}

int
webhook_check_timeout(const json_t *value, struct err *e)
{
	return check_integer("timeout_ms", value, 1, TIMEOUT_MAX, e);
}

int
webhook_check_schedule(const json_t *value, struct err *e)
{
	if (!json_is_array(value))
		return err_set(e, "schedule_ms: not an array");
	if (json_array_size(value) > RETRIES_MAX)
		return err_set(e, "schedule_ms: over %d retries", RETRIES_MAX);
	for (size_t i = 0; i < json_array_size(value); i++)
		if (check_integer("schedule_ms", json_array_get(value, i), 1,
			RETRY_MAX, e) == -1)
			return -1;
	return 0;
}

int
webhook_check_rate(const json_t *value, struct err *e)
{
	double rate = json_number_value(value);

	if (json_is_number(value) && rate >= RATE_MIN && rate <= RATE_MAX)
		return 0;
	return err_set(
	    e, "rate: not a number from %g to %g a second", RATE_MIN, RATE_MAX);
}

int
webhook_check_max(const json_t *value, struct err *e)
{
	return check_integer("max_in_flight", value, 1, IN_FLIGHT_MAX, e);
}

int
webhook_check_ordered(const json_t *value, struct err *e)
{
	return json_is_boolean(value)
	    ? 0
	    : err_set(e, "ordered: neither true nor false");
}
