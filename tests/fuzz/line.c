/* SPDX-License-Identifier: ISC */
/*
 * Any bytes as an event line and as an attempt line: what is taken is written
 * as a line that is taken and written as the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool right)
{
	if (!right)
		abort();
}

/* Parses len bytes of text, which it changes, and writes them to b. */
static bool
rewrite_event(char *text, size_t len, struct buf *b)
{
	struct event_line ev;
	struct err e;

	if (line_event_parse(text, len, &ev, &e) == -1) {
		check(e.msg[0] != '\0' && !e.temporary);
		return false;
	}
	check(strlen(ev.body) == ev.body_len);
	check(ev.id == NULL || text_is_id(ev.id));
	check((ev.to == NULL) == (ev.to_count == 0));
	line_event_write(b, &ev);
	check(!b->failed && text_is_utf8(b->data, b->len));
	check(memchr(b->data, '\n', b->len) == b->data + b->len - 1);
	line_event_free(&ev);
	return true;
}

static bool
rewrite_attempt(char *text, size_t len, struct buf *b)
{
	struct attempt_line at;
	struct err e;

	if (line_attempt_parse(text, len, &at, &e) == -1) {
		check(e.msg[0] != '\0' && !e.temporary);
		return false;
	}
	check(text_is_id(at.event) && at.webhook > 0);
	line_attempt_write(b, &at);
	check(!b->failed && text_is_utf8(b->data, b->len));
	line_attempt_free(&at);
	return true;
}

static void
round_trip(const uint8_t *data, size_t size,
    bool (*rewrite)(char *, size_t, struct buf *))
{
	char *text = malloc(size > 0 ? size : 1);
	struct buf once = {0}, copy = {0}, twice = {0};

	check(text != NULL);
	memcpy(text, data, size);
	if (rewrite(text, size, &once)) {
		buf_add(&copy, once.data, once.len);
		check(rewrite(copy.data, copy.len - 1, &twice));
		check(once.len == twice.len &&
		    memcmp(once.data, twice.data, once.len) == 0);
	}
	buf_free(&once);
	buf_free(&copy);
	buf_free(&twice);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	round_trip(data, size, rewrite_event);
	round_trip(data, size, rewrite_attempt);
	return 0;
}
