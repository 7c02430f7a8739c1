/* SPDX-License-Identifier: ISC */
#ifndef WHK_STAT_PROGRAM_H
#define WHK_STAT_PROGRAM_H

#include "cli.h"
#include "loop.h"
#include "stats-round.h"
#include "webhook-ids.h"
#include "whk-stat/stat.h"
#include "whk-stat/watch.h"

/* whk-stat as a whole: what it was told, and what it is at. */

/* Refreshes of which the rate is shown. */
#define HISTORY 60

struct options {
	struct cli_list checks, webhooks;
	const char *tenant, *queue, *color;
	int64_t max, interval_ms;
	bool json, prometheus, watch;
};

struct program {
	struct options o;
	bool color;
	struct webhook_ids ids;
	struct check *checks;
	struct choice choice;
	bool asks_queue;
	struct loop loop;
	struct http *http;
	struct event *tick;
	struct round round;
	struct stats shown; /* the last round's that was whole */
	bool whole;         /* there was one */
	bool on_terminal;   /* it is drawn in place */
	bool any;           /* something was printed */
	struct watch watch;
	double history[HISTORY];
	size_t history_count;
	int64_t attempts, attempts_at_ms; /* at the last refresh */
	struct err trouble;               /* msg "": none */
	struct buf out;
	int status;
};

/* Ends the program; after saying why, where it failed. */
void program_end(struct program *p, int status);
void program_fail(struct program *p, const struct err *e);

/* Keeps the rate since the last refresh, which the screen shows. */
void program_remember(struct program *p);

/* Prints or draws what is known. */
void program_show(struct program *p);

/*
 * The end of a run that is for once: prints what is known or judges it, and
 * says what is missing.
 */
void program_finish(struct program *p);

#endif
