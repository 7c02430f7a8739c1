/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* after those above */
#include <cmocka.h>

#include "log.h"

static int64_t
frozen(void)
{
	return INT64_C(1795506694594);
}

/* What two lines look like in a format. */
static const char *
logged(const char *format, bool journal)
{
	static char text[2048];
	const struct log_field fields[] = {
	    {"event", "msg_1", 0}, {"tenant", "a \"b\"", 0}, {"n", NULL, 7}};
	FILE *f = tmpfile();
	struct log l;
	size_t n;

	assert_non_null(f);
	assert_int_equal(0, log_init(&l, f, "whk-x", format, NULL));
	assert_false(l.journal);
	l.journal = journal;
	l.now_ms = frozen;
	log_say(&l, LOG_WARN, "line %d: \033[2J\n\377 wrong", 3);
	log_tell(&l, LOG_TELL, fields, 3, "done");
	rewind(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static void
test_text(void **state)
{
	(void)state;
	assert_string_equal("whk-x: line 3: \\033[2J\\n\\377 wrong\n"
			    "whk-x: done\n",
	    logged(NULL, false));
	assert_string_equal("<4>whk-x: line 3: \\033[2J\\n\\377 wrong\n"
			    "<6>whk-x: done\n",
	    logged("text", true));
}

static void
test_json(void **state)
{
	char want[1024];

	(void)state;
	snprintf(want, sizeof(want),
	    "{\"time\":\"2026-11-24T07:51:34.594Z\",\"level\":\"warning\","
	    "\"program\":\"whk-x\",\"pid\":%d,\"message\":"
	    "\"line 3: \\\\033[2J\\\\n\\\\377 wrong\"}\n"
	    "{\"time\":\"2026-11-24T07:51:34.594Z\",\"level\":\"info\","
	    "\"program\":\"whk-x\",\"pid\":%d,\"message\":\"done\","
	    "\"event\":\"msg_1\",\"tenant\":\"a \\\"b\\\"\",\"n\":7}\n",
	    (int)getpid(), (int)getpid());
	assert_string_equal(want, logged("json", false));
}

static void
test_logfmt(void **state)
{
	char want[1024];

	(void)state;
	snprintf(want, sizeof(want),
	    "time=2026-11-24T07:51:34.594Z level=warning program=whk-x "
	    "pid=%d message=\"line 3: \\\\033[2J\\\\n\\\\377 wrong\"\n"
	    "time=2026-11-24T07:51:34.594Z level=info program=whk-x pid=%d "
	    "message=done event=msg_1 tenant=\"a \\\"b\\\"\" n=7\n",
	    (int)getpid(), (int)getpid());
	assert_string_equal(want, logged("logfmt", false));
}

static void
test_other_format(void **state)
{
	struct log l;
	struct err e;

	(void)state;
	assert_int_equal(-1, log_init(&l, stderr, "whk-x", "xml", &e));
	assert_string_equal(
	    "--log-format: 'xml' is none of text, json, logfmt", e.msg);
}

static void
test_journal(void **state)
{
	FILE *f = tmpfile();
	struct stat st;
	char name[64];
	struct log l;

	(void)state;
	assert_non_null(f);
	assert_int_equal(0, fstat(fileno(f), &st));
	snprintf(name, sizeof(name), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", name, 1);
	assert_int_equal(0, log_init(&l, f, "whk-x", NULL, NULL));
	assert_true(l.journal);
	assert_true(log_kept(&l));
	/* it is the journal's, but this program writes elsewhere */
	setenv("JOURNAL_STREAM", "1:2", 1);
	assert_int_equal(0, log_init(&l, f, "whk-x", NULL, NULL));
	assert_false(l.journal);
	assert_false(log_kept(&l));
	unsetenv("JOURNAL_STREAM");
	fclose(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_logfmt),
	    cmocka_unit_test(test_other_format),
	    cmocka_unit_test(test_journal),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
