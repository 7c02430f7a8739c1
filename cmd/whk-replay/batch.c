/* SPDX-License-Identifier: ISC */
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "whk-replay/replay.h"

static const char replay_sql[] =
    "SELECT n, became FROM whk.replay($1, $2, $3) ORDER BY n";
static const char look_sql[] =
    "SELECT n, became FROM whk.would_replay($1, $2, $3) ORDER BY n";

/* For a person at a terminal. How much is to come is not known. */
static void
show_progress(struct replay *r)
{
	int64_t now_ms = clock_steady_ms();
	char text[PROGRESS_TEXT];

	if (!r->terminal || !progress_due(&r->progress, now_ms))
		return;
	progress_text(&r->progress, now_ms, r->due, "replayed", 0, text);
	fprintf(stderr, "\r\033[K%s", text);
}

/* What became of one pair. */
static void
account(struct replay *r, const struct pair *p, const char *became)
{
	if (strcmp(became, "due") == 0) {
		r->due++;
		if (r->o->verbose || r->o->dry)
			printf("{\"event\":\"%s\",\"webhook\":%lld}\n",
			    p->event, (long long)p->webhook);
	} else if (strcmp(became, "pending") == 0)
		r->pending++;
	else if (p->line == 0 && strcmp(became, "no body") == 0)
		r->bare++;
	else if (p->line != 0) { /* else it went while the selection ran */
		r->bad++;
		warnx("line %llu: %s: event %s, webhook %lld",
		    (unsigned long long)p->line, became, p->event,
		    (long long)p->webhook);
	}
}

static void
add_arguments(const struct replay *r, struct args *a)
{
	int event = args_array(a, ARGS_TEXT), at = args_array(a, ARGS_TIME),
	    webhook = args_array(a, ARGS_LONG);

	for (int i = 0; i < r->count; i++) {
		args_add_text(a, event, r->pairs[i].event);
		if (r->pairs[i].time_ms == -1)
			args_add_null(a, at);
		else
			args_add_number(a, at, r->pairs[i].time_ms);
		args_add_number(a, webhook, r->pairs[i].webhook);
	}
}

int
batch_flush(struct replay *r)
{
	struct args a = {0};
	PGresult *res;
	struct err e;

	if (r->count == 0)
		return 0;
	add_arguments(r, &a);
	res = db_query(r->db, r->o->dry ? look_sql : replay_sql, &a, &e);
	args_free(&a);
	if (res == NULL) {
		replay_fail(r, &e);
		r->count = 0;
		return -1;
	}
	for (int i = 0; i < PQntuples(res) && i < r->count; i++)
		account(r, &r->pairs[i], PQgetvalue(res, i, 1));
	PQclear(res);
	r->count = 0;
	show_progress(r);
	if (fflush(stdout) == EOF) {
		warn("stdout");
		r->status = 1;
		return -1;
	}
	return 0;
}

int
batch_add(struct replay *r, const struct pair *p)
{
	r->pairs[r->count++] = *p;
	return r->count == BATCH ? batch_flush(r) : 0;
}
