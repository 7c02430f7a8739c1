/* SPDX-License-Identifier: ISC */
#ifndef WHK_DB_PRIVATE_H
#define WHK_DB_PRIVATE_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "err.h"

/* What db.c and db-queue.c share. */

/*
 * What every connection begins with: that the server shall look after it as
 * this end does, and the question who it is.
 */
extern const char db_watch[], db_hello[];

/* Keywords and values for PQconnectStartParams(), ended by NULL. */
#define DB_KEYWORDS 16
struct db_params {
	const char *keys[DB_KEYWORDS];
	const char *values[DB_KEYWORDS];
};
void db_params(struct db_params *p, const char *program);

/* Fills *e from a connection that failed; returns -1. */
int db_connect_error(const PGconn *c, struct err *e);

/*
 * Whether a call may have failed as a whk-init makes the functions anew: it
 * began with those of before, and missed one on its way.
 */
bool db_changing(const PGresult *r);

/* Whether a greeting's answer is what this program needs; else *e. */
int db_check_hello(const PGresult *r, struct err *e);

#endif
