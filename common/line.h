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

/* The most webhooks that "to" may name. */
#define LINE_TO_MAX 10000

/*
 * An event. Strings are NUL-terminated UTF-8 without NULs inside; NULL means
 * that the line does not say. Parsed, they point into the line.
 */
struct event_line {
	const char *id;     /* see text_is_id() */
	const char *type;   /* this and the next two: 1 to 256 bytes */
	const char *tenant; /* without control characters */
	const char *key;
	const char *content_type; /* 1 to 256 printable ASCII */
	int64_t time_ms;          /* since 1970; -1: not said */
	const char *body;         /* the bytes to send */
	size_t body_len;
	int attempt;      /* 1 to 1,000,000; 0: not said */
	int64_t *to;      /* webhook ids, distinct, from 1; NULL: not said */
	size_t to_count;  /* 1 to LINE_TO_MAX where to is not NULL */
	int64_t lease_ms; /* since 1970; -1: the event is not stored yet */
	char *extra;      /* unknown members as compact JSON text, each with a
			     comma before it; NULL: none */
};

/*
 * Parses a line of len bytes, without its LF, in place: whk(5) says what it
 * may hold. Returns 0, or -1 with *e that says in a few words what is wrong
 * ("not JSON at byte 17: ...", "no body", "id: ..."); e->temporary is true
 * where memory ran out. Numbers in a body that is not a string keep their
 * digits. One with a lease has id, time, attempt and to. The line, which is
 * changed in any case, outlives *ev; to and extra are *ev's own, freed by
 * line_event_free(), which a failed parse needs not but bears.
 */
int
line_event_parse(char *line, size_t len, struct event_line *ev, struct err *e);
void line_event_free(struct event_line *ev);

/*
 * Gives ev's strings another place: copies them, without what else the line
 * had, to room, which has line_event_room(ev) bytes, and points to the copies.
 * Returns their end.
 */
size_t line_event_room(const struct event_line *ev);
char *line_event_move(struct event_line *ev, char *room);

/* Adds the line for ev with its LF; what is not said is left out. */
void line_event_write(struct buf *b, const struct event_line *ev);

/* An attempt, as whk-send prints it. */
struct attempt_line {
	const char *event; /* the event's id */
	const char *type;  /* or NULL */
	int64_t webhook;
	int attempt;         /* 0: not said */
	int64_t at_ms;       /* when it began, since 1970; -1: not said */
	const char *outcome; /* delivered, retry, failed, cancelled, deferred;
				NULL: not said */
	int status;          /* 0: there was none */
	const char *error;   /* or NULL */
	int64_t ms;          /* how long it took; -1: nothing was sent */
	int64_t next_ms;     /* when it is tried again; -1: not */
	char *extra;         /* as in struct event_line */
};

/*
 * Parses as line_event_parse() does. Only event and webhook must be there;
 * outcome and error are any words. Free with line_attempt_free().
 */
int line_attempt_parse(
    char *line, size_t len, struct attempt_line *at, struct err *e);
void line_attempt_free(struct attempt_line *at);

/*
 * Adds the line for at with its LF; what is not said is left out, and of extra
 * what has the name of a member.
 */
void line_attempt_write(struct buf *b, const struct attempt_line *at);

#endif
