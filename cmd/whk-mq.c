/* SPDX-License-Identifier: ISC */
/*
 * whk-mq: an SQS-compatible queue in memory, for one machine, tests and demos.
 * It speaks SQS's AWS JSON 1.0 protocol over HTTP; what it holds is gone when
 * it ends.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli.h"
#include "clock.h"
#include "log.h"
#include "loop.h"
#include "notify.h"
#include "whk-mq/broker.h"
#include "whk-mq/server.h"

struct options {
	const char *address;
	int64_t port;
	struct cli_list queues;
	int64_t memory;
	const char *region, *account;
	const char *log_format;
	bool verbose;
};

#define OPTION(member) offsetof(struct options, member)

static const struct cli_option option_table[] = {
    {'a', "address", "ADDRESS", CLI_STRING, OPTION(address),
	"listen at this name or number", NULL, 0, 0},
    {'p', "port", "PORT", CLI_INT, OPTION(port),
	"listen at this port; 0: one that is free", NULL, 0, 65535},
    {'q', "queue", "NAME", CLI_LIST, OPTION(queues),
	"create this queue at the start; may be repeated", NULL, 0, 0},
    {'m', "memory", "SIZE", CLI_SIZE, OPTION(memory),
	"throttle when this much is held", NULL, 1 << 20, (int64_t)1 << 40},
    {'v', "verbose", NULL, CLI_FLAG, OPTION(verbose),
	"say each request, and at the end how many messages there were", NULL,
	0, 0},
    {0, "region", "NAME", CLI_STRING, OPTION(region),
	"region in the ARNs of queues", NULL, 0, 0},
    {0, "account", "ID", CLI_STRING, OPTION(account),
	"account in URLs and ARNs", NULL, 0, 0},
    {0, "log-format", "FORMAT", CLI_STRING, OPTION(log_format),
	"of messages: text, json or logfmt", "WHK_LOG_FORMAT", 0, 0},
};

static const struct cli cli = {
    .name = "whk-mq",
    .summary = "an SQS-compatible queue in memory",
    .options = option_table,
    .count = sizeof(option_table) / sizeof(option_table[0]),
};

struct program {
	struct options options;
	struct log log;
	struct loop loop;
	struct broker broker;
	struct server *server;
};

static void
on_stopped(void *arg)
{
	struct program *p = arg;

	loop_break(&p->loop);
}

static void
on_stop(void *arg)
{
	struct program *p = arg;

	server_stop(p->server, on_stopped, p);
}

/* Both stand in URLs, ARNs and JSON as they are. */
static int
check_word(const char *option, const char *word, struct err *e)
{
	size_t len = strlen(word);

	if (len > 0 && len <= 64 &&
	    strspn(word,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789-") == len)
		return 0;
	return err_set(e, "%s: '%s' is not made of letters, digits and hyphens",
	    option, word);
}

static int
check_options(struct program *p, struct err *e)
{
	const struct options *o = &p->options;
	struct fault f;

	if (log_init(&p->log, stderr, cli.name, o->log_format, e) < 0 ||
	    check_word("--region", o->region, e) < 0 ||
	    check_word("--account", o->account, e) < 0)
		return -1;
	for (size_t i = 0; i < o->queues.count; i++)
		if (broker_check_name(o->queues.items[i], &f) < 0)
			return err_set(
			    e, "--queue: '%s': %s", o->queues.items[i], f.msg);
	return 0;
}

/* Each connection is a descriptor, and a thousand are soon used up. */
static void
raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int
create_queues(struct program *p, struct err *e)
{
	struct moment now = {clock_steady_ms(), clock_wall_ms()};
	const struct cli_list *names = &p->options.queues;

	for (size_t i = 0; i < names->count; i++) {
		struct queue *q;

		if (broker_find(&p->broker, names->items[i]) != NULL)
			continue;
		q = queue_new(names->items[i], &p->broker.meter, &now);
		if (q == NULL)
			return err_set(e, "out of memory");
		broker_add(&p->broker, q);
	}
	return 0;
}

/* The URL of the server, then of each queue that was asked for, one a line. */
static int
print_urls(const struct program *p, struct err *e)
{
	const struct cli_list *names = &p->options.queues;
	const char *host = server_host(p->server);

	printf("http://%s\n", host);
	for (size_t i = 0; i < names->count; i++)
		printf("http://%s/%s/%s\n", host, p->options.account,
		    names->items[i]);
	if (ferror(stdout) || fflush(stdout) == EOF)
		return err_set(e, "cannot write to standard output");
	return 0;
}

/* What there was, as it ends. */
static void
say_end(const struct program *p)
{
	const struct meter *m = &p->broker.meter;
	const struct log_field fields[] = {{"sent", NULL, m->sent},
	    {"received", NULL, m->received}, {"deleted", NULL, m->deleted}};

	if (p->options.verbose || log_kept(&p->log))
		log_tell(&p->log, LOG_TELL, fields, 3,
		    "%lld sent, %lld received, %lld deleted",
		    (long long)m->sent, (long long)m->received,
		    (long long)m->deleted);
}

static int
run(struct program *p, struct err *e)
{
	const struct options *o = &p->options;
	const struct server_options server = {
	    .address = o->address,
	    .port = (uint16_t)o->port,
	    .log = &p->log,
	    .verbose = o->verbose,
	};
	int rc = -1;

	log_begin(&p->log);
	raise_limit();
	if (loop_init(&p->loop, on_stop, p, e) < 0)
		return -1;
	if (broker_init(
		&p->broker, (size_t)o->memory, o->region, o->account, e) < 0 ||
	    create_queues(p, e) < 0)
		goto out;
	p->server = server_new(p->loop.base, &p->broker, &server, e);
	if (p->server == NULL || print_urls(p, e) < 0 || notify_ready(e) < 0)
		goto out;
	rc = loop_run(&p->loop, e);
	say_end(p);
out:
	server_free(p->server);
	broker_free(&p->broker);
	loop_free(&p->loop);
	return rc;
}

int
main(int argc, char **argv)
{
	struct program p = {.options = {
				.address = "127.0.0.1",
				.port = 9324,
				.memory = (int64_t)1 << 30,
				.region = "us-east-1",
				.account = "000000000000",
			    }};
	struct err e;
	int first, status;

	setprogname(cli.name);
	status =
	    cli_parse(&cli, argc, argv, &p.options, &first, stdout, stderr);
	if (status >= 0)
		goto out;
	if (check_options(&p, &e) < 0) {
		warnx("%s", e.msg);
		status = 2;
		goto out;
	}
	status = 0;
	if (run(&p, &e) < 0) {
		log_say(&p.log, LOG_ERROR, "%s", e.msg);
		status = err_status(&e);
	}
out:
	cli_free(&cli, &p.options);
	return status;
}
