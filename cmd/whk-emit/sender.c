/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include <event2/event.h>

#include "loop.h"
#include "sender.h"

/* Bytes that wait to be sent before the reader shall wait. */
#define READY_MAX ((size_t)4 << 20)

/* How often a queue that never answered is tried, and one that has. */
#define FIRST_TRIES 3
#define TRIES 8

/* The try from which on a trouble is worth a word. */
#define TROUBLE_TRY 3

/* A request under way. */
struct flight {
	TAILQ_ENTRY(flight) next;
	struct sender *s;
	struct item *items[SQS_BATCH];
	struct sqs_entry entries[SQS_BATCH];
	size_t count;
};

TAILQ_HEAD(flight_list, flight);

struct sender {
	const struct sender_handler *h;
	void *arg;
	struct sqs *sqs;
	struct event *turn;     /* time to send what waits */
	struct item_list ready; /* what waits to be sent */
	size_t ready_count, ready_bytes;
	struct flight_list flights;
	size_t flying, jobs;
	struct backoff backoff;
	unsigned tries; /* that failed since the last success */
	bool answered;  /* the queue did, once */
	bool waiting;   /* turn is the end of a wait */
	bool troubled;  /* trouble() was called */
	bool ended, given_up, idle;
};

static void
schedule(struct sender *s, int64_t ms)
{
	const struct timeval tv = {
	    .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_add(s->turn, &tv);
}

static void
put_ready(struct sender *s, struct item *item, bool first)
{
	if (first)
		TAILQ_INSERT_HEAD(&s->ready, item, next);
	else
		TAILQ_INSERT_TAIL(&s->ready, item, next);
	s->ready_count++;
	s->ready_bytes += sqs_size(&item->entry);
}

/* Takes the next item, if it fits in beside size bytes. */
static struct item *
take_ready(struct sender *s, size_t *size)
{
	struct item *item = TAILQ_FIRST(&s->ready);
	size_t n;

	if (item == NULL)
		return NULL;
	n = sqs_size(&item->entry);
	if (*size + n > SQS_MESSAGE_MAX)
		return NULL;
	TAILQ_REMOVE(&s->ready, item, next);
	s->ready_count--;
	s->ready_bytes -= n;
	*size += n;
	return item;
}

/* Puts the items that are left in a flight back to where they came from. */
static void
land(struct sender *s, struct flight *f)
{
	for (size_t i = f->count; i-- > 0;)
		if (f->items[i] != NULL)
			put_ready(s, f->items[i], true);
	TAILQ_REMOVE(&s->flights, f, next);
	s->flying--;
	free(f);
}

static void
give_up(struct sender *s, const struct err *e)
{
	if (s->given_up)
		return;
	s->given_up = true;
	s->h->trouble(s->arg, e, true);
}

/* The next requests wait for a while, or are given up. */
static void
back_off(struct sender *s, const struct err *e)
{
	if (s->waiting || s->given_up)
		return;
	if (++s->tries >= (s->answered ? TRIES : FIRST_TRIES)) {
		give_up(s, e);
		return;
	}
	if (s->tries >= TROUBLE_TRY && !s->troubled) {
		s->troubled = true;
		s->h->trouble(s->arg, e, false);
	}
	s->waiting = true;
	schedule(s, backoff_fail(&s->backoff, NULL));
}

static void finished(void *arg, const struct err *e,
    const struct sqs_result *results, size_t count);

/* Starts one request with what is ready. */
static void
take_off(struct sender *s)
{
	struct flight *f = calloc(1, sizeof(*f));
	struct item *item;
	struct err e;
	size_t size = 0;

	if (f == NULL) {
		err_temporary(&e, "out of memory");
		back_off(s, &e);
		return;
	}
	f->s = s;
	while (f->count < SQS_BATCH && (item = take_ready(s, &size)) != NULL) {
		f->entries[f->count] = item->entry;
		f->items[f->count++] = item;
	}
	TAILQ_INSERT_TAIL(&s->flights, f, next);
	s->flying++;
	if (sqs_send(s->sqs, f->entries, f->count, finished, f, &e) == 0)
		return;
	land(s, f);
	if (e.temporary)
		back_off(s, &e);
	else
		give_up(s, &e);
}

/*
 * Sends what is ready: full requests at once; what would be less when nothing
 * is under way, as more may come in until then.
 */
static void
pump(struct sender *s, bool partly)
{
	while (!s->waiting && !s->given_up && s->flying < s->jobs &&
	    s->ready_count > 0 &&
	    (s->ready_count >= SQS_BATCH || s->ready_bytes >= SQS_MESSAGE_MAX ||
		s->ended || (partly && s->flying == 0)))
		take_off(s);
}

static void
tell(struct sender *s)
{
	bool done = s->given_up || (s->ended && s->ready_count == 0);

	if (s->flying == 0 && done && !s->idle) {
		s->idle = true;
		s->h->idle(s->arg);
	} else if (!done && !s->ended && !sender_full(s)) {
		s->h->room(s->arg);
	}
}

static void
turn(evutil_socket_t fd, short what, void *arg)
{
	struct sender *s = arg;

	(void)fd;
	(void)what;
	s->waiting = false;
	pump(s, true);
	tell(s);
}

static void
answered(struct sender *s)
{
	s->answered = true;
	s->tries = 0;
	backoff_ok(&s->backoff);
	if (s->troubled)
		s->h->over(s->arg);
	s->troubled = false;
}

/* What became of one item. Returns true if it is to be sent again. */
static bool
settle(struct sender *s, struct item *item, const struct sqs_result *r)
{
	if (r->ok)
		s->h->sent(s->arg, item, r->message_id);
	else if (r->sender_fault || ++item->tries >= TRIES)
		s->h->refused(s->arg, item, r->reason);
	else
		return true;
	item_free(item);
	return false;
}

static void
settle_all(struct sender *s, struct flight *f, const struct sqs_result *results)
{
	struct err e;
	bool good = false, again = false;

	for (size_t i = 0; i < f->count; i++) {
		good = good || results[i].ok || results[i].sender_fault;
		if (!settle(s, f->items[i], &results[i])) {
			f->items[i] = NULL;
			continue;
		}
		again = true;
		err_temporary(&e, "%s", results[i].reason);
	}
	if (good)
		answered(s);
	s->answered = true;
	if (again)
		back_off(s, &e);
}

static void
finished(void *arg, const struct err *e, const struct sqs_result *results,
    size_t count)
{
	struct flight *f = arg;
	struct sender *s = f->s;

	(void)count;
	if (e == NULL)
		settle_all(s, f, results);
	else if (e->temporary)
		back_off(s, e);
	else
		give_up(s, e);
	land(s, f);
	pump(s, true);
	tell(s);
}

struct sender *
sender_new(struct event_base *base, struct http *http, const char *queue,
    size_t jobs, const struct sender_handler *h, void *arg, struct err *e)
{
	struct sender *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, "out of memory");
		return NULL;
	}
	TAILQ_INIT(&s->ready);
	TAILQ_INIT(&s->flights);
	s->h = h;
	s->arg = arg;
	s->jobs = jobs;
	s->backoff = (struct backoff){.min_ms = 100, .max_ms = 5000};
	s->turn = evtimer_new(base, turn, s);
	if (s->turn == NULL)
		err_set(e, "out of memory");
	else
		s->sqs = sqs_new(base, http, queue, e);
	if (s->sqs != NULL)
		return s;
	sender_free(s);
	return NULL;
}

void
sender_add(struct sender *s, struct item *item)
{
	put_ready(s, item, false);
	if (!s->waiting)
		schedule(s, 0);
	pump(s, false);
}

bool
sender_full(const struct sender *s)
{
	return s->ready_bytes > READY_MAX ||
	    s->ready_count > 2 * SQS_BATCH * s->jobs;
}

void
sender_end(struct sender *s)
{
	s->ended = true;
	if (!s->waiting)
		schedule(s, 0);
}

uint64_t
sender_first(const struct sender *s)
{
	const struct flight *f;
	const struct item *item;
	uint64_t first = 0;

	TAILQ_FOREACH (item, &s->ready, next)
		if (first == 0 || item->number < first)
			first = item->number;
	TAILQ_FOREACH (f, &s->flights, next)
		for (size_t i = 0; i < f->count; i++)
			if (f->items[i] != NULL &&
			    (first == 0 || f->items[i]->number < first))
				first = f->items[i]->number;
	return first;
}

void
sender_free(struct sender *s)
{
	struct item *item;
	struct flight *f;

	if (s == NULL)
		return;
	sqs_free(s->sqs);
	while ((f = TAILQ_FIRST(&s->flights)) != NULL)
		land(s, f);
	while ((item = TAILQ_FIRST(&s->ready)) != NULL) {
		TAILQ_REMOVE(&s->ready, item, next);
		item_free(item);
	}
	if (s->turn != NULL)
		event_free(s->turn);
	free(s);
}
