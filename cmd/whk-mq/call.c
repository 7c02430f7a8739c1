/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "call.h"

#define PREFIX "AmazonSQS."

static const struct {
	const char *name;
	operation *run; /* NULL: SQS has it, whk-mq not */
} operations[] = {
    {"ReceiveMessage", op_receive_message},
    {"SendMessageBatch", op_send_message_batch},
    {"DeleteMessageBatch", op_delete_message_batch},
    {"SendMessage", op_send_message},
    {"DeleteMessage", op_delete_message},
    {"ChangeMessageVisibility", op_change_visibility},
    {"ChangeMessageVisibilityBatch", op_change_visibility_batch},
    {"CreateQueue", op_create_queue},
    {"DeleteQueue", op_delete_queue},
    {"GetQueueUrl", op_get_queue_url},
    {"ListQueues", op_list_queues},
    {"PurgeQueue", op_purge_queue},
    {"GetQueueAttributes", op_get_queue_attributes},
    {"SetQueueAttributes", op_set_queue_attributes},
    {"TagQueue", op_tag_queue},
    {"UntagQueue", op_untag_queue},
    {"ListQueueTags", op_list_queue_tags},
    {"AddPermission", NULL},
    {"RemovePermission", NULL},
    {"ListDeadLetterSourceQueues", NULL},
    {"StartMessageMoveTask", NULL},
    {"CancelMessageMoveTask", NULL},
    {"ListMessageMoveTasks", NULL},
};

static operation *
find(struct call *c, const char *target)
{
	const char *name = target + strlen(PREFIX);

	if (strncmp(target, PREFIX, strlen(PREFIX)) != 0)
		name = "";
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]);
	     i++) {
		if (strcmp(name, operations[i].name) != 0)
			continue;
		if (operations[i].run == NULL)
			fault_set(&c->fault, FAULT_UNSUPPORTED,
			    "whk-mq does not have the operation %s.", name);
		return operations[i].run;
	}
	fault_set(&c->fault, FAULT_UNKNOWN_OPERATION,
	    "X-Amz-Target names no operation of AmazonSQS.");
	return NULL;
}

enum outcome
call_run(struct call *c, const char *target)
{
	operation *run;

	if (target == NULL) {
		fault_set(&c->fault, FAULT_UNSUPPORTED,
		    "There is no X-Amz-Target: whk-mq speaks SQS's JSON "
		    "protocol, and not the Query protocol.");
		return CALL_FAILED;
	}
	run = find(c, target);
	if (run == NULL)
		return CALL_FAILED;
	c->in = tree_read(c->tree, c->body, c->body_len, &c->fault);
	if (c->in == NULL)
		return CALL_FAILED;
	return run(c);
}
