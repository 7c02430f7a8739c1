/* SPDX-License-Identifier: ISC */
/*
 * whk-set changes webhooks: their definitions, whether they are paused, their
 * secrets. All that one command says happens in one transaction.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "guard.h"
#include "print.h"
#include "webhook-cli.h"
#include "webhook-ids.h"

#define NAME "whk-set"
#define DAY_MS ((int64_t)86400 * 1000)

struct options {
	struct webhook_options w;
	const char *secret_file;
	bool unordered, pause, resume, rotate, json, dry_run;
	int64_t overlap_ms;
};

#define AT(member) offsetof(struct options, member)

static const struct cli_option option_table[] = {
    {'u', "url", "URL", CLI_STRING, AT(w.url), "where events go", NULL, 0, 0},
    WEBHOOK_OPTIONS(struct options, w),
    {0, "unordered", NULL, CLI_FLAG, AT(unordered), "keep no order any more",
	NULL, 0, 0},
    {'p', "pause", NULL, CLI_FLAG, AT(pause),
	"send nothing; what comes in is kept", NULL, 0, 0},
    {'r', "resume", NULL, CLI_FLAG, AT(resume),
	"send again, whatever stopped it", NULL, 0, 0},
    {'R', "rotate", NULL, CLI_FLAG, AT(rotate), "sign with a new secret", NULL,
	0, 0},
    {'s', "secret-file", "FILE", CLI_STRING, AT(secret_file),
	"rotate to the secret in FILE", NULL, 0, 0},
    {0, "overlap", "TIME", CLI_DURATION, AT(overlap_ms),
	"sign with the old secrets too for so long", NULL, 0, 365 * DAY_MS},
    {'j', "json", NULL, CLI_FLAG, AT(json), "print the changed webhooks' lines",
	NULL, 0, 0},
    {'n', "dry-run", NULL, CLI_FLAG, AT(dry_run),
	"check everything, change nothing", NULL, 0, 0},
};

static const struct cli cli = {
    .name = NAME,
    .operands = "ID ...",
    .summary = "Changes webhooks; an empty value sets back to the default.",
    .options = option_table,
    .count = sizeof(option_table) / sizeof(option_table[0]),
    .min_operands = 1,
    .max_operands = -1,
    .operand = CLI_WEBHOOK,
};

struct set {
	struct options o;
	struct webhook_ids ids;
	struct webhook_ids missing;
	json_t *changes;                /* checked */
	struct webhook_secret file;     /* the secret of --secret-file */
	struct webhook_secret *secrets; /* that were made, for each of ids */
	PGconn *db;
};

/* Whether the options go together. */
static int
check_use(const struct set *s, struct err *e)
{
	const struct options *o = &s->o;

	if (o->pause && o->resume)
		return err_set(e, "--pause or --resume, not both");
	if (o->w.ordered && o->unordered)
		return err_set(e, "--ordered or --unordered, not both");
	if (o->secret_file != NULL && !o->rotate)
		return err_set(e, "--secret-file goes with --rotate");
	if (json_object_size(s->changes) == 0 && !o->pause && !o->resume &&
	    !o->rotate)
		return err_set(e, "nothing to change");
	return 0;
}

/* The changes to the definition that the options ask for, checked. */
static json_t *
read_changes(const struct options *o, struct err *e)
{
	json_t *given = webhook_options_json(&o->w, WEBHOOK_SET, e);
	json_t *changes = NULL;

	if (given == NULL)
		return NULL;
	if (o->unordered &&
	    json_object_set_new(given, "ordered", json_false()) == -1)
		err_temporary(e, "out of memory");
	else
		changes = webhook_check(given, WEBHOOK_SET, e);
	json_decref(given);
	return changes;
}

/* Says if the changed webhooks may not work. */
static int
warn_doubtful(const struct set *s, struct err *e)
{
	struct guard guard;
	struct err doubt;

	if (guard_init(&guard, getenv("WHK_ALLOW"), e) == -1)
		return -1;
	if (webhook_doubtful(s->changes, &guard, &doubt))
		warnx("warning: %s", doubt.msg);
	guard_free(&guard);
	return 0;
}

static int
read_all(struct set *s, char **operands, int count, struct err *e)
{
	s->changes = read_changes(&s->o, e);
	if (s->changes == NULL || check_use(s, e) == -1 ||
	    webhook_ids_parse(&s->ids, operands, count, e) == -1)
		return -1;
	if (s->o.secret_file != NULL &&
	    webhook_read_secret(s->o.secret_file, s->file.text, e) == -1)
		return -1;
	return warn_doubtful(s, e);
}

/* Asks the database about the new filter. 0, or the status to exit with. */
static int
check_filter(struct set *s, struct err *e)
{
	const char *filter =
	    json_string_value(json_object_get(s->changes, "filter"));
	struct args a = {0};
	int status = 0;
	PGresult *r;

	if (filter == NULL)
		return 0;
	args_add_text(&a, args_array(&a, ARGS_TEXT), filter);
	r = db_query(s->db, "SELECT reason FROM whk.bad_filters($1)", &a, e);
	args_free(&a);
	if (r == NULL)
		return err_status(e);
	if (PQntuples(r) > 0) {
		err_set(e, "filter: %s", db_text(r, 0, 0));
		status = 2;
	}
	PQclear(r);
	return status;
}

/* Runs one of the functions on the webhooks; takes *a over. */
static int
call(struct set *s, const char *sql, struct args *a, struct err *e)
{
	PGresult *r = db_query(s->db, sql, a, e);

	args_free(a);
	if (r == NULL)
		return -1;
	PQclear(r);
	return 0;
}

static int
change(struct set *s, struct err *e)
{
	struct args a = {0};
	char *text;

	if (json_object_size(s->changes) == 0)
		return 0;
	text = json_dumps(s->changes, JSON_COMPACT);
	if (text == NULL)
		return err_temporary(e, "out of memory");
	args_longs(&a, s->ids.v, s->ids.count);
	args_text(&a, text);
	free(text);
	return call(s, "SELECT whk.set($1, $2::jsonb)", &a, e);
}

static int
pause_or_resume(struct set *s, struct err *e)
{
	struct args a = {0};

	if (!s->o.pause && !s->o.resume)
		return 0;
	args_longs(&a, s->ids.v, s->ids.count);
	return call(s,
	    s->o.pause ? "SELECT whk.pause($1)" : "SELECT whk.resume($1)", &a,
	    e);
}

static int
rotate(struct set *s, struct err *e)
{
	static const char sql[] =
	    "SELECT whk.rotate($1, $2, $3 * interval '1 ms')";
	struct args a = {0};
	int at;

	if (!s->o.rotate)
		return 0;
	s->secrets = calloc(s->ids.count + 1, sizeof(*s->secrets));
	if (s->secrets == NULL)
		return err_temporary(e, "out of memory");
	args_longs(&a, s->ids.v, s->ids.count);
	at = args_array(&a, ARGS_TEXT);
	for (size_t i = 0; i < s->ids.count; i++) {
		char *made = s->secrets[i].text;

		if (s->o.secret_file == NULL && sign_make(made, e) == -1) {
			args_free(&a);
			return -1;
		}
		args_add_text(&a, at, made[0] != '\0' ? made : s->file.text);
	}
	args_long(&a, s->o.overlap_ms);
	return call(s, sql, &a, e);
}

/* All of it, in one transaction; in a dry run it is taken back. */
static int
store(struct set *s, struct buf *out, struct err *e)
{
	/* What would be taken back is not shown. */
	bool shown = s->o.rotate && !s->o.dry_run;

	if (db_script(s->db, "BEGIN", e) == -1 ||
	    webhook_ids_find(&s->ids, &s->missing, s->db, e) == -1 ||
	    change(s, e) == -1 || pause_or_resume(s, e) == -1 ||
	    rotate(s, e) == -1)
		return -1;
	if (s->o.json &&
	    webhook_lines(s->db, s->ids.v, s->ids.count,
		shown ? s->secrets : NULL, out, e) == -1)
		return -1;
	return db_script(s->db, s->o.dry_run ? "ROLLBACK" : "COMMIT", e);
}

/* New secrets, where they are not in the lines. */
static void
tell_secrets(const struct set *s)
{
	for (size_t i = 0; i < s->ids.count; i++) {
		const char *made = s->secrets[i].text;

		if (made[0] != '\0' && s->ids.count > 1)
			warnx("%" PRId64 ": secret: %s", s->ids.v[i], made);
		else if (made[0] != '\0')
			warnx("secret: %s", made);
	}
}

/* What was done, or would be, and what there was nothing to be done for. */
static int
tell(const struct set *s, const struct buf *out, struct err *e)
{
	struct err cause;

	for (size_t i = 0; i < s->missing.count; i++)
		warnx("%" PRId64 ": no such webhook", s->missing.v[i]);
	if (s->o.dry_run)
		warnx("%zu webhook%s would be changed", s->ids.count,
		    s->ids.count == 1 ? "" : "s");
	else if (s->o.rotate && !s->o.json)
		tell_secrets(s);
	if (print_bytes(out->data, out->len, &cause) == 0 &&
	    print_end(&cause) == 0)
		return 0;
	return err_set(e, "%s%s", cause.msg,
	    s->o.dry_run ? "" : ": but the webhooks were changed");
}

/* Changes what there is to change. Returns the exit status. */
static int
run(struct set *s, struct err *e)
{
	struct buf out = {0};
	int rc, status;

	s->db = db_open(NAME, false, e);
	if (s->db == NULL)
		return err_status(e);
	status = check_filter(s, e);
	if (status != 0)
		return status;
	rc = store(s, &out, e);
	if (rc == 0)
		rc = tell(s, &out, e);
	if (out.data != NULL)
		freezero(out.data, out.len);
	if (rc == -1)
		return err_status(e);
	return s->missing.count > 0 ? 1 : 0;
}

static void
free_all(struct set *s)
{
	PQfinish(s->db);
	if (s->secrets != NULL)
		freezero(s->secrets, s->ids.count * sizeof(*s->secrets));
	explicit_bzero(&s->file, sizeof(s->file));
	json_decref(s->changes);
	webhook_ids_free(&s->ids);
	webhook_ids_free(&s->missing);
	cli_free(&cli, &s->o);
}

int
main(int argc, char **argv)
{
	struct set s = {.o = {.overlap_ms = DAY_MS}};
	struct err e = {0};
	int first, status;

	status = cli_parse(&cli, argc, argv, &s.o, &first, stdout, stderr);
	if (status != -1)
		return status;
	if (read_all(&s, argv + first, argc - first, &e) == 0)
		status = run(&s, &e);
	else
		status = e.temporary ? 75 : 2;
	if (e.msg[0] != '\0')
		warnx("%s", e.msg);
	free_all(&s);
	return status;
}
