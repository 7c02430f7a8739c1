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

#include "accept.h"
#include "buf.h"
#include "cli.h"
#include "clock.h"
#include "db.h"
#include "http.h"
#include "log.h"
#include "loop.h"
#include "output.h"
#include "sqs.h"
#include "whk-poll/batch.h"
#include "whk-poll/deletes.h"

/* Messages and bytes in hand at which no more are asked for; messages so many
   times what all requests at once may bring. */
#define HAND_TIMES 4
#define HAND_BYTES ((size_t)8 << 20)

/* Messages for one call of whk.accept(): more gain little, and their memory is
   held three times over. */
#define BATCH_MESSAGES 400

/* Stored messages that wait for the reader at which no more are asked for. */
#define PRINTING_MESSAGES 200

/* Requests for messages at once, at the most. */
#define RECEIVES_MAX 64

/* Long polling, in seconds: as long as SQS has it, or just to be sure. */
#define WAIT_LONG 20
#define WAIT_SHORT 1

/* How long a message that was only looked at stays hidden, in seconds. */
#define PEEK_HIDDEN 5

struct options {
	const char *queue, *log_format;
	int64_t lease_ms, number, receives;
	bool once, peek, verbose;
};

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

/* A request for messages. */
struct receive {
	struct poll *poll;
	int max; /* messages asked for; 0: there is none */
};

struct poll {
	const struct options *o;
	const struct log *log;
	struct loop loop;
	struct http *http;
	struct sqs *sqs;
	struct db *db;
	struct output *output;
	struct deletes deletes;
	struct event *again; /* when the queue is asked after a trouble */
	struct backoff backoff;

	struct batch gathering; /* to be accepted next */
	struct batch accepting; /* in the call that is under way */
	struct batch printing;  /* stored, and for the reader */
	size_t bytes;           /* in all of them */
	struct accept accept;   /* of the next call */
	struct buf line;

	struct receive receives[RECEIVES_MAX];
	int64_t receiving;    /* requests under way */
	int64_t asked, taken; /* messages: asked for by these; ever taken */
	int64_t wanted;       /* requests at once that seem worth it */
	bool empty;           /* the last long poll brought nothing */
	size_t large;         /* the largest body that the last answer had */
	bool db_trouble, queue_trouble;
	bool ending;
	bool gave_up; /* nothing is stored any more */
	int64_t began_ms;
	int64_t printed, repeats, bad;
	int status;
};

static void receive_more(struct poll *);
static void accept_more(struct poll *);
static void print_more(struct poll *);

/* Takes nothing new; ends once what was taken is done. */
static void
end(struct poll *p, int status)
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

/* Looks what is to be done next; called after whatever happened. */
static void
go_on(struct poll *p)
{
	print_more(p);
	if (!p->gave_up)
		accept_more(p);
	if (!p->ending)
		receive_more(p);
	/* what a receive under way may still bring comes again by itself */
	if (p->ending && idle(p))
		loop_break(&p->loop);
}

/*
 * Says that an error ends the program, as one that runs but once. What is
 * stored is still deleted and printed.
 */
static void
give_up(struct poll *p, const struct err *e)
{
	if (!p->gave_up)
		log_say(p->log, LOG_ERROR, "%s", e->msg);
	p->gave_up = true;
	deletes_hurry(&p->deletes);
	end(p, err_status(e));
	if (idle(p))
		loop_break(&p->loop);
}

static void
print(struct poll *p, const struct event_line *ev)
{
	buf_clear(&p->line);
	line_event_write(&p->line, ev);
	if (p->line.failed) {
		/* stored and leased: it comes again through whk-due */
		log_say(p->log, LOG_WARN, "%s: out of memory", ev->id);
		return;
	}
	output_line(p->output, p->line.data, p->line.len);
	p->printed++;
}

/* With -v: what became of an event. */
static void
say_event(const struct poll *p, const char *id, const char *what)
{
	const struct log_field fields[] = {{"event", id, 0}, {"what", what, 0}};

	if (p->o->verbose)
		log_tell(p->log, LOG_TELL, fields, 2, "event %s: %s", id, what);
}

/* The end of an item's way. */
static void
drop(struct poll *p, struct item *item)
{
	p->bytes -= item->event.body_len;
	item_free(item);
}

/* Prints what the output has room for: the rest waits where it is. */
static void
print_more(struct poll *p)
{
	struct item *item;

	while (!output_full(p->output) &&
	    (item = batch_take(&p->printing)) != NULL) {
		print(p, &item->event);
		drop(p, item);
	}
}

/* What became of one message: it is printed if somebody is to have it now. */
static void
accepted_one(struct poll *p, const PGresult *r, int n, struct item *item)
{
	struct accept_row row;

	if (accept_row(r, n, &row) == -1) {
		log_say(p->log, LOG_WARN, "%s: out of memory", item->event.id);
		drop(p, item);
		return;
	}
	if (!row.fresh)
		p->repeats++;
	say_event(p, item->event.id,
	    row.to != NULL  ? "printed"
		: row.fresh ? "stored, for nobody now"
			    : "a repeat");
	free(row.missing);
	if (row.to == NULL) {
		drop(p, item);
		return;
	}
	item->event.attempt = 1;
	item->event.to = row.to;
	item->event.to_count = row.to_count;
	item->event.lease_ms = row.lease_ms;
	batch_add(&p->printing, item);
}

/*
 * The batch is committed, and only now is anything deleted. Should the deletes
 * fail, the messages come again and are found to be stored.
 */
static void
accepted(void *arg, const struct err *e, const PGresult *r)
{
	struct poll *p = arg;
	struct item *item;

	if (e != NULL) {
		give_up(p, e);
		return;
	}
	for (int i = 0; (item = batch_take(&p->accepting)) != NULL; i++) {
		deletes_add(&p->deletes, item->receipt);
		accepted_one(p, r, i, item);
	}
	deletes_send(&p->deletes);
	go_on(p);
}

/*
 * Whether a batch is worth waiting for: each call costs the database as much as
 * some thirty events more in another, and the reader has lines to read.
 */
static bool
may_grow(const struct poll *p)
{
	return p->printing.count > 0 && p->receiving > 0 &&
	    p->gathering.count < BATCH_MESSAGES;
}

static void
accept_more(struct poll *p)
{
	struct item *item;
	struct err e;

	if (p->accepting.count > 0 || p->gathering.count == 0 || may_grow(p))
		return;
	while (p->accepting.count < BATCH_MESSAGES &&
	    (item = batch_take(&p->gathering)) != NULL) {
		accept_add(&p->accept, &item->event, item->chosen);
		batch_add(&p->accepting, item);
	}
	if (accept_call(&p->accept, p->db, p->o->lease_ms, "queue", accepted, p,
		&e) == -1)
		give_up(p, &e);
}

static void
take(struct poll *p, const struct sqs_message *m)
{
	struct item *item;
	struct err e;

	item = item_new(m, &e);
	if (item == NULL) {
		p->bad++;
		log_say(p->log, LOG_WARN, "message %s: %s: left in the queue",
		    m->message_id != NULL ? m->message_id : "without an id",
		    e.msg);
		return;
	}
	p->taken++;
	p->bytes += item->event.body_len;
	batch_add(p->o->peek ? &p->printing : &p->gathering, item);
}

/* The queue failed: say it once, and ask again after a while. */
static void
queue_failed(struct poll *p, const struct err *e)
{
	struct timeval tv;
	int64_t ms;
	bool first;

	if (p->o->once || p->o->peek) {
		give_up(p, e);
		return;
	}
	p->wanted = 1;
	if (event_pending(p->again, EV_TIMEOUT, NULL))
		return; /* one of several that failed at once */
	ms = backoff_fail(&p->backoff, &first);
	if (first)
		log_say(p->log, LOG_WARN, "%s: trying again", e->msg);
	p->queue_trouble = true;
	tv = (struct timeval){ms / 1000, ms % 1000 * 1000};
	event_add(p->again, &tv);
}

/* How many requests at once are worth it: more while they come back full. */
static void
adapt(struct poll *p, size_t count)
{
	if (count == SQS_BATCH && p->wanted < p->o->receives)
		p->wanted++;
	else if (count == 0)
		p->wanted = 1;
	p->empty = count == 0;
}

/* What was looked at first is soon to be seen again: then it ends. */
static void
peek_on(struct poll *p)
{
	if (p->ending ||
	    clock_steady_ms() - p->began_ms < PEEK_HIDDEN * 1000 - 500)
		return;
	log_say(p->log, LOG_WARN, "there may be more: it looks for %d seconds",
	    PEEK_HIDDEN);
	end(p, 0);
}

static void
received(void *arg, const struct err *e, const struct sqs_message *messages,
    size_t count)
{
	struct receive *rc = arg;
	struct poll *p = rc->poll;

	p->receiving--;
	p->asked -= rc->max;
	rc->max = 0;
	if (e != NULL) {
		if (!p->ending)
			queue_failed(p, e);
		go_on(p);
		return;
	}
	p->queue_trouble = false;
	if (backoff_ok(&p->backoff))
		log_say(p->log, LOG_NOTE, "the queue answers again");
	adapt(p, count);
	if (count > 0)
		p->large = 0;
	for (size_t i = 0; i < count; i++) {
		if (messages[i].body_len > p->large)
			p->large = messages[i].body_len;
		take(p, &messages[i]);
	}
	if (p->empty && (p->o->once || p->o->peek) && p->receiving == 0)
		end(p, 0);
	if (p->o->number > 0 && p->taken >= p->o->number)
		end(p, 0);
	if (p->o->peek)
		peek_on(p);
	go_on(p);
}

static void
receive(struct poll *p, int max)
{
	struct receive *rc = p->receives;
	bool once = p->o->once || p->o->peek;
	struct err e;

	while (rc->max != 0) /* no more are under way than there are */
		rc++;
	*rc = (struct receive){p, max};
	if (sqs_receive(p->sqs, max, once ? WAIT_SHORT : WAIT_LONG,
		p->o->peek ? PEEK_HIDDEN : -1, received, rc, &e) == -1) {
		rc->max = 0;
		queue_failed(p, &e);
		return;
	}
	p->receiving++;
	p->asked += max;
}

/*
 * Whether there is room for what one more request may bring; it is taken to be
 * of the kind that came last.
 */
static bool
has_room(const struct poll *p)
{
	size_t most = HAND_TIMES * SQS_BATCH * (size_t)p->o->receives;
	size_t count = (size_t)p->asked + p->gathering.count +
	    p->accepting.count + p->printing.count;

	return count < most && deletes_count(&p->deletes) < most &&
	    p->printing.count < PRINTING_MESSAGES &&
	    p->bytes + (size_t)p->asked * p->large < HAND_BYTES &&
	    !p->db_trouble && !p->queue_trouble;
}

static void
receive_more(struct poll *p)
{
	while (!p->ending && p->receiving < p->wanted && has_room(p)) {
		int64_t max = SQS_BATCH;

		/* empty once: the others may not be, but nothing new is asked
		 */
		if (p->empty && p->receiving > 0 && (p->o->once || p->o->peek))
			return;
		if (p->o->number > 0 &&
		    max > p->o->number - p->taken - p->asked)
			max = p->o->number - p->taken - p->asked;
		if (max <= 0)
			return;
		receive(p, (int)max);
	}
}

static void
ask_again(evutil_socket_t fd, short what, void *arg)
{
	struct poll *p = arg;

	(void)fd;
	(void)what;
	p->queue_trouble = false;
	go_on(p);
}

static void
db_trouble(void *arg, const struct err *e)
{
	struct poll *p = arg;

	if (p->o->once || (!e->temporary && !db_known(p->db))) {
		give_up(p, e);
		return;
	}
	p->db_trouble = true;
	if (p->loop.stopping)
		go_on(p);
	else
		log_say(p->log, LOG_WARN, "%s: waiting for it", e->msg);
}

static void
db_over(void *arg)
{
	struct poll *p = arg;

	p->db_trouble = false;
	log_say(p->log, LOG_NOTE, "the database is there again");
	go_on(p);
}

static void
output_room(void *arg)
{
	go_on(arg);
}

static void
output_failed(void *arg, const struct err *e)
{
	struct poll *p = arg;

	/* in a pipeline that stops, its reader may end first */
	if (p->loop.stopping) {
		end(p, 0);
	} else {
		log_say(p->log, LOG_ERROR, "stdout: %s", e->msg);
		end(p, 1);
	}
	go_on(p);
}

static void
stopped(void *arg)
{
	struct poll *p = arg;

	deletes_hurry(&p->deletes);
	end(p, 0);
	go_on(p);
}

static void
deleted(void *arg)
{
	go_on(arg);
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
	p->again = evtimer_new(p->loop.base, ask_again, p);
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
