/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "line.h"

/* The longest text that a member may hold, and one byte more. */
#define X16 "xxxxxxxxxxxxxxxx"
#define X64 X16 X16 X16 X16
#define X128 X64 X64
#define X256 X128 X128

#define TIME "2026-11-23T22:54:23.226Z"
#define TIME_MS 1795474463226
#define LEASE "2026-11-23T22:59:23.300Z"

static char *
copy_of(const char *text, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	return copy;
}

/* Gives ev's strings a place of their own, which has no byte more. */
static char *
moved(struct event_line *ev)
{
	size_t size = line_event_room(ev);
	char *room = malloc(size);

	assert_non_null(room);
	assert_ptr_equal(room + size, line_event_move(ev, room));
	return room;
}

/* What a line is when it is moved and written again, without its LF. */
static void
assert_again(const char *text, const char *expected)
{
	char *copy = copy_of(text, strlen(text)), *room;
	struct event_line ev;
	struct buf b = {0};
	struct err e;

	if (line_event_parse(copy, strlen(text), &ev, &e) == -1)
		fail_msg("%s: %s", text, e.msg);
	assert_int_equal(ev.body_len, strlen(ev.body));
	room = moved(&ev);
	memset(copy, 'x', strlen(text));
	line_event_write(&b, &ev);
	assert_false(b.failed);
	assert_int_equal('\n', b.data[b.len - 1]);
	b.data[b.len - 1] = '\0';
	assert_string_equal(expected, b.data);
	line_event_free(&ev);
	buf_free(&b);
	free(room);
	free(copy);
}

static void
assert_bad_bytes(const char *text, size_t len, const char *msg)
{
	char *copy = copy_of(text, len);
	struct event_line ev;
	struct err e;

	if (line_event_parse(copy, len, &ev, &e) == 0)
		fail_msg("taken: %s", text);
	if (strcmp(e.msg, msg) != 0)
		fail_msg("%s: says \"%s\", not \"%s\"", text, e.msg, msg);
	line_event_free(&ev);
	free(copy);
}

static void
assert_bad(const char *text, const char *msg)
{
	assert_bad_bytes(text, strlen(text), msg);
}

static void
test_all(void **state)
{
	char line[] =
	    "{\"id\":\"msg_1-Z\",\"type\":\"order.paid\","
	    "\"tenant\":\"acme\",\"key\":\"k\",\"content_type\":"
	    "\"text/plain\",\"time\":\"" TIME "\",\"body\":\"a\\\"b\","
	    "\"attempt\":3,\"to\":[9,7],\"lease\":\"" LEASE "\","
	    "\"x\":{ \"y\" : 1.0 }}";
	struct event_line ev;

	(void)state;
	assert_int_equal(0, line_event_parse(line, strlen(line), &ev, NULL));
	assert_string_equal("msg_1-Z", ev.id);
	assert_string_equal("order.paid", ev.type);
	assert_string_equal("acme", ev.tenant);
	assert_string_equal("k", ev.key);
	assert_string_equal("text/plain", ev.content_type);
	assert_true(ev.time_ms == TIME_MS);
	assert_string_equal("a\"b", ev.body);
	assert_int_equal(3, ev.body_len);
	assert_int_equal(3, ev.attempt);
	assert_int_equal(2, ev.to_count);
	assert_true(ev.to[0] == 9 && ev.to[1] == 7);
	assert_true(ev.lease_ms == TIME_MS + 300074);
	assert_string_equal(",\"x\":{\"y\":1.0}", ev.extra);
	line_event_free(&ev);
}

static void
test_least(void **state)
{
	char line[] = "{\"body\":{}}";
	struct event_line ev;

	(void)state;
	assert_int_equal(0, line_event_parse(line, strlen(line), &ev, NULL));
	assert_null(ev.id);
	assert_null(ev.type);
	assert_null(ev.tenant);
	assert_null(ev.key);
	assert_null(ev.content_type);
	assert_true(ev.time_ms == -1);
	assert_string_equal("{}", ev.body);
	assert_int_equal(0, ev.attempt);
	assert_null(ev.to);
	assert_int_equal(0, ev.to_count);
	assert_true(ev.lease_ms == -1);
	assert_null(ev.extra);
	line_event_free(&ev);
}

static void
test_again(void **state)
{
	static const char whole[] =
	    "{\"id\":\"msg_9d9e\",\"type\":\"order.paid\",\"tenant\":\"acme\","
	    "\"key\":\"k\",\"content_type\":\"text/plain\",\"time\":\"" TIME
	    "\",\"body\":\"{\\\"event\\\": \\\"Hello webhooks world\\\"}\","
	    "\"attempt\":1,\"to\":[7,9223372036854775807],\"lease\":\"" LEASE
	    "\",\"trace\":[1,\" \"],\"trace\":null}";

	(void)state;
	assert_again(whole, whole);
	assert_again("{\"body\":\"\"}", "{\"body\":\"\"}");
	assert_again("\t{ \"body\" : \"a b\" , \"z\" : [ ] } \r",
	    "{\"body\":\"a b\",\"z\":[]}");
	assert_again("{\"b\\u006fdy\":1,\"t\\u0079pe\":\"a\"}",
	    "{\"type\":\"a\",\"body\":\"1\"}");
	/* An offset, and decimals that are not kept. */
	assert_again("{\"time\":\"2026-11-24T00:54:23.2267+02:00\",\"body\":1}",
	    "{\"time\":\"" TIME "\",\"body\":\"1\"}");
	assert_again("{\"id\":null,\"type\":null,\"tenant\":null,\"key\":null,"
		     "\"content_type\":null,\"time\":null,\"attempt\":null,"
		     "\"to\":null,\"lease\":null,\"body\":\"x\",\"y\":null}",
	    "{\"body\":\"x\",\"y\":null}");
	assert_again("{\"type\":\"" X256 "\",\"tenant\":\"\xc3\xa9\","
		     "\"id\":\"" X128 "\",\"body\":0}",
	    "{\"id\":\"" X128 "\",\"type\":\"" X256 "\","
	    "\"tenant\":\"\xc3\xa9\",\"body\":\"0\"}");
}

/* A body that is no string is its JSON, digit for digit. */
static void
test_body(void **state)
{
	(void)state;
	assert_again("{\"body\":null}", "{\"body\":\"null\"}");
	assert_again("{\"body\":false}", "{\"body\":\"false\"}");
	assert_again("{\"body\":-0.10e+02}", "{\"body\":\"-0.10e+02\"}");
	assert_again("{\"body\":[ 123456789012345678901234567890 , 1e400 ]}",
	    "{\"body\":\"[123456789012345678901234567890,1e400]\"}");
	assert_again("{\"body\": {\"a\" : \" \\u0000\\ud800\\/ \\\"\" }}",
	    "{\"body\":\"{\\\"a\\\":\\\" \\\\u0000\\\\ud800\\\\/ "
	    "\\\\\\\"\\\"}\"}");
	assert_again("{\"body\":\"\\u00e9\\ud83d\\ude00\\n\\/\"}",
	    "{\"body\":\"\xc3\xa9\xf0\x9f\x98\x80\\n/\"}");
}

static void
test_bad(void **state)
{
	static const char leased[] = "{\"body\":1,\"lease\":\"" LEASE "\"";

	(void)state;
	assert_bad("", "empty line");
	assert_bad(" \t\r", "empty line");
	assert_bad("[1]", "not an object");
	assert_bad("\"{}\"", "not an object");
	assert_bad("null", "not an object");
	assert_bad("[1", "not JSON at byte 3: expected ',' or ']'");
	assert_bad("hello", "not JSON at byte 1: expected a value");
	assert_bad("{\"body\":1", "not JSON at byte 10: expected ',' or '}'");
	assert_bad(
	    "{\"body\":1} {}", "not JSON at byte 12: something after its end");
	assert_bad("{\"body\":\"a\xff\"}", "invalid UTF-8 at byte 11");
	assert_bad("{\"x\":\"a\xff\"}", "invalid UTF-8 at byte 8");
	assert_bad_bytes("{\"body\":\"\0\"}", 12,
	    "not JSON at byte 10: a control character in a string");
	assert_bad("{}", "no body");
	assert_bad("{\"Body\":1}", "no body");
	assert_bad("{\"body\":1,\"b\\u006fdy\":1}", "body: there twice");
	assert_bad("{\"id\":null,\"id\":\"a\",\"body\":1}", "id: there twice");
	assert_bad("{\"body\":\"\\u0000\"}", "body: holds a NUL");
	assert_bad(
	    "{\"body\":\"\\ud800\"}", "body: holds half a surrogate pair");
	assert_bad(leased, "not JSON at byte 45: expected ',' or '}'");
}

static void
test_bad_text(void **state)
{
	static const char id[] = "id: not 1 to 128 of A-Z a-z 0-9 _ -";
	static const char ascii[] =
	    "content_type: not 1 to 256 printable ASCII characters";

	(void)state;
	assert_bad("{\"id\":\"\",\"body\":1}", id);
	assert_bad("{\"id\":\"a.b\",\"body\":1}", id);
	assert_bad("{\"id\":\"" X128 "x\",\"body\":1}", id);
	assert_bad("{\"id\":7,\"body\":1}", "id: not a string");
	assert_bad("{\"type\":\"\",\"body\":1}", "type: not 1 to 256 bytes");
	assert_bad(
	    "{\"type\":\"" X256 "x\",\"body\":1}", "type: not 1 to 256 bytes");
	assert_bad("{\"type\":\"a\\nb\",\"body\":1}",
	    "type: holds a control character");
	assert_bad("{\"tenant\":\"\\u007f\",\"body\":1}",
	    "tenant: holds a control character");
	assert_bad("{\"tenant\":\"\\u0085\",\"body\":1}",
	    "tenant: holds a control character");
	assert_bad("{\"key\":\"\\u0000\",\"body\":1}", "key: holds a NUL");
	assert_bad("{\"key\":[],\"body\":1}", "key: not a string");
	assert_bad("{\"content_type\":\"\\u00e9\",\"body\":1}", ascii);
	assert_bad("{\"content_type\":\"a\\r\\nb: c\",\"body\":1}", ascii);
	assert_bad("{\"content_type\":\"\",\"body\":1}", ascii);
}

static void
test_bad_number(void **state)
{
	static const char attempt[] =
	    "attempt: not an integer from 1 to 1000000";
	static const char to[] = "to: not an array of webhook ids";

	(void)state;
	assert_bad("{\"attempt\":0,\"body\":1}", attempt);
	assert_bad("{\"attempt\":-1,\"body\":1}", attempt);
	assert_bad("{\"attempt\":1000001,\"body\":1}", attempt);
	assert_bad("{\"attempt\":4294967297,\"body\":1}", attempt);
	assert_bad("{\"attempt\":1.0,\"body\":1}", attempt);
	assert_bad("{\"attempt\":\"1\",\"body\":1}", attempt);
	assert_bad(
	    "{\"attempt\":1.,\"body\":1}", "not JSON at byte 14: a bad number");
	assert_bad("{\"to\":7,\"body\":1}", to);
	assert_bad("{\"to\":[0],\"body\":1}", to);
	assert_bad("{\"to\":[-7],\"body\":1}", to);
	assert_bad("{\"to\":[\"7\"],\"body\":1}", to);
	assert_bad("{\"to\":[7,null],\"body\":1}", to);
	assert_bad("{\"to\":[9223372036854775808],\"body\":1}", to);
	assert_bad("{\"to\":[],\"body\":1}", "to: names no webhook");
	assert_bad("{\"to\":[7,9,7],\"body\":1}", "to: names a webhook twice");
	assert_bad("{\"to\":[7,7],\"body\":1}", "to: names a webhook twice");
	assert_bad("{\"to\":[7,9", "not JSON at byte 11: expected ',' or ']'");
}

static void
test_bad_time(void **state)
{
	static const char form[] = "time: not a time of RFC 3339";

	(void)state;
	assert_bad("{\"time\":1795474463226,\"body\":1}", "time: not a string");
	assert_bad("{\"time\":\"2026-11-23\",\"body\":1}", form);
	assert_bad("{\"time\":\"2026-11-23T22:54:23\",\"body\":1}", form);
	assert_bad("{\"time\":\"2026-02-29T22:54:23Z\",\"body\":1}", form);
	assert_bad("{\"time\":\"" TIME " \",\"body\":1}", form);
	assert_bad("{\"time\":\"1969-12-31T23:59:59.999Z\",\"body\":1}",
	    "time: before 1970");
	assert_bad(
	    "{\"lease\":\"soon\",\"body\":1}", "lease: not a time of RFC 3339");
}

/* Who has a lease must say what it is a lease of. */
static void
test_lease(void **state)
{
	(void)state;
#define LEASED "{\"body\":1,\"lease\":\"" LEASE "\""
	assert_bad(LEASED "}", "lease: there without id");
	assert_bad(LEASED ",\"id\":\"a\"}", "lease: there without time");
	assert_bad(LEASED ",\"id\":\"a\",\"time\":\"" TIME "\"}",
	    "lease: there without attempt");
	assert_bad(LEASED ",\"id\":\"a\",\"time\":\"" TIME "\",\"attempt\":1}",
	    "lease: there without to");
#undef LEASED
}

/* Opens depth arrays as a body. */
static char *
nested(size_t depth)
{
	size_t size = 2 * depth + 16;
	char *text = malloc(size);

	assert_non_null(text);
	memcpy(text, "{\"body\":", 8);
	memset(text + 8, '[', depth);
	memset(text + 8 + depth, ']', depth);
	memcpy(text + 8 + 2 * depth, "}", 2);
	return text;
}

static void
test_depth(void **state)
{
	struct event_line ev;
	char *text = nested(LINE_DEPTH - 1);

	(void)state;
	assert_int_equal(0, line_event_parse(text, strlen(text), &ev, NULL));
	assert_int_equal(2 * (LINE_DEPTH - 1), ev.body_len);
	line_event_free(&ev);
	free(text);
	text = nested(LINE_DEPTH);
	assert_bad(text, "nested deeper than 100");
	free(text);
	text = nested(1000000);
	assert_bad(text, "nested deeper than 100");
	free(text);
}

/* A line whose "to" counts down from n, and then names last. */
static void
write_many(struct buf *b, int n, int last)
{
	buf_text(b, "{\"body\":1,\"to\":[");
	for (; n > 0; n--)
		buf_fmt(b, "%d,", n);
	buf_fmt(b, "%d]}", last);
}

static void
test_many(void **state)
{
	struct event_line ev;
	struct buf b = {0};

	(void)state;
	write_many(&b, LINE_TO_MAX - 1, 99999);
	assert_int_equal(0, line_event_parse(b.data, b.len, &ev, NULL));
	assert_int_equal(LINE_TO_MAX, ev.to_count);
	line_event_free(&ev);
	buf_clear(&b);
	write_many(&b, LINE_TO_MAX - 1, 5000);
	assert_bad(b.data, "to: names a webhook twice");
	buf_clear(&b);
	write_many(&b, LINE_TO_MAX, 99999);
	assert_bad(b.data, "to: names more than 10000 webhooks");
	buf_free(&b);
}

static void
assert_attempt(const char *text, const char *expected)
{
	char *copy = copy_of(text, strlen(text));
	struct attempt_line at;
	struct buf b = {0};
	struct err e;

	if (line_attempt_parse(copy, strlen(text), &at, &e) == -1)
		fail_msg("%s: %s", text, e.msg);
	line_attempt_write(&b, &at);
	b.data[b.len - 1] = '\0';
	assert_string_equal(expected, b.data);
	line_attempt_free(&at);
	buf_free(&b);
	free(copy);
}

static void
test_attempt(void **state)
{
	static const char delivered[] =
	    "{\"event\":\"msg_9d9e\",\"type\":\"order.paid\",\"webhook\":7,"
	    "\"attempt\":1,\"at\":\"" TIME "\",\"outcome\":\"delivered\","
	    "\"status\":200,\"ms\":12}";
	static const char retry[] =
	    "{\"event\":\"msg_9d9e\",\"webhook\":9223372036854775807,"
	    "\"attempt\":1000000,\"at\":\"" TIME "\",\"outcome\":\"retry\","
	    "\"error\":\"timeout\",\"ms\":0,\"next\":\"" LEASE "\",\"x\":1.0}";

	(void)state;
	assert_attempt(delivered, delivered);
	assert_attempt(retry, retry);
	assert_attempt("{\"webhook\":7,\"event\":\"a\",\"status\":null}",
	    "{\"event\":\"a\",\"webhook\":7}");
}

/* What an event line had of its own does not get in the way. */
static void
test_attempt_extra(void **state)
{
	char extra[] = ",\"status\":\"new\",\"x\":[1,{\"ms\":2}],"
		       "\"t\\u0079pe\":1,\"next\":null,\"y\":\"z\"";
	struct attempt_line at = {.event = "a",
	    .webhook = 7,
	    .at_ms = -1,
	    .ms = -1,
	    .next_ms = -1,
	    .extra = extra};
	struct buf b = {0};

	(void)state;
	line_attempt_write(&b, &at);
	assert_string_equal("{\"event\":\"a\",\"webhook\":7,"
			    "\"x\":[1,{\"ms\":2}],\"y\":\"z\"}\n",
	    b.data);
	buf_free(&b);
}

static void
assert_bad_attempt(const char *text, const char *msg)
{
	char *copy = copy_of(text, strlen(text));
	struct attempt_line at;
	struct err e;

	assert_int_equal(-1, line_attempt_parse(copy, strlen(text), &at, &e));
	assert_string_equal(msg, e.msg);
	free(copy);
}

static void
test_bad_attempt(void **state)
{
	(void)state;
	assert_bad_attempt("{\"webhook\":7}", "no event");
	assert_bad_attempt("{\"event\":\"a\",\"x\":1}", "no webhook");
	assert_bad_attempt("{\"event\":\"a b\",\"webhook\":7}",
	    "event: not 1 to 128 of A-Z a-z 0-9 _ -");
	assert_bad_attempt(
	    "{\"event\":\"a\",\"webhook\":0}", "webhook: not a webhook id");
	assert_bad_attempt("{\"event\":\"a\",\"webhook\":7,\"status\":1000}",
	    "status: not an integer from 1 to 999");
	assert_bad_attempt("{\"event\":\"a\",\"webhook\":7,\"ms\":-1}",
	    "ms: not an integer from 0 on");
	assert_bad_attempt(
	    "{\"event\":\"a\",\"webhook\":7,\"next\":7}", "next: not a string");
	assert_bad_attempt("", "empty line");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all),
	    cmocka_unit_test(test_least),
	    cmocka_unit_test(test_again),
	    cmocka_unit_test(test_body),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_bad_text),
	    cmocka_unit_test(test_bad_number),
	    cmocka_unit_test(test_bad_time),
	    cmocka_unit_test(test_lease),
	    cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_attempt),
	    cmocka_unit_test(test_attempt_extra),
	    cmocka_unit_test(test_bad_attempt),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
