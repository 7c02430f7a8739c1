/* SPDX-License-Identifier: ISC */
/*
 * whk-prune takes away what is old: days of events and attempts, and before
 * that the bodies of events, never one for which something is pending. It
 * also makes the partitions of the days to come, and removes a tenant.
 */
#include <err.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "clock.h"
#include "print.h"
#include "table.h"
#include "text.h"
#include "whk-prune/prune.h"

#define NAME "whk-prune"
#define DAY_MS ((int64_t)86400000)
#define DAYS_MAX (3650 * DAY_MS)

#define OPT(field) offsetof(struct options, field)

static const struct cli_option option_table[] = {
    {'k', "keep", "TIME", CLI_DURATION, OPT(keep_ms),
	"how long events and attempts are kept (90d)", NULL, DAY_MS, DAYS_MAX},
    {'b', "keep-bodies", "TIME", CLI_DURATION, OPT(bodies_ms),
	"how long bodies are kept (30d)", NULL, 0, DAYS_MAX},
    {'x', "export", "DIR", CLI_STRING, OPT(export),
	"write what goes to files there first", NULL, 0, 0},
    {'n', "dry-run", NULL, CLI_FLAG, OPT(dry),
	"print what would go, change nothing", NULL, 0, 0},
    {'v', "verbose", NULL, CLI_FLAG, OPT(verbose), "say what is done", NULL, 0,
	0},
    {0, "wait", "TIME", CLI_DURATION, OPT(wait_ms),
	"how long to try while the tables are in use (2m)", NULL, 0, DAY_MS},
    {'T', "tenant", "TENANT", CLI_STRING, OPT(tenant), "with --forget: whose",
	NULL, 0, 0},
    {0, "forget", NULL, CLI_FLAG, OPT(forget),
	"remove all that there is of a tenant, for good", NULL, 0, 0},
};

static const struct cli cli = {
    .name = NAME,
    .operands = NULL,
    .summary = "Takes away what is old, or all of one tenant.",
    .options = option_table,
    .count = sizeof(option_table) / sizeof(option_table[0]),
};

void
prune_progress(
    struct prune *p, const char *doing, const char *day, int64_t percent)
{
	int64_t now_ms = clock_steady_ms();
	char text[PROGRESS_TEXT];

	if (doing != p->doing || day != p->day)
		p->part.begun_ms = now_ms;
	p->doing = doing;
	p->day = day;
	if (!p->terminal || !progress_due(&p->progress, now_ms))
		return;
	progress_text(&p->part, now_ms, 0, NULL, (double)percent / 100, text);
	fprintf(stderr, "\r\033[K%s%s%s%s%s", doing, day != NULL ? " " : "",
	    day != NULL ? day : "", text[0] != '\0' ? ": " : "", text);
}

void
prune_progress_end(struct prune *p)
{
	if (p->progress.shown_ms != 0)
		fputs("\r\033[K", stderr);
	p->progress.shown_ms = 0;
}

void
prune_say(struct prune *p, const char *fmt, ...)
{
	va_list ap;

	if (!p->o->verbose)
		return;
	prune_progress_end(p);
	va_start(ap, fmt);
	vwarnx(fmt, ap);
	va_end(ap);
}

/* --- -n ------------------------------------------------------------------- */

static const struct table_column columns[] = {{"WHAT", false}, {"DAY", false},
    {"ROWS", true}, {"BYTES", true}, {"KEPT", true}};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* Prints what would be done. */
static int
print_plan(struct prune *p, struct err *e)
{
	static const char sql[] = "SELECT what, day, rows, bytes, kept"
				  " FROM whk.prune_plan($1, $2)";
	struct args a = {0};
	struct table t;
	struct buf out = {0};
	PGresult *r;
	int ret;

	args_long(&a, p->o->keep_ms);
	args_long(&a, p->o->bodies_ms);
	r = db_query(p->db, sql, &a, e);
	args_free(&a);
	if (r == NULL)
		return -1;
	table_init(&t, columns, COLUMNS);
	for (int row = 0; row < PQntuples(r); row++)
		for (int column = 0; column < (int)COLUMNS; column++)
			table_add(&t, db_text(r, row, column));
	ret = table_write(&t, &out);
	if (ret == -1)
		err_temporary(e, "out of memory");
	else if (PQntuples(r) > 0)
		ret = print_bytes(out.data, out.len, e);
	PQclear(r);
	table_free(&t);
	buf_free(&out);
	return ret == 0 ? print_end(e) : ret;
}

/* --- the run -------------------------------------------------------------- */

/*
 * After a step that failed: says why, and takes away what is half done. 0: the
 * next one may do better; -1: it is over, with *e.
 */
static int
bear(struct prune *p, const char *day, struct err *e)
{
	if (e->temporary)
		return -1;
	prune_progress_end(p);
	warnx("%s: %s", day, e->msg);
	e->msg[0] = '\0';
	p->failed = true;
	return prune_clean(p, e);
}

typedef int step(struct prune *p, const struct item *it, struct err *e);

/* Does one thing with each of the days for which it is time. */
static int
each_day(struct prune *p, const char *what, step *does, struct err *e)
{
	static const char sql[] =
	    "SELECT what, parent, part, day, rows, bytes, kept"
	    " FROM whk.prunable($1, $2) WHERE what = $3 ORDER BY day, parent";
	struct args a = {0};
	PGresult *r;
	int ret = 0;

	args_long(&a, p->o->keep_ms);
	args_long(&a, p->o->bodies_ms);
	args_text(&a, what);
	r = db_query(p->db, sql, &a, e);
	args_free(&a);
	for (int i = 0; r != NULL && ret == 0 && i < PQntuples(r); i++) {
		struct item it = {PQgetvalue(r, i, 0), PQgetvalue(r, i, 1),
		    PQgetvalue(r, i, 2), PQgetvalue(r, i, 3), db_long(r, i, 4),
		    db_long(r, i, 5), db_long(r, i, 6)};

		prune_progress(p, what, it.day, -1);
		if (does(p, &it, e) == -1)
			ret = bear(p, it.day, e);
	}
	if (r == NULL)
		ret = -1;
	PQclear(r);
	return ret;
}

/* All of it, in the order in which most room is made first. */
static int
retain(struct prune *p, struct err *e)
{
	int64_t made;

	if (prune_clean(p, e) == -1 ||
	    each_day(p, "drop", prune_drop, e) == -1 ||
	    prune_patient(p, "SELECT whk.prune_upkeep()", NULL, &made, e) ==
		-1 ||
	    prune_repair(p, "event", e) == -1 ||
	    prune_repair(p, "attempt", e) == -1 ||
	    (p->moved > 0 && each_day(p, "drop", prune_drop, e) == -1) ||
	    each_day(p, "slim", prune_slim, e) == -1)
		return -1;
	if (prune_rest(p, e) == -1)
		return bear(p, "single rows", e);
	return 0;
}

/* What was done, where anything was, in a line. */
static void
sum_up(struct prune *p)
{
	const struct {
		int64_t count;
		const char *what;
	} parts[] = {{p->events, "events dropped"},
	    {p->attempts, "attempts dropped"}, {p->bodies, "bodies dropped"},
	    {p->kept, "events kept as something is pending"},
	    {p->moved, "rows moved to their days"},
	    {p->single, "rows taken one by one"}};
	struct buf line = {0};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].count > 0)
			buf_fmt(&line, "%s%" PRId64 " %s",
			    line.len > 0 ? ", " : "", parts[i].count,
			    parts[i].what);
	if (line.len > 0 && !line.failed)
		warnx("%s", line.data);
	buf_free(&line);
}

/* Days are those of UTC; and the database does not go on for nobody. */
static int
prepare(struct prune *p, struct err *e)
{
	return db_script(p->db,
	    "SET TimeZone = 'UTC';"
	    " SET client_connection_check_interval = '1s'",
	    e);
}

/* Keeps others of our kind away. */
static int
exclude(struct prune *p, struct err *e)
{
	int64_t mine = 0;

	/* one that was killed may go on for a moment */
	for (int i = 0; i < 30 && mine == 0; i++) {
		if (i > 0)
			nanosleep(&(struct timespec){0, 100000000}, NULL);
		if (prune_number(p,
			"SELECT pg_try_advisory_lock("
			"hashtext('whk-prune'))::int",
			NULL, &mine, e) == -1)
			return -1;
	}
	return mine == 1 ? 0 : err_temporary(e, "another one is running");
}

static int
run(struct prune *p, struct err *e)
{
	int ret;

	p->db = db_open(NAME, false, e);
	if (p->db == NULL || prepare(p, e) == -1)
		return -1;
	if (!p->o->dry && exclude(p, e) == -1)
		return -1;
	if (p->o->forget)
		return prune_forget(p, e);
	if (p->o->dry)
		return print_plan(p, e);
	ret = retain(p, e);
	prune_progress_end(p);
	sum_up(p);
	return ret;
}

/* --- */

static int
check(const struct options *o, struct err *e)
{
	struct stat st;

	if (o->forget != (o->tenant != NULL))
		return err_set(e, "--tenant and --forget go together");
	if (o->tenant != NULL &&
	    (o->tenant[0] == '\0' ||
		!text_is_utf8(o->tenant, strlen(o->tenant))))
		return err_set(e, "--tenant: '%.100s' is none", o->tenant);
	if (o->forget && o->export != NULL)
		return err_set(e, "--forget excludes --export");
	if (o->export != NULL &&
	    (stat(o->export, &st) == -1 || !S_ISDIR(st.st_mode)))
		return err_set(
		    e, "--export: not a directory: %.300s", o->export);
	return 0;
}

int
main(int argc, char **argv)
{
	struct options o = {.keep_ms = 90 * DAY_MS,
	    .bodies_ms = 30 * DAY_MS,
	    .wait_ms = 120000};
	struct prune p = {.o = &o,
	    .progress = {.begun_ms = clock_steady_ms()},
	    .terminal = isatty(STDERR_FILENO)};
	struct err e = {0};
	int first, status;

	setprogname(NAME);
	status = cli_parse(&cli, argc, argv, &o, &first, stdout, stderr);
	if (status != -1)
		return status;
	signal(SIGPIPE, SIG_IGN); /* a gzip that dies is reported */
	if (check(&o, &e) == -1)
		status = 2;
	else if (run(&p, &e) == -1)
		status = err_status(&e);
	else
		status = p.failed ? 1 : 0;
	prune_progress_end(&p);
	if (e.msg[0] != '\0')
		warnx("%s", e.msg);
	PQfinish(p.db);
	cli_free(&cli, &o);
	return status;
}
