/* SPDX-License-Identifier: ISC */
#ifndef WHK_EMIT_ITEM_H
#define WHK_EMIT_ITEM_H

#include <sys/queue.h>

#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "sqs.h"

/* What an event has beside its body; NULL: not said. */
struct item_facts {
	const char *type, *tenant, *id, *key, *content_type;
};

/* An event on its way to the queue. */
struct item {
	TAILQ_ENTRY(item) next;
	uint64_t number; /* of its line; 0: it is the one body there is */
	unsigned tries;
	char *text; /* what all the rest points into */
	struct item_facts facts;
	struct sqs_attribute attributes[5];
	struct sqs_entry entry;
};

TAILQ_HEAD(item_list, item);

/*
 * An item for a body, which is all that fd gives, or for an event line, which
 * it copies; facts or defaults say what the line does not, and must outlive
 * the item. fifo: the queue is one that keeps order. Returns NULL with *e if
 * the queue would not take it.
 */
struct item *item_from_file(
    int fd, const struct item_facts *facts, bool fifo, struct err *e);
struct item *item_from_line(const char *line, size_t len, uint64_t number,
    const struct item_facts *defaults, bool fifo, struct err *e);

/* Whether a queue takes the facts. 0, or -1 with *e. */
int item_check(const struct item_facts *facts, struct err *e);

/* Adds the item as an event line. */
void item_write(struct buf *b, const struct item *item);

void item_free(struct item *item); /* NULL is allowed */

#endif
