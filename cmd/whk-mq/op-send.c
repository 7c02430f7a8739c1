/* SPDX-License-Identifier: ISC */
/* SendMessage and SendMessageBatch. */
#include <stdlib.h>

#include "incoming.h"

static int
throttled(struct call *c)
{
	return fault_set(&c->fault, FAULT_THROTTLED,
	    "The memory for messages is used up (whk-mq --memory %zu).",
	    c->broker->meter.max);
}

static int
make_message(struct call *c, struct incoming *in)
{
	in->message = message_new(&in->draft, c->broker->digest);
	return in->message == NULL ? fault_memory(&c->fault) : 0;
}

/* Adds the members of the answer to a message that was taken. */
static int
write_sent(struct call *c, const struct incoming *in, struct buf *out)
{
	const struct message *m = in->message;
	const struct attribute *system = &in->system;
	uint8_t digest[DIGEST_LEN];

	buf_text(out, "\"MessageId\":");
	uuid_write(out, m->id);
	buf_text(out, ",\"MD5OfMessageBody\":");
	digest_write(out, m->body_md5);
	if (m->attribute_count > 0) {
		buf_text(out, ",\"MD5OfMessageAttributes\":");
		digest_write(out, m->attributes_md5);
	}
	if (!in->has_system)
		return 0;
	if (digest_attributes(c->broker->digest, &system, 1, digest) < 0)
		return fault_memory(&c->fault);
	buf_text(out, ",\"MD5OfMessageSystemAttributes\":");
	digest_write(out, digest);
	return 0;
}

/* Hands the message to the queue, which has room for it. */
static void
add(struct call *c, struct incoming *in)
{
	queue_add(c->queue, in->message, in->delay_s * 1000, &c->now);
	in->message = NULL;
}

enum outcome
op_send_message(struct call *c)
{
	struct incoming in = {0};
	enum outcome outcome = CALL_FAILED;

	if (param_queue(c) < 0 || incoming_read(c, &in, c->in) < 0)
		goto out;
	if (!broker_has_room(c->broker, message_memory(&in.draft), &c->now)) {
		throttled(c);
		goto out;
	}
	if (queue_reserve(c->queue, 1) < 0) {
		fault_memory(&c->fault);
		goto out;
	}
	if (make_message(c, &in) < 0)
		goto out;
	buf_text(c->out, "{");
	if (write_sent(c, &in, c->out) < 0)
		goto out;
	buf_text(c->out, "}");
	add(c, &in);
	outcome = CALL_DONE;
out:
	incoming_free(&in);
	return outcome;
}

/* One entry of a batch: into the queue, or among the failed. */
static void
send_entry(struct call *c, struct batch *b, const struct node *entry,
    struct incoming *in, bool readable)
{
	const char *id = node_text(node_get(entry, "Id"));
	struct buf *out = &b->successful;
	size_t before = out->len;

	if (!readable || make_message(c, in) < 0)
		goto failed;
	buf_fmt(out, "%s{\"Id\":\"%s\",", before > 0 ? "," : "", id);
	if (write_sent(c, in, out) < 0)
		goto failed;
	buf_text(out, "}");
	add(c, in);
	return;
failed:
	out->len = before;
	batch_add_failed(b, id, &c->fault);
}

/* The limits that a batch keeps or breaks as a whole. */
static int
check_batch(struct call *c, const struct incoming *in, size_t count)
{
	size_t size = 0, memory = 0;

	for (size_t i = 0; i < count; i++) {
		size += draft_size(&in[i].draft);
		memory += message_memory(&in[i].draft);
	}
	if (size > MESSAGE_MAX)
		return fault_set(&c->fault, FAULT_BATCH_TOO_LONG,
		    "A batch has at most %zu bytes. You have sent %zu bytes.",
		    MESSAGE_MAX, size);
	if (!broker_has_room(c->broker, memory, &c->now))
		return throttled(c);
	if (queue_reserve(c->queue, count) < 0)
		return fault_memory(&c->fault);
	return 0;
}

enum outcome
op_send_message_batch(struct call *c)
{
	struct incoming *in = NULL;
	struct fault *faults = NULL;
	struct batch b = {0};
	enum outcome outcome = CALL_FAILED;
	const struct node *entries, *entry;
	size_t count = 0, i;

	if (param_queue(c) < 0 || param_entries(c, &entries) < 0)
		return CALL_FAILED;
	count = node_count(entries);
	in = calloc(count, sizeof(*in));
	faults = calloc(count, sizeof(*faults));
	if (in == NULL || faults == NULL) {
		fault_memory(&c->fault);
		goto out;
	}
	for (i = 0, entry = entries->first; i < count; entry = entry->next, i++)
		if (incoming_read(c, &in[i], entry) < 0)
			faults[i] = c->fault;
	if (check_batch(c, in, count) < 0)
		goto out;
	for (i = 0, entry = entries->first; i < count;
	     entry = entry->next, i++) {
		c->fault = faults[i];
		send_entry(c, &b, entry, &in[i], faults[i].kind == FAULT_NONE);
	}
	outcome = batch_finish(&b, c);
out:
	for (i = 0; in != NULL && i < count; i++)
		incoming_free(&in[i]);
	free(in);
	free(faults);
	return outcome;
}
