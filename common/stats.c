/* SPDX-License-Identifier: ISC */
/* What is asked of the database, and its answers. */
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "stats.h"

/* The columns that struct figures is made of, in its order. */
#define FIGURES                                                                \
	"due, waiting, parked, late_ms, array_to_string(more, ' '), "          \
	"delivered, retried, failed, cancelled, good_1, good_5, good_60, "     \
	"bad_1, bad_5, bad_60"
#define FIGURE_COLUMNS 15

const int stat_minutes[3] = {1, 5, 60};

bool
stat_chosen(const struct choice *c)
{
	return c->ids != NULL || c->tenant != NULL;
}

const char *
stat_sql(enum ask ask)
{
	static const char *const statements[ASK_COUNT] = {
	    [ASK_WHOLE] = "SELECT " FIGURES ", now_ms, webhooks, stray"
			  " FROM whk.stat($1, $2)",
	    [ASK_SHUT] = "SELECT state, why, webhooks"
			 " FROM whk.stat_shut($1, $2)",
	    [ASK_TIMES] = "SELECT p50, p90, p99, attempts"
			  " FROM whk.stat_times($1, $2)",
	    [ASK_HISTOGRAM] =
		"SELECT le, attempts, seconds FROM whk.stat_histogram()",
	    [ASK_HOOKS] = "SELECT " FIGURES ", id, tenant, url, state, why,"
			  " failures, p50, p90, p99, attempts"
			  " FROM whk.stat_webhooks($1, $2, $3::int)",
	};

	return statements[ask];
}

void
stat_args(const struct choice *c, enum ask ask, struct args *a)
{
	bool chosen = ask == ASK_HOOKS || !c->whole;

	if (ask == ASK_HISTOGRAM)
		return;
	if (chosen && c->ids != NULL)
		args_longs(a, c->ids, c->id_count);
	else
		args_null(a, ARGS_LONG, true);
	args_text(a, chosen ? c->tenant : NULL);
	if (ask == ASK_HOOKS)
		args_long(a, c->max);
}

static double
real(const PGresult *r, int row, int column)
{
	const char *text = db_text(r, row, column);

	return text == NULL ? 0 : strtod(text, NULL);
}

static bool
has_word(const char *words, const char *word)
{
	return words != NULL && strstr(words, word) != NULL;
}

static void
take_figures(struct figures *f, const PGresult *r, int row)
{
	const char *more = db_text(r, row, 4);

	f->due = db_long(r, row, 0);
	f->waiting = db_long(r, row, 1);
	f->parked = db_long(r, row, 2);
	f->late_ms = db_long(r, row, 3);
	f->more_due = has_word(more, "due");
	f->more_waiting = has_word(more, "waiting");
	f->more_parked = has_word(more, "parked");
	f->delivered = db_long(r, row, 5);
	f->retried = db_long(r, row, 6);
	f->failed = db_long(r, row, 7);
	f->cancelled = db_long(r, row, 8);
	for (int i = 0; i < 3; i++) {
		f->good[i] = real(r, row, 9 + i);
		f->bad[i] = real(r, row, 12 + i);
	}
}

static void
take_times(struct figures *f, const PGresult *r, int row, int column)
{
	f->p50 = real(r, row, column);
	f->p90 = real(r, row, column + 1);
	f->p99 = real(r, row, column + 2);
	f->timed = db_long(r, row, column + 3);
}

static void
take_whole(struct stats *s, const PGresult *r)
{
	if (PQntuples(r) == 0)
		return;
	take_figures(&s->f, r, 0);
	s->now_ms = db_long(r, 0, FIGURE_COLUMNS);
	s->webhooks = db_long(r, 0, FIGURE_COLUMNS + 1);
	s->more_webhooks = has_word(db_text(r, 0, 4), "webhooks");
	s->stray = PQgetvalue(r, 0, FIGURE_COLUMNS + 2)[0] == 't';
}

static void
take_shut(struct stats *s, const PGresult *r)
{
	for (int row = 0; row < PQntuples(r); row++) {
		const char *state = db_text(r, row, 0);
		int64_t n = db_long(r, row, 2);

		if (strcmp(state, "paused") == 0)
			s->paused += n;
		else if (strcmp(state, "blocked") == 0)
			s->blocked += n;
		else
			s->disabled += n;
		if (strcmp(state, "disabled") == 0 &&
		    s->reason_count < STAT_REASONS)
			s->reasons[s->reason_count++] =
			    (struct reason){db_text(r, row, 1), n};
	}
}

static void
take_histogram(struct stats *s, const PGresult *r)
{
	for (int row = 0; row < PQntuples(r) && row < STAT_BUCKETS; row++) {
		s->buckets[row].le = real(r, row, 0);
		s->buckets[row].attempts = db_long(r, row, 1);
		s->seconds = real(r, row, 2);
	}
}

static int
take_hooks(struct stats *s, const PGresult *r)
{
	int rows = PQntuples(r);

	s->hooks = reallocarray(NULL, (size_t)rows + 1, sizeof(*s->hooks));
	if (s->hooks == NULL)
		return -1;
	s->hook_count = (size_t)rows;
	for (int row = 0; row < rows; row++) {
		struct hook *h = &s->hooks[row];

		take_figures(&h->f, r, row);
		h->id = db_long(r, row, FIGURE_COLUMNS);
		h->tenant = db_text(r, row, FIGURE_COLUMNS + 1);
		h->url = db_text(r, row, FIGURE_COLUMNS + 2);
		h->state = db_text(r, row, FIGURE_COLUMNS + 3);
		h->why = db_text(r, row, FIGURE_COLUMNS + 4);
		h->failures = db_long(r, row, FIGURE_COLUMNS + 5);
		take_times(&h->f, r, row, FIGURE_COLUMNS + 6);
	}
	return 0;
}

int
stat_take(struct stats *s)
{
	take_whole(s, s->results[ASK_WHOLE]);
	take_shut(s, s->results[ASK_SHUT]);
	if (PQntuples(s->results[ASK_TIMES]) > 0)
		take_times(&s->f, s->results[ASK_TIMES], 0, 0);
	take_histogram(s, s->results[ASK_HISTOGRAM]);
	return take_hooks(s, s->results[ASK_HOOKS]);
}

void
stat_clear(struct stats *s)
{
	for (int i = 0; i < ASK_COUNT; i++)
		PQclear(s->results[i]);
	free(s->hooks);
	*s = (struct stats){0};
}

double
stat_rate(const struct figures *f, int i)
{
	return f->good[i] + f->bad[i];
}

double
stat_success(const struct figures *f, int i)
{
	double all = stat_rate(f, i);

	return all > 0 ? f->good[i] / all : -1;
}

int64_t
stat_active(const struct stats *s)
{
	int64_t n = s->webhooks - s->paused - s->blocked - s->disabled;

	return n > 0 ? n : 0;
}
