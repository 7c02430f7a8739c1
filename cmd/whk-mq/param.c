/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <string.h>

#include "call.h"

#define BATCH_MAX 10
#define ENTRY_ID_MAX 80

static int
wrong_type(struct call *c, const char *name, const char *type)
{
	fault_set(&c->fault, FAULT_SERIALIZATION, "%s must be %s.", name, type);
	return -1;
}

int
param_text(struct call *c, const struct node *obj, const char *name,
    const char **value)
{
	const struct node *j = node_get(obj, name);

	*value = NULL;
	if (j == NULL)
		return 0;
	if (j->type != NODE_STRING)
		return wrong_type(c, name, "a string");
	*value = j->text;
	return 0;
}

int
param_required(struct call *c, const struct node *obj, const char *name,
    const char **value)
{
	if (param_text(c, obj, name, value) < 0)
		return -1;
	if (*value != NULL && (*value)[0] != '\0')
		return 0;
	fault_set(&c->fault, FAULT_MISSING_PARAMETER,
	    "The request must contain the parameter %s.", name);
	return -1;
}

int
param_int(struct call *c, const struct node *obj, const char *name, int64_t min,
    int64_t max, int64_t *value)
{
	const struct node *j = node_get(obj, name);
	int64_t n;

	if (j == NULL)
		return 0;
	if (j->type != NODE_INTEGER)
		return wrong_type(c, name, "an integer");
	n = j->integer;
	if (n < min || n > max)
		return fault_set(&c->fault, FAULT_INVALID_PARAMETER,
		    "Value %" PRId64 " for parameter %s is invalid. Reason: "
		    "Must be between %" PRId64 " and %" PRId64 ", if provided.",
		    n, name, min, max);
	*value = n;
	return 0;
}

int
param_object(struct call *c, const struct node *obj, const char *name,
    const struct node **value)
{
	*value = node_get(obj, name);
	if (*value != NULL && (*value)->type != NODE_OBJECT)
		return wrong_type(c, name, "an object");
	return 0;
}

int
param_array(struct call *c, const struct node *obj, const char *name,
    const struct node **value)
{
	*value = node_get(obj, name);
	if (*value != NULL && (*value)->type != NODE_ARRAY)
		return wrong_type(c, name, "an array");
	return 0;
}

/*
 * The queue's name in a URL that ends in "/ACCOUNT/NAME", or NULL. The host is
 * not looked at: a server is known by many.
 */
static const char *
name_of_url(const struct broker *b, const char *url)
{
	const char *slash = strrchr(url, '/');
	size_t len = strlen(b->account);

	if (slash == NULL || (size_t)(slash - url) < len + 1)
		return NULL;
	if (slash[-(ptrdiff_t)len - 1] != '/' ||
	    strncmp(slash - len, b->account, len) != 0)
		return NULL;
	return slash + 1;
}

int
param_queue(struct call *c)
{
	const char *url, *name;

	if (param_required(c, c->in, "QueueUrl", &url) < 0)
		return -1;
	name = name_of_url(c->broker, url);
	c->queue = name == NULL ? NULL : broker_find(c->broker, name);
	if (c->queue == NULL)
		return fault_set(&c->fault, FAULT_NO_QUEUE,
		    "The specified queue does not exist.");
	queue_advance(c->queue, &c->now);
	return 0;
}

static int
check_entry_id(
    struct call *c, const struct node *entries, const struct node *entry)
{
	const char *id;
	size_t len;

	if (entry->type != NODE_OBJECT)
		return wrong_type(c, "An entry", "an object");
	if (param_required(c, entry, "Id", &id) < 0)
		return -1;
	len = strlen(id);
	if (len > ENTRY_ID_MAX ||
	    strspn(id,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789-_") != len)
		return fault_set(&c->fault, FAULT_INVALID_BATCH_ID,
		    "A batch entry id is 1 to 80 letters, digits, hyphens and "
		    "underscores.");
	for (const struct node *n = entries->first; n != entry; n = n->next)
		if (strcmp(id, node_text(node_get(n, "Id"))) == 0)
			return fault_set(&c->fault,
			    FAULT_BATCH_IDS_NOT_DISTINCT,
			    "Id %s is there more than once.", id);
	return 0;
}

int
param_entries(struct call *c, const struct node **entries)
{
	size_t count;

	if (param_array(c, c->in, "Entries", entries) < 0)
		return -1;
	count = *entries == NULL ? 0 : (*entries)->count;
	if (count == 0) {
		fault_set(&c->fault, FAULT_EMPTY_BATCH,
		    "There must be at least one entry in the batch.");
		return -1;
	}
	if (count > BATCH_MAX)
		return fault_set(&c->fault, FAULT_TOO_MANY_ENTRIES,
		    "A batch has at most %d entries. You have sent %zu.",
		    BATCH_MAX, count);
	for (const struct node *n = node_first(*entries); n != NULL;
	     n = n->next)
		if (check_entry_id(c, *entries, n) < 0)
			return -1;
	return 0;
}

void
batch_add_failed(struct batch *b, const char *id, const struct fault *f)
{
	if (b->failed.len > 0)
		buf_text(&b->failed, ",");
	buf_fmt(&b->failed,
	    "{\"Id\":\"%s\",\"SenderFault\":%s,\"Code\":\"%s\",\"Message\":",
	    id, fault_of_sender(f->kind) ? "true" : "false",
	    fault_code(f->kind));
	buf_json(&b->failed, f->msg, strlen(f->msg));
	buf_text(&b->failed, "}");
}

enum outcome
batch_finish(struct batch *b, struct call *c)
{
	bool failed = b->successful.failed || b->failed.failed;

	buf_text(c->out, "{\"Successful\":[");
	buf_add(c->out, b->successful.data, b->successful.len);
	buf_text(c->out, "],\"Failed\":[");
	buf_add(c->out, b->failed.data, b->failed.len);
	buf_text(c->out, "]}");
	buf_free(&b->successful);
	buf_free(&b->failed);
	if (!failed)
		return CALL_DONE;
	fault_memory(&c->fault);
	return CALL_FAILED;
}

void
url_write(struct buf *b, const struct broker *broker, const char *host,
    const char *name)
{
	/* All three are of characters that JSON takes as they are. */
	buf_fmt(b, "\"http://%s/%s/%s\"", host, broker->account, name);
}
