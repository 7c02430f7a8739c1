/* SPDX-License-Identifier: ISC */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "whk-poll/deletes.h"

/* After so many failures in a row what waits is left to come again. */
#define TRIES 5

/* One request, with the receipts in the order of its entries. */
struct request {
	struct deletes *deletes;
	char *receipts[SQS_BATCH];
	size_t count;
};

static void
again(evutil_socket_t fd, short what, void *arg)
{
	struct deletes *d = arg;

	(void)fd;
	(void)what;
	deletes_send(d);
	d->changed(d->arg);
}

int
deletes_init(struct deletes *d, size_t most, struct event_base *base,
    struct sqs *sqs, const struct log *log, void (*changed)(void *), void *arg,
    struct err *e)
{
	*d = (struct deletes){
	    .most = most,
	    .sqs = sqs,
	    .log = log,
	    .changed = changed,
	    .arg = arg,
	    .again = evtimer_new(base, again, d),
	    .backoff = {.min_ms = 100, .max_ms = 2000},
	};
	return d->again == NULL ? err_temporary(e, "out of memory") : 0;
}

/* Takes over the string; what there is no memory for comes again. */
static void
keep(struct deletes *d, char *receipt)
{
	if (d->count == d->size) {
		size_t size = d->size == 0 ? 64 : d->size * 2;
		char **p = reallocarray(d->receipts, size, sizeof(*p));

		if (p == NULL) {
			free(receipt);
			return;
		}
		d->receipts = p;
		d->size = size;
	}
	d->receipts[d->count++] = receipt;
}

void
deletes_add(struct deletes *d, const char *receipt)
{
	char *copy = strdup(receipt);

	if (copy != NULL)
		keep(d, copy);
}

static void
request_free(struct request *rq)
{
	for (size_t i = 0; i < rq->count; i++)
		free(rq->receipts[i]);
	free(rq);
}

static void
forget(struct deletes *d)
{
	for (size_t i = 0; i < d->count; i++)
		free(d->receipts[i]);
	d->count = 0;
}

/*
 * Some could not be deleted: they wait for the timer, or are given up. Those
 * of other requests that fail meanwhile wait for the same.
 */
static void
failed(struct deletes *d, const char *why)
{
	struct timeval tv;
	int64_t ms;
	bool first;

	if (d->last || d->tries >= TRIES) {
		forget(d);
		d->tries = 0;
		return;
	}
	if (event_pending(d->again, EV_TIMEOUT, NULL))
		return;
	d->tries++;
	ms = backoff_fail(&d->backoff, &first);
	if (first)
		log_say(d->log, LOG_WARN,
		    "%s: messages that are stored stay in the queue for now",
		    why);
	tv = (struct timeval){ms / 1000, ms % 1000 * 1000};
	event_add(d->again, &tv);
}

static void
finished(void *arg, const struct err *e, const struct sqs_result *results,
    size_t count)
{
	struct request *rq = arg;
	struct deletes *d = rq->deletes;
	const char *why = e != NULL ? e->msg : "some deletes failed";
	bool some = false;

	d->active--;
	for (size_t i = 0; i < rq->count; i++) {
		bool gone = e == NULL && i < count &&
		    (results[i].ok || results[i].sender_fault);

		if (gone)
			continue;
		keep(d, rq->receipts[i]);
		rq->receipts[i] = NULL;
		some = true;
	}
	if (some)
		failed(d, why);
	else {
		d->tries = 0;
		if (backoff_ok(&d->backoff))
			log_say(d->log, LOG_NOTE,
			    "the queue deletes messages again");
	}
	request_free(rq);
	deletes_send(d);
	d->changed(d->arg);
}

static void
send_some(struct deletes *d, size_t n)
{
	struct request *rq = calloc(1, sizeof(*rq));
	struct err e;

	if (rq == NULL) {
		forget(d);
		return;
	}
	rq->deletes = d;
	rq->count = n;
	d->count -= n;
	memcpy(rq->receipts, d->receipts + d->count, n * sizeof(char *));
	if (sqs_delete(d->sqs, (const char *const *)rq->receipts, n, finished,
		rq, &e) == -1) {
		request_free(rq);
		return;
	}
	d->active++;
}

void
deletes_send(struct deletes *d)
{
	if (event_pending(d->again, EV_TIMEOUT, NULL))
		return;
	while (d->count > 0 && d->active < d->most)
		send_some(d, d->count < SQS_BATCH ? d->count : SQS_BATCH);
}

size_t
deletes_count(const struct deletes *d)
{
	return d->count + d->active * SQS_BATCH;
}

void
deletes_hurry(struct deletes *d)
{
	d->last = true;
	if (!event_pending(d->again, EV_TIMEOUT, NULL))
		return;
	event_del(d->again);
	forget(d);
}

bool
deletes_done(const struct deletes *d)
{
	return d->count == 0 && d->active == 0;
}

void
deletes_free(struct deletes *d)
{
	forget(d);
	free(d->receipts);
	if (d->again != NULL)
		event_free(d->again);
	*d = (struct deletes){0};
}
