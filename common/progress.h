/* SPDX-License-Identifier: ISC */
#ifndef WHK_PROGRESS_H
#define WHK_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* How far something has come that takes long, for a person at a terminal. */
struct progress {
	int64_t begun_ms; /* by the steady clock; set by the owner */
	int64_t shown_ms; /* 0: never */
};

/*
 * Whether it is time to show it: a second after the beginning, and then some
 * times a second.
 */
bool progress_due(struct progress *p, int64_t now_ms);

/*
 * The text: "32000 webhooks, 8123/s, 53 %, 3 s left". what NULL: count is not
 * said; part is what has been done of all, from 0 to 1, or 0 where that is not
 * known.
 */
#define PROGRESS_TEXT 96
void progress_text(const struct progress *p, int64_t now_ms, int64_t count,
    const char *what, double part, char text[PROGRESS_TEXT]);

#endif
