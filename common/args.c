/* SPDX-License-Identifier: ISC */
#include <endian.h>
#include <string.h>

#include "args.h"

/* Type oids of PostgreSQL (pg_type.dat), which never change. */
static const struct oid {
	unsigned int one, array;
} oids[] = {
    [ARGS_TEXT] = {25, 1009},
    [ARGS_BYTES] = {17, 1001},
    [ARGS_INT] = {23, 1007},
    [ARGS_LONG] = {20, 1016},
    [ARGS_BOOL] = {16, 1000},
    [ARGS_TIME] = {1184, 1185},
};

/* PostgreSQL counts microseconds from 2000-01-01. */
#define EPOCH_MS INT64_C(946684800000)

/* ndim, flags, element type, then length and lower bound of the dimension */
#define ARRAY_HEADER (5 * sizeof(uint32_t))

static void
add32(struct buf *b, uint32_t v)
{
	v = htobe32(v);
	buf_add(b, &v, sizeof(v));
}

static void
add64(struct buf *b, uint64_t v)
{
	v = htobe64(v);
	buf_add(b, &v, sizeof(v));
}

static uint64_t
pg_time(int64_t ms)
{
	return (uint64_t)((ms - EPOCH_MS) * 1000);
}

static struct arg *
new_arg(struct args *a, enum args_type type, bool array)
{
	struct arg *p;

	if (a->count == ARGS_MAX) {
		a->failed = true;
		p = &a->arg[ARGS_MAX - 1];
	} else
		p = &a->arg[a->count++];
	p->type = type;
	p->array = array;
	p->null = false;
	p->has_null = false;
	p->count = 0;
	buf_clear(&p->buf);
	return p;
}

int
args_text(struct args *a, const char *s)
{
	struct arg *p = new_arg(a, ARGS_TEXT, false);

	p->null = s == NULL;
	if (s != NULL)
		buf_text(&p->buf, s);
	return a->count - 1;
}

int
args_long(struct args *a, int64_t v)
{
	add64(&new_arg(a, ARGS_LONG, false)->buf, (uint64_t)v);
	return a->count - 1;
}

int
args_time(struct args *a, int64_t ms)
{
	add64(&new_arg(a, ARGS_TIME, false)->buf, pg_time(ms));
	return a->count - 1;
}

int
args_null(struct args *a, enum args_type type, bool array)
{
	new_arg(a, type, array)->null = true;
	return a->count - 1;
}

int
args_array(struct args *a, enum args_type type)
{
	struct arg *p = new_arg(a, type, true);

	/* filled in by args_finish() */
	buf_add(&p->buf, (const char[ARRAY_HEADER]){0}, ARRAY_HEADER);
	return a->count - 1;
}

int
args_longs(struct args *a, const int64_t *v, size_t n)
{
	int i = args_array(a, ARGS_LONG);

	for (size_t k = 0; k < n; k++)
		args_add_number(a, i, v[k]);
	return i;
}

void
args_add_bytes(struct args *a, int i, const void *s, size_t len)
{
	struct arg *p = &a->arg[i];

	if (s == NULL) {
		args_add_null(a, i);
		return;
	}
	if (len > INT32_MAX) {
		a->failed = true;
		return;
	}
	add32(&p->buf, (uint32_t)len);
	buf_add(&p->buf, s, len);
	p->count++;
}

void
args_add_text(struct args *a, int i, const char *s)
{
	args_add_bytes(a, i, s, s == NULL ? 0 : strlen(s));
}

void
args_add_null(struct args *a, int i)
{
	struct arg *p = &a->arg[i];

	add32(&p->buf, UINT32_MAX);
	p->has_null = true;
	p->count++;
}

void
args_add_number(struct args *a, int i, int64_t v)
{
	struct arg *p = &a->arg[i];

	switch (p->type) {
	case ARGS_INT:
		add32(&p->buf, sizeof(uint32_t));
		add32(&p->buf, (uint32_t)v);
		break;
	case ARGS_BOOL:
		add32(&p->buf, 1);
		buf_add(&p->buf, v != 0 ? "\1" : "\0", 1);
		break;
	case ARGS_TIME:
		add32(&p->buf, sizeof(uint64_t));
		add64(&p->buf, pg_time(v));
		break;
	default:
		add32(&p->buf, sizeof(uint64_t));
		add64(&p->buf, (uint64_t)v);
		break;
	}
	p->count++;
}

bool
args_ok(const struct args *a)
{
	for (int i = 0; i < a->count; i++)
		if (a->arg[i].buf.failed)
			return false;
	return !a->failed;
}

int
args_finish(struct args *a, struct args_pq *pq)
{
	for (int i = 0; i < a->count; i++) {
		struct arg *p = &a->arg[i];
		const struct oid *oid = &oids[p->type];
		/* an empty array has no dimension, and none follows */
		uint32_t header[] = {htobe32(p->count > 0),
		    htobe32(p->has_null), htobe32(oid->one),
		    htobe32((uint32_t)p->count), htobe32(1)};

		if (p->array && !p->null)
			memcpy(p->buf.data, header, sizeof(header));
		pq->types[i] = p->array ? oid->array : oid->one;
		pq->values[i] = p->null   ? NULL
		    : p->buf.data == NULL ? ""
					  : p->buf.data;
		pq->lengths[i] = p->array && p->count == 0
		    ? (int)(3 * sizeof(uint32_t))
		    : (int)p->buf.len;
		pq->formats[i] = 1;
	}
	return a->count;
}

size_t
args_size(const struct args *a)
{
	size_t n = 0;

	for (int i = 0; i < a->count; i++)
		n += a->arg[i].buf.len;
	return n;
}

void
args_free(struct args *a)
{
	for (int i = 0; i < ARGS_MAX; i++)
		buf_free(&a->arg[i].buf);
	*a = (struct args){0};
}
