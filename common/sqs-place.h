/* SPDX-License-Identifier: ISC */
#ifndef WHK_SQS_PLACE_H
#define WHK_SQS_PLACE_H

#include <stdbool.h>

#include "aws.h"
#include "err.h"
#include "http.h"

/* sqs.c's own: where a queue is, and as whom it is asked. */
struct sqs_place {
	char *name;     /* as it was given, for messages */
	char *url;      /* the queue's URL; NULL: a name, not resolved yet */
	char *endpoint; /* where requests go */
	char region[64];
	bool sign;
	struct http_sigv4 sigv4; /* points into aws and region */
	struct aws aws;
};

/*
 * queue is as for sqs_new(). Returns 0, or -1 with *e. The struct must not
 * move; sqs_place_free() frees what it holds and takes zeroed memory too.
 */
int sqs_place_init(struct sqs_place *p, const char *queue, struct err *e);
void sqs_place_free(struct sqs_place *p);

#endif
