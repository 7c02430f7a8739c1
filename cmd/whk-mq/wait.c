/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include <event2/event.h>
#include <event2/http.h>
#include <event2/bufferevent.h>

#include "clock.h"
#include "wait.h"

struct wait {
	TAILQ_ENTRY(wait) entry; /* of the queue's, first come first served */
	struct waits *waits;
	struct queue *queue;
	struct evhttp_request *req;
	struct receive receive;
	int64_t until_ms; /* steady clock */
	struct event *timer, *gone;
};

struct waits {
	struct event_base *base;
	struct broker *broker;
	waits_reply *reply;
	void *arg;
	bool ended;
	struct buf out;
};

struct waits *
waits_new(struct event_base *base, struct broker *broker, waits_reply *reply,
    void *arg)
{
	struct waits *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->base = base;
	w->broker = broker;
	w->reply = reply;
	w->arg = arg;
	return w;
}

static struct moment
now(void)
{
	return (struct moment){clock_steady_ms(), clock_wall_ms()};
}

static void
wait_free(struct wait *wait)
{
	if (wait->timer != NULL)
		event_free(wait->timer);
	if (wait->gone != NULL)
		event_free(wait->gone);
	receive_free(&wait->receive);
	free(wait);
}

/* Answers with what is in w->out, or the fault, and ends the wait. */
static void
answer(struct wait *wait, const struct fault *f)
{
	struct waits *w = wait->waits;
	struct evhttp_request *req = wait->req;

	TAILQ_REMOVE(&wait->queue->waiting, wait, entry);
	wait_free(wait);
	w->reply(w->arg, req, f, &w->out);
}

static void
answer_empty(struct wait *wait)
{
	buf_clear(&wait->waits->out);
	buf_text(&wait->waits->out, "{}");
	answer(wait, NULL);
}

/* Sets the timer to the earlier of the end and when a message is due. */
static void
arm(struct wait *wait, int64_t now_ms)
{
	int64_t at = wait->until_ms, due = queue_next_due(wait->queue), ms;
	struct timeval tv;

	/* The first in line takes what comes; the others only their time. */
	if (wait == TAILQ_FIRST(&wait->queue->waiting) && due < at)
		at = due;
	ms = at > now_ms ? at - now_ms : 0;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	evtimer_add(wait->timer, &tv);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct wait *wait = arg;
	struct waits *w = wait->waits;
	struct queue *q = wait->queue;
	int64_t now_ms = clock_steady_ms();

	(void)fd;
	(void)what;
	if (wait->until_ms <= now_ms && wait != TAILQ_FIRST(&q->waiting)) {
		answer_empty(wait);
		return;
	}
	/* May answer the wait: it must not be touched after this. */
	waits_wake(w, q);
}

/*
 * The client closed the connection, or sends its next request without waiting
 * for the answer. Either way this wait ends with nothing; what comes later is
 * for the others.
 */
static void
on_gone(evutil_socket_t fd, short what, void *arg)
{
	struct wait *wait = arg;
	struct waits *w = wait->waits;
	struct queue *q = wait->queue;

	(void)fd;
	(void)what;
	answer_empty(wait);
	waits_wake(w, q);
}

/*
 * evhttp does not read while a request is being answered, so it would not see
 * the client go before it writes; and a message that is taken for a client
 * that is gone is lost to all until its visibility timeout ends.
 */
static int
watch(struct wait *wait)
{
	struct evhttp_connection *conn =
	    evhttp_request_get_connection(wait->req);
	evutil_socket_t fd =
	    bufferevent_getfd(evhttp_connection_get_bufferevent(conn));

	wait->gone = event_new(wait->waits->base, fd, EV_READ, on_gone, wait);
	return wait->gone == NULL ? -1 : event_add(wait->gone, NULL);
}

int
waits_add(struct waits *w, struct evhttp_request *req, struct queue *q,
    struct receive *r)
{
	struct wait *wait = calloc(1, sizeof(*wait));
	int64_t now_ms = clock_steady_ms();

	if (wait == NULL)
		return -1;
	wait->waits = w;
	wait->queue = q;
	wait->req = req;
	wait->until_ms = w->ended ? now_ms : now_ms + r->wait_s * 1000;
	wait->timer = evtimer_new(w->base, on_timer, wait);
	if (wait->timer == NULL || watch(wait) < 0) {
		wait_free(wait);
		return -1;
	}
	wait->receive = *r;
	r->names = (struct buf){0};
	TAILQ_INSERT_TAIL(&q->waiting, wait, entry);
	arm(wait, now_ms);
	return 0;
}

void
waits_wake(struct waits *w, struct queue *q)
{
	struct moment at;
	struct wait *wait = TAILQ_FIRST(&q->waiting);

	if (wait == NULL)
		return;
	at = now();
	queue_advance(q, &at);
	while ((wait = TAILQ_FIRST(&q->waiting)) != NULL) {
		buf_clear(&w->out);
		if (receive_write(w->broker, q, &wait->receive, &at, &w->out))
			answer(wait, NULL);
		else if (wait->until_ms <= at.steady_ms)
			answer_empty(wait);
		else
			break;
	}
	if (wait != NULL)
		arm(wait, at.steady_ms);
}

void
waits_fail(struct waits *w, struct queue *q)
{
	struct fault f = {0};
	struct wait *wait;

	buf_clear(&w->out);
	fault_set(&f, FAULT_NO_QUEUE, "The queue was deleted.");
	while ((wait = TAILQ_FIRST(&q->waiting)) != NULL)
		answer(wait, &f);
}

void
waits_end(struct waits *w)
{
	struct queue *q;
	struct wait *wait;

	w->ended = true;
	for (q = broker_first_from(w->broker, ""); q != NULL;
	     q = broker_next(q))
		while ((wait = TAILQ_FIRST(&q->waiting)) != NULL)
			answer_empty(wait);
}

void
waits_free(struct waits *w)
{
	struct queue *q;
	struct wait *wait;

	if (w == NULL)
		return;
	for (q = broker_first_from(w->broker, ""); q != NULL;
	     q = broker_next(q))
		while ((wait = TAILQ_FIRST(&q->waiting)) != NULL) {
			TAILQ_REMOVE(&q->waiting, wait, entry);
			wait_free(wait);
		}
	buf_free(&w->out);
	free(w);
}
