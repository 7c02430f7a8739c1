/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "print.h"
#include "whk-log/log.h"
#include "when.h"

/* Webhooks whose attempts are asked for at a time. */
#define CHUNK 100

/* The columns of whk.story_webhooks(). */
enum {
	WEBHOOK,
	URL,
	STATE,
	DISABLED_WHY,
	BLOCKED,
	MEANT,
	MATCHES,
	TENANT,
	FILTER,
	PASSES,
	ATTEMPT,
	NEXT,
	BEHIND,
	WAITS,
	LIMITED,
	BEFORE,
};

static bool
is_true(const PGresult *r, int row, int column)
{
	return PQgetvalue(r, row, column)[0] == 't';
}

/* A line of the head; nothing where there is no value. */
static void
field(struct log *l, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_fmt(&l->out, "%-10s", name);
	show_text(&l->out, value, strlen(value));
	buf_text(&l->out, "\n");
}

static void
show_body(struct log *l, const struct event *ev)
{
	size_t shown = ev->body_len < LOG_SHOWN ? ev->body_len : LOG_SHOWN;

	if (ev->body == NULL) {
		field(l, "body", "it is no longer kept (whk-prune)");
		return;
	}
	buf_fmt(&l->out, "body      %zu bytes of ", ev->body_len);
	if (ev->content_type == NULL)
		buf_text(&l->out, "application/json");
	else
		show_text(&l->out, ev->content_type, strlen(ev->content_type));
	buf_text(&l->out, "\n");
	show_lines(&l->out, "          ", ev->body, shown);
	if (shown < ev->body_len)
		buf_fmt(&l->out,
		    "          ... and %zu more: whk-log --raw %s\n",
		    ev->body_len - shown, ev->id);
}

/* By which way an event came in, and whose work that is. */
static const char *
way(const char *via)
{
	static const struct {
		const char *via, *way;
	} ways[] = {{"queue", "queue (whk-poll)"}, {"line", "line (whk-send)"},
	    {"sql", "sql (whk.emit)"}, {"api", "api (whk-api)"}};

	if (via == NULL)
		return "not known: nobody noted it then";
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(ways[i].via, via) == 0)
			return ways[i].way;
	return via;
}

static void
show_event(struct log *l, const struct event *ev)
{
	int64_t later = ev->accepted_ms - ev->time_ms;
	char span[WHEN_TEXT];

	field(l, "event", ev->id);
	field(l, "type", ev->type);
	field(l, "tenant", ev->tenant);
	field(l, "key", ev->key);
	buf_text(&l->out, "sent      ");
	show_time(l, ev->time_ms);
	buf_text(&l->out, "\naccepted  ");
	show_time(l, ev->accepted_ms);
	if (later > 0) {
		when_span(later, span);
		buf_fmt(&l->out, ", %s later", span);
	}
	buf_text(&l->out, "\n");
	field(l, "via", way(ev->via));
	if (ev->same_id > 0)
		buf_fmt(&l->out,
		    "others    %lld events before it have the same id\n",
		    (long long)ev->same_id);
	show_body(l, ev);
}

/* Why it was for a webhook, as far as the webhook's definition says. */
static void
show_why(struct log *l, const PGresult *r, int row)
{
	const char *matches = db_text(r, row, MATCHES);
	const char *tenant = db_text(r, row, TENANT);
	const char *filter = db_text(r, row, FILTER);

	buf_text(&l->out, "  why      ");
	if (db_text(r, row, URL) == NULL)
		buf_text(&l->out, "not known any more");
	else if (!is_true(r, row, MEANT))
		buf_text(&l->out, "it was replayed to it");
	else if (matches[0] == '\0' || !is_true(r, row, PASSES))
		buf_text(&l->out,
		    "named by its line, or the webhook was another then");
	else {
		buf_text(&l->out, "it matches ");
		show_text(&l->out, matches, strlen(matches));
		if (tenant != NULL)
			buf_text(&l->out, ", is of the tenant ");
		if (tenant != NULL)
			show_text(&l->out, tenant, strlen(tenant));
		if (filter != NULL)
			buf_text(&l->out, ", passes ");
		if (filter != NULL)
			show_text(&l->out, filter, strlen(filter));
	}
	buf_text(&l->out, "\n");
}

/* Why a row is parked. */
static void
show_parked(struct log *l, const PGresult *r, int row)
{
	const char *state = db_text(r, row, STATE);
	long long before = (long long)db_long(r, row, BEFORE);

	if (is_true(r, row, BEHIND)) {
		buf_text(&l->out, "behind an earlier event of its key");
		return;
	}
	buf_text(&l->out, "parked: ");
	if (state == NULL)
		buf_text(&l->out, "the webhook is removed");
	else if (strcmp(state, "active") != 0)
		buf_fmt(&l->out, "the webhook is %s", state);
	else
		buf_text(&l->out, "it waits for the webhook's turn");
	if (state != NULL && strcmp(state, "blocked") == 0) {
		buf_text(&l->out, " until ");
		show_time(l, db_long(r, row, BLOCKED));
	}
	if (before > 1000)
		buf_text(&l->out, ", behind more than 1000 others");
	else if (before > 0)
		buf_fmt(&l->out, ", behind %lld others", before);
}

/* What a row with a time waits for. */
static void
show_scheduled(struct log *l, const PGresult *r, int row, int64_t now_ms)
{
	int64_t next_ms = db_long(r, row, NEXT);
	char span[WHEN_TEXT];

	if (next_ms <= now_ms)
		buf_text(&l->out, "due since ");
	else if (is_true(r, row, WAITS))
		buf_text(&l->out, "due at ");
	else if (is_true(r, row, LIMITED))
		buf_text(&l->out, "leased, or held by the rate, until ");
	else
		buf_text(&l->out, "leased, to be sent before ");
	show_time(l, next_ms);
	when_span(next_ms > now_ms ? next_ms - now_ms : now_ms - next_ms, span);
	buf_fmt(&l->out, ", %s%s", next_ms > now_ms ? "in " : "", span);
	if (next_ms <= now_ms)
		buf_text(&l->out, ": for whk-due");
}

static void
show_next(
    struct log *l, const PGresult *r, int row, int64_t now_ms, const char *last)
{
	if (db_text(r, row, ATTEMPT) == NULL) {
		buf_fmt(&l->out, "  next     nothing: %s\n", last);
		return;
	}
	buf_fmt(&l->out, "  next     attempt %s is ", db_text(r, row, ATTEMPT));
	if (db_text(r, row, NEXT) == NULL)
		show_parked(l, r, row);
	else
		show_scheduled(l, r, row, now_ms);
	buf_text(&l->out, "\n");
}

static void
show_webhook(struct log *l, const PGresult *r, int row)
{
	const char *url = db_text(r, row, URL);
	const char *state = db_text(r, row, STATE);
	const char *why = db_text(r, row, DISABLED_WHY);

	buf_fmt(&l->out, "\nwebhook %s  ", db_text(r, row, WEBHOOK));
	if (url == NULL) {
		buf_text(&l->out, "removed\n");
	} else {
		show_text(&l->out, url, strlen(url));
		buf_fmt(&l->out, "  (%s%s", state, why != NULL ? ": " : "");
		show_text(&l->out, why, why == NULL ? 0 : strlen(why));
		buf_text(&l->out, ")\n");
	}
	show_why(l, r, row);
}

/* A webhook with its attempts, from *at on among those of some. */
static int
show_delivery(struct log *l, const struct event *ev, const PGresult *hooks,
    int row, const PGresult *attempts, int *at, struct err *e)
{
	const char *last = "it has no attempt and is not pending";

	show_webhook(l, hooks, row);
	for (; *at < PQntuples(attempts) &&
	     db_long(attempts, *at, 0) == db_long(hooks, row, WEBHOOK);
	     ++*at) {
		if (attempt_show(l, ev, attempts, *at, e) == -1)
			return -1;
		last = db_text(attempts, *at, 3);
	}
	show_next(l, hooks, row, ev->now_ms, last);
	return log_print(l, e);
}

/* Asks for what an event has; of count webhooks, from a row on, or of all. */
static PGresult *
ask(struct log *l, const struct event *ev, const char *sql,
    const PGresult *hooks, int from, int count, struct err *e)
{
	struct args a = {0};
	PGresult *r;
	int ids;

	args_text(&a, ev->id);
	args_time(&a, ev->time_ms);
	if (hooks != NULL) {
		ids = args_array(&a, ARGS_LONG);
		for (int i = from; i < from + count; i++)
			args_add_number(&a, ids, db_long(hooks, i, WEBHOOK));
	}
	r = db_query(l->db, sql, &a, e);
	args_free(&a);
	return r;
}

/* Some of the webhooks, so that few answers are held at a time. */
static int
show_some(struct log *l, const struct event *ev, const PGresult *hooks,
    int from, int count, struct err *e)
{
	static const char sql[] =
	    "SELECT " ATTEMPT_COLUMNS " FROM whk.story_attempts($1, $2, $3)";
	PGresult *attempts = ask(l, ev, sql, hooks, from, count, e);
	int at = 0, ret = attempts == NULL ? -1 : 0;

	for (int row = from; row < from + count && ret == 0; row++)
		ret = show_delivery(l, ev, hooks, row, attempts, &at, e);
	PQclear(attempts);
	return ret;
}

static int
tell(struct log *l, const struct event *ev, struct err *e)
{
	PGresult *hooks = ask(
	    l, ev, "SELECT * FROM whk.story_webhooks($1, $2)", NULL, 0, 0, e);
	int rows = hooks == NULL ? 0 : PQntuples(hooks), ret;

	if (hooks == NULL)
		return -1;
	show_event(l, ev);
	if (rows == 0)
		buf_fmt(&l->out,
		    "\nfor no webhook: none matched when it was accepted; try "
		    "whk-log --why WEBHOOK %s\n",
		    ev->id);
	ret = log_print(l, e);
	for (int from = 0; from < rows && ret == 0; from += CHUNK)
		ret = show_some(l, ev, hooks, from,
		    rows - from < CHUNK ? rows - from : CHUNK, e);
	PQclear(hooks);
	return ret;
}

int
story_run(struct log *l, const char *word, struct err *e)
{
	struct event ev = {0};
	int ret = event_find(l, word, &ev, e);

	if (ret == 0)
		ret = tell(l, &ev, e);
	event_free(&ev);
	return ret;
}

int
raw_run(struct log *l, const char *word, struct err *e)
{
	struct event ev = {0};
	int ret = event_find(l, word, &ev, e);

	if (ret == 0)
		ret = event_body(&ev, e);
	if (ret == 0)
		buf_add(&l->out, ev.body, ev.body_len);
	event_free(&ev);
	return ret == 0 ? log_print(l, e) : -1;
}
