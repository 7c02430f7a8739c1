/* SPDX-License-Identifier: ISC */
#ifndef WHK_RECV_SERVER_H
#define WHK_RECV_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct event_base;
struct request;

/*
 * An HTTP/1.1 server: keep-alive, pipelining, bodies by length or in chunks,
 * 100-continue. It reads requests; how they are answered, well or badly, is
 * the handler's to say.
 */
struct server;
struct conn; /* one connection */

#define SERVER_BODY_MAX ((size_t)16 << 20)

struct server_handler {
	/*
	 * A request has come as a whole; valid during the call only. It is
	 * answered from here or from a conn_after(): with conn_write(), any
	 * number of times, and one of conn_done(), conn_reset() or
	 * conn_hold().
	 */
	void (*request)(void *arg, struct conn *c, const struct request *r);
	/* Bytes that are no request, refused with this status. */
	void (*refused)(void *arg, int status);
};

/*
 * Listens on a host and port ("0": any that is free). NULL with *e on failure.
 * h and arg are kept.
 */
struct server *server_new(struct event_base *base, const char *host,
    const char *port, const struct server_handler *h, void *arg, struct err *e);

/* Its URL: "http://127.0.0.1:8000". */
const char *server_url(const struct server *s);

/* No request() is called between these two. */
void server_pause(struct server *s);
void server_resume(struct server *s);

/*
 * Takes no more requests; ends each connection once its request is answered
 * (those of conn_hold() at once), after which the loop has no event of it.
 */
void server_stop(struct server *s);

void server_free(struct server *s); /* NULL is allowed */

/* Sends bytes as they are. */
void conn_write(struct conn *c, const void *data, size_t len);

/* How many bytes of conn_write() the client has not taken. */
size_t conn_pending(const struct conn *c);

/* Calls back after some time, unless the client is gone by then. */
typedef void conn_later(void *arg, struct conn *c, size_t n);
void
conn_after(struct conn *c, int64_t ms, conn_later *later, void *arg, size_t n);

/* The answer is complete; on to the next request, or the connection ends. */
void conn_done(struct conn *c, bool close);

void conn_reset(struct conn *c); /* ends it with an RST */

/*
 * Nothing more will come that is worth waiting for: server_stop() may end it.
 * It stays open, and conn_write() and conn_after() go on working.
 */
void conn_hold(struct conn *c);

/* Whether the answer should say "connection: close". */
bool conn_closing(const struct conn *c);

#endif
