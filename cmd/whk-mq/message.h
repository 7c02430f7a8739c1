/* SPDX-License-Identifier: ISC */
#ifndef WHK_MQ_MESSAGE_H
#define WHK_MQ_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "digest.h"

/* SQS's limits on a message. */
#define MESSAGE_MAX ((size_t)1 << 20) /* bytes, attributes included */
#define MESSAGE_ATTRIBUTES 10

/* A message attribute. The type says String, Number or Binary and more. */
struct attribute {
	const char *name, *type;
	const void *value;
	size_t name_len, type_len, value_len;
	bool binary; /* else UTF-8 text */
};

/* What a message is made of; all that it points to is borrowed. */
struct draft {
	const char *body;
	size_t body_len;
	const char *group; /* MessageGroupId, or NULL */
	const char *trace; /* AWSTraceHeader, or NULL */
	struct attribute attributes[MESSAGE_ATTRIBUTES];
	size_t attribute_count;
};

/* The bytes that SQS counts: body, and each attribute's name, type, value. */
size_t draft_size(const struct draft *d);

/*
 * A message in one piece of memory. The fields up to memory are the queue's
 * own; what follows never changes.
 */
struct message {
	TAILQ_ENTRY(message) age;   /* among all of the queue, oldest first */
	TAILQ_ENTRY(message) ready; /* among the visible ones */
	int64_t born_ms;            /* when it was sent, steady clock */
	int64_t due_ms;             /* hidden: visible then, steady clock */
	int64_t received_ms;        /* the last time, steady clock */
	int64_t first_ms;           /* first received, wall clock */
	int64_t sent_ms;            /* wall clock */
	uint64_t serial;            /* unlike that of any other in the queue */
	uint32_t slot;
	uint32_t heap_at; /* its place in the heap + 1; 0: visible */
	uint32_t receives;
	size_t memory; /* bytes, with what the queue needs for it */

	uint8_t id[16];
	uint8_t body_md5[DIGEST_LEN], attributes_md5[DIGEST_LEN];
	const char *body;
	size_t body_len;
	const char *group, *trace; /* or NULL */
	size_t attribute_count;
	struct attribute attributes[]; /* sorted by name */
};

/* Bytes of memory that message_new() will take for a draft. */
size_t message_memory(const struct draft *d);

/*
 * Copies a draft and computes its digests; id is a random UUID. NULL if memory
 * or libcrypto fails. Freed by free(3).
 */
struct message *message_new(const struct draft *d, struct digest *digest);

/* Adds a UUID's text, with quotes around it. */
void uuid_write(struct buf *b, const uint8_t id[16]);

#endif
