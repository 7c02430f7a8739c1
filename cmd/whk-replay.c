/* SPDX-License-Identifier: ISC */
/*
 * whk-replay makes deliveries due again: those of the attempt lines on its
 * standard input, or those that a selection finds. They are parked at their
 * webhooks and go out through whk-due, oldest first.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "text.h"
#include "when.h"
#include "whk-replay/replay.h"

/* Later than anything: 9999-12-31T23:59:59Z. */
#define FOREVER_MS INT64_C(253402300799000)

#define OPT(field) offsetof(struct options, field)

static const struct cli_option options[] = {
    {'e', "event", "ID", CLI_STRING | CLI_EVENT, OPT(event), "of this event",
	NULL, 0, 0},
    {'w', "webhook", "ID", CLI_INT | CLI_WEBHOOK, OPT(webhook),
	"of this webhook", NULL, 1, INT64_MAX},
    {'s', "since", "TIME", CLI_STRING, OPT(since),
	"from then on: RFC 3339, a date, or \"2h\" ago", NULL, 0, 0},
    {'u', "until", "TIME", CLI_STRING, OPT(until), "before then", NULL, 0, 0},
    {'o', "outcome", "WORD", CLI_STRING, OPT(outcome),
	"whose last attempt was delivered, retry, failed, cancelled", NULL, 0,
	0},
    {'t', "type", "PATTERN", CLI_LIST | CLI_PATTERN, OPT(types),
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

static void
complain(const char *msg, const char *value)
{
	struct err e;

	err_set(&e, "%s: %s", msg, value);
	warnx("%s", e.msg);
}

/* A time of an option, if it was given. */
static int
read_time(const char *name, const char *s, int64_t now_ms, int64_t *ms)
{
	char what[64];

	if (s == NULL || when_parse(s, now_ms, ms) == 0)
		return 0;
	snprintf(what, sizeof(what), "--%s: not a time", name);
	complain(what, s);
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

static bool
selects(const struct options *o)
{
	return o->event != NULL || o->webhook > 0 || o->since != NULL ||
	    o->until != NULL || o->outcome != NULL || o->types.count > 0 ||
	    o->tenant != NULL || o->missing;
}

static int
check(const struct options *o)
{
	int64_t any;

	if (o->missing && o->webhook == 0) {
		warnx("--missing needs --webhook");
		return -1;
	}
	if (o->missing && (o->event != NULL || o->outcome != NULL)) {
		warnx("--missing excludes --event and --outcome");
		return -1;
	}
	if (o->event != NULL && !text_is_id(o->event)) {
		complain("--event: not an id", o->event);
		return -1;
	}
	if (o->outcome != NULL && !is_outcome(o->outcome)) {
		complain("--outcome: not delivered, retry, failed or "
			 "cancelled",
		    o->outcome);
		return -1;
	}
	if (read_time("since", o->since, 0, &any) == -1 ||
	    read_time("until", o->until, 0, &any) == -1)
		return -1;
	return 0;
}

void
replay_fail(struct replay *r, const struct err *e)
{
	warnx("%s", e->msg);
	r->status = err_status(e);
}

/* What is so long ago is so by the database's clock; which event is meant. */
static int
settle(struct replay *r, int64_t *since, int64_t *until)
{
	PGresult *res;
	struct err e;
	int64_t now_ms, any;

	res = db_query(r->db, "SELECT now_ms FROM whk.hello()", NULL, &e);
	if (res == NULL) {
		replay_fail(r, &e);
		return -1;
	}
	now_ms = db_long(res, 0, 0);
	PQclear(res);
	read_time("since", r->o->since, now_ms, since);
	read_time("until", r->o->until, now_ms, until);
	if (r->o->event != NULL &&
	    event_id_find(r->db, r->o->event, r->event, &any, &e) == -1) {
		replay_fail(r, &e);
		return -1;
	}
	return 0;
}

static void
report(struct replay *r)
{
	if (r->progress.shown_ms != 0)
		fputs("\r\033[K", stderr);
	if (r->bare > 0)
		warnx("%lld cannot be sent again: their bodies are gone "
		      "(whk-prune)",
		    (long long)r->bare);
	warnx("%lld %s again, %lld pending already", (long long)r->due,
	    r->o->dry ? "would be due" : "due", (long long)r->pending);
}

static void
run(struct replay *r)
{
	int64_t since = 0, until = FOREVER_MS;
	struct err e;

	r->db = db_open(cli.name, false, &e);
	if (r->db == NULL) {
		replay_fail(r, &e);
		return;
	}
	if (settle(r, &since, &until) == 0) {
		if (selects(r->o))
			replay_selection(r, since, until);
		else
			replay_lines(r);
		report(r);
	}
	PQfinish(r->db);
}

int
main(int argc, char **argv)
{
	struct options o = {0};
	struct replay *r;
	int first, status;

	setprogname(cli.name);
	status = cli_parse(&cli, argc, argv, &o, &first, stdout, stderr);
	if (status != -1)
		return status;
	signal(SIGPIPE, SIG_IGN);
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		err(1, NULL);
	r->o = &o;
	r->progress.begun_ms = clock_steady_ms();
	r->terminal = isatty(STDERR_FILENO);
	if (check(&o) == -1)
		r->status = 2;
	else
		run(r);
	status = r->status == 0 && r->bad > 0 ? 1 : r->status;
	free(r);
	cli_free(&cli, &o);
	return status;
}
