/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "event-rules.h"
#include "line.h"
#include "text.h"
#include "whk-api/api.h"

#define KEY_MAX 256 /* of a header Idempotency-Key */

static void
on_event(struct call *c, const PGresult *r)
{
	struct buf json = {0};

	if (PQntuples(r) == 0) {
		call_fail(c, 404, "there is no event %s", c->event);
		return;
	}
	buf_fmt(&json, "%s\n", db_text(r, 0, 0));
	call_json(c, 200, &json);
	buf_free(&json);
}

void
event_get(struct call *c, const struct httpd_request *r)
{
	struct args a = {0};

	(void)r;
	args_text(&a, c->tenant);
	args_text(&a, c->event);
	call_ask(c, &c->api->slow, "SELECT story FROM whk.api_event($1, $2)",
	    &a, on_event);
}

/* "{7,9}" as JSON has it. */
static void
add_ids(struct buf *b, const char *ids)
{
	buf_text(b, "[");
	if (ids != NULL)
		buf_add(b, ids + 1, strlen(ids) - 2);
	buf_text(b, "]");
}

void
event_emitted(struct call *c, const PGresult *r, int row)
{
	const char *became = db_text(r, row, 0), *ids = db_text(r, row, 1);
	struct buf json = {0};

	if (strcmp(became, "refused") == 0) {
		log_say(c->api->log, LOG_WARN, "event %s: %s", c->event,
		    db_text(r, row, 2));
		call_fail(c, 500, "the database refused it");
		return;
	}
	if (strcmp(became, "taken") == 0) {
		call_fail(c, 409, "id: another event has it");
		return;
	}
	if (strcmp(became, "missing") == 0) {
		call_fail(c, 422, "to: there are no such webhooks: %s", ids);
		return;
	}
	call_header(c, "Location: /events/%s/", c->event);
	buf_fmt(&json, "{\"id\": \"%s\", \"webhooks\": ", c->event);
	add_ids(&json, ids);
	if (strcmp(became, "repeat") == 0)
		buf_text(&json, ", \"repeat\": true");
	buf_text(&json, "}\n");
	call_json(c, 202, &json);
	buf_free(&json);
}

/* An id that the same caller's same key always gives, and no other's. */
static int
id_of_key(struct call *c, const char *key, struct err *e)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct buf text = {0};
	size_t len = strlen(key);
	int ok;

	if (len == 0 || len > KEY_MAX)
		return err_set(
		    e, "idempotency-key: not 1 to %d bytes", KEY_MAX);
	buf_text(&text, c->tenant != NULL ? c->tenant : "");
	buf_add(&text, "\0", 1);
	buf_add(&text, key, len);
	ok = !text.failed &&
	    EVP_Digest(text.data, text.len, digest, NULL, EVP_sha256(), NULL) ==
		1;
	buf_free(&text);
	if (!ok)
		return err_temporary(e, "out of memory");
	strlcpy(c->event, "key_", sizeof(c->event));
	for (size_t i = 0; i < 16; i++)
		snprintf(c->event + 4 + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

static void
new_id(struct call *c)
{
	uint32_t n[4];

	arc4random_buf(n, sizeof(n));
	snprintf(c->event, sizeof(c->event), "msg_%08x%08x%08x%08x", n[0], n[1],
	    n[2], n[3]);
}

/* What of an event line has no place here. */
static int
check_line(const struct event_line *ev, struct err *e)
{
	if (ev->extra != NULL)
		return err_set(e, "unknown key %.*s",
		    (int)strcspn(ev->extra + 1, ":"), ev->extra + 1);
	if (ev->lease_ms != -1 || ev->attempt != 0 || ev->time_ms != -1)
		return err_set(
		    e, "time, attempt and lease are not the client's to say");
	return 0;
}

static int
read_form_id(struct event_line *ev, const char *value, struct err *e)
{
	int64_t *to = reallocarray(ev->to, ev->to_count + 1, sizeof(*ev->to));
	const char *wrong;

	if (to == NULL)
		return err_temporary(e, "out of memory");
	ev->to = to;
	to[ev->to_count++] = strtonum(value, 1, INT64_MAX, &wrong);
	if (wrong != NULL)
		return err_set(e, "to: not a number of a webhook");
	return ev->to_count <= LINE_TO_MAX
	    ? 0
	    : err_set(e, "to: over %d webhooks", LINE_TO_MAX);
}

/* Reads an event from a form; what it points to is the form's. */
static int
read_form(const struct form *form, struct event_line *ev, struct err *e)
{
	const struct {
		const char *name, **value;
	} texts[] = {{"id", &ev->id}, {"type", &ev->type},
	    {"tenant", &ev->tenant}, {"key", &ev->key},
	    {"content_type", &ev->content_type}, {"body", &ev->body}};

	for (size_t i = 0; i < form->count; i++) {
		const struct pair *p = &form->v[i];
		size_t k = 0;

		while (k < 6 && strcmp(texts[k].name, p->name) != 0)
			k++;
		if (k < 6 && *texts[k].value != NULL)
			return err_set(e, "%s: there twice", p->name);
		if (k < 6)
			*texts[k].value = p->value;
		else if (strcmp(p->name, "to") != 0)
			return err_set(e, "unknown key '%.100s'", p->name);
		else if (read_form_id(ev, p->value, e) == -1)
			return -1;
	}
	if (ev->body == NULL)
		return err_set(e, "no body");
	ev->body_len = strlen(ev->body);
	return event_check(ev, e);
}

/* What goes by more than one member. */
static int
complete(struct call *c, struct event_line *ev, const char *key, struct err *e)
{
	if (ev->id != NULL && key != NULL)
		return err_set(e, "id and idempotency-key: one of them");
	if (!text_is_utf8(ev->body, ev->body_len))
		return err_set(e, "body: not UTF-8");
	if (ev->id != NULL)
		strlcpy(c->event, ev->id, sizeof(c->event));
	else if (key != NULL)
		return id_of_key(c, key, e);
	else
		new_id(c);
	return 0;
}

static void
emit(struct call *c, const struct event_line *given, bool chosen)
{
	char type[EVENT_TEXT_MAX + 1];
	struct event_line ev = *given;

	ev.id = c->event;
	if (ev.type == NULL && event_body_type(ev.body, ev.body_len, type))
		ev.type = type;
	if (c->tenant != NULL)
		ev.tenant = c->tenant;
	gather_add(c, &ev, chosen);
}

/* Takes an event that was read; e->msg is what is wrong with it, or "". */
static void
take(struct call *c, const struct httpd_request *r, struct event_line *ev,
    struct err *e)
{
	const char *key = httpd_header(r, "idempotency-key");

	if (e->msg[0] == '\0')
		complete(c, ev, key, e);
	if (e->msg[0] != '\0')
		call_refuse(c, e);
	else if (c->tenant != NULL && ev->tenant != NULL &&
	    strcmp(c->tenant, ev->tenant) != 0)
		call_fail(c, 403, "tenant: the token is for another");
	else
		emit(c, ev, ev->id != NULL || key != NULL);
}

void
events_add(struct call *c, const struct httpd_request *r)
{
	struct event_line ev = {.time_ms = -1, .lease_ms = -1};
	struct form form = {0};
	struct err e = {0};
	char *text;

	switch (body_kind(c, r)) {
	case 0:
		text = (char *)(uintptr_t)r->body;
		if (line_event_parse(text, r->body_len, &ev, &e) == 0)
			check_line(&ev, &e);
		take(c, r, &ev, &e);
		break;
	case 1:
		if (body_form(c, r, &form) == -1)
			return;
		read_form(&form, &ev, &e);
		take(c, r, &ev, &e);
		break;
	case 2:
		call_fail(c, 400, "no body");
		break;
	default:
		return;
	}
	form_free(&form);
	line_event_free(&ev);
}
