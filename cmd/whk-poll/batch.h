/* SPDX-License-Identifier: ISC */
#ifndef WHK_POLL_BATCH_H
#define WHK_POLL_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "accept.h"
#include "line.h"
#include "sqs.h"

/* A message on its way: a copy of its own, one allocation. */
struct item {
	struct event_line event; /* points into text */
	char *receipt;
	bool chosen; /* the producer chose the id */
	char text[];
};

/* Messages whose whk.accept() is to come or under way, in its order. */
struct batch {
	struct item **items;
	size_t count, size;
	struct accept accept;
};

/*
 * The event that a message is (whk(5), "From SQS"). NULL with *e if it cannot
 * be taken as one, or memory is out.
 */
struct item *item_new(const struct sqs_message *m, struct err *e);

void batch_init(struct batch *b);
/* Adds an item, which the batch then owns. 0, or -1 if memory is out. */
int batch_add(struct batch *b, struct item *item);
void batch_free(struct batch *b); /* batch_init() before it is used again */

#endif
