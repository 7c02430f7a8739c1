/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "buf.h"
#include "json.h"

/* A copy of exactly this size, so that a sanitizer sees reads past it. */
static char *
copy_of(const char *text, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	return copy;
}

/* Reads one value and the end of the text. */
static int
read_all(const char *text, size_t len, int depth, struct err *e)
{
	struct json_slice value;
	struct json j;
	char *copy = copy_of(text, len);
	int r;

	json_init(&j, copy, len, depth);
	json_skip(&j, &value);
	r = json_end(&j, e);
	free(copy);
	return r;
}

static void
assert_good(const char *text)
{
	struct err e;

	if (read_all(text, strlen(text), 10, &e) == -1)
		fail_msg("%s: %s", text, e.msg);
}

static void
assert_bad(const char *text, const char *msg)
{
	struct err e;

	if (read_all(text, strlen(text), 10, &e) == 0)
		fail_msg("taken: %s", text);
	if (strstr(e.msg, msg) == NULL)
		fail_msg("%s: says \"%s\", not \"%s\"", text, e.msg, msg);
}

static void
test_good(void **state)
{
	static const char *const texts[] = {"0", "-0", "1", "-12.5e+10", "1E3",
	    "0.0", "0e0", "1e400", "123456789012345678901234567890", "true",
	    "false", "null", "\"\"", "[]", "{}", " [ ] ", "\t{\r\n}\n",
	    "[1,2,[3]]", "{\"\":0}", "{\"a\":1,\"a\":2}",
	    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
	    "\"\\u0000\\uD834\\udd1e\\ud800\"", "\"\x7f\"",
	    "\"\xc2\x80\xdf\xbf\"", "\"\xe0\xa0\x80\xed\x9f\xbf\"",
	    "\"\xee\x80\x80\xef\xbf\xbf\"", "\"\xf0\x90\x80\x80\"",
	    "\"\xf4\x8f\xbf\xbf\"", "[[[[[[[[[[1]]]]]]]]]]"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_good(texts[i]);
}

static void
test_bad(void **state)
{
	static const struct {
		const char *text, *msg;
	} cases[] = {
	    {"", "not JSON at byte 1: expected a value"},
	    {" ", "not JSON at byte 2: expected a value"},
	    {"tru", "byte 1: expected a value"},
	    {"True", "byte 1: expected a value"},
	    {"NaN", "byte 1: expected a value"},
	    {"'a'", "byte 1: expected a value"},
	    {"nullx", "byte 5: something after its end"},
	    {"1 2", "byte 3: something after its end"},
	    {"{}{}", "byte 3: something after its end"},
	    {"-", "byte 2: a bad number"},
	    {"+1", "byte 1: expected a value"},
	    {".5", "byte 1: expected a value"},
	    {"1.", "byte 3: a bad number"},
	    {"1.e3", "byte 3: a bad number"},
	    {"1e", "byte 3: a bad number"},
	    {"1e+", "byte 4: a bad number"},
	    {"01", "byte 2: something after its end"},
	    {"-01", "byte 3: something after its end"},
	    {"0x10", "byte 2: something after its end"},
	    {"1_000", "byte 2: something after its end"},
	    {"[", "byte 2: expected a value"},
	    {"[1", "byte 3: expected ',' or ']'"},
	    {"[1,]", "byte 4: expected a value"},
	    {"[,1]", "byte 2: expected a value"},
	    {"[1 2]", "byte 4: expected ',' or ']'"},
	    {"[1}", "byte 3: expected ',' or ']'"},
	    {"]", "byte 1: expected a value"},
	    {"{", "byte 2: expected a key"},
	    {"{a:1}", "byte 2: expected a key"},
	    {"{1:1}", "byte 2: expected a key"},
	    {"{\"a\"}", "byte 5: expected ':'"},
	    {"{\"a\":}", "byte 6: expected a value"},
	    {"{\"a\":1,}", "byte 8: expected a key"},
	    {"{\"a\":1;\"b\":2}", "byte 7: expected ',' or '}'"},
	    {"[1]//", "byte 4: something after its end"},
	    {"\"", "byte 2: it ends within a string"},
	    {"\"abc", "byte 5: it ends within a string"},
	    {"\"\\", "byte 2: a bad escape"},
	    {"\"\\\"", "byte 4: it ends within a string"},
	    {"\"\\x41\"", "byte 2: a bad escape"},
	    {"\"\\'\"", "byte 2: a bad escape"},
	    {"\"\\u12g4\"", "byte 2: a bad escape"},
	    {"\"\\u123\"", "byte 2: a bad escape"},
	    {"\"\\U0041\"", "byte 2: a bad escape"},
	    {"\"a\tb\"", "byte 3: a control character in a string"},
	    {"\"12345678\x1f\"", "byte 10: a control character in a string"},
	    {"\xef\xbb\xbf{}", "byte 1: expected a value"},
	    {"\xa0", "byte 1: expected a value"},
	    {"\"\x80\"", "invalid UTF-8 at byte 2"},
	    {"\"a\xc0\xaf\"", "invalid UTF-8 at byte 3"},
	    {"\"\xc1\xbf\"", "invalid UTF-8 at byte 2"},
	    {"\"\xc3\"", "invalid UTF-8 at byte 2"},
	    {"\"\xe0\x9f\xbf\"", "invalid UTF-8 at byte 2"},
	    {"\"\xed\xa0\x80\"", "invalid UTF-8 at byte 2"},
	    {"\"\xe2\x82\"", "invalid UTF-8 at byte 2"},
	    {"\"\xe2\x82", "invalid UTF-8 at byte 2"},
	    {"\"\xf0\x8f\xbf\xbf\"", "invalid UTF-8 at byte 2"},
	    {"\"\xf0\x90\x80\"", "invalid UTF-8 at byte 2"},
	    {"\"\xf4\x90\x80\x80\"", "invalid UTF-8 at byte 2"},
	    {"\"\xf5\x80\x80\x80\"", "invalid UTF-8 at byte 2"},
	    {"\"\xc3\xa9\xc3\xa9\xff\"", "invalid UTF-8 at byte 6"},
	    {"[[[[[[[[[[[1]]]]]]]]]]]", "nested deeper than 10"},
	    {"[[[[[{\"a\":[[[[[", "nested deeper than 10"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_bad(cases[i].text, cases[i].msg);
}

/* A NUL does not end a text. */
static void
test_nul(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(-1, read_all("1\0", 2, 1, &e));
	assert_string_equal(
	    "not JSON at byte 2: something after its end", e.msg);
	assert_int_equal(-1, read_all("\"\0\"", 3, 1, &e));
	assert_int_equal(-1, read_all("\0", 1, 1, &e));
}

static void
assert_string(const char *text, const char *expected, size_t expected_len)
{
	char *copy = copy_of(text, strlen(text)), *s;
	struct json j;
	size_t len;

	json_init(&j, copy, strlen(text), 0);
	s = json_read_string(&j, &len);
	if (s == NULL)
		fail_msg("%s: %s", text, j.wrong);
	assert_int_equal(expected_len, len);
	assert_memory_equal(expected, s, len + 1);
	assert_int_equal(0, json_end(&j, NULL));
	free(copy);
}

static void
test_string(void **state)
{
	char text[600], expected[300];
	size_t n = 0;

	(void)state;
	assert_string("\"\"", "", 0);
	assert_string(" \"abc\" ", "abc", 3);
	assert_string("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
	assert_string("\"\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\"",
	    "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10);
	assert_string("\"\\ud800\\udc00\\udbff\\udfff\"",
	    "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8);

	/* Runs of every length between escapes. */
	text[n++] = '"';
	for (size_t i = 0; i < 20; i++) {
		memset(text + n, 'a' + (int)i, i);
		n += i;
		memcpy(text + n, "\\n", 3);
		n += 2;
	}
	memcpy(text + n, "\"", 2);
	n = 0;
	for (size_t i = 0; i < 20; i++) {
		memset(expected + n, 'a' + (int)i, i);
		n += i;
		expected[n++] = '\n';
	}
	expected[n] = '\0';
	assert_string(text, expected, n);
}

static void
assert_refused(const char *text, const char *wrong, enum json_fault fault)
{
	char *copy = copy_of(text, strlen(text));
	struct json j;
	size_t len;

	json_init(&j, copy, strlen(text), 0);
	assert_null(json_read_string(&j, &len));
	assert_string_equal(wrong, j.wrong);
	assert_int_equal(fault, j.fault);
	assert_int_equal(-1, json_end(&j, NULL));
	free(copy);
}

static void
test_string_refused(void **state)
{
	static const char *const halves[] = {"\"\\ud800\"", "\"\\udc00\"",
	    "\"\\ud800x\"", "\"\\ud800\\n\"", "\"\\ud800\\u0041\"",
	    "\"\\ud800\\ud800\"", "\"\\udc00\\ud800\"", "\"\\ud800\\udbff\"",
	    "\"\\ud800\\u", "\"\\ud800\\udc0"};

	(void)state;
	for (size_t i = 0; i < sizeof(halves) / sizeof(halves[0]); i++)
		assert_refused(
		    halves[i], "holds half a surrogate pair", JSON_CONTENT);
	assert_refused("\"a\\u0000\"", "holds a NUL", JSON_CONTENT);
	assert_refused("\"a\\u000\"", "a bad escape", JSON_SYNTAX);
	assert_refused("\"a\\", "a bad escape", JSON_SYNTAX);
	assert_refused("\"a\\q\"", "a bad escape", JSON_SYNTAX);
	assert_refused("\"a\xff\"", "invalid UTF-8", JSON_UTF8);
	assert_refused("5", "expected a string", JSON_SYNTAX);
	assert_refused("", "expected a string", JSON_SYNTAX);
}

static void
assert_integer(const char *text, bool taken, int64_t expected)
{
	char *copy = copy_of(text, strlen(text));
	struct json j;
	int64_t n = 0;

	json_init(&j, copy, strlen(text), 1);
	assert_int_equal(taken, json_read_integer(&j, &n));
	assert_true(n == expected);
	assert_int_equal(0, json_end(&j, NULL));
	free(copy);
}

static void
test_integer(void **state)
{
	(void)state;
	assert_integer("0", true, 0);
	assert_integer("-0", true, 0);
	assert_integer(" 42 ", true, 42);
	assert_integer("9223372036854775807", true, INT64_MAX);
	assert_integer("-9223372036854775808", true, INT64_MIN);
	assert_integer("9223372036854775808", false, 0);
	assert_integer("-9223372036854775809", false, 0);
	assert_integer("99999999999999999999999", false, 0);
	assert_integer("1.0", false, 0);
	assert_integer("1e2", false, 0);
	assert_integer("\"1\"", false, 0);
	assert_integer("[1]", false, 0);
	assert_integer("null", false, 0);
}

static void
assert_compact(const char *text, const char *expected)
{
	char *copy = copy_of(text, strlen(text));
	struct json_slice value;
	struct json j;
	size_t len;

	json_init(&j, copy, strlen(text), 10);
	assert_true(json_skip(&j, &value));
	len = json_compact(value.text, &value);
	assert_int_equal(strlen(expected), len);
	assert_memory_equal(expected, value.text, len);
	free(copy);
}

static void
test_compact(void **state)
{
	(void)state;
	assert_compact(" 1 ", "1");
	assert_compact("[1,2]", "[1,2]");
	assert_compact("[ 1 ,\t2\r\n]", "[1,2]");
	assert_compact("{ \"a b\" : \" \\\" \\\\\" , \"c\\\\\" : [ ] }",
	    "{\"a b\":\" \\\" \\\\\",\"c\\\\\":[]}");
	assert_compact("[ 1.50 , 1e400, 123456789012345678901234567890 ]",
	    "[1.50,1e400,123456789012345678901234567890]");
	assert_compact("[ \"\\u00e9\\/\" ]", "[\"\\u00e9\\/\"]");
}

static bool
key_is(const char *text, const char *name)
{
	struct json_slice key = {.text = (char *)(uintptr_t)text,
	    .len = strlen(text),
	    .escaped = strchr(text, '\\') != NULL};

	return json_is(&key, name);
}

static void
test_key(void **state)
{
	(void)state;
	assert_true(key_is("\"body\"", "body"));
	assert_true(key_is("\"b\\u006fd\\u0079\"", "body"));
	assert_true(key_is("\"\\u0062ody\"", "body"));
	assert_true(key_is("\"\"", ""));
	assert_false(key_is("\"body\\u0000\"", "body"));
	assert_false(key_is("\"\\u0162ody\"", "body"));
	assert_false(key_is("\"bod\"", "body"));
	assert_false(key_is("\"bod\\n\"", "body"));
	assert_false(key_is("\"\\u0062od\"", "body"));
	assert_false(key_is("\"bodyy\"", "body"));
}

/* What is written is read by another library, wherever the escapes stand. */
static void
test_write(void **state)
{
	char text[64];

	(void)state;
	for (int c = 1; c < 256; c++)
		for (size_t at = 0; at < 20; at++) {
			struct buf b = {0};
			json_t *value;
			size_t len = 20;

			memset(text, 'x', len);
			text[at] = (char)c;
			if (c >= 0x80)
				text[len++] = 'y';
			if (c >= 0x80)
				memcpy(text + at, "\xc3\xa9", 2);
			buf_json(&b, text, len);
			value = json_loadb(b.data, b.len,
			    JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
			assert_non_null(value);
			assert_int_equal(len, json_string_length(value));
			assert_memory_equal(
			    text, json_string_value(value), len);
			json_decref(value);
			buf_free(&b);
		}
}

static void
test_write_escapes(void **state)
{
	static const char controls[2000] = {0};
	struct buf b = {0};

	(void)state;
	buf_json(&b, "\b\t\n\f\r\"\\/\x1f\x7f", 10);
	assert_string_equal("\"\\b\\t\\n\\f\\r\\\"\\\\/\\u001f\x7f\"", b.data);
	buf_clear(&b);
	buf_json(&b, "", 0);
	assert_string_equal("\"\"", b.data);
	buf_clear(&b);
	buf_json(&b, controls, sizeof(controls));
	assert_int_equal(sizeof(controls) * 6 + 2, b.len);
	assert_int_equal(b.len, strlen(b.data));
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_nul),
	    cmocka_unit_test(test_string),
	    cmocka_unit_test(test_string_refused),
	    cmocka_unit_test(test_integer),
	    cmocka_unit_test(test_compact),
	    cmocka_unit_test(test_key),
	    cmocka_unit_test(test_write),
	    cmocka_unit_test(test_write_escapes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
