/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "input.h"
#include "loop.h"

/* What one turn of the loop reads, and the buffer that is kept. */
#define CHUNK ((size_t)64 << 10)

/* A line, its LF, and a NUL after the last one. */
#define SIZE_MAX_LINE (INPUT_LINE_MAX + 2)

struct input {
	int fd;
	const struct input_handler *h;
	void *arg;
	struct event *readable; /* NULL where fd cannot be polled */
	struct event *turn;     /* there is work without waiting */
	char *buf;
	size_t size;
	size_t start, end; /* what is not handed out yet */
	size_t seen;       /* up to here there is no LF */
	uint64_t number;
	bool unseen;   /* something is left to look at for an LF */
	bool skipping; /* in the rest of a line that is too long */
	bool ended;    /* nothing more can be read */
	bool cut;      /* ... nor was all read that there was */
	bool told;     /* end() was called */
	bool waiting;  /* readable is added */
	bool paused;
	bool busy;  /* inside of a turn: its end sees to the events */
	bool freed; /* inside of a turn: its end frees */
	bool failed;
	struct err error;
};

/* What it waits for; most turns leave it as it is, at no cost. */
static void
arm(struct input *in)
{
	static const struct timeval now;
	bool idle = in->paused || in->told;
	bool turn = !idle && (in->unseen || in->ended || in->readable == NULL);
	bool wait = !idle && !turn;

	if (turn)
		event_add(in->turn, &now);
	else
		event_del(in->turn);
	if (wait == in->waiting)
		return;
	in->waiting = wait;
	if (wait)
		event_add(in->readable, NULL);
	else
		event_del(in->readable);
}

static void
fail(struct input *in, const char *reason)
{
	err_set(&in->error, "%s", reason);
	in->failed = true;
	in->ended = true;
}

static bool
resize(struct input *in, size_t size)
{
	char *p = realloc(in->buf, size);

	if (p == NULL)
		return false;
	in->buf = p;
	in->size = size;
	return true;
}

/* Makes room to read into, with a byte to spare for a NUL. */
static bool
make_room(struct input *in)
{
	size_t size = in->size * 2;

	if (in->start > 0) {
		memmove(in->buf, in->buf + in->start, in->end - in->start);
		in->end -= in->start;
		in->seen -= in->start;
		in->start = 0;
	}
	/* Back to its usual size after a long line; failing is harmless. */
	if (in->size > CHUNK && in->end == 0)
		resize(in, CHUNK);
	if (in->size - 1 - in->end >= CHUNK / 4)
		return true;
	return resize(in, size > SIZE_MAX_LINE ? SIZE_MAX_LINE : size);
}

static void
read_chunk(struct input *in)
{
	size_t room;
	ssize_t n;

	if (!make_room(in)) {
		fail(in, strerror(ENOMEM));
		return;
	}
	room = in->size - 1 - in->end;
	n = read(in->fd, in->buf + in->end, room < CHUNK ? room : CHUNK);
	if (n < 0) {
		/* EAGAIN: someone else made it non-blocking. */
		if (errno != EINTR && errno != EAGAIN)
			fail(in, strerror(errno));
		return;
	}
	if (n == 0)
		in->ended = true;
	in->end += (size_t)n;
	in->unseen = in->end > in->seen;
}

static void
give(struct input *in, char *line, size_t len)
{
	in->h->line(in->arg, line, len, ++in->number);
}

/* Throws away a line that is too long, or a further part of one. */
static void
skip(struct input *in)
{
	bool first = !in->skipping;

	in->start = in->seen = in->end = 0;
	in->skipping = true;
	if (first)
		give(in, NULL, 0);
}

/* Hands out the line that ends at lf, or the end of one that was skipped. */
static void
give_line(struct input *in, char *lf)
{
	char *line = in->buf + in->start;
	size_t len = (size_t)(lf - line);

	in->start = in->seen = (size_t)(lf - in->buf) + 1;
	in->unseen = in->start < in->end;
	if (in->skipping) {
		in->skipping = false;
		return;
	}
	*lf = '\0';
	give(in, line, len);
}

/* Hands out what is whole. The handler may pause it at any line. */
static void
give_lines(struct input *in)
{
	char *lf;

	while (in->unseen && !in->paused) {
		lf = memchr(in->buf + in->seen, '\n', in->end - in->seen);
		if (lf != NULL) {
			give_line(in, lf);
			continue;
		}
		in->seen = in->end;
		in->unseen = false;
		if (in->skipping || in->end - in->start > INPUT_LINE_MAX)
			skip(in);
	}
}

/* The last line, if it has no LF, and then the end. */
static void
give_end(struct input *in)
{
	char *line = in->buf + in->start;
	size_t len = in->end - in->start;

	if (len > 0 && !in->skipping && !in->failed && !in->cut) {
		in->start = in->seen = in->end;
		line[len] = '\0';
		give(in, line, len);
	}
	if (in->paused)
		return;
	in->told = true;
	in->h->end(in->arg, in->failed ? &in->error : NULL);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct input *in = arg;

	(void)fd;
	in->busy = true;
	if (!in->unseen && !in->ended &&
	    (in->readable == NULL || (what & EV_READ) != 0))
		read_chunk(in);
	give_lines(in);
	if (in->ended && !in->unseen && !in->paused)
		give_end(in);
	in->busy = false;
	if (in->freed)
		input_free(in);
	else
		arm(in);
}

struct input *
input_new(struct event_base *base, int fd, const struct input_handler *h,
    void *arg, struct err *e)
{
	struct input *in;

	if (fcntl(fd, F_GETFD) < 0) {
		err_set(e, "cannot read: %s", strerror(errno));
		return NULL;
	}
	in = calloc(1, sizeof(*in));
	if (in == NULL || !resize(in, CHUNK))
		goto fail;
	in->fd = fd;
	in->h = h;
	in->arg = arg;
	in->turn = evtimer_new(base, on_event, in);
	if (in->turn == NULL)
		goto fail;
	if (loop_can_poll(fd)) {
		in->readable =
		    event_new(base, fd, EV_READ | EV_PERSIST, on_event, in);
		if (in->readable == NULL)
			goto fail;
	}
	arm(in);
	return in;
fail:
	err_set(e, "cannot read: %s", strerror(errno));
	input_free(in);
	return NULL;
}

void
input_pause(struct input *in)
{
	in->paused = true;
	if (!in->busy)
		arm(in);
}

void
input_resume(struct input *in)
{
	in->paused = false;
	if (!in->busy)
		arm(in);
}

void
input_stop(struct input *in)
{
	if (in->ended)
		return;
	in->ended = true;
	in->cut = true;
	if (!in->busy)
		arm(in);
}

void
input_free(struct input *in)
{
	if (in == NULL)
		return;
	if (in->busy) {
		in->freed = true;
		in->paused = true;
		return;
	}
	if (in->turn != NULL)
		event_free(in->turn);
	if (in->readable != NULL)
		event_free(in->readable);
	free(in->buf);
	free(in);
}
