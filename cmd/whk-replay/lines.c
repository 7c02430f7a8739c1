/* SPDX-License-Identifier: ISC */
#include <err.h>
#include <event2/event.h>
#include <string.h>
#include <unistd.h>

#include "input.h"
#include "line.h"
#include "whk-replay/replay.h"

static void
take_line(void *arg, char *line, size_t len, uint64_t number)
{
	struct replay *r = arg;
	struct attempt_line at;
	struct pair p = {.time_ms = -1, .line = number};
	struct timeval now = {0, 0};
	struct err e;

	if (line == NULL)
		err_set(&e, "longer than 8 MiB");
	if (line == NULL || line_attempt_parse(line, len, &at, &e) == -1) {
		r->bad++;
		warnx("line %llu: %s", (unsigned long long)number, e.msg);
		return;
	}
	strlcpy(p.event, at.event, sizeof(p.event));
	p.webhook = at.webhook;
	line_attempt_free(&at);
	if (batch_add(r, &p) == -1) {
		input_pause(r->input);
		loop_break(&r->loop);
	} else
		event_add(r->idle, &now);
}

static void
ended(void *arg, const struct err *e)
{
	struct replay *r = arg;

	if (e != NULL)
		replay_fail(r, e);
	loop_break(&r->loop);
}

/* Nothing more has come for now: what has is not kept waiting. */
static void
idle(evutil_socket_t fd, short what, void *arg)
{
	struct replay *r = arg;

	(void)fd;
	(void)what;
	if (batch_flush(r) == -1)
		loop_break(&r->loop);
}

static void
stopped(void *arg)
{
	struct replay *r = arg;

	loop_break(&r->loop);
}

static const struct input_handler handler = {take_line, ended};

static int
open_input(struct replay *r, struct err *e)
{
	if (loop_init(&r->loop, stopped, r, e) == -1)
		return -1;
	r->idle = evtimer_new(r->loop.base, idle, r);
	if (r->idle == NULL)
		return err_temporary(e, "out of memory");
	r->input = input_new(r->loop.base, STDIN_FILENO, &handler, r, e);
	return r->input == NULL ? -1 : 0;
}

void
replay_lines(struct replay *r)
{
	struct err e;

	if (open_input(r, &e) == -1 || loop_run(&r->loop, &e) == -1)
		replay_fail(r, &e);
	if (r->status == 0)
		batch_flush(r);
	input_free(r->input);
	if (r->idle != NULL)
		event_free(r->idle);
	loop_free(&r->loop);
}
