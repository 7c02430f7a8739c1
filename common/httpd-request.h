/* SPDX-License-Identifier: ISC */
#ifndef WHK_HTTPD_REQUEST_H
#define WHK_HTTPD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#define HTTPD_HEADERS 100

/* A header line; both point into the head, trimmed, NUL-terminated. */
struct httpd_header {
	char *name;
	char *value;
};

/* An HTTP/1.1 request (RFC 9112). */
struct httpd_request {
	const char *method;
	const char *target;
	const char *version; /* "HTTP/1.1" (or a later 1) or "HTTP/1.0" */
	struct httpd_header headers[HTTPD_HEADERS];
	size_t header_count;
	bool close;    /* the connection ends after the answer */
	bool keep;     /* the answer says "keep-alive", as HTTP/1.0 wants it */
	bool expect;   /* the client waits for a 100 */
	bool chunked;  /* the body comes in chunks */
	size_t length; /* of the body, where it does not */
	const char *body;
	size_t body_len;
};

/*
 * Parses the head of a request, len bytes that end with an empty line, in
 * place; bodies over max bytes are refused. Returns 0, or the status that the
 * request is to be refused with: 400, 413, 417, 431, 501 or 505.
 */
int httpd_parse(char *head, size_t len, size_t max, struct httpd_request *r);

/* A header's value, its name in any case; NULL if there is none. */
const char *httpd_header(const struct httpd_request *r, const char *name);

/*
 * Parses the line before a chunk, up to its CR: a hexadecimal size of at most
 * max, perhaps with extensions. Returns 0 or -1.
 */
int httpd_chunk_size(const char *line, size_t max, size_t *size);

#endif
