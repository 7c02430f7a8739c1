/* SPDX-License-Identifier: ISC */
#ifndef WHK_SQS_JSON_H
#define WHK_SQS_JSON_H

#include <jansson.h>
#include <openssl/evp.h>

#include "buf.h"
#include "sqs.h"

/* sqs.c's own: the JSON texts of SQS's protocol, apart from all transport. */

/* Adds the members of a request, each with a comma after it. */
void
sqs_json_send(struct buf *b, const struct sqs_entry *entries, size_t count);
void sqs_json_delete(struct buf *b, const char *const *receipts, size_t count);

/*
 * An answer, taken apart. Zeroed memory is an empty one. What the messages
 * and results point to lives until sqs_json_free().
 */
struct sqs_json {
	json_t *root;    /* of an answer that is not of messages */
	struct buf text; /* one that is, changed where it lies */
	struct sqs_message messages[SQS_BATCH];
	struct sqs_result results[SQS_BATCH];
	size_t count;
	struct sqs_attribute *attributes; /* of all messages */
	struct sqs_depth depth;
};

/*
 * An answer to ReceiveMessage. One message that is broken is marked bad and
 * leaves the others as they are, even where the JSON text itself suffers from
 * it (a body that is no UTF-8, half a surrogate pair). md5 is what to check
 * MD5OfBody with, or NULL. Returns 0, or -1 with *e (temporary) if the answer
 * as a whole is none.
 */
int sqs_json_messages(struct sqs_json *j, const char *text, size_t len,
    const EVP_MD *md5, struct err *e);

/*
 * An answer to SendMessageBatch or DeleteMessageBatch of count entries, in
 * their order; an entry that it does not speak of is not ok. 0 or -1 as above.
 */
int sqs_json_results(struct sqs_json *j, const char *text, size_t len,
    size_t count, struct err *e);

/* An answer to GetQueueUrl: the URL, or NULL with *e as above. */
const char *
sqs_json_url(struct sqs_json *j, const char *text, size_t len, struct err *e);

/* An answer to GetQueueAttributes. 0 or -1 as above. */
int
sqs_json_depth(struct sqs_json *j, const char *text, size_t len, struct err *e);

/*
 * Fills *e from an answer whose status is not 200: what the code means, and
 * the message. Temporary is what may be over later: throttling, trouble of
 * the server's own, answers that are not of SQS. Returns -1.
 */
int sqs_json_error(int status, const char *text, size_t len, struct err *e);

void sqs_json_free(struct sqs_json *j);

/*
 * Adds text to b with whatever makes it no JSON text of Unicode without NUL
 * replaced by U+FFFD: bytes that are no UTF-8, surrogates that stand alone,
 * NUL as an escape.
 */
void sqs_json_repair(struct buf *b, const char *text, size_t len);

#endif
