/* SPDX-License-Identifier: ISC */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "table.h"

static const struct table_column columns[] = {{"NAME", false}, {"N", true}};

static void
assert_table(struct table *t, const char *expected)
{
	struct buf out = {0};

	assert_int_equal(0, table_write(t, &out));
	assert_string_equal(expected, out.data);
	buf_free(&out);
	table_free(t);
}

static void
test_plain(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, columns, 2);
	table_add(&t, "a\033[1m");
	table_add(&t, "12");
	table_add(&t, NULL);
	table_add(&t, "");
	assert_table(&t,
	    "NAME       N\n"
	    "a\\033[1m  12\n"
	    "-          -\n");
}

/* Wide characters take two columns, accents that combine none. */
static void
test_width(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, columns, 2);
	table_add(&t, "\u65e5\u672c\u8a9e");
	table_add(&t, "1");
	table_add(&t, "e\u0301");
	table_add(&t, "2");
	assert_table(&t,
	    "NAME    N\n"
	    "\u65e5\u672c\u8a9e  1\n"
	    "e\u0301       2\n");
}

static void
test_cut(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, columns, 2);
	table_cut(&t, 0, 4);
	table_add(&t, "abcd");
	table_add(&t, "123456");
	table_add(&t, "abcde");
	table_add(&t, "1");
	table_add(&t, "\u65e5\u672c\u8a9e"); /* a half of one is none */
	table_add(&t, "2");
	assert_table(&t,
	    "NAME       N\n"
	    "abcd  123456\n"
	    "abc\u2026       1\n"
	    "\u65e5\u2026        2\n");
}

static void
test_style(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, columns, 2);
	table_add_styled(&t, "ok", "32");
	table_add(&t, "1");
	assert_table(&t,
	    "NAME  N\n"
	    "\033[32mok\033[m    1\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_width),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_style),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
