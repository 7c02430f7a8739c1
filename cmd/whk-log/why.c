/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "input.h"
#include "text.h"
#include "whk-log/log.h"

/* The columns of whk.why(). */
enum { ASKED, HOLDS, WANTED, GIVEN };

/* What became of an event at a webhook: whk.fate(). */
struct fate {
	int64_t accepted_ms, created_ms;
	bool meant, delivered, pending, missing;
	int64_t attempts;
};

static bool
is_true(const PGresult *r, int row, int column)
{
	return PQgetvalue(r, row, column)[0] == 't';
}

static void
say(struct log *l, bool holds, const char *asked)
{
	buf_fmt(&l->out, "%-4s %-8s ", holds ? "yes" : "no", asked);
}

static void
put(struct log *l, const char *before, const char *text)
{
	buf_text(&l->out, before);
	show_text(&l->out, text, strlen(text));
}

/* The values that were compared. */
static void
show_condition(struct log *l, const PGresult *r, int row)
{
	const char *asked = db_text(r, row, ASKED);
	const char *wanted = db_text(r, row, WANTED);
	const char *given = db_text(r, row, GIVEN);
	bool holds = is_true(r, row, HOLDS);

	say(l, holds, asked);
	if (strcmp(asked, "state") == 0) {
		put(l, "the webhook is ", given);
		if (holds && strcmp(given, "active") != 0)
			buf_text(&l->out, ": what it gets waits");
	} else if (strcmp(asked, "tenant") == 0) {
		put(l,
		    wanted == NULL ? "the webhook is of any"
				   : "the webhook is of ",
		    wanted == NULL ? "" : wanted);
		put(l,
		    given == NULL ? ", the event of none" : ", the event of ",
		    given == NULL ? "" : given);
	} else if (strcmp(asked, "pattern") == 0) {
		put(l, "", wanted);
		put(l, holds ? " matches " : " does not match ",
		    given == NULL ? "an event without a type" : given);
	} else if (wanted == NULL) {
		buf_text(&l->out, "the webhook has none");
	} else {
		put(l, "", wanted);
		put(l, given == NULL ? "" : ", where ",
		    given == NULL ? "" : given);
	}
	buf_text(&l->out, "\n");
}

/* Shows the conditions; whether accept() would give it to the webhook. */
static int
show_conditions(struct log *l, const PGresult *r, bool *matches, struct err *e)
{
	int last = PQntuples(r) - 1;

	if (last < 0)
		return err_set(e, "no webhook %lld: whk-list shows them",
		    (long long)l->o->why);
	for (int row = 0; row < last; row++)
		show_condition(l, r, row);
	*matches = is_true(r, last, HOLDS);
	return 0;
}

static int
ask_fate(struct log *l, const struct event *ev, struct fate *f, struct err *e)
{
	struct args a = {0};
	PGresult *r;

	args_long(&a, l->o->why);
	args_text(&a, ev->id);
	args_time(&a, ev->time_ms);
	r = db_query(l->db, "SELECT * FROM whk.fate($1, $2, $3)", &a, e);
	args_free(&a);
	if (r == NULL)
		return -1;
	if (PQntuples(r) == 1)
		*f = (struct fate){
		    .accepted_ms = db_long(r, 0, 0),
		    .created_ms = db_long(r, 0, 1),
		    .meant = is_true(r, 0, 2),
		    .attempts = db_long(r, 0, 3),
		    .delivered = is_true(r, 0, 4),
		    .pending = is_true(r, 0, 5),
		    .missing = is_true(r, 0, 6),
		};
	PQclear(r);
	return 0;
}

static void
show_existed(struct log *l, const struct fate *f)
{
	say(l, f->created_ms <= f->accepted_ms, "existed");
	buf_text(&l->out, "the webhook was added ");
	show_time(l, f->created_ms);
	buf_text(&l->out, ", the event accepted ");
	show_time(l, f->accepted_ms);
	buf_text(&l->out, "\n");
}

/* The answer for a stored event, and what a replay would do. */
static void
show_fate(struct log *l, const struct event *ev, const struct fate *f,
    bool matches, bool gets)
{
	long long id = (long long)l->o->why;

	show_existed(l, f);
	buf_fmt(&l->out, "\nwebhook %lld %s %s", id,
	    f->delivered ? "got"
		: gets   ? "gets"
			 : "did not get",
	    ev->id);
	if (f->delivered || f->attempts > 0 || f->pending)
		buf_fmt(&l->out, ": %lld attempt%s, %s", (long long)f->attempts,
		    f->attempts == 1 ? "" : "s",
		    f->pending ? "one pending" : "none pending");
	else if (gets)
		buf_text(&l->out, ": it was for it, but nothing is on record");
	buf_text(&l->out, "\n");
	if (f->meant && !matches)
		buf_text(&l->out,
		    "it was for it when it was accepted; now it would not "
		    "match\n");
	if (f->missing)
		buf_fmt(&l->out,
		    "whk-replay --missing -w %lld would make it due\n", id);
	else if (!gets)
		buf_fmt(&l->out,
		    "whk-replay --missing -w %lld would not send "
		    "it\n",
		    id);
}

static int
why_event(struct log *l, const char *word, bool *gets, struct err *e)
{
	struct args a = {0};
	struct event ev = {0};
	struct fate f = {0};
	bool matches = false;
	PGresult *r;
	int ret;

	if (event_id(l, word, &ev, e) == -1 || ask_fate(l, &ev, &f, e) == -1)
		return -1;
	args_long(&a, l->o->why);
	args_text(&a, ev.id);
	args_time(&a, ev.time_ms);
	r = db_query(l->db,
	    "SELECT asked, holds, wanted, given"
	    " FROM whk.why_event($1, $2, $3)",
	    &a, e);
	args_free(&a);
	if (r == NULL)
		return -1;
	ret = show_conditions(l, r, &matches, e);
	PQclear(r);
	if (ret == -1)
		return -1;
	*gets = f.meant || f.attempts > 0 || f.pending;
	show_fate(l, &ev, &f, matches, *gets);
	return 0;
}

/* Reads all of stdin. */
static int
read_body(struct buf *b, struct err *e)
{
	char chunk[65536];
	size_t n;

	errno = 0;
	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0) {
		buf_add(b, chunk, n);
		if (b->len > INPUT_LINE_MAX)
			return err_set(e, "stdin: a body over 8 MiB");
	}
	if (ferror(stdin))
		return err_set(e, "stdin: %s", strerror(errno));
	buf_add(b, "", 0);
	if (b->failed)
		return err_temporary(e, "out of memory");
	if (!text_is_utf8(b->data, b->len) || strlen(b->data) != b->len)
		return err_set(
		    e, "stdin: a body that is not UTF-8, or has a NUL");
	return 0;
}

static int
why_body(struct log *l, bool *gets, struct err *e)
{
	const struct cli_list *types = &l->o->types;
	struct args a = {0};
	struct buf body = {0};
	PGresult *r = NULL;
	int ret = read_body(&body, e);

	if (ret == 0) {
		args_long(&a, l->o->why);
		args_text(&a, types->count == 0 ? NULL : types->items[0]);
		args_text(&a, l->o->tenant);
		args_text(&a, body.data);
		r = db_query(l->db,
		    "SELECT asked, holds, wanted, given"
		    " FROM whk.why($1, $2, $3, $4)",
		    &a, e);
		args_free(&a);
		ret = r == NULL ? -1 : show_conditions(l, r, gets, e);
	}
	if (ret == 0)
		buf_fmt(&l->out, "\nwebhook %lld %s such an event\n",
		    (long long)l->o->why, *gets ? "gets" : "does not get");
	PQclear(r);
	buf_free(&body);
	return ret;
}

int
why_run(struct log *l, const char *word, bool *gets, struct err *e)
{
	int ret =
	    word == NULL ? why_body(l, gets, e) : why_event(l, word, gets, e);

	return ret == -1 ? -1 : log_print(l, e);
}
