/* SPDX-License-Identifier: ISC */
#ifndef WHK_API_FORM_H
#define WHK_API_FORM_H

#include <stddef.h>

#include "buf.h"
#include "err.h"

/*
 * Names and values as a query and a form have them (WHATWG URL, section 5,
 * application/x-www-form-urlencoded). Zeroed memory has none.
 */
#define FORM_MAX 1000

struct form {
	struct pair {
		const char *name, *value; /* UTF-8, no NULs inside */
	} * v;
	size_t count;
	char *text; /* what they point into */
	size_t len;
};

/* Reads len bytes. 0, or -1 with *e. form_free() in any case. */
int form_read(struct form *f, const char *text, size_t len, struct err *e);
void form_free(struct form *f);

/* The value of a name, the last one; NULL: there is none. */
const char *form_find(const struct form *f, const char *name);

/*
 * Whether each name is one of those (ended by NULL): 0, or -1 with *e that
 * names the other.
 */
int form_check(const struct form *f, const char *const *names, struct err *e);

/* Adds "name=value" to a query, encoded, after first or an ampersand. */
void form_add(struct buf *b, char first, const char *name, const char *value);

#endif
