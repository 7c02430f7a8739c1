/* SPDX-License-Identifier: ISC */
/* What is done with a receipt handle: delete, and change the visibility. */
#include <inttypes.h>

#include "call.h"

/* Does it to one object: the request, or an entry. 0, or -1 with the fault. */
typedef int action(struct call *c, const struct node *obj);

static int
find(struct call *c, const struct node *obj, struct message **m)
{
	const char *handle;

	if (param_required(c, obj, "ReceiptHandle", &handle) < 0)
		return -1;
	if (queue_find(c->queue, handle, m) == QUEUE_FOREIGN)
		return fault_set(&c->fault, FAULT_RECEIPT_INVALID,
		    "The receipt handle is not one of this queue's.");
	return 0;
}

/*
 * Deleting what is gone, or what was received again since, succeeds and does
 * nothing: the same as with a standard queue of SQS.
 */
static int delete (struct call *c, const struct node *obj)
{
	struct message *m;

	if (find(c, obj, &m) < 0)
		return -1;
	if (m == NULL)
		return 0;
	queue_delete(c->queue, m);
	c->broker->meter.deleted++;
	return 0;
}

static int
change(struct call *c, const struct node *obj)
{
	int64_t s = -1, since_ms;
	struct message *m;

	if (find(c, obj, &m) < 0 ||
	    param_int(
		c, obj, "VisibilityTimeout", 0, QUEUE_VISIBILITY_MAX, &s) < 0)
		return -1;
	if (s < 0)
		return fault_set(&c->fault, FAULT_MISSING_PARAMETER,
		    "The request must contain the parameter "
		    "VisibilityTimeout.");
	if (m == NULL)
		return fault_set(&c->fault, FAULT_INVALID_PARAMETER,
		    "The receipt handle is no longer valid: the message was "
		    "deleted, or received again.");
	since_ms = c->now.steady_ms - m->received_ms;
	if (since_ms + s * 1000 > (int64_t)QUEUE_VISIBILITY_MAX * 1000)
		return fault_set(&c->fault, FAULT_INVALID_PARAMETER,
		    "Value %" PRId64 " for parameter VisibilityTimeout is "
		    "invalid. Reason: A message is hidden for at most %d "
		    "seconds after it was received.",
		    s, QUEUE_VISIBILITY_MAX);
	queue_hide(c->queue, m, s * 1000, &c->now);
	return 0;
}

static enum outcome
act(struct call *c, action *run)
{
	if (param_queue(c) < 0 || run(c, c->in) < 0)
		return CALL_FAILED;
	return CALL_DONE;
}

static enum outcome
act_batch(struct call *c, action *run)
{
	struct batch b = {0};
	const struct node *entries;

	if (param_queue(c) < 0 || param_entries(c, &entries) < 0)
		return CALL_FAILED;
	for (const struct node *entry = node_first(entries); entry != NULL;
	     entry = entry->next) {
		const char *id = node_text(node_get(entry, "Id"));

		if (run(c, entry) < 0)
			batch_add_failed(&b, id, &c->fault);
		else
			buf_fmt(&b.successful, "%s{\"Id\":\"%s\"}",
			    b.successful.len > 0 ? "," : "", id);
	}
	return batch_finish(&b, c);
}

enum outcome
op_delete_message(struct call *c)
{
	return act(c, delete);
}

enum outcome
op_delete_message_batch(struct call *c)
{
	return act_batch(c, delete);
}

enum outcome
op_change_visibility(struct call *c)
{
	return act(c, change);
}

enum outcome
op_change_visibility_batch(struct call *c)
{
	return act_batch(c, change);
}
