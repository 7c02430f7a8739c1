/* SPDX-License-Identifier: ISC */
#include <sys/tree.h>

#include <stdlib.h>

#include "whk-log/seen.h"

/* As many as a busy minute has (follow.c's BEFORE_MS). */
#define KEPT 65536

struct mark {
	RB_ENTRY(mark) entry;
	uint64_t hash;
	bool used;
};

RB_HEAD(marks, mark);

struct seen {
	struct marks marks;
	struct mark ring[KEPT]; /* in the order in which they came */
	size_t next;
};

static int
compare(const struct mark *a, const struct mark *b)
{
	return (a->hash > b->hash) - (a->hash < b->hash);
}

#define OURS __attribute__((unused)) static
RB_PROTOTYPE_INTERNAL(marks, mark, entry, compare, OURS)
RB_GENERATE_INTERNAL(marks, mark, entry, compare, OURS)

struct seen *
seen_new(void)
{
	return calloc(1, sizeof(struct seen));
}

/* FNV-1a, 64 bits (draft-eastlake-fnv). */
static uint64_t
hash_add(uint64_t hash, const char *text)
{
	do {
		hash ^= (unsigned char)*text;
		hash *= UINT64_C(0x100000001b3);
	} while (*text++ != '\0');
	return hash;
}

bool
seen_add(struct seen *s, const char *const key[], size_t count)
{
	struct mark *m = &s->ring[s->next];

	if (m->used)
		RB_REMOVE(marks, &s->marks, m);
	m->hash = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < count; i++)
		m->hash = hash_add(m->hash, key[i]);
	m->used = RB_INSERT(marks, &s->marks, m) == NULL;
	if (m->used)
		s->next = (s->next + 1) % KEPT;
	return m->used;
}

void
seen_free(struct seen *s)
{
	free(s);
}
