/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "line-private.h"
#include "text.h"

static void *
field(void *line, const struct line_member *m)
{
	return (char *)line + m->offset;
}

/* Reads a string; NULL if it is none. */
static char *
read_string(struct json *j, size_t *len)
{
	return json_peek(j) == '"' ? json_read_string(j, len) : NULL;
}

static const char *
read_text(struct json *j, void *line, const struct line_member *m)
{
	size_t len;
	const char *s = read_string(j, &len);

	if (s == NULL)
		return "not a string";
	if (len < 1 || len > (size_t)m->max)
		return m->what;
	if (text_has_control(s))
		return "holds a control character";
	*(const char **)field(line, m) = s;
	return NULL;
}

static const char *
read_id(struct json *j, void *line, const struct line_member *m)
{
	size_t len;
	const char *s = read_string(j, &len);

	if (s == NULL)
		return "not a string";
	if (!text_is_id(s))
		return m->what;
	*(const char **)field(line, m) = s;
	return NULL;
}

static const char *
read_ascii(struct json *j, void *line, const struct line_member *m)
{
	size_t len;
	const char *s = read_string(j, &len);

	if (s == NULL)
		return "not a string";
	if (len < 1 || len > (size_t)m->max)
		return m->what;
	for (size_t i = 0; i < len; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return m->what;
	*(const char **)field(line, m) = s;
	return NULL;
}

static const char *
read_time(struct json *j, void *line, const struct line_member *m)
{
	int64_t *ms = field(line, m);
	size_t len;
	const char *s = read_string(j, &len);

	if (s == NULL)
		return "not a string";
	if (clock_parse(s, len, ms) == -1)
		return "not a time of RFC 3339";
	if (*ms < 0)
		return "before 1970";
	return NULL;
}

static const char *
read_int(struct json *j, void *line, const struct line_member *m)
{
	int64_t n;

	if (!json_read_integer(j, &n) || n < 1 || n > m->max)
		return m->what;
	*(int *)field(line, m) = (int)n;
	return NULL;
}

static const char *
read_int64(struct json *j, void *line, const struct line_member *m)
{
	int64_t n;

	if (!json_read_integer(j, &n) || n < 1 || n > m->max)
		return m->what;
	*(int64_t *)field(line, m) = n;
	return NULL;
}

/* How long it took may be 0, too. */
static const char *
read_ms(struct json *j, void *line, const struct line_member *m)
{
	int64_t n;

	if (!json_read_integer(j, &n) || n < 0)
		return m->what;
	*(int64_t *)field(line, m) = n;
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Whether one number is there twice; NULL if not. */
static const char *
check_distinct(const int64_t *ids, size_t count)
{
	const char *wrong = NULL;
	int64_t *sorted;
	size_t i;

	/* As our own programs print them, they are in order. */
	for (i = 1; i < count && ids[i - 1] < ids[i]; i++)
		;
	if (i >= count)
		return NULL;
	if ((sorted = reallocarray(NULL, count, sizeof(*sorted))) == NULL)
		return "out of memory";
	memcpy(sorted, ids, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare);
	for (i = 1; i < count; i++)
		if (sorted[i - 1] == sorted[i])
			wrong = "names a webhook twice";
	free(sorted);
	return wrong;
}

static const char *
read_to(struct json *j, void *line, const struct line_member *m)
{
	struct event_line *ev = line;
	size_t size = 0;

	if (json_peek(j) != '[')
		return m->what;
	for (json_open(j, '['); json_more(j, ']'); ev->to_count++) {
		int64_t *to, id;

		if (!json_read_integer(j, &id) || id < 1)
			return m->what;
		if (ev->to_count == LINE_TO_MAX)
			return "names more than 10000 webhooks";
		if (ev->to_count == size) {
			size = size == 0 ? 1 : size * 2;
			to = reallocarray(ev->to, size, sizeof(*to));
			if (to == NULL)
				return "out of memory";
			ev->to = to;
		}
		ev->to[ev->to_count] = id;
	}
	if (ev->to_count == 0)
		return "names no webhook";
	return check_distinct(ev->to, ev->to_count);
}

/* A body is what it says, or else the JSON that it is. */
const char *
line_read_body(struct json *j, void *line, const struct line_member *m)
{
	struct event_line *ev = line;
	struct json_slice value;

	(void)m;
	if (json_peek(j) == '"') {
		ev->body = json_read_string(j, &ev->body_len);
		return ev->body == NULL ? "not a string" : NULL;
	}
	if (json_skip(j, &value)) {
		ev->body = value.text;
		ev->body_len = json_compact(value.text, &value);
	}
	return NULL;
}

#define TEXT_256 256, "not 1 to 256 bytes"
#define ID 128, "not 1 to 128 of A-Z a-z 0-9 _ -"
#define ASCII_256 256, "not 1 to 256 printable ASCII characters"
#define MILLION 1000000, "not an integer from 1 to 1000000"
#define STATUS 999, "not an integer from 1 to 999"
#define EVENT(name) offsetof(struct event_line, name)
#define ATTEMPT(name) offsetof(struct attempt_line, name)

const struct line_member line_event_members[] = {
    {"id", read_id, EVENT(id), ID},
    {"type", read_text, EVENT(type), TEXT_256},
    {"tenant", read_text, EVENT(tenant), TEXT_256},
    {"key", read_text, EVENT(key), TEXT_256},
    {"content_type", read_ascii, EVENT(content_type), ASCII_256},
    {"time", read_time, EVENT(time_ms), 0, NULL},
    {"body", line_read_body, EVENT(body), 0, NULL},
    {"attempt", read_int, EVENT(attempt), MILLION},
    {"to", read_to, EVENT(to), 0, "not an array of webhook ids"},
    {"lease", read_time, EVENT(lease_ms), 0, NULL},
    {0},
};

const struct line_member line_attempt_members[] = {
    {"event", read_id, ATTEMPT(event), ID},
    {"type", read_text, ATTEMPT(type), TEXT_256},
    {"webhook", read_int64, ATTEMPT(webhook), INT64_MAX, "not a webhook id"},
    {"attempt", read_int, ATTEMPT(attempt), MILLION},
    {"at", read_time, ATTEMPT(at_ms), 0, NULL},
    {"outcome", read_text, ATTEMPT(outcome), TEXT_256},
    {"status", read_int, ATTEMPT(status), STATUS},
    {"error", read_text, ATTEMPT(error), TEXT_256},
    {"ms", read_ms, ATTEMPT(ms), 0, "not an integer from 0 on"},
    {"next", read_time, ATTEMPT(next_ms), 0, NULL},
    {0},
};
