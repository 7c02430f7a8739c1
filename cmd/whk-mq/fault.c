/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "fault.h"

#define SQS "com.amazonaws.sqs#"
#define CORAL "com.amazon.coral.service#"
#define QUERY "AWS.SimpleQueueService."

/*
 * Statuses are those of the service. Some SDKs retry a throttled request only
 * if its status is 403.
 */
static const struct {
	int status;
	const char *space; /* of the type */
	const char *name;  /* the type without its space */
	const char *code;  /* in a batch entry; NULL: the name */
	const char *query; /* NULL: the name */
} faults[FAULT_COUNT] = {
    [FAULT_NONE] = {200, SQS, "", NULL, NULL},
    [FAULT_BATCH_IDS_NOT_DISTINCT] = {400, SQS, "BatchEntryIdsNotDistinct",
	NULL, QUERY "BatchEntryIdsNotDistinct"},
    [FAULT_BATCH_TOO_LONG] = {400, SQS, "BatchRequestTooLong", NULL,
	QUERY "BatchRequestTooLong"},
    [FAULT_EMPTY_BATCH] = {400, SQS, "EmptyBatchRequest", NULL,
	QUERY "EmptyBatchRequest"},
    [FAULT_INVALID_ATTRIBUTE_NAME] = {400, SQS, "InvalidAttributeName", NULL,
	NULL},
    [FAULT_INVALID_ATTRIBUTE_VALUE] = {400, SQS, "InvalidAttributeValue", NULL,
	NULL},
    [FAULT_INVALID_BATCH_ID] = {400, SQS, "InvalidBatchEntryId", NULL,
	QUERY "InvalidBatchEntryId"},
    [FAULT_INVALID_CONTENTS] = {400, SQS, "InvalidMessageContents", NULL, NULL},
    [FAULT_INVALID_PARAMETER] = {400, CORAL, "InvalidParameterValueException",
	"InvalidParameterValue", "InvalidParameterValue"},
    [FAULT_MISSING_PARAMETER] = {400, CORAL,
	"MissingRequiredParameterException", "MissingParameter",
	"MissingParameter"},
    [FAULT_NO_QUEUE] = {400, SQS, "QueueDoesNotExist", NULL,
	QUERY "NonExistentQueue"},
    [FAULT_OVER_LIMIT] = {403, SQS, "OverLimit", NULL, NULL},
    [FAULT_QUEUE_EXISTS] = {400, SQS, "QueueNameExists", NULL,
	"QueueAlreadyExists"},
    [FAULT_RECEIPT_INVALID] = {404, SQS, "ReceiptHandleIsInvalid", NULL, NULL},
    [FAULT_SERIALIZATION] = {400, CORAL, "SerializationException", NULL,
	"MalformedInput"},
    [FAULT_THROTTLED] = {403, SQS, "RequestThrottled", NULL, NULL},
    [FAULT_TOO_MANY_ENTRIES] = {400, SQS, "TooManyEntriesInBatchRequest", NULL,
	QUERY "TooManyEntriesInBatchRequest"},
    [FAULT_UNKNOWN_OPERATION] = {400, CORAL, "UnknownOperationException", NULL,
	"InvalidAction"},
    [FAULT_UNSUPPORTED] = {400, SQS, "UnsupportedOperation", NULL,
	QUERY "UnsupportedOperation"},
    [FAULT_INTERNAL] = {500, CORAL, "InternalFailure", "InternalError",
	"InternalFailure"},
};

/* Takes away the beginning of a UTF-8 character that was cut at the end. */
static void
trim_cut(char *s)
{
	size_t len = strlen(s), start = len;

	while (start > 0 && ((unsigned char)s[start - 1] & 0xc0) == 0x80)
		start--;
	if (start > 0 && (unsigned char)s[start - 1] >= 0xc0)
		s[start - 1] = '\0';
}

int
fault_set(struct fault *f, enum fault_kind kind, const char *fmt, ...)
{
	va_list ap;
	int n;

	f->kind = kind;
	va_start(ap, fmt);
	n = vsnprintf(f->msg, sizeof(f->msg), fmt, ap);
	va_end(ap);
	if (n < 0)
		f->msg[0] = '\0';
	else if ((size_t)n >= sizeof(f->msg))
		trim_cut(f->msg);
	return -1;
}

int
fault_memory(struct fault *f)
{
	return fault_set(f, FAULT_INTERNAL, "Out of memory.");
}

int
fault_status(enum fault_kind kind)
{
	return faults[kind].status;
}

bool
fault_of_sender(enum fault_kind kind)
{
	return kind != FAULT_INTERNAL && kind != FAULT_THROTTLED;
}

const char *
fault_code(enum fault_kind kind)
{
	const char *code = faults[kind].code;

	return code == NULL ? faults[kind].name : code;
}

const char *
fault_query_code(enum fault_kind kind)
{
	const char *query = faults[kind].query;

	return query == NULL ? faults[kind].name : query;
}

void
fault_write(struct buf *b, const struct fault *f)
{
	buf_fmt(b, "{\"__type\":\"%s%s\",\"message\":", faults[f->kind].space,
	    faults[f->kind].name);
	buf_json(b, f->msg, strlen(f->msg));
	buf_text(b, "}");
}
