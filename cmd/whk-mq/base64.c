/* SPDX-License-Identifier: ISC */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base64.h"
#include "buf.h"

uint8_t *
base64_decode(const char *s, size_t *len)
{
	size_t text = strlen(s), plain, pad;
	uint8_t *out;

	plain = strspn(s,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789+/");
	pad = strspn(s + plain, "=");
	if (plain + pad != text || text % 4 != 0 || pad > 2 || text > INT_MAX)
		return NULL;
	out = malloc(text / 4 * 3 + 1);
	if (out == NULL)
		return NULL;
	if (EVP_DecodeBlock(out, (const unsigned char *)s, (int)text) < 0) {
		free(out);
		return NULL;
	}
	*len = text / 4 * 3 - pad;
	return out;
}

void
base64_write(struct buf *b, const void *data, size_t len)
{
	const unsigned char *p = data;
	unsigned char text[4 * 256 + 1];

	buf_text(b, "\"");
	while (len > 0) {
		size_t part = len < 3 * 256 ? len : 3 * 256;
		int n = EVP_EncodeBlock(text, p, (int)part);

		buf_add(b, text, (size_t)n);
		p += part;
		len -= part;
	}
	buf_text(b, "\"");
}
