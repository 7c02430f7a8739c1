/* SPDX-License-Identifier: ISC */
#ifndef WHK_SIGN_H
#define WHK_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/*
 * Standard Webhooks 1.0.0, "Signature scheme": the signed content is
 * "ID.TIMESTAMP.BODY". A secret is either symmetric (v1, HMAC-SHA256):
 * "whsec_" and base64 of 24 to 64 bytes; or asymmetric (v1a, Ed25519):
 * "whsk_" and base64 of the private key (a 32-byte seed, or seed and public
 * key, 64 bytes), "whpk_" and base64 of the 32-byte public key to verify.
 */
#define SIGN_SECRET_MAX 128 /* bytes of a secret's text, NUL included */
#define SIGN_TEXT_MAX 128   /* bytes of one signature's text, NUL included */

struct sign_key; /* a parsed secret; wiped when it is freed */

/* Parses a secret's text. NULL with *e, which never shows the secret. */
struct sign_key *sign_key_new(const char *text, struct err *e);
void sign_key_free(struct sign_key *key); /* NULL is allowed */

/* Makes a new symmetric secret of 24 random bytes. 0, or -1 with *e. */
int sign_make(char text[SIGN_SECRET_MAX], struct err *e);

/*
 * Writes "v1,BASE64" or "v1a,BASE64" for a message. timestamp is in seconds
 * since 1970. 0, or -1 with *e (a public key cannot sign).
 */
int sign_message(const struct sign_key *key, const char *id, int64_t timestamp,
    const void *body, size_t len, char out[SIGN_TEXT_MAX], struct err *e);

/*
 * Whether one of the signatures in the header value (separated by spaces,
 * unknown versions passed over) is right for the message under the key.
 * Compares in constant time. The timestamp's age is the caller's to judge.
 */
bool sign_verify(const struct sign_key *key, const char *id, int64_t timestamp,
    const void *body, size_t len, const char *header);

#endif
