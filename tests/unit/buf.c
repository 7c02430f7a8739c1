/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"

static void
test_add(void **state)
{
	struct buf b = {0};
	char byte;

	(void)state;
	buf_add(&b, "", 0);
	assert_int_equal(0, b.len);
	buf_text(&b, "one");
	buf_add(&b, "\0two", 4);
	assert_int_equal(7, b.len);
	assert_memory_equal("one\0two", b.data, 8);
	for (int i = 0; i < 100000; i++) {
		byte = (char)i;
		buf_add(&b, &byte, 1);
	}
	assert_int_equal(100007, b.len);
	assert_false(b.failed);
	for (int i = 0; i < 100000; i++)
		assert_int_equal((char)i, b.data[7 + i]);
	assert_int_equal('\0', b.data[b.len]);
	buf_free(&b);
	assert_null(b.data);
	assert_int_equal(0, b.size);
}

static void
test_fmt(void **state)
{
	struct buf b = {0};
	char wide[1001];

	(void)state;
	memset(wide, 'w', 1000);
	wide[1000] = '\0';
	buf_fmt(&b, "%d,%s", -7, "x");
	buf_fmt(&b, "%s", wide);
	buf_fmt(&b, "%s", "");
	assert_int_equal(1004, b.len);
	assert_memory_equal("-7,xwww", b.data, 7);
	buf_free(&b);
}

static void
assert_json(const char *expected, const char *s, size_t len)
{
	struct buf b = {0};

	buf_json(&b, s, len);
	assert_string_equal(expected, b.data);
	assert_int_equal(strlen(expected), b.len);
	buf_free(&b);
}

static void
test_json(void **state)
{
	(void)state;
	assert_json("\"\"", "", 0);
	assert_json("\"plain /\"", "plain /", 7);
	assert_json("\"\\\"\\\\\"", "\"\\", 2);
	assert_json("\"\\b\\t\\n\\f\\r\"", "\b\t\n\f\r", 5);
	assert_json("\"a\\u0000b\\u001f\"", "a\0b\x1f", 4);
	assert_json("\"\x7f\xc3\xa9\xf0\x9f\x98\x80\"",
	    "\x7f\xc3\xa9\xf0\x9f\x98\x80", 7);
}

static void
test_clear(void **state)
{
	struct buf b = {0};
	char *data;

	(void)state;
	buf_clear(&b);
	buf_text(&b, "text");
	data = b.data;
	b.failed = true;
	buf_text(&b, "not added");
	assert_int_equal(4, b.len);
	buf_clear(&b);
	assert_int_equal(0, b.len);
	assert_string_equal("", b.data);
	buf_text(&b, "again");
	assert_ptr_equal(data, b.data);
	assert_string_equal("again", b.data);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_add),
	    cmocka_unit_test(test_fmt),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_clear),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
