/* SPDX-License-Identifier: ISC */
#ifndef WHK_MQ_INCOMING_H
#define WHK_MQ_INCOMING_H

#include "call.h"

/* One message on its way in: a SendMessage, or an entry of a batch. */
struct incoming {
	struct draft draft;
	int64_t delay_s;
	bool has_system;         /* AWSTraceHeader was sent, */
	struct attribute system; /* as this */
	struct message *message; /* once it is made, until a queue has it */
	/* What the draft and system point to, where it had to be decoded. */
	uint8_t *decoded[MESSAGE_ATTRIBUTES];
	uint8_t *system_decoded;
};

/*
 * Reads a message from obj and checks it against SQS's rules and those of the
 * queue c->queue. *in starts zeroed, borrows from obj, and is freed by
 * incoming_free() whatever this returns: 0, or -1 with the fault set.
 */
int incoming_read(struct call *c, struct incoming *in, const struct node *obj);

void incoming_free(struct incoming *in);

#endif
