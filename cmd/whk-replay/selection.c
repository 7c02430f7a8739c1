/* SPDX-License-Identifier: ISC */
#include <event2/event.h>
#include <string.h>

#include "whk-replay/replay.h"

static const char select_sql[] =
    "SELECT event, time_ms, webhook "
    "FROM whk.replayable($1, $2, $3, $4, $5, $6, $7)";
static const char missing_sql[] = "SELECT event, time_ms, webhook "
				  "FROM whk.missing($1, $2, $3, $4, $5)";

static void
add_types(struct args *a, const struct cli_list *types)
{
	int i;

	if (types->count == 0) {
		args_null(a, ARGS_TEXT, true);
		return;
	}
	i = args_array(a, ARGS_TEXT);
	for (size_t k = 0; k < types->count; k++)
		args_add_text(a, i, types->items[k]);
}

/* The question whose rows are the pairs. */
static const char *
question(const struct replay *r, struct args *a, int64_t since, int64_t until)
{
	const struct options *o = r->o;

	if (o->webhook > 0)
		args_long(a, o->webhook);
	else
		args_null(a, ARGS_LONG, false);
	if (!o->missing)
		args_text(a, r->event[0] != '\0' ? r->event : NULL);
	add_types(a, &o->types);
	args_text(a, o->tenant);
	if (!o->missing)
		args_text(a, o->outcome);
	args_time(a, since);
	args_time(a, until);
	return o->missing ? missing_sql : select_sql;
}

/* Has the server end the selection; what it sends until then is dropped. */
static void
cancel(void *arg)
{
	struct replay *r = arg;

	if (!r->cancelled)
		db_cancel(r->from);
	r->cancelled = true;
}

static void
take_row(struct replay *r, const PGresult *row)
{
	struct pair p = {0};
	struct err e;

	if (r->cancelled)
		return;
	switch (PQresultStatus(row)) {
	case PGRES_SINGLE_TUPLE:
		strlcpy(p.event, PQgetvalue(row, 0, 0), sizeof(p.event));
		p.time_ms = db_long(row, 0, 1);
		p.webhook = db_long(row, 0, 2);
		if (batch_add(r, &p) == -1)
			cancel(r);
		break;
	case PGRES_TUPLES_OK: /* after the last */
		break;
	default:
		db_error(row, &e);
		replay_fail(r, &e);
		break;
	}
}

static void
rows_ready(evutil_socket_t fd, short what, void *arg)
{
	struct replay *r = arg;
	PGresult *row;

	(void)fd;
	(void)what;
	PQconsumeInput(r->from); /* a failure is a result too */
	while (!PQisBusy(r->from)) {
		row = PQgetResult(r->from);
		if (row == NULL) {
			loop_break(&r->loop);
			return;
		}
		take_row(r, row);
		PQclear(row);
	}
}

static void
receive_rows(struct replay *r)
{
	struct event *readable;
	struct err e;

	if (loop_init(&r->loop, cancel, r, &e) == -1) {
		replay_fail(r, &e);
		return;
	}
	err_temporary(&e, "out of memory");
	readable = event_new(r->loop.base, PQsocket(r->from),
	    EV_READ | EV_PERSIST, rows_ready, r);
	if (readable == NULL || event_add(readable, NULL) == -1 ||
	    loop_run(&r->loop, &e) == -1)
		replay_fail(r, &e);
	else if (r->status == 0)
		batch_flush(r);
	if (readable != NULL)
		event_free(readable);
	loop_free(&r->loop);
}

void
replay_selection(struct replay *r, int64_t since, int64_t until)
{
	struct args a = {0};
	const char *sql;
	struct err e;

	/* a connection of its own, as each batch is a transaction */
	r->from = db_open("whk-replay", false, &e);
	if (r->from == NULL) {
		replay_fail(r, &e);
		return;
	}
	sql = question(r, &a, since, until);
	if (db_stream(r->from, sql, &a, &e) == -1)
		replay_fail(r, &e);
	else
		receive_rows(r);
	args_free(&a);
	PQfinish(r->from);
}
