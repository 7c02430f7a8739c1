/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "webhook-cli.h"

/* A definition that is being made from options. */
struct reading {
	json_t *def;
	enum webhook_use use;
	struct err *e;
};

/* Sets a key; takes the value over. NULL: out of memory. */
static int
put(struct reading *r, const char *key, json_t *value)
{
	if (json_object_set_new(r->def, key, value) == 0)
		return 0;
	return err_temporary(r->e, "out of memory");
}

static int
refuse(struct reading *r, const char *option, const char *value,
    const char *reason)
{
	return err_set(r->e, "--%s: '%.100s' %s", option, value, reason);
}

/* Whether a value is there to be put; an empty one that clears is put here. */
static bool
wants(struct reading *r, const char *key, const char *value, int *rc)
{
	bool clears =
	    value != NULL && value[0] == '\0' && r->use == WEBHOOK_SET;

	*rc = clears ? put(r, key, json_null()) : 0;
	return value != NULL && !clears;
}

static int
put_text(
    struct reading *r, const char *key, const char *option, const char *value)
{
	int rc;

	if (!wants(r, key, value, &rc))
		return rc;
	if (!text_is_utf8(value, strlen(value)))
		return refuse(r, option, value, "is not UTF-8");
	return put(r, key, json_string(value));
}

static int
put_url(struct reading *r, const char *url)
{
	if (url == NULL)
		return 0;
	if (!text_is_utf8(url, strlen(url)))
		return err_set(r->e, "%.100s: not UTF-8", url);
	return put(r, "url", json_string(url));
}

/* Parses one time of len bytes. */
static int
duration(const char *s, size_t len, int64_t *ms)
{
	char text[32];

	if (len >= sizeof(text))
		return -1;
	memcpy(text, s, len);
	text[len] = '\0';
	return text_duration(text, ms);
}

static int
put_timeout(struct reading *r, const char *value)
{
	int64_t ms;
	int rc;

	if (!wants(r, "timeout_ms", value, &rc))
		return rc;
	if (duration(value, strlen(value), &ms) == -1)
		return refuse(r, "timeout", value,
		    "is not a duration, such as 250ms, 5s, 2m, 1h");
	return put(r, "timeout_ms", json_integer(ms));
}

/* "5s,5m,30m", or "once". */
static int
put_schedule(struct reading *r, const char *value)
{
	const char *s = value;
	json_t *list;
	int rc;

	if (!wants(r, "schedule_ms", value, &rc))
		return rc;
	list = json_array();
	if (put(r, "schedule_ms", list) == -1 || strcmp(value, "once") == 0)
		return list == NULL ? -1 : 0;
	for (;;) {
		size_t len = strcspn(s, ",");
		int64_t ms;

		if (duration(s, len, &ms) == -1)
			return refuse(r, "schedule", value,
			    "is not a list of durations, such as 5s,5m,1h, "
			    "nor once");
		if (json_array_append_new(list, json_integer(ms)) == -1)
			return err_temporary(r->e, "out of memory");
		if (s[len] == '\0')
			return 0;
		s += len + 1;
	}
}

/* "50/s", "100/m", "1000/h". */
static int
put_rate(struct reading *r, const char *value)
{
	static const struct {
		const char *per;
		double seconds;
	} units[] = {{"/s", 1}, {"/m", 60}, {"/h", 3600}};
	double n;
	char *end;
	int rc;

	if (!wants(r, "rate", value, &rc))
		return rc;
	n = strtod(value, &end);
	if (strspn(value, "0123456789.") == (size_t)(end - value))
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
			if (end != value && strcmp(end, units[i].per) == 0)
				return put(
				    r, "rate", json_real(n / units[i].seconds));
	return refuse(r, "rate", value, "is not a rate, such as 50/s, 100/m");
}

static int
put_max(struct reading *r, const char *value)
{
	const char *wrong;
	int64_t n;
	int rc;

	if (!wants(r, "max_in_flight", value, &rc))
		return rc;
	n = strtonum(value, 1, 10000, &wrong);
	if (wrong != NULL)
		return refuse(
		    r, "max", value, "is not a number from 1 to 10000");
	return put(r, "max_in_flight", json_integer(n));
}

/* Whether a list is one empty value, which clears. */
static bool
clears(const struct reading *r, const struct cli_list *list)
{
	return r->use == WEBHOOK_SET && list->count == 1 &&
	    list->items[0][0] == '\0';
}

static int
put_events(struct reading *r, const struct cli_list *list)
{
	json_t *events;

	if (list->count == 0)
		return 0;
	events = clears(r, list) ? json_null() : json_array();
	if (put(r, "events", events) == -1)
		return -1;
	for (size_t i = 0; json_is_array(events) && i < list->count; i++) {
		const char *s = list->items[i];

		if (!text_is_utf8(s, strlen(s)))
			return refuse(r, "event", s, "is not UTF-8");
		if (json_array_append_new(events, json_string(s)) == -1)
			return err_temporary(r->e, "out of memory");
	}
	return 0;
}

/* Adds "Name: value" to the headers. */
static int
put_header(struct reading *r, json_t *headers, const char *line)
{
	size_t len = strcspn(line, ":"), end;
	char name[512];
	const char *value;

	if (line[len] == '\0' || len >= sizeof(name))
		return refuse(r, "header", line, "is not 'Name: value'");
	if (!text_is_utf8(line, strlen(line)))
		return refuse(r, "header", line, "is not UTF-8");
	memcpy(name, line, len);
	name[len] = '\0';
	value = line + len + 1;
	value += strspn(value, " \t");
	end = strlen(value);
	while (end > 0 && (value[end - 1] == ' ' || value[end - 1] == '\t'))
		end--;
	if (json_object_get(headers, name) != NULL)
		return refuse(r, "header", line, "has a name that was given");
	if (json_object_set_new(headers, name, json_stringn(value, end)) == -1)
		return err_temporary(r->e, "out of memory");
	return 0;
}

static int
put_headers(struct reading *r, const struct cli_list *list)
{
	json_t *headers;

	if (list->count == 0)
		return 0;
	headers = clears(r, list) ? json_null() : json_object();
	if (put(r, "headers", headers) == -1)
		return -1;
	for (size_t i = 0; json_is_object(headers) && i < list->count; i++)
		if (put_header(r, headers, list->items[i]) == -1)
			return -1;
	return 0;
}

static int
put_all(struct reading *r, const struct webhook_options *o)
{
	if (put_url(r, o->url) == -1 || put_events(r, &o->events) == -1 ||
	    put_text(r, "tenant", "tenant", o->tenant) == -1 ||
	    put_text(r, "filter", "filter", o->filter) == -1 ||
	    put_headers(r, &o->headers) == -1 ||
	    put_text(r, "content_type", "content-type", o->content_type) ==
		-1 ||
	    put_timeout(r, o->timeout) == -1 ||
	    put_schedule(r, o->schedule) == -1 || put_rate(r, o->rate) == -1 ||
	    put_max(r, o->max) == -1 ||
	    put_text(r, "description", "description", o->description) == -1)
		return -1;
	return o->ordered ? put(r, "ordered", json_true()) : 0;
}

json_t *
webhook_options_json(
    const struct webhook_options *o, enum webhook_use use, struct err *e)
{
	struct reading r = {.def = json_object(), .use = use, .e = e};

	if (r.def == NULL)
		err_temporary(e, "out of memory");
	else if (put_all(&r, o) == 0)
		return r.def;
	json_decref(r.def);
	return NULL;
}

/* Reads a line from f: its LF is cut, more after it is refused. */
static int
read_line(FILE *f, char secret[SIGN_SECRET_MAX], struct err *e)
{
	char text[SIGN_SECRET_MAX + 2];
	size_t n = fread(text, 1, sizeof(text), f);
	int rc = 0;

	if (ferror(f))
		rc = err_set(e, "%s", strerror(errno));
	if (n > 0 && n < sizeof(text) && text[n - 1] == '\n')
		n--;
	if (n > 0 && n < sizeof(text) && text[n - 1] == '\r')
		n--;
	if (rc == 0 && n >= SIGN_SECRET_MAX)
		rc = err_set(e, "too long for a secret");
	else if (rc == 0 && memchr(text, '\0', n) != NULL)
		rc = err_set(e, "a secret has no NUL");
	if (rc == 0) {
		memcpy(secret, text, n);
		secret[n] = '\0';
		rc = webhook_check_secret(secret, e);
	}
	explicit_bzero(text, sizeof(text));
	return rc;
}

int
webhook_read_secret(
    const char *file, char secret[SIGN_SECRET_MAX], struct err *e)
{
	bool is_stdin = strcmp(file, "-") == 0;
	FILE *f = is_stdin ? stdin : fopen(file, "re");
	struct err cause = {0};
	int rc;

	if (f == NULL)
		return err_set(e, "%s: %s", file, strerror(errno));
	setvbuf(f, NULL, _IONBF, 0); /* it leaves no copy in a buffer */
	rc = read_line(f, secret, &cause);
	if (!is_stdin)
		fclose(f);
	if (rc == 0)
		return 0;
	return err_set(e, "%s: %s", is_stdin ? "stdin" : file, cause.msg);
}
