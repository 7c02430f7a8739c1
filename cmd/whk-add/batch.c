/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "db.h"
#include "whk-add/batch.h"

/* Definitions that go in one call. */
#define CHUNK 1000

/* How many there are in the chunk that begins at a place. */
static size_t
chunk(const struct batch *b, size_t at)
{
	return b->count - at < CHUNK ? b->count - at : CHUNK;
}

/* Doubles an array; secrets may be in it, so the old memory is wiped. */
static void *
grow(void *old, size_t count, size_t size, size_t width)
{
	void *p = calloc(size, width);

	if (p == NULL)
		return NULL;
	if (old != NULL)
		memcpy(p, old, count * width);
	freezero(old, count * width);
	return p;
}

static int
make_room(struct batch *b)
{
	size_t size = b->size == 0 ? 16 : 2 * b->size;
	void *v, *secrets;

	if (b->count < b->size)
		return 0;
	v = grow(b->v, b->count, size, sizeof(*b->v));
	if (v == NULL)
		return -1;
	b->v = v;
	secrets = grow(b->secrets, b->count, size, sizeof(*b->secrets));
	if (secrets == NULL)
		return -1;
	b->secrets = secrets;
	b->size = size;
	return 0;
}

int
batch_add(struct batch *b, const json_t *def, uint64_t line, struct err *e)
{
	const char *filter = json_string_value(json_object_get(def, "filter"));
	struct batch_entry *entry;

	if (make_room(b) == -1)
		return err_temporary(e, "out of memory");
	entry = &b->v[b->count];
	*entry = (struct batch_entry){.line = line};
	entry->text = json_dumps(def, JSON_COMPACT);
	if (filter != NULL)
		entry->filter = strdup(filter);
	b->count++;
	if (entry->text == NULL || (filter != NULL && entry->filter == NULL))
		return err_temporary(e, "out of memory");
	return 0;
}

/* Asks about the filters of one chunk. */
static PGresult *
ask(const struct batch *b, PGconn *db, size_t at, struct err *e)
{
	struct args a = {0};
	PGresult *r;

	args_array(&a, ARGS_TEXT);
	for (size_t i = at; i < at + chunk(b, at); i++)
		args_add_text(&a, 0, b->v[i].filter);
	r = db_query(db, "SELECT n, reason FROM whk.bad_filters($1)", &a, e);
	args_free(&a);
	return r;
}

int
batch_check(
    const struct batch *b, PGconn *db, batch_bad *bad, void *arg, struct err *e)
{
	int found = 0;

	for (size_t at = 0; at < b->count; at += chunk(b, at)) {
		PGresult *r = ask(b, db, at, e);

		if (r == NULL)
			return -1;
		for (int row = 0; row < PQntuples(r); row++) {
			size_t i = at + (size_t)db_long(r, row, 0) - 1;

			bad(arg, b->v[i].line, db_text(r, row, 1));
			found++;
		}
		PQclear(r);
	}
	return found;
}

/* Calls whk.add() with the definitions of one chunk. */
static PGresult *
add(const struct batch *b, PGconn *db, size_t at, struct err *e)
{
	struct buf defs = {0};
	struct args a = {0};
	PGresult *r = NULL;

	for (size_t i = at; i < at + chunk(b, at); i++) {
		buf_text(&defs, i == at ? "[" : ",");
		buf_text(&defs, b->v[i].text);
	}
	buf_text(&defs, "]");
	args_text(&a, defs.data);
	if (defs.failed)
		err_temporary(e, "out of memory");
	else
		r = db_query(
		    db, "SELECT id FROM whk.add($1::jsonb) ORDER BY n", &a, e);
	args_free(&a);
	freezero(defs.data, defs.len);
	return r;
}

int
batch_store(struct batch *b, PGconn *db, size_t at, struct err *e)
{
	size_t count = chunk(b, at);
	PGresult *r;

	if (b->ids == NULL)
		b->ids = calloc(b->count, sizeof(*b->ids));
	if (b->ids == NULL)
		return err_temporary(e, "out of memory");
	r = add(b, db, at, e);
	if (r == NULL)
		return -1;
	for (size_t i = 0; i < count; i++)
		b->ids[at + i] = db_long(r, (int)i, 0);
	PQclear(r);
	return (int)count;
}

void
batch_free(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		char *text = b->v[i].text;

		if (text != NULL)
			freezero(text, strlen(text));
		free(b->v[i].filter);
	}
	freezero(b->secrets, b->size * sizeof(*b->secrets));
	free(b->ids);
	free(b->v);
	*b = (struct batch){0};
}
