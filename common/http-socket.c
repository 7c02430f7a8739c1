/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "http-private.h"

static struct http_socket *
socket_at(struct http *h, int fd)
{
	size_t i = (size_t)fd, count = h->socket_count;
	struct http_socket **p;

	if (i >= count) {
		count = i < 64 ? 64 : i * 2;
		p = reallocarray(h->sockets, count, sizeof(*p));
		if (p == NULL)
			return NULL;
		for (size_t j = h->socket_count; j < count; j++)
			p[j] = NULL;
		h->sockets = p;
		h->socket_count = count;
	}
	if (h->sockets[i] == NULL) {
		h->sockets[i] = calloc(1, sizeof(**h->sockets));
		if (h->sockets[i] == NULL)
			return NULL;
		h->sockets[i]->h = h;
		h->sockets[i]->fd = fd;
	}
	return h->sockets[i];
}

static void
forget(struct http_socket *s)
{
	if (s->added != 0)
		event_del(&s->ev);
	s->added = 0;
}

/*
 * libcurl's own failures (no memory) are not looked at: what they leave
 * undone ends by its deadline.
 */
static void
act(struct http *h, curl_socket_t fd, int mask)
{
	int running;

	(void)curl_multi_socket_action(h->multi, fd, mask, &running);
	http_finish(h);
}

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct http_socket *s = arg;
	int mask = 0;

	/* An idle connection ends: libcurl sees it before it uses it. */
	if (s->want == 0) {
		forget(s);
		return;
	}
	if ((what & EV_READ) != 0)
		mask |= CURL_CSELECT_IN;
	if ((what & EV_WRITE) != 0)
		mask |= CURL_CSELECT_OUT;
	act(s->h, fd, mask);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void
wait_for(struct http_socket *s, short what)
{
	if (what == s->added)
		return;
	forget(s);
	if (what == 0)
		return;
	event_assign(
	    &s->ev, s->h->base, s->fd, (short)(what | EV_PERSIST), on_ready, s);
	if (event_add(&s->ev, NULL) == 0)
		s->added = what;
}

/*
 * Between two requests on a connection libcurl waits for nothing. Its event
 * stays, as the next request most often comes at once and adding and deleting
 * cost a system call each. That needs the certainty that a socket is not
 * closed unseen, which only those have that are opened and closed here.
 */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
	struct http_socket *s = socket_at(arg, fd);

	(void)easy;
	(void)unused;
	if (s == NULL)
		return 0;
	s->want = 0;
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		s->want |= EV_READ;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		s->want |= EV_WRITE;
	if (s->want != 0 || !s->ours || s->added != EV_READ)
		wait_for(s, s->want);
	return 0;
}

static int
on_timeout(CURLM *multi, long ms, void *arg)
{
	struct http *h = arg;
	struct timeval tv = {.tv_sec = ms / 1000};

	(void)multi;
	tv.tv_usec = ms % 1000 * 1000;
	if (ms < 0)
		event_del(&h->timer);
	else
		event_add(&h->timer, &tv);
	return 0;
}

int
http_socket_open(struct http *h, int family, int type, int protocol)
{
	struct http_socket *s;
	int fd;

	fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (fd < 0)
		return -1;
	s = socket_at(h, fd);
	if (s == NULL) {
		close(fd);
		return -1;
	}
	forget(s);
	s->ours = true;
	return fd;
}

int
http_socket_close(void *arg, curl_socket_t fd)
{
	struct http_socket *s = socket_at(arg, fd);

	if (s != NULL) {
		forget(s);
		s->ours = false;
	}
	return close(fd);
}

int
http_sockets_init(struct http *h)
{
	if (event_assign(&h->timer, h->base, -1, 0, on_timer, h) < 0)
		return -1;
	h->has_timer = true;
	if (curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket) ||
	    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h) ||
	    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timeout) ||
	    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h))
		return -1;
	return 0;
}

void
http_sockets_free(struct http *h)
{
	if (h->has_timer)
		event_del(&h->timer);
	for (size_t i = 0; i < h->socket_count; i++) {
		if (h->sockets[i] == NULL)
			continue;
		forget(h->sockets[i]);
		free(h->sockets[i]);
	}
	free(h->sockets);
}
