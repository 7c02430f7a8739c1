/* SPDX-License-Identifier: ISC */
#include <event2/event.h>
#include <stdlib.h>

#include "accept.h"
#include "whk-api/api.h"

/* The places of whk.api_emit()'s arguments. */
enum {
	CALLER,
	ID,
	CHOSEN,
	TYPE,
	TENANT,
	KEY,
	CONTENT_TYPE,
	BODY,
	TO,
};

static const char sql[] =
    "SELECT became, webhooks, wrong FROM whk.api_emit($1, $2, $3, $4, $5, $6, "
    "$7, $8, $9) ORDER BY n";

static void
batch_free(struct batch *b)
{
	if (b != NULL)
		args_free(&b->args);
	free(b);
}

static struct batch *
batch_new(struct api *api)
{
	struct batch *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	TAILQ_INIT(&b->calls);
	for (int i = CALLER; i <= TO; i++)
		args_array(&b->args, i == CHOSEN ? ARGS_BOOL : ARGS_TEXT);
	TAILQ_INSERT_TAIL(&api->batches, b, entry);
	return b;
}

/* The batch that an event of this size goes into; NULL if out of memory. */
static struct batch *
batch_for(struct api *api, size_t bytes)
{
	struct batch *b = TAILQ_LAST(&api->batches, batches);

	if (b == NULL || b->count == ACCEPT_EVENTS ||
	    b->bytes + bytes > ACCEPT_BYTES)
		b = batch_new(api);
	return b;
}

static void
add_to(struct args *a, const struct event_line *ev)
{
	struct buf b = {0};

	if (ev->to == NULL) {
		args_add_null(a, TO);
		return;
	}
	for (size_t i = 0; i < ev->to_count; i++)
		buf_fmt(&b, "%s%lld", i == 0 ? "{" : ",", (long long)ev->to[i]);
	buf_text(&b, "}");
	args_add_bytes(a, TO, b.data, b.len);
	a->failed |= b.failed;
	buf_free(&b);
}

static void
batch_add(
    struct batch *b, struct call *c, const struct event_line *ev, bool chosen)
{
	struct args *a = &b->args;

	args_add_text(a, CALLER, c->tenant);
	args_add_text(a, ID, ev->id);
	args_add_number(a, CHOSEN, chosen);
	args_add_text(a, TYPE, ev->type);
	args_add_text(a, TENANT, ev->tenant);
	args_add_text(a, KEY, ev->key);
	args_add_text(a, CONTENT_TYPE, ev->content_type);
	args_add_bytes(a, BODY, ev->body, ev->body_len);
	add_to(a, ev);
	TAILQ_INSERT_TAIL(&b->calls, c, batched);
	b->count++;
	b->bytes += ev->body_len;
}

static void
on_stored(void *arg, const struct err *e, const PGresult *r)
{
	struct batch *b = arg;
	struct lane *lane = b->lane;
	struct call *c, *next;
	int row = 0;

	if (e != NULL)
		log_say(lane->api->log, LOG_WARN, "%s", e->msg);
	for (c = TAILQ_FIRST(&b->calls); c != NULL; c = next, row++) {
		next = TAILQ_NEXT(c, batched);
		c->lane = NULL;
		if (c->conn == NULL)
			call_free(c);
		else if (e != NULL)
			call_fail(c, 500, "the database refused it");
		else
			event_emitted(c, r, row);
	}
	lane->batch = NULL;
	batch_free(b);
	event_active(lane->api->store, EV_TIMEOUT, 0);
}

static void
store(struct batch *b, struct lane *lane)
{
	struct call *c;
	struct err e;

	TAILQ_REMOVE(&lane->api->batches, b, entry);
	TAILQ_FOREACH (c, &b->calls, batched)
		c->lane = lane;
	b->lane = lane;
	lane->batch = b;
	if (db_call(lane->db, sql, &b->args, on_stored, b, &e) == -1)
		on_stored(b, &e, NULL);
}

/* A lane that stores nothing now; NULL: none. */
static struct lane *
free_lane(struct api *api)
{
	for (size_t i = 0; i < EVENT_LANES; i++)
		if (!api->events[i].away && api->events[i].batch == NULL)
			return &api->events[i];
	return NULL;
}

static void
on_store(evutil_socket_t fd, short what, void *arg)
{
	struct api *api = arg;
	struct batch *b;
	struct lane *lane;

	(void)fd;
	(void)what;
	while ((b = TAILQ_FIRST(&api->batches)) != NULL &&
	    (lane = free_lane(api)) != NULL)
		store(b, lane);
}

/* A lane that is in reach; if there is none, any. */
static struct lane *
some_lane(struct api *api)
{
	struct lane *lane = &api->events[0];

	while (lane->away && lane < &api->events[EVENT_LANES - 1])
		lane++;
	return lane;
}

void
gather_add(struct call *c, const struct event_line *ev, bool chosen)
{
	struct api *api = c->api;
	struct batch *b;

	if (!call_can_ask(c, some_lane(api)))
		return;
	b = batch_for(api, ev->body_len);
	if (b == NULL) {
		call_fail(c, 500, "out of memory");
		return;
	}
	batch_add(b, c, ev, chosen);
	/* what else comes in this turn of the loop shall go with it */
	event_active(api->store, EV_TIMEOUT, 0);
}

int
gather_init(struct api *api, struct event_base *base, struct err *e)
{
	api->store = event_new(base, -1, 0, on_store, api);
	return api->store == NULL ? err_temporary(e, "out of memory") : 0;
}

void
gather_lost(struct lane *lane)
{
	struct api *api = lane->api;
	struct lane *other = some_lane(api);
	struct call *c, *next;
	struct batch *b;

	batch_free(lane->batch);
	lane->batch = NULL;
	while (other->away && (b = TAILQ_FIRST(&api->batches)) != NULL) {
		TAILQ_REMOVE(&api->batches, b, entry);
		for (c = TAILQ_FIRST(&b->calls); c != NULL; c = next) {
			next = TAILQ_NEXT(c, batched);
			call_can_ask(c, other); /* which answers */
		}
		batch_free(b);
	}
}

void
gather_free(struct api *api)
{
	struct batch *b;

	while ((b = TAILQ_FIRST(&api->batches)) != NULL) {
		TAILQ_REMOVE(&api->batches, b, entry);
		batch_free(b);
	}
	for (size_t i = 0; i < EVENT_LANES; i++)
		batch_free(api->events[i].batch);
	if (api->store != NULL)
		event_free(api->store);
}
