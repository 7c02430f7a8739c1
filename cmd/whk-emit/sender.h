/* SPDX-License-Identifier: ISC */
#ifndef WHK_EMIT_SENDER_H
#define WHK_EMIT_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "item.h"

struct event_base;
struct http;

/*
 * Sends items to a queue: ten to a request, many requests at once; what fails
 * and may work later is tried again.
 */
struct sender;

struct sender_handler {
	/* The queue has the item, as this message. */
	void (*sent)(
	    void *arg, const struct item *item, const char *message_id);
	/* The queue does not take the item. */
	void (*refused)(void *arg, const struct item *item, const char *reason);
	/* The queue is out of reach: given up, or goes on trying. */
	void (*trouble)(void *arg, const struct err *e, bool given_up);
	/* The queue is in reach again, after such a trouble. */
	void (*over)(void *arg);
	/* It is no longer full. */
	void (*room)(void *arg);
	/* All is done: after sender_end(), or after it has given up. */
	void (*idle)(void *arg);
};

/* jobs: requests at once. NULL with *e. h, arg and http outlive it. */
struct sender *
sender_new(struct event_base *base, struct http *http, const char *queue,
    size_t jobs, const struct sender_handler *h, void *arg, struct err *e);

/* Takes over the item. The calls of the handler come later, from the loop. */
void sender_add(struct sender *s, struct item *item);

bool sender_full(const struct sender *s); /* wait for room() */
void sender_end(struct sender *s);        /* nothing more will be added */

/* The lowest number of an item that is not done, or 0. */
uint64_t sender_first(const struct sender *s);

void sender_free(struct sender *s); /* NULL is allowed */

#endif
