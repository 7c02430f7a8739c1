/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>
#include <event2/listener.h>

#include "conn.h"

#define ACCEPT_PAUSE_MS 100

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *sa, int len, void *arg)
{
	(void)listener;
	(void)sa;
	(void)len;
	conn_new(arg, fd);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(s->listener);
}

/* No descriptor is free: later one may be. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct server *s = arg;
	struct timeval wait = {.tv_usec = ACCEPT_PAUSE_MS * 1000};

	evconnlistener_disable(listener);
	evtimer_add(s->again, &wait);
}

static int
listen_at(struct server *s, const struct addrinfo *ai)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int fd, on = 1;

	s->listener = evconnlistener_new_bind(s->base, on_accept, s,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
	    SOMAXCONN, ai->ai_addr, (int)ai->ai_addrlen);
	if (s->listener == NULL)
		return -1;
	evconnlistener_set_error_cb(s->listener, on_accept_error);
	fd = evconnlistener_get_fd(s->listener);
	/* Inherited by the connections. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (getsockname(fd, (struct sockaddr *)&sa, &len) == -1 ||
	    getnameinfo((struct sockaddr *)&sa, len, host, sizeof(host), port,
		sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return -1;
	snprintf(s->url, sizeof(s->url),
	    strchr(host, ':') != NULL ? "http://[%.255s]:%s"
				      : "http://%.255s:%s",
	    host, port);
	return 0;
}

struct server *
server_new(struct event_base *base, const char *host, const char *port,
    const struct server_handler *h, void *arg, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *ai = NULL;
	struct server *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL) {
		err_set(e, "out of memory");
		return NULL;
	}
	*s = (struct server){.base = base, .h = h, .arg = arg};
	TAILQ_INIT(&s->conns);
	s->again = evtimer_new(base, on_again, s);
	rc = getaddrinfo(host, port, &hints, &ai);
	if (rc != 0)
		err_set(e, "%s: %s", host, gai_strerror(rc));
	else if (s->again == NULL || listen_at(s, ai) == -1)
		err_set(e, "cannot listen on %s port %s: %s", host, port,
		    strerror(errno));
	else
		rc = 1;
	if (ai != NULL)
		freeaddrinfo(ai);
	if (rc == 1)
		return s;
	server_free(s);
	return NULL;
}

const char *
server_url(const struct server *s)
{
	return s->url;
}

void
server_pause(struct server *s)
{
	s->paused = true;
}

void
server_resume(struct server *s)
{
	struct conn *c;

	s->paused = false;
	/* Each from the loop, as one may end others. */
	TAILQ_FOREACH (c, &s->conns, entry)
		conn_wake(c);
}

void
server_stop(struct server *s)
{
	struct conn *c, *next;

	s->stopping = true;
	if (s->listener != NULL)
		evconnlistener_free(s->listener);
	s->listener = NULL;
	event_del(s->again);
	for (c = TAILQ_FIRST(&s->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (conn_is_idle(c))
			conn_free(c);
	}
}

void
server_free(struct server *s)
{
	if (s == NULL)
		return;
	while (!TAILQ_EMPTY(&s->conns))
		conn_free(TAILQ_FIRST(&s->conns));
	if (s->listener != NULL)
		evconnlistener_free(s->listener);
	if (s->again != NULL)
		event_free(s->again);
	free(s);
}
