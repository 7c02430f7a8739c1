/* SPDX-License-Identifier: ISC */
/* Queues: make, find, list, empty, remove. */
#include <inttypes.h>
#include <string.h>

#include "call.h"

#define LIST_MAX 1000

static enum outcome
answer_url(struct call *c, const char *name)
{
	buf_text(c->out, "{\"QueueUrl\":");
	url_write(c->out, c->broker, c->host, name);
	buf_text(c->out, "}");
	return CALL_DONE;
}

/* Sets what the request's Attributes say. */
static int
set_all(struct call *c, const struct node *attributes, struct settings *s)
{
	for (const struct node *n = node_first(attributes); n != NULL;
	     n = n->next) {
		const char *name = n->key, *value;

		if (param_text(c, attributes, name, &value) < 0)
			return -1;
		if (value != NULL &&
		    settings_set(s, name, value, &c->fault) < 0)
			return -1;
	}
	return 0;
}

/* CreateQueue for one that exists: right if it asks for nothing else. */
static int
compare(struct call *c, const struct queue *q, const struct node *attributes,
    const struct settings *s)
{
	for (const struct node *n = node_first(attributes); n != NULL;
	     n = n->next) {
		const char *name = n->key;

		if (!settings_equal(&q->settings, s, name))
			return fault_set(&c->fault, FAULT_QUEUE_EXISTS,
			    "The queue exists with another value for "
			    "attribute %s.",
			    name);
	}
	return 0;
}

/* Makes the queue; the settings are moved into it. */
static int
create(struct call *c, const char *name, struct settings *s,
    const struct node *tags)
{
	struct queue *q;

	if (!broker_has_room(c->broker, sizeof(*q), &c->now))
		return fault_set(&c->fault, FAULT_THROTTLED,
		    "The memory for queues is used up.");
	q = queue_new(name, &c->broker->meter, &c->now);
	if (q == NULL)
		return fault_memory(&c->fault);
	settings_free(&q->settings);
	q->settings = *s;
	settings_init(s);
	if (tags != NULL && tags_add(&q->tags, tags, &c->fault) < 0) {
		queue_free(q);
		return -1;
	}
	broker_add(c->broker, q);
	return 0;
}

enum outcome
op_create_queue(struct call *c)
{
	enum outcome outcome = CALL_FAILED;
	struct settings s;
	struct queue *q;
	const struct node *attributes, *tags;
	const char *name;

	settings_init(&s);
	if (param_required(c, c->in, "QueueName", &name) < 0 ||
	    param_object(c, c->in, "Attributes", &attributes) < 0 ||
	    param_object(c, c->in, "tags", &tags) < 0 ||
	    broker_check_name(name, &c->fault) < 0 ||
	    set_all(c, attributes, &s) < 0)
		goto out;
	q = broker_find(c->broker, name);
	if (q != NULL ? compare(c, q, attributes, &s) < 0
		      : create(c, name, &s, tags) < 0)
		goto out;
	outcome = answer_url(c, name);
out:
	settings_free(&s);
	return outcome;
}

enum outcome
op_get_queue_url(struct call *c)
{
	const char *name;

	if (param_required(c, c->in, "QueueName", &name) < 0)
		return CALL_FAILED;
	if (broker_find(c->broker, name) == NULL) {
		fault_set(&c->fault, FAULT_NO_QUEUE,
		    "The specified queue does not exist.");
		return CALL_FAILED;
	}
	return answer_url(c, name);
}

/*
 * The token of a page is the name of the queue that the next one begins with.
 */
enum outcome
op_list_queues(struct call *c)
{
	const char *prefix, *token;
	int64_t max = -1, n = 0;
	struct queue *q;

	if (param_text(c, c->in, "QueueNamePrefix", &prefix) < 0 ||
	    param_text(c, c->in, "NextToken", &token) < 0 ||
	    param_int(c, c->in, "MaxResults", 1, LIST_MAX, &max) < 0)
		return CALL_FAILED;
	if (prefix == NULL)
		prefix = "";
	q = broker_first_from(c->broker, token != NULL ? token : prefix);
	buf_text(c->out, "{");
	for (; q != NULL; q = broker_next(q)) {
		if (strncmp(q->name, prefix, strlen(prefix)) != 0)
			q = NULL;
		if (q == NULL || n == (max < 0 ? LIST_MAX : max))
			break;
		buf_text(c->out, n++ == 0 ? "\"QueueUrls\":[" : ",");
		url_write(c->out, c->broker, c->host, q->name);
	}
	if (n > 0)
		buf_text(c->out, "]");
	if (q != NULL && max > 0)
		buf_fmt(c->out, ",\"NextToken\":\"%s\"", q->name);
	buf_text(c->out, "}");
	return CALL_DONE;
}

enum outcome
op_delete_queue(struct call *c)
{
	if (param_queue(c) < 0)
		return CALL_FAILED;
	c->remove_queue = true;
	return CALL_DONE;
}

enum outcome
op_purge_queue(struct call *c)
{
	if (param_queue(c) < 0)
		return CALL_FAILED;
	queue_purge(c->queue);
	return CALL_DONE;
}

enum outcome
op_set_queue_attributes(struct call *c)
{
	struct settings trial;
	const struct node *attributes;

	if (param_queue(c) < 0 ||
	    param_object(c, c->in, "Attributes", &attributes) < 0)
		return CALL_FAILED;
	/* All or nothing: the first run shows whether all of it is right. */
	settings_init(&trial);
	if (set_all(c, attributes, &trial) < 0) {
		settings_free(&trial);
		return CALL_FAILED;
	}
	settings_free(&trial);
	if (set_all(c, attributes, &c->queue->settings) < 0)
		return CALL_FAILED;
	c->queue->modified_ms = c->now.wall_ms;
	return CALL_DONE;
}
