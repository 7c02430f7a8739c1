/* SPDX-License-Identifier: ISC */
#ifndef WHK_WEBHOOK_IDS_H
#define WHK_WEBHOOK_IDS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "sign.h"

/* Ids of webhooks, each once, in order. Zeroed memory has none. */
struct webhook_ids {
	int64_t *v;
	size_t count;
};

/* Reads them from operands. 0, or -1 with *e that names the bad one. */
int webhook_ids_parse(
    struct webhook_ids *ids, char **argv, int argc, struct err *e);

/*
 * Takes those that are no webhook's out of ids and puts them into missing.
 * 0, or -1 with *e.
 */
int webhook_ids_find(struct webhook_ids *ids, struct webhook_ids *missing,
    PGconn *db, struct err *e);

void webhook_ids_free(struct webhook_ids *ids);

/* The text of a secret; "": none. */
struct webhook_secret {
	char text[SIGN_SECRET_MAX];
};

/*
 * Adds the lines (whk(5)) of count webhooks, whose ids ascend, to *out. Where
 * secrets is not NULL it has one for each, which stands in its line as
 * "secret". 0, or -1 with *e.
 */
int webhook_lines(PGconn *db, const int64_t *ids, size_t count,
    const struct webhook_secret *secrets, struct buf *out, struct err *e);

#endif
