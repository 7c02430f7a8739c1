/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "clock.h"
#include "line-private.h"

/* The names come with what stands before and after them. */
static void
add_text(struct buf *b, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_text(b, name);
	buf_json(b, value, strlen(value));
}

static void
add_time(struct buf *b, const char *name, int64_t ms)
{
	char text[CLOCK_TEXT];

	if (ms == -1)
		return;
	clock_format(ms, text);
	buf_text(b, name);
	buf_add(b, "\"", 1);
	buf_text(b, text);
	buf_add(b, "\"", 1);
}

static void
add_number(struct buf *b, const char *name, int64_t n)
{
	char digits[20], *at = digits + sizeof(digits);

	/* None of ours is below zero. */
	do
		*--at = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	buf_text(b, name);
	buf_add(b, at, (size_t)(digits + sizeof(digits) - at));
}

/*
 * Ends a line: every member began with a comma, and the first comma becomes
 * the brace.
 */
static void
end_line(struct buf *b, size_t start)
{
	buf_add(b, "}\n", 2);
	if (!b->failed)
		b->data[start] = '{';
}

void
line_event_write(struct buf *b, const struct event_line *ev)
{
	size_t start = b->len;

	add_text(b, ",\"id\":", ev->id);
	add_text(b, ",\"type\":", ev->type);
	add_text(b, ",\"tenant\":", ev->tenant);
	add_text(b, ",\"key\":", ev->key);
	add_text(b, ",\"content_type\":", ev->content_type);
	add_time(b, ",\"time\":", ev->time_ms);
	buf_text(b, ",\"body\":");
	buf_json(b, ev->body, ev->body_len);
	if (ev->attempt > 0)
		add_number(b, ",\"attempt\":", ev->attempt);
	if (ev->to != NULL) {
		for (size_t i = 0; i < ev->to_count; i++)
			add_number(b, i == 0 ? ",\"to\":[" : ",", ev->to[i]);
		buf_add(b, "]", 1);
	}
	add_time(b, ",\"lease\":", ev->lease_ms);
	if (ev->extra != NULL)
		buf_text(b, ev->extra);
	end_line(b, start);
}

/*
 * Adds the members that came with an event, but for those that have a name
 * which means something in an attempt line.
 */
static void
add_extra(struct buf *b, char *extra)
{
	struct json_slice key, value;
	struct json j;

	/* As if in the midst of an object: before the next comma. */
	json_init(&j, extra, strlen(extra), LINE_DEPTH);
	while (
	    json_more(&j, '}') && json_key(&j, &key) && json_skip(&j, &value)) {
		if (line_find_member(line_attempt_members, &key) != NULL)
			continue;
		buf_add(b, ",", 1);
		buf_add(b, key.text, (size_t)(j.at - key.text));
	}
}

void
line_attempt_write(struct buf *b, const struct attempt_line *at)
{
	size_t start = b->len;

	add_text(b, ",\"event\":", at->event);
	add_text(b, ",\"type\":", at->type);
	add_number(b, ",\"webhook\":", at->webhook);
	if (at->attempt > 0)
		add_number(b, ",\"attempt\":", at->attempt);
	add_time(b, ",\"at\":", at->at_ms);
	add_text(b, ",\"outcome\":", at->outcome);
	if (at->status > 0)
		add_number(b, ",\"status\":", at->status);
	add_text(b, ",\"error\":", at->error);
	if (at->ms >= 0)
		add_number(b, ",\"ms\":", at->ms);
	add_time(b, ",\"next\":", at->next_ms);
	if (at->extra != NULL)
		add_extra(b, at->extra);
	end_line(b, start);
}
