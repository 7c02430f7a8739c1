/* SPDX-License-Identifier: ISC */
#ifndef WHK_SQS_URL_H
#define WHK_SQS_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/* sqs.c's own: what queues are called and where their servers are. */

/*
 * Whether url, a queue's or an endpoint's as what says, is one that requests
 * can be sent to: http or https, with a host, without user, query and
 * fragment, printable ASCII. Returns 0, or -1 with *e. The other functions
 * take only URLs that passed.
 */
int sqs_url_check(const char *what, const char *url, struct err *e);

/* Whether name is a queue's name ("CreateQueue", QueueName). 0, or -1 and *e.
 */
int sqs_url_check_name(const char *name, struct err *e);

/*
 * Whether the host is Amazon's, and if so the region that it names, or "":
 * "sqs.REGION.amazonaws.com", "sqs-fips.REGION...", "...vpce.amazonaws.com",
 * "REGION.queue.amazonaws.com" and the oldest, "queue.amazonaws.com" (AWS
 * General Reference, "Amazon SQS endpoints").
 */
bool sqs_url_region(const char *url, char *region, size_t size);

/*
 * Where requests go, each ends with a slash and is the caller's to free, NULL
 * if memory is short: for a queue's URL, which ends with account and name;
 * for an endpoint's; for Amazon's in a region.
 */
char *sqs_url_base(const char *url);
char *sqs_url_endpoint(const char *url);
char *sqs_url_amazon(const char *region);

/*
 * Whether libcurl signs the path as SigV4 wants it. It signs what it sends,
 * where SigV4 has it encoded once more and without "//", "." and "..".
 */
bool sqs_url_signable(const char *url);

#endif
