/* SPDX-License-Identifier: ISC */
/*
 * whk-stat says how it goes: the queue, what is pending, the webhooks, rates,
 * success and times, and the webhooks that do worst; on one screen, as JSON
 * lines, for Prometheus, or as checks that pass or fail.
 */
#include <err.h>
#include <event2/event.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http.h"
#include "term.h"
#include "text.h"
#include "whk-stat/program.h"

#define NAME "whk-stat"

/* Webhooks of a tenant that have series of their own. */
#define SERIES_MAX 1000

#define AT(member) offsetof(struct options, member)

static const struct cli_option option_table[] = {
    {'c', "check", "CHECK", CLI_LIST, AT(checks),
	"print and exit 1 unless it is so, as in \"success>99%\"", NULL, 0, 0},
    {0, "color", "WHEN", CLI_STRING, AT(color), "always, never or auto", NULL,
	0, 0},
    {'i', "interval", "TIME", CLI_DURATION, AT(interval_ms),
	"with -w: how often (2s)", NULL, 100, 86400000},
    {'j', "json", NULL, CLI_FLAG, AT(json), "print JSON lines", NULL, 0, 0},
    {'n', "number", "N", CLI_INT, AT(max), "list so many webhooks (10)", NULL,
	0, 1000},
    {'p', "prometheus", NULL, CLI_FLAG, AT(prometheus),
	"print Prometheus' text format", NULL, 0, 0},
    {'q', "queue", "URL", CLI_STRING, AT(queue), "the queue, or its name",
	"WHK_QUEUE_URL", 0, 0},
    {'T', "tenant", "TENANT", CLI_STRING, AT(tenant),
	"the webhooks of that tenant", NULL, 0, 0},
    {'w', "watch", NULL, CLI_FLAG, AT(watch), "go on, in place", NULL, 0, 0},
    {'W', "webhook", "ID", CLI_LIST | CLI_WEBHOOK, AT(webhooks),
	"that webhook; may be repeated", NULL, 0, 0},
};

static const struct cli cli = {
    .name = NAME,
    .operands = NULL,
    .summary = "Says how it goes: queue, backlog, webhooks, success, times.",
    .options = option_table,
    .count = sizeof(option_table) / sizeof(option_table[0]),
};

static void
wait_for_next(struct program *p)
{
	struct timeval tv = {
	    p->o.interval_ms / 1000, p->o.interval_ms % 1000 * 1000};

	if (event_add(p->tick, &tv) < 0)
		program_end(p, 1);
}

/* A trouble begins, or, with "", is over: on the screen, or below it. */
static void
set_trouble(struct program *p, const char *msg)
{
	if (strcmp(p->trouble.msg, msg) == 0)
		return;
	strlcpy(p->trouble.msg, msg, sizeof(p->trouble.msg));
	if (p->on_terminal)
		return;
	warnx("%s", msg[0] == '\0' ? "it is over" : msg);
}

/* A round is done. */
static void
rounded(void *arg)
{
	struct program *p = arg;

	if (p->round.db_error.msg[0] != '\0') {
		program_fail(p, &p->round.db_error);
		return;
	}
	stat_clear(&p->shown);
	p->shown = p->round.s;
	p->round.s = (struct stats){0};
	p->whole = true;
	if (!p->o.watch) {
		program_finish(p);
		return;
	}
	program_remember(p);
	set_trouble(p, p->round.queue_error.msg);
	program_show(p);
	wait_for_next(p);
}

static void
start(struct program *p)
{
	struct err e;

	if (round_start(&p->round, &e) == -1)
		program_fail(p, &e);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	start(arg);
}

static void
db_trouble(void *arg, const struct err *e)
{
	struct program *p = arg;

	if (!p->o.watch || (!e->temporary && !p->whole)) {
		program_fail(p, e);
		return;
	}
	set_trouble(p, e->msg);
	if (p->on_terminal)
		program_show(p);
}

static void
db_over(void *arg)
{
	set_trouble(arg, "");
}

static void
redraw(void *arg)
{
	struct program *p = arg;

	if (p->whole || p->trouble.msg[0] != '\0')
		program_show(p);
}

static void
refresh(void *arg)
{
	struct program *p = arg;

	event_del(p->tick);
	start(p);
}

static void
quit(void *arg)
{
	program_end(arg, 0);
}

static const struct db_handler db_handler = {db_trouble, db_over, NULL};
static const struct watch_handler watch_handler = {redraw, refresh, quit};

static int
read_checks(struct program *p, struct err *e)
{
	p->checks = calloc(p->o.checks.count + 1, sizeof(*p->checks));
	if (p->checks == NULL)
		return err_temporary(e, "out of memory");
	for (size_t i = 0; i < p->o.checks.count; i++) {
		if (check_parse(&p->checks[i], p->o.checks.items[i], e) == -1)
			return -1;
		if (!check_queue(&p->checks[i]))
			continue;
		if (p->o.queue == NULL)
			return err_set(e,
			    "--check: '%.60s' needs a queue: -q or "
			    "WHK_QUEUE_URL",
			    p->o.checks.items[i]);
		p->asks_queue = true;
	}
	return 0;
}

/* What to ask for, as the options want it. */
static void
choose(struct program *p)
{
	struct choice *c = &p->choice;

	c->ids = p->ids.count > 0 ? p->ids.v : NULL;
	c->id_count = p->ids.count;
	c->tenant = p->o.tenant;
	c->max = p->ids.count > 0 ? (int64_t)p->ids.count : p->o.max;
	c->asks = 1U << ASK_WHOLE | 1U << ASK_SHUT;
	if (p->o.prometheus) {
		c->whole = true;
		if (c->ids == NULL)
			c->max = SERIES_MAX;
	} else {
		c->asks |= 1U << ASK_TIMES;
	}
	if (p->o.checks.count > 0 ? c->ids != NULL
				  : !p->o.prometheus || stat_chosen(c))
		c->asks |= 1U << ASK_HOOKS;
	if (p->o.prometheus ||
	    (p->o.checks.count == 0 && !p->o.json && !stat_chosen(c)))
		c->asks |= 1U << ASK_HISTOGRAM;
	if (p->o.checks.count == 0)
		p->asks_queue = p->o.queue != NULL;
}

static int
read_all(struct program *p, struct err *e)
{
	const struct options *o = &p->o;
	int forms = o->json + o->prometheus + (o->checks.count > 0);

	if (forms > 1)
		return err_set(
		    e, "only one of --check, --json and --prometheus");
	if (o->watch && (o->prometheus || o->checks.count > 0))
		return err_set(e, "--watch excludes --check and --prometheus");
	if (o->tenant != NULL &&
	    (o->tenant[0] == '\0' ||
		!text_is_utf8(o->tenant, strlen(o->tenant))))
		return err_set(e, "--tenant: empty, or not UTF-8");
	if (term_colors(o->color, STDOUT_FILENO, &p->color, e) == -1)
		return -1;
	if (webhook_ids_parse(&p->ids, (char **)(uintptr_t)o->webhooks.items,
		(int)o->webhooks.count, e) == -1)
		return -1;
	if (read_checks(p, e) == -1)
		return -1;
	choose(p);
	return 0;
}

static int
open_queue(struct program *p, struct err *e)
{
	if (!p->asks_queue)
		return 0;
	p->http = http_new(p->loop.base, 4, NULL, "whk/" WHK_VERSION, e);
	if (p->http == NULL)
		return -1;
	p->round.queue = sqs_new(p->loop.base, p->http, p->o.queue, e);
	return p->round.queue == NULL ? -1 : 0;
}

static int
open_all(struct program *p, struct err *e)
{
	if (loop_init(&p->loop, quit, p, e) == -1)
		return -1;
	p->tick = evtimer_new(p->loop.base, on_tick, p);
	if (p->tick == NULL)
		return err_temporary(e, "out of memory");
	p->round.queue_name = p->o.queue;
	p->round.choice = &p->choice;
	p->round.done = rounded;
	p->round.arg = p;
	if (open_queue(p, e) == -1)
		return -1;
	p->round.db = db_new(p->loop.base, NAME, NULL, &db_handler, p, e);
	if (p->round.db == NULL)
		return -1;
	p->on_terminal = p->o.watch && !p->o.json && watch_can();
	if (p->on_terminal)
		return watch_begin(
		    &p->watch, p->loop.base, &watch_handler, p, e);
	return 0;
}

static void
close_all(struct program *p)
{
	if (p->on_terminal)
		watch_end(&p->watch);
	sqs_free(p->round.queue);
	http_free(p->http);
	db_free(p->round.db);
	round_free(&p->round);
	stat_clear(&p->shown);
	if (p->tick != NULL)
		event_free(p->tick);
	loop_free(&p->loop);
	buf_free(&p->out);
}

static void
run(struct program *p)
{
	struct err e;

	if (open_all(p, &e) == -1) {
		program_fail(p, &e);
	} else {
		start(p);
		if (p->status == 0 && loop_run(&p->loop, &e) == -1)
			program_fail(p, &e);
	}
	close_all(p);
}

int
main(int argc, char **argv)
{
	struct program p = {
	    .o = {.max = 10, .interval_ms = 2000, .color = "auto"}};
	struct err e;
	int first, status;

	setlocale(LC_CTYPE, "C.UTF-8"); /* for the width of characters */
	status = cli_parse(&cli, argc, argv, &p.o, &first, stdout, stderr);
	if (status != -1)
		return status;
	if (read_all(&p, &e) == 0) {
		run(&p);
	} else {
		warnx("%s", e.msg);
		p.status = e.temporary ? 75 : 2;
	}
	free(p.checks);
	webhook_ids_free(&p.ids);
	cli_free(&cli, &p.o);
	return p.status;
}
