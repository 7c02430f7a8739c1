/* SPDX-License-Identifier: ISC */
#include "json.h"
#include "line.h"
#include "webhook.h"

/* Why jansson refuses what is JSON; its own words may show what is in it. */
static const char *
refusal(const json_error_t *wrong)
{
	switch (json_error_code(wrong)) {
	case json_error_duplicate_key:
		return "a member is there twice";
	case json_error_numeric_overflow:
		return "a number is too large";
	default:
		return "a string holds a NUL or half of a surrogate pair";
	}
}

json_t *
webhook_read(char *text, size_t len, struct err *e)
{
	struct json_slice whole;
	json_error_t wrong;
	struct json j;
	json_t *given;

	json_init(&j, text, len, LINE_DEPTH);
	json_skip(&j, &whole);
	if (json_end(&j, e) == -1)
		return NULL;
	given = json_loadb(
	    text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &wrong);
	if (given == NULL) {
		if (json_error_code(&wrong) == json_error_out_of_memory)
			err_temporary(e, "out of memory");
		else
			err_set(e, "%s", refusal(&wrong));
	}
	return given;
}

json_t *
webhook_parse(char *text, size_t len, enum webhook_use use, struct err *e)
{
	json_t *given = webhook_read(text, len, e), *def;

	if (given == NULL)
		return NULL;
	def = webhook_check(given, use, e);
	webhook_free(given);
	return def;
}
