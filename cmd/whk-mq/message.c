/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "message.h"

/* malloc's own, and what a queue holds for each: a slot, a heap entry. */
#define OVERHEAD 48

size_t
draft_size(const struct draft *d)
{
	size_t size = d->body_len;

	for (size_t i = 0; i < d->attribute_count; i++) {
		const struct attribute *a = &d->attributes[i];

		size += a->name_len + a->type_len + a->value_len;
	}
	return size;
}

static size_t
text_size_of(const char *s)
{
	return s == NULL ? 0 : strlen(s) + 1;
}

/* Each text has a NUL behind it. */
static size_t
needed(const struct draft *d)
{
	return sizeof(struct message) +
	    d->attribute_count * (sizeof(struct attribute) + 3) +
	    draft_size(d) + 1 + text_size_of(d->group) + text_size_of(d->trace);
}

size_t
message_memory(const struct draft *d)
{
	return needed(d) + OVERHEAD;
}

/* Copies len bytes and a NUL to *at and moves it on. */
static const char *
put(char **at, const void *data, size_t len)
{
	char *start = *at;

	memcpy(start, data, len);
	start[len] = '\0';
	*at += len + 1;
	return start;
}

static void
put_attribute(struct attribute *to, const struct attribute *from, char **at)
{
	*to = *from;
	to->name = put(at, from->name, from->name_len);
	to->type = put(at, from->type, from->type_len);
	to->value = put(at, from->value, from->value_len);
}

static int
by_name(const void *a, const void *b)
{
	const struct attribute *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void
make_id(uint8_t id[16])
{
	arc4random_buf(id, 16);
	id[6] = (uint8_t)((id[6] & 0x0f) | 0x40); /* RFC 9562, version 4 */
	id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
}

static int
make_digests(struct message *m, struct digest *digest)
{
	const struct attribute *list[MESSAGE_ATTRIBUTES];

	if (digest_bytes(digest, m->body, m->body_len, m->body_md5) < 0)
		return -1;
	if (m->attribute_count == 0)
		return 0;
	for (size_t i = 0; i < m->attribute_count; i++)
		list[i] = &m->attributes[i];
	return digest_attributes(
	    digest, list, m->attribute_count, m->attributes_md5);
}

struct message *
message_new(const struct draft *d, struct digest *digest)
{
	struct message *m = malloc(needed(d));
	char *at;

	if (m == NULL)
		return NULL;
	memset(m, 0, sizeof(*m));
	m->memory = message_memory(d);
	m->attribute_count = d->attribute_count;
	at = (char *)&m->attributes[m->attribute_count];
	m->body = put(&at, d->body, d->body_len);
	m->body_len = d->body_len;
	if (d->group != NULL)
		m->group = put(&at, d->group, strlen(d->group));
	if (d->trace != NULL)
		m->trace = put(&at, d->trace, strlen(d->trace));
	for (size_t i = 0; i < m->attribute_count; i++)
		put_attribute(&m->attributes[i], &d->attributes[i], &at);
	if (m->attribute_count > 1)
		qsort(m->attributes, m->attribute_count,
		    sizeof(m->attributes[0]), by_name);
	make_id(m->id);
	if (make_digests(m, digest) < 0) {
		free(m);
		return NULL;
	}
	return m;
}

void
uuid_write(struct buf *b, const uint8_t id[16])
{
	static const char digits[] = "0123456789abcdef";
	char text[38];
	char *p = text;

	*p++ = '"';
	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = digits[id[i] >> 4];
		*p++ = digits[id[i] & 15];
	}
	*p++ = '"';
	buf_add(b, text, sizeof(text));
}
