/* SPDX-License-Identifier: ISC */
/*
 * whk-due claims pending rows whose time has come, retries and abandoned work
 * alike, and prints them as event lines with a new lease, in the form that
 * whk-poll prints. It sleeps until the next row is due.
 */
#include <err.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "cli.h"
#include "db.h"
#include "line.h"
#include "log.h"
#include "loop.h"
#include "output.h"

/* Rows that one claim asks for; of large bodies, fewer. */
#define CLAIM_ROWS 500
#define CLAIM_FIRST 50
#define CLAIM_BYTES ((int64_t)4 << 20)

/* The longest sleep: rows leased by others come due without a word. */
#define SLEEP_MAX_MS 30000

/* A claim that came back empty although something was due: others have it. */
#define BUSY_MS 100

/* How long a one-shot run waits for a backlog that moves by itself. */
#define DRAIN_MS 20000

/* How often the partitions of the days to come are looked at. */
#define UPKEEP_MS 3600000

struct options {
	const char *log_format;
	int64_t lease_ms;
	bool follow, once, verbose;
};

#define OPT(field) offsetof(struct options, field)

static const struct cli_option options[] = {
    {'1', "once", NULL, CLI_FLAG, OPT(once),
	"end when nothing is due (the default)", NULL, 0, 0},
    {'f', "follow", NULL, CLI_FLAG, OPT(follow),
	"go on for ever: wait for what comes due", NULL, 0, 0},
    {'l', "lease", "TIME", CLI_DURATION, OPT(lease_ms),
	"how long the reader may take", "WHK_LEASE", 1000, 43200000},
    {0, "log-format", "FORMAT", CLI_STRING, OPT(log_format),
	"of messages: text, json or logfmt", "WHK_LOG_FORMAT", 0, 0},
    {'v', "verbose", NULL, CLI_FLAG, OPT(verbose),
	"say each event, and at the end how many there were", NULL, 0, 0},
};

static const struct cli cli = {
    .name = "whk-due",
    .operands = NULL,
    .summary = "Prints the events that are due for another attempt.",
    .options = options,
    .count = sizeof(options) / sizeof(options[0]),
};

struct due {
	const struct options *o;
	const struct log *log;
	struct loop loop;
	struct db *db;
	struct output *output;
	struct event *sleep, *upkeep;
	struct buf line;

	bool asking; /* a claim, or when the next is due, is under way */
	bool again;  /* something came due meanwhile */
	bool trouble;
	bool ending;
	int64_t rows;     /* to ask for in the next claim */
	int64_t wake_ms;  /* when sleep ends, by the database's clock */
	int64_t quiet_ms; /* since when a one-shot run has found nothing */
	int64_t printed;
	int status;
};

static void claim(struct due *d);

/* Claims nothing more; ends when all that was claimed is printed. */
static void
end(struct due *d, int status)
{
	d->ending = true;
	event_del(d->sleep);
	if (d->status == 0)
		d->status = status;
	if (output_empty(d->output) && (!d->asking || d->trouble))
		loop_break(&d->loop);
}

static void
give_up(struct due *d, const struct err *e)
{
	log_say(d->log, LOG_ERROR, "%s", e->msg);
	d->trouble = true;
	end(d, err_status(e));
}

static void
call(struct due *d, const char *sql, struct args *a, db_done *done)
{
	struct err e;

	if (db_call(d->db, sql, a, done, d, &e) == -1) {
		give_up(d, &e);
		return;
	}
	d->asking = true;
}

static void
sleep_until(struct due *d, int64_t at_ms)
{
	int64_t now = db_now_ms(d->db), ms = at_ms - now;
	struct timeval tv;

	if (ms > SLEEP_MAX_MS)
		ms = SLEEP_MAX_MS;
	if (ms > d->o->lease_ms)
		ms = d->o->lease_ms;
	if (ms < 0)
		ms = 0;
	d->wake_ms = now + ms;
	tv = (struct timeval){ms / 1000, ms % 1000 * 1000};
	event_add(d->sleep, &tv);
}

/*
 * A one-shot run has found nothing: it ends, unless parked rows are on their
 * way out as others are delivered.
 */
static void
nothing_more(struct due *d, bool draining)
{
	int64_t now = db_now_ms(d->db);

	if (d->quiet_ms == 0)
		d->quiet_ms = now;
	if (!draining || now - d->quiet_ms > DRAIN_MS)
		end(d, 0);
	else
		sleep_until(d, now + BUSY_MS);
}

/* The answer to when the next row is due. */
static void
next_known(void *arg, const struct err *e, const PGresult *r)
{
	struct due *d = arg;
	int64_t now = db_now_ms(d->db), at;

	d->asking = false;
	if (e != NULL) {
		give_up(d, e);
		return;
	}
	if (d->ending) {
		end(d, 0);
		return;
	}
	at = PQgetisnull(r, 0, 0) ? INT64_MAX : db_long(r, 0, 0);
	if (d->again)
		claim(d);
	else if (at <= now)
		sleep_until(d, now + BUSY_MS);
	else if (!d->o->follow)
		nothing_more(d, PQgetvalue(r, 0, 1)[0] == 't');
	else
		sleep_until(d, at);
}

static void
ask_next(struct due *d)
{
	struct args none = {0};

	call(d, "SELECT whk.next_due(), whk.draining()", &none, next_known);
}

static const char claim_sql[] =
    "SELECT id, time_ms, type, tenant, key, content_type, body, attempt, "
    "webhook, lease_ms FROM whk.claim($1::int, $2 * interval '1 ms')";

static void
say_printed(const struct due *d, const struct event_line *ev, int64_t webhook)
{
	const struct log_field fields[] = {{"event", ev->id, 0},
	    {"webhook", NULL, webhook}, {"attempt", NULL, ev->attempt}};

	log_tell(d->log, LOG_TELL, fields, 3,
	    "event %s, webhook %lld: attempt %d is due", ev->id,
	    (long long)webhook, ev->attempt);
}

static void
print(struct due *d, const PGresult *r, int row)
{
	int64_t webhook = db_long(r, row, 8);
	struct event_line ev = {
	    .id = db_text(r, row, 0),
	    .time_ms = db_long(r, row, 1),
	    .type = db_text(r, row, 2),
	    .tenant = db_text(r, row, 3),
	    .key = db_text(r, row, 4),
	    .content_type = db_text(r, row, 5),
	    .body = PQgetvalue(r, row, 6),
	    .body_len = (size_t)PQgetlength(r, row, 6),
	    .attempt = (int)db_long(r, row, 7),
	    .to = &webhook,
	    .to_count = 1,
	    .lease_ms = db_long(r, row, 9),
	};

	buf_clear(&d->line);
	line_event_write(&d->line, &ev);
	if (d->line.failed) {
		/* the lease ends, and it is due again */
		log_say(d->log, LOG_WARN, "event %s: out of memory", ev.id);
		return;
	}
	output_line(d->output, d->line.data, d->line.len);
	d->printed++;
	if (d->o->verbose)
		say_printed(d, &ev, webhook);
}

/* So many rows as will be of about the right size if they are like these. */
static void
adapt(struct due *d, const PGresult *r)
{
	int64_t rows = PQntuples(r), bytes = 0;

	for (int i = 0; i < rows; i++)
		bytes += PQgetlength(r, i, 6);
	if (rows == 0)
		return;
	d->rows = CLAIM_BYTES / (bytes / rows + 1);
	if (d->rows > CLAIM_ROWS)
		d->rows = CLAIM_ROWS;
	if (d->rows < 1)
		d->rows = 1;
}

static void
claimed(void *arg, const struct err *e, const PGresult *r)
{
	struct due *d = arg;

	d->asking = false;
	if (e != NULL) {
		give_up(d, e);
		return;
	}
	for (int i = 0; i < PQntuples(r); i++)
		print(d, r, i);
	adapt(d, r);
	/* a single one is but a probe, of which more may come or not */
	if (PQntuples(r) > 1)
		d->quiet_ms = 0;
	if (d->ending)
		end(d, 0);
	else if (output_full(d->output))
		return; /* the reader's turn; room() goes on */
	else if (PQntuples(r) > 0)
		claim(d);
	else
		ask_next(d);
}

static void
claim(struct due *d)
{
	struct args a = {0};

	if (d->asking || d->ending || d->trouble)
		return;
	d->again = false;
	event_del(d->sleep);
	args_long(&a, d->rows);
	args_long(&a, d->o->lease_ms);
	call(d, claim_sql, &a, claimed);
}

static void
slept(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	claim(arg);
}

/* Rows were made due at a time: sooner than the sleep ends, perhaps. */
static void
notified(void *arg, const char *channel, const char *payload)
{
	struct due *d = arg;
	int64_t at = channel == NULL ? 0 : strtoll(payload, NULL, 10);

	if (d->asking || d->trouble)
		d->again = true;
	else if (event_pending(d->sleep, EV_TIMEOUT, NULL) && at < d->wake_ms)
		sleep_until(d, at);
}

static void
upkept(void *arg, const struct err *e, const PGresult *r)
{
	const struct due *d = arg;

	(void)r;
	if (e != NULL)
		log_say(d->log, LOG_WARN, "%s", e->msg);
}

static void
upkeep(evutil_socket_t fd, short what, void *arg)
{
	struct timeval tv = {UPKEEP_MS / 1000, 0};
	struct due *d = arg;
	struct args none = {0};
	struct err e;

	(void)fd;
	(void)what;
	if (db_call(d->db, "SELECT whk.upkeep()", &none, upkept, d, &e) == -1)
		log_say(d->log, LOG_WARN, "%s", e.msg);
	event_add(d->upkeep, &tv);
}

static void
db_trouble(void *arg, const struct err *e)
{
	struct due *d = arg;

	if (!d->o->follow || (!e->temporary && !db_known(d->db))) {
		give_up(d, e);
		return;
	}
	d->trouble = true;
	if (d->ending)
		end(d, 0);
	else
		log_say(d->log, LOG_WARN, "%s: waiting for it", e->msg);
}

static void
db_over(void *arg)
{
	struct due *d = arg;

	d->trouble = false;
	log_say(d->log, LOG_NOTE, "the database is there again");
	claim(d);
}

static void
output_room(void *arg)
{
	struct due *d = arg;

	if (d->ending)
		end(d, 0);
	else
		claim(d);
}

static void
output_failed(void *arg, const struct err *e)
{
	struct due *d = arg;

	/* in a pipeline that stops, its reader may end first */
	if (!d->loop.stopping) {
		log_say(d->log, LOG_ERROR, "stdout: %s", e->msg);
		d->status = 1;
	}
	loop_break(&d->loop);
}

static void
stopped(void *arg)
{
	end(arg, 0);
}

static const struct db_handler db_handler = {db_trouble, db_over, notified};
static const struct output_handler output_handler = {
    output_room, output_failed};

static int
open_all(struct due *d, struct err *e)
{
	if (loop_init(&d->loop, stopped, d, e) == -1)
		return -1;
	d->sleep = evtimer_new(d->loop.base, slept, d);
	d->upkeep = evtimer_new(d->loop.base, upkeep, d);
	if (d->sleep == NULL || d->upkeep == NULL)
		return err_temporary(e, "out of memory");
	d->output = output_new(
	    d->loop.base, STDOUT_FILENO, 1 << 20, &output_handler, d, e);
	if (d->output == NULL || output_watch(d->output, e) == -1)
		return -1;
	d->db = db_new(d->loop.base, cli.name, "whk_due", &db_handler, d, e);
	return d->db == NULL ? -1 : 0;
}

static void
close_all(struct due *d)
{
	db_free(d->db);
	output_free(d->output);
	buf_free(&d->line);
	if (d->sleep != NULL)
		event_free(d->sleep);
	if (d->upkeep != NULL)
		event_free(d->upkeep);
	loop_free(&d->loop);
}

/* What there was, as it ends. */
static void
say_end(const struct due *d)
{
	const struct log_field fields[] = {{"printed", NULL, d->printed}};

	if (d->o->verbose || log_kept(d->log))
		log_tell(d->log, LOG_TELL, fields, 1, "%lld printed",
		    (long long)d->printed);
}

static int
run(const struct options *o, const struct log *log)
{
	struct due d = {.o = o, .log = log, .rows = CLAIM_FIRST};
	struct err e;

	log_begin(log);
	if (open_all(&d, &e) == -1) {
		log_say(log, LOG_ERROR, "%s", e.msg);
		d.status = err_status(&e);
	} else {
		upkeep(-1, 0, &d);
		claim(&d);
		if (loop_run(&d.loop, &e) == -1) {
			log_say(log, LOG_ERROR, "%s", e.msg);
			d.status = 1;
		}
	}
	say_end(&d);
	close_all(&d);
	return d.status;
}

int
main(int argc, char **argv)
{
	struct options o = {.lease_ms = 300000};
	struct log log;
	struct err e;
	int first, status;

	setprogname(cli.name);
	status = cli_parse(&cli, argc, argv, &o, &first, stdout, stderr);
	if (status != -1)
		return status;
	if (o.once && o.follow) {
		warnx("-1 and -f exclude each other");
		return 2;
	}
	if (log_init(&log, stderr, cli.name, o.log_format, &e) == -1) {
		warnx("%s", e.msg);
		return 2;
	}
	status = run(&o, &log);
	cli_free(&cli, &o);
	return status;
}
