/* SPDX-License-Identifier: ISC */
#include <err.h>
#include <inttypes.h>

#include "prune.h"

/* Rows that go in one transaction. */
#define BATCH 1000

/* Removes the tenant's events from a span of blocks. */
static int
forget_span(struct prune *p, int64_t id, const char *part, int64_t at,
    int64_t end, struct err *e)
{
	struct args a = {0};
	int64_t n;
	int ret;

	args_long(&a, id);
	args_text(&a, part);
	args_long(&a, at);
	args_long(&a, end);
	args_long(&a, BATCH);
	do {
		ret = prune_number(p,
		    "SELECT whk.forget_events($1, $2, $3, $4, $5::int)", &a, &n,
		    e);
	} while (ret == 0 && n > 0);
	args_free(&a);
	return ret;
}

static int
forget_events(struct prune *p, int64_t id, struct err *e)
{
	PGresult *r = db_query(
	    p->db, "SELECT part, blocks FROM whk.forget_parts()", NULL, e);
	int ret = r == NULL ? -1 : 0;

	for (int i = 0; ret == 0 && i < PQntuples(r); i++) {
		const char *part = PQgetvalue(r, i, 0);
		int64_t blocks = db_long(r, i, 1);

		for (int64_t at = 0; ret == 0 && at < blocks; at += SPAN) {
			ret = forget_span(p, id, part, at, at + SPAN, e);
			prune_progress(p, "forgetting, table", part,
			    (at + SPAN < blocks ? at + SPAN : blocks) * 100 /
				blocks);
		}
	}
	PQclear(r);
	return ret;
}

/* Removes the tenant's webhooks, with what was done and is to be done there. */
static int
forget_webhooks(struct prune *p, int64_t id, struct err *e)
{
	struct args a = {0};
	int64_t n;
	int ret;

	args_long(&a, id);
	args_long(&a, BATCH);
	do {
		ret = prune_number(
		    p, "SELECT whk.forget_webhook($1, $2::int)", &a, &n, e);
		prune_progress(p, "forgetting the webhooks", NULL, -1);
	} while (ret == 0 && n > 0);
	args_free(&a);
	return ret;
}

/* Says what a statement of one argument says was, or would be, removed. */
static int
report(struct prune *p, const char *sql, struct args *a, const char *what,
    struct err *e)
{
	PGresult *r = db_query(p->db, sql, a, e);

	if (r == NULL)
		return -1;
	prune_progress_end(p);
	warnx("%s: %" PRId64 " webhooks, %" PRId64 " events, %" PRId64
	      " attempts, %" PRId64 " pending",
	    what, db_long(r, 0, 0), db_long(r, 0, 1), db_long(r, 0, 2),
	    db_long(r, 0, 3));
	PQclear(r);
	return 0;
}

/* Removes what is there, on the record that has this id. */
static int
forget(struct prune *p, int64_t id, struct err *e)
{
	struct args a = {0};
	int64_t late;
	int ret = -1;

	args_long(&a, id);
	if (forget_events(p, id, e) == 0 && forget_webhooks(p, id, e) == 0 &&
	    prune_number(p, "SELECT whk.forget_late($1)", &a, &late, e) == 0)
		ret = report(
		    p, "SELECT * FROM whk.forget_end($1)", &a, "forgotten", e);
	args_free(&a);
	return ret;
}

int
prune_forget(struct prune *p, struct err *e)
{
	struct args a = {0};
	int64_t id = 0;
	int ret;

	args_text(&a, p->o->tenant);
	if (p->o->dry)
		ret = report(p, "SELECT * FROM whk.forget_count($1)", &a,
		    "would be forgotten", e);
	else if (prune_clean(p, e) == -1)
		ret = -1;
	else
		ret =
		    prune_number(p, "SELECT whk.forget_begin($1)", &a, &id, e);
	args_free(&a);
	return ret == 0 && !p->o->dry ? forget(p, id, e) : ret;
}
