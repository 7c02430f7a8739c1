/* SPDX-License-Identifier: ISC */
#ifndef WHK_MQ_FAULT_H
#define WHK_MQ_FAULT_H

#include <stdbool.h>

struct buf;

/*
 * The errors that SQS answers with, each with the names that the JSON protocol
 * and, for older code in the SDKs, the Query protocol have for it ("AWS Query
 * compatible": the header x-amzn-query-error).
 */
enum fault_kind {
	FAULT_NONE,
	FAULT_BATCH_IDS_NOT_DISTINCT,
	FAULT_BATCH_TOO_LONG,
	FAULT_EMPTY_BATCH,
	FAULT_INVALID_ATTRIBUTE_NAME,
	FAULT_INVALID_ATTRIBUTE_VALUE,
	FAULT_INVALID_BATCH_ID,
	FAULT_INVALID_CONTENTS,
	FAULT_INVALID_PARAMETER,
	FAULT_MISSING_PARAMETER,
	FAULT_NO_QUEUE,
	FAULT_OVER_LIMIT,
	FAULT_QUEUE_EXISTS,
	FAULT_RECEIPT_INVALID,
	FAULT_SERIALIZATION,
	FAULT_THROTTLED,
	FAULT_TOO_MANY_ENTRIES,
	FAULT_UNKNOWN_OPERATION,
	FAULT_UNSUPPORTED,
	FAULT_INTERNAL,
	FAULT_COUNT
};

struct fault {
	enum fault_kind kind;
	char msg[256]; /* valid UTF-8 */
};

/*
 * Sets kind and message. Strings given to it are valid UTF-8; a message that
 * is too long is cut at a whole character. Returns -1, so that a function can
 * end with "return fault_set(...)".
 */
int fault_set(struct fault *f, enum fault_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The message for whatever fails because memory ran out; returns -1. */
int fault_memory(struct fault *f);

int fault_status(enum fault_kind kind); /* the HTTP status */
bool fault_of_sender(enum fault_kind kind);

/* The code in a failed batch entry: "ReceiptHandleIsInvalid" and the like. */
const char *fault_code(enum fault_kind kind);

/* The code of the Query protocol: "AWS.SimpleQueueService.NonExistentQueue". */
const char *fault_query_code(enum fault_kind kind);

/* Adds the body of the answer: {"__type":"...","message":"..."}. */
void fault_write(struct buf *b, const struct fault *f);

#endif
