/* SPDX-License-Identifier: ISC */
#ifndef WHK_RECV_ANSWER_H
#define WHK_RECV_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "cli.h"
#include "err.h"

struct conn;
struct httpd_request;

/* How requests are answered: with a status, or wrongly on purpose. */
enum fault {
	FAULT_NONE,
	FAULT_RESET,   /* an RST in place of an answer */
	FAULT_HANG,    /* nothing */
	FAULT_DRIP,    /* a byte every tenth of a second */
	FAULT_CUT,     /* the end amid the body */
	FAULT_GARBAGE, /* bytes that are not HTTP */
	FAULT_FLOOD    /* a body without end */
};

struct answer {
	int status; /* 200 to 599 */
	enum fault fault;
	int64_t delay_ms;
};

struct answers {
	/* Set by the owner, borrowed. */
	const char *list;        /* "503", "500,reset,200": in turn; the last
				    one stays */
	const char *retry_after; /* or NULL */
	const char *body;
	struct cli_list headers;
	int64_t delay_ms;
	/* The rest is the module's. */
	struct answer *turns;
	size_t count, next;
	struct buf lines; /* headers that every answer has */
	struct buf text;  /* the answer being made */
	struct buf drip;
};

/* Reads what the owner set. 0, or -1 with *e. answers_free() undoes it. */
int answers_init(struct answers *a, struct err *e);
void answers_free(struct answers *a);

/*
 * The answer to a request. "status=" and "delay=" in the query of its target
 * come before what is next in turn.
 */
struct answer answers_choose(struct answers *a, const struct httpd_request *r);

/* "200", "reset": as it is written in the list. */
const char *answer_word(const struct answer *w, char buf[16]);

/* Answers, now or when the delay is over. */
void answers_send(struct answers *a, const struct answer *w, struct conn *c,
    const struct httpd_request *r);

#endif
