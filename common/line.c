/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "line-private.h"

/* Reads one of our members; -1 with *e if it is wrong. */
static int
read_member(
    struct json *j, void *line, const struct line_member *m, struct err *e)
{
	const char *wrong = NULL;
	struct json_slice null;

	/* No optional member has a meaning for null; a body may be one. */
	if (m->read != line_read_body && json_peek(j) == 'n')
		json_skip(j, &null);
	else
		wrong = m->read(j, line, m);
	if (j->wrong != NULL && j->fault == JSON_CONTENT)
		return err_set(e, "%s: %s", m->name, j->wrong);
	if (j->wrong != NULL)
		return json_end(j, e);
	if (wrong == NULL)
		return 0;
	err_set(e, "%s: %s", m->name, wrong);
	if (e != NULL)
		e->temporary = strcmp(wrong, "out of memory") == 0;
	return -1;
}

/* Keeps a member that is not ours. */
static int
keep_member(struct json *j, const struct json_slice *key, struct buf *extra)
{
	struct json_slice value;

	if (!json_skip(j, &value))
		return 0;
	buf_add(extra, ",", 1);
	buf_add(extra, key->text, key->len);
	buf_add(extra, ":", 1);
	buf_add(extra, value.text, json_compact(value.text, &value));
	return extra->failed ? -1 : 0;
}

const struct line_member *
line_find_member(const struct line_member *m, const struct json_slice *key)
{
	for (; m->name != NULL; m++)
		if (json_is(key, m->name))
			return m;
	return NULL;
}

/*
 * Reads the members of a line into its struct; others go to extra. NUL is
 * never written over what is still to be read.
 */
static int
read_members(struct json *j, const struct line_member *members, void *line,
    struct buf *extra, struct err *e)
{
	unsigned int seen = 0;
	struct json_slice key;

	while (json_more(j, '}') && json_key(j, &key)) {
		const struct line_member *m = line_find_member(members, &key);
		unsigned int bit;

		if (m == NULL) {
			if (keep_member(j, &key, extra) == -1)
				return err_temporary(e, "out of memory");
			continue;
		}
		bit = 1U << (m - members);
		if ((seen & bit) != 0)
			return err_set(e, "%s: there twice", m->name);
		seen |= bit;
		if (read_member(j, line, m, e) == -1)
			return -1;
	}
	return json_end(j, e);
}

/* Reads a whole line; *extra is what it holds beside the members. */
static int
read_line(char *text, size_t len, const struct line_member *members, void *line,
    char **extra, struct err *e)
{
	struct buf b = {0};
	struct json_slice other;
	struct json j;

	json_init(&j, text, len, LINE_DEPTH);
	if (json_peek(&j) == '\0' && j.at == j.end)
		return err_set(e, "empty line");
	if (json_peek(&j) != '{') {
		json_skip(&j, &other);
		return json_end(&j, e) == -1 ? -1 : err_set(e, "not an object");
	}
	json_open(&j, '{');
	if (read_members(&j, members, line, &b, e) == -1) {
		buf_free(&b);
		return -1;
	}
	*extra = b.data;
	return 0;
}

static int
check_event(struct event_line *ev, struct err *e)
{
	const char *missing;

	if (ev->body == NULL)
		return err_set(e, "no body");
	/* Its end is the comma or brace that came after a bare value. */
	((char *)(uintptr_t)ev->body)[ev->body_len] = '\0';
	if (ev->lease_ms == -1)
		return 0;
	missing = ev->id == NULL ? "id"
	    : ev->time_ms == -1  ? "time"
	    : ev->attempt == 0   ? "attempt"
	    : ev->to == NULL     ? "to"
				 : NULL;
	if (missing != NULL)
		return err_set(e, "lease: there without %s", missing);
	return 0;
}

int
line_event_parse(char *line, size_t len, struct event_line *ev, struct err *e)
{
	*ev = (struct event_line){.time_ms = -1, .lease_ms = -1};
	if (read_line(line, len, line_event_members, ev, &ev->extra, e) == 0 &&
	    check_event(ev, e) == 0)
		return 0;
	line_event_free(ev);
	return -1;
}

void
line_event_free(struct event_line *ev)
{
	free(ev->to);
	ev->to = NULL;
	ev->to_count = 0;
	free(ev->extra);
	ev->extra = NULL;
}

static size_t
room_of(const char *s)
{
	return s == NULL ? 0 : strlen(s) + 1;
}

size_t
line_event_room(const struct event_line *ev)
{
	return room_of(ev->id) + room_of(ev->type) + room_of(ev->tenant) +
	    room_of(ev->key) + room_of(ev->content_type) + ev->body_len + 1;
}

/* Copies *s to at and points it there. Returns the end. */
static char *
move(const char **s, size_t len, char *at)
{
	memcpy(at, *s, len);
	at[len] = '\0';
	*s = at;
	return at + len + 1;
}

static char *
move_text(const char **s, char *at)
{
	return *s == NULL ? at : move(s, strlen(*s), at);
}

char *
line_event_move(struct event_line *ev, char *room)
{
	room = move_text(&ev->id, room);
	room = move_text(&ev->type, room);
	room = move_text(&ev->tenant, room);
	room = move_text(&ev->key, room);
	room = move_text(&ev->content_type, room);
	return move(&ev->body, ev->body_len, room);
}

int
line_attempt_parse(
    char *line, size_t len, struct attempt_line *at, struct err *e)
{
	int r;

	*at = (struct attempt_line){.at_ms = -1, .ms = -1, .next_ms = -1};
	r = read_line(line, len, line_attempt_members, at, &at->extra, e);
	if (r == 0 && at->event == NULL)
		r = err_set(e, "no event");
	if (r == 0 && at->webhook == 0)
		r = err_set(e, "no webhook");
	if (r == -1)
		line_attempt_free(at);
	return r;
}

void
line_attempt_free(struct attempt_line *at)
{
	free(at->extra);
	at->extra = NULL;
}
