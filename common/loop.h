/* SPDX-License-Identifier: ISC */
#ifndef WHK_LOOP_H
#define WHK_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct event;
struct event_base;

/*
 * An event loop that ends well: the first SIGTERM or SIGINT calls stop(arg)
 * once and gives both signals their default action back, so that the second
 * kills. SIGPIPE is ignored from loop_init() on.
 */
struct loop {
	struct event_base *base;
	bool stopping; /* the first signal came */
	void (*stop)(void *);
	void *arg;
	struct event *term, *intr;
};

/* Returns 0, or -1 with *e. The struct must not move. loop_free() undoes it. */
int loop_init(struct loop *l, void (*stop)(void *), void *arg, struct err *e);

/* Runs until loop_break() or until nothing is left to wait for. 0 or -1. */
int loop_run(struct loop *l, struct err *e);

/* Makes loop_run() return after the callback that now runs. */
void loop_break(struct loop *l);

void loop_free(struct loop *l);

/*
 * Whether an event can wait for fd. A regular file, a directory and devices
 * like /dev/null are always ready and cannot be waited for.
 */
bool loop_can_poll(int fd);

/*
 * Waits that grow: for whatever fails and is tried again. The first failure
 * waits min_ms, each further one twice as long up to max_ms, each wait spread
 * by +-10 %.
 */
struct backoff {
	int64_t min_ms, max_ms; /* set by the owner */
	int64_t wait_ms;        /* 0: no failure since the last success */
};

/*
 * Counts a failure: returns the milliseconds to wait. *first, if not NULL, is
 * true when the trouble begins, which is when the program says it.
 */
int64_t backoff_fail(struct backoff *b, bool *first);

/* Counts a success: true if it ends a trouble, which is to be said too. */
bool backoff_ok(struct backoff *b);

#endif
