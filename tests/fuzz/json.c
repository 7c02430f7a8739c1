/* SPDX-License-Identifier: ISC */
/*
 * Any bytes: what jansson takes as JSON is taken, but for a NUL behind it,
 * which jansson takes for the end; and what it refuses is refused, but for what
 * only it minds (numbers beyond a double, half surrogate pairs); a compact copy
 * means the same.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Deeper than jansson goes. */
#define DEPTH 5000
#define FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)

static void
check(bool right)
{
	if (!right)
		abort();
}

static json_t *
load(const char *text, size_t len, bool *minds)
{
	json_error_t error;
	json_t *value = json_loadb(text, len, FLAGS, &error);
	enum json_error_code code = json_error_code(&error);

	*minds = value == NULL &&
	    (code == json_error_numeric_overflow ||
		code == json_error_stack_overflow ||
		memmem(text, len, "\\u", 2) != NULL);
	return value;
}

/* What the reader makes of a string is what jansson makes of it. */
static void
check_string(char *text, size_t len, json_t *theirs)
{
	struct json j;
	struct buf b = {0};
	json_t *again;
	size_t n = 0;
	char *s;

	json_init(&j, text, len, 0);
	s = json_read_string(&j, &n);
	if (s == NULL) {
		check(json_string_length(theirs) >
		    strlen(json_string_value(theirs)));
		return;
	}
	check(n == json_string_length(theirs));
	check(memcmp(s, json_string_value(theirs), n + 1) == 0);
	buf_json(&b, s, n);
	again = json_loadb(b.data, b.len, FLAGS, NULL);
	check(again != NULL && json_equal(again, theirs));
	json_decref(again);
	buf_free(&b);
}

static void
check_compact(const struct json_slice *value, json_t *theirs)
{
	size_t len = json_compact(value->text, value);
	json_t *again = json_loadb(value->text, len, FLAGS, NULL);

	check(again != NULL && json_equal(again, theirs));
	json_decref(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *copy = malloc(size + 1);
	struct json_slice value;
	struct json j;
	json_t *theirs;
	bool minds;

	check(text != NULL && copy != NULL);
	memcpy(text, data, size);
	memcpy(copy, data, size);
	theirs = load(text, size, &minds);
	json_init(&j, text, size, DEPTH);
	json_skip(&j, &value);
	if (json_end(&j, NULL) == -1)
		check(theirs == NULL || memchr(data, '\0', size) != NULL);
	else
		check(theirs != NULL || minds);
	if (j.wrong == NULL && json_is_string(theirs))
		check_string(copy, size, theirs);
	if (j.wrong == NULL && theirs != NULL)
		check_compact(&value, theirs);
	json_decref(theirs);
	free(text);
	free(copy);
	return 0;
}
