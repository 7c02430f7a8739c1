/* SPDX-License-Identifier: ISC */
#ifndef WHK_POLL_BATCH_H
#define WHK_POLL_BATCH_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>

#include "line.h"
#include "sqs.h"

/* A message on its way: a copy of its own. */
struct item {
	STAILQ_ENTRY(item) next;
	struct event_line event; /* points into text; to is its own */
	char *receipt;
	bool chosen; /* the producer chose the id */
	char text[];
};

/* Messages at the same point of their way, in the order of it. */
struct batch {
	STAILQ_HEAD(, item) items;
	size_t count;
};

/*
 * The event that a message is (whk(5), "From SQS"). NULL with *e if it cannot
 * be taken as one, or memory is out.
 */
struct item *item_new(const struct sqs_message *m, struct err *e);
void item_free(struct item *item);

void batch_init(struct batch *b);
void batch_add(struct batch *b, struct item *item); /* takes it over */
struct item *batch_take(struct batch *b);           /* the first, or NULL */
void batch_free(struct batch *b);                   /* is empty then */

#endif
