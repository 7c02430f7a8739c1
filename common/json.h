/* SPDX-License-Identifier: ISC */
#ifndef WHK_JSON_H
#define WHK_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/*
 * A strict reader of one JSON text (RFC 8259) where it lies: nothing is copied
 * or allocated, and numbers stay as they were written. The caller's calls
 * follow the text:
 *
 *	json_init(&j, line, len, 100);
 *	if (json_open(&j, '{'))
 *		while (json_more(&j, '}'))
 *			if (json_key(&j, &key))
 *				json_skip(&j, &value);
 *	return json_end(&j, e);
 *
 * Once something is wrong every call but the last fails, so it is enough to
 * ask at the end. Duplicate keys are the caller's affair. No name here is one
 * of jansson's, which the same programs link.
 */
struct json {
	char *text, *at, *end;
	int depth;         /* how many arrays and objects may still be opened */
	int depth_max;     /* from the start */
	bool first;        /* nothing was read since json_open() */
	bool spaced;       /* white space was passed over */
	const char *wrong; /* what is wrong; NULL: nothing */
	enum json_fault {
		JSON_SYNTAX,  /* it is no JSON */
		JSON_UTF8,    /* it is no UTF-8 */
		JSON_DEEP,    /* it is nested too deep */
		JSON_CONTENT, /* a string that is JSON, but is refused */
	} fault;
};

/* A part of the text, as it is there. */
struct json_slice {
	char *text;
	size_t len;
	bool escaped; /* holds a backslash */
	bool spaced;  /* holds white space outside strings */
};

/* Starts with len bytes of text, nested at most depth arrays and objects. */
void json_init(struct json *j, char *text, size_t len, int depth);

/*
 * The first character of the next value: one of {["-0123456789tfn where it is
 * one, something else or '\0' (end of text, or something is wrong) where not.
 */
char json_peek(struct json *j);

/* Reads the start of an array or object: kind is '[' or '{'. */
bool json_open(struct json *j, char kind);

/* Whether one more element follows; else reads the end: kind is ']' or '}'. */
bool json_more(struct json *j, char kind);

/* Reads a key with its colon; it has its quotes in *key. */
bool json_key(struct json *j, struct json_slice *key);

/* Whether a key is this name, whatever it escapes. */
bool json_is(const struct json_slice *key, const char *name);

/*
 * Reads a string and unescapes it in place: returns it with a NUL where it
 * ends, its length in *len. One that holds a NUL or half a surrogate pair is
 * wrong (JSON_CONTENT). NULL if there is none.
 */
char *json_read_string(struct json *j, size_t *len);

/* Reads any value and leaves it as it is. */
bool json_skip(struct json *j, struct json_slice *value);

/*
 * Reads an integer without fraction or exponent. Another value, or one out of
 * its range, gives false and is passed over; nothing is wrong then.
 */
bool json_read_integer(struct json *j, int64_t *n);

/*
 * Reads what is left of the text: white space. Returns 0, or -1 with *e if
 * that or anything before it was wrong: "not JSON at byte 17: ...", bytes
 * counted from 1.
 */
int json_end(struct json *j, struct err *e);

/*
 * Copies a value without the white space outside its strings to dst, which
 * has room for len bytes and may be where it lies. Returns the length.
 */
size_t json_compact(char *dst, const struct json_slice *value);

#endif
