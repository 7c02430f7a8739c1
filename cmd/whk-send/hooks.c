/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "whk-send/send.h"

/* Webhooks that are remembered without tasks. */
#define HOOKS_MAX 10000

/* Ids in one question to the database. */
#define ASK_MAX 1000

/* Attempts that start in one turn of the loop: then answers are read first. Of
   quick receivers fewer connections are used so, and each more often. */
#define STARTS_MAX 64

/* The part of all jobs that no webhook gets by the half: one in so many. */
#define JOBS_KEPT 16

static int
compare(const struct hook *a, const struct hook *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}

#define OURS __attribute__((unused)) static
RB_PROTOTYPE_INTERNAL(hook_tree, hook, node, compare, OURS)
RB_GENERATE_INTERNAL(hook_tree, hook, node, compare, OURS)

void
hooks_init(struct send *s)
{
	RB_INIT(&s->hooks);
	TAILQ_INIT(&s->ready);
	s->generation = 1;
}

static struct hook *
find(struct send *s, int64_t id)
{
	struct hook key = {.id = id};

	return RB_FIND(hook_tree, &s->hooks, &key);
}

static struct hook *
find_or_add(struct send *s, int64_t id)
{
	struct hook *h = find(s, id);

	if (h != NULL)
		return h;
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return NULL;
	h->id = id;
	TAILQ_INIT(&h->tasks);
	RB_INSERT(hook_tree, &s->hooks, h);
	s->hook_count++;
	return h;
}

static void
hook_free(struct send *s, struct hook *h)
{
	RB_REMOVE(hook_tree, &s->hooks, h);
	s->hook_count--;
	config_unref(h->config);
	free(h);
}

/* Puts a webhook among those that may start something, at the end. */
static void
line_up(struct send *s, struct hook *h)
{
	if (h->in_turn || h->waiting == 0)
		return;
	TAILQ_INSERT_TAIL(&s->ready, h, turn);
	h->in_turn = true;
}

static void
step_out(struct send *s, struct hook *h)
{
	TAILQ_REMOVE(&s->ready, h, turn);
	h->in_turn = false;
}

/* Takes the first task off; its message, with the reference. */
static struct message *
next_task(struct send *s, struct hook *h)
{
	struct task *t = TAILQ_FIRST(&h->tasks);
	struct message *m = t->message;

	TAILQ_REMOVE(&h->tasks, t, entry);
	h->waiting--;
	s->waiting--;
	free(t);
	return m;
}

/*
 * Whether a webhook may have one more flight. The last of all jobs are for
 * those that have few: however many are slow, another one finds a place.
 */
static bool
has_room(const struct send *s, const struct hook *h)
{
	int64_t left = s->o->jobs - s->flights;

	return h->flights < h->max &&
	    (left > s->o->jobs / JOBS_KEPT || h->flights < left / 2 ||
		h->flights == 0);
}

/* Its tasks wait for its own flights to end, not for another reason. */
static bool
held_up(const struct send *s, const struct hook *h)
{
	return h->config != NULL && h->flights > 0 && !has_room(s, h);
}

/* Back to the database with an event that a webhook has no time for. */
static void
park(struct send *s, const struct hook *h, struct message *m)
{
	outcome_add(s, m, h->id, db_now_ms(s->db), NULL, "deferred");
}

void
hooks_add(struct send *s, struct message *m)
{
	for (size_t i = 0; i < m->event.to_count; i++) {
		struct hook *h = find_or_add(s, m->event.to[i]);
		struct task *t;

		if (h != NULL && h->slow && held_up(s, h) &&
		    h->waiting >= (size_t)(h->max + 3) / 4) {
			m->refs++;
			park(s, h, m);
			continue;
		}
		t = h == NULL ? NULL : malloc(sizeof(*t));
		if (t == NULL) {
			/* the row is leased, and due when that ends */
			log_say(s->log, LOG_WARN, "event %s: out of memory",
			    m->event.id);
			continue;
		}
		t->message = m;
		t->arrived_ms = clock_steady_ms();
		m->refs++;
		TAILQ_INSERT_TAIL(&h->tasks, t, entry);
		h->waiting++;
		s->waiting++;
		line_up(s, h);
	}
	message_unref(s, m);
}

/* Puts a webhook on the list for the next question. */
static void
ask_for(struct send *s, struct hook *h)
{
	struct err e = {.msg = "out of memory", .temporary = true};

	if (h->asked)
		return;
	if (s->ask_count == s->ask_size) {
		size_t size = s->ask_size == 0 ? 64 : s->ask_size * 2;
		int64_t *p = reallocarray(s->ask, size, sizeof(*p));

		if (p == NULL) {
			send_give_up(s, &e);
			return;
		}
		s->ask = p;
		s->ask_size = size;
	}
	s->ask[s->ask_count++] = h->id;
	h->asked = true;
}

/* Somebody else may make the attempt before this one would have to end. */
static void
too_late(struct send *s, const struct hook *h, struct message *m)
{
	if (s->expired++ == 0)
		log_say(s->log, LOG_WARN,
		    "line %llu: event %s, webhook %lld: its lease ends "
		    "before an attempt could: left to whk-due",
		    (unsigned long long)m->number, m->event.id,
		    (long long)h->id);
	message_unref(s, m);
}

/*
 * One turn of a webhook whose definition is known: one task begins or ends.
 * The lease is looked at here, at the last moment: an attempt starts only if
 * it must end before somebody else may make the same.
 */
static void
turn(struct send *s, struct hook *h)
{
	int64_t now = db_now_ms(s->db);
	struct message *m = next_task(s, h);

	if (s->o->dry) {
		if (h->config != NULL)
			flight_show(s, h, m);
		message_unref(s, m);
	} else if (h->gone)
		outcome_add(s, m, h->id, now, NULL, "cancelled");
	else if (h->config != NULL &&
	    m->event.lease_ms - h->config->timeout_ms < now)
		too_late(s, h, m);
	else if (h->config == NULL || h->shut || h->blocked_ms > now)
		outcome_add(s, m, h->id, now, NULL, "deferred");
	else {
		s->starts++;
		flight_start(s, h, m);
	}
}

void
hooks_flown(struct send *s, struct hook *h)
{
	h->flights--;
	s->flights--;
	if (h->waiting == 0)
		h->slow = false;
	line_up(s, h);
}

static struct config *
config_new(const PGresult *r, int row)
{
	struct config *c = calloc(1, sizeof(*c));
	const char *headers = db_text(r, row, 2);
	const char *type = db_text(r, row, 3);

	if (c == NULL)
		return NULL;
	c->refs = 1;
	c->url = strdup(PQgetvalue(r, row, 1));
	c->headers = headers == NULL ? NULL : strdup(headers);
	c->content_type = type == NULL ? NULL : strdup(type);
	c->timeout_ms = db_long(r, row, 4);
	if (c->url == NULL || (headers != NULL && c->headers == NULL) ||
	    (type != NULL && c->content_type == NULL)) {
		config_unref(c);
		return NULL;
	}
	return c;
}

void
config_unref(struct config *c)
{
	if (c == NULL || --c->refs > 0)
		return;
	request_keys_free(&c->keys);
	free(c->url);
	free(c->headers);
	free(c->content_type);
	free(c);
}

static struct config *
read_config(const struct send *s, const PGresult *r, int row, int64_t id)
{
	struct config *c = config_new(r, row);
	struct err e;
	int bad;

	if (c == NULL)
		return NULL;
	bad = request_keys_read(&c->keys, db_text(r, row, 9), &e);
	if (bad == -1) {
		config_unref(c);
		return NULL;
	}
	if (bad > 0)
		log_say(
		    s->log, LOG_WARN, "webhook %lld: %s", (long long)id, e.msg);
	return c;
}

static void
learn(struct send *s, const PGresult *r, int row)
{
	int64_t id = db_long(r, row, 0);
	struct hook *h = find(s, id);

	if (h == NULL)
		return;
	h->config = read_config(s, r, row, id);
	h->max = (int)db_long(r, row, 5);
	h->shut = PQgetvalue(r, row, 6)[0] == 't';
	h->gone = PQgetvalue(r, row, 7)[0] == 't';
	h->blocked_ms = db_long(r, row, 8);
	if (h->config == NULL) {
		log_say(s->log, LOG_WARN, "webhook %lld: out of memory",
		    (long long)id);
		h->shut = true;
	}
}

/* A question: for which webhooks, and how old the answer will be. */
struct question {
	struct send *send;
	uint64_t generation;
	size_t count;
	int64_t ids[];
};

static void
told(void *arg, const struct err *e, const PGresult *r)
{
	struct question *q = arg;
	struct send *s = q->send;

	s->asking = false;
	if (e != NULL) {
		free(q);
		send_give_up(s, e);
		return;
	}
	for (size_t i = 0; i < q->count; i++) {
		struct hook *h = find(s, q->ids[i]);

		config_unref(h->config);
		h->config = NULL;
		h->gone = true;
		h->known = h->stale ? 0 : q->generation;
		h->asked = h->stale = false;
	}
	for (int i = 0; i < PQntuples(r); i++)
		learn(s, r, i);
	for (size_t i = 0; i < q->count; i++)
		line_up(s, find(s, q->ids[i]));
	free(q);
	send_go_on(s);
}

static const char ask_sql[] = "SELECT id, url, headers, content_type, "
			      "timeout_ms, max_in_flight, shut, gone, "
			      "coalesce(blocked_ms, 0), secrets "
			      "FROM whk.webhooks($1)";

/* Sends the question, unless one is under way. */
static void
ask(struct send *s)
{
	size_t count = s->ask_count < ASK_MAX ? s->ask_count : ASK_MAX;
	struct question *q;
	struct args a = {0};
	struct err e = {.msg = "out of memory", .temporary = true};

	if (s->asking || count == 0)
		return;
	q = malloc(sizeof(*q) + count * sizeof(q->ids[0]));
	if (q == NULL) {
		send_give_up(s, &e);
		return;
	}
	q->send = s;
	q->generation = s->generation;
	q->count = count;
	s->ask_count -= count;
	memcpy(q->ids, s->ask + s->ask_count, count * sizeof(q->ids[0]));
	args_longs(&a, q->ids, count);
	if (db_call(s->db, ask_sql, &a, told, q, &e) == -1) {
		free(q);
		args_free(&a);
		send_give_up(s, &e);
		return;
	}
	s->asking = true;
}

/* Forgets webhooks that have nothing to do, when there are very many. */
static void
forget_idle(struct send *s)
{
	struct hook *h, *next;

	if (s->hook_count <= HOOKS_MAX)
		return;
	RB_FOREACH_SAFE(h, hook_tree, &s->hooks, next)
	if (h->waiting == 0 && h->flights == 0 && !h->asked && !h->in_turn)
		hook_free(s, h);
}

void
hooks_go_on(struct send *s)
{
	struct hook *h;

	if (!TAILQ_EMPTY(&s->ready) && !s->asking &&
	    db_silent_ms(s->db) > KNOWN_MS)
		s->generation++;
	while (s->flights < s->o->jobs && s->starts < STARTS_MAX &&
	    (h = TAILQ_FIRST(&s->ready)) != NULL) {
		step_out(s, h);
		if (h->known != s->generation) {
			ask_for(s, h);
			continue;
		}
		if (held_up(s, h))
			continue; /* the end of a flight lines it up */
		turn(s, h);
		line_up(s, h);
	}
	ask(s);
	forget_idle(s);
}

void
hooks_notified(void *arg, const char *channel, const char *payload)
{
	struct send *s = arg;
	struct hook *h;

	if (channel == NULL) {
		s->generation++;
		return;
	}
	h = find(s, strtoll(payload, NULL, 10));
	if (h == NULL)
		return;
	h->known = 0;
	h->stale = h->asked;
}

/*
 * What has waited too long for its webhook's own turn goes back to the
 * database, so that the memory serves others. From then on that webhook has
 * no more waiting than a quarter of the flights that it may have, until it has
 * caught up.
 */
void
hooks_park_late(struct send *s)
{
	int64_t now = clock_steady_ms();
	struct hook *h;

	RB_FOREACH(h, hook_tree, &s->hooks)
	{
		while (h->waiting > 0 && held_up(s, h) &&
		    TAILQ_FIRST(&h->tasks)->arrived_ms < now - WAIT_MAX_MS) {
			park(s, h, next_task(s, h));
			h->slow = true;
		}
	}
}

bool
hooks_idle(const struct send *s)
{
	return s->flights == 0 && s->waiting == 0;
}

void
hooks_free(struct send *s)
{
	struct hook *h, *next;

	RB_FOREACH_SAFE(h, hook_tree, &s->hooks, next)
	{
		while (h->waiting > 0)
			message_unref(s, next_task(s, h));
		hook_free(s, h);
	}
	free(s->ask);
}
