/* SPDX-License-Identifier: ISC */
#ifndef WHK_PRUNE_PRUNE_H
#define WHK_PRUNE_PRUNE_H

#include <stdbool.h>
#include <stdint.h>

#include "db.h"
#include "progress.h"

/*
 * whk-prune from the inside. Each thing it does is a step that can be killed:
 * one function of sql/190-prune.sql and those after it, in one transaction.
 */

/* Blocks that are read for a file, or copied, in one transaction. */
#define SPAN 4096
#define COPY_SPAN 16384

struct options {
	int64_t keep_ms, bodies_ms, wait_ms;
	const char *export, *tenant;
	bool forget, dry, verbose;
};

struct prune {
	const struct options *o;
	PGconn *db;
	int64_t events, attempts, kept, bodies, moved, single; /* rows */
	bool failed; /* something was left as it is; a message said why */

	bool terminal; /* who sees the progress */
	struct progress progress;
	struct progress part; /* of what it is at */
	const char *doing, *day;
};

/* A day's partition, or what lies by itself, and what is to be done with it. */
struct item {
	const char *what;   /* drop, slim, move or rest */
	const char *parent; /* event or attempt */
	const char *part;
	const char *day; /* 2026-11-23, or NULL for what lies by itself */
	int64_t rows, bytes, kept;
};

/* For a person at a terminal: what is going on, and how far it is. */
void prune_progress(
    struct prune *p, const char *doing, const char *day, int64_t percent);
void prune_progress_end(struct prune *p);

/* Says what was done with a day, if -v was given. */
void prune_say(struct prune *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Asks for one number. With patience, null is an answer that says that a lock
 * was taken: it is asked again until the time of --wait is over. 0, or -1
 * with *e, which is temporary where that was so.
 */
int prune_number(struct prune *p, const char *sql, struct args *a, int64_t *n,
    struct err *e);
int prune_patient(struct prune *p, const char *sql, struct args *a, int64_t *n,
    struct err *e);

/* The same for a function of one text, in a statement. */
int prune_number_of(struct prune *p, const char *sql, const char *text,
    int64_t *n, struct err *e);
int prune_patient_of(struct prune *p, const char *sql, const char *text,
    int64_t *n, struct err *e);

/*
 * The steps (steps.c). Each is 0, or -1 with *e; after -1 prune_clean() takes
 * away what is half done.
 */
int prune_clean(struct prune *p, struct err *e);
int prune_drop(struct prune *p, const struct item *it, struct err *e);
int prune_slim(struct prune *p, const struct item *it, struct err *e);
int prune_repair(struct prune *p, const char *parent, struct err *e);
int prune_rest(struct prune *p, struct err *e);

/*
 * Writes the first blocks of a table to the file of a day in --export, unless
 * it has one that holds the same lines, and reads it back (export.c). day says
 * which rows; with all, they are all of that day. 0, or -1 with *e.
 */
int prune_export(struct prune *p, const char *parent, const char *part,
    const char *day, bool all, int64_t blocks, struct err *e);

/* Removes, or with -n counts, all of the tenant (forget.c). 0, or -1 with *e.
 */
int prune_forget(struct prune *p, struct err *e);

#endif
