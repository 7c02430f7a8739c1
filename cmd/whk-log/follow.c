/* SPDX-License-Identifier: ISC */
#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "loop.h"
#include "whk-log/log.h"

/* Attempts asked for at once. */
#define BATCH 2000

/*
 * After a connection was lost: attempts that began so long before and were
 * recorded meanwhile are looked for.
 */
#define BEFORE_MS 60000

/* Keys of attempts that were told, for whk.logged(). */
struct keys {
	struct args args;
	int count;
};

/*
 * Snapshots, as text. What the first did not see will be told, and what it did
 * is listed; what the second did not see is looked for after a loss. A row
 * that whk-prune moves to its day is as a new one to them: so what was printed
 * is remembered as well.
 */
struct snapshots {
	char *listed, *last;
};

enum end { GO_ON, STOPPED, LOST, FAILED };

static volatile sig_atomic_t stop_signal;

static void
stop(int signo)
{
	stop_signal = signo;
}

/* The first signal ends it in order, the second at once. */
static void
catch_signals(sigset_t *unblocked)
{
	struct sigaction sa = {
	    .sa_handler = stop, .sa_flags = (int)SA_RESETHAND};
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, unblocked);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
}

/*
 * Waits for the database, if fd is not -1, for ms, unless that is -1, and for
 * the end of whoever reads or a signal.
 */
static enum end
wait_for(int fd, int64_t ms, const sigset_t *unblocked)
{
	struct pollfd fds[] = {
	    {.fd = fd, .events = POLLIN}, {.fd = STDOUT_FILENO}};
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	if (ppoll(fds, 2, ms == -1 ? NULL : &ts, unblocked) == -1 &&
	    stop_signal == 0)
		return GO_ON;
	if (stop_signal != 0 || (fds[1].revents & (POLLERR | POLLHUP)) != 0)
		return STOPPED;
	return GO_ON;
}

static void
keys_init(struct keys *k)
{
	k->args.count = 0;
	k->args.failed = false;
	k->count = 0;
	args_array(&k->args, ARGS_TEXT);
	args_array(&k->args, ARGS_LONG);
	args_array(&k->args, ARGS_TIME);
	args_array(&k->args, ARGS_INT);
}

/* Takes the lines of a notification: event, webhook, time, number. */
static void
keys_take(struct keys *k, char *payload)
{
	char *line, *at;

	while ((line = strsep(&payload, "\n")) != NULL) {
		at = strchr(line, ' ');
		if (at == NULL)
			continue;
		*at++ = '\0';
		args_add_text(&k->args, 0, line);
		for (int i = 1; i <= 3; i++)
			args_add_number(&k->args, i, strtoll(at, &at, 10));
		k->count++;
	}
}

static const char sql[] =
    "SELECT " ROW_COLUMNS " FROM whk.logged($1, $2, $3, $4, $5, $6, $7, $8, $9,"
    " $10::int, $11::int, $12, $13::pg_snapshot)";

/* Prints the attempts of the keys, those that are asked for. */
static int
keys_print(struct log *l, struct keys *k, struct err *e)
{
	PGresult *r;

	filter_args(l, &k->args);
	r = db_query(l->db, sql, &k->args, e);
	if (r == NULL)
		return -1;
	for (int i = 0; i < PQntuples(r); i++)
		rows_add(l, r, i);
	PQclear(r);
	return rows_print(l, e);
}

/* Replaces a snapshot by that of now. */
static int
take_snapshot(struct log *l, char **kept, struct err *e)
{
	PGresult *r = db_query(l->db, "SELECT pg_current_snapshot()", NULL, e);

	if (r == NULL)
		return -1;
	free(*kept);
	*kept = strdup(PQgetvalue(r, 0, 0));
	PQclear(r);
	return *kept == NULL ? err_temporary(e, "out of memory") : 0;
}

/* Prints whatever has been told so far, and while that is printed. */
static int
take_notifications(
    struct log *l, struct keys *k, struct snapshots *s, struct err *e)
{
	PGnotify *n;

	do {
		keys_init(k);
		while (k->count < BATCH && (n = PQnotifies(l->db)) != NULL) {
			keys_take(k, n->extra);
			PQfreemem(n);
		}
		if (k->count > 0 &&
		    (keys_print(l, k, e) == -1 ||
			take_snapshot(l, &s->last, e) == -1))
			return -1;
	} while (k->count > 0);
	return 0;
}

/* Goes on until the connection is lost, or it ends otherwise. */
static enum end
go_on(struct log *l, struct snapshots *s, const sigset_t *unblocked,
    struct err *e)
{
	struct keys k = {0};
	enum end end = GO_ON;

	while (end == GO_ON) {
		if (take_notifications(l, &k, s, e) == -1)
			end = PQstatus(l->db) == CONNECTION_OK ? FAILED : LOST;
		else
			end = wait_for(PQsocket(l->db), -1, unblocked);
		if (end == GO_ON && PQconsumeInput(l->db) != 1) {
			err_temporary(e, "database: connection lost");
			end = LOST;
		}
	}
	args_free(&k.args);
	return end;
}

/*
 * Follows on this connection: lists what there is, in one snapshot, the first
 * time; later, what was recorded since. The lock comes before the snapshot, as
 * it would not see what whk-prune moves in between.
 */
static int
begin(struct log *l, struct snapshots *s, int64_t since_ms, struct err *e)
{
	bool first = s->listed == NULL;

	if (db_script(l->db, "LISTEN whk_attempt", e) == -1 ||
	    db_script(l->db, "SELECT whk.follow()", e) == -1 ||
	    db_script(l->db,
		"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
		" LOCK TABLE ONLY whk.event, ONLY whk.attempt"
		" IN ACCESS SHARE MODE",
		e) == -1 ||
	    take_snapshot(l, &s->listed, e) == -1)
		return -1;
	l->filter.snapshot = s->last;
	if ((first ? list_run(l, e) : list_since(l, since_ms, e)) == -1)
		return -1;
	l->filter.snapshot = s->listed;
	free(s->last);
	s->last = strdup(s->listed);
	if (s->last == NULL)
		return err_temporary(e, "out of memory");
	return db_script(l->db, "COMMIT", e);
}

/* Connects again, in waits that grow. */
static enum end
reconnect(struct log *l, const sigset_t *unblocked, struct err *e)
{
	struct backoff backoff = {.min_ms = 100, .max_ms = 5000};
	enum end end = LOST;

	warnx("%s: waiting for it", e->msg);
	PQfinish(l->db);
	l->db = NULL;
	while (end == LOST) {
		end = wait_for(-1, backoff_fail(&backoff, NULL), unblocked);
		if (end != GO_ON)
			break;
		l->db = db_open(LOG_NAME, false, e);
		if (l->db == NULL)
			end = e->temporary ? LOST : FAILED;
	}
	if (end == GO_ON)
		warnx("the database is there again");
	return end;
}

int
follow_run(struct log *l, struct err *e)
{
	int64_t begun_ms = clock_steady_ms(), lost_ms;
	struct snapshots s = {0};
	enum end end = GO_ON;
	sigset_t unblocked;

	l->seen = seen_new();
	if (l->seen == NULL)
		return err_temporary(e, "out of memory");
	if (begin(l, &s, 0, e) == -1)
		end = FAILED;
	catch_signals(&unblocked);
	while (end == GO_ON) {
		end = go_on(l, &s, &unblocked, e);
		lost_ms = l->now_ms + clock_steady_ms() - begun_ms;
		while (end == LOST) {
			end = reconnect(l, &unblocked, e);
			if (end == GO_ON &&
			    begin(l, &s, lost_ms - BEFORE_MS, e) == -1)
				end = e->temporary ? LOST : FAILED;
		}
	}
	l->filter.snapshot = NULL;
	seen_free(l->seen);
	l->seen = NULL;
	free(s.listed);
	free(s.last);
	return end == FAILED ? -1 : 0;
}
