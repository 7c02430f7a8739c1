/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <event2/event.h>
#include <event2/listener.h>

#include "httpd-private.h"

#define ACCEPT_PAUSE_MS 100

/* Ends a connection that waits: the one that has done so the longest. */
static bool
make_room(struct httpd *s)
{
	struct conn *c;

	TAILQ_FOREACH (c, &s->conns, entry)
		if (conn_give_way(c))
			return true;
	return false;
}

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *sa, int len, void *arg)
{
	struct httpd *s = arg;

	(void)listener;
	(void)sa;
	(void)len;
	if (s->o.conns_max == 0 || s->count < s->o.conns_max || make_room(s))
		conn_new(s, fd);
	else
		evutil_closesocket(fd);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct httpd *s = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(s->listener);
}

/* No descriptor is free: later one may be. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct httpd *s = arg;
	struct timeval wait = {.tv_usec = ACCEPT_PAUSE_MS * 1000};

	evconnlistener_disable(listener);
	evtimer_add(s->again, &wait);
}

#define LISTEN_FLAGS (LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC)

/* What it listens at, and what the connections inherit. */
static int
listening(struct httpd *s)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);
	int fd, on = 1;

	evconnlistener_set_error_cb(s->listener, on_accept_error);
	fd = evconnlistener_get_fd(s->listener);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (getsockname(fd, (struct sockaddr *)&sa, &len) == -1)
		return -1;
	if (getnameinfo((struct sockaddr *)&sa, len, host, sizeof(host), port,
		sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return -1;
	snprintf(s->url, sizeof(s->url),
	    strchr(host, ':') != NULL ? "http://[%.255s]:%s"
				      : "http://%.255s:%s",
	    host, port);
	return 0;
}

static int
listen_at(struct httpd *s, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *ai = NULL;
	int rc = getaddrinfo(s->o.host, s->o.port, &hints, &ai);

	if (rc != 0)
		return err_set(e, "%s: %s", s->o.host, gai_strerror(rc));
	s->listener = evconnlistener_new_bind(s->base, on_accept, s,
	    LISTEN_FLAGS | LEV_OPT_REUSEABLE, SOMAXCONN, ai->ai_addr,
	    (int)ai->ai_addrlen);
	if (s->listener == NULL || listening(s) == -1)
		rc = err_set(e, "cannot listen on %s port %s: %s", s->o.host,
		    s->o.port, strerror(errno));
	freeaddrinfo(ai);
	return rc;
}

static int
listen_on(struct httpd *s, struct err *e)
{
	evutil_make_socket_nonblocking(s->o.fd);
	s->listener = evconnlistener_new(
	    s->base, on_accept, s, LISTEN_FLAGS, SOMAXCONN, s->o.fd);
	if (s->listener == NULL || listening(s) == -1)
		return err_set(e, "cannot listen on descriptor %d: %s", s->o.fd,
		    strerror(errno));
	return 0;
}

struct httpd *
httpd_new(struct event_base *base, const struct httpd_options *o,
    const struct httpd_handler *h, void *arg, struct err *e)
{
	struct httpd *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		err_set(e, "out of memory");
		return NULL;
	}
	*s = (struct httpd){.base = base, .h = h, .arg = arg, .o = *o};
	TAILQ_INIT(&s->conns);
	s->again = evtimer_new(base, on_again, s);
	if (s->again == NULL)
		err_set(e, "out of memory");
	else if ((o->fd == -1 ? listen_at(s, e) : listen_on(s, e)) == 0)
		return s;
	httpd_free(s);
	return NULL;
}

const char *
httpd_url(const struct httpd *s)
{
	return s->url;
}

void
httpd_pause(struct httpd *s)
{
	s->paused = true;
}

void
httpd_resume(struct httpd *s)
{
	struct conn *c;

	s->paused = false;
	/* Each from the loop, as one may end others. */
	TAILQ_FOREACH (c, &s->conns, entry)
		conn_wake(c);
}

void
httpd_stop(struct httpd *s)
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
	if (s->count == 0 && s->h->ended != NULL)
		s->h->ended(s->arg);
}

void
httpd_free(struct httpd *s)
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

const char *
httpd_reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {{200, "OK"}, {201, "Created"}, {202, "Accepted"},
	    {204, "No Content"}, {301, "Moved Permanently"}, {302, "Found"},
	    {304, "Not Modified"}, {307, "Temporary Redirect"},
	    {308, "Permanent Redirect"}, {400, "Bad Request"},
	    {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"},
	    {405, "Method Not Allowed"}, {408, "Request Timeout"},
	    {409, "Conflict"}, {410, "Gone"}, {413, "Content Too Large"},
	    {415, "Unsupported Media Type"}, {417, "Expectation Failed"},
	    {422, "Unprocessable Content"}, {429, "Too Many Requests"},
	    {431, "Request Header Fields Too Large"},
	    {500, "Internal Server Error"}, {501, "Not Implemented"},
	    {502, "Bad Gateway"}, {503, "Service Unavailable"},
	    {504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"}};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "";
}

/* In the C locale, whose LC_TIME no program leaves. */
const char *
httpd_date(int64_t seconds, char buf[HTTPD_DATE])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(buf, HTTPD_DATE, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return buf;
}
