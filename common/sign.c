/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "sign.h"

#define MAC_LEN 32     /* HMAC-SHA256 */
#define EDWARDS_LEN 64 /* an Ed25519 signature */
#define EDWARDS_KEY 32
#define KEY_MAX 64
#define KEY_NEW 24 /* bytes of a new symmetric secret */

struct sign_key {
	EVP_MAC_CTX *mac; /* keyed once, begun anew for each message */
	EVP_PKEY *pkey;   /* or this one */
	bool is_private;
};

/*
 * Decodes base64 (RFC 4648, section 4, with padding) of exactly len
 * characters to at most size bytes. Returns their number, or -1.
 */
static int
decode(const char *text, size_t len, unsigned char *out, size_t size)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char block[3 * SIGN_SECRET_MAX / 4 + 3];
	size_t pad = 0, plain, n;

	if (len == 0 || len % 4 != 0 || len > SIGN_SECRET_MAX)
		return -1;
	while (pad < 2 && text[len - pad - 1] == '=')
		pad++;
	plain = strspn(text, alphabet);
	n = len / 4 * 3 - pad;
	/* Without padding, strspn() may run on past what is ours. */
	if (plain < len - pad || n > size ||
	    EVP_DecodeBlock(block, (const unsigned char *)text, (int)len) < 0)
		return -1;
	memcpy(out, block, n);
	explicit_bzero(block, sizeof(block));
	return (int)n;
}

static int
set_symmetric(struct sign_key *key, const unsigned char *secret, size_t len)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_end()};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

	if (mac == NULL)
		return -1;
	key->mac = EVP_MAC_CTX_new(mac);
	EVP_MAC_free(mac);
	if (key->mac == NULL || !EVP_MAC_init(key->mac, secret, len, params))
		return -1;
	return 0;
}

/* A private key of 64 bytes has its public key in the second half. */
static int
set_private(struct sign_key *key, const unsigned char *secret, size_t len)
{
	unsigned char public[EDWARDS_KEY];
	size_t size = sizeof(public);

	key->is_private = true;
	key->pkey = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, secret, EDWARDS_KEY);
	if (key->pkey == NULL ||
	    !EVP_PKEY_get_raw_public_key(key->pkey, public, &size))
		return -1;
	if (len == EDWARDS_KEY)
		return 0;
	return CRYPTO_memcmp(public, secret + EDWARDS_KEY, size) == 0 ? 0 : -1;
}

static int
set_public(struct sign_key *key, const unsigned char *secret, size_t len)
{
	key->pkey =
	    EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, secret, len);
	return key->pkey == NULL ? -1 : 0;
}

static const struct kind {
	const char *prefix;
	int min, max, step; /* lengths of the key in bytes */
	const char *lengths;
	int (*set)(struct sign_key *, const unsigned char *, size_t);
} kinds[] = {
    {"whsec_", 24, 64, 1, "24 to 64", set_symmetric},
    {"whsk_", 32, 64, 32, "32 or 64", set_private},
    {"whpk_", 32, 32, 32, "32", set_public},
};

static int
parse(
    struct sign_key *key, const char *text, unsigned char *bytes, struct err *e)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct kind *k = &kinds[i];
		size_t prefix = strlen(k->prefix);
		int len;

		if (strncmp(text, k->prefix, prefix) != 0)
			continue;
		text += prefix;
		len = decode(text, strlen(text), bytes, KEY_MAX);
		if (len < k->min || len > k->max || len % k->step != 0)
			return err_set(e,
			    "secret: %s needs the base64 of "
			    "%s bytes",
			    k->prefix, k->lengths);
		if (k->set(key, bytes, (size_t)len) == 0)
			return 0;
		return err_set(e, "secret: not a key of its kind");
	}
	return err_set(e, "secret: begins with none of whsec_, whsk_, whpk_");
}

struct sign_key *
sign_key_new(const char *text, struct err *e)
{
	unsigned char bytes[KEY_MAX] = {0};
	struct sign_key *key = calloc(1, sizeof(*key));
	int rc;

	if (key == NULL) {
		err_set(e, "out of memory");
		return NULL;
	}
	rc = parse(key, text, bytes, e);
	explicit_bzero(bytes, sizeof(bytes));
	if (rc == 0)
		return key;
	sign_key_free(key);
	return NULL;
}

void
sign_key_free(struct sign_key *key)
{
	if (key == NULL)
		return;
	/* libcrypto wipes its copies of a key by itself. */
	EVP_MAC_CTX_free(key->mac);
	EVP_PKEY_free(key->pkey);
	freezero(key, sizeof(*key));
}

int
sign_make(char text[SIGN_SECRET_MAX], struct err *e)
{
	unsigned char bytes[KEY_NEW];
	size_t prefix = strlcpy(text, "whsec_", SIGN_SECRET_MAX);

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return err_set(e, "no random bytes");
	EVP_EncodeBlock((unsigned char *)text + prefix, bytes, sizeof(bytes));
	explicit_bzero(bytes, sizeof(bytes));
	return 0;
}

/* Signs "ID.TIMESTAMP." and the body, without a copy of the body. */
static int
mac_message(EVP_MAC_CTX *mac, const char *id, int64_t timestamp,
    const void *body, size_t len, unsigned char out[MAC_LEN])
{
	char time[32];
	size_t size;
	int n = snprintf(time, sizeof(time), ".%" PRId64 ".", timestamp);

	/* Without a key: the one that the context was made with. */
	if (!EVP_MAC_init(mac, NULL, 0, NULL) ||
	    !EVP_MAC_update(mac, (const unsigned char *)id, strlen(id)) ||
	    !EVP_MAC_update(mac, (unsigned char *)time, (size_t)n) ||
	    !EVP_MAC_update(mac, body, len) ||
	    !EVP_MAC_final(mac, out, &size, MAC_LEN))
		return -1;
	return size == MAC_LEN ? 0 : -1;
}

/* The signed content in one piece, as Ed25519 goes over it twice. */
static unsigned char *
content(const char *id, int64_t timestamp, const void *body, size_t len,
    size_t *size)
{
	size_t room = strlen(id) + 32;
	unsigned char *p = malloc(room + len);
	int n;

	if (p == NULL)
		return NULL;
	n = snprintf((char *)p, room, "%s.%" PRId64 ".", id, timestamp);
	if (len > 0)
		memcpy(p + n, body, len);
	*size = (size_t)n + len;
	return p;
}

static int
edwards_message(EVP_PKEY *pkey, const char *id, int64_t timestamp,
    const void *body, size_t len, unsigned char out[EDWARDS_LEN])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t size, out_len = EDWARDS_LEN;
	unsigned char *p = content(id, timestamp, body, len, &size);
	int ok = ctx != NULL && p != NULL &&
	    EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
	    EVP_DigestSign(ctx, out, &out_len, p, size) == 1;

	EVP_MD_CTX_free(ctx);
	free(p);
	return ok ? 0 : -1;
}

int
sign_message(const struct sign_key *key, const char *id, int64_t timestamp,
    const void *body, size_t len, char out[SIGN_TEXT_MAX], struct err *e)
{
	unsigned char raw[EDWARDS_LEN];
	size_t prefix;
	int rc;

	if (key->pkey != NULL && !key->is_private)
		return err_set(e, "a public key cannot sign");
	if (key->mac != NULL)
		rc = mac_message(key->mac, id, timestamp, body, len, raw);
	else
		rc = edwards_message(key->pkey, id, timestamp, body, len, raw);
	if (rc == -1)
		return err_set(e, "libcrypto cannot sign");
	prefix = strlcpy(out, key->mac != NULL ? "v1," : "v1a,", SIGN_TEXT_MAX);
	EVP_EncodeBlock((unsigned char *)out + prefix, raw,
	    key->mac != NULL ? MAC_LEN : EDWARDS_LEN);
	return 0;
}

static bool
edwards_verify(EVP_PKEY *pkey, const unsigned char *signature,
    const unsigned char *p, size_t size)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL &&
	    EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
	    EVP_DigestVerify(ctx, signature, EDWARDS_LEN, p, size) == 1;

	EVP_MD_CTX_free(ctx);
	return ok;
}

/*
 * Takes the next signature of a version out of the header value: its bytes go
 * to raw. Returns where to go on, or NULL if there is none.
 */
static const char *
next_signature(
    const char *at, const char *version, unsigned char *raw, int raw_len)
{
	size_t prefix = strlen(version);

	while (*at != '\0') {
		const char *word = at + strspn(at, " ");
		size_t len = strcspn(word, " ");

		at = word + len;
		if (len > prefix && strncmp(word, version, prefix) == 0 &&
		    decode(word + prefix, len - prefix, raw, (size_t)raw_len) ==
			raw_len)
			return at;
	}
	return NULL;
}

bool
sign_verify(const struct sign_key *key, const char *id, int64_t timestamp,
    const void *body, size_t len, const char *header)
{
	unsigned char raw[EDWARDS_LEN], mac[MAC_LEN], *p = NULL;
	const char *version = key->mac != NULL ? "v1," : "v1a,";
	int raw_len = key->mac != NULL ? MAC_LEN : EDWARDS_LEN;
	bool found = false;
	size_t size = 0;

	if (key->mac == NULL)
		p = content(id, timestamp, body, len, &size);
	else if (mac_message(key->mac, id, timestamp, body, len, mac) == -1)
		return false;
	if (key->mac == NULL && p == NULL)
		return false;
	while (!found &&
	    (header = next_signature(header, version, raw, raw_len)) != NULL)
		found = key->mac != NULL
		    ? CRYPTO_memcmp(raw, mac, MAC_LEN) == 0
		    : edwards_verify(key->pkey, raw, p, size);
	free(p);
	return found;
}
