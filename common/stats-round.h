/* SPDX-License-Identifier: ISC */
#ifndef WHK_STATS_ROUND_H
#define WHK_STATS_ROUND_H

#include "db.h"
#include "stats.h"

/*
 * A round of questions, to the database and to the queue, all at once; zeroed
 * memory with the first five filled in.
 */
struct round {
	struct db *db;
	struct sqs *queue; /* NULL: none is asked */
	const char *queue_name;
	const struct choice *choice;
	void (*done)(void *arg); /* all are answered */
	void *arg;
	struct stats s;
	struct err db_error, queue_error; /* msg "": none */
	int open;                         /* not answered yet */
};

/*
 * Starts a round, forgetting the one before, unless that is still under way.
 * Trouble of the database is not the round's: it waits until that is over.
 * Returns 0, or -1 with *e if memory is out.
 */
int round_start(struct round *r, struct err *e);

void round_free(struct round *r);

#endif
