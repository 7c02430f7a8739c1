/* SPDX-License-Identifier: ISC */
#ifndef WHK_LOG_SEEN_H
#define WHK_LOG_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Remembers what was printed last, some ten thousands, so that it is not
 * printed again.
 */
struct seen;

/* NULL if memory is out. seen_free() frees it; NULL is allowed. */
struct seen *seen_new(void);
void seen_free(struct seen *s);

/* Adds a key of count texts; whether it is new. */
bool seen_add(struct seen *s, const char *const key[], size_t count);

#endif
