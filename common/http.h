/* SPDX-License-Identifier: ISC */
#ifndef WHK_HTTP_H
#define WHK_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct event_base;
struct guard;

/*
 * HTTP/1.1 requests, many at once, on an event loop: libcurl's multi_socket
 * interface. Handles, connections and DNS are reused, and TLS sessions, each
 * for its own host and port, up to about 500 of them. Redirects are never
 * followed, no proxy of the environment is used, nothing is uncompressed. TLS
 * is verified, by the system's authorities or those in the file that
 * SSL_CERT_FILE names.
 */
struct http;

/* Why there is no usable answer; whk(5), "error". */
enum http_error {
	HTTP_OK,      /* there is an answer: look at the status */
	HTTP_TIMEOUT, /* the one deadline passed, in whatever phase */
	HTTP_DNS,
	HTTP_CONNECT,
	HTTP_TLS,
	HTTP_BLOCKED, /* the guard refused every address */
	HTTP_RESET,   /* the connection ended before the answer was whole, or
			 what came could not be read to its end */
	HTTP_PROTOCOL /* the answer is no HTTP, or breaks a limit */
};

/* "timeout", "dns", "connect", "tls", "blocked", "reset", "protocol". */
const char *http_error_word(enum http_error error);

/* Keys for a signature of AWS (SigV4, made by libcurl). */
struct http_sigv4 {
	const char *region, *service;
	const char *key, *secret;
	const char *token; /* session token, or NULL */
};

/*
 * What to send. All that it points to is borrowed until done is called; the
 * struct itself only during http_start().
 */
struct http_request {
	const char *method; /* "POST"; "GET" has no body */
	const char *url;
	/*
	 * Whole lines, "name: value", no CR or LF, no empty value. With a
	 * body, one has to be content-type.
	 */
	const char *const *headers;
	size_t header_count;
	const void *body;
	size_t body_len;
	int64_t timeout_ms; /* for the whole of it; over 0 */
	int64_t connect_ms; /* up to and with the TLS handshake */
	/*
	 * Bytes of the answer's body that are read, and that are kept, the
	 * rest being thrown away. More than read_max is HTTP_PROTOCOL with
	 * read_all, and else HTTP_OK, with the rest not read.
	 */
	size_t read_max, keep_max;
	bool read_all;
	bool verbose_headers;           /* keep the answer's header lines */
	const struct http_sigv4 *sigv4; /* or NULL */
};

/* What came. Valid during the call of done. */
struct http_answer {
	enum http_error error;
	int status;       /* 0 where error is not HTTP_OK */
	char detail[160]; /* libcurl's words for an error, visible */
	const char *body; /* up to keep_max bytes, NUL after them */
	size_t body_len;
	const char *headers; /* header lines with CRLF, up to 4 KiB */
	size_t headers_len;
	char retry_after[64]; /* the header's value, or "" */
	char address[64];     /* dialled or refused, or "" */
	/*
	 * Microseconds: dns, connect and tls each by itself (0 where a
	 * connection was reused), wait until the first byte, all in all.
	 */
	int64_t dns_us, connect_us, tls_us, wait_us, total_us;
};

/*
 * How long a Retry-After value (RFC 9110, 10.2.3: seconds, or an HTTP date)
 * asks to wait, in ms from now_ms (since 1970); 0 for a date that has passed;
 * -1 where it is neither.
 */
int64_t http_retry_after(const char *value, int64_t now_ms);

typedef void http_done(void *arg, const struct http_answer *answer);

/*
 * Whether a request could be sent to url: http or https, a host, no user or
 * password. Returns 0, or -1 with *e.
 */
int http_check_url(const char *url, struct err *e);

/*
 * max_connections: how many are kept open in all, idle ones included (the
 * least recently used is closed first). guard judges every address that is
 * dialled; NULL lets all through. Both guard and base outlive the struct. The
 * process's limit of open files is raised as far as it goes.
 * NULL with *e on failure.
 */
struct http *http_new(struct event_base *base, size_t max_connections,
    const struct guard *guard, const char *user_agent, struct err *e);

/*
 * Starts a request. done(arg) is called exactly once, later, from the loop,
 * unless http_free() comes first. A request whose bytes may have gone out is
 * never sent again by this module: a reused connection that ends without an
 * answer is HTTP_RESET. Returns 0, or -1 with *e if it cannot be started at
 * all (out of memory). A URL that http_check_url() would refuse is not found
 * here: its answer is HTTP_PROTOCOL.
 */
int http_start(struct http *h, const struct http_request *rq, http_done *done,
    void *arg, struct err *e);

size_t http_active(const struct http *h); /* started and not yet done */

/*
 * Aborts the active requests that were started with arg: their done is not
 * called, and what they borrowed is free again. May be called from done.
 */
void http_cancel(struct http *h, const void *arg);

/*
 * Aborts what is active, without calling done. NULL is allowed; may be called
 * from within done.
 */
void http_free(struct http *h);

#endif
