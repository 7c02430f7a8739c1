/* SPDX-License-Identifier: ISC */
#ifndef WHK_BUF_H
#define WHK_BUF_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Bytes that grow. Zeroed memory is an empty one. After an allocation failed
 * all further additions do nothing and failed stays true, so that a caller
 * checks once, at the end.
 */
struct buf {
	char *data; /* NUL-terminated where it is not NULL */
	size_t len; /* without that NUL */
	size_t size;
	bool failed;
};

void buf_add(struct buf *b, const void *data, size_t len);
void buf_text(struct buf *b, const char *s);
void buf_fmt(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Adds len bytes of UTF-8 as a JSON string with its quotes (RFC 8259): only
 * what must be escaped is.
 */
void buf_json(struct buf *b, const char *s, size_t len);

void buf_clear(struct buf *b); /* empties it, keeps the memory */
void buf_free(struct buf *b);

#endif
