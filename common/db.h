/* SPDX-License-Identifier: ISC */
#ifndef WHK_DB_H
#define WHK_DB_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "args.h"
#include "err.h"

struct event_base;

/*
 * PostgreSQL, in two manners: a plain connection for programs that ask a few
 * questions, and a queue of calls on an event loop for those that go on. Where
 * it is comes from WHK_DATABASE_URL or else from libpq's own PG* variables.
 */

/*
 * Opens a connection and checks that the schema whk is there in the version of
 * this program, unless any_schema is true. NULL with *e (temporary where the
 * server is out of reach). PQfinish() ends it.
 */
PGconn *db_open(const char *program, bool any_schema, struct err *e);

/*
 * Runs one statement with its arguments (NULL: none) and gives its result, in
 * text format; PQclear() frees it. NULL with *e: the server's message and
 * detail; temporary where trying again may help.
 */
PGresult *db_query(PGconn *c, const char *sql, struct args *a, struct err *e);

/* Runs statements without arguments, separated by ";". 0, or -1 with *e. */
int db_script(PGconn *c, const char *sql, struct err *e);

/*
 * Starts a statement whose rows come one at a time, from PQgetResult(). 0, or
 * -1 with *e. db_error() fills *e from a result that is an error; db_cancel()
 * asks the server to end the statement.
 */
int db_stream(PGconn *c, const char *sql, struct args *a, struct err *e);
int db_error(const PGresult *r, struct err *e);
void db_cancel(PGconn *c);

/* A field as a number; 0 where it is null. As a string; NULL where null. */
int64_t db_long(const PGresult *r, int row, int column);
const char *db_text(const PGresult *r, int row, int column);

/*
 * A field that is an array of numbers: *v is the caller's to free, NULL where
 * the field is null or the array empty. 0, or -1 if memory is out.
 */
int
db_longs(const PGresult *r, int row, int column, int64_t **v, size_t *count);

/*
 * A queue of calls. They are sent in the order in which they were made, in
 * pipeline mode, each a transaction of its own, and answered in that order.
 *
 * Whatever is no fault of the call's own (no server, a lost connection, a
 * shutdown, too many connections, a standby, a full disk, a deadlock, a
 * serialization failure, a timeout, a whk-init at work) makes it wait and be
 * sent again, for ever, with growing pauses; so a call may be carried out
 * twice, and only functions for which that does no harm go through here.
 */
struct db;

struct db_handler {
	/* A trouble begins, or another one takes its place. */
	void (*trouble)(void *arg, const struct err *e);
	/* It is over. */
	void (*over)(void *arg);
	/* A notification came (payload of the channel), or, with channel NULL,
	   some may have been missed as the connection was lost. May be NULL. */
	void (*notified)(void *arg, const char *channel, const char *payload);
};

/*
 * channel: to LISTEN to on every connection, or NULL. The first connection is
 * begun at once. NULL with *e on failure (not for want of a server).
 */
struct db *db_new(struct event_base *base, const char *program,
    const char *channel, const struct db_handler *h, void *arg, struct err *e);

/*
 * The result of a call, valid during the callback; or NULL with e, where the
 * call itself is at fault (data the server refuses) and will not be repeated.
 */
typedef void db_done(void *arg, const struct err *e, const PGresult *r);

/*
 * Queues a call. sql is a statement that stays (a literal): it is prepared
 * once a connection. a is taken over and emptied. Returns 0, or -1 with *e if
 * memory is out.
 */
int db_call(struct db *db, const char *sql, struct args *a, db_done *done,
    void *arg, struct err *e);

int db_calls(const struct db *db); /* queued and not answered yet */

/*
 * From trouble(): forgets all calls, whose done() never comes. Those that were
 * sent may have been carried out.
 */
void db_forget(struct db *db);

/*
 * The database's clock in ms since 1970, kept by this machine's steady clock
 * since the last greeting; ahead by no more than that took, and never behind.
 * Only good once db_known() is true, which it stays.
 */
int64_t db_now_ms(const struct db *db);
bool db_known(const struct db *db);

/* Milliseconds since the server last answered anything; INT64_MAX: never. */
int64_t db_silent_ms(const struct db *db);

void db_free(struct db *db); /* forgets what is queued; NULL is allowed */

#endif
