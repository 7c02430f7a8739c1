/* SPDX-License-Identifier: ISC */
#ifndef WHK_MQ_SERVER_H
#define WHK_MQ_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "broker.h"

struct event_base;
struct log;

/*
 * The HTTP side: takes requests, has them answered, keeps the long polls and
 * wakes them. One struct is one listening socket.
 */
struct server;

struct server_options {
	const char *address; /* to listen at: a name or a number */
	uint16_t port;       /* 0: one that is free */
	const struct log *log;
	bool verbose; /* each request is said */
};

/*
 * Listens. base, broker and the log are borrowed. NULL with *e on failure.
 */
struct server *server_new(struct event_base *base, struct broker *broker,
    const struct server_options *o, struct err *e);

/* "127.0.0.1:9324": where it listens, as it stands in a URL. */
const char *server_host(const struct server *s);

/*
 * Takes no more connections, ends each long poll with an empty answer, and
 * calls done(arg) when all answers are out, or soon after at the latest.
 */
void server_stop(struct server *s, void (*done)(void *), void *arg);

void server_free(struct server *s); /* NULL is allowed */

#endif
