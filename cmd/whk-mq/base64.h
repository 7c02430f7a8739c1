/* SPDX-License-Identifier: ISC */
#ifndef WHK_MQ_BASE64_H
#define WHK_MQ_BASE64_H

#include <stddef.h>
#include <stdint.h>

struct buf;

/*
 * Decodes standard base64 (RFC 4648, section 4), padded and without white
 * space. Returns memory to free with its *len bytes, or NULL if s is not of
 * that form or memory ran out.
 */
uint8_t *base64_decode(const char *s, size_t *len);

/* Adds the base64 of the bytes, with quotes around it. */
void base64_write(struct buf *b, const void *data, size_t len);

#endif
