/* SPDX-License-Identifier: ISC */
#ifndef WHK_REPLAY_REPLAY_H
#define WHK_REPLAY_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "cli.h"
#include "db.h"
#include "event-id.h"
#include "loop.h"
#include "progress.h"

/*
 * whk-replay from the inside. Pairs of event and webhook come from lines
 * (lines.c) or from a selection (selection.c) and go to the database in
 * batches (batch.c), each of which is a transaction of its own.
 */

/* Pairs in one batch. */
#define BATCH 500

struct options {
	const char *event, *tenant, *outcome, *since, *until;
	struct cli_list types;
	int64_t webhook;
	bool missing, dry, verbose;
};

/* One delivery: an event, perhaps its time, and a webhook. */
struct pair {
	char event[EVENT_ID];
	int64_t time_ms; /* -1: of the newest event of that id */
	int64_t webhook;
	uint64_t line; /* where it was read; 0: it was selected */
};

struct replay {
	const struct options *o;
	char event[EVENT_ID]; /* that --event means; "": any */
	struct loop loop;
	PGconn *db; /* for the batches */
	struct pair pairs[BATCH];
	int count;
	int64_t due, pending, bad;
	int64_t bare; /* selected, but their bodies are gone */
	struct progress progress;
	bool terminal; /* who sees it */
	int status;

	struct input *input; /* lines.c */
	struct event *idle;
	PGconn *from; /* selection.c */
	bool cancelled;
};

/* Prints why and sets the status to end with. */
void replay_fail(struct replay *r, const struct err *e);

/* Adds a pair, and replays the batch when it is full. -1: the run is over. */
int batch_add(struct replay *r, const struct pair *p);
/* Replays what the batch holds. -1: the run is over. */
int batch_flush(struct replay *r);

/* Replays what the lines on standard input name. */
void replay_lines(struct replay *r);

/* Replays what the options select from since on and before until. */
void replay_selection(struct replay *r, int64_t since, int64_t until);

#endif
