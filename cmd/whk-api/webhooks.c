/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "webhook.h"
#include "whk-api/api.h"

#define PAGE 50
#define PAGE_MAX 1000

/* A webhook's definition (whk(5)), and what stands for it in a form. */
static const struct member definition[] = {
    {"url", KIND_TEXT},
    {"events", KIND_TEXTS},
    {"tenant", KIND_TEXT},
    {"filter", KIND_TEXT},
    {"headers", KIND_JSON},
    {"content_type", KIND_TEXT},
    {"timeout_ms", KIND_NUMBER},
    {"schedule_ms", KIND_NUMBERS},
    {"rate", KIND_NUMBER},
    {"max_in_flight", KIND_NUMBER},
    {"ordered", KIND_BOOL},
    {"description", KIND_TEXT},
    {"secret", KIND_TEXT},
    {NULL, KIND_TEXT},
};

const char *const webhooks_query[] = {
    "after", "limit", "state", "type", "tenant", NULL};

void
webhook_missing(struct call *c)
{
	call_fail(c, 404, "there is no webhook %lld", (long long)c->id);
}

/* A webhook's line with its new secret, if it has one, as the answer. */
static void
reply_line(struct call *c, int status, const char *line)
{
	struct buf json = {0};

	if (c->secret[0] != '\0')
		buf_fmt(&json, "{\"secret\" : \"%s\", %s", c->secret, line + 1);
	else
		buf_text(&json, line);
	buf_text(&json, "\n");
	call_json(c, status, &json);
	if (json.data != NULL)
		freezero(json.data, json.size);
}

void
webhook_line(struct call *c, const PGresult *r)
{
	if (PQntuples(r) == 0)
		webhook_missing(c);
	else
		reply_line(c, 200, db_text(r, 0, 0));
}

/* Whether a definition leaves the tenant as the caller's; else it is told. */
static bool
is_of_tenant(struct call *c, const json_t *given)
{
	const json_t *tenant = json_object_get(given, "tenant");

	if (c->tenant == NULL || tenant == NULL ||
	    (json_is_string(tenant) &&
		strcmp(json_string_value(tenant), c->tenant) == 0))
		return true;
	call_fail(c, 403, "tenant: the token is for another");
	return false;
}

/* Adds a definition as an argument; frees it. */
static int
add_definition(struct args *a, json_t *def)
{
	char *text = json_dumps(def, JSON_COMPACT);

	webhook_free(def);
	args_text(a, text);
	if (text == NULL)
		return -1;
	freezero(text, strlen(text));
	return 0;
}

/* In the form of a Django serializer. */
static void
reply_added(struct call *c, int64_t id)
{
	json_t *list = json_pack("[{s:O,s:s,s:I}]", "fields", c->given, "model",
	    "app.webhook", "pk", (json_int_t)id);
	char *text = list == NULL
	    ? NULL
	    : json_dumps(list, JSON_INDENT(4) | JSON_SORT_KEYS);
	struct buf json = {0};

	json_decref(list);
	if (text != NULL)
		buf_fmt(&json, "%s\n", text);
	json.failed |= text == NULL;
	free(text);
	call_json(c, 200, &json);
	buf_free(&json);
}

static void
on_added(struct call *c, const PGresult *r)
{
	const char *wrong = db_text(r, 0, 1);

	if (wrong != NULL) {
		call_fail(c, 400, "filter: %s", wrong);
		return;
	}
	call_header(c, "Location: /webhooks/%s/", db_text(r, 0, 0));
	if (c->whole)
		reply_line(c, 201, db_text(r, 0, 2));
	else
		reply_added(c, db_long(r, 0, 0));
}

/* What the client has set, without the secret. */
static json_t *
shown(const json_t *def)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)def);

	if (copy != NULL)
		json_object_del(copy, "secret");
	return copy;
}

/* The definition to be stored; NULL: the call is answered. */
static json_t *
complete(struct call *c, json_t *given)
{
	json_t *def = NULL;
	struct err e;

	if (json_is_null(json_object_get(given, "tenant")))
		json_object_del(given, "tenant");
	if (!is_of_tenant(c, given))
		return NULL;
	def = webhook_check(given, WEBHOOK_ADD, &e);
	if (def == NULL)
		goto fail;
	c->given = shown(def);
	if (c->given == NULL ||
	    (c->tenant != NULL &&
		json_object_set_new(def, "tenant", json_string(c->tenant)) ==
		    -1)) {
		err_temporary(&e, "out of memory");
		goto fail;
	}
	if (webhook_make_secret(def, c->secret, &e) == 0)
		return def;
fail:
	webhook_free(def);
	call_refuse(c, &e);
	return NULL;
}

void
webhooks_add(struct call *c, const struct httpd_request *r)
{
	const char *prefer = httpd_header(r, "prefer");
	json_t *given = body_read(c, r, definition), *def;
	struct args a = {0};

	if (given == NULL)
		return;
	c->whole =
	    prefer != NULL && strcasecmp(prefer, "return=representation") == 0;
	def = complete(c, given);
	webhook_free(given);
	if (def == NULL)
		return;
	add_definition(&a, def);
	call_ask(c, &c->api->fast,
	    "SELECT id, wrong, line FROM whk.api_add($1::jsonb)", &a, on_added);
}

static void
on_changed(struct call *c, const PGresult *r)
{
	if (PQntuples(r) == 0)
		webhook_missing(c);
	else if (db_text(r, 0, 0) != NULL)
		call_fail(c, 400, "filter: %s", db_text(r, 0, 0));
	else
		reply_line(c, 200, db_text(r, 0, 1));
}

void
webhook_patch(struct call *c, const struct httpd_request *r)
{
	json_t *given = body_read(c, r, definition), *def;
	struct args a = {0};
	struct err e;

	if (given == NULL)
		return;
	if (!is_of_tenant(c, given)) {
		webhook_free(given);
		return;
	}
	def = webhook_check(given, WEBHOOK_SET, &e);
	webhook_free(given);
	if (def != NULL && json_object_size(def) == 0) {
		err_set(&e, "nothing to change");
		webhook_free(def);
		def = NULL;
	}
	if (def == NULL) {
		call_refuse(c, &e);
		return;
	}
	args_text(&a, c->tenant);
	args_long(&a, c->id);
	add_definition(&a, def);
	call_ask(c, &c->api->fast,
	    "SELECT wrong, line FROM whk.api_set($1, $2, $3::jsonb)", &a,
	    on_changed);
}

/* The address of the page after this one, or null. */
static void
add_next(struct call *c, struct buf *json, bool more, const char *last)
{
	struct buf url = {0};

	buf_text(json, "\n], \"next\": ");
	if (!more) {
		buf_text(json, "null}\n");
		return;
	}
	buf_text(&url, "/webhooks/");
	form_add(&url, '?', "after", last);
	for (size_t i = 0; i < c->query.count; i++)
		if (strcmp(c->query.v[i].name, "after") != 0)
			form_add(
			    &url, '&', c->query.v[i].name, c->query.v[i].value);
	json->failed |= url.failed;
	if (!url.failed)
		buf_json(json, url.data, url.len);
	buf_free(&url);
	buf_text(json, "}\n");
}

static void
on_listed(struct call *c, const PGresult *r)
{
	int rows = PQntuples(r);
	bool more = rows > c->max;
	struct buf json = {0};

	if (more)
		rows--;
	buf_text(&json, "{\"webhooks\": [");
	for (int i = 0; i < rows; i++) {
		buf_text(&json, i == 0 ? "\n" : ",\n");
		buf_text(&json, db_text(r, i, 1));
	}
	add_next(c, &json, more, more ? db_text(r, rows - 1, 0) : NULL);
	call_json(c, 200, &json);
	buf_free(&json);
}

static bool
is_state(const char *s)
{
	return s == NULL || strcmp(s, "active") == 0 ||
	    strcmp(s, "paused") == 0 || strcmp(s, "blocked") == 0 ||
	    strcmp(s, "disabled") == 0;
}

void
webhooks_list(struct call *c, const struct httpd_request *r)
{
	const char *state = form_find(&c->query, "state");
	struct args a = {0};
	int64_t after;

	(void)r;
	if (query_number(c, "after", 0, 0, INT64_MAX, &after) == -1 ||
	    query_number(c, "limit", PAGE, 1, PAGE_MAX, &c->max) == -1)
		return;
	if (!is_state(state)) {
		call_fail(
		    c, 400, "state: none of active, paused, blocked, disabled");
		return;
	}
	args_text(&a, c->tenant);
	args_text(&a, form_find(&c->query, "tenant"));
	args_text(&a, state);
	args_text(&a, form_find(&c->query, "type"));
	args_long(&a, after);
	args_long(&a, c->max + 1);
	call_ask(c, &c->api->fast,
	    "SELECT id, line FROM whk.api_webhooks($1, $2, $3, $4, $5, $6)", &a,
	    on_listed);
}

void
webhook_get(struct call *c, const struct httpd_request *r)
{
	struct args a = {0};

	(void)r;
	args_text(&a, c->tenant);
	args_long(&a, c->id);
	call_ask(c, &c->api->fast, "SELECT line FROM whk.api_webhook($1, $2)",
	    &a, webhook_line);
}

static void remove_some(struct call *c);

static void
on_removed(struct call *c, const PGresult *r)
{
	const char *done = db_text(r, 0, 0);

	if (done == NULL)
		webhook_missing(c);
	else if (done[0] == 't')
		call_reply(c, 204, NULL, NULL, 0);
	else
		remove_some(c);
}

static void
remove_some(struct call *c)
{
	struct args a = {0};

	args_text(&a, c->tenant);
	args_long(&a, c->id);
	call_ask(
	    c, &c->api->slow, "SELECT whk.api_remove($1, $2)", &a, on_removed);
}

void
webhook_delete(struct call *c, const struct httpd_request *r)
{
	(void)r;
	remove_some(c);
}
