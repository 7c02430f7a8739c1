/* SPDX-License-Identifier: ISC */
#ifndef WHK_MQ_WAIT_H
#define WHK_MQ_WAIT_H

#include "call.h"

struct event_base;
struct evhttp_request;
struct waits;

/*
 * The long polls: receives that found nothing and wait for a message. Each is
 * answered once, with reply(): when there is a message, when its time is over
 * (an empty answer), when its queue is removed, or when its client is gone.
 */
typedef void waits_reply(void *arg, struct evhttp_request *req,
    const struct fault *f, const struct buf *out);

/* base and broker are borrowed. NULL if out of memory. */
struct waits *waits_new(struct event_base *base, struct broker *broker,
    waits_reply *reply, void *arg);

/*
 * Lets req wait on q for what *r asks; r's contents are taken over. 0, or -1
 * if out of memory, with nothing taken.
 */
int waits_add(struct waits *w, struct evhttp_request *req, struct queue *q,
    struct receive *r);

/*
 * To be called whenever messages of q may have become visible, or will earlier
 * than they would have.
 */
void waits_wake(struct waits *w, struct queue *q);

/* Answers all that wait on q, which is about to be removed. */
void waits_fail(struct waits *w, struct queue *q);

/* Answers all with nothing; from then on none waits for longer than that. */
void waits_end(struct waits *w);

/* Forgets those that still wait, without an answer. NULL is allowed. */
void waits_free(struct waits *w);

#endif
