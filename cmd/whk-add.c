/* SPDX-License-Identifier: ISC */
/*
 * whk-add adds webhooks: one that the command line describes, or those that
 * come as webhook lines on standard input, all of them or none.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "db.h"
#include "guard.h"
#include "input.h"
#include "loop.h"
#include "print.h"
#include "progress.h"
#include "webhook-cli.h"
#include "webhook-ids.h"
#include "whk-add/batch.h"

#define NAME "whk-add"

struct options {
	struct webhook_options w;
	const char *secret_file;
	bool json, dry_run;
};

#define AT(member) offsetof(struct options, member)

static const struct cli_option option_table[] = {
    WEBHOOK_OPTIONS(struct options, w),
    {'s', "secret-file", "FILE", CLI_STRING, AT(secret_file),
	"sign with the secret in FILE instead of a new one", NULL, 0, 0},
    {'j', "json", NULL, CLI_FLAG, AT(json),
	"print webhook lines instead of ids", NULL, 0, 0},
    {'n', "dry-run", NULL, CLI_FLAG, AT(dry_run),
	"check everything, add nothing", NULL, 0, 0},
};

static const struct cli cli = {
    .name = NAME,
    .operands = "URL|-",
    .summary = "Adds a webhook, or with - those of the webhook lines on stdin.",
    .options = option_table,
    .count = sizeof(option_table) / sizeof(option_table[0]),
    .min_operands = 1,
    .max_operands = 1,
};

struct add {
	struct options o;
	struct guard guard;
	struct batch batch;
	PGconn *db;
	bool many; /* from stdin */
	struct loop loop;
	struct input *input;
	uint64_t lines, bad;
	bool ended;         /* at the end of input */
	uint64_t doubts;    /* how many definitions may not work */
	struct err trouble; /* that ended the reading */
};

/* Says what is wrong with one definition. */
static void
complain(struct add *a, uint64_t line, const char *reason)
{
	if (a->many)
		warnx("line %" PRIu64 ": %s", line, reason);
	else
		warnx("%s", reason);
	a->bad++;
}

/* Of many that may not work, the first is enough. */
static void
doubt(struct add *a, const json_t *def, uint64_t line)
{
	struct err e;

	if (!webhook_doubtful(def, &a->guard, &e) || a->doubts++ > 0)
		return;
	if (a->many)
		warnx("line %" PRIu64 ": warning: %s", line, e.msg);
	else
		warnx("warning: %s", e.msg);
}

/* Puts a definition into the batch, with a secret. */
static int
take(struct add *a, json_t *def, uint64_t line, struct err *e)
{
	struct webhook_secret made = {""};
	int rc;

	doubt(a, def, line);
	if (a->o.dry_run)
		json_object_del(def, "secret");
	else if (webhook_make_secret(def, made.text, e) == -1)
		return -1;
	rc = batch_add(&a->batch, def, line, e);
	if (rc == 0)
		a->batch.secrets[a->batch.count - 1] = made;
	explicit_bzero(&made, sizeof(made));
	return rc;
}

/* Adds the secret that a file holds to a definition. */
static int
set_secret(json_t *given, const char *file, struct err *e)
{
	char secret[SIGN_SECRET_MAX];
	int rc = 0;

	if (file == NULL)
		return 0;
	if (webhook_read_secret(file, secret, e) == -1)
		return -1;
	if (json_object_set_new(given, "secret", json_string(secret)) == -1)
		rc = err_temporary(e, "out of memory");
	explicit_bzero(secret, sizeof(secret));
	return rc;
}

/* The one webhook that the options define. */
static int
read_one(struct add *a, struct err *e)
{
	json_t *given = webhook_options_json(&a->o.w, WEBHOOK_ADD, e);
	json_t *def = NULL;
	int rc = -1;

	if (given == NULL)
		return -1;
	if (set_secret(given, a->o.secret_file, e) == 0)
		def = webhook_check(given, WEBHOOK_ADD, e);
	if (def != NULL)
		rc = take(a, def, 0, e);
	webhook_free(def);
	webhook_free(given);
	return rc;
}

static void
on_line(void *arg, char *line, size_t len, uint64_t number)
{
	struct add *a = arg;
	struct err e = {0};
	json_t *def = NULL;

	a->lines = number;
	if (line == NULL)
		err_set(&e, "longer than 8 MiB");
	else
		def = webhook_parse(line, len, WEBHOOK_ADD, &e);
	if (def == NULL && e.temporary) {
		a->trouble = e;
		loop_break(&a->loop);
	} else if (def == NULL) {
		complain(a, number, e.msg);
	} else if (take(a, def, number, &e) == -1) {
		a->trouble = e;
		loop_break(&a->loop);
	}
	webhook_free(def);
	if (line != NULL)
		explicit_bzero(line, len);
}

static void
on_end(void *arg, const struct err *e)
{
	struct add *a = arg;

	if (e != NULL)
		err_set(&a->trouble, "stdin: %s", e->msg);
	a->ended = true;
	loop_break(&a->loop);
}

static void
on_stop(void *arg)
{
	struct add *a = arg;

	loop_break(&a->loop);
}

/* Reads all of stdin, complaining of what is bad. */
static int
read_many(struct add *a, struct err *e)
{
	static const struct input_handler handler = {on_line, on_end};
	int rc = -1;

	if (loop_init(&a->loop, on_stop, a, e) == -1)
		return -1;
	a->input = input_new(a->loop.base, STDIN_FILENO, &handler, a, e);
	if (a->input != NULL)
		rc = loop_run(&a->loop, e);
	if (rc == 0 && a->trouble.msg[0] != '\0') {
		*e = a->trouble;
		rc = -1;
	}
	if (rc == 0 && !a->ended)
		rc = err_set(e, "stopped: nothing was added");
	input_free(a->input);
	loop_free(&a->loop);
	return rc;
}

/* A word for whoever waits at a terminal, once it takes longer than a second.
 */
static void
show_progress(const struct add *a, struct progress *p, size_t done)
{
	int64_t now_ms = clock_steady_ms();
	char text[PROGRESS_TEXT];

	if (!a->many || isatty(STDERR_FILENO) == 0)
		return;
	if (done == a->batch.count) {
		if (p->shown_ms != 0)
			fputs("\r\033[K", stderr);
	} else if (progress_due(p, now_ms)) {
		progress_text(p, now_ms, (int64_t)done, "webhooks",
		    (double)done / (double)a->batch.count, text);
		fprintf(stderr, "\r\033[K%s", text);
	}
}

/* Adds all in one transaction; their lines, if asked for, go to *out. */
static int
store(struct add *a, struct buf *out, struct err *e)
{
	struct batch *b = &a->batch;
	struct progress p = {.begun_ms = clock_steady_ms()};

	if (db_script(a->db, "BEGIN", e) == -1)
		return -1;
	for (size_t done = 0; done < b->count;) {
		int n = batch_store(b, a->db, done, e);

		if (n == -1)
			return -1;
		show_progress(a, &p, done += (size_t)n);
	}
	if (a->o.json &&
	    webhook_lines(a->db, b->ids, b->count, b->secrets, out, e) == -1)
		return -1;
	if (db_script(a->db, "COMMIT", e) == 0)
		return 0;
	warnx("%s", e->msg);
	return err_set(
	    e, "it is not known whether that was added: see whk-list");
}

/* What whoever runs this has to know of: ids or lines, and new secrets. */
static int
tell(const struct add *a, const struct buf *out, struct err *e)
{
	const struct batch *b = &a->batch;
	struct err cause;

	for (size_t i = 0; i < b->count && !a->o.json; i++) {
		const char *made = b->secrets[i].text;

		printf("%" PRId64 "\n", b->ids[i]);
		if (made[0] != '\0' && a->many)
			warnx("%" PRId64 ": secret: %s", b->ids[i], made);
		else if (made[0] != '\0')
			warnx("secret: %s", made);
	}
	if (print_bytes(out->data, out->len, &cause) == 0 &&
	    print_end(&cause) == 0)
		return 0;
	return err_set(e, "%s: but the webhooks were added", cause.msg);
}

/* What would be added. */
static int
tell_only(const struct add *a, struct err *e)
{
	const struct batch *b = &a->batch;

	for (size_t i = 0; i < b->count && a->o.json; i++)
		printf("%s\n", b->v[i].text);
	if (print_end(e) == -1)
		return -1;
	warnx(
	    "%zu webhook%s would be added", b->count, b->count == 1 ? "" : "s");
	return 0;
}

static void
on_bad_filter(void *arg, uint64_t line, const char *reason)
{
	struct err e;

	err_set(&e, "filter: %s", reason);
	complain(arg, line, e.msg);
}

/* Sees the definitions through. Returns the exit status. */
static int
run(struct add *a, struct err *e)
{
	struct buf out = {0};
	int rc;

	if (a->bad > 0 && a->batch.count == 0)
		return 1;
	a->db = db_open(NAME, false, e);
	if (a->db == NULL ||
	    batch_check(&a->batch, a->db, on_bad_filter, a, e) == -1)
		return a->bad > 0 ? 1 : err_status(e);
	if (a->bad > 0)
		return a->many ? 1 : 2;
	if (a->o.dry_run) {
		rc = tell_only(a, e);
	} else {
		rc = store(a, &out, e);
		if (rc == 0)
			rc = tell(a, &out, e);
		freezero(out.data, out.len);
	}
	return rc == 0 ? 0 : err_status(e);
}

/* Whether options were given that only go with a URL. */
static int
check_many(const struct options *o, struct err *e)
{
	json_t *given = webhook_options_json(&o->w, WEBHOOK_ADD, e);
	int rc = 0;

	if (given == NULL)
		return -1;
	if (json_object_size(given) > 0 || o->secret_file != NULL)
		rc =
		    err_set(e, "with -, the lines say all: no options that do");
	json_decref(given);
	return rc;
}

/* Reads what is to be added. Returns -1, or the status to exit with. */
static int
read_all(struct add *a, const char *operand, struct err *e)
{
	int rc;

	if (guard_init(&a->guard, getenv("WHK_ALLOW"), e) == -1)
		return 2;
	a->many = strcmp(operand, "-") == 0;
	if (a->many) {
		rc = check_many(&a->o, e);
		if (rc == 0)
			return read_many(a, e) == 0 ? -1 : err_status(e);
	} else {
		a->o.w.url = operand;
		rc = read_one(a, e);
	}
	if (rc == 0)
		return -1;
	return e->temporary ? 75 : 2;
}

int
main(int argc, char **argv)
{
	struct add a = {0};
	struct err e = {0};
	int first, status;

	status = cli_parse(&cli, argc, argv, &a.o, &first, stdout, stderr);
	if (status != -1)
		return status;
	status = read_all(&a, argv[first], &e);
	if (status == -1)
		status = run(&a, &e);
	if (e.msg[0] != '\0')
		warnx("%s", e.msg);
	if (a.many && a.bad > 0)
		warnx("%" PRIu64 " of %" PRIu64
		      " lines are bad: nothing was added",
		    a.bad, a.lines);
	PQfinish(a.db);
	batch_free(&a.batch);
	guard_free(&a.guard);
	cli_free(&cli, &a.o);
	return status;
}
