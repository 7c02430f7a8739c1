/* SPDX-License-Identifier: ISC */
#ifndef WHK_POLL_POLL_H
#define WHK_POLL_POLL_H

#include <event2/event.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accept.h"
#include "buf.h"
#include "clock.h"
#include "db.h"
#include "http.h"
#include "log.h"
#include "loop.h"
#include "output.h"
#include "sqs.h"
#include "whk-poll/batch.h"
#include "whk-poll/deletes.h"

/*
 * whk-poll from the inside. A message is received (receive.c), gathered with
 * others and accepted (store.c), deleted (deletes.c) and printed as soon as the
 * reader has room. Everything is one struct poll and one thread.
 */

/* Requests for messages at once, at the most. */
#define RECEIVES_MAX 64

struct options {
	const char *queue, *log_format;
	int64_t lease_ms, number, receives;
	bool once, peek, verbose;
};

/* A request for messages. */
struct receive {
	struct poll *poll;
	int max; /* messages asked for; 0: there is none */
};

struct poll {
	const struct options *o;
	const struct log *log;
	struct loop loop;
	struct http *http;
	struct sqs *sqs;
	struct db *db;
	struct output *output;
	struct deletes deletes;
	struct event *again; /* when the queue is asked after a trouble */
	struct backoff backoff;

	struct batch gathering; /* to be accepted next */
	struct batch accepting; /* in the call that is under way */
	struct batch printing;  /* stored, and for the reader */
	size_t bytes;           /* in all of them */
	struct accept accept;   /* of the next call */
	struct buf line;

	struct receive receives[RECEIVES_MAX];
	int64_t receiving;    /* requests under way */
	int64_t asked, taken; /* messages: asked for by these; ever taken */
	int64_t wanted;       /* requests at once that seem worth it */
	bool empty;           /* the last long poll brought nothing */
	size_t large;         /* the largest body that the last answer had */
	bool db_trouble, queue_trouble;
	bool ending;
	bool gave_up; /* nothing is stored any more */
	int64_t began_ms;
	int64_t printed, repeats, bad;
	int status;
};

/* whk-poll.c */
void poll_go_on(struct poll *p); /* looks what is next; after every event */
/* Takes nothing new; ends, with that status, once what was taken is done. */
void poll_end(struct poll *p, int status);
/* An error ends the program. What is stored is still deleted and printed. */
void poll_give_up(struct poll *p, const struct err *e);

/* receive.c */
void receive_more(struct poll *p); /* as many as there is room for */
/* A timer's: the queue failed, and is asked again. */
void receive_again(evutil_socket_t fd, short what, void *arg);

/* store.c */
void store_more(struct poll *p);  /* accepts what was gathered */
void store_print(struct poll *p); /* prints what the output has room for */

#endif
