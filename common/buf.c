/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "scan.h"

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
	size_t room;
	va_list ap;
	int n;

	/* Most often what room there is will do. */
	if (!reserve(b, 0))
		return;
	room = b->size - b->len;
	va_start(ap, fmt);
	n = vsnprintf(b->data + b->len, room, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n >= room && reserve(b, (size_t)n)) {
		va_start(ap, fmt);
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	if (n < 0 || b->failed) {
		b->failed = true;
		b->data[b->len] = '\0';
	} else
		b->len += (size_t)n;
}

/* Writes c, which must be escaped; returns the end of it. */
static char *
put_escape(char *to, unsigned char c)
{
	static const char letters[] = "\bb\tt\nn\ff\rr\"\"\\\\";
	static const char hex[] = "0123456789abcdef";

	*to++ = '\\';
	for (const char *p = letters; *p != '\0'; p += 2)
		if (*p == (char)c) {
			*to++ = p[1];
			return to;
		}
	*to++ = 'u';
	*to++ = '0';
	*to++ = '0';
	*to++ = hex[c >> 4];
	*to++ = hex[c & 0xf];
	return to;
}

/*
 * Writes len bytes escaped; returns the end of it. Eight bytes are copied at
 * once even where an escape ends them early: what is too much is written over.
 */
static char *
put_json(char *to, const char *s, size_t len)
{
	const char *end = s + len;

	while (end - s >= 8) {
		uint64_t marks = scan_special(scan_load(s));
		size_t n = marks == 0 ? 8 : scan_before(marks);

		memcpy(to, s, 8);
		to += n;
		s += n;
		if (marks != 0)
			to = put_escape(to, (unsigned char)*s++);
	}
	for (; s < end; s++) {
		unsigned char c = (unsigned char)*s;

		if (c >= 0x20 && c != '"' && c != '\\')
			*to++ = *s;
		else
			to = put_escape(to, c);
	}
	return to;
}

void
buf_json(struct buf *b, const char *s, size_t len)
{
	/* In parts, as there is room for a part of nothing but escapes. */
	const size_t part_max = 256;

	buf_add(b, "\"", 1);
	while (len > 0) {
		size_t part = len < part_max ? len : part_max;

		if (!reserve(b, part * 6 + 8))
			return;
		b->len =
		    (size_t)(put_json(b->data + b->len, s, part) - b->data);
		b->data[b->len] = '\0';
		s += part;
		len -= part;
	}
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
