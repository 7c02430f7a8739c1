/* SPDX-License-Identifier: ISC */
#ifndef WHK_RECV_PRINT_H
#define WHK_RECV_PRINT_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

struct httpd_request;

/* What is printed of a request besides itself. */
struct print_facts {
	int64_t time_ms;    /* when it came */
	const char *answer; /* "200", "reset" */
	bool checked;       /* its signature was looked at */
	const char *wrong;  /* why it is wrong, or NULL */
};

/* Each adds one request, ready to be printed. */
void print_body(struct buf *b, const struct httpd_request *r);
void print_headers(struct buf *b, const struct httpd_request *r);
void print_json(struct buf *b, const struct httpd_request *r,
    const struct print_facts *facts);

#endif
