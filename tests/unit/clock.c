/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "clock.h"

#define EXAMPLE INT64_C(1795474463226) /* 2026-11-23T22:54:23.226Z */

static void
assert_formats(const char *expected, int64_t ms)
{
	char out[CLOCK_TEXT];

	clock_format(ms, out);
	assert_string_equal(expected, out);
}

static void
test_format(void **state)
{
	(void)state;
	assert_formats("1970-01-01T00:00:00.000Z", 0);
	assert_formats("1969-12-31T23:59:59.999Z", -1);
	assert_formats("2026-11-23T22:54:23.226Z", EXAMPLE);
	assert_formats("2000-02-29T12:00:00.000Z", INT64_C(951825600000));
	assert_formats("0000-01-01T00:00:00.000Z", INT64_C(-62167219200000));
	assert_formats("9999-12-31T23:59:59.999Z", INT64_C(253402300799999));
	assert_formats("0000-01-01T00:00:00.000Z", INT64_MIN);
	assert_formats("9999-12-31T23:59:59.999Z", INT64_MAX);
}

/* Against the C library, over all years, and back. */
static void
test_calendar(void **state)
{
	char out[CLOCK_TEXT], expected[CLOCK_TEXT];
	int64_t back;

	(void)state;
	for (int64_t s = -62167219200; s < 253402300800;
	     s += 86400 * 11 + 4321) {
		struct tm tm;
		time_t t = (time_t)s;

		assert_non_null(gmtime_r(&t, &tm));
		assert_int_not_equal(0,
		    strftime(expected, sizeof(expected), "-%m-%dT%H:%M:%S.007Z",
			&tm));
		clock_format(s * 1000 + 7, out);
		assert_string_equal(expected, out + 4);
		assert_int_equal(0, clock_parse(out, strlen(out), &back));
		assert_int_equal(s * 1000 + 7, back);
	}
}

static void
assert_parses(int64_t expected, const char *s)
{
	int64_t ms = 0;

	if (clock_parse(s, strlen(s), &ms) != 0)
		fail_msg("refused: %s", s);
	assert_int_equal(expected, ms);
}

static void
test_parse(void **state)
{
	int64_t ms;

	(void)state;
	assert_parses(EXAMPLE, "2026-11-23T22:54:23.226Z");
	assert_parses(EXAMPLE, "2026-11-23t22:54:23.226z");
	assert_parses(EXAMPLE, "2026-11-23T22:54:23.226999999999Z");
	assert_parses(EXAMPLE - 26, "2026-11-23T22:54:23.2Z");
	assert_parses(EXAMPLE - 226, "2026-11-23T22:54:23Z");
	assert_parses(EXAMPLE, "2026-11-23T22:54:23.226+00:00");
	assert_parses(EXAMPLE, "2026-11-24T00:24:23.226+01:30");
	assert_parses(EXAMPLE, "2026-11-23T17:54:23.226-05:00");
	assert_parses(0, "1970-01-01T00:00:00-00:00");
	assert_parses(INT64_C(1483228800000), "2016-12-31T23:59:60Z");
	assert_int_equal(0, clock_parse("1970-01-01T00:00:00Zjunk", 20, &ms));
}

static void
test_refuses(void **state)
{
	static const char *const bad[] = {"", "2026", "2026-11-23",
	    "2026-11-23T22:54:23", "2026-11-23 22:54:23Z",
	    "2026-11-23T22:54:23.Z", "2026-11-23T22:54Z",
	    "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
	    "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
	    "2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z",
	    "2026-11-23T24:00:00Z", "2026-11-23T22:60:00Z",
	    "2026-11-23T22:54:61Z", "2026-11-23T22:54:23+24:00",
	    "2026-11-23T22:54:23+0100", "2026-11-23T22:54:23+01",
	    "2026-11-23T22:54:23Z ", " 2026-11-23T22:54:23Z",
	    "26-11-23T22:54:23Z", "-026-11-23T22:54:23Z", "2026-1-23T22:54:23Z",
	    "2026-11-23T22:54:23,5Z", "20261123T225423Z"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t ms = 7;

		assert_int_equal(-1, clock_parse(bad[i], strlen(bad[i]), &ms));
		assert_int_equal(7, ms);
	}
}

static void
test_clocks(void **state)
{
	int64_t ms = clock_steady_ms(), us = clock_steady_us();

	(void)state;
	assert_true(us / 1000 >= ms && us / 1000 < ms + 60000);
	assert_true(clock_wall_ms() / 1000 - (int64_t)time(NULL) < 60);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_format),
	    cmocka_unit_test(test_calendar),
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_refuses),
	    cmocka_unit_test(test_clocks),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
