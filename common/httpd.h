/* SPDX-License-Identifier: ISC */
#ifndef WHK_HTTPD_H
#define WHK_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

struct event_base;
struct httpd_request;

/*
 * An HTTP/1.1 server: keep-alive, pipelining, bodies by length or in chunks,
 * 100-continue. It reads requests; how they are answered, well or badly, is
 * the handler's to say.
 */
struct httpd;
struct conn; /* one connection */

struct httpd_options {
	const char *host, *port; /* to listen at; port "0": any that is free */
	int fd;                  /* listened at in their place; -1: none */
	size_t body_max;         /* bytes of a body */
	/*
	 * 0: no limit. Those that wait for a request longer than idle_ms are
	 * ended; one that takes longer than request_ms to come is refused with
	 * 408; a client that takes nothing of an answer for so long is ended.
	 */
	int64_t idle_ms, request_ms;
	/*
	 * 0: no limit. Beyond so many connections the one that was idle for
	 * the longest gives way.
	 */
	size_t conns_max;
};

struct httpd_handler {
	/*
	 * A request has come as a whole; valid during the call only. It is
	 * answered from here, from a conn_after() or at any later time: with
	 * conn_write(), any number of times, and one of conn_done(),
	 * conn_reset() or conn_hold().
	 */
	void (*request)(void *arg, struct conn *c, struct httpd_request *r);
	/* Bytes that are no request are refused with this status; what is
	   added to *text is sent with it, as JSON. */
	void (*refused)(void *arg, int status, struct buf *text);
	/* A connection that conn_set() was called for ends before its request
	   was answered. */
	void (*gone)(void *arg, void *data);
	/* After httpd_stop(), no connection is left. May be NULL. */
	void (*ended)(void *arg);
};

/*
 * Listens. NULL with *e on failure. h and arg are kept, a descriptor is the
 * server's to close once it is there.
 */
struct httpd *httpd_new(struct event_base *base, const struct httpd_options *o,
    const struct httpd_handler *h, void *arg, struct err *e);

/* Its URL: "http://127.0.0.1:8000". */
const char *httpd_url(const struct httpd *s);

/* No request() is called between these two. */
void httpd_pause(struct httpd *s);
void httpd_resume(struct httpd *s);

/*
 * Takes no more requests; ends each connection once its request is answered
 * (those of conn_hold() at once), after which the loop has no event of it.
 */
void httpd_stop(struct httpd *s);

void httpd_free(struct httpd *s); /* NULL is allowed */

/* A status in words, such as "Not Found". */
const char *httpd_reason(int status);

/* Now, as the header Date has it (RFC 9110, section 5.6.7). */
#define HTTPD_DATE 48
const char *httpd_date(int64_t seconds, char buf[HTTPD_DATE]);

/* Sends bytes as they are. */
void conn_write(struct conn *c, const void *data, size_t len);

/* What the handler's gone() gets if the connection ends; NULL: not called. */
void conn_set(struct conn *c, void *data);

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
 * Nothing more will come that is worth waiting for: httpd_stop() may end it.
 * It stays open, and conn_write() and conn_after() go on working.
 */
void conn_hold(struct conn *c);

/*
 * What the answer's header Connection has to say, "close" or "keep-alive";
 * NULL: it needs none.
 */
const char *conn_option(const struct conn *c);

#endif
