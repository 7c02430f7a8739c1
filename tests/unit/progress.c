/* SPDX-License-Identifier: ISC */
/* What a person is told of how far something has come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "progress.h"

static void
test_due(void **state)
{
	struct progress p = {.begun_ms = 5000};

	(void)state;
	assert_false(progress_due(&p, 5999));
	assert_true(progress_due(&p, 6000));
	assert_false(progress_due(&p, 6199));
	assert_true(progress_due(&p, 6200));
}

static void
test_text(void **state)
{
	const struct progress p = {.begun_ms = 5000};
	char text[PROGRESS_TEXT];

	(void)state;
	progress_text(&p, 9000, 32000, "webhooks", 0.25, text);
	assert_string_equal("32000 webhooks, 8000/s, 25 %, 12.0 s left", text);
	progress_text(&p, 9000, 32000, "events", 0, text);
	assert_string_equal("32000 events, 8000/s", text);
	progress_text(&p, 9000, 0, NULL, 0.999, text);
	assert_string_equal("99 %, 4 ms left", text);
	progress_text(&p, 5000, 0, "x", 0.5, text); /* no time is no trouble */
	assert_string_equal("0 x, 0/s, 50 %, 1 ms left", text);
	progress_text(&p, 9000, 1, "x", 1, text);
	assert_string_equal("1 x, 0/s, 100 %, 0 ms left", text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_due),
	    cmocka_unit_test(test_text),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
