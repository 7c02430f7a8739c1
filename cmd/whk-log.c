/* SPDX-License-Identifier: ISC */
/*
 * whk-log shows what happened: the last attempts, or those that were chosen;
 * the whole story of one event; why a webhook gets an event or does not; an
 * attempt as a command for curl.
 */
#include <err.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "print.h"
#include "term.h"
#include "whk-log/log.h"

#define OPT(field) offsetof(struct options, field)

static const struct cli_option option_table[] = {
    {'n', "number", "N", CLI_INT, OPT(number),
	"the last N attempts; 0: all (20, or all since --since)", NULL, 0,
	INT64_C(1000000000)},
    {'f', "follow", NULL, CLI_FLAG, OPT(follow),
	"go on: print new attempts as they are recorded", NULL, 0, 0},
    {'w', "webhook", "ID", CLI_INT | CLI_WEBHOOK, OPT(webhook),
	"at this webhook", NULL, 1, INT64_MAX},
    {'e', "event", "ID", CLI_STRING | CLI_EVENT, OPT(event),
	"of this event, by its id or the beginning of it", NULL, 0, 0},
    {'t', "type", "PATTERN", CLI_LIST | CLI_PATTERN, OPT(types),
	"of events of this type; may be repeated", NULL, 0, 0},
    {'T', "tenant", "TENANT", CLI_STRING, OPT(tenant),
	"of events of this tenant", NULL, 0, 0},
    {'o', "outcome", "WORD", CLI_STRING, OPT(outcome),
	"that were delivered, retry, failed or cancelled", NULL, 0, 0},
    {0, "status", "STATUS", CLI_STRING, OPT(status),
	"with this status (503, 5xx) or error (timeout)", NULL, 0, 0},
    {'s', "since", "TIME", CLI_STRING, OPT(since),
	"from then on: 2h, 3d, yesterday, 2026-11-23T10:00", NULL, 0, 0},
    {'u', "until", "TIME", CLI_STRING, OPT(until), "before then", NULL, 0, 0},
    {'j', "json", NULL, CLI_FLAG, OPT(json), "print attempt lines", NULL, 0, 0},
    {0, "utc", NULL, CLI_FLAG, OPT(utc),
	"times in UTC on a terminal too, as RFC 3339", NULL, 0, 0},
    {0, "color", "WHEN", CLI_STRING, OPT(color),
	"always, never, or auto: on a terminal", NULL, 0, 0},
    {0, "why", "WEBHOOK", CLI_INT | CLI_WEBHOOK, OPT(why),
	"why that webhook gets EVENT, or a body on stdin, or not", NULL, 1,
	INT64_MAX},
    {0, "curl", NULL, CLI_FLAG, OPT(curl),
	"print a curl command for EVENT WEBHOOK [ATTEMPT]", NULL, 0, 0},
    {0, "as-sent", NULL, CLI_FLAG, OPT(as_sent),
	"with --curl: with the time and the signature of then", NULL, 0, 0},
    {0, "raw", NULL, CLI_FLAG, OPT(raw), "print the bytes of EVENT's body",
	NULL, 0, 0},
};

static const struct cli cli = {
    .name = LOG_NAME,
    .operands = "[EVENT [WEBHOOK [ATTEMPT]]]",
    .summary = "Shows what was done, and what was not, and why.",
    .options = option_table,
    .count = sizeof(option_table) / sizeof(option_table[0]),
    .max_operands = 3,
    .operand = CLI_EVENT,
};

int
log_print(struct log *l, struct err *e)
{
	if (l->out.failed)
		return err_temporary(e, "out of memory");
	if (print_bytes(l->out.data, l->out.len, e) == -1)
		return -1;
	buf_clear(&l->out);
	return print_end(e);
}

/* Whether an option asks for attempts: those, one by one or chosen. */
static bool
is_list(const struct options *o)
{
	return o->follow || o->json || o->number != -1 || o->webhook != 0 ||
	    o->event != NULL || o->types.count > 0 || o->tenant != NULL ||
	    o->outcome != NULL || o->status != NULL || o->since != NULL ||
	    o->until != NULL;
}

/* How many operands there have to be. */
static int
check_count(const char *option, int count, int min, int max, struct err *e)
{
	if (count >= min && count <= max)
		return 0;
	return err_set(e, "%s%s", option,
	    count < min ? ": an operand is missing; try 'whk-log -h'"
		: option[0] == '\0' ? "one event at a time; try 'whk-log -h'"
				    : ": an operand too many");
}

static int
check_why(const struct options *o, int count, struct err *e)
{
	struct options rest = *o;

	rest.types.count = 0;
	rest.tenant = NULL;
	if (o->types.count > 1)
		return err_set(e, "--why: an event has one type");
	if (count == 1 && (o->types.count > 0 || o->tenant != NULL))
		return err_set(e,
		    "--why: a stored event has its type and "
		    "tenant; --type and --tenant are for a body "
		    "on stdin");
	if (is_list(&rest))
		return err_set(e, "--why goes with --type and --tenant only");
	return check_count("--why", count, 0, 1, e);
}

/* Whether options and operands go together. */
static int
check(const struct options *o, char **operands, int count, struct err *e)
{
	int modes = (o->why != 0) + o->curl + o->raw;

	if (filter_check(o, e) == -1)
		return -1;
	if (modes > 1)
		return err_set(e, "--why, --curl and --raw exclude each other");
	if (o->as_sent && !o->curl)
		return err_set(e, "--as-sent goes with --curl");
	if (o->why != 0)
		return check_why(o, count, e);
	if (modes == 1 && is_list(o))
		return err_set(e,
		    "--curl and --raw go with no option that "
		    "chooses attempts");
	if (o->curl)
		return check_count("--curl", count, 2, 3, e) == -1
		    ? -1
		    : curl_check(operands, count, e);
	if (o->raw)
		return check_count("--raw", count, 1, 1, e);
	if (count == 1 && o->event != NULL)
		return err_set(e, "--event and an operand: which is it?");
	return check_count("", count, 0, 1, e);
}

static int
open_all(struct log *l, struct err *e)
{
	PGresult *r;

	l->db = db_open(LOG_NAME, false, e);
	/* No question here is worth a compilation. */
	if (l->db == NULL || db_script(l->db, "SET jit = off", e) == -1)
		return -1;
	r = db_query(l->db, "SELECT now_ms FROM whk.hello()", NULL, e);
	if (r == NULL)
		return -1;
	l->now_ms = db_long(r, 0, 0);
	PQclear(r);
	filter_settle(l);
	return 0;
}

/* The attempts, of the event that is named if one is. */
static int
run_list(struct log *l, const char *word, struct err *e)
{
	struct event ev = {0};

	if (word == NULL)
		word = l->o->event;
	if (word != NULL && event_id(l, word, &ev, e) == -1)
		return -1;
	l->filter.event = word != NULL ? ev.id : NULL;
	rows_init(l);
	return l->o->follow ? follow_run(l, e) : list_run(l, e);
}

static int
run(struct log *l, char **operands, int count, bool *gets, struct err *e)
{
	const struct options *o = l->o;
	const char *word = count > 0 ? operands[0] : NULL;

	if (open_all(l, e) == -1)
		return -1;
	if (o->why != 0)
		return why_run(l, word, gets, e);
	if (o->curl)
		return curl_run(l, operands, count, e);
	if (o->raw)
		return raw_run(l, word, e);
	if (word == NULL || is_list(o))
		return run_list(l, word, e);
	return story_run(l, word, e);
}

static void
close_all(struct log *l)
{
	PQfinish(l->db);
	rows_free(l);
	buf_free(&l->out);
}

int
main(int argc, char **argv)
{
	struct options o = {.number = -1, .color = "auto"};
	struct log l = {.o = &o};
	struct err e = {0};
	bool gets = true;
	int first, status;

	setlocale(LC_CTYPE, "C.UTF-8"); /* for the width of characters */
	setprogname(cli.name);
	status = cli_parse(&cli, argc, argv, &o, &first, stdout, stderr);
	if (status != -1)
		return status;
	argv += first;
	argc -= first;
	if (argc > 0 && o.why != 0 && strcmp(argv[0], "-") == 0)
		argv++, argc--;
	l.local = isatty(STDOUT_FILENO) && !o.utc;
	l.columns = term_columns(STDOUT_FILENO);
	if (check(&o, argv, argc, &e) == -1 ||
	    term_colors(o.color, STDOUT_FILENO, &l.colors, &e) == -1)
		status = 2;
	else if (run(&l, argv, argc, &gets, &e) == -1)
		status = err_status(&e);
	else
		status = gets ? 0 : 1;
	if (e.msg[0] != '\0' && status != 0)
		warnx("%s", e.msg);
	close_all(&l);
	cli_free(&cli, &o);
	return status;
}
