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
fit_two(struct table *t, int columns_fit, const char *major, const char *minor)
{
	static const struct table_column three[] = {
	    {"MAJOR", false}, {"NUMBER", true}, {"MINOR", false}};

	table_init(t, three, 3);
	table_fit(t, columns_fit, 0, 2);
	table_add(t, major);
	table_add(t, "1");
	table_add(t, minor);
}

/* Two columns share what the third and the space between leave. */
static void
test_fit(void **state)
{
	struct table t;

	(void)state;
	fit_two(&t, 30, "0123456789abcdef", "0123456789");
	assert_table(&t,
	    "MAJOR         NUMBER  MINOR\n"
	    "0123456789a\u2026       1  0123456\u2026\n");
	fit_two(&t, 30, "01234567", "0123456789abcdef");
	assert_table(&t,
	    "MAJOR     NUMBER  MINOR\n"
	    "01234567       1  0123456789a\u2026\n");
	fit_two(&t, 30, "0123456789abcdef", "01234");
	assert_table(&t,
	    "MAJOR            NUMBER  MINOR\n"
	    "0123456789abcd\u2026       1  01234\n");
	fit_two(&t, 70, "0123456789012345678901234567890123456789012345678",
	    "0123456");
	assert_table(&t,
	    "MAJOR                                              NUMBER  MINOR\n"
	    "0123456789012345678901234567890123456789012345678       1  "
	    "0123456\n");
	fit_two(&t, 10, "0123456789", "0123456789"); /* it cannot be */
	assert_table(&t,
	    "MAJOR   NUMBER  MIN\u2026\n"
	    "01234\u2026       1  012\u2026\n");
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
	    cmocka_unit_test(test_fit),
	    cmocka_unit_test(test_style),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
