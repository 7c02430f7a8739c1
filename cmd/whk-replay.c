/* SPDX-License-Identifier: ISC */
/*
 * whk-replay makes deliveries due again: those of the attempt lines on its
 * standard input, or those that a selection finds. They are parked at their
 * webhooks and go out through whk-due, oldest first.
 */
#include <err.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "cli.h"
#include "db.h"
#include "input.h"
#include "line.h"
#include "loop.h"
#include "text.h"

/* Pairs in one call, which is one transaction. */
#define BATCH 500

struct options {
	const char *event, *tenant, *outcome, *since, *until;
	struct cli_list types;
	int64_t webhook;
	bool missing, dry, verbose;
};

#define OPT(field) offsetof(struct options, field)

static const struct cli_option options[] = {
    {'e', "event", "ID", CLI_STRING, OPT(event), "of this event", NULL, 0, 0},
    {'w', "webhook", "ID", CLI_INT, OPT(webhook), "of this webhook", NULL, 1,
	INT64_MAX},
    {'s', "since", "TIME", CLI_STRING, OPT(since),
	"from then on: RFC 3339, a date, or 2h ago", NULL, 0, 0},
    {'u', "until", "TIME", CLI_STRING, OPT(until), "before then", NULL, 0, 0},
    {'o', "outcome", "WORD", CLI_STRING, OPT(outcome),
	"whose last attempt was delivered, retry, failed, cancelled", NULL, 0,
	0},
    {'t', "type", "PATTERN", CLI_LIST, OPT(types),
	"of events of this type; may be repeated", NULL, 0, 0},
    {'T', "tenant", "TENANT", CLI_STRING, OPT(tenant), "of this tenant", NULL,
	0, 0},
    {'m', "missing", NULL, CLI_FLAG, OPT(missing),
	"what --webhook should have got and never did", NULL, 0, 0},
    {'n', "dry-run", NULL, CLI_FLAG, OPT(dry),
	"print what would be replayed, change nothing", NULL, 0, 0},
    {'v', "verbose", NULL, CLI_FLAG, OPT(verbose), "print what is replayed",
	NULL, 0, 0},
};

static const struct cli cli = {
    .name = "whk-replay",
    .operands = NULL,
    .summary = "make deliveries due again: of attempt lines, or a selection",
    .options = options,
    .count = sizeof(options) / sizeof(options[0]),
};

/* One delivery: an event, perhaps its time, and a webhook. */
struct pair {
	char event[129];
	int64_t time_ms; /* -1: of the newest event of that id */
	int64_t webhook;
	uint64_t line; /* where it was read; 0: it was selected */
};

struct replay {
	const struct options *o;
	PGconn *db;
	struct pair pairs[BATCH];
	int count;
	int64_t due, pending, bad;
	int64_t begun_ms, shown_ms; /* of the progress, by the steady clock */
	bool terminal;
	int status;

	struct loop loop; /* for lines */
	struct input *input;
	struct event *idle;
};

static volatile sig_atomic_t stop_signal;

static void
fail(struct replay *r, const struct err *e)
{
	warnx("%s", e->msg);
	r->status = err_status(e);
}

/* For a person at a terminal, once a second. */
static void
progress(struct replay *r)
{
	int64_t now = clock_steady_ms();

	if (!r->terminal || now - r->begun_ms < 1000 ||
	    now - r->shown_ms < 1000)
		return;
	r->shown_ms = now;
	fprintf(stderr, "\r%lld replayed, %lld/s ", (long long)r->due,
	    (long long)(r->due * 1000 / (now - r->begun_ms)));
}

static void
say(const struct pair *p)
{
	printf("{\"event\":\"%s\",\"webhook\":%lld}\n", p->event,
	    (long long)p->webhook);
}

/* What became of one pair. */
static void
account(struct replay *r, const struct pair *p, const char *became)
{
	if (strcmp(became, "due") == 0) {
		r->due++;
		if (r->o->verbose || r->o->dry)
			say(p);
	} else if (strcmp(became, "pending") == 0)
		r->pending++;
	else if (p->line == 0)
		return; /* it went while the selection ran */
	else {
		r->bad++;
		warnx("line %llu: %s: event %s, webhook %lld",
		    (unsigned long long)p->line, became, p->event,
		    (long long)p->webhook);
	}
}

static const char replay_sql[] =
    "SELECT n, became FROM whk.replay($1, $2, $3) ORDER BY n";

/* Replays the batch; -1: it could not be, and the run is over. */
static int
flush_batch(struct replay *r)
{
	struct args a = {0};
	PGresult *res;
	struct err e;
	int ev = args_array(&a, ARGS_TEXT), tm = args_array(&a, ARGS_TIME),
	    wh = args_array(&a, ARGS_LONG);

	for (int i = 0; i < r->count; i++) {
		args_add_text(&a, ev, r->pairs[i].event);
		if (r->pairs[i].time_ms == -1)
			args_add_null(&a, tm);
		else
			args_add_number(&a, tm, r->pairs[i].time_ms);
		args_add_number(&a, wh, r->pairs[i].webhook);
	}
	res = db_query(r->db, replay_sql, &a, &e);
	args_free(&a);
	if (res == NULL) {
		fail(r, &e);
		return -1;
	}
	for (int i = 0; i < PQntuples(res) && i < r->count; i++)
		account(r, &r->pairs[i], PQgetvalue(res, i, 1));
	PQclear(res);
	r->count = 0;
	progress(r);
	return 0;
}

static int
add(struct replay *r, const struct pair *p)
{
	if (r->o->dry) {
		account(r, p, "due");
		return 0;
	}
	r->pairs[r->count++] = *p;
	return r->count == BATCH ? flush_batch(r) : 0;
}

/* --- lines ---------------------------------------------------------------- */

static void
take_line(void *arg, char *line, size_t len, uint64_t number)
{
	struct replay *r = arg;
	struct attempt_line at;
	struct pair p = {.time_ms = -1, .line = number};
	struct timeval now = {0, 0};
	struct err e;

	if (line == NULL)
		err_set(&e, "longer than 8 MiB");
	if (line == NULL || line_attempt_parse(line, len, &at, &e) == -1) {
		r->bad++;
		warnx("line %llu: %s", (unsigned long long)number, e.msg);
		return;
	}
	strlcpy(p.event, at.event, sizeof(p.event));
	p.webhook = at.webhook;
	line_attempt_free(&at);
	if (add(r, &p) == -1)
		loop_break(&r->loop);
	else
		event_add(r->idle, &now);
}

static void
ended(void *arg, const struct err *e)
{
	struct replay *r = arg;

	if (e != NULL)
		fail(r, e);
	loop_break(&r->loop);
}

/* Nothing more has come for now: what has is not kept waiting. */
static void
idle(evutil_socket_t fd, short what, void *arg)
{
	struct replay *r = arg;

	(void)fd;
	(void)what;
	if (r->count > 0 && flush_batch(r) == -1)
		loop_break(&r->loop);
	fflush(stdout);
}

static void
stopped(void *arg)
{
	struct replay *r = arg;

	loop_break(&r->loop);
}

static const struct input_handler input_handler = {take_line, ended};

static void
replay_lines(struct replay *r)
{
	struct err e;

	if (loop_init(&r->loop, stopped, r, &e) == -1) {
		fail(r, &e);
		return;
	}
	r->idle = evtimer_new(r->loop.base, idle, r);
	r->input = r->idle == NULL
	    ? NULL
	    : input_new(r->loop.base, STDIN_FILENO, &input_handler, r, &e);
	if (r->input == NULL)
		warnx("cannot read standard input"), r->status = 1;
	else if (loop_run(&r->loop, &e) == -1)
		fail(r, &e);
	if (r->status == 0 && r->count > 0)
		flush_batch(r);
	input_free(r->input);
	if (r->idle != NULL)
		event_free(r->idle);
	loop_free(&r->loop);
}

/* --- a selection ---------------------------------------------------------- */

/* A time as an option has it: absolute, a date, or so long ago. */
static int
parse_time(const char *s, int64_t *ms)
{
	char whole[CLOCK_TEXT + 16];
	int64_t ago;

	if (clock_parse(s, strlen(s), ms) == 0)
		return 0;
	if (strlen(s) == 10) {
		snprintf(whole, sizeof(whole), "%sT00:00:00Z", s);
		return clock_parse(whole, strlen(whole), ms);
	}
	if (text_duration(s, &ago) == -1)
		return -1;
	*ms = clock_wall_ms() - ago;
	return 0;
}

static int
check_time(const char *name, const char *s, int64_t fallback, int64_t *ms)
{
	*ms = fallback;
	if (s == NULL || parse_time(s, ms) == 0)
		return 0;
	warnx("--%s: not a time: %s", name, s);
	return -1;
}

static bool
is_outcome(const char *s)
{
	static const char *const words[] = {
	    "delivered", "retry", "failed", "cancelled"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(s, words[i]) == 0)
			return true;
	return false;
}

static const char select_sql[] =
    "SELECT event, time_ms, webhook FROM whk.replayable($1, $2, $3, $4, $5, "
    "$6, $7)";
static const char missing_sql[] =
    "SELECT event, time_ms, webhook FROM whk.missing($1, $2, $3, $4, "
    "$5)";

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
question(const struct options *o, struct args *a, int64_t since, int64_t until)
{
	if (o->webhook > 0)
		args_long(a, o->webhook);
	else
		args_null(a, ARGS_LONG, false);
	if (!o->missing)
		args_text(a, o->event);
	add_types(a, &o->types);
	args_text(a, o->tenant);
	if (!o->missing)
		args_text(a, o->outcome);
	args_time(a, since);
	args_time(a, until);
	return o->missing ? missing_sql : select_sql;
}

static void
signalled(int signo)
{
	stop_signal = signo;
}

/* Replays what a stream of rows gives, one row at a time. */
static void
replay_rows(struct replay *r, PGconn *from)
{
	PGresult *row;
	struct err e;

	while ((row = PQgetResult(from)) != NULL) {
		struct pair p = {0};

		if (PQresultStatus(row) == PGRES_SINGLE_TUPLE &&
		    r->status == 0 && stop_signal == 0) {
			strlcpy(
			    p.event, PQgetvalue(row, 0, 0), sizeof(p.event));
			p.time_ms = db_long(row, 0, 1);
			p.webhook = db_long(row, 0, 2);
			if (add(r, &p) == -1)
				db_cancel(from);
		} else if (PQresultStatus(row) != PGRES_TUPLES_OK &&
		    PQresultStatus(row) != PGRES_SINGLE_TUPLE &&
		    r->status == 0 && stop_signal == 0) {
			db_error(row, &e);
			fail(r, &e);
		} else if (stop_signal == SIGTERM || stop_signal == SIGINT) {
			db_cancel(from);
			stop_signal = -1;
		}
		PQclear(row);
	}
	if (r->status == 0 && r->count > 0)
		flush_batch(r);
}

static void
replay_selection(struct replay *r, int64_t since, int64_t until)
{
	struct args a = {0};
	const char *sql;
	PGconn *from;
	struct err e;

	/* a second connection: each batch is a transaction of its own */
	from = db_open(cli.name, false, &e);
	if (from == NULL) {
		fail(r, &e);
		return;
	}
	sql = question(r->o, &a, since, until);
	signal(SIGTERM, signalled);
	signal(SIGINT, signalled);
	if (db_stream(from, sql, &a, &e) == -1)
		fail(r, &e);
	else
		replay_rows(r, from);
	args_free(&a);
	PQfinish(from);
}

/* --- */

static bool
selects(const struct options *o)
{
	return o->event != NULL || o->webhook > 0 || o->since != NULL ||
	    o->until != NULL || o->outcome != NULL || o->types.count > 0 ||
	    o->tenant != NULL || o->missing;
}

static int
check(const struct options *o, int64_t *since, int64_t *until)
{
	if (o->missing && o->webhook == 0) {
		warnx("--missing needs --webhook");
		return -1;
	}
	if (o->missing && (o->event != NULL || o->outcome != NULL)) {
		warnx("--missing excludes --event and --outcome");
		return -1;
	}
	if (o->outcome != NULL && !is_outcome(o->outcome)) {
		warnx("--outcome: not delivered, retry, failed or cancelled: "
		      "%s",
		    o->outcome);
		return -1;
	}
	if (check_time("since", o->since, 0, since) == -1 ||
	    check_time("until", o->until, clock_wall_ms() + 3600000, until) ==
		-1)
		return -1;
	return 0;
}

static int
run(struct replay *r, int64_t since, int64_t until)
{
	struct err e;

	r->db = db_open(cli.name, false, &e);
	if (r->db == NULL) {
		warnx("%s", e.msg);
		return err_status(&e);
	}
	if (selects(r->o))
		replay_selection(r, since, until);
	else
		replay_lines(r);
	if (r->shown_ms != 0)
		fputc('\n', stderr);
	warnx(r->o->dry ? "%lld would be due again"
			: "%lld due again, %lld pending already",
	    (long long)r->due, (long long)r->pending);
	if (fflush(stdout) == EOF || ferror(stdout)) {
		warn("stdout");
		r->status = 1;
	}
	PQfinish(r->db);
	return r->status == 0 && r->bad > 0 ? 1 : r->status;
}

int
main(int argc, char **argv)
{
	struct options o = {0};
	struct replay *r;
	int64_t since, until;
	int first, status;

	setprogname(cli.name);
	status = cli_parse(&cli, argc, argv, &o, &first, stdout, stderr);
	if (status != -1)
		return status;
	if (check(&o, &since, &until) == -1) {
		cli_free(&cli, &o);
		return 2;
	}
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		err(1, NULL);
	r->o = &o;
	r->begun_ms = clock_steady_ms();
	r->terminal = isatty(STDERR_FILENO);
	status = run(r, since, until);
	free(r);
	cli_free(&cli, &o);
	return status;
}
