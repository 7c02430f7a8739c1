/* SPDX-License-Identifier: ISC */
#ifndef WHK_SEND_SEND_H
#define WHK_SEND_SEND_H

#include <sys/queue.h>
#include <sys/tree.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accept.h"
#include "buf.h"
#include "db.h"
#include "guard.h"
#include "http.h"
#include "input.h"
#include "line.h"
#include "log.h"
#include "loop.h"
#include "output.h"
#include "request.h"

/*
 * whk-send from the inside. A line becomes a message; with a lease at once,
 * without one after accept() has stored it (intake.c). Each webhook that it is
 * for gets a task (hooks.c), which waits for its turn, becomes a flight
 * (flight.c) and ends as an outcome that is recorded in a batch and printed
 * (outcome.c). Everything is one struct send and one thread.
 */

/* Lines, bytes and what is to be done for them (attempts that wait, are under
   way, or not on record) at which reading stops: no more tasks than get their
   turn within WAIT_MAX_MS where no webhook is slow. */
#define HOLD_MESSAGES 3000
#define HOLD_BYTES ((size_t)16 << 20)
#define HOLD_TASKS 8000

/* A task that waited so long for its webhook's turn is parked. */
#define WAIT_MAX_MS 1000

/* What is known of webhooks is good for so long without a word from the
   database, whose notifications would have told of a change. */
#define KNOWN_MS 1000

/* How much of an answer is read and kept. */
#define ANSWER_READ ((size_t)64 << 10)
#define ANSWER_KEEP ((size_t)1 << 10)

struct options {
	const char *allow, *log_format;
	int64_t lease_ms, jobs;
	bool fail, dry, verbose;
};

/* An event in memory; shared by its tasks. */
struct message {
	struct event_line event; /* points into text */
	int refs;
	size_t size;     /* bytes that count for HOLD_BYTES */
	uint64_t number; /* of the line */
	bool chosen;     /* the line had an id of its own */
	char text[];
};

/* What is sent with, as it was read; shared by hook and flights. */
struct config {
	int refs;
	char *url;
	char *content_type; /* NULL: the event's */
	char *headers;      /* lines ended by LF, or NULL */
	int64_t timeout_ms;
	struct request_keys keys;
};

struct task {
	TAILQ_ENTRY(task) entry;
	struct message *message;
	int64_t arrived_ms; /* by the steady clock */
};

TAILQ_HEAD(tasks, task);

/* A webhook that has tasks, or had some lately. */
struct hook {
	RB_ENTRY(hook) node;
	TAILQ_ENTRY(hook) turn; /* in send.ready */
	int64_t id;
	uint64_t known; /* == send.generation: what follows is good */
	bool asked;     /* the database is being asked */
	bool stale;     /* it changed while it was asked for */
	bool in_turn;
	bool slow; /* tasks were parked as they waited too long */
	bool shut, gone;
	int64_t blocked_ms; /* nothing is sent before; 0: not blocked */
	int max;            /* flights at once */
	int flights;
	struct config *config; /* NULL where gone */
	struct tasks tasks;
	size_t waiting; /* tasks */
};

RB_HEAD(hook_tree, hook);
TAILQ_HEAD(hook_list, hook);

struct send {
	const struct options *o;
	const struct log *log;
	struct loop loop;
	struct guard guard;
	struct http *http;
	struct db *db;
	struct input *input;
	struct output *output;
	struct event *tick; /* looks at what waits */
	struct event *next; /* the next turn of the loop */
	struct event *late; /* gives up where the database stays away */

	/* intake */
	struct accept storing;     /* lines without a lease, to be stored */
	struct message **unstored; /* theirs, in order */
	size_t unstored_count, unstored_size;
	struct message **in_accept; /* those in the call under way */
	size_t in_accept_count;
	size_t messages, bytes; /* in memory */
	bool input_ended, paused;
	bool closed; /* for good, as nobody reads the output */

	/* hooks */
	struct hook_tree hooks;
	size_t hook_count, waiting; /* webhooks known; tasks of them all */
	struct hook_list ready;     /* have tasks and may start one */
	uint64_t generation;
	int64_t *ask; /* ids to ask for */
	size_t ask_count, ask_size;
	bool asking; /* a question is under way */
	int64_t flights;
	int starts; /* in this turn of the loop */

	/* outcomes */
	struct args record; /* of the next call */
	struct outcome *outcomes;
	size_t outcome_count, outcome_size;
	struct outcome *recording; /* those in the call under way */
	size_t recording_count;
	size_t uncounted; /* on record, and not counted at their webhooks */
	bool counting;
	int64_t counted_ms; /* when they were last, by the steady clock */
	struct buf line;

	bool db_trouble;
	bool finite; /* the input is a file, which ends by itself */
	int64_t delivered, undelivered, expired;
	uint64_t bad;
	int status;
};

/* What came of a task, until it is on record and printed. */
struct outcome {
	struct message *message;
	int64_t webhook;
	int64_t at_ms;
	int status;
	const char *error; /* a word, or NULL */
	int64_t ms;        /* -1: nothing was sent */
};

/* whk-send.c */
void send_go_on(struct send *s); /* looks what is next; after every event */
void send_give_up(struct send *s, const struct err *e);

/* intake.c */
extern const struct input_handler intake_handler;
void intake_go_on(struct send *s);
bool intake_idle(const struct send *s);
void message_unref(struct send *s, struct message *m);
void intake_free(struct send *s);

/* hooks.c */
void hooks_init(struct send *s);
/* One task for each of the message's webhooks; takes over a reference. */
void hooks_add(struct send *s, struct message *m);
void hooks_go_on(struct send *s); /* starts whatever may start */
void hooks_notified(void *arg, const char *channel, const char *payload);
void hooks_flown(struct send *s, struct hook *h); /* a flight ended */
void hooks_park_late(struct send *s);
bool hooks_idle(const struct send *s);
void config_unref(struct config *c);
void hooks_free(struct send *s);

/* flight.c */
/* Starts the attempt that a task is; takes over the reference to m. */
void flight_start(struct send *s, struct hook *h, struct message *m);
/* Prints the request that it would be instead (-n). */
void flight_show(struct send *s, struct hook *h, const struct message *m);

/* outcome.c */
void outcome_init(struct send *s);
/* Takes over the reference to m. answer NULL: nothing was sent, and word says
   why: deferred or cancelled. */
void outcome_add(struct send *s, struct message *m, int64_t webhook,
    int64_t at_ms, const struct http_answer *answer, const char *word);
void outcome_go_on(struct send *s);
bool outcome_idle(const struct send *s);    /* all is on record */
bool outcome_counted(const struct send *s); /* all of that is counted */
void outcome_free(struct send *s);

#endif
