/* SPDX-License-Identifier: ISC */
#ifndef WHK_MQ_DIGEST_H
#define WHK_MQ_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct buf;
struct attribute;

#define DIGEST_LEN 16

/* MD5 as SQS uses it: to show that a message arrived unharmed. */
struct digest;

/* NULL with *e where libcrypto has no MD5. */
struct digest *digest_new(struct err *e);

/* Both return 0, or -1 when libcrypto fails. */
int digest_bytes(
    struct digest *d, const void *data, size_t len, uint8_t out[DIGEST_LEN]);

/*
 * Over attributes that are sorted by name: of each the length (four bytes, big
 * endian) and the bytes of name, type and value, with a byte before the
 * value's length: 1 for text, 2 for binary. Amazon SQS Developer Guide,
 * "Calculating the MD5 message digest for message attributes".
 */
int digest_attributes(struct digest *d, const struct attribute *const *list,
    size_t count, uint8_t out[DIGEST_LEN]);

/* Adds the 32 hexadecimal digits, with quotes around them. */
void digest_write(struct buf *b, const uint8_t digest[DIGEST_LEN]);

void digest_free(struct digest *d); /* NULL is allowed */

#endif
