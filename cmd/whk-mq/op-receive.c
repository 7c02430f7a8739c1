/* SPDX-License-Identifier: ISC */
/* ReceiveMessage. */
#include <inttypes.h>
#include <string.h>

#include "base64.h"
#include "call.h"

static const char *const system_names[SYSTEM_COUNT] = {
    [SYSTEM_SENDER] = "SenderId",
    [SYSTEM_SENT] = "SentTimestamp",
    [SYSTEM_RECEIVES] = "ApproximateReceiveCount",
    [SYSTEM_FIRST] = "ApproximateFirstReceiveTimestamp",
    [SYSTEM_GROUP] = "MessageGroupId",
    [SYSTEM_TRACE] = "AWSTraceHeader",
};

static int
check_strings(struct call *c, const char *param, const struct node *names)
{
	for (const struct node *n = node_first(names); n != NULL; n = n->next)
		if (n->type != NODE_STRING)
			return fault_set(&c->fault, FAULT_SERIALIZATION,
			    "%s must be an array of strings.", param);
	return 0;
}

/* Names that are not known are asked for in vain, as with SQS. */
static int
read_system(struct call *c, struct receive *r, const char *param)
{
	const struct node *names;

	if (param_array(c, c->in, param, &names) < 0 ||
	    check_strings(c, param, names) < 0)
		return -1;
	for (const struct node *n = node_first(names); n != NULL; n = n->next) {
		for (int s = 0; s < SYSTEM_COUNT; s++)
			if (strcmp(n->text, "All") == 0 ||
			    strcmp(n->text, system_names[s]) == 0)
				r->system[s] = true;
	}
	return 0;
}

static int
read_receive(struct call *c, struct receive *r)
{
	const struct settings *s = &c->queue->settings;
	const struct node *names;

	*r = (struct receive){
	    .max = 1,
	    .visibility_s = settings_number(s, SETTING_VISIBILITY),
	    .wait_s = settings_number(s, SETTING_WAIT),
	};
	if (param_int(c, c->in, "MaxNumberOfMessages", 1, 10, &r->max) < 0 ||
	    param_int(c, c->in, "VisibilityTimeout", 0, QUEUE_VISIBILITY_MAX,
		&r->visibility_s) < 0 ||
	    param_int(c, c->in, "WaitTimeSeconds", 0, 20, &r->wait_s) < 0 ||
	    read_system(c, r, "AttributeNames") < 0 ||
	    read_system(c, r, "MessageSystemAttributeNames") < 0 ||
	    param_array(c, c->in, "MessageAttributeNames", &names) < 0 ||
	    check_strings(c, "MessageAttributeNames", names) < 0)
		return -1;
	for (const struct node *n = node_first(names); n != NULL; n = n->next)
		buf_add(&r->names, n->text, n->len + 1);
	if (!r->names.failed)
		return 0;
	receive_free(r);
	return fault_memory(&c->fault);
}

void
receive_free(struct receive *r)
{
	buf_free(&r->names);
}

/* "All", ".*" and "*" ask for all attributes, "foo.*" for what begins so. */
static bool
matches(const char *pattern, const char *name)
{
	size_t len = strlen(pattern);

	if (strcmp(pattern, "All") == 0 || strcmp(pattern, "*") == 0)
		return true;
	if (len >= 2 && strcmp(pattern + len - 2, ".*") == 0)
		return strncmp(pattern, name, len - 2) == 0;
	return strcmp(pattern, name) == 0;
}

static bool
is_wanted(const struct receive *r, const char *name)
{
	const char *p = r->names.data;

	for (; p < r->names.data + r->names.len; p += strlen(p) + 1)
		if (matches(p, name))
			return true;
	return false;
}

static void
write_value(struct broker *b, const struct message *m,
    enum system_attribute which, struct buf *out)
{
	switch (which) {
	case SYSTEM_SENDER:
		buf_fmt(out, "\"%s\"", b->account);
		break;
	case SYSTEM_SENT:
		buf_fmt(out, "\"%" PRId64 "\"", m->sent_ms);
		break;
	case SYSTEM_RECEIVES:
		buf_fmt(out, "\"%" PRIu32 "\"", m->receives);
		break;
	case SYSTEM_FIRST:
		buf_fmt(out, "\"%" PRId64 "\"", m->first_ms);
		break;
	case SYSTEM_GROUP:
		buf_json(out, m->group, strlen(m->group));
		break;
	default:
		buf_json(out, m->trace, strlen(m->trace));
	}
}

static void
write_system(struct broker *b, const struct message *m, const struct receive *r,
    struct buf *out)
{
	const char *separator = ",\"Attributes\":{";

	for (enum system_attribute i = 0; i < SYSTEM_COUNT; i++) {
		if (!r->system[i] || (i == SYSTEM_GROUP && m->group == NULL) ||
		    (i == SYSTEM_TRACE && m->trace == NULL))
			continue;
		buf_fmt(out, "%s\"%s\":", separator, system_names[i]);
		write_value(b, m, i, out);
		separator = ",";
	}
	if (separator[1] == '\0')
		buf_text(out, "}");
}

static void
write_attribute(const struct attribute *a, struct buf *out)
{
	buf_json(out, a->name, a->name_len);
	buf_text(out, ":{\"DataType\":");
	buf_json(out, a->type, a->type_len);
	if (a->binary) {
		buf_text(out, ",\"BinaryValue\":");
		base64_write(out, a->value, a->value_len);
	} else {
		buf_text(out, ",\"StringValue\":");
		buf_json(out, a->value, a->value_len);
	}
	buf_text(out, "}");
}

/* The digest covers the attributes that go out, not all that came in. */
static void
write_attributes(struct broker *b, const struct message *m,
    const struct receive *r, struct buf *out)
{
	const struct attribute *wanted[MESSAGE_ATTRIBUTES];
	const uint8_t *md5 = m->attributes_md5;
	uint8_t partial[DIGEST_LEN];
	size_t count = 0;

	for (size_t i = 0; i < m->attribute_count; i++)
		if (is_wanted(r, m->attributes[i].name))
			wanted[count++] = &m->attributes[i];
	if (count == 0)
		return;
	if (count < m->attribute_count) {
		md5 = partial;
		if (digest_attributes(b->digest, wanted, count, partial) < 0)
			out->failed = true;
	}
	buf_text(out, ",\"MD5OfMessageAttributes\":");
	digest_write(out, md5);
	buf_text(out, ",\"MessageAttributes\":{");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_text(out, ",");
		write_attribute(wanted[i], out);
	}
	buf_text(out, "}");
}

static void
write_message(struct broker *b, const struct queue *q, const struct message *m,
    const struct receive *r, struct buf *out)
{
	char handle[QUEUE_HANDLE_LEN + 1];

	queue_handle(q, m, handle);
	buf_text(out, "{\"MessageId\":");
	uuid_write(out, m->id);
	buf_text(out, ",\"ReceiptHandle\":\"");
	buf_add(out, handle, QUEUE_HANDLE_LEN);
	buf_text(out, "\",\"MD5OfBody\":");
	digest_write(out, m->body_md5);
	buf_text(out, ",\"Body\":");
	buf_json(out, m->body, m->body_len);
	write_system(b, m, r, out);
	write_attributes(b, m, r, out);
	buf_text(out, "}");
}

bool
receive_write(struct broker *b, struct queue *q, const struct receive *r,
    const struct moment *now, struct buf *out)
{
	struct message *m;
	int64_t count = 0;

	while (count < r->max &&
	    (m = queue_take(q, r->visibility_s * 1000, now)) != NULL) {
		buf_text(out, count++ == 0 ? "{\"Messages\":[" : ",");
		write_message(b, q, m, r, out);
	}
	if (count > 0)
		buf_text(out, "]}");
	return count > 0;
}

enum outcome
op_receive_message(struct call *c)
{
	if (param_queue(c) < 0 || read_receive(c, &c->receive) < 0)
		return CALL_FAILED;
	if (receive_write(c->broker, c->queue, &c->receive, &c->now, c->out)) {
		receive_free(&c->receive);
		return CALL_DONE;
	}
	if (c->receive.wait_s > 0)
		return CALL_WAIT;
	receive_free(&c->receive);
	if (queue_is_full(c->queue)) {
		fault_set(&c->fault, FAULT_OVER_LIMIT,
		    "There are %d messages in flight; no more are handed out "
		    "before some are deleted.",
		    QUEUE_INFLIGHT_MAX);
		return CALL_FAILED;
	}
	buf_text(c->out, "{}");
	return CALL_DONE;
}
