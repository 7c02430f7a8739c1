/* SPDX-License-Identifier: ISC */
#ifndef WHK_SQS_H
#define WHK_SQS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct event_base;
struct http;

/*
 * Amazon SQS's JSON protocol (AmazonSQS.* targets, AWS JSON 1.0), as a client.
 * One struct is one queue. Requests run at the same time, as many as asked.
 */
struct sqs;

/* At most this many messages or entries go in one request. */
#define SQS_BATCH 10

struct sqs_attribute { /* of type String */
	const char *name;
	const char *value;
};

/* A message received; all of it is valid during the callback only. */
struct sqs_message {
	const char *message_id;
	const char *receipt; /* receipt handle */
	const char *body;    /* valid UTF-8, NUL-terminated */
	size_t body_len;
	int64_t sent_ms;   /* SentTimestamp, ms since 1970 */
	int receive_count; /* ApproximateReceiveCount */
	const char *group; /* MessageGroupId, or NULL */
	const struct sqs_attribute *attributes; /* String and Number ones */
	size_t attribute_count;
	const char *bad; /* NULL, or why the message is not usable (no
			    message id, receipt handle or body, a body
			    with NUL, that is no UTF-8 or whose MD5 is
			    another, a bad timestamp); what is missing
			    is NULL */
};

/* What an entry of a send is. Borrowed until the callback. */
struct sqs_entry {
	const char *body;
	size_t body_len;
	const struct sqs_attribute *attributes;
	size_t attribute_count;
	const char *group; /* MessageGroupId or NULL */
	const char *dedup; /* MessageDeduplicationId or NULL */
};

/*
 * What a queue takes, in bytes: a message (its body, and its attributes with
 * their names and types), and all messages of one request.
 */
#define SQS_MESSAGE_MAX ((size_t)1 << 20)

/* The bytes that an entry counts for that limit. */
size_t sqs_size(const struct sqs_entry *entry);

/*
 * Whether a queue takes the entry at all ("SendMessage", MessageBody): not
 * empty, not too large, UTF-8 of the characters that XML 1.0 has, attributes
 * that are not empty either. Returns 0, or -1 with *e that says what is wrong
 * with it.
 */
int sqs_check(const struct sqs_entry *entry, struct err *e);

/* What became of an entry of a send or delete. */
struct sqs_result {
	bool ok;
	bool sender_fault;      /* trying again does not help */
	char reason[160];       /* code and message, where it is not ok */
	const char *message_id; /* of a send that is ok */
};

/*
 * Callbacks. e is NULL when the request as a whole was answered; otherwise it
 * says why not (e->temporary: worth trying again) and the count is 0.
 */
typedef void sqs_received(void *arg, const struct err *e,
    const struct sqs_message *messages, size_t count);
typedef void sqs_finished(void *arg, const struct err *e,
    const struct sqs_result *results, size_t count);

/* How many messages a queue has, about ("GetQueueAttributes"). */
struct sqs_depth {
	int64_t waiting;   /* ApproximateNumberOfMessages */
	int64_t in_flight; /* ...NotVisible */
	int64_t delayed;   /* ...Delayed */
};
typedef void
sqs_measured(void *arg, const struct err *e, const struct sqs_depth *depth);

/*
 * A queue by its URL ("http://127.0.0.1:9324/000000000000/events") or, where
 * it has no scheme, by its name, which a first request resolves at the
 * endpoint or region that aws_load() found. Credentials come from there too.
 * http is borrowed. NULL with *e on failure: a bad URL, no region or endpoint
 * for a name, credentials that are only half there.
 */
struct sqs *sqs_new(struct event_base *base, struct http *http,
    const char *queue, struct err *e);

/*
 * Each starts one request and returns 0, or -1 with *e where it cannot be
 * started. The callback comes once, later, from the loop, unless sqs_free()
 * comes first.
 *
 * sqs_receive: max 1 to SQS_BATCH messages; wait_s 0 to 20, long polling;
 * visibility_s: -1 the queue's own, else 0 to 43200.
 */
int sqs_receive(struct sqs *q, int max, int wait_s, int visibility_s,
    sqs_received *done, void *arg, struct err *e);
int sqs_send(struct sqs *q, const struct sqs_entry *entries, size_t count,
    sqs_finished *done, void *arg, struct err *e);
int sqs_delete(struct sqs *q, const char *const *receipts, size_t count,
    sqs_finished *done, void *arg, struct err *e);
int sqs_depth(struct sqs *q, sqs_measured *done, void *arg, struct err *e);

void sqs_free(struct sqs *q); /* NULL is allowed */

#endif
