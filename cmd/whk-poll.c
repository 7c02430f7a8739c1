/* SPDX-License-Identifier: ISC */
/*
 * whk-poll takes messages off an SQS queue and prints them as event lines. A
 * message is stored by whk.accept() first, deleted from the queue when that is
 * committed, and only then printed, with the lease under which the reader may
 * attempt it.
 */
#include <err.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "clock.h"
#include "whk-poll/poll.h"

#define OPT(field) offsetof(struct options, field)

static const struct cli_option options[] = {
    {'q', "queue", "QUEUE", CLI_STRING, OPT(queue), "URL or name of the queue",
	"WHK_QUEUE_URL", 0, 0},
    {'1', "once", NULL, CLI_FLAG, OPT(once), "end when the queue is empty",
	NULL, 0, 0},
    {'n', "number", "N", CLI_INT, OPT(number), "end after N messages", NULL, 1,
	INT64_MAX},
    {'l', "lease", "TIME", CLI_DURATION, OPT(lease_ms),
	"how long the reader may take", "WHK_LEASE", 1000, 43200000},
    {'r', "receives", "N", CLI_INT, OPT(receives),
	"requests for messages at once", NULL, 1, RECEIVES_MAX},
    {'p', "peek", NULL, CLI_FLAG, OPT(peek),
	"print only: neither store nor delete", NULL, 0, 0},
    {0, "log-format", "FORMAT", CLI_STRING, OPT(log_format),
	"of messages: text, json or logfmt", "WHK_LOG_FORMAT", 0, 0},
    {'v', "verbose", NULL, CLI_FLAG, OPT(verbose),
	"say each event, and at the end how many there were", NULL, 0, 0},
};

static const struct cli cli = {
    .name = "whk-poll",
    .operands = NULL,
    .summary = "Takes events off an SQS queue and prints them as lines.",
    .options = options,
    .count = sizeof(options) / sizeof(options[0]),
};

void
poll_end(struct poll *p, int status)
{
	p->ending = true;
	if (p->status == 0)
		p->status = status;
}

/*
 * Whether nothing is left to be done. What was received and is not stored
 * stays in the queue, so a database that is away need not be waited for.
 */
static bool
idle(const struct poll *p)
{
	bool stored = p->gathering.count == 0 && p->accepting.count == 0;
	bool hopeless = p->gave_up || (p->db_trouble && p->loop.stopping);

	return (stored || hopeless) && deletes_done(&p->deletes) &&
	    p->printing.count == 0 && output_empty(p->output);
}

void
poll_go_on(struct poll *p)
{
	store_print(p);
	if (!p->gave_up)
		store_more(p);
	if (!p->ending)
		receive_more(p);
	/* what a receive under way may still bring comes again by itself */
	if (p->ending && idle(p))
		loop_break(&p->loop);
}

void
poll_give_up(struct poll *p, const struct err *e)
{
	if (!p->gave_up)
		log_say(p->log, LOG_ERROR, "%s", e->msg);
	p->gave_up = true;
	deletes_hurry(&p->deletes);
	poll_end(p, err_status(e));
	if (idle(p))
		loop_break(&p->loop);
}

static void
db_trouble(void *arg, const struct err *e)
{
	struct poll *p = arg;

	if (p->o->once || (!e->temporary && !db_known(p->db))) {
		poll_give_up(p, e);
		return;
	}
	p->db_trouble = true;
	if (p->loop.stopping)
		poll_go_on(p);
	else
		log_say(p->log, LOG_WARN, "%s: waiting for it", e->msg);
}

static void
db_over(void *arg)
{
	struct poll *p = arg;

	p->db_trouble = false;
	log_say(p->log, LOG_NOTE, "the database is there again");
	poll_go_on(p);
}

static void
output_room(void *arg)
{
	poll_go_on(arg);
}

static void
output_failed(void *arg, const struct err *e)
{
	struct poll *p = arg;

	/* in a pipeline that stops, its reader may end first */
	if (p->loop.stopping) {
		poll_end(p, 0);
	} else {
		log_say(p->log, LOG_ERROR, "stdout: %s", e->msg);
		poll_end(p, 1);
	}
	poll_go_on(p);
}

static void
stopped(void *arg)
{
	struct poll *p = arg;

	deletes_hurry(&p->deletes);
	poll_end(p, 0);
	poll_go_on(p);
}

static void
deleted(void *arg)
{
	poll_go_on(arg);
}

static void
upkept(void *arg, const struct err *e, const PGresult *r)
{
	const struct poll *p = arg;

	(void)r;
	if (e != NULL)
		log_say(p->log, LOG_WARN, "%s", e->msg);
}

static const struct db_handler db_handler = {db_trouble, db_over, NULL};
static const struct output_handler output_handler = {
    output_room, output_failed};

static int
open_database(struct poll *p, struct err *e)
{
	struct args none = {0};

	if (p->o->peek)
		return 0;
	p->db = db_new(p->loop.base, cli.name, NULL, &db_handler, p, e);
	if (p->db == NULL)
		return -1;
	return db_call(p->db, "SELECT whk.upkeep()", &none, upkept, p, e);
}

static int
open_all(struct poll *p, struct err *e)
{
	if (loop_init(&p->loop, stopped, p, e) == -1)
		return -1;
	p->again = evtimer_new(p->loop.base, receive_again, p);
	p->http = http_new(p->loop.base, 64, NULL, "whk/" WHK_VERSION, e);
	if (p->http == NULL || p->again == NULL)
		return -1;
	p->sqs = sqs_new(p->loop.base, p->http, p->o->queue, e);
	p->output = output_new(
	    p->loop.base, STDOUT_FILENO, 64 << 10, &output_handler, p, e);
	if (p->sqs == NULL || p->output == NULL)
		return -1;
	if (output_watch(p->output, e) == -1 ||
	    deletes_init(&p->deletes, (size_t)p->o->receives, p->loop.base,
		p->sqs, p->log, deleted, p, e) == -1)
		return -1;
	return open_database(p, e);
}

static void
close_all(struct poll *p)
{
	deletes_free(&p->deletes);
	sqs_free(p->sqs);
	http_free(p->http);
	db_free(p->db);
	output_free(p->output);
	batch_free(&p->gathering);
	batch_free(&p->accepting);
	batch_free(&p->printing);
	args_free(&p->accept.args);
	buf_free(&p->line);
	if (p->again != NULL)
		event_free(p->again);
	loop_free(&p->loop);
}

/* What there was, as it ends. */
static void
say_end(const struct poll *p)
{
	const struct log_field fields[] = {{"printed", NULL, p->printed},
	    {"repeats", NULL, p->repeats}, {"bad", NULL, p->bad}};

	if (p->o->verbose || log_kept(p->log))
		log_tell(p->log, LOG_TELL, fields, 3,
		    "%lld printed, %lld repeats, %lld bad",
		    (long long)p->printed, (long long)p->repeats,
		    (long long)p->bad);
}

static int
run(const struct options *o, const struct log *log)
{
	struct poll p = {
	    .o = o,
	    .log = log,
	    .wanted = 1,
	    .backoff = {.min_ms = 200, .max_ms = 30000},
	    .began_ms = clock_steady_ms(),
	};
	struct err e = {.msg = "out of memory", .temporary = true};

	log_begin(log);
	batch_init(&p.gathering);
	batch_init(&p.accepting);
	batch_init(&p.printing);
	accept_init(&p.accept);
	if (open_all(&p, &e) == -1) {
		log_say(log, LOG_ERROR, "%s", e.msg);
		p.status = err_status(&e);
	} else {
		receive_more(&p);
		if (loop_run(&p.loop, &e) == -1) {
			log_say(log, LOG_ERROR, "%s", e.msg);
			p.status = 1;
		}
	}
	say_end(&p);
	if (p.status == 0 && p.bad > 0)
		p.status = 1;
	close_all(&p);
	return p.status;
}

int
main(int argc, char **argv)
{
	struct options o = {.lease_ms = 300000, .receives = 16};
	struct log log;
	struct err e;
	int first, status;

	setprogname(cli.name);
	status = cli_parse(&cli, argc, argv, &o, &first, stdout, stderr);
	if (status != -1)
		return status;
	if (o.queue == NULL) {
		warnx("no queue: give -q or set WHK_QUEUE_URL");
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
