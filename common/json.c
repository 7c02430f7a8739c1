/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "json.h"
#include "json-private.h"

void
json_init(struct json *j, char *text, size_t len, int depth)
{
	*j = (struct json){.depth = depth, .depth_max = depth};
	j->text = j->at = text;
	j->end = text + len;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

char
json_peek(struct json *j)
{
	if (j->wrong != NULL)
		return '\0';
	while (j->at < j->end && is_space(*j->at)) {
		j->spaced = true;
		j->at++;
	}
	return j->at < j->end ? *j->at : '\0';
}

bool
json_open(struct json *j, char kind)
{
	if (json_peek(j) != kind)
		return json_fail(
		    j, kind == '{' ? "expected '{'" : "expected '['");
	if (j->depth == 0)
		return json_fail_at(j, JSON_DEEP, j->at, "nested too deep");
	j->depth--;
	j->first = true;
	j->at++;
	return true;
}

bool
json_more(struct json *j, char kind)
{
	char c = json_peek(j);

	if (j->wrong != NULL)
		return false;
	if (c == kind) {
		j->depth++;
		j->first = false;
		j->at++;
		return false;
	}
	if (!j->first) {
		if (c != ',')
			return json_fail(j,
			    kind == '}' ? "expected ',' or '}'"
					: "expected ',' or ']'");
		j->at++;
	}
	j->first = false;
	return true;
}

bool
json_key(struct json *j, struct json_slice *key)
{
	if (json_peek(j) != '"')
		return json_fail(j, "expected a key");
	*key = (struct json_slice){.text = j->at};
	if (!json_skip_string(j, &key->escaped))
		return false;
	key->len = (size_t)(j->at - key->text);
	if (json_peek(j) != ':')
		return json_fail(j, "expected ':'");
	j->at++;
	return true;
}

static bool
skip_word(struct json *j, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(j->end - j->at) < len || memcmp(j->at, word, len) != 0)
		return json_fail(j, "expected a value");
	j->at += len;
	return true;
}

/* Reads digits, at least one. */
static bool
skip_digits(struct json *j)
{
	if (j->at == j->end || !json_is_digit(*j->at))
		return json_fail(j, "a bad number");
	while (j->at < j->end && json_is_digit(*j->at))
		j->at++;
	return true;
}

static bool
skip_number(struct json *j)
{
	if (*j->at == '-')
		j->at++;
	if (j->at < j->end && *j->at == '0')
		j->at++;
	else if (!skip_digits(j))
		return false;
	if (j->at < j->end && *j->at == '.') {
		j->at++;
		if (!skip_digits(j))
			return false;
	}
	if (j->at < j->end && (*j->at | 0x20) == 'e') {
		j->at++;
		if (j->at < j->end && (*j->at == '+' || *j->at == '-'))
			j->at++;
		return skip_digits(j);
	}
	return true;
}

/* Recurses as deep as json_open() lets it. */
static bool
skip_value(struct json *j)
{
	struct json_slice key;
	bool escaped;
	char c = json_peek(j);

	switch (c) {
	case '{':
		for (json_open(j, c); json_more(j, '}');)
			if (json_key(j, &key))
				skip_value(j);
		return j->wrong == NULL;
	case '[':
		for (json_open(j, c); json_more(j, ']');)
			skip_value(j);
		return j->wrong == NULL;
	case '"':
		return json_skip_string(j, &escaped);
	case 't':
		return skip_word(j, "true");
	case 'f':
		return skip_word(j, "false");
	case 'n':
		return skip_word(j, "null");
	default:
		if (c == '-' || json_is_digit(c))
			return skip_number(j);
		return json_fail(j, "expected a value");
	}
}

bool
json_skip(struct json *j, struct json_slice *value)
{
	json_peek(j);
	*value = (struct json_slice){.text = j->at};
	j->spaced = false;
	if (!skip_value(j))
		return false;
	value->len = (size_t)(j->at - value->text);
	value->spaced = j->spaced;
	return true;
}

bool
json_read_integer(struct json *j, int64_t *n)
{
	struct json_slice value;
	const char *at, *end;
	int64_t sum = 0;
	bool minus;

	if (!json_skip(j, &value))
		return false;
	at = value.text;
	end = at + value.len;
	minus = *at == '-';
	for (at += minus; at < end; at++) {
		int digit = *at - '0';

		if (!json_is_digit(*at) ||
		    __builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_sub_overflow(sum, digit, &sum))
			return false;
	}
	/* Counted downwards, as there is one more below zero than above. */
	if (!minus && sum == INT64_MIN)
		return false;
	*n = minus ? sum : -sum;
	return true;
}

int
json_end(struct json *j, struct err *e)
{
	if (json_peek(j) != '\0' || j->at < j->end)
		json_fail(j, "something after its end");
	if (j->wrong == NULL)
		return 0;
	switch (j->fault) {
	case JSON_DEEP:
		return err_set(e, "nested deeper than %d", j->depth_max);
	case JSON_UTF8:
		return err_set(
		    e, "invalid UTF-8 at byte %td", j->at - j->text + 1);
	case JSON_CONTENT:
		return err_set(e, "a string %s", j->wrong);
	case JSON_SYNTAX:
		break;
	}
	return err_set(
	    e, "not JSON at byte %td: %s", j->at - j->text + 1, j->wrong);
}

size_t
json_compact(char *dst, const struct json_slice *value)
{
	const char *from = value->text, *end = from + value->len;
	char *to = dst;
	bool within = false;

	if (!value->spaced) {
		if (dst != from)
			memcpy(dst, from, value->len);
		return value->len;
	}
	while (from < end) {
		char c = *from++;

		if (!within && is_space(c))
			continue;
		*to++ = c;
		if (c == '"')
			within = !within;
		else if (c == '\\')
			*to++ = *from++;
	}
	return (size_t)(to - dst);
}
