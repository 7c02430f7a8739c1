/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "db.h"
#include "webhook-ids.h"

/* Webhooks that are asked for at a time. */
#define CHUNK 1000

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int
webhook_ids_parse(struct webhook_ids *ids, char **argv, int argc, struct err *e)
{
	size_t count = (size_t)argc;

	ids->v = calloc(count + 1, sizeof(*ids->v));
	if (ids->v == NULL)
		return err_temporary(e, "out of memory");
	for (size_t i = 0; i < count; i++) {
		const char *wrong;

		ids->v[i] = strtonum(argv[i], 1, INT64_MAX, &wrong);
		if (wrong != NULL ||
		    strspn(argv[i], "0123456789") != strlen(argv[i]))
			return err_set(
			    e, "'%.100s' is no id of a webhook", argv[i]);
	}
	qsort(ids->v, count, sizeof(*ids->v), compare);
	for (size_t i = 0; i < count; i++)
		if (ids->count == 0 || ids->v[i] != ids->v[ids->count - 1])
			ids->v[ids->count++] = ids->v[i];
	return 0;
}

/* Those of ids that are webhooks, in order. */
static PGresult *
ask(PGconn *db, const int64_t *ids, size_t count, struct err *e)
{
	struct args a = {0};
	PGresult *r;

	args_longs(&a, ids, count);
	args_long(&a, (int64_t)count);
	r = db_query(db,
	    "SELECT id, line FROM whk.list($1, NULL, NULL, NULL, 0, $2::int,"
	    " statement_timestamp())",
	    &a, e);
	args_free(&a);
	return r;
}

int
webhook_ids_find(struct webhook_ids *ids, struct webhook_ids *missing,
    PGconn *db, struct err *e)
{
	size_t found = 0;

	missing->v = calloc(ids->count + 1, sizeof(*missing->v));
	if (missing->v == NULL)
		return err_temporary(e, "out of memory");
	for (size_t at = 0; at < ids->count; at += CHUNK) {
		size_t left = ids->count - at;
		size_t count = left < CHUNK ? left : CHUNK;
		PGresult *r = ask(db, ids->v + at, count, e);
		int row = 0;

		if (r == NULL)
			return -1;
		for (size_t i = at; i < at + count; i++) {
			int64_t id = ids->v[i];

			if (row < PQntuples(r) && db_long(r, row, 0) == id) {
				ids->v[found++] = id;
				row++;
			} else {
				missing->v[missing->count++] = id;
			}
		}
		PQclear(r);
	}
	ids->count = found;
	return 0;
}

void
webhook_ids_free(struct webhook_ids *ids)
{
	free(ids->v);
	*ids = (struct webhook_ids){0};
}

/* Adds a line; the secret stands last in the object. */
static void
add_line(struct buf *out, const char *line, const char *secret)
{
	if (secret[0] == '\0') {
		buf_text(out, line);
	} else {
		buf_add(out, line, strlen(line) - 1);
		buf_fmt(out, ",\"secret\":\"%s\"}", secret);
	}
	buf_text(out, "\n");
}

int
webhook_lines(PGconn *db, const int64_t *ids, size_t count,
    const struct webhook_secret *secrets, struct buf *out, struct err *e)
{
	for (size_t at = 0; at < count; at += CHUNK) {
		size_t n = count - at < CHUNK ? count - at : CHUNK, i = at;
		PGresult *r = ask(db, ids + at, n, e);

		if (r == NULL)
			return -1;
		for (int row = 0; row < PQntuples(r); row++) {
			while (i + 1 < at + n && ids[i] != db_long(r, row, 0))
				i++;
			add_line(out, db_text(r, row, 1),
			    secrets != NULL ? secrets[i].text : "");
		}
		PQclear(r);
	}
	return out->failed ? err_temporary(e, "out of memory") : 0;
}
