/* SPDX-License-Identifier: ISC */
/*
 * whk-init makes the schema whk in a database, or brings one of an earlier
 * version to this program's, in one transaction.
 */
#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "cli.h"
#include "db.h"
#include "print.h"
#include "schema.h"

#define NAME "whk-init"
#define OLDEST_SERVER 140000 /* CREATE OR REPLACE TRIGGER came with 14 */

struct options {
	bool dry_run;
};

static const struct cli_option option_table[] = {
    {'n', "dry-run", NULL, CLI_FLAG, offsetof(struct options, dry_run),
	"print the SQL instead of running it", NULL, 0, 0},
};

static const struct cli cli = {
    .name = NAME,
    .summary = "Makes or upgrades the schema whk in the database.",
    .options = option_table,
    .count = sizeof(option_table) / sizeof(option_table[0]),
};

struct init {
	struct options o;
	PGconn *db;
	int64_t version; /* that is there; 0: none */
	bool same;       /* its functions are ours */
	char digest[65]; /* of our functions, SHA-256 in hex */
};

/* Whether the server is one that the schema can live on. */
static int
check_server(PGconn *db, struct err *e)
{
	const char *encoding = PQparameterStatus(db, "server_encoding");

	if (PQserverVersion(db) < OLDEST_SERVER)
		return err_set(e,
		    "database: PostgreSQL %d is too old: it takes %d or newer",
		    PQserverVersion(db) / 10000, OLDEST_SERVER / 10000);
	if (encoding == NULL || strcmp(encoding, "UTF8") != 0)
		return err_set(e, "database: its encoding is %s, not UTF8",
		    encoding == NULL ? "unknown" : encoding);
	return 0;
}

/* Runs a part of the script, or only prints it. */
static int
run(struct init *in, const char *sql, struct err *e)
{
	if (!in->o.dry_run)
		return db_script(in->db, sql, e);
	printf("%s\n", sql);
	return 0;
}

/* The same for a file of sql/. */
static int
run_file(struct init *in, const struct schema_file *f, struct err *e)
{
	struct err cause = {0};

	if (run(in, f->text, &cause) == 0)
		return 0;
	err_set(e, "%s: %s", f->name, cause.msg);
	e->temporary = cause.temporary;
	return -1;
}

/* What the schema of our functions would be known by. */
static int
digest_functions(struct init *in, struct err *e)
{
	static const char sql[] =
	    "SELECT encode(sha256(convert_to($1, 'UTF8')), 'hex')";
	struct buf text = {0};
	struct args a = {0};
	PGresult *r = NULL;

	for (const struct schema_file *f = schema_files; f->name != NULL; f++)
		if (f->name[0] != '0')
			buf_text(&text, f->text);
	args_text(&a, text.data);
	if (text.failed)
		err_temporary(e, "out of memory");
	else
		r = db_query(in->db, sql, &a, e);
	args_free(&a);
	buf_free(&text);
	if (r == NULL)
		return -1;
	strlcpy(in->digest, PQgetvalue(r, 0, 0), sizeof(in->digest));
	PQclear(r);
	return 0;
}

/* Looks at the row of whk.meta, which is there. */
static int
read_meta(struct init *in, struct err *e)
{
	PGresult *r = db_query(
	    in->db, "SELECT version, functions FROM whk.meta", NULL, e);
	int rc = 0;

	if (r == NULL)
		return -1;
	in->version = PQntuples(r) == 1 ? db_long(r, 0, 0) : 0;
	if (in->version < 1)
		rc = err_set(
		    e, "database: schema whk: whk.meta says no version");
	else if (in->version > schema_steps)
		rc = err_set(e,
		    "database: schema whk is of version %" PRId64
		    ", newer than this program's %d: use newer programs",
		    in->version, schema_steps);
	else
		in->same = strcmp(PQgetvalue(r, 0, 1), in->digest) == 0;
	PQclear(r);
	return rc;
}

/* Finds out what is there. */
static int
look(struct init *in, struct err *e)
{
	PGresult *r;
	bool there;

	if (digest_functions(in, e) == -1)
		return -1;
	r = db_query(in->db, "SELECT to_regclass('whk.meta')", NULL, e);
	if (r == NULL)
		return -1;
	there = !PQgetisnull(r, 0, 0);
	PQclear(r);
	return there ? read_meta(in, e) : 0;
}

/* The steps that are missing, and the functions if they are others. */
static int
run_files(struct init *in, struct err *e)
{
	int64_t step = 0;

	for (const struct schema_file *f = schema_files; f->name != NULL; f++) {
		bool wanted =
		    f->name[0] == '0' ? ++step > in->version : !in->same;

		if (wanted && run_file(in, f, e) == -1)
			return -1;
	}
	return 0;
}

/* Writes down what is there now. */
static int
run_end(struct init *in, struct err *e)
{
	char sql[512];

	snprintf(sql, sizeof(sql),
	    "INSERT INTO whk.meta (version, functions)\n"
	    "VALUES (%d, '%s')\n"
	    "ON CONFLICT (only_row) DO UPDATE SET\n"
	    "\tversion = excluded.version, functions = excluded.functions;\n",
	    schema_steps, in->digest);
	if ((in->version < schema_steps || !in->same) && run(in, sql, e) == -1)
		return -1;
	return run(in, "SELECT whk.upkeep();\n", e);
}

/*
 * All in one transaction under a lock, so that several at once do it one
 * after the other and one that is killed leaves things as they were. Whoever
 * waits for a table stands in everybody's way, so that is not for long.
 */
static int
run_all(struct init *in, struct err *e)
{
	static const char begin[] =
	    "BEGIN;\n"
	    "SET LOCAL client_min_messages = warning;\n"
	    "SELECT pg_advisory_xact_lock(hashtext('whk-init'));\n"
	    "SET LOCAL lock_timeout = '5s';\n";

	if (in->o.dry_run)
		printf("%s\n", begin);
	if (db_script(in->db, begin, e) == -1 || look(in, e) == -1 ||
	    run_files(in, e) == -1 || run_end(in, e) == -1)
		return -1;
	if (in->o.dry_run) {
		printf("COMMIT;\n");
		return print_end(e);
	}
	return db_script(in->db, "COMMIT", e);
}

static void
tell(const struct init *in)
{
	int now = schema_steps;

	if (in->o.dry_run)
		return;
	if (in->version == 0)
		warnx("schema whk: version %d, created", now);
	else if (in->version < now)
		warnx("schema whk: version %d, upgraded from %" PRId64, now,
		    in->version);
	else if (!in->same)
		warnx("schema whk: version %d, functions renewed", now);
	else
		warnx("schema whk: version %d is up to date", now);
}

int
main(int argc, char **argv)
{
	struct init in = {0};
	struct err e = {0};
	int first, status;

	status = cli_parse(&cli, argc, argv, &in.o, &first, stdout, stderr);
	if (status != -1)
		return status;
	in.db = db_open(NAME, true, &e);
	if (in.db != NULL && check_server(in.db, &e) == 0 &&
	    run_all(&in, &e) == 0) {
		tell(&in);
		status = 0;
	} else {
		warnx("%s", e.msg);
		status = err_status(&e);
	}
	PQfinish(in.db);
	cli_free(&cli, &in.o);
	return status;
}
