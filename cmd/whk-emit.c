/* SPDX-License-Identifier: ISC */
/*
 * whk-emit puts events on a queue: standard input or a file as the body of
 * one, or event lines, each of which is one. What the queue does not take is
 * reported, with its line number; the rest is sent.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "buf.h"
#include "cli.h"
#include "http.h"
#include "input.h"
#include "loop.h"
#include "text.h"
#include "whk-emit/item.h"
#include "whk-emit/say.h"
#include "whk-emit/sender.h"

#define NAME "whk-emit"

struct options {
	const char *queue;
	const char *type, *tenant, *id, *key, *content_type;
	bool lines, verbose, dry_run;
	int64_t jobs;
};

#define AT(member) offsetof(struct options, member)

static const struct cli_option option_table[] = {
    {'q', "queue", "QUEUE", CLI_STRING, AT(queue), "the queue's URL or name",
	"WHK_QUEUE_URL", 0, 0},
    {'t', "type", "TYPE", CLI_STRING | CLI_TYPE, AT(type),
	"what happened: order.paid", NULL, 0, 0},
    {'T', "tenant", "TENANT", CLI_STRING, AT(tenant), "whose event it is", NULL,
	0, 0},
    {'i', "id", "ID", CLI_STRING, AT(id), "the event's id, which repeats share",
	NULL, 0, 0},
    {'k', "key", "KEY", CLI_STRING, AT(key),
	"what ordered webhooks keep the order of", NULL, 0, 0},
    {'c', "content-type", "TYPE", CLI_STRING, AT(content_type),
	"of the body (application/json)", NULL, 0, 0},
    {'l', "lines", NULL, CLI_FLAG, AT(lines),
	"read event lines, one event each", NULL, 0, 0},
    {'j', "jobs", "N", CLI_INT, AT(jobs), "requests at once", NULL, 1, 256},
    {'n', "dry-run", NULL, CLI_FLAG, AT(dry_run),
	"print event lines instead of sending", NULL, 0, 0},
    {'v', "verbose", NULL, CLI_FLAG, AT(verbose),
	"print the id of each event sent", NULL, 0, 0},
};

static const struct cli cli = {
    .name = NAME,
    .operands = "[FILE]",
    .summary = "puts events on a queue",
    .options = option_table,
    .count = sizeof(option_table) / sizeof(option_table[0]),
    .min_operands = 0,
    .max_operands = 1,
};

struct emit {
	struct options o;
	struct item_facts facts; /* from the options */
	bool fifo;
	const char *file; /* NULL: standard input */
	int fd;
	struct loop loop;
	struct http *http;
	struct sender *sender; /* NULL in a dry run */
	struct input *input;
	struct buf out; /* a line of the dry run */
	uint64_t last;  /* the number of the last line read */
	struct say say;
	bool output_failed;
	int status;
};

static const char *
input_name(const struct emit *em)
{
	return em->file == NULL ? "standard input" : em->file;
}

static void
complain_item(struct emit *em, uint64_t number, const char *reason)
{
	if (number > 0)
		say(&em->say, "line %" PRIu64 ": %s", number, reason);
	else
		say(&em->say, "%s", reason);
	em->status = 1;
}

/* Writes to standard output; once that failed, nothing more is taken in. */
static void
print(struct emit *em, const char *data, size_t len)
{
	if (em->output_failed || fwrite(data, 1, len, stdout) == len)
		return;
	em->output_failed = true;
	say(&em->say, "standard output: %s", strerror(errno));
	em->status = 1;
	input_free(em->input);
	em->input = NULL;
	if (em->sender != NULL)
		sender_end(em->sender);
	else
		loop_break(&em->loop);
}

static void
on_sent(void *arg, const struct item *item, const char *message_id)
{
	struct emit *em = arg;
	char line[256];
	int n;

	em->say.sent++;
	if (!em->o.verbose)
		return;
	if (item->facts.id != NULL)
		n = snprintf(line, sizeof(line), "%s\n", item->facts.id);
	else
		n = snprintf(line, sizeof(line), "msg_%.200s\n",
		    message_id != NULL ? message_id : "");
	print(em, line, (size_t)n);
}

static void
on_refused(void *arg, const struct item *item, const char *reason)
{
	complain_item(arg, item->number, reason);
}

static void
on_trouble(void *arg, const struct err *e, bool given_up)
{
	struct emit *em = arg;

	say(&em->say, "%s%s", e->msg, given_up ? "" : "; trying again");
	if (given_up)
		em->status = err_status(e);
}

static void
on_over(void *arg)
{
	say(&((struct emit *)arg)->say, "the queue answers again");
}

static void
on_room(void *arg)
{
	struct emit *em = arg;

	if (em->input != NULL)
		input_resume(em->input);
}

static void
on_idle(void *arg)
{
	struct emit *em = arg;
	uint64_t first = sender_first(em->sender);

	if (first > 0)
		say(&em->say,
		    "%" PRIu64 " events sent; line %" PRIu64
		    " is the first that was not",
		    em->say.sent, first);
	loop_break(&em->loop);
}

static const struct sender_handler sender_handler = {
    .sent = on_sent,
    .refused = on_refused,
    .trouble = on_trouble,
    .over = on_over,
    .room = on_room,
    .idle = on_idle,
};

/* Sends an item or, in a dry run, shows it. */
static void
take(struct emit *em, struct item *item)
{
	if (em->sender != NULL) {
		sender_add(em->sender, item);
		if (em->input != NULL && sender_full(em->sender))
			input_pause(em->input);
		return;
	}
	buf_clear(&em->out);
	item_write(&em->out, item);
	if (em->out.failed)
		complain_item(em, item->number, "out of memory");
	else
		print(em, em->out.data, em->out.len);
	item_free(item);
}

static void
on_line(void *arg, char *line, size_t len, uint64_t number)
{
	struct emit *em = arg;
	struct item *item;
	struct err e;

	em->last = number;
	if (line == NULL) {
		complain_item(em, number, "longer than 8 MiB");
		return;
	}
	item = item_from_line(line, len, number, &em->facts, em->fifo, &e);
	if (item == NULL)
		complain_item(em, number, e.msg);
	else
		take(em, item);
}

/* Nothing more comes. */
static void
finish(struct emit *em)
{
	if (em->sender != NULL)
		sender_end(em->sender);
	else
		loop_break(&em->loop);
}

static void
on_end(void *arg, const struct err *e)
{
	struct emit *em = arg;

	if (e != NULL) {
		say(&em->say, "%s: %s", input_name(em), e->msg);
		em->status = 1;
	}
	finish(em);
}

static const struct input_handler input_handler = {
    .line = on_line,
    .end = on_end,
};

/* The first SIGTERM or SIGINT. */
static void
on_stop(void *arg)
{
	struct emit *em = arg;

	if (em->input != NULL)
		say(&em->say, "stopped after line %" PRIu64, em->last);
	input_free(em->input);
	em->input = NULL;
	finish(em);
}

/* The one event of which the input is the body; NULL if there is none. */
static struct item *
read_body(struct emit *em)
{
	struct item *item;
	struct err e;

	item = item_from_file(em->fd, &em->facts, em->fifo, &e);
	if (item != NULL)
		return item;
	say(&em->say, "%s: %s", input_name(em), e.msg);
	em->status = 1;
	return NULL;
}

/* Opens what is needed for lines and sending, the queue first. */
static int
open_all(struct emit *em, struct err *e)
{
	if (!em->o.dry_run) {
		em->http = http_new(em->loop.base, (size_t)em->o.jobs, NULL,
		    NAME "/" WHK_VERSION, e);
		if (em->http == NULL)
			return -1;
		em->sender = sender_new(em->loop.base, em->http, em->o.queue,
		    (size_t)em->o.jobs, &sender_handler, em, e);
		if (em->sender == NULL)
			return -1;
	}
	if (em->o.lines) {
		em->input =
		    input_new(em->loop.base, em->fd, &input_handler, em, e);
		if (em->input == NULL)
			return -1;
	}
	if (em->o.dry_run)
		return 0;
	return say_progress(&em->say, em->loop.base, em->fd, e);
}

static void
close_all(struct emit *em)
{
	input_free(em->input);
	sender_free(em->sender);
	http_free(em->http);
	say_free(&em->say);
	buf_free(&em->out);
}

/* Sends item, or if it is NULL the lines. Returns the exit status. */
static int
run(struct emit *em, struct item *item)
{
	struct err e;

	if (loop_init(&em->loop, on_stop, em, &e) == -1) {
		say(&em->say, "%s", e.msg);
		item_free(item);
		return 1;
	}
	if (open_all(em, &e) == -1) {
		say(&em->say, "%s", e.msg);
		em->status = err_status(&e);
		item_free(item);
	} else {
		if (item != NULL) {
			take(em, item);
			finish(em);
		}
		if (loop_run(&em->loop, &e) == -1)
			complain_item(em, 0, e.msg);
	}
	close_all(em);
	loop_free(&em->loop);
	return em->status;
}

/* Looks at the options as a whole. 0, or 2. */
static int
check(struct emit *em)
{
	const struct options *o = &em->o;
	struct err e;
	size_t len;

	em->facts = (struct item_facts){.type = o->type,
	    .tenant = o->tenant,
	    .id = o->id,
	    .key = o->key,
	    .content_type = o->content_type};
	if (o->queue == NULL && !o->dry_run) {
		say(&em->say, "no queue: give -q, or set WHK_QUEUE_URL");
		return 2;
	}
	if (o->lines && o->id != NULL) {
		say(&em->say, "-i is for one event, not for lines");
		return 2;
	}
	if (item_check(&em->facts, &e) == -1) {
		say(&em->say, "%s", e.msg);
		return 2;
	}
	len = o->queue == NULL ? 0 : strlen(o->queue);
	em->fifo = len > 5 && strcmp(o->queue + len - 5, ".fifo") == 0;
	return 0;
}

int
main(int argc, char **argv)
{
	struct emit em = {.o.jobs = 8, .fd = STDIN_FILENO};
	struct item *item = NULL;
	int first, status;

	status = cli_parse(&cli, argc, argv, &em.o, &first, stdout, stderr);
	if (status != -1)
		return status;
	status = check(&em);
	if (status != 0)
		return status;
	if (first < argc && strcmp(argv[first], "-") != 0) {
		em.file = argv[first];
		em.fd = open(em.file, O_RDONLY | O_CLOEXEC);
		if (em.fd == -1) {
			say(&em.say, "%s: %s", em.file, strerror(errno));
			return 1;
		}
	}
	if (!em.o.lines)
		item = read_body(&em);
	status = item != NULL || em.o.lines ? run(&em, item) : em.status;
	if (!em.output_failed && fflush(stdout) == EOF) {
		say(&em.say, "standard output: %s", strerror(errno));
		status = 1;
	}
	cli_free(&cli, &em.o);
	return status;
}
