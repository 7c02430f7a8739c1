/* SPDX-License-Identifier: ISC */
#ifndef WHK_STAT_H
#define WHK_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "stats.h"

/* whk-stat's own: the figures, and the forms in which they are shown. */

/* How the screen is drawn. */
struct look {
	bool color;
	int columns;           /* of the terminal; 0: nothing is cut */
	bool worst;            /* the webhooks listed are the worst */
	const double *history; /* attempts a minute, refresh by refresh */
	size_t history_count;  /* 0: none is shown */
	const char *trouble;   /* shown below all else, or NULL */
};

/* The forms, each added to *out. 0, or -1 if memory is out. */
int stat_screen(const struct stats *s, const struct look *l, struct buf *out);
int stat_lines(const struct stats *s, const struct choice *c, struct buf *out);

/* Adds a sparkline of count values, from nothing to the largest. */
void stat_spark(const double *values, size_t count, struct buf *out);

/* A number in few characters: "12", "1.25", "0.003"; with "+" where more. */
#define STAT_NUMBER 40
void stat_number(double v, char buf[STAT_NUMBER]);
void stat_count(int64_t v, bool more, char buf[STAT_NUMBER]);

/*
 * A check: what --check says, taken apart. Returns 0, or -1 with *e, which
 * lists the names.
 */
struct check {
	const char *text; /* borrowed */
	const struct check_name *name;
	char op[3];
	double limit;  /* in the name's own unit */
	char unit[3];  /* in which the limit was given */
	double factor; /* of that unit */
};
int check_parse(struct check *c, const char *text, struct err *e);

/* Whether it asks for the queue. */
bool check_queue(const struct check *c);

/* Whether the figures pass; if not, adds a line that says what they are. */
bool check_run(const struct check *c, const struct stats *s, struct buf *out);

#endif
