/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "clock.h"
#include "when.h"

/* 2026-11-23T22:54:23.226Z, a Monday evening. */
#define NOW INT64_C(1795474463226)

static void
zone(const char *tz)
{
	setenv("TZ", tz, 1);
	tzset();
}

/* What s is, as RFC 3339 in UTC; "-": no time. */
static void
assert_is(const char *s, const char *expected)
{
	char out[CLOCK_TEXT] = "-";
	int64_t ms;

	if (when_parse(s, NOW, &ms) == 0)
		clock_format(ms, out);
	assert_string_equal(expected, out);
}

static void
test_absolute(void **state)
{
	(void)state;
	zone("EST5EDT,M3.2.0,M11.1.0");
	assert_is("2026-11-23T22:54:23.226Z", "2026-11-23T22:54:23.226Z");
	assert_is("2026-11-23T22:54:23+01:00", "2026-11-23T21:54:23.000Z");
	assert_is("2026-11-23", "2026-11-23T05:00:00.000Z");
	assert_is("2026-07-23", "2026-07-23T04:00:00.000Z");
	assert_is("2026-11-23T10:00", "2026-11-23T15:00:00.000Z");
	assert_is("2026-11-23 10:00", "2026-11-23T15:00:00.000Z");
	assert_is("2026-11-23 10:00:30", "2026-11-23T15:00:30.000Z");
	assert_is("1960-01-01", "1960-01-01T05:00:00.000Z");
	zone("UTC");
	assert_is("2026-11-23T10:00", "2026-11-23T10:00:00.000Z");
}

static void
test_relative(void **state)
{
	(void)state;
	zone("UTC");
	assert_is("now", "2026-11-23T22:54:23.226Z");
	assert_is("today", "2026-11-23T00:00:00.000Z");
	assert_is("yesterday", "2026-11-22T00:00:00.000Z");
	assert_is("2h", "2026-11-23T20:54:23.226Z");
	assert_is("3d", "2026-11-20T22:54:23.226Z");
	assert_is("90s", "2026-11-23T22:52:53.226Z");
	/* there it is the 24th already */
	zone("JST-9");
	assert_is("today", "2026-11-23T15:00:00.000Z");
	assert_is("yesterday", "2026-11-22T15:00:00.000Z");
}

static void
test_none(void **state)
{
	static const char *const none[] = {"", " ", "2026", "90", "2026-11",
	    "2026-13-01", "2026-02-30", "2026-11-23T", "2026-11-23T10",
	    "2026-11-23T25:00", "2026-11-23T10:00:30x", "2026-11-23_10:00",
	    "tomorrow", "Yesterday", "2 h", "-2h", "h", "10:00"};

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_is(none[i], "-");
}

static void
test_format(void **state)
{
	char out[WHEN_TEXT];

	(void)state;
	zone("EST5EDT,M3.2.0,M11.1.0");
	when_format(NOW, out);
	assert_string_equal("2026-11-23 17:54:23", out);
	when_format(-1, out);
	assert_string_equal("1969-12-31 18:59:59", out);
	when_brief(NOW, NOW + 86400000, out);
	assert_string_equal("11-23 17:54:23", out);
	when_brief(NOW, NOW + INT64_C(86400000) * 200, out);
	assert_string_equal("2026-11-23", out);
}

static void
test_span(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} spans[] = {{0, "0 ms"}, {999, "999 ms"}, {1000, "1.0 s"},
	    {59999, "59.9 s"}, {100000, "1 min"}, {7199999, "119 min"},
	    {7200000, "2 h"}, {172800000, "2 days"}};
	char out[WHEN_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		when_span(spans[i].ms, out);
		assert_string_equal(spans[i].text, out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_absolute),
	    cmocka_unit_test(test_relative),
	    cmocka_unit_test(test_none),
	    cmocka_unit_test(test_format),
	    cmocka_unit_test(test_span),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
