/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <event2/event.h>

#include "clock.h"
#include "say.h"

static void
wipe(struct say *s)
{
	if (s->progress)
		fputs("\r\033[K", stderr);
	s->progress = false;
}

void
say(struct say *s, const char *fmt, ...)
{
	va_list ap;

	wipe(s);
	fputs("whk-emit: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct say *s = arg;
	int64_t now = clock_steady_ms(), ms = now - s->since_ms;

	(void)fd;
	(void)what;
	wipe(s);
	fprintf(stderr, "%" PRIu64 " events, %" PRIu64 "/s", s->sent,
	    (s->sent - s->told) * 1000 / (uint64_t)(ms > 0 ? ms : 1));
	s->progress = true;
	s->told = s->sent;
	s->since_ms = now;
}

int
say_progress(struct say *s, struct event_base *base, struct err *e)
{
	static const struct timeval second = {.tv_sec = 1};

	if (!isatty(STDERR_FILENO))
		return 0;
	s->since_ms = clock_steady_ms();
	s->tick = event_new(base, -1, EV_PERSIST, on_tick, s);
	if (s->tick == NULL || event_add(s->tick, &second) == -1)
		return err_set(e, "out of memory");
	return 0;
}

void
say_free(struct say *s)
{
	wipe(s);
	if (s->tick != NULL)
		event_free(s->tick);
	s->tick = NULL;
}
