/* SPDX-License-Identifier: ISC */
#ifndef WHK_RECV_CONN_H
#define WHK_RECV_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include <event2/util.h>

#include "buf.h"
#include "request.h"
#include "server.h"

/* What server.c and conn.c share. */

struct bufferevent;
struct evconnlistener;
struct event;

enum state {
	HEAD,  /* a request's head is to come */
	BODY,  /* its body, by length */
	CHUNK, /* the line before a chunk */
	DATA,  /* a chunk, with the CRLF after it */
	TRAILER,
	BUSY,   /* the request is with the handler */
	HELD,   /* ... which called conn_hold() */
	FLUSH,  /* ends when all is written */
	LINGER, /* ends when the client has read that it is refused */
	DEAD,   /* is freed on the way out */
};

struct conn {
	TAILQ_ENTRY(conn) entry;
	struct server *server;
	struct bufferevent *bev;
	struct event *timer;
	conn_later *later;
	void *later_arg;
	size_t later_n;
	enum state state;
	bool continued;    /* the 100 was sent */
	bool eof;          /* the client sends nothing more */
	struct buf head;   /* the head of the request, cut by the parser */
	struct buf chunks; /* the body that came in chunks */
	size_t chunk;      /* size of the chunk */
	struct request request;
};

struct server {
	struct event_base *base;
	struct evconnlistener *listener;
	struct event *again; /* to accept again, after there was no room */
	const struct server_handler *h;
	void *arg;
	bool paused, stopping;
	char url[320];
	TAILQ_HEAD(, conn) conns;
};

/* Takes over a descriptor; closes it if that fails. */
void conn_new(struct server *s, evutil_socket_t fd);

/* Looks again at what has come, from the loop. */
void conn_wake(struct conn *c);

/* Whether it may be ended when the server stops. */
bool conn_is_idle(const struct conn *c);

void conn_free(struct conn *c);

#endif
