/* SPDX-License-Identifier: ISC */
/*
 * whk-send reads event lines and POSTs each event, signed, to the webhooks
 * that its line names; an event that is not stored yet is stored and matched
 * first. What came of each attempt is recorded and then printed as a line.
 */
#include <sys/resource.h>

#include <err.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"
#include "whk-send/send.h"

/* How often what waits is looked at: tasks, perhaps for too long, and what is
   not counted yet. */
#define TICK_MS 250

/* Where the input ends, a database that is away is given up after this. */
#define LATE_S 10

#define OPT(field) offsetof(struct options, field)

static const struct cli_option options[] = {
    {'a', "allow", "NETWORKS", CLI_STRING, OPT(allow),
	"addresses to be dialled that are not public", "WHK_ALLOW", 0, 0},
    {'e', "fail", NULL, CLI_FLAG, OPT(fail),
	"exit 1 unless every attempt was delivered", NULL, 0, 0},
    {'j', "jobs", "N", CLI_INT, OPT(jobs), "attempts at once, in all", NULL, 1,
	100000},
    {'l', "lease", "TIME", CLI_DURATION, OPT(lease_ms),
	"for events that are stored here", "WHK_LEASE", 1000, 43200000},
    {'n', "dry-run", NULL, CLI_FLAG, OPT(dry),
	"show the requests, send and store nothing", NULL, 0, 0},
    {0, "log-format", "FORMAT", CLI_STRING, OPT(log_format),
	"of messages: text, json or logfmt", "WHK_LOG_FORMAT", 0, 0},
    {'v', "verbose", NULL, CLI_FLAG, OPT(verbose),
	"say each attempt, and at the end how many there were", NULL, 0, 0},
};

static const struct cli cli = {
    .name = "whk-send",
    .operands = NULL,
    .summary = "POSTs the events of lines to their webhooks.",
    .options = options,
    .count = sizeof(options) / sizeof(options[0]),
};

/* Whether all is sent, on record and printed, and no more will be. */
static bool
done(const struct send *s)
{
	return intake_idle(s) && hooks_idle(s) && outcome_idle(s) &&
	    output_empty(s->output);
}

static void
add_timer(struct event *timer, int64_t ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	if (!event_pending(timer, EV_TIMEOUT, NULL))
		event_add(timer, &tv);
}

void
send_go_on(struct send *s)
{
	intake_go_on(s);
	if (db_known(s->db))
		hooks_go_on(s);
	outcome_go_on(s);
	if (s->waiting > 0 || s->uncounted > 0)
		add_timer(s->tick, TICK_MS);
	if (s->starts > 0)
		add_timer(s->next, 0);
	if ((s->input_ended || s->finite) && s->db_trouble)
		add_timer(s->late, LATE_S * 1000);
	if (done(s)) {
		output_unwatch(s->output); /* its reader may go */
		if (outcome_counted(s) || s->db_trouble)
			loop_break(&s->loop);
	}
}

void
send_give_up(struct send *s, const struct err *e)
{
	log_say(s->log, LOG_ERROR, "%s", e->msg);
	s->status = err_status(e);
	loop_break(&s->loop);
}

static void
tick(evutil_socket_t fd, short what, void *arg)
{
	struct send *s = arg;

	(void)fd;
	(void)what;
	hooks_park_late(s);
	send_go_on(s);
}

static void
next(evutil_socket_t fd, short what, void *arg)
{
	struct send *s = arg;

	(void)fd;
	(void)what;
	s->starts = 0;
	send_go_on(s);
}

static void
late(evutil_socket_t fd, short what, void *arg)
{
	struct err e;

	(void)fd;
	(void)what;
	err_temporary(&e,
	    "the database stays away: what is not on record will "
	    "be attempted again");
	send_give_up(arg, &e);
}

static void
db_trouble(void *arg, const struct err *e)
{
	struct send *s = arg;

	if (!e->temporary && !db_known(s->db)) {
		send_give_up(s, e);
		return;
	}
	s->db_trouble = true;
	log_say(s->log, LOG_WARN, "%s: waiting for it", e->msg);
	send_go_on(s);
}

static void
db_over(void *arg)
{
	struct send *s = arg;

	s->db_trouble = false;
	event_del(s->late);
	log_say(s->log, LOG_NOTE, "the database is there again");
	send_go_on(s);
}

static void
output_room(void *arg)
{
	send_go_on(arg);
}

/*
 * Nobody reads the lines any more. What was taken is still sent and put on
 * record, but no more is.
 */
static void
output_failed(void *arg, const struct err *e)
{
	struct send *s = arg;

	if (!s->loop.stopping) {
		log_say(s->log, LOG_ERROR, "stdout: %s", e->msg);
		s->status = 1;
	}
	s->closed = true;
	s->input_ended = true;
	send_go_on(s);
}

/* Takes nothing new, sends what was read; the input says when that was all. */
static void
stopped(void *arg)
{
	struct send *s = arg;

	input_stop(s->input);
	send_go_on(s);
}

static const struct db_handler db_handler = {
    db_trouble, db_over, hooks_notified};
static const struct output_handler output_handler = {
    output_room, output_failed};

/* Descriptors for all jobs; what the system grants will do. */
static void
raise_limit(int64_t jobs)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1 ||
	    rl.rlim_cur >= (rlim_t)jobs + 64)
		return;
	rl.rlim_cur =
	    (rlim_t)jobs + 64 < rl.rlim_max ? (rlim_t)jobs + 64 : rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
}

static int
open_all(struct send *s, struct err *e)
{
	if (loop_init(&s->loop, stopped, s, e) == -1 ||
	    guard_init(&s->guard, s->o->allow, e) == -1)
		return -1;
	s->tick = evtimer_new(s->loop.base, tick, s);
	s->next = evtimer_new(s->loop.base, next, s);
	s->late = evtimer_new(s->loop.base, late, s);
	if (s->tick == NULL || s->next == NULL || s->late == NULL)
		return err_temporary(e, "out of memory");
	s->http = http_new(
	    s->loop.base, (size_t)s->o->jobs, &s->guard, "whk/" WHK_VERSION, e);
	if (s->http == NULL)
		return -1;
	s->db =
	    db_new(s->loop.base, cli.name, "whk_webhook", &db_handler, s, e);
	if (s->db == NULL)
		return -1;
	s->output = output_new(
	    s->loop.base, STDOUT_FILENO, 1 << 20, &output_handler, s, e);
	if (s->output == NULL || output_watch(s->output, e) == -1)
		return -1;
	s->finite = !loop_can_poll(STDIN_FILENO);
	s->input = input_new(s->loop.base, STDIN_FILENO, &intake_handler, s, e);
	return s->input == NULL ? -1 : 0;
}

static void
close_all(struct send *s)
{
	http_free(s->http);
	db_free(s->db);
	input_free(s->input);
	intake_free(s);
	hooks_free(s);
	outcome_free(s);
	output_free(s->output);
	guard_free(&s->guard);
	if (s->tick != NULL)
		event_free(s->tick);
	if (s->next != NULL)
		event_free(s->next);
	if (s->late != NULL)
		event_free(s->late);
	loop_free(&s->loop);
}

/* What there was, as it ends. */
static void
say_end(const struct send *s)
{
	const struct log_field fields[] = {{"delivered", NULL, s->delivered},
	    {"undelivered", NULL, s->undelivered}, {"late", NULL, s->expired},
	    {"bad", NULL, (int64_t)s->bad}};

	if (s->o->verbose || log_kept(s->log))
		log_tell(s->log, LOG_TELL, fields, 4,
		    "%lld delivered, %lld not, %lld too late, %llu bad lines",
		    (long long)s->delivered, (long long)s->undelivered,
		    (long long)s->expired, (unsigned long long)s->bad);
}

static int
run(const struct options *o, const struct log *log)
{
	struct send s = {.o = o, .log = log};
	struct err e;

	log_begin(log);
	accept_init(&s.storing);
	hooks_init(&s);
	outcome_init(&s);
	if (open_all(&s, &e) == -1 || loop_run(&s.loop, &e) == -1) {
		log_say(log, LOG_ERROR, "%s", e.msg);
		s.status = err_status(&e);
	}
	say_end(&s);
	if (s.status == 0 &&
	    (s.bad > 0 || (s.expired > 0 && !s.loop.stopping) ||
		(o->fail && s.undelivered + s.expired > 0)))
		s.status = 1;
	close_all(&s);
	return s.status;
}

int
main(int argc, char **argv)
{
	struct options o = {.lease_ms = 300000, .jobs = 1000};
	struct log log;
	struct err e;
	int first, status;

	setprogname(cli.name);
	status = cli_parse(&cli, argc, argv, &o, &first, stdout, stderr);
	if (status != -1)
		return status;
	raise_limit(o.jobs);
	if (log_init(&log, stderr, cli.name, o.log_format, &e) == -1) {
		warnx("%s", e.msg);
		return 2;
	}
	status = run(&o, &log);
	cli_free(&cli, &o);
	return status;
}
