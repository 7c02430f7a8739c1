/* SPDX-License-Identifier: ISC */
#ifndef WHK_EMIT_SAY_H
#define WHK_EMIT_SAY_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct event;
struct event_base;

/* What people read: complaints and, on a terminal, how far it came. */
struct say {
	uint64_t sent; /* events; counted by the owner */
	uint64_t told;
	int64_t since_ms; /* when the last progress was written */
	struct event *tick;
	bool progress; /* there is one on the terminal */
};

/* Writes a line on standard error, in place of the progress. */
void
say(struct say *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Shows the progress every second, on a terminal. 0, or -1 with *e. */
int say_progress(struct say *s, struct event_base *base, struct err *e);

void say_free(struct say *s); /* wipes the progress away */

#endif
