/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>

#include "accept.h"

/* The places of whk.accept()'s arguments. */
enum {
	ID,
	TIME,
	TYPE,
	TENANT,
	KEY,
	CONTENT_TYPE,
	BODY,
	TO,
	CHOSEN,
};

static const char sql[] =
    "SELECT n, fresh, \"to\", missing, lease_ms FROM whk.accept($1, $2, $3, "
    "$4, $5, $6, $7, $8, $9, $10 * interval '1 ms', via => $11) ORDER BY n";

/* The arguments are those of accept(), as the batch has them all. */
static const char match_sql[] =
    "SELECT array_agg(m.webhook ORDER BY m.webhook) "
    "FROM generate_series(1, cardinality($1)) AS i(n) "
    "LEFT JOIN whk.matches($3, $4, $7, $8) m ON m.n = i.n "
    "GROUP BY i.n ORDER BY i.n";

void
accept_init(struct accept *a)
{
	a->count = 0;
	a->bytes = 0;
	a->args.count = 0;
	a->args.failed = false;
	for (int i = ID; i <= CHOSEN; i++)
		args_array(&a->args,
		    i == TIME         ? ARGS_TIME
			: i == CHOSEN ? ARGS_BOOL
				      : ARGS_TEXT);
}

/* The ids as the text of an array, "{7,9}". */
static void
add_ids(struct args *a, const int64_t *ids, size_t count)
{
	struct buf b = {0};

	buf_text(&b, "{");
	for (size_t i = 0; i < count; i++)
		buf_fmt(&b, "%s%lld", i == 0 ? "" : ",", (long long)ids[i]);
	buf_text(&b, "}");
	if (b.failed)
		a->failed = true;
	else
		args_add_bytes(a, TO, b.data, b.len);
	buf_free(&b);
}

void
accept_add(struct accept *a, const struct event_line *ev, bool chosen)
{
	struct args *p = &a->args;

	args_add_text(p, ID, ev->id);
	args_add_number(p, TIME, ev->time_ms);
	args_add_text(p, TYPE, ev->type);
	args_add_text(p, TENANT, ev->tenant);
	args_add_text(p, KEY, ev->key);
	args_add_text(p, CONTENT_TYPE, ev->content_type);
	args_add_bytes(p, BODY, ev->body, ev->body_len);
	if (ev->to != NULL)
		add_ids(p, ev->to, ev->to_count);
	else
		args_add_null(p, TO);
	args_add_number(p, CHOSEN, chosen);
	a->count++;
	a->bytes += ev->body_len;
}

bool
accept_full(const struct accept *a)
{
	return a->count >= ACCEPT_EVENTS || a->bytes >= ACCEPT_BYTES;
}

int
accept_call(struct accept *a, struct db *db, int64_t lease_ms, const char *via,
    db_done *done, void *arg, struct err *e)
{
	args_long(&a->args, lease_ms);
	args_text(&a->args, via);
	if (db_call(db, sql, &a->args, done, arg, e) == -1)
		return -1;
	accept_init(a);
	return 0;
}

int
accept_match(
    struct accept *a, struct db *db, db_done *done, void *arg, struct err *e)
{
	if (db_call(db, match_sql, &a->args, done, arg, e) == -1)
		return -1;
	accept_init(a);
	return 0;
}

int
accept_row(const PGresult *r, int n, struct accept_row *row)
{
	*row = (struct accept_row){
	    .fresh = PQgetvalue(r, n, 1)[0] == 't',
	    .lease_ms = db_long(r, n, 4),
	};
	if (db_longs(r, n, 2, &row->to, &row->to_count) == -1)
		return -1;
	if (db_longs(r, n, 3, &row->missing, &row->missing_count) == -1) {
		free(row->to);
		return -1;
	}
	return 0;
}
