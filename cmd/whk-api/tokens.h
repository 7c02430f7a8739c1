/* SPDX-License-Identifier: ISC */
#ifndef WHK_API_TOKENS_H
#define WHK_API_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/*
 * Who may ask: bearer tokens (RFC 6750), of which only digests are kept.
 * Zeroed memory has none.
 */
struct tokens {
	struct token *v;
	size_t count;
};

/*
 * Reads a file: a token on a line, 16 to 256 visible ASCII characters, and
 * after a space the tenant it is for; without one it is for all. Empty lines
 * and those that begin with # are passed over. Returns 0, or -1 with *e, which
 * names the line and shows nothing of it.
 */
int tokens_load(struct tokens *t, const char *path, struct err *e);

/*
 * Whether the value of a header Authorization (NULL: there is none) has one of
 * the tokens; *tenant is whom it is for, NULL for all. Takes as long whichever
 * it is.
 */
bool
tokens_find(const struct tokens *t, const char *header, const char **tenant);

void tokens_free(struct tokens *t);

#endif
