/* SPDX-License-Identifier: ISC */
#ifndef WHK_MQ_QUEUE_H
#define WHK_MQ_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include "message.h"
#include "setting.h"
#include "tags.h"

/* One instant on both clocks; passed in, never read here. */
struct moment {
	int64_t steady_ms; /* what delays and timeouts are counted on */
	int64_t wall_ms;   /* what timestamps show */
};

/* Of all queues: bytes in use, how many there may be, and what was done. */
struct meter {
	size_t used, max;
	int64_t sent, received, deleted; /* messages, since the start */
};

#define QUEUE_NAME_MAX 80
#define QUEUE_INFLIGHT_MAX 120000  /* SQS: "messages in flight" */
#define QUEUE_VISIBILITY_MAX 43200 /* seconds, from the time of receiving */
#define QUEUE_HANDLE_LEN 64        /* of a receipt handle, without NUL */
#define QUEUE_FOREVER INT64_MAX

struct wait;

/*
 * A standard queue: its settings, its messages, who can see which and when.
 * A message is visible or hidden: delayed, if it was never received, else in
 * flight. All operations take constant time, or log n where one is hidden.
 */
struct queue {
	RB_ENTRY(queue) entry;      /* the broker's */
	TAILQ_HEAD(, wait) waiting; /* the server's: long polls */

	char name[QUEUE_NAME_MAX + 1];
	uint64_t key; /* random: handles of other queues are not ours */
	int64_t created_ms, modified_ms; /* wall clock */
	struct settings settings;
	struct tags tags;

	struct meter *meter;
	TAILQ_HEAD(, message) all, ready;
	size_t visible, delayed, inflight; /* how many are so */
	uint64_t serials;
	struct message **slots; /* by message's slot; NULL: free */
	struct message **heap;  /* hidden ones, the first due at the top */
	uint32_t *free_slots;   /* a stack */
	size_t slot_count, free_count, heap_count;
	size_t room; /* of the three arrays */
};

/* An empty queue with SQS's settings. NULL if out of memory. */
struct queue *
queue_new(const char *name, struct meter *meter, const struct moment *now);
void queue_free(struct queue *q);

/*
 * Brings the queue up to date: drops what is older than the retention period,
 * shows what is due. The functions below see the queue as the last call of
 * this one left it.
 */
void queue_advance(struct queue *q, const struct moment *now);

/* Room for that many more messages. 0, or -1 if out of memory. */
int queue_reserve(struct queue *q, size_t count);

/* Adds a message, which is then the queue's. There must be room for it. */
void queue_add(struct queue *q, struct message *m, int64_t delay_ms,
    const struct moment *now);

/*
 * The next visible message, hidden from now on for visibility_ms, or NULL if
 * there is none or too many are in flight.
 */
struct message *
queue_take(struct queue *q, int64_t visibility_ms, const struct moment *now);

/* Whether so many are in flight that no more are handed out. */
bool queue_is_full(const struct queue *q);

/* The receipt handle for the last time that a message was taken. */
void queue_handle(const struct queue *q, const struct message *m,
    char handle[QUEUE_HANDLE_LEN + 1]);

enum queue_found {
	QUEUE_FOUND,   /* it is *m's newest handle */
	QUEUE_STALE,   /* the message is gone, or was taken again since */
	QUEUE_FOREIGN, /* never one of this queue's handles */
};
enum queue_found
queue_find(const struct queue *q, const char *handle, struct message **m);

void queue_delete(struct queue *q, struct message *m);
void queue_purge(struct queue *q);

/* Hides a message for visibility_ms from now on; 0 shows it. */
void queue_hide(struct queue *q, struct message *m, int64_t visibility_ms,
    const struct moment *now);

/* When queue_advance() will show something: steady clock; QUEUE_FOREVER. */
int64_t queue_next_due(const struct queue *q);

#endif
