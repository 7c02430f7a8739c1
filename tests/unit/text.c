/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "text.h"

static void
assert_visible(const char *expected, const char *s, size_t len)
{
	char out[128];

	assert_int_equal(
	    strlen(expected), text_visible(out, sizeof(out), s, len));
	assert_string_equal(expected, out);
}

static void
test_visible(void **state)
{
	(void)state;
	assert_visible("", "", 0);
	assert_visible("plain, with \\ and %", "plain, with \\ and %", 19);
	assert_visible("a\\n\\t\\rb", "a\n\t\rb", 5);
	assert_visible("\\a\\b\\v\\f", "\a\b\v\f", 4);
	assert_visible("\\000\\0337\\177", "\0\0337\177", 4);
	assert_visible(
	    "caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80", 10);
	assert_visible("\\377\\303", "\xff\xc3", 2);
	/* A C1 control, a line separator, and marks that turn text around. */
	assert_visible("\\302\\233", "\xc2\x9b", 2);
	assert_visible("\\342\\200\\250", "\xe2\x80\xa8", 3);
	assert_visible("\\342\\200\\256x", "\xe2\x80\xaex", 4);
	assert_visible("\\342\\201\\246", "\xe2\x81\xa6", 3);
	assert_visible("\xe2\x80\xa6", "\xe2\x80\xa6", 3); /* an ellipsis */
}

static void
test_visible_cuts(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(0, text_visible(out, 1, "abc", 3));
	assert_string_equal("", out);
	assert_int_equal(3, text_visible(out, 4, "abcd", 4));
	assert_string_equal("abc", out);
	/* Neither half an escape nor half a character. */
	assert_int_equal(1, text_visible(out, 5, "a\033", 2));
	assert_string_equal("a", out);
	assert_int_equal(1, text_visible(out, 3, "a\xc3\xa9", 3));
	assert_string_equal("a", out);
	assert_int_equal(3, text_visible(out, 4, "a\xc3\xa9", 3));
}

static void
test_utf8(void **state)
{
	static const char *const good[] = {"", "ascii", "\x7f", "\xc2\x80",
	    "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
	    "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "exactly8",
	    "twelve bytes \xc3\xa9 and more than that"};
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80",
	    "\xc1\xbf", "\xc3", "\xe0\x9f\xbf", "\xe2\x82", "\xed\xa0\x80",
	    "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98",
	    "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80",
	    "\xfe", "\xff", "exactly8\xff", "exactly\xff", "\xc3\x28",
	    "more than eight \xc3"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(text_is_utf8(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(text_is_utf8(bad[i], strlen(bad[i])));
	assert_true(text_is_utf8("a\0b", 3));
	assert_false(text_is_utf8("\xc3\xa9", 1));
}

static void
test_control(void **state)
{
	(void)state;
	assert_false(text_has_control(""));
	assert_false(text_has_control("plain \xc2\xa0 \xc3\xa9 \xe2\x82\xac"));
	assert_true(text_has_control("a\n"));
	assert_true(text_has_control("\033[1m"));
	assert_true(text_has_control("a\x7f"));
	assert_true(text_has_control("a\xc2\x80"));
	assert_true(text_has_control("\xc2\x9f"));
}

static void
test_id(void **state)
{
	char text[130];

	(void)state;
	assert_true(text_is_id("msg_9d9e-AZ09"));
	assert_true(text_is_id("-"));
	assert_false(text_is_id(""));
	assert_false(text_is_id("a.b"));
	assert_false(text_is_id("a b"));
	assert_false(text_is_id("a\n"));
	assert_false(text_is_id("\xc3\xa9"));
	memset(text, 'x', sizeof(text));
	text[128] = '\0';
	assert_true(text_is_id(text));
	text[128] = 'x';
	text[129] = '\0';
	assert_false(text_is_id(text));
}

struct number {
	const char *text;
	int64_t value; /* -1: refused */
};

static void
assert_numbers(
    int (*parse)(const char *, int64_t *), const struct number *n, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int64_t got = -1;

		assert_int_equal(
		    n[i].value == -1 ? -1 : 0, parse(n[i].text, &got));
		assert_int_equal(n[i].value, got);
	}
}

static void
test_duration(void **state)
{
	static const struct number numbers[] = {{"0", 0}, {"5", 5000},
	    {"250ms", 250}, {"5s", 5000}, {"2m", 120000}, {"3h", 10800000},
	    {"7d", 604800000}, {"1.5s", 1500}, {"0.25", 250},
	    {"0.5d", 43200000}, {"1.9999ms", 1}, {"0.0015s", 1},
	    {"3653d", 315619200000}, {"0.99999999999999999999999s", 999},
	    {"007s", 7000}, {"3653.1d", -1}, {"3654d", -1},
	    {"9999999999999999999999", -1}, {"", -1}, {"s", -1}, {"-1", -1},
	    {"+1", -1}, {" 1", -1}, {"1 ", -1}, {"1.", -1}, {".5", -1},
	    {"1.s", -1}, {"1x", -1}, {"1S", -1}, {"1ss", -1}, {"1s2", -1},
	    {"0x10", -1}, {"1e3", -1}, {"1,5", -1}};

	(void)state;
	assert_numbers(
	    text_duration, numbers, sizeof(numbers) / sizeof(numbers[0]));
}

static void
test_size(void **state)
{
	static const struct number numbers[] = {{"0", 0}, {"512", 512},
	    {"64k", 65536}, {"64K", 65536}, {"8m", 8388608}, {"1g", 1073741824},
	    {"8589934591g", INT64_C(9223372035781033984)}, {"8589934592g", -1},
	    {"99999999999999999999", -1}, {"", -1}, {"k", -1}, {"-1", -1},
	    {"1kb", -1}, {"1 k", -1}, {"1t", -1}, {"1.5k", -1}, {"1\v", -1}};

	(void)state;
	assert_numbers(
	    text_size, numbers, sizeof(numbers) / sizeof(numbers[0]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_visible),
	    cmocka_unit_test(test_visible_cuts),
	    cmocka_unit_test(test_utf8),
	    cmocka_unit_test(test_control),
	    cmocka_unit_test(test_id),
	    cmocka_unit_test(test_duration),
	    cmocka_unit_test(test_size),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
