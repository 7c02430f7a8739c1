/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "buf.h"
#include "loop.h"
#include "output.h"

/* Memory that is kept while nothing is held. */
#define KEEP ((size_t)256 << 10)

/* Before a reader's going away is told, in microseconds. */
#define GRACE_US 200000

struct output {
	int fd;
	size_t limit;
	const struct output_handler *h;
	void *arg;
	struct event *writable; /* NULL where fd is always ready */
	struct event *gone;     /* NULL, or waits for the reader to go away */
	struct event *report;   /* failed() is to be called */
	bool is_socket;
	struct buf held;
	size_t done; /* bytes of held that are written */
	bool full;   /* room() is owed */
	bool dead;
	struct err error;
};

static void
fail(struct output *o, int error)
{
	/*
	 * When a service stops, each program of a pipeline gets the signal,
	 * but one may end before another has got it: that the reader went
	 * away is told a moment later, when it is known to be no stop.
	 */
	struct timeval when = {0, error == EPIPE ? GRACE_US : 0};

	if (o->dead)
		return;
	o->dead = true;
	err_set(&o->error, "%s", strerror(error));
	if (o->writable != NULL)
		event_del(o->writable);
	if (o->gone != NULL)
		event_del(o->gone);
	buf_free(&o->held);
	o->done = 0;
	event_add(o->report, &when);
}

static void
on_report(evutil_socket_t fd, short what, void *arg)
{
	struct output *o = arg;

	(void)fd;
	(void)what;
	if (o->h->failed != NULL)
		o->h->failed(o->arg, &o->error);
}

static bool
is_ready(const struct output *o)
{
	struct pollfd p = {.fd = o->fd, .events = POLLOUT};

	/* POLLERR is for write() to find. */
	return o->writable == NULL || poll(&p, 1, 0) == 1;
}

/* As write(2), of what can be taken without blocking; 0: nothing now. */
static ssize_t
write_some(struct output *o, const char *data, size_t len)
{
	ssize_t n;

	if (o->is_socket)
		n = send(o->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (o->writable == NULL)
		n = write(o->fd, data, len);
	else
		n = write(o->fd, data, len < PIPE_BUF ? len : PIPE_BUF);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n;
}

/* Writes one line as far as it goes: returns the bytes written. */
static size_t
write_line(struct output *o, const char *line, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len && is_ready(o)) {
		n = write_some(o, line + done, len - done);
		if (n < 0) {
			fail(o, errno);
			return len;
		}
		if (n == 0 && o->writable != NULL)
			break;
		done += (size_t)n;
	}
	return done;
}

static size_t
held(const struct output *o)
{
	return o->held.len - o->done;
}

/* Forgets what is written, and gives back memory after a jam. */
static void
tidy(struct output *o)
{
	if (held(o) == 0) {
		if (o->held.size > KEEP)
			buf_free(&o->held);
		buf_clear(&o->held);
		o->done = 0;
	} else if (o->done > o->held.len / 2) {
		memmove(o->held.data, o->held.data + o->done, held(o));
		o->held.len -= o->done;
		o->done = 0;
	}
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct output *o = arg;
	const char *line, *lf;
	size_t len, n;

	(void)fd;
	(void)what;
	while (held(o) > 0) {
		line = o->held.data + o->done;
		lf = memchr(line, '\n', held(o));
		len = lf == NULL ? held(o) : (size_t)(lf - line) + 1;
		n = write_line(o, line, len);
		if (o->dead)
			return;
		o->done += n;
		if (n < len)
			break;
	}
	tidy(o);
	if (held(o) == 0)
		event_del(o->writable);
	if (held(o) > 0 && (!o->full || held(o) > o->limit))
		return;
	o->full = false;
	if (o->h->room != NULL)
		o->h->room(o->arg);
}

static void
on_gone(evutil_socket_t fd, short what, void *arg)
{
	struct output *o = arg;
	struct pollfd p = {.fd = fd};

	(void)what;
	if (poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0)
		fail(o, EPIPE);
}

struct output *
output_new(struct event_base *base, int fd, size_t limit,
    const struct output_handler *h, void *arg, struct err *e)
{
	struct output *o = calloc(1, sizeof(*o));
	struct stat st;

	if (o == NULL)
		goto fail;
	o->fd = fd;
	o->limit = limit;
	o->h = h;
	o->arg = arg;
	o->is_socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
	o->report = evtimer_new(base, on_report, o);
	if (o->report == NULL)
		goto fail;
	if (loop_can_poll(fd)) {
		o->writable =
		    event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, o);
		if (o->writable == NULL)
			goto fail;
	}
	return o;
fail:
	err_set(e, "cannot write: %s", strerror(errno));
	output_free(o);
	return NULL;
}

int
output_watch(struct output *o, struct err *e)
{
	struct stat st;

	if (o->gone != NULL || o->writable == NULL || o->dead ||
	    fstat(o->fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		return 0;
	/* Nothing can ever be read here: what comes is the reader's end. */
	o->gone = event_new(event_get_base(o->writable), o->fd,
	    EV_READ | EV_PERSIST, on_gone, o);
	if (o->gone == NULL || event_add(o->gone, NULL) < 0)
		return err_set(e, "cannot watch a pipe: %s", strerror(errno));
	return 0;
}

void
output_unwatch(struct output *o)
{
	if (o->gone != NULL)
		event_del(o->gone);
}

void
output_line(struct output *o, const char *buf, size_t len)
{
	size_t n = 0;

	if (o->dead)
		return;
	if (held(o) == 0)
		n = write_line(o, buf, len);
	if (o->dead || n == len)
		return;
	buf_add(&o->held, buf + n, len - n);
	if (o->held.failed) {
		fail(o, ENOMEM);
		return;
	}
	event_add(o->writable, NULL);
	if (held(o) > o->limit)
		o->full = true;
}

bool
output_full(const struct output *o)
{
	return held(o) > o->limit;
}

bool
output_empty(const struct output *o)
{
	return held(o) == 0 && !event_pending(o->report, EV_TIMEOUT, NULL);
}

void
output_free(struct output *o)
{
	if (o == NULL)
		return;
	if (o->writable != NULL)
		event_free(o->writable);
	if (o->gone != NULL)
		event_free(o->gone);
	if (o->report != NULL)
		event_free(o->report);
	buf_free(&o->held);
	free(o);
}
