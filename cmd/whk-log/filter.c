/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "whk-log/log.h"
#include "when.h"

/* Later than anything: 9999-12-31T23:59:59Z. */
#define FOREVER_MS INT64_C(253402300799000)

static bool
is_one_of(const char *s, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(s, words[i]) == 0)
			return true;
	return false;
}

static int
check_outcome(const char *s, struct err *e)
{
	static const char *const words[] = {
	    "delivered", "retry", "failed", "cancelled"};

	if (s == NULL || is_one_of(s, words, sizeof(words) / sizeof(words[0])))
		return 0;
	return err_set(e,
	    "--outcome: '%.100s' is none of delivered, retry, failed, "
	    "cancelled",
	    s);
}

/* Reads a status: "503", "5xx", or the word of an error. */
static int
read_status(const char *s, struct filter *f, struct err *e)
{
	static const char *const errors[] = {
	    "timeout", "dns", "connect", "tls", "blocked", "reset", "protocol"};

	if (s == NULL)
		return 0;
	if (strlen(s) == 3 && strspn(s, "123456789") >= 1 &&
	    strspn(s, "0123456789") == 3)
		f->low = f->high = strtol(s, NULL, 10);
	else if (strlen(s) == 3 && strchr("12345", s[0]) != NULL &&
	    strcmp(s + 1, "xx") == 0) {
		f->low = (s[0] - '0') * 100;
		f->high = f->low + 99;
	} else if (is_one_of(s, errors, sizeof(errors) / sizeof(errors[0])))
		f->error = s;
	else
		return err_set(e,
		    "--status: '%.100s' is neither a status (503, 5xx) nor an "
		    "error (timeout, dns, connect, tls, blocked, reset, "
		    "protocol)",
		    s);
	return 0;
}

static int
read_time(
    const char *name, const char *s, int64_t now_ms, int64_t *ms, struct err *e)
{
	if (s == NULL || when_parse(s, now_ms, ms) == 0)
		return 0;
	return err_set(e,
	    "--%s: '%.100s' is no time, such as 2h, 3d, yesterday, "
	    "2026-11-23, 2026-11-23T10:00",
	    name, s);
}

static int
check_text(const char *name, const char *s, struct err *e)
{
	if (s == NULL || (s[0] != '\0' && text_is_utf8(s, strlen(s))))
		return 0;
	return err_set(e, "--%s: '%.100s' is %s", name, s,
	    s[0] == '\0' ? "empty" : "not UTF-8");
}

int
filter_check(const struct options *o, struct err *e)
{
	struct filter any = {0};

	if (o->event != NULL && !text_is_id(o->event))
		return err_set(e,
		    "--event: '%.100s' is no id: 1 to 128 of A-Z a-z 0-9 _ -",
		    o->event);
	for (size_t i = 0; i < o->types.count; i++)
		if (check_text("type", o->types.items[i], e) == -1)
			return -1;
	if (check_text("tenant", o->tenant, e) == -1 ||
	    check_outcome(o->outcome, e) == -1 ||
	    read_status(o->status, &any, e) == -1 ||
	    read_time("since", o->since, 0, &any.since_ms, e) == -1 ||
	    read_time("until", o->until, 0, &any.until_ms, e) == -1)
		return -1;
	return 0;
}

void
filter_settle(struct log *l)
{
	const struct options *o = l->o;
	struct filter *f = &l->filter;

	f->event = o->event;
	f->until_ms = FOREVER_MS;
	read_status(o->status, f, NULL);
	read_time("since", o->since, l->now_ms, &f->since_ms, NULL);
	read_time("until", o->until, l->now_ms, &f->until_ms, NULL);
}

static void
add_number(struct args *a, int64_t n)
{
	if (n == 0)
		args_null(a, ARGS_LONG, false);
	else
		args_long(a, n);
}

void
filter_args(const struct log *l, struct args *a)
{
	const struct options *o = l->o;
	int types;

	add_number(a, o->webhook);
	args_text(a, l->filter.event);
	if (o->types.count == 0) {
		args_null(a, ARGS_TEXT, true);
	} else {
		types = args_array(a, ARGS_TEXT);
		for (size_t i = 0; i < o->types.count; i++)
			args_add_text(a, types, o->types.items[i]);
	}
	args_text(a, o->tenant);
	args_text(a, o->outcome);
	add_number(a, l->filter.low);
	add_number(a, l->filter.high);
	args_text(a, l->filter.error);
	args_text(a, l->filter.snapshot);
}
