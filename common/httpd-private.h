/* SPDX-License-Identifier: ISC */
#ifndef WHK_HTTPD_PRIVATE_H
#define WHK_HTTPD_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include <event2/util.h>

#include "buf.h"
#include "httpd-request.h"
#include "httpd.h"

/* What httpd.c and httpd-conn.c share. */

struct bufferevent;
struct evconnlistener;
struct event;

/* What a connection's time is limited for. */
enum limit {
	LIMIT_NONE,
	LIMIT_IDLE,    /* a request is to begin */
	LIMIT_REQUEST, /* it is to end */
};

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
	struct httpd *server;
	struct bufferevent *bev;
	struct event *timer;
	struct event *late; /* the limit is reached */
	enum limit limit;
	void *data; /* of conn_set() */
	conn_later *later;
	void *later_arg;
	size_t later_n;
	enum state state;
	bool continued;    /* the 100 was sent */
	bool eof;          /* the client sends nothing more */
	bool inside;       /* go_on() will follow by itself */
	struct buf head;   /* the head of the request, cut by the parser */
	struct buf chunks; /* the body that came in chunks */
	size_t chunk;      /* size of the chunk */
	struct httpd_request request;
};

struct httpd {
	struct event_base *base;
	struct evconnlistener *listener;
	struct event *again; /* to accept again, after there was no room */
	const struct httpd_handler *h;
	void *arg;
	struct httpd_options o;
	bool paused, stopping;
	char url[320];
	size_t count;             /* of conns */
	TAILQ_HEAD(, conn) conns; /* those that had a request last, last */
};

/* Takes over a descriptor; closes it if that fails. */
void conn_new(struct httpd *s, evutil_socket_t fd);

/* Looks again at what has come, from the loop. */
void conn_wake(struct conn *c);

/* Ends it where it waits for a request, whole or not. */
bool conn_give_way(struct conn *c);

/* Whether it may be ended when the server stops. */
bool conn_is_idle(const struct conn *c);

void conn_free(struct conn *c);

#endif
