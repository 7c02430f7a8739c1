/* SPDX-License-Identifier: ISC */
#ifndef WHK_LINE_H
#define WHK_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

/* The JSON lines that go between the programs; whk(5) specifies them. */

/* The deepest nesting of arrays and objects that a line may have. */
#define LINE_DEPTH 100

/*
 * An event. Strings are NUL-terminated UTF-8 without NULs inside; NULL means
 * that the line does not say. Parsed, they point into the line.
 */
struct event_line {
	const char *id;
	const char *type;
	const char *tenant;
	const char *key;
	const char *content_type;
	int64_t time_ms;  /* since 1970; -1: not said */
	const char *body; /* the bytes to send */
	size_t body_len;
	int attempt;	  /* 1 and up; 0: not said */
	int64_t *to;	  /* webhook ids; NULL: not said */
	size_t to_count;
	int64_t lease_ms; /* since 1970; -1: the event is not stored yet */
	char *extra;	  /* unknown members as compact JSON text, each with a
			     comma before it; NULL: none */
};

/*
 * Parses a line of len bytes in place. Returns 0, or -1 with *e that says in
 * a few words what is wrong ("not JSON", "no body", "id: ..."). Numbers in a
 * body that is not a string keep their digits. The line outlives *ev; to and
 * extra are *ev's own, freed by line_event_free().
 */
int line_event_parse(char *line, size_t len, struct event_line *ev,
    struct err *e);
void line_event_free(struct event_line *ev);

/* Adds the line for ev with its LF; what is not said is left out. */
void line_event_write(struct buf *b, const struct event_line *ev);

/* An attempt, as whk-send prints it. */
struct attempt_line {
	const char *event; /* the event's id */
	const char *type;  /* or NULL */
	int64_t webhook;
	int attempt;
	int64_t at_ms;	     /* when it began; since 1970 */
	const char *outcome; /* delivered, retry, failed, cancelled, deferred */
	int status;	     /* 0: there was none */
	const char *error;   /* or NULL */
	int64_t ms;	     /* how long it took; -1: nothing was sent */
	int64_t next_ms;     /* when it is tried again; -1: not */
	const char *extra;   /* as in struct event_line */
};

/* Adds the line for at with its LF. */
void line_attempt_write(struct buf *b, const struct attempt_line *at);

#endif
