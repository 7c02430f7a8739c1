/* SPDX-License-Identifier: ISC */
/*
 * whk-rm removes webhooks. What is pending for one is cancelled first, on
 * record, in steps; if it is killed in between it can be run again.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "clock.h"
#include "db.h"
#include "webhook-ids.h"

#define NAME "whk-rm"
#define STEP 1000 /* rows that one transaction cancels */

struct options {
	bool dry_run;
};

static const struct cli_option option_table[] = {
    {'n', "dry-run", NULL, CLI_FLAG, offsetof(struct options, dry_run),
	"remove nothing, say how many there are", NULL, 0, 0},
};

static const struct cli cli = {
    .name = NAME,
    .operands = "ID ...",
    .summary = "Removes webhooks and cancels what is pending for them.",
    .options = option_table,
    .count = sizeof(option_table) / sizeof(option_table[0]),
    .min_operands = 1,
    .max_operands = -1,
    .operand = CLI_WEBHOOK,
};

struct rm {
	struct options o;
	struct webhook_ids ids;
	struct webhook_ids missing;
	PGconn *db;
};

/* One step: 1 if the webhook is gone now, 0 if there is more to do, or -1. */
static int
remove_some(struct rm *m, int64_t id, bool *missing, struct err *e)
{
	struct args a = {0};
	PGresult *r;
	int gone;

	args_long(&a, id);
	args_long(&a, STEP);
	r = db_query(m->db, "SELECT whk.remove($1, $2::int)", &a, e);
	args_free(&a);
	if (r == NULL)
		return -1;
	*missing = PQgetisnull(r, 0, 0);
	gone = *missing || PQgetvalue(r, 0, 0)[0] == 't';
	PQclear(r);
	return gone;
}

static int
remove_one(struct rm *m, int64_t id, struct err *e)
{
	int64_t since_ms = clock_steady_ms(), steps = 0;
	bool missing, progress = false;
	int gone;

	while ((gone = remove_some(m, id, &missing, e)) == 0) {
		steps++;
		if (isatty(STDERR_FILENO) == 0 ||
		    clock_steady_ms() - since_ms < 1000)
			continue;
		progress = true;
		fprintf(stderr, "\r\033[K%" PRId64 ": %" PRId64 " cancelled",
		    id, steps * STEP);
	}
	if (progress)
		fputs("\r\033[K", stderr);
	/* One that went away in the middle was removed by someone else. */
	if (gone == 1 && missing && steps == 0)
		m->missing.v[m->missing.count++] = id;
	return gone == -1 ? -1 : 0;
}

/* Removes what there is to remove. Returns the exit status. */
static int
run(struct rm *m, struct err *e)
{
	size_t count;

	m->db = db_open(NAME, false, e);
	if (m->db == NULL ||
	    webhook_ids_find(&m->ids, &m->missing, m->db, e) == -1)
		return err_status(e);
	count = m->ids.count;
	if (m->o.dry_run)
		warnx("%zu webhook%s would be removed", count,
		    count == 1 ? "" : "s");
	for (size_t i = 0; !m->o.dry_run && i < count; i++)
		if (remove_one(m, m->ids.v[i], e) == -1)
			return err_status(e);
	for (size_t i = 0; i < m->missing.count; i++)
		warnx("%" PRId64 ": no such webhook", m->missing.v[i]);
	return m->missing.count > 0 ? 1 : 0;
}

int
main(int argc, char **argv)
{
	struct rm m = {0};
	struct err e = {0};
	int first, status;

	status = cli_parse(&cli, argc, argv, &m.o, &first, stdout, stderr);
	if (status != -1)
		return status;
	if (webhook_ids_parse(&m.ids, argv + first, argc - first, &e) == 0)
		status = run(&m, &e);
	else
		status = e.temporary ? 75 : 2;
	if (e.msg[0] != '\0')
		warnx("%s", e.msg);
	PQfinish(m.db);
	webhook_ids_free(&m.ids);
	webhook_ids_free(&m.missing);
	cli_free(&cli, &m.o);
	return status;
}
