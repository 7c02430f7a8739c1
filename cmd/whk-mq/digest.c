/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include <openssl/evp.h>

#include "buf.h"
#include "digest.h"
#include "message.h"

struct digest {
	EVP_MD *md5; /* fetched once: a look-up costs more than a short MD5 */
	EVP_MD_CTX *ctx;
};

struct digest *
digest_new(struct err *e)
{
	struct digest *d = calloc(1, sizeof(*d));

	if (d == NULL)
		goto fail;
	d->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	d->ctx = EVP_MD_CTX_new();
	if (d->md5 == NULL || d->ctx == NULL)
		goto fail;
	return d;
fail:
	digest_free(d);
	err_set(e, "libcrypto offers no MD5");
	return NULL;
}

int
digest_bytes(
    struct digest *d, const void *data, size_t len, uint8_t out[DIGEST_LEN])
{
	if (EVP_DigestInit_ex2(d->ctx, d->md5, NULL) != 1 ||
	    EVP_DigestUpdate(d->ctx, data, len) != 1 ||
	    EVP_DigestFinal_ex(d->ctx, out, NULL) != 1)
		return -1;
	return 0;
}

static int
update_sized(struct digest *d, const void *data, size_t len)
{
	uint8_t size[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16),
	    (uint8_t)(len >> 8), (uint8_t)len};

	if (EVP_DigestUpdate(d->ctx, size, sizeof(size)) != 1 ||
	    EVP_DigestUpdate(d->ctx, data, len) != 1)
		return -1;
	return 0;
}

static int
update_attribute(struct digest *d, const struct attribute *a)
{
	uint8_t kind = a->binary ? 2 : 1;

	if (update_sized(d, a->name, a->name_len) < 0 ||
	    update_sized(d, a->type, a->type_len) < 0 ||
	    EVP_DigestUpdate(d->ctx, &kind, 1) != 1 ||
	    update_sized(d, a->value, a->value_len) < 0)
		return -1;
	return 0;
}

int
digest_attributes(struct digest *d, const struct attribute *const *list,
    size_t count, uint8_t out[DIGEST_LEN])
{
	if (EVP_DigestInit_ex2(d->ctx, d->md5, NULL) != 1)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (update_attribute(d, list[i]) < 0)
			return -1;
	if (EVP_DigestFinal_ex(d->ctx, out, NULL) != 1)
		return -1;
	return 0;
}

void
digest_write(struct buf *b, const uint8_t digest[DIGEST_LEN])
{
	static const char digits[] = "0123456789abcdef";
	char text[2 + 2 * DIGEST_LEN];
	char *p = text;

	*p++ = '"';
	for (size_t i = 0; i < DIGEST_LEN; i++) {
		*p++ = digits[digest[i] >> 4];
		*p++ = digits[digest[i] & 15];
	}
	*p++ = '"';
	buf_add(b, text, sizeof(text));
}

void
digest_free(struct digest *d)
{
	if (d == NULL)
		return;
	EVP_MD_CTX_free(d->ctx);
	EVP_MD_free(d->md5);
	free(d);
}
