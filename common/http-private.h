/* SPDX-License-Identifier: ISC */
#ifndef WHK_HTTP_PRIVATE_H
#define WHK_HTTP_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "buf.h"
#include "http.h"

/*
 * What the files of the http module share:
 *
 *	http.c		the interface; starts requests and hands out answers
 *	http-slot.c	one request on one easy handle of libcurl
 *	http-answer.c	what came of it
 *	http-socket.c	libcurl's sockets and timer on the event loop
 */

/* A descriptor, in an array by its number. Kept when it is closed. */
struct http_socket {
	struct http *h;
	struct event ev;
	int fd;
	short added; /* what ev waits for; 0: it is not added */
	short want;  /* what libcurl asks for */
	bool ours;   /* opened by http_socket_open(), not closed yet */
};

/* A request in flight, or an easy handle that waits for its next one. */
struct http_slot {
	LIST_ENTRY(http_slot) link;
	struct http *h;
	CURL *easy;
	bool is_signed; /* what SigV4 leaves behind stays with its own */
	bool is_custom; /* CURLOPT_CUSTOMREQUEST is set */
	long read_size;
	CURLSH *share; /* set at easy */

	http_done *done;
	void *arg;
	size_t read_max, keep_max;
	bool read_all, keep_headers;
	struct curl_slist *nodes; /* over the caller's header lines */
	size_t node_count;
	struct buf token; /* a header line that SigV4 needs */

	size_t read;        /* bytes of the body that came */
	size_t lines, text; /* header lines, and their bytes */
	bool whole_head;    /* its empty line came */
	bool cut;           /* ended at read_max */
	bool excess;        /* ended at a limit that is not the caller's */
	bool again;         /* libcurl wanted to send it once more */
	unsigned requests;  /* connections it was given to */
	unsigned dialled, refused;
	int open_error; /* an errno: there was no socket to dial with */
	char address[INET6_ADDRSTRLEN]; /* the last of those */
	struct buf body, headers;
	char retry_after[sizeof(((struct http_answer *)0)->retry_after)];
	char error[CURL_ERROR_SIZE];
};

LIST_HEAD(http_slots, http_slot);

/* libcurl keeps eight TLS sessions in a share, and cannot be told another. */
#define HTTP_SHARES 64

struct http {
	struct event_base *base;
	const struct guard *guard;
	char *user_agent;
	CURLM *multi;
	CURLSH *shares[HTTP_SHARES]; /* TLS sessions, by host; NULL: not yet */
	struct http_slots running;
	struct http_slots idle[2]; /* by is_signed */
	size_t active;
	struct http_socket **sockets;
	size_t socket_count;
	struct event timer;
	bool has_timer;
	bool busy;  /* inside of done() */
	bool freed; /* http_free() was called in there */
};

/* http.c: hands out what has come to its end. */
void http_finish(struct http *h);

/*
 * http.c: what keeps the TLS sessions of a URL's host. NULL if there is no
 * memory: then that transfer resumes none.
 */
CURLSH *http_share(struct http *h, const char *url);

/* http-slot.c: an idle slot; NULL if there is no memory. */
struct http_slot *http_slot_new(struct http *h, bool is_signed);
void http_slot_free(struct http_slot *s);
void http_slot_clear(struct http_slot *s); /* gives up what the answer took */

/* Sets up a request. 0, or -1 with *e. */
int http_slot_prepare(
    struct http_slot *s, const struct http_request *rq, struct err *e);

/* Fills an answer that borrows from the slot. */
void
http_slot_answer(struct http_slot *s, CURLcode code, struct http_answer *a);

/* http-socket.c: lets libcurl wait on h->base. 0 or -1. */
int http_sockets_init(struct http *h);
void http_sockets_free(struct http *h);

/*
 * A new socket, and closing it (a callback of libcurl's; arg is the struct
 * http). -1 on failure.
 */
int http_socket_open(struct http *h, int family, int type, int protocol);
int http_socket_close(void *arg, curl_socket_t fd);

#endif
