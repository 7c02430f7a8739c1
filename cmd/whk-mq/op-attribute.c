/* SPDX-License-Identifier: ISC */
/* What a queue says of itself: GetQueueAttributes, and its tags. */
#include <inttypes.h>
#include <string.h>

#include "call.h"

/* SQS's limits; the lengths are in bytes of UTF-8, four to a character. */
#define TAGS_MAX 50
#define TAG_NAME_MAX (128 * 4)
#define TAG_VALUE_MAX (256 * 4)

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
	json_t *names;

	if (param_array(c, c->in, "AttributeNames", &names) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));

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

static int
check_tags(struct call *c, json_t *tags)
{
	const char *name;
	json_t *value;

	json_object_foreach (tags, name, value) {
		if (!json_is_string(value))
			return fault_set(&c->fault, FAULT_SERIALIZATION,
			    "Tags must be strings.");
		if (name[0] == '\0' || strlen(name) > TAG_NAME_MAX ||
		    json_string_length(value) > TAG_VALUE_MAX)
			return fault_set(&c->fault, FAULT_INVALID_PARAMETER,
			    "A tag is too long, or its name is empty.");
	}
	return 0;
}

int
tags_add(struct call *c, struct queue *q, json_t *tags)
{
	json_t *merged;

	if (check_tags(c, tags) < 0)
		return -1;
	merged = q->tags == NULL ? json_object() : json_copy(q->tags);
	if (merged == NULL || json_object_update(merged, tags) < 0) {
		json_decref(merged);
		return fault_memory(&c->fault);
	}
	if (json_object_size(merged) > TAGS_MAX) {
		json_decref(merged);
		return fault_set(&c->fault, FAULT_INVALID_PARAMETER,
		    "A queue has at most %d tags.", TAGS_MAX);
	}
	json_decref(q->tags);
	q->tags = merged;
	return 0;
}

enum outcome
op_tag_queue(struct call *c)
{
	json_t *tags;

	if (param_queue(c) < 0 || param_object(c, c->in, "Tags", &tags) < 0)
		return CALL_FAILED;
	if (tags != NULL && tags_add(c, c->queue, tags) < 0)
		return CALL_FAILED;
	return CALL_DONE;
}

enum outcome
op_untag_queue(struct call *c)
{
	json_t *keys;

	if (param_queue(c) < 0 || param_array(c, c->in, "TagKeys", &keys) < 0)
		return CALL_FAILED;
	for (size_t i = 0; i < json_array_size(keys); i++) {
		const char *key = json_string_value(json_array_get(keys, i));

		if (key != NULL && c->queue->tags != NULL)
			(void)json_object_del(c->queue->tags, key);
	}
	return CALL_DONE;
}

enum outcome
op_list_queue_tags(struct call *c)
{
	const char *name, *separator = "{\"Tags\":{";
	json_t *value;

	if (param_queue(c) < 0)
		return CALL_FAILED;
	if (json_object_size(c->queue->tags) == 0) {
		buf_text(c->out, "{}");
		return CALL_DONE;
	}
	json_object_foreach (c->queue->tags, name, value) {
		buf_text(c->out, separator);
		buf_json(c->out, name, strlen(name));
		buf_text(c->out, ":");
		buf_json(c->out, json_string_value(value),
		    json_string_length(value));
		separator = ",";
	}
	buf_text(c->out, "}}");
	return CALL_DONE;
}
