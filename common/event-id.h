/* SPDX-License-Identifier: ISC */
#ifndef WHK_EVENT_ID_H
#define WHK_EVENT_ID_H

#include <stdint.h>

#include "db.h"

/* An event's id has 128 bytes at the most. */
#define EVENT_ID 129

/*
 * The id that a person means by a word: an event's, or the beginning of only
 * one event's; and the time of the newest event that has it, in ms since 1970.
 * 0, or -1 with *e: there is none, or there are several, of which some are
 * named.
 */
int event_id_find(PGconn *db, const char *word, char id[EVENT_ID],
    int64_t *time_ms, struct err *e);

/* There is no such event: says so, and how far back the record goes. -1. */
int event_id_none(PGconn *db, const char *word, struct err *e);

#endif
