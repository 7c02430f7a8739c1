/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "line.h"
#include "text.h"

/* One member of a line: where it goes and what it may be. */
struct member {
	const char *name;
	/*
	 * Reads the value into the line's struct. Returns NULL, or what is
	 * wrong with it; where it is no JSON, the reader knows that.
	 */
	const char *(*read)(struct json *j, void *line, const struct member *m);
	size_t offset; /* of the field in the line's struct */
	int64_t max;   /* of a number or of a text's length; from 1 on */
	const char *what;
};

static void *
field(void *line, const struct member *m)
{
	return (char *)line + m->offset;
}

/* Reads a string; NULL if it is none. */
static char *
read_string(struct json *j, size_t *len)
{
	return json_peek(j) == '"' ? json_read_string(j, len) : NULL;
}

/* Whether there is a C0 or C1 control character or a DEL in valid UTF-8. */
static bool
has_control(const char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c == 0x7f)
			return true;
		if (c == 0xc2 && (unsigned char)s[1] < 0xa0)
			return true;
	}
	return false;
}

static const char *
read_text(struct json *j, void *line, const struct member *m)
{
	size_t len;
	const char *s = read_string(j, &len);

	if (s == NULL)
		return "not a string";
	if (len < 1 || len > (size_t)m->max)
		return m->what;
	if (has_control(s))
		return "holds a control character";
	*(const char **)field(line, m) = s;
	return NULL;
}

static const char *
read_id(struct json *j, void *line, const struct member *m)
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
read_ascii(struct json *j, void *line, const struct member *m)
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
read_time(struct json *j, void *line, const struct member *m)
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
read_int(struct json *j, void *line, const struct member *m)
{
	int64_t n;

	if (!json_read_integer(j, &n) || n < 1 || n > m->max)
		return m->what;
	*(int *)field(line, m) = (int)n;
	return NULL;
}

static const char *
read_int64(struct json *j, void *line, const struct member *m)
{
	int64_t n;

	if (!json_read_integer(j, &n) || n < 1 || n > m->max)
		return m->what;
	*(int64_t *)field(line, m) = n;
	return NULL;
}

/* How long it took may be 0, too. */
static const char *
read_ms(struct json *j, void *line, const struct member *m)
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
read_to(struct json *j, void *line, const struct member *m)
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
			size = size == 0 ? 8 : size * 2;
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
static const char *
read_body(struct json *j, void *line, const struct member *m)
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

static const struct member event_members[] = {
    {"id", read_id, EVENT(id), ID},
    {"type", read_text, EVENT(type), TEXT_256},
    {"tenant", read_text, EVENT(tenant), TEXT_256},
    {"key", read_text, EVENT(key), TEXT_256},
    {"content_type", read_ascii, EVENT(content_type), ASCII_256},
    {"time", read_time, EVENT(time_ms), 0, NULL},
    {"body", read_body, EVENT(body), 0, NULL},
    {"attempt", read_int, EVENT(attempt), MILLION},
    {"to", read_to, EVENT(to), 0, "not an array of webhook ids"},
    {"lease", read_time, EVENT(lease_ms), 0, NULL},
    {0},
};

static const struct member attempt_members[] = {
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

/* Reads one of our members; -1 with *e if it is wrong. */
static int
read_member(struct json *j, void *line, const struct member *m, struct err *e)
{
	const char *wrong = NULL;
	struct json_slice null;

	/* No optional member has a meaning for null; a body may be one. */
	if (m->read != read_body && json_peek(j) == 'n')
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

static const struct member *
find_member(const struct member *m, const struct json_slice *key)
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
read_members(struct json *j, const struct member *members, void *line,
    struct buf *extra, struct err *e)
{
	unsigned int seen = 0;
	struct json_slice key;

	while (json_more(j, '}') && json_key(j, &key)) {
		const struct member *m = find_member(members, &key);
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
read_line(char *text, size_t len, const struct member *members, void *line,
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
	if (read_line(line, len, event_members, ev, &ev->extra, e) == 0 &&
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

int
line_attempt_parse(
    char *line, size_t len, struct attempt_line *at, struct err *e)
{
	int r;

	*at = (struct attempt_line){.at_ms = -1, .ms = -1, .next_ms = -1};
	r = read_line(line, len, attempt_members, at, &at->extra, e);
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
