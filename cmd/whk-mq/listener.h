/* SPDX-License-Identifier: ISC */
#ifndef WHK_MQ_LISTENER_H
#define WHK_MQ_LISTENER_H

#include <stdint.h>

#include "err.h"

struct event_base;
struct evconnlistener;

#define LISTENER_HOST 270 /* bytes for an address and a port, NUL included */

/*
 * A TCP socket that listens at address (a name or a number) and port (0: one
 * that is free), without a callback yet. host says where, as it stands in a
 * URL: "127.0.0.1:9324", "[::1]:9324". NULL with *e on failure.
 */
struct evconnlistener *
listener_new(struct event_base *base, const char *address, uint16_t port,
    char host[LISTENER_HOST], struct err *e);

#endif
