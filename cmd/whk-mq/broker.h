/* SPDX-License-Identifier: ISC */
#ifndef WHK_MQ_BROKER_H
#define WHK_MQ_BROKER_H

#include "err.h"
#include "queue.h"

/* All the queues there are. */
struct broker {
	RB_HEAD(queue_tree, queue) queues; /* by name */
	struct meter meter;
	struct digest *digest;
	const char *region, *account; /* for ARNs and URLs; borrowed */
};

/* memory: the most bytes that messages may take. 0, or -1 with *e. */
int broker_init(struct broker *b, size_t memory, const char *region,
    const char *account, struct err *e);
void broker_free(struct broker *b);

/* NULL: there is no such queue. */
struct queue *broker_find(struct broker *b, const char *name);

/* The first queue in order whose name is not before the given one. */
struct queue *broker_first_from(struct broker *b, const char *name);
struct queue *broker_next(struct queue *q);

/* Makes the queue known; there must be none of its name. */
void broker_add(struct broker *b, struct queue *q);

/* Takes it out and frees it. */
void broker_remove(struct broker *b, struct queue *q);

/*
 * Whether there is room for that many more bytes. If not, first drops what is
 * past its retention period, in every queue.
 */
bool broker_has_room(struct broker *b, size_t bytes, const struct moment *now);

/*
 * Whether a name may be a queue's: 1 to 80 letters, digits, hyphens or
 * underscores. 0, or -1 with *f; FIFO names are refused with a word of why.
 */
int broker_check_name(const char *name, struct fault *f);

#endif
