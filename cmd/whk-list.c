/* SPDX-License-Identifier: ISC */
/*
 * whk-list shows the webhooks, as a table or as webhook lines: all of them,
 * or those that were asked for.
 */
#include <err.h>
#include <inttypes.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "db.h"
#include "print.h"
#include "table.h"
#include "text.h"
#include "webhook-ids.h"

#define NAME "whk-list"
#define PAGE 1000 /* webhooks asked for, and held, at a time */
#define WORDS 100 /* that a shell is given at the most */

struct options {
	const char *tenant, *type, *state, *complete;
	bool json;
};

#define AT(member) offsetof(struct options, member)

static const struct cli_option option_table[] = {
    {'T', "tenant", "TENANT", CLI_STRING, AT(tenant), "those of that tenant",
	NULL, 0, 0},
    {'t', "type", "TYPE", CLI_STRING | CLI_TYPE, AT(type),
	"those that get events of that type", NULL, 0, 0},
    {'s', "state", "STATE", CLI_STRING, AT(state),
	"those that are active, paused, blocked or disabled", NULL, 0, 0},
    {'j', "json", NULL, CLI_FLAG, AT(json), "print webhook lines", NULL, 0, 0},
    {0, "complete", "KIND", CLI_STRING, AT(complete),
	"for shells: print webhooks, types or events that begin with ID", NULL,
	0, 0},
};

static const struct cli cli = {
    .name = NAME,
    .operands = "[ID ...]",
    .summary = "Lists webhooks.",
    .options = option_table,
    .count = sizeof(option_table) / sizeof(option_table[0]),
    .max_operands = -1,
    .operand = CLI_WEBHOOK,
};

static const struct table_column columns[] = {{"ID", true}, {"STATE", false},
    {"TENANT", false}, {"EVENTS", false}, {"URL", false},
    {"DESCRIPTION", false}};

struct list {
	struct options o;
	struct webhook_ids ids; /* those asked for */
	struct webhook_ids missing;
	bool all; /* no id was named */
	PGconn *db;
	struct table table;
	struct buf out;
};

/* Checks the value of an option that chooses. */
static int
check_text(const char *option, const char *value, struct err *e)
{
	if (value == NULL)
		return 0;
	if (value[0] == '\0')
		return err_set(e, "--%s: empty", option);
	if (!text_is_utf8(value, strlen(value)))
		return err_set(e, "--%s: '%.100s' is not UTF-8", option, value);
	return 0;
}

static int
check_state(const char *state, struct err *e)
{
	static const char *const states[] = {
	    "active", "paused", "blocked", "disabled"};

	if (state == NULL)
		return 0;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (strcmp(state, states[i]) == 0)
			return 0;
	return err_set(e,
	    "--state: '%.100s' is none of active, paused, blocked, disabled",
	    state);
}

/* Checks what --complete asks for: a kind and the beginning of a word. */
static int
check_complete(const char *kind, char **operands, int count, struct err *e)
{
	if (strcmp(kind, "webhook") != 0 && strcmp(kind, "type") != 0 &&
	    strcmp(kind, "pattern") != 0 && strcmp(kind, "event") != 0)
		return err_set(e,
		    "--complete: '%.100s' is none of webhook, type, pattern, "
		    "event",
		    kind);
	if (count > 1)
		return err_set(e, "--complete: one word at a time");
	if (count == 1 && !text_is_utf8(operands[0], strlen(operands[0])))
		return err_set(e, "--complete: a word that is not UTF-8");
	return 0;
}

static int
read_all(struct list *l, char **operands, int count, struct err *e)
{
	if (l->o.complete != NULL)
		return check_complete(l->o.complete, operands, count, e);
	l->all = count == 0;
	if (check_text("tenant", l->o.tenant, e) == -1 ||
	    check_text("type", l->o.type, e) == -1 ||
	    check_state(l->o.state, e) == -1)
		return -1;
	return webhook_ids_parse(&l->ids, operands, count, e);
}

/* The next page of webhooks, those after an id; no ids are all. */
static PGresult *
ask(struct list *l, int64_t after, struct err *e)
{
	static const char as_lines[] =
	    "SELECT id, line FROM whk.list(nullif($1, '{}'), $2, $3, $4, $5,"
	    " $6::int, statement_timestamp())";
	static const char as_table[] =
	    "SELECT id, state, tenant, events, url, description"
	    " FROM whk.list(nullif($1, '{}'), $2, $3, $4, $5,"
	    " $6::int, statement_timestamp())";
	struct args a = {0};
	PGresult *r;

	args_longs(&a, l->ids.v, l->ids.count);
	args_text(&a, l->o.tenant);
	args_text(&a, l->o.type);
	args_text(&a, l->o.state);
	args_long(&a, after);
	args_long(&a, PAGE);
	r = db_query(l->db, l->o.json ? as_lines : as_table, &a, e);
	args_free(&a);
	return r;
}

static void
add_row(struct list *l, const PGresult *r, int row)
{
	if (l->o.json) {
		buf_text(&l->out, db_text(r, row, 1));
		buf_text(&l->out, "\n");
		return;
	}
	for (int column = 0; column < PQnfields(r); column++) {
		const char *text = db_text(r, row, column);

		if (column == 3 && text[0] == '\0')
			text = "*";
		table_add(&l->table, text);
	}
}

/* Prints what has been gathered. */
static int
print(struct list *l, struct err *e)
{
	if (table_write(&l->table, &l->out) == -1)
		return err_temporary(e, "out of memory");
	if (print_bytes(l->out.data, l->out.len, e) == -1)
		return -1;
	buf_clear(&l->out);
	return print_end(e);
}

static int
print_pages(struct list *l, struct err *e)
{
	int64_t after = 0;
	int rows;

	if (l->ids.count == 0 && !l->all)
		return print(l, e);
	do {
		PGresult *r = ask(l, after, e);

		if (r == NULL)
			return -1;
		rows = PQntuples(r);
		for (int row = 0; row < rows; row++)
			add_row(l, r, row);
		if (rows > 0)
			after = db_long(r, rows - 1, 0);
		PQclear(r);
		if (print(l, e) == -1)
			return -1;
	} while (rows == PAGE);
	return 0;
}

/* Lists what was asked for. Returns the exit status. */
static int
run(struct list *l, struct err *e)
{
	l->db = db_open(NAME, false, e);
	if (l->db == NULL ||
	    webhook_ids_find(&l->ids, &l->missing, l->db, e) == -1)
		return err_status(e);
	if (!l->o.json)
		table_init(
		    &l->table, columns, sizeof(columns) / sizeof(columns[0]));
	if (print_pages(l, e) == -1)
		return err_status(e);
	for (size_t i = 0; i < l->missing.count; i++)
		warnx("%" PRId64 ": no such webhook", l->missing.v[i]);
	return l->missing.count > 0 ? 1 : 0;
}

/* The shell waits, and so does who types: no word is better than a late one. */
static void
give_up(int signo)
{
	(void)signo;
	_exit(75);
}

/* Prints the words that begin with prefix. Returns the exit status. */
static int
complete(struct list *l, const char *prefix, struct err *e)
{
	struct args a = {0};
	PGresult *r;

	signal(SIGALRM, give_up);
	alarm(1);
	l->db = db_open(NAME, false, e);
	if (l->db == NULL)
		return err_status(e);
	args_text(&a, l->o.complete);
	args_text(&a, prefix);
	args_long(&a, WORDS);
	r = db_query(l->db, "SELECT whk.complete($1, $2, $3::int)", &a, e);
	args_free(&a);
	if (r == NULL)
		return err_status(e);
	for (int row = 0; row < PQntuples(r); row++) {
		buf_text(&l->out, db_text(r, row, 0));
		buf_text(&l->out, "\n");
	}
	PQclear(r);
	return print(l, e) == 0 ? 0 : err_status(e);
}

int
main(int argc, char **argv)
{
	struct list l = {0};
	struct err e = {0};
	int first, status;

	setlocale(LC_CTYPE, "C.UTF-8"); /* for the width of characters */
	status = cli_parse(&cli, argc, argv, &l.o, &first, stdout, stderr);
	if (status != -1)
		return status;
	if (read_all(&l, argv + first, argc - first, &e) == -1)
		status = e.temporary ? 75 : 2;
	else if (l.o.complete != NULL)
		status = complete(&l, first < argc ? argv[first] : "", &e);
	else
		status = run(&l, &e);
	if (e.msg[0] != '\0')
		warnx("%s", e.msg);
	PQfinish(l.db);
	table_free(&l.table);
	buf_free(&l.out);
	webhook_ids_free(&l.ids);
	webhook_ids_free(&l.missing);
	cli_free(&cli, &l.o);
	return status;
}
