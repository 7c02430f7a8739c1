/* SPDX-License-Identifier: ISC */
#ifndef WHK_ACCEPT_H
#define WHK_ACCEPT_H

#include <stddef.h>
#include <stdint.h>

#include "db.h"
#include "line.h"

/*
 * A batch of events on its way through whk.accept(): stored, and leased to
 * this program.
 */
struct accept {
	struct args args;
	size_t count;
	size_t bytes; /* of the bodies */
};

/* Events and bytes of bodies that one call takes at the most, by custom. */
#define ACCEPT_EVENTS 500
#define ACCEPT_BYTES ((size_t)4 << 20)

/* Makes an empty batch of zeroed or used memory. */
void accept_init(struct accept *a);

/*
 * Adds an event; id and time must be said. chosen: the producer chose the id.
 * What it points to is copied.
 */
void accept_add(struct accept *a, const struct event_line *ev, bool chosen);

/* Whether the batch is as large as one call should be. */
bool accept_full(const struct accept *a);

/*
 * Calls whk.accept() with the batch, which is empty afterwards. via is the way
 * by which the events came ("queue" or "line"; sql/002-via.sql). done gets a
 * row for each event, in order, to be read by accept_row(). 0, or -1 with *e.
 */
int accept_call(struct accept *a, struct db *db, int64_t lease_ms,
    const char *via, db_done *done, void *arg, struct err *e);

/*
 * Asks only for whom the batch would be, storing nothing; empties it too. The
 * answer has a row for each event, in order: the ids of webhooks, an array.
 */
int accept_match(
    struct accept *a, struct db *db, db_done *done, void *arg, struct err *e);

/* What became of one event. The arrays are the caller's to free. */
struct accept_row {
	bool fresh;  /* not a repeat */
	int64_t *to; /* webhooks whose rows are leased; NULL: none */
	size_t to_count;
	int64_t *missing; /* ids asked for that are no webhook; NULL: none */
	size_t missing_count;
	int64_t lease_ms; /* the end of the lease, since 1970 */
};

/* Reads row n (from 0) of the answer. 0, or -1 if memory is out. */
int accept_row(const PGresult *r, int n, struct accept_row *row);

#endif
