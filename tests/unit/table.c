/* SPDX-License-Identifier: ISC */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "table.h"

static const struct table_column columns[] = {
    {"N", true}, {"NAME", false}, {"LAST", false}};

static void
add_row(struct table *t, const char *a, const char *b, const char *c)
{
	table_add(t, a);
	table_add(t, b);
	table_add(t, c);
}

/* Writes what is held and compares it. */
static void
assert_written(struct table *t, const char *expected)
{
	struct buf out = {0};

	assert_int_equal(0, table_write(t, &out));
	assert_string_equal(expected, out.len > 0 ? out.data : "");
	buf_free(&out);
}

static void
test_aligned(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, columns, 3);
	assert_written(&t, "N  NAME  LAST\n");
	add_row(&t, "1", "a", "x y");
	add_row(&t, "100", NULL, "");
	assert_written(&t, "  1  a     x y\n100  -     -\n");
	/* Widths stay. */
	add_row(&t, "7", "longer", "z");
	assert_written(&t, "  7  longer  z\n");
	add_row(&t, "7", "b", "z");
	assert_written(&t, "  7  b       z\n");
	assert_written(&t, "");
	table_free(&t);
}

static void
test_visible(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, columns, 3);
	add_row(&t, "1", "a\x1b[2J\nb", "\xff");
	assert_written(&t, "N  NAME         LAST\n1  a\\033[2J\\nb  \\377\n");
	table_free(&t);
}

static void
test_wide(void **state)
{
	char name[61];
	struct table t;
	struct buf out = {0};

	(void)state;
	memset(name, 'w', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	table_init(&t, columns, 3);
	add_row(
	    &t, "1", "\xe6\xbc\xa2\xe5\xad\x97", "e\xcc\x81"); /* two wide */
	add_row(&t, "2", "abcde", "x");
	assert_written(&t,
	    "N  NAME   LAST\n"
	    "1  \xe6\xbc\xa2\xe5\xad\x97   e\xcc\x81\n"
	    "2  abcde  x\n");
	/* Never cut, and aligned up to TABLE_WIDE. */
	add_row(&t, "3", name, "x");
	add_row(&t, "4", "n", "x");
	assert_int_equal(0, table_write(&t, &out));
	assert_non_null(strstr(out.data, name));
	assert_int_equal(
	    strlen(strstr(out.data, "4  n")), 3 + TABLE_WIDE + 2 + 2);
	buf_free(&out);
	table_free(&t);
}

static void
test_freed_while_held(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, columns, 3);
	for (int i = 0; i < 1000; i++)
		add_row(&t, "1", "2", "3");
	table_free(&t);
	table_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_aligned),
	    cmocka_unit_test(test_visible),
	    cmocka_unit_test(test_wide),
	    cmocka_unit_test(test_freed_while_held),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
