/* SPDX-License-Identifier: ISC */
#ifndef WHK_WEBHOOK_H
#define WHK_WEBHOOK_H

#include <stdbool.h>

#include <jansson.h>

#include "err.h"
#include "sign.h"

struct guard;

/*
 * A webhook's definition: a JSON object with those keys of a webhook line
 * (whk(5)) that its owner decides: url, events, tenant, filter, headers,
 * content_type, timeout_ms, schedule_ms, rate, max_in_flight, ordered,
 * description; and secret. whk.add() and whk.set() take it as it is.
 */
enum webhook_use {
	WEBHOOK_ADD, /* a new one: needs a url; null is as good as absent */
	WEBHOOK_SET, /* changes to one: null sets back to the default */
};

/*
 * Checks a definition from outside. Returns a new object with only the keys
 * above, nulls resolved; what else is there (state, counters) is left out.
 * NULL with *e that names the key. A filter's syntax is for the database to
 * judge (whk.bad_filters()). webhook_free() frees it.
 */
json_t *webhook_check(const json_t *given, enum webhook_use use, struct err *e);

/*
 * Reads JSON text of len bytes, without duplicate members. NULL with *e, which
 * shows nothing of what is in it.
 */
json_t *webhook_read(char *text, size_t len, struct err *e);

/*
 * webhook_check() from JSON text of len bytes, such as a webhook line. *e shows
 * nothing of a secret in it.
 */
json_t *
webhook_parse(char *text, size_t len, enum webhook_use use, struct err *e);

/* Whether text is a secret that can sign: 0, or -1 with *e. */
int webhook_check_secret(const char *text, struct err *e);

/*
 * Gives a definition without a secret a new one and copies it to made, which
 * is "" where it had one. 0, or -1 with *e.
 */
int webhook_make_secret(json_t *def, char made[SIGN_SECRET_MAX], struct err *e);

/*
 * Whether a checked definition may not work as things are here: its host is
 * an address that the guard refuses (where whk-send runs it may not), its
 * timeout no shorter than the usual lease. Says so in *e.
 */
bool
webhook_doubtful(const json_t *def, const struct guard *guard, struct err *e);

/* Wipes the secret and lets go of the object; NULL is allowed. */
void webhook_free(json_t *def);

#endif
