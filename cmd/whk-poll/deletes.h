/* SPDX-License-Identifier: ISC */
#ifndef WHK_POLL_DELETES_H
#define WHK_POLL_DELETES_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "log.h"
#include "loop.h"
#include "sqs.h"

struct event;
struct event_base;

/*
 * Messages to be deleted from the queue, by their receipt handles. What fails
 * is tried again a few times; what then is still there comes again as a
 * message, is found to be stored, and is deleted then.
 */
struct deletes {
	struct sqs *sqs;
	const struct log *log;
	void (*changed)(void *); /* a request ended */
	void *arg;
	struct event *again;
	struct backoff backoff;
	char **receipts; /* waiting */
	size_t count, size;
	size_t active; /* requests under way */
	size_t most;   /* of these */
	int tries;     /* in a row that failed */
	bool last;     /* what fails now is left to come again */
};

/* most: requests at once. 0, or -1 with *e. */
int deletes_init(struct deletes *d, size_t most, struct event_base *base,
    struct sqs *sqs, const struct log *log, void (*changed)(void *), void *arg,
    struct err *e);

void deletes_add(struct deletes *d, const char *receipt); /* copied */

/* Starts requests for what waits, ten to one; as they end, for what is left. */
void deletes_send(struct deletes *d);

/* How many wait or are under way. */
size_t deletes_count(const struct deletes *d);

/* Nothing is tried again from now on. */
void deletes_hurry(struct deletes *d);

bool deletes_done(const struct deletes *d); /* nothing waits or is under way */

void deletes_free(struct deletes *d);

#endif
