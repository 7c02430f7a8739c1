/* SPDX-License-Identifier: ISC */
/* What a queue says of itself: GetQueueAttributes, and its tags. */
#include <inttypes.h>
#include <string.h>

#include "call.h"

/* What is counted or known, and not set. */
static const char *const facts[] = {"ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible", "CreatedTimestamp",
    "LastModifiedTimestamp", "QueueArn"};
#define FACTS ((int)(sizeof(facts) / sizeof(facts[0])))

static void
begin(struct buf *out, const char *name)
{
	buf_fmt(
	    out, "%s\"%s\":", out->len == 0 ? "{\"Attributes\":{" : ",", name);
}

static void
write_fact(struct call *c, int fact)
{
	const struct queue *q = c->queue;
	const int64_t values[FACTS - 1] = {(int64_t)q->visible,
	    (int64_t)q->delayed, (int64_t)q->inflight, q->created_ms / 1000,
	    q->modified_ms / 1000};

	begin(c->out, facts[fact]);
	if (fact == FACTS - 1)
		buf_fmt(c->out, "\"arn:aws:sqs:%s:%s:%s\"", c->broker->region,
		    c->broker->account, q->name);
	else
		buf_fmt(c->out, "\"%" PRId64 "\"", values[fact]);
}

static void
write_setting(struct call *c, enum setting which)
{
	char number[24];
	const char *text = settings_text(&c->queue->settings, which, number);

	if (text == NULL)
		return;
	begin(c->out, settings_name(which));
	buf_json(c->out, text, strlen(text));
}

/* Which of all that can be asked for is asked for: facts, then settings. */
struct wanted {
	bool fact[FACTS], setting[SETTING_COUNT];
};

static int
want(struct call *c, struct wanted *w, const char *name)
{
	bool all = strcmp(name, "All") == 0, known = all;

	for (int i = 0; i < FACTS; i++)
		if (all || strcmp(name, facts[i]) == 0)
			w->fact[i] = known = true;
	for (enum setting i = 0; i < SETTING_COUNT; i++)
		if (all || strcmp(name, settings_name(i)) == 0)
			w->setting[i] = known = true;
	if (known || settings_unsupported(name))
		return 0;
	return fault_set(&c->fault, FAULT_INVALID_ATTRIBUTE_NAME,
	    "Unknown Attribute %s.", name);
}

static int
read_wanted(struct call *c, struct wanted *w)
{
	const struct node *names;

	if (param_array(c, c->in, "AttributeNames", &names) < 0)
		return -1;
	for (const struct node *n = node_first(names); n != NULL; n = n->next) {
		const char *name = node_text(n);

		if (name == NULL)
			return fault_set(&c->fault, FAULT_SERIALIZATION,
			    "AttributeNames must be an array of strings.");
		if (want(c, w, name) < 0)
			return -1;
	}
	return 0;
}

enum outcome
op_get_queue_attributes(struct call *c)
{
	struct wanted w = {0};

	if (param_queue(c) < 0 || read_wanted(c, &w) < 0)
		return CALL_FAILED;
	for (int i = 0; i < FACTS; i++)
		if (w.fact[i])
			write_fact(c, i);
	for (enum setting i = 0; i < SETTING_COUNT; i++)
		if (w.setting[i])
			write_setting(c, i);
	buf_text(c->out, c->out->len == 0 ? "{}" : "}}");
	return CALL_DONE;
}

enum outcome
op_tag_queue(struct call *c)
{
	const struct node *tags;

	if (param_queue(c) < 0 || param_object(c, c->in, "Tags", &tags) < 0)
		return CALL_FAILED;
	if (tags != NULL && tags_add(&c->queue->tags, tags, &c->fault) < 0)
		return CALL_FAILED;
	return CALL_DONE;
}

enum outcome
op_untag_queue(struct call *c)
{
	const struct node *keys;

	if (param_queue(c) < 0 || param_array(c, c->in, "TagKeys", &keys) < 0)
		return CALL_FAILED;
	for (const struct node *n = node_first(keys); n != NULL; n = n->next) {
		const char *key = node_text(n);

		if (key != NULL)
			tags_remove(&c->queue->tags, key);
	}
	return CALL_DONE;
}

enum outcome
op_list_queue_tags(struct call *c)
{
	if (param_queue(c) < 0)
		return CALL_FAILED;
	if (c->queue->tags.count == 0) {
		buf_text(c->out, "{}");
		return CALL_DONE;
	}
	buf_text(c->out, "{\"Tags\":{");
	tags_write(&c->queue->tags, c->out);
	buf_text(c->out, "}}");
	return CALL_DONE;
}
