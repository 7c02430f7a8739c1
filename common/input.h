/* SPDX-License-Identifier: ISC */
#ifndef WHK_INPUT_H
#define WHK_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct event_base;

/* The longest line taken, in bytes, without its LF (whk(5)). */
#define INPUT_LINE_MAX ((size_t)8 << 20)

/*
 * Lines from a descriptor on an event loop: a pipe, a socket, a terminal or a
 * regular file. It is never set to non-blocking, as others may share it.
 */
struct input;

struct input_handler {
	/*
	 * A line without its LF, NUL-terminated (but it may hold NULs), valid
	 * during the call and writable; number counts from 1. A line over
	 * INPUT_LINE_MAX comes as line NULL with len 0; what is too long is
	 * read and thrown away. The last line needs no LF.
	 */
	void (*line)(void *arg, char *line, size_t len, uint64_t number);
	/* The end: e is NULL at end of input, or says why reading failed. */
	void (*end)(void *arg, const struct err *e);
};

/* Starts reading fd. NULL with *e on failure. h and arg are kept. */
struct input *input_new(struct event_base *base, int fd,
    const struct input_handler *h, void *arg, struct err *e);

/*
 * Stops and starts the calls of line(), at once, even in the middle of a
 * call. While it is paused nothing is read, and end() is not called either.
 * Both may be repeated.
 */
void input_pause(struct input *in);
void input_resume(struct input *in);

/*
 * Reads no more: what has come in whole is handed out, then end() is called.
 * The beginning of a line whose end was not read is thrown away.
 */
void input_stop(struct input *in);

/* Leaves fd open; NULL is allowed; may be called from within a callback. */
void input_free(struct input *in);

#endif
