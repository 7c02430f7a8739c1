/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>

#include <event2/event.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "db-private.h"
#include "db.h"
#include "loop.h"

/* Statements that one program uses. */
#define STATEMENTS 64

/* An answer that takes longer than this: the connection is given up. */
#define PATIENCE_MS 60000

/* The database's clock is asked for again after this, as it may be set. */
#define CLOCK_MS 10000

struct call {
	TAILQ_ENTRY(call) entry;
	const char *sql;
	struct args args;
	db_done *done;
	void *arg;
	int64_t sent_ms;
	bool refused; /* the server could not carry it out last time */
};

TAILQ_HEAD(calls, call);

enum state {
	WAITING,    /* for the timer, to connect again */
	CONNECTING, /* PQconnectPoll() */
	GREETING,   /* the greeting is under way */
	READY,
};

struct db {
	struct event_base *base;
	const char *program;
	char listen[64]; /* the statement, or "" */
	const struct db_handler *handler;
	void *arg;

	enum state state;
	PGconn *conn;
	struct event *io; /* made anew where socket or purpose change */
	int io_fd;
	short io_what;
	struct event *timer; /* WAITING: connect; else: watch for silence */
	struct backoff backoff;
	bool troubled;
	char trouble[sizeof(((struct err *)0)->msg)];

	struct calls queue; /* not sent */
	struct calls sent;  /* in the order of their answers */
	int count;
	const char *prepared[STATEMENTS];
	PGresult *result; /* of the first of sent, until its sync */

	bool known;
	int64_t offset_ms; /* the database's clock less the steady one */
	int64_t heard_ms;  /* when the server last answered; 0: never */
	int64_t asked_ms;  /* when its clock was last asked for */
};

static void connect_start(struct db *);
static void lost(struct db *, const struct err *);
static void send_queued(struct db *);

static void
say_trouble(struct db *db, const struct err *e)
{
	if (db->troubled && strcmp(db->trouble, e->msg) == 0)
		return;
	db->troubled = true;
	memcpy(db->trouble, e->msg, sizeof(db->trouble));
	db->handler->trouble(db->arg, e);
}

static void
say_over(struct db *db)
{
	backoff_ok(&db->backoff);
	if (!db->troubled)
		return;
	db->troubled = false;
	db->handler->over(db->arg);
}

static void
set_timer(struct db *db, int64_t ms)
{
	struct timeval tv = {.tv_sec = (time_t)(ms / 1000),
	    .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	event_add(db->timer, &tv);
}

static void io_ready(evutil_socket_t, short, void *);

/* Waits for what on the connection's socket, which may be another one now. */
static void
watch(struct db *db, short what)
{
	int fd = PQsocket(db->conn);

	if (db->io != NULL && db->io_fd == fd && db->io_what == what)
		return;
	if (db->io != NULL)
		event_free(db->io);
	db->io_fd = fd;
	db->io_what = what;
	db->io =
	    event_new(db->base, fd, (short)(what | EV_PERSIST), io_ready, db);
	if (db->io != NULL)
		event_add(db->io, NULL);
}

static void
call_free(struct call *c)
{
	args_free(&c->args);
	free(c);
}

/* Ends the connection; what was sent will be sent again, before the rest. */
static void
disconnect(struct db *db)
{
	struct call *c;

	if (db->io != NULL)
		event_free(db->io);
	db->io = NULL;
	PQclear(db->result);
	db->result = NULL;
	PQfinish(db->conn);
	db->conn = NULL;
	memset(db->prepared, 0, sizeof(db->prepared));
	while ((c = TAILQ_LAST(&db->sent, calls)) != NULL) {
		TAILQ_REMOVE(&db->sent, c, entry);
		if (c->done == NULL) { /* our own, made anew each time */
			call_free(c);
			continue;
		}
		TAILQ_INSERT_HEAD(&db->queue, c, entry);
	}
}

static void
lost(struct db *db, const struct err *e)
{
	bool was_ready = db->state == READY;

	disconnect(db);
	db->state = WAITING;
	set_timer(db, backoff_fail(&db->backoff, NULL));
	say_trouble(db, e);
	if (was_ready && db->handler->notified != NULL)
		db->handler->notified(db->arg, NULL, NULL);
}

static void
lost_conn(struct db *db)
{
	struct err e;

	db_connect_error(db->conn, &e);
	lost(db, &e);
}

/* The name under which a statement is prepared, preparing it if need be. */
static int
prepare(struct db *db, const char *sql, const struct args_pq *pq, int n,
    char name[8])
{
	size_t i = 0;

	while (i < STATEMENTS - 1 && db->prepared[i] != NULL &&
	    db->prepared[i] != sql)
		i++;
	snprintf(name, 8, "s%zu", i);
	if (db->prepared[i] == sql)
		return 0;
	db->prepared[i] = sql;
	return PQsendPrepare(db->conn, name, sql, n, pq->types) == 1 ? 0 : -1;
}

/* Puts one call on the wire; -1: the connection is lost. */
static int
send_call(struct db *db, struct call *c)
{
	struct args_pq pq;
	char name[8];
	int n = args_finish(&c->args, &pq);

	if (prepare(db, c->sql, &pq, n, name) == -1 ||
	    PQsendQueryPrepared(
		db->conn, name, n, pq.values, pq.lengths, pq.formats, 0) != 1 ||
	    PQpipelineSync(db->conn) != 1)
		return -1;
	c->sent_ms = clock_steady_ms();
	TAILQ_INSERT_TAIL(&db->sent, c, entry);
	return 0;
}

/* Flushes what libpq holds, and waits for what is next. */
static void
flush(struct db *db)
{
	int left = PQflush(db->conn);

	if (left == -1) {
		lost_conn(db);
		return;
	}
	watch(db, (short)(EV_READ | (left > 0 ? EV_WRITE : 0)));
	if (!TAILQ_EMPTY(&db->sent) &&
	    !event_pending(db->timer, EV_TIMEOUT, NULL))
		set_timer(db, PATIENCE_MS);
}

static int
own_call(struct db *db, const char *sql)
{
	struct call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -1;
	c->sql = sql;
	if (send_call(db, c) == -1) {
		free(c);
		return -1;
	}
	return 0;
}

static int
ask_clock(struct db *db)
{
	db->asked_ms = clock_steady_ms();
	return own_call(db, db_hello);
}

static void
send_queued(struct db *db)
{
	struct call *c;

	if (!TAILQ_EMPTY(&db->queue) &&
	    clock_steady_ms() - db->asked_ms > CLOCK_MS &&
	    ask_clock(db) == -1) {
		lost_conn(db);
		return;
	}
	while ((c = TAILQ_FIRST(&db->queue)) != NULL) {
		TAILQ_REMOVE(&db->queue, c, entry);
		if (send_call(db, c) == -1) {
			TAILQ_INSERT_HEAD(&db->queue, c, entry);
			lost_conn(db);
			return;
		}
	}
	flush(db);
}

static void
greet(struct db *db)
{
	struct err e;

	PQsetnonblocking(db->conn, 1);
	if (PQenterPipelineMode(db->conn) != 1 ||
	    own_call(db, db_watch) == -1 ||
	    (db->listen[0] != '\0' && own_call(db, db->listen) == -1) ||
	    ask_clock(db) == -1) {
		err_temporary(&e, "out of memory");
		lost(db, &e);
		return;
	}
	db->state = GREETING;
	flush(db);
}

/*
 * The answer to a greeting: the clock, and whether the schema is ours. Asked
 * at the start of a connection and, for the clock, now and then.
 */
static void
greeted(struct db *db, const struct call *c, const struct err *failed)
{
	struct err e;

	if (failed != NULL)
		e = *failed;
	if (failed == NULL && c->sql != db_hello)
		return;
	if (failed != NULL || db_check_hello(db->result, &e) == -1) {
		lost(db, &e);
		return;
	}
	/* It was asked no earlier: so no lease seems longer than it is,
	   however long the answer was on its way. */
	db->offset_ms = db_long(db->result, 0, 1) - c->sent_ms;
	db->known = true;
	if (db->state == GREETING) {
		const struct call *first = TAILQ_FIRST(&db->queue);

		db->state = READY;
		/* if a call was the trouble, it is for that call to end it */
		if (first == NULL || !first->refused)
			say_over(db);
	}
}

/* A call's answer is whole. false: the connection was given up. */
static bool
answered(struct db *db)
{
	struct call *c = TAILQ_FIRST(&db->sent);
	struct err e, *failed = NULL;
	PGresult *r = db->result;

	if (PQresultStatus(r) != PGRES_TUPLES_OK &&
	    PQresultStatus(r) != PGRES_COMMAND_OK) {
		db_error(r, &e);
		failed = &e;
	}
	if (c->done == NULL) {
		TAILQ_REMOVE(&db->sent, c, entry);
		greeted(db, c, failed);
		call_free(c);
	} else if (failed != NULL && (failed->temporary || db_changing(r))) {
		/* all that is under way waits with it: order is kept */
		c->refused = true;
		lost(db, failed);
	} else {
		TAILQ_REMOVE(&db->sent, c, entry);
		db->count--;
		db->result = NULL;
		say_over(db);
		c->done(c->arg, failed, failed != NULL ? NULL : r);
		PQclear(r);
		call_free(c);
	}
	if (db->conn == NULL)
		return false;
	PQclear(db->result);
	db->result = NULL;
	return true;
}

static void
notifications(struct db *db)
{
	PGnotify *n;

	while (db->conn != NULL && (n = PQnotifies(db->conn)) != NULL) {
		if (db->handler->notified != NULL)
			db->handler->notified(db->arg, n->relname, n->extra);
		PQfreemem(n);
	}
}

/* Takes whatever results have come in whole. */
static void
results(struct db *db)
{
	while (db->conn != NULL && !TAILQ_EMPTY(&db->sent) &&
	    PQstatus(db->conn) == CONNECTION_OK && !PQisBusy(db->conn)) {
		PGresult *r = PQgetResult(db->conn);

		if (r == NULL)
			continue; /* the end of one command */
		if (PQresultStatus(r) == PGRES_PIPELINE_SYNC) {
			PQclear(r);
			if (!answered(db))
				return;
		} else if (db->result == NULL ||
		    PQresultStatus(db->result) == PGRES_COMMAND_OK) {
			PQclear(db->result); /* that of the preparation */
			db->result = r;
		} else
			PQclear(r);
	}
}

static void
receive(struct db *db)
{
	if (PQconsumeInput(db->conn) != 1) {
		/* an error may have come first, with the reason in it */
		lost_conn(db);
		return;
	}
	db->heard_ms = clock_steady_ms();
	event_del(db->timer);
	results(db);
	notifications(db);
	if (db->conn == NULL)
		return;
	if (PQstatus(db->conn) != CONNECTION_OK)
		lost_conn(db);
	else if (db->state == READY)
		send_queued(db);
	else
		flush(db);
}

static void
connect_poll(struct db *db)
{
	switch (PQconnectPoll(db->conn)) {
	case PGRES_POLLING_READING:
		watch(db, EV_READ);
		break;
	case PGRES_POLLING_WRITING:
		watch(db, EV_WRITE);
		break;
	case PGRES_POLLING_OK:
		event_del(db->timer);
		greet(db);
		break;
	default:
		lost_conn(db);
		break;
	}
}

static void
io_ready(evutil_socket_t fd, short what, void *arg)
{
	struct db *db = arg;

	(void)fd;
	if (db->state == CONNECTING)
		connect_poll(db);
	else if (what & EV_READ)
		receive(db);
	else if (db->state == READY)
		send_queued(db);
	else
		flush(db);
}

static void
time_is_up(evutil_socket_t fd, short what, void *arg)
{
	struct db *db = arg;
	struct err e;

	(void)fd;
	(void)what;
	if (db->state == WAITING) {
		connect_start(db);
		return;
	}
	if (db->state == READY && TAILQ_EMPTY(&db->sent))
		return;
	err_temporary(&e, "database: no answer");
	lost(db, &e);
}

static void
no_notice(void *arg, const PGresult *r)
{
	(void)arg;
	(void)r;
}

static void
connect_start(struct db *db)
{
	struct db_params p;
	struct err e;

	db_params(&p, db->program);
	db->conn = PQconnectStartParams(p.keys, p.values, 1);
	if (db->conn == NULL) {
		err_temporary(&e, "out of memory");
		lost(db, &e);
		return;
	}
	PQsetNoticeReceiver(db->conn, no_notice, NULL);
	if (PQstatus(db->conn) == CONNECTION_BAD) {
		lost_conn(db);
		return;
	}
	db->state = CONNECTING;
	set_timer(db, 10000);
	watch(db, EV_WRITE);
}

struct db *
db_new(struct event_base *base, const char *program, const char *channel,
    const struct db_handler *h, void *arg, struct err *e)
{
	struct db *db = calloc(1, sizeof(*db));

	if (db == NULL ||
	    (db->timer = evtimer_new(base, time_is_up, db)) == NULL) {
		free(db);
		err_temporary(e, "out of memory");
		return NULL;
	}
	db->base = base;
	db->program = program;
	if (channel != NULL)
		snprintf(db->listen, sizeof(db->listen), "LISTEN %s", channel);
	db->handler = h;
	db->arg = arg;
	db->backoff = (struct backoff){.min_ms = 100, .max_ms = 5000};
	TAILQ_INIT(&db->queue);
	TAILQ_INIT(&db->sent);
	db->state = WAITING;
	set_timer(db, 0); /* the handler is not called from here */
	return db;
}

int
db_call(struct db *db, const char *sql, struct args *a, db_done *done,
    void *arg, struct err *e)
{
	struct call *c = args_ok(a) ? calloc(1, sizeof(*c)) : NULL;

	if (c == NULL)
		return err_temporary(e, "out of memory");
	c->sql = sql;
	c->args = *a;
	*a = (struct args){0};
	c->done = done;
	c->arg = arg;
	TAILQ_INSERT_TAIL(&db->queue, c, entry);
	db->count++;
	/* what follows in this turn of the loop shall go with it */
	if (db->state == READY)
		event_active(db->io, EV_WRITE, 0);
	return 0;
}

int
db_calls(const struct db *db)
{
	return db->count;
}

int64_t
db_now_ms(const struct db *db)
{
	return clock_steady_ms() + db->offset_ms;
}

bool
db_known(const struct db *db)
{
	return db->known;
}

int64_t
db_silent_ms(const struct db *db)
{
	return db->heard_ms == 0 ? INT64_MAX : clock_steady_ms() - db->heard_ms;
}

static void
calls_free(struct calls *list)
{
	struct call *c;

	while ((c = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, c, entry);
		call_free(c);
	}
}

void
db_forget(struct db *db)
{
	calls_free(&db->queue);
	db->count = 0;
}

void
db_free(struct db *db)
{
	if (db == NULL)
		return;
	disconnect(db);
	calls_free(&db->queue);
	event_free(db->timer);
	free(db);
}
