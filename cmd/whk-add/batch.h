/* SPDX-License-Identifier: ISC */
#ifndef WHK_ADD_BATCH_H
#define WHK_ADD_BATCH_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "buf.h"
#include "err.h"
#include "webhook-ids.h"

/* Definitions that go to the database together. Zeroed memory has none. */
struct batch {
	struct batch_entry {
		char *text;    /* the definition as JSON */
		char *filter;  /* or NULL */
		uint64_t line; /* where it comes from; 0: the command line */
	} * v;
	size_t count, size;
	struct webhook_secret *secrets; /* that were made, one for each */
	int64_t *ids;                   /* set by batch_store() */
};

/* Adds a checked definition, which stays the caller's. 0, or -1 with *e. */
int batch_add(struct batch *b, const json_t *def, uint64_t line, struct err *e);

/*
 * Asks the database about the filters. bad(arg, line, reason) is called for
 * each that is none. Returns how many there were, or -1 with *e.
 */
typedef void batch_bad(void *arg, uint64_t line, const char *reason);
int batch_check(const struct batch *b, PGconn *db, batch_bad *bad, void *arg,
    struct err *e);

/* Stores some more, the first being at: returns how many, or -1 with *e. */
int batch_store(struct batch *b, PGconn *db, size_t at, struct err *e);

/* Wipes the secrets and frees the rest. */
void batch_free(struct batch *b);

#endif
