/* SPDX-License-Identifier: ISC */
#ifndef WHK_OUTPUT_H
#define WHK_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

struct event_base;

/*
 * Lines to a descriptor on an event loop, one write(2) each, without ever
 * blocking the loop on a full pipe: what cannot be written yet is held. The
 * descriptor is not set to non-blocking: on a pipe, lines of up to PIPE_BUF
 * bytes are written whole when poll(2) says there is room, longer ones in
 * such pieces.
 */
struct output;

struct output_handler {
	/* What is held fell below the limit again, or all of it is written,
	   which who wants to end waits for. May be NULL. */
	void (*room)(void *arg);
	/* Writing failed, once; all later lines are thrown away. */
	void (*failed)(void *arg, const struct err *e);
};

/*
 * limit: bytes held before output_full() says so (more is still taken).
 * NULL with *e on failure. h and arg are kept.
 */
struct output *output_new(struct event_base *base, int fd, size_t limit,
    const struct output_handler *h, void *arg, struct err *e);

/*
 * Writes or holds a line; buf is copied where it must be held and has its LF.
 * The calls of the handler come later, from the loop, never from here.
 */
void output_line(struct output *o, const char *buf, size_t len);

/*
 * Where fd is a pipe, has failed() called as soon as its reader goes away
 * instead of at the next line. It counts as something that the loop waits for.
 * Returns 0, or -1 with *e.
 */
int output_watch(struct output *o, struct err *e);

void output_unwatch(struct output *o); /* as nothing more will be written */

bool output_full(const struct output *o); /* more than limit is held */
/* All is written, or it failed and the handler was told. */
bool output_empty(const struct output *o);

void output_free(struct output *o); /* leaves fd open; NULL is allowed */

#endif
