/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "text.h"
#include "when.h"
#include "whk-api/api.h"

#define PAGE 50
#define PAGE_MAX 1000

const char *const attempts_query[] = {
    "before", "limit", "event", "type", "outcome", "since", "until", NULL};

/* The columns of whk.api_attempts(). */
enum {
	LINE,
	AT,
	EVENT,
	WEBHOOK,
	ATTEMPT,
};

/*
 * The address of the page after this one, or null: after the last row, where
 * that has a line there may be more only if the page is full.
 */
static void
add_next(struct call *c, const PGresult *r, struct buf *json)
{
	int last = PQntuples(r) - 1;
	struct buf url = {0}, place = {0};

	buf_text(json, "\n], \"next\": ");
	if (last < 0 || (db_text(r, last, LINE) != NULL && last + 1 < c->max)) {
		buf_text(json, "null}\n");
		return;
	}
	buf_fmt(&place, "%s.%s.%s.%s", db_text(r, last, AT),
	    db_text(r, last, WEBHOOK), db_text(r, last, ATTEMPT),
	    db_text(r, last, EVENT));
	if (c->id != 0)
		buf_fmt(&url, "/webhooks/%lld", (long long)c->id);
	buf_text(&url, "/attempts/");
	form_add(&url, '?', "before", place.failed ? "" : place.data);
	for (size_t i = 0; i < c->query.count; i++)
		if (strcmp(c->query.v[i].name, "before") != 0)
			form_add(
			    &url, '&', c->query.v[i].name, c->query.v[i].value);
	json->failed |= url.failed || place.failed;
	if (!json->failed)
		buf_json(json, url.data, url.len);
	buf_text(json, "}\n");
	buf_free(&place);
	buf_free(&url);
}

static void
on_listed(struct call *c, const PGresult *r)
{
	struct buf json = {0};

	buf_text(&json, "{\"attempts\": [");
	for (int i = 0; i < PQntuples(r); i++) {
		if (db_text(r, i, LINE) == NULL)
			break;
		buf_text(&json, i == 0 ? "\n" : ",\n");
		buf_text(&json, db_text(r, i, LINE));
	}
	add_next(c, r, &json);
	call_json(c, 200, &json);
	buf_free(&json);
}

/* A time of the query as an argument. */
static int
add_time(struct call *c, const char *name, struct args *a)
{
	const char *s = form_find(&c->query, name);
	int64_t ms;

	if (s == NULL) {
		args_null(a, ARGS_TIME, false);
		return 0;
	}
	if (when_parse(s, clock_wall_ms(), &ms) == 0) {
		args_time(a, ms);
		return 0;
	}
	call_fail(c, 400,
	    "%s: not a time, such as 2026-11-23T22:54:23Z, nor a span before "
	    "now, such as 2h",
	    name);
	return -1;
}

/* The place where the page before this one ended, "MS.WEBHOOK.ATTEMPT.EVENT".
 */
static int
add_place(struct call *c, struct args *a)
{
	const char *s = form_find(&c->query, "before");
	long long at, webhook, attempt;
	int len = 0;

	if (s == NULL) {
		args_null(a, ARGS_TIME, false);
		args_text(a, NULL);
		args_null(a, ARGS_LONG, false);
		args_null(a, ARGS_LONG, false);
		return 0;
	}
	if (strlen(s) > 200 || strspn(s, "0123456789") > 15 ||
	    sscanf(s, "%15lld.%18lld.%9lld.%n", &at, &webhook, &attempt,
		&len) != 3 ||
	    len == 0 || (s[len] != '\0' && !text_is_id(s + len))) {
		call_fail(c, 400, "before: not from a next of ours");
		return -1;
	}
	args_time(a, at);
	args_text(a, s + len);
	args_long(a, webhook);
	args_long(a, attempt);
	return 0;
}

/* What the page is narrowed to; -1: the call is answered. */
static int
add_filter(struct call *c, struct args *a)
{
	const char *event = form_find(&c->query, "event");
	const char *outcome = form_find(&c->query, "outcome");
	int types;

	if (event != NULL && !text_is_id(event)) {
		call_fail(c, 400, "event: not an id of an event");
		return -1;
	}
	if (outcome != NULL && strcmp(outcome, "delivered") != 0 &&
	    strcmp(outcome, "retry") != 0 && strcmp(outcome, "failed") != 0 &&
	    strcmp(outcome, "cancelled") != 0) {
		call_fail(c, 400,
		    "outcome: none of delivered, retry, failed, cancelled");
		return -1;
	}
	if (c->id != 0)
		args_long(a, c->id);
	else
		args_null(a, ARGS_LONG, false);
	args_text(a, event);
	if (form_find(&c->query, "type") == NULL) {
		args_null(a, ARGS_TEXT, true);
	} else {
		types = args_array(a, ARGS_TEXT);
		for (size_t i = 0; i < c->query.count; i++)
			if (strcmp(c->query.v[i].name, "type") == 0)
				args_add_text(a, types, c->query.v[i].value);
	}
	args_text(a, outcome);
	return 0;
}

static void
list(struct call *c)
{
	struct args a = {0};

	args_text(&a, c->tenant);
	if (add_filter(c, &a) == -1 || add_time(c, "since", &a) == -1 ||
	    add_time(c, "until", &a) == -1 || add_place(c, &a) == -1) {
		args_free(&a);
		return;
	}
	args_long(&a, c->max);
	call_ask(c, &c->api->slow,
	    "SELECT line, at_ms, event, webhook, attempt FROM "
	    "whk.api_attempts($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
	    "$12)",
	    &a, on_listed);
}

static void
on_found(struct call *c, const PGresult *r)
{
	if (PQntuples(r) == 0)
		call_fail(c, 404, "there is no webhook %lld", (long long)c->id);
	else
		list(c);
}

void
attempts_list(struct call *c, const struct httpd_request *r)
{
	struct args a = {0};

	(void)r;
	if (query_number(c, "limit", PAGE, 1, PAGE_MAX, &c->max) == -1)
		return;
	if (c->id == 0) {
		list(c);
		return;
	}
	args_text(&a, c->tenant);
	args_long(&a, c->id);
	call_ask(c, &c->api->slow, "SELECT line FROM whk.api_webhook($1, $2)",
	    &a, on_found);
}

static void
on_resent(struct call *c, const PGresult *r)
{
	const char *became = db_text(r, 0, 0);
	struct buf json = {0};

	if (became == NULL || strcmp(became, "no event") == 0) {
		call_fail(c, 404, "there is no event %s", c->event);
	} else if (strcmp(became, "no webhook") == 0) {
		call_fail(c, 404, "there is no webhook %lld", (long long)c->id);
	} else if (strcmp(became, "due") != 0) {
		call_fail(c, 409,
		    strcmp(became, "pending") == 0
			? "it is still to be sent"
			: "the event's body is not kept any more");
	} else {
		buf_fmt(&json,
		    "{\"event\": \"%s\", \"webhook\": %lld, \"became\": "
		    "\"due\"}\n",
		    c->event, (long long)c->id);
		call_json(c, 202, &json);
		buf_free(&json);
	}
}

/* Which event is to be sent again, and where to. */
static int
read_pair(struct call *c, const json_t *given, struct err *e)
{
	const json_t *event = json_object_get(given, "event");
	const json_t *webhook = json_object_get(given, "webhook");

	if (!json_is_string(event) || !text_is_id(json_string_value(event)))
		return err_set(e, "event: not an id of an event");
	strlcpy(c->event, json_string_value(event), sizeof(c->event));
	if (c->id != 0)
		return 0;
	if (!json_is_integer(webhook) || json_integer_value(webhook) < 1)
		return err_set(e, "webhook: not a number of a webhook");
	c->id = json_integer_value(webhook);
	return 0;
}

void
attempts_resend(struct call *c, const struct httpd_request *r)
{
	static const struct member members[] = {
	    {"event", KIND_TEXT}, {"webhook", KIND_NUMBER}, {NULL, KIND_TEXT}};
	static const struct member here[] = {
	    {"event", KIND_TEXT}, {NULL, KIND_TEXT}};
	json_t *given = body_read(c, r, c->id != 0 ? here : members);
	struct args a = {0};
	struct err e;
	int rc;

	if (given == NULL)
		return;
	rc = read_pair(c, given, &e);
	json_decref(given);
	if (rc == -1) {
		call_refuse(c, &e);
		return;
	}
	args_text(&a, c->tenant);
	args_text(&a, c->event);
	args_long(&a, c->id);
	call_ask(c, &c->api->fast, "SELECT whk.api_resend($1, $2, $3)", &a,
	    on_resent);
}
