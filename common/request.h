/* SPDX-License-Identifier: ISC */
#ifndef WHK_REQUEST_H
#define WHK_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "sign.h"

/*
 * The header lines of an attempt (whk(7), "Sending"; Standard Webhooks 1.0.0):
 * for those who send it and those who show it.
 */

/* What signs, newest first. Zeroed memory has none. */
struct request_keys {
	struct request_key {
		struct sign_key *key;
		int64_t ends_ms; /* since 1970; 0: never */
	} * v;
	size_t count;
};

/*
 * Reads what whk.webhooks() gives as secrets: lines of a secret and the time
 * in ms at which it ends, 0 for never; NULL: none. Returns how many cannot
 * sign and are left out, with *e for the last of them, or -1 with *e if memory
 * is out. request_keys_free() wipes the keys.
 */
int request_keys_read(struct request_keys *k, const char *text, struct err *e);
void request_keys_free(struct request_keys *k);

/* What is borrowed by a request while it is made. */
struct request_parts {
	const char *id;
	const char *type;         /* the event's, or NULL */
	const char *content_type; /* NULL: application/json */
	const char *own; /* the webhook's: lines ended by LF, or NULL */
	int attempt;
	int64_t at_ms; /* when it begins, since 1970 */
	const void *body;
	size_t body_len;
	const struct request_keys *keys;
};

/* Whole lines, "name: value", in the order in which they are sent. */
struct request {
	const char **headers;
	size_t count;
	struct buf text; /* what they point into */
};

/*
 * Makes the lines of a zeroed request, but for user-agent, host and length,
 * which are made as it is sent. 0, or -1 with *e. request_free() in any case.
 */
int
request_make(struct request *r, const struct request_parts *p, struct err *e);
void request_free(struct request *r);

#endif
