/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <event2/event.h>

#include "loop.h"

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct loop *l = arg;

	(void)sig;
	(void)what;
	event_del(l->term);
	event_del(l->intr);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	l->stopping = true;
	if (l->stop != NULL)
		l->stop(l->arg);
}

/*
 * What is opened next must not become a standard descriptor that the caller
 * closed: it would be read or written as such. In its place comes one that
 * fails with EBADF, as the closed one would.
 */
static void
hold_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1)
			open("/dev/null",
			    fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int
loop_init(struct loop *l, void (*stop)(void *), void *arg, struct err *e)
{
	*l = (struct loop){.stop = stop, .arg = arg};
	hold_standard();
	signal(SIGPIPE, SIG_IGN);
	l->base = event_base_new();
	if (l->base == NULL)
		goto fail;
	l->term = evsignal_new(l->base, SIGTERM, on_signal, l);
	l->intr = evsignal_new(l->base, SIGINT, on_signal, l);
	if (l->term == NULL || l->intr == NULL ||
	    evsignal_add(l->term, NULL) < 0 || evsignal_add(l->intr, NULL) < 0)
		goto fail;
	return 0;
fail:
	loop_free(l);
	return err_set(e, "cannot set up an event loop: %s", strerror(errno));
}

/*
 * Whether anything but the two signals is waited for. libevent counts them as
 * events of the user, so its own test for an empty loop never comes true.
 */
static bool
has_events(const struct loop *l)
{
	int own = l->stopping ? 0 : 2;

	return event_base_get_num_events(l->base,
		   EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE |
		       EVENT_BASE_COUNT_VIRTUAL) > own;
}

int
loop_run(struct loop *l, struct err *e)
{
	while (has_events(l)) {
		if (event_base_loop(l->base, EVLOOP_ONCE) < 0)
			return err_set(
			    e, "the event loop failed: %s", strerror(errno));
		if (event_base_got_break(l->base))
			break;
	}
	return 0;
}

void
loop_break(struct loop *l)
{
	event_base_loopbreak(l->base);
}

void
loop_free(struct loop *l)
{
	if (l->term != NULL)
		event_free(l->term);
	if (l->intr != NULL)
		event_free(l->intr);
	if (l->base != NULL)
		event_base_free(l->base);
	l->term = l->intr = NULL;
	l->base = NULL;
}

bool
loop_can_poll(int fd)
{
	struct epoll_event ev = {.events = EPOLLIN};
	bool can = true;
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (ep < 0)
		return true;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0 && errno == EPERM)
		can = false;
	close(ep);
	return can;
}

int64_t
backoff_fail(struct backoff *b, bool *first)
{
	int64_t tenth;

	if (first != NULL)
		*first = b->wait_ms == 0;
	if (b->wait_ms == 0)
		b->wait_ms = b->min_ms;
	else if (b->wait_ms > b->max_ms / 2)
		b->wait_ms = b->max_ms;
	else
		b->wait_ms *= 2;
	tenth = b->wait_ms / 10;
	return b->wait_ms - tenth +
	    (int64_t)arc4random_uniform((uint32_t)(2 * tenth + 1));
}

bool
backoff_ok(struct backoff *b)
{
	bool was = b->wait_ms != 0;

	b->wait_ms = 0;
	return was;
}
