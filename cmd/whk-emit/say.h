/* SPDX-License-Identifier: ISC */
#ifndef WHK_EMIT_SAY_H
#define WHK_EMIT_SAY_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "progress.h"

struct event;
struct event_base;

/* What people read: complaints and, on a terminal, how far it came. */
struct say {
	uint64_t sent; /* events; counted by the owner */
	int fd;        /* where they come from */
	struct progress progress;
	struct event *tick;
	bool shown; /* there is a progress on the terminal */
};

/* Writes a line on standard error, in place of the progress. */
void
say(struct say *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Shows every second how far it came with what is read from fd, on a terminal.
 * 0, or -1 with *e.
 */
int say_progress(struct say *s, struct event_base *base, int fd, struct err *e);

void say_free(struct say *s); /* wipes the progress away */

#endif
