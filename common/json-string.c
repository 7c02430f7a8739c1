/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "json.h"
#include "json-private.h"
#include "scan.h"

/*
 * The length of the UTF-8 character of several bytes at s, or 0 (RFC 3629,
 * section 4: what the first byte says about the second is what shuts out
 * overlong forms, surrogates and what is above U+10FFFF).
 */
static size_t
utf8_length(const char *text, const char *end)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t left = (size_t)(end - text);
	unsigned char low = 0x80, high = 0xbf;

	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		return left >= 2 && (s[1] & 0xc0) == 0x80 ? 2 : 0;
	if (s[0] < 0xe0 || s[0] > 0xf4 || left < 3)
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high || (s[2] & 0xc0) != 0x80)
		return 0;
	if (s[0] < 0xf0)
		return 3;
	return left >= 4 && (s[3] & 0xc0) == 0x80 ? 4 : 0;
}

/* The end of what is plain UTF-8 in a string: whatever must be looked at. */
static char *
plain_end(char *at, const char *end)
{
	for (;;) {
		size_t n;

		while (end - at >= 8) {
			uint64_t word = scan_load(at);
			uint64_t marks =
			    scan_special(word) | (word & SCAN_HIGH);

			if (marks != 0) {
				at += scan_before(marks);
				break;
			}
			at += 8;
		}
		while (at < end && (unsigned char)*at >= 0x20 &&
		    (unsigned char)*at < 0x80 && *at != '"' && *at != '\\')
			at++;
		if (at == end || (unsigned char)*at < 0x80)
			return at;
		while (at < end && (unsigned char)*at >= 0x80) {
			n = utf8_length(at, end);
			if (n == 0)
				return at;
			at += n;
		}
	}
}

/* Says what is wrong where a plain run ended before a quote. */
static bool
fail_in_string(struct json *j, char *at)
{
	if (at == j->end)
		return json_fail_at(
		    j, JSON_SYNTAX, at, "it ends within a string");
	if ((unsigned char)*at < 0x20)
		return json_fail_at(
		    j, JSON_SYNTAX, at, "a control character in a string");
	return json_fail_at(j, JSON_UTF8, at, "invalid UTF-8");
}

/* The number of four hexadecimal digits, or -1. */
static int
hex4(const char *s)
{
	int n = 0;

	for (int i = 0; i < 4; i++) {
		char c = (char)(s[i] | 0x20);

		if (json_is_digit(s[i]))
			n = n << 4 | (s[i] - '0');
		else if (c >= 'a' && c <= 'f')
			n = n << 4 | (c - 'a' + 10);
		else
			return -1;
	}
	return n;
}

/* What a letter after a backslash means, or 0: 'u' too. */
static char
escape_of(char c)
{
	switch (c) {
	case '"':
	case '\\':
	case '/':
		return c;
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return '\0';
	}
}

/* The length of the escape at at, a backslash; 0 if it is none. */
static size_t
escape_length(const char *at, const char *end)
{
	if (end - at >= 2 && escape_of(at[1]) != '\0')
		return 2;
	if (end - at >= 6 && at[1] == 'u' && hex4(at + 2) >= 0)
		return 6;
	return 0;
}

bool
json_skip_string(struct json *j, bool *escaped)
{
	char *at;

	if (json_peek(j) != '"')
		return json_fail(j, "expected a string");
	at = j->at + 1;
	for (;;) {
		size_t n;

		at = plain_end(at, j->end);
		if (at < j->end && *at == '"')
			break;
		if (at == j->end || *at != '\\')
			return fail_in_string(j, at);
		n = escape_length(at, j->end);
		if (n == 0)
			return json_fail_at(j, JSON_SYNTAX, at, "a bad escape");
		*escaped = true;
		at += n;
	}
	j->at = at + 1;
	return true;
}

/* Writes a character as UTF-8; returns the end of it. */
static char *
put_utf8(char *to, unsigned int c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*to++ = (char)(0xe0 | c >> 12);
		} else {
			*to++ = (char)(0xf0 | c >> 18);
			*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*to++ = (char)(0x80 | (c & 0x3f));
	return to;
}

/*
 * Reads a \u escape, and its other half where it is one of a pair, to *c.
 * Returns its length, or 0 with what is wrong.
 */
static size_t
unicode_escape(struct json *j, char *at, unsigned int *c)
{
	int high = escape_length(at, j->end) == 6 ? hex4(at + 2) : -1, low;

	if (high == -1) {
		json_fail_at(j, JSON_SYNTAX, at, "a bad escape");
		return 0;
	}
	*c = (unsigned int)high;
	if (high == 0) {
		json_fail_at(j, JSON_CONTENT, at, "holds a NUL");
		return 0;
	}
	if (high < 0xd800 || high > 0xdfff)
		return 6;
	low = j->end - at >= 12 && at[6] == '\\' && at[7] == 'u' ? hex4(at + 8)
								 : -1;
	if (high > 0xdbff || low < 0xdc00 || low > 0xdfff) {
		json_fail_at(
		    j, JSON_CONTENT, at, "holds half a surrogate pair");
		return 0;
	}
	*c = 0x10000 + ((*c & 0x3ff) << 10) + ((unsigned int)low & 0x3ff);
	return 12;
}

/*
 * Moves n bytes down. Most runs between escapes are short, and once eight
 * bytes are between there and here they go in one go, whatever is behind them.
 */
static char *
move_down(char *to, const char *from, size_t n, const char *end)
{
	if (n <= 8 && from - to >= 8 && end - from >= 8)
		memcpy(to, from, 8);
	else if (to != from)
		memmove(to, from, n);
	return to + n;
}

char *
json_read_string(struct json *j, size_t *len)
{
	char *start, *from, *at, *to;

	if (json_peek(j) != '"') {
		json_fail(j, "expected a string");
		return NULL;
	}
	start = to = from = j->at + 1;
	for (;;) {
		unsigned int c;
		size_t n = 2;

		at = plain_end(from, j->end);
		to = move_down(to, from, (size_t)(at - from), j->end);
		if (at < j->end && *at == '"')
			break;
		if (at == j->end || *at != '\\') {
			fail_in_string(j, at);
			return NULL;
		}
		c = at + 1 < j->end ? (unsigned char)escape_of(at[1]) : 0;
		if (c == 0 && (n = unicode_escape(j, at, &c)) == 0)
			return NULL;
		to = put_utf8(to, c);
		from = at + n;
	}
	*to = '\0';
	*len = (size_t)(to - start);
	j->at = at + 1;
	return start;
}

bool
json_is(const struct json_slice *key, const char *name)
{
	const char *at = key->text + 1, *end = key->text + key->len - 1;

	if (!key->escaped) {
		size_t len = strlen(name);

		return len == key->len - 2 && memcmp(at, name, len) == 0;
	}
	while (at < end && *name != '\0') {
		int c = (unsigned char)*at;
		size_t n = 1;

		if (c == '\\') {
			n = escape_length(at, end);
			c = n == 6 ? hex4(at + 2) : escape_of(at[1]);
		}
		if (c != (unsigned char)*name++)
			return false;
		at += n;
	}
	return at == end && *name == '\0';
}
