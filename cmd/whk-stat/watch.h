/* SPDX-License-Identifier: ISC */
#ifndef WHK_STAT_WATCH_H
#define WHK_STAT_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "err.h"

struct event_base;

/*
 * A terminal on which a screen is drawn in place again and again, and which is
 * as it was before in the end, and while the program is stopped (ECMA-48, and
 * xterm's private modes 7, 25 and 1049).
 */
struct watch_handler {
	void (*redraw)(void *arg);  /* its size changed, or it is ours again */
	void (*refresh)(void *arg); /* a key was pressed */
	void (*quit)(void *arg);    /* "q" was, or SIGHUP or SIGQUIT came */
};

struct watch {
	const struct watch_handler *h;
	void *arg;
	bool entered;
	bool keys; /* standard input is the terminal */
	struct termios before;
	struct event *events[6];
};

/* Whether stdout is a terminal that can do it. */
bool watch_can(void);

/* Takes the terminal over. 0, or -1 with *e. watch_end() gives it back. */
int watch_begin(struct watch *w, struct event_base *base,
    const struct watch_handler *h, void *arg, struct err *e);
void watch_end(struct watch *w);

/*
 * Draws lines in the place of those before, as many as there is room for.
 * What of a line is too long is not seen. 0, or -1 with *e.
 */
int watch_draw(struct watch *w, const char *lines, size_t len, struct err *e);

#endif
