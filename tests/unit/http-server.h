/* SPDX-License-Identifier: ISC */
#ifndef WHK_HTTP_SERVER_H
#define WHK_HTTP_SERVER_H

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "buf.h"

/*
 * A server for the tests of http.c, on the same loop as they: it does what the
 * path of a request asks for, and most of that is wrong.
 */
enum manner {
	KEEP,   /* the head, and the connection stays */
	CLOSE,  /* the head, and the connection ends */
	RESET,  /* the connection is reset */
	REPEAT, /* the head, then the unit without end */
	DRIP,   /* as REPEAT, one each 10 ms */
	BYE,    /* the head; the next request gets no answer but an end */
	LEAVE,  /* the head; the connection ends 10 ms later */
};

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define HEAD "HTTP/1.1 200 OK\r\n"

static const struct action {
	const char *path;
	enum manner manner;
	const char *head, *unit;
} actions[] = {
    {"/ok", KEEP, OK, NULL},
    {"/stall", KEEP, "", NULL},
    {"/stall-head", KEEP, HEAD "Content-Le", NULL},
    {"/stall-body", KEEP, HEAD "Content-Length: 9\r\n\r\nok", NULL},
    {"/redirect", KEEP,
	"HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n",
	NULL},
    {"/retry", KEEP,
	"HTTP/1.1 503 No\r\nRETRY-AFTER: \t120 \r\nContent-Length: 0\r\n\r\n",
	NULL},
    {"/early", KEEP,
	"HTTP/1.1 103 Early\r\nRetry-After: 5\r\nA: b\r\n\r\n"
	"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
	NULL},
    {"/gzip", KEEP,
	HEAD "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok", NULL},
    {"/chunks", KEEP,
	HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
	NULL},
    {"/more", KEEP, HEAD "Content-Length: 2\r\n\r\nok more", NULL},
    {"/until-close", CLOSE, HEAD "\r\nok", NULL},
    {"/none", CLOSE, "", NULL},
    {"/short", CLOSE, HEAD "Content-Length: 9\r\n\r\nok", NULL},
    {"/half", CLOSE, HEAD "Content-Le", NULL},
    {"/half-status", CLOSE, "HTTP/1.", NULL},
    {"/only-status", CLOSE, HEAD, NULL},
    {"/only-early", CLOSE, "HTTP/1.1 103 Early\r\nA: b\r\n\r\n", NULL},
    {"/only-continue", CLOSE, "HTTP/1.1 100 Continue\r\n\r\n", NULL},
    {"/old", CLOSE, "ok\n", NULL},
    {"/no-number", CLOSE, HEAD "Content-Length: many\r\n\r\nok", NULL},
    {"/negative", CLOSE, HEAD "Content-Length: -5\r\n\r\nok", NULL},
    {"/bad-chunk", KEEP, HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n",
	NULL},
    {"/switch", CLOSE, "HTTP/1.1 101 Switching\r\n\r\nhello", NULL},
    {"/reset", RESET, "", NULL},
    {"/flood", REPEAT, HEAD "\r\n", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
    {"/headers", REPEAT, HEAD, "X-Filler: more of it\r\n"},
    {"/line", REPEAT, HEAD "X-Long: ", "xxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
    {"/continue", REPEAT, "", "HTTP/1.1 100 Continue\r\n\r\n"},
    {"/trailers", REPEAT,
	HEAD "Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n0\r\n",
	"X-Filler: more of it\r\n"},
    {"/drip", DRIP, HEAD "\r\n", "x"},
    {"/drip-head", DRIP, HEAD, "X"},
    {"/bye", BYE, OK, NULL},
    {"/leave", LEAVE, OK, NULL},
};

struct peer {
	LIST_ENTRY(peer) link;
	struct server *server;
	struct bufferevent *bev;
	struct event *timer;
	const struct action *action; /* the last one */
	struct buf in;
};

struct server {
	struct event_base *base;
	struct evconnlistener *listener;
	int port;
	enum manner tls; /* what a TLS handshake gets: KEEP is no answer */
	unsigned accepted, requests;
	struct buf last; /* the last request, as it came */
	LIST_HEAD(peers, peer) peers;
};

static inline void
peer_free(struct peer *p)
{
	LIST_REMOVE(p, link);
	bufferevent_free(p->bev);
	event_free(p->timer);
	buf_free(&p->in);
	free(p);
}

static inline void
peer_reset(struct peer *p)
{
	struct linger now = {.l_onoff = 1};

	setsockopt(bufferevent_getfd(p->bev), SOL_SOCKET, SO_LINGER, &now,
	    sizeof(now));
	peer_free(p);
}

static inline void
peer_repeat(struct peer *p)
{
	if (p->action == NULL || p->action->manner != REPEAT)
		return;
	for (int i = 0; i < 1000; i++)
		bufferevent_write(
		    p->bev, p->action->unit, strlen(p->action->unit));
}

/* The output is empty. */
static inline void
peer_on_write(struct bufferevent *bev, void *arg)
{
	struct peer *p = arg;

	(void)bev;
	if (p->action != NULL && p->action->manner == CLOSE)
		peer_free(p);
	else
		peer_repeat(p);
}

static inline void
peer_wait(struct peer *p)
{
	static const struct timeval soon = {.tv_usec = 10000};

	event_add(p->timer, &soon);
}

static inline void
peer_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;

	(void)fd;
	(void)what;
	if (p->action->manner == LEAVE) {
		peer_free(p);
		return;
	}
	bufferevent_write(p->bev, p->action->unit, strlen(p->action->unit));
	peer_wait(p);
}

static inline void
peer_answer(struct peer *p, const char *path, size_t len)
{
	bool leave = p->action != NULL && p->action->manner == BYE;
	const struct action *a = NULL;

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strlen(actions[i].path) == len &&
		    memcmp(actions[i].path, path, len) == 0)
			a = &actions[i];
	p->action = a;
	if (leave || a == NULL || (a->manner == CLOSE && a->head[0] == '\0')) {
		peer_free(p);
		return;
	}
	if (a->manner == RESET) {
		peer_reset(p);
		return;
	}
	bufferevent_write(p->bev, a->head, strlen(a->head));
	peer_repeat(p);
	if (a->manner == DRIP || a->manner == LEAVE)
		peer_wait(p);
}

/* The length of the request at data, or 0 while it is not whole. */
static inline size_t
request_length(const char *data, size_t len)
{
	const char *end = memmem(data, len, "\r\n\r\n", 4);
	const char *field = strcasestr(data, "\r\ncontent-length:");
	size_t need;

	if (end == NULL)
		return 0;
	need = (size_t)(end - data) + 4;
	if (field != NULL && field < end)
		need += strtoul(field + 17, NULL, 10);
	return need <= len ? need : 0;
}

static inline void
peer_greet(struct peer *p)
{
	p->server->requests++;
	if (p->server->tls == RESET)
		peer_reset(p);
	else if (p->server->tls == CLOSE)
		peer_free(p);
	else if (p->server->tls == REPEAT)
		bufferevent_write(p->bev, "this is no TLS\r\n", 16);
}

static inline void
peer_on_read(struct bufferevent *bev, void *arg)
{
	struct peer *p = arg;
	char piece[4096];
	const char *path;
	size_t n;

	while ((n = bufferevent_read(bev, piece, sizeof(piece))) > 0)
		buf_add(&p->in, piece, n);
	if (p->in.len > 0 && p->in.data[0] == 0x16) {
		buf_clear(&p->in);
		peer_greet(p);
		return;
	}
	n = request_length(p->in.data, p->in.len);
	if (n == 0)
		return;
	p->server->requests++;
	buf_clear(&p->server->last);
	buf_add(&p->server->last, p->in.data, n);
	buf_clear(&p->in);
	path = strchr(p->server->last.data, ' ') + 1;
	peer_answer(p, path, strcspn(path, " ?"));
}

static inline void
peer_on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0)
		peer_free(arg);
}

static inline void
server_on_accept(struct evconnlistener *l, evutil_socket_t fd,
    struct sockaddr *sa, int len, void *arg)
{
	struct server *s = arg;
	struct peer *p = calloc(1, sizeof(*p));

	(void)l;
	(void)sa;
	(void)len;
	if (p == NULL)
		abort();
	s->accepted++;
	p->server = s;
	p->bev = bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	p->timer = evtimer_new(s->base, peer_on_timer, p);
	LIST_INSERT_HEAD(&s->peers, p, link);
	bufferevent_setcb(
	    p->bev, peer_on_read, peer_on_write, peer_on_event, p);
	bufferevent_enable(p->bev, EV_READ | EV_WRITE);
}

/* Listens on a free port of 127.0.0.1. */
static inline void
server_init(struct server *s, struct event_base *base)
{
	struct sockaddr_in sin = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);

	*s = (struct server){.base = base};
	s->listener = evconnlistener_new_bind(base, server_on_accept, s,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 1024,
	    (struct sockaddr *)&sin, sizeof(sin));
	if (s->listener == NULL)
		abort();
	getsockname(
	    evconnlistener_get_fd(s->listener), (struct sockaddr *)&sin, &len);
	s->port = ntohs(sin.sin_port);
}

static inline void
server_free(struct server *s)
{
	while (!LIST_EMPTY(&s->peers))
		peer_free(LIST_FIRST(&s->peers));
	if (s->listener != NULL)
		evconnlistener_free(s->listener);
	buf_free(&s->last);
}

#endif
