/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

/* Makes room for len more bytes and a NUL. */
static bool
reserve(struct buf *b, size_t len)
{
	size_t size = b->size == 0 ? 256 : b->size;
	char *p;

	if (b->failed)
		return false;
	if (b->data != NULL && b->size - b->len > len)
		return true;
	while (size <= b->len + len)
		size *= 2;
	p = realloc(b->data, size);
	if (p == NULL) {
		b->failed = true;
		return false;
	}
	b->data = p;
	b->size = size;
	return true;
}

void
buf_add(struct buf *b, const void *data, size_t len)
{
	if (!reserve(b, len))
		return;
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void
buf_text(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void
buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !reserve(b, (size_t)n)) {
		b->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

static void
escape(struct buf *b, unsigned char c)
{
	static const char letters[] = "\bb\tt\nn\ff\rr\"\"\\\\";
	const char *at = NULL;

	for (const char *p = letters; *p != '\0'; p += 2)
		if (*p == (char)c)
			at = p;
	if (at != NULL)
		buf_add(b, (const char[]){'\\', at[1]}, 2);
	else
		buf_fmt(b, "\\u%04x", c);
}

void
buf_json(struct buf *b, const char *s, size_t len)
{
	size_t from = 0;

	buf_add(b, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(b, s + from, i - from);
		escape(b, c);
		from = i + 1;
	}
	buf_add(b, s + from, len - from);
	buf_add(b, "\"", 1);
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data != NULL)
		b->data[0] = '\0';
}

void
buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}
