/* SPDX-License-Identifier: ISC */
#ifndef WHK_JSON_PRIVATE_H
#define WHK_JSON_PRIVATE_H

#include "json.h"

/* What json.c and json-string.c share. */

static inline bool
json_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Notes what is wrong, and where, unless something was before. False. */
static inline bool
json_fail_at(struct json *j, enum json_fault fault, char *at, const char *wrong)
{
	if (j->wrong == NULL) {
		j->wrong = wrong;
		j->fault = fault;
		j->at = at;
	}
	return false;
}

static inline bool
json_fail(struct json *j, const char *wrong)
{
	return json_fail_at(j, JSON_SYNTAX, j->at, wrong);
}

/* Reads a string and leaves it as it is; *escaped is set if it escapes. */
bool json_skip_string(struct json *j, bool *escaped);

#endif
