/* SPDX-License-Identifier: ISC */
#ifndef WHK_EVENT_RULES_H
#define WHK_EVENT_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "line.h"

/* The longest type, tenant, key or content type of an event, in bytes. */
#define EVENT_TEXT_MAX 256

/*
 * Whether what did not come as a line may be an event: the bounds are those of
 * whk(5). What is not said is not looked at. 0, or -1 with *e that names the
 * member.
 */
int event_check(const struct event_line *ev, struct err *e);

/*
 * The type of an event that says none by itself: a top-level string member
 * "type" of a JSON body, if it may be a type. Copies it; false if there is
 * none.
 */
bool
event_body_type(const char *body, size_t len, char type[EVENT_TEXT_MAX + 1]);

#endif
