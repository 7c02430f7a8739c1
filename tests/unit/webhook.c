/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guard.h"
#include "webhook-cli.h"
#include "webhook.h"

/* What comes of a text: the definition as JSON, or the error. Freed. */
static char *
outcome(const char *text, enum webhook_use use)
{
	char *copy = strdup(text), *out;
	struct err e = {0};
	json_t *def;

	assert_non_null(copy);
	def = webhook_parse(copy, strlen(copy), use, &e);
	out = def == NULL ? strdup(e.msg) : json_dumps(def, JSON_COMPACT);
	assert_non_null(out);
	webhook_free(def);
	free(copy);
	return out;
}

static void
assert_outcome(const char *text, enum webhook_use use, const char *expected)
{
	char *out = outcome(text, use);

	assert_string_equal(expected, out);
	free(out);
}

static void
test_add(void **state)
{
	(void)state;
	assert_outcome(
	    "{\"url\":\"http://h/\"}", WEBHOOK_ADD, "{\"url\":\"http://h/\"}");
	/* State, counters and unknown members are left out, and nulls. */
	assert_outcome("{\"id\":7,\"state\":\"paused\",\"x\":{},\"url\":"
		       "\"https://h\",\"tenant\":null,\"delivered\":1}",
	    WEBHOOK_ADD, "{\"url\":\"https://h\"}");
	assert_outcome(
	    "{\"description\":\"d\",\"ordered\":true,"
	    "\"max_in_flight\":10000,\"rate\":0.5,"
	    "\"schedule_ms\":[1,2073600000],\"timeout_ms\":3600000,"
	    "\"content_type\":\"a/b; c=d\",\"headers\":{\"A\":\"b\"},"
	    "\"filter\":\"$.a == 1\",\"tenant\":\"t\","
	    "\"events\":[\"a\",\"b.*\",\"*\"],\"url\":\"http://h\"}",
	    WEBHOOK_ADD,
	    "{\"url\":\"http://h\",\"events\":[\"a\",\"b.*\",\"*\"],"
	    "\"tenant\":\"t\",\"filter\":\"$.a == 1\",\"headers\":{\"A\":"
	    "\"b\"},\"content_type\":\"a/b; c=d\",\"timeout_ms\":3600000,"
	    "\"schedule_ms\":[1,2073600000],\"rate\":0.5,"
	    "\"max_in_flight\":10000,\"ordered\":true,\"description\":\"d\"}");
	assert_outcome("{}", WEBHOOK_ADD, "no url");
	assert_outcome("{\"url\":null}", WEBHOOK_ADD, "no url");
	assert_outcome("[]", WEBHOOK_ADD, "not a JSON object");
}

static void
test_set(void **state)
{
	(void)state;
	assert_outcome("{}", WEBHOOK_SET, "{}");
	assert_outcome("{\"url\":null}", WEBHOOK_SET, "url: cannot be empty");
	assert_outcome("{\"events\":null,\"tenant\":null,\"filter\":null,"
		       "\"headers\":null,\"content_type\":null,\"timeout_ms\":"
		       "null,\"schedule_ms\":null,\"rate\":null,"
		       "\"max_in_flight\":null,\"ordered\":null,"
		       "\"description\":null}",
	    WEBHOOK_SET,
	    "{\"events\":[],\"tenant\":null,\"filter\":null,\"headers\":{},"
	    "\"content_type\":null,\"timeout_ms\":15000,\"schedule_ms\":null,"
	    "\"rate\":null,\"max_in_flight\":32,\"ordered\":false,"
	    "\"description\":null}");
	assert_outcome(
	    "{\"secret\":\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"}",
	    WEBHOOK_SET, "secret: is not set but rotated");
	assert_outcome("{\"secret\":null}", WEBHOOK_SET, "{}");
}

/* Each is refused with an error that begins so. */
static void
test_refused(void **state)
{
	static const char *const cases[][2] = {
	    {"\"url\":\"ftp://h\"", "ftp://h: not a usable URL: only http"},
	    {"\"url\":\"http://u:secret@h\"",
		"not a usable URL: there is a us"},
	    {"\"url\":\"http:///x\"", "http:///x: not a usable URL: it has"},
	    {"\"url\":\"http://h\\u0007\"", "url: 'http://h\\a' has a control"},
	    {"\"events\":\"a\"", "events: not an array"},
	    {"\"events\":[7]", "events: not a string"},
	    {"\"events\":[\"\"]", "events: empty"},
	    {"\"events\":[\"a.*.b\"]", "events: 'a.*.b' is no pattern"},
	    {"\"events\":[\".*\"]", "events: '.*' is no pattern"},
	    {"\"events\":[\"a*\"]", "events: 'a*' is no pattern"},
	    {"\"events\":[\"a.**\"]", "events: 'a.**' is no pattern"},
	    {"\"events\":[\"a\",\"a\"]", "events: 'a' is there twice"},
	    {"\"events\":[\"a\\u0000b\"]", "a string holds a NUL"},
	    {"\"tenant\":7", "tenant: not a string"},
	    {"\"tenant\":\"a\\u0085\"", "tenant: "},
	    {"\"filter\":[]", "filter: not a string"},
	    {"\"headers\":[]", "headers: not an object"},
	    {"\"headers\":{\"a\":7}", "headers: a: not a string"},
	    {"\"headers\":{\"\":\"x\"}", "headers: '' is no name"},
	    {"\"headers\":{\"a:\":\"x\"}", "headers: 'a:' is no name"},
	    {"\"headers\":{\"a\":\" x\"}", "headers: a: its value begins"},
	    {"\"headers\":{\"a\":\"x \"}", "headers: a: its value begins"},
	    {"\"headers\":{\"a\":\"x\\n\"}", "headers: a: its value has"},
	    {"\"headers\":{\"a\":\"x\\ty\"}", "headers: a: its value has"},
	    {"\"headers\":{\"A\":\"x\",\"a\":\"x\"}", "headers: A is there tw"},
	    {"\"headers\":{\"HOST\":\"x\"}", "headers: HOST is whk's own"},
	    {"\"content_type\":\"a\"", "content_type: 'a' is not like"},
	    {"\"content_type\":\"a/b \"", "content_type: its value begins or"},
	    {"\"timeout_ms\":0", "timeout_ms: not a whole number from 1"},
	    {"\"timeout_ms\":1.0", "timeout_ms: not a whole number from 1"},
	    {"\"timeout_ms\":3600001", "timeout_ms: not a whole number from 1"},
	    {"\"schedule_ms\":7", "schedule_ms: not an array"},
	    {"\"schedule_ms\":[0]", "schedule_ms: not a whole number from 1"},
	    {"\"schedule_ms\":[2073600001]", "schedule_ms: not a whole number"},
	    {"\"rate\":\"5\"", "rate: not a number from"},
	    {"\"rate\":0", "rate: not a number from"},
	    {"\"rate\":-1", "rate: not a number from"},
	    {"\"rate\":1000001", "rate: not a number from"},
	    {"\"max_in_flight\":0", "max_in_flight: not a whole number from 1"},
	    {"\"max_in_flight\":10001", "max_in_flight: not a whole number"},
	    {"\"ordered\":\"true\"", "ordered: neither true nor false"},
	    {"\"description\":\"\"", "description: empty"},
	    {"\"secret\":7", "secret: not a string"},
	    {"\"secret\":\"x\"", "secret: begins with none of"},
	    {"\"secret\":\"whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=\"",
		"secret: a public key cannot sign"},
	    {"\"x\":1,\"x\":2", "a member is there twice"},
	    {"\"x\":1e999", "a number is too large"},
	    {"\"x\":", "not JSON at byte "},
	};
	char text[256], *out;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *url = strncmp(cases[i][0], "\"url\"", 5) == 0
		    ? ""
		    : "\"url\":\"http://h/\",";

		snprintf(text, sizeof(text), "{%s%s}", url, cases[i][0]);
		out = outcome(text, WEBHOOK_ADD);
		if (strncmp(out, cases[i][1], strlen(cases[i][1])) != 0)
			fail_msg("%s: got: %s", text, out);
		free(out);
	}
}

/* The longest that is taken, and one more. */
static void
test_bounds(void **state)
{
	static const struct {
		const char *key, *begin, *end;
		size_t max;
	} texts[] = {
	    {"url", "\"http://h/", "\"", 2048 - 9},
	    {"events", "[\"", "\"]", 256},
	    {"tenant", "\"", "\"", 256},
	    {"filter", "\"", "\"", 8192},
	    {"headers", "{\"a\":\"", "\"}", 4096},
	    {"content_type", "\"a/", "\"", 254},
	    {"description", "\"", "\"", 1024},
	};
	char *text = malloc(10000), *out;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (size_t more = 0; more < 2; more++) {
			int len = snprintf(text, 10000, "{\"%s\":%s",
			    texts[i].key, texts[i].begin);
			size_t n = texts[i].max + more;

			memset(text + len, 'x', n);
			snprintf(text + len + n, 10, "%s}", texts[i].end);
			out = outcome(text, WEBHOOK_SET);
			if ((strstr(out, " over ") != NULL) != (more == 1))
				fail_msg("%s: %.100s", texts[i].key, out);
			free(out);
		}
	free(text);
}

static void
test_deep(void **state)
{
	char text[512] = "";

	(void)state;
	memset(text, '[', 101);
	memset(text + 101, ']', 101);
	assert_outcome(text, WEBHOOK_ADD, "nested deeper than 100");
}

static void
test_secret(void **state)
{
	char made[SIGN_SECRET_MAX], again[SIGN_SECRET_MAX];
	json_t *def = json_object();

	(void)state;
	assert_int_equal(0, webhook_make_secret(def, made, NULL));
	assert_int_equal(0, webhook_check_secret(made, NULL));
	assert_string_equal(
	    made, json_string_value(json_object_get(def, "secret")));
	/* One that is there stays, and is not shown. */
	assert_int_equal(0, webhook_make_secret(def, again, NULL));
	assert_string_equal("", again);
	assert_string_equal(
	    made, json_string_value(json_object_get(def, "secret")));
	webhook_free(def);
	webhook_free(NULL);
}

static bool
is_doubtful(const char *text, const char *allow)
{
	struct guard guard;
	struct err e = {0};
	json_t *def = json_loads(text, 0, NULL);
	bool doubtful;

	assert_non_null(def);
	assert_int_equal(0, guard_init(&guard, allow, &e));
	doubtful = webhook_doubtful(def, &guard, &e);
	assert_true(doubtful == (e.msg[0] != '\0'));
	guard_free(&guard);
	json_decref(def);
	return doubtful;
}

static void
test_doubtful(void **state)
{
	static const char *const bad[] = {"http://127.0.0.1/",
	    "http://10.0.0.1:80", "http://[::1]/", "http://[fe80::1%25eth0]/",
	    "http://0x7f.1/", "http://2130706433/", "http://LOCALHOST/",
	    "http://169.254.169.254/", "http://[::ffff:10.0.0.1]/"};
	static const char *const good[] = {"http://1.1.1.1/",
	    "http://[2606:4700::1111]:80/", "http://example.com/",
	    "http://10.0.0.1.example.com/", "http://localhost.example.com/"};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "{\"url\":\"%s\"}", bad[i]);
		assert_true(is_doubtful(text, NULL));
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(text, sizeof(text), "{\"url\":\"%s\"}", good[i]);
		assert_false(is_doubtful(text, NULL));
	}
	assert_false(
	    is_doubtful("{\"url\":\"http://10.9.8.7\"}", "10.0.0.0/8"));
	assert_true(is_doubtful("{\"timeout_ms\":300000}", NULL));
	assert_false(is_doubtful("{\"timeout_ms\":299999}", NULL));
	assert_false(is_doubtful("{}", NULL));
}

/* What options make of themselves: the definition, or the error. */
static void
assert_options(
    const struct webhook_options *o, enum webhook_use use, const char *expected)
{
	struct err e = {0};
	json_t *given = webhook_options_json(o, use, &e);
	char *out =
	    given == NULL ? strdup(e.msg) : json_dumps(given, JSON_COMPACT);

	assert_non_null(out);
	assert_string_equal(expected, out);
	free(out);
	json_decref(given);
}

static void
test_options(void **state)
{
	const char *events[] = {"a", "b.*"}, *headers[] = {"A:b", "C:  d e "};
	const char *none[] = {""};
	struct webhook_options all = {.url = "http://h",
	    .events = {events, 2},
	    .headers = {headers, 2},
	    .tenant = "t",
	    .filter = "$.a == 1",
	    .content_type = "a/b",
	    .timeout = "1.5s",
	    .schedule = "250ms,1h",
	    .rate = "30/m",
	    .max = "7",
	    .ordered = true,
	    .description = "d"};
	struct webhook_options clear = {.events = {none, 1},
	    .headers = {none, 1},
	    .tenant = "",
	    .timeout = "",
	    .schedule = "",
	    .rate = "",
	    .max = ""};

	(void)state;
	assert_options(&all, WEBHOOK_ADD,
	    "{\"url\":\"http://h\",\"events\":[\"a\",\"b.*\"],\"tenant\":\"t\","
	    "\"filter\":\"$.a == 1\",\"headers\":{\"A\":\"b\",\"C\":\"d e\"},"
	    "\"content_type\":\"a/b\",\"timeout_ms\":1500,"
	    "\"schedule_ms\":[250,3600000],\"rate\":0.5,\"max_in_flight\":7,"
	    "\"description\":\"d\",\"ordered\":true}");
	assert_options(&clear, WEBHOOK_SET,
	    "{\"events\":null,\"tenant\":null,\"headers\":null,"
	    "\"timeout_ms\":null,\"schedule_ms\":null,\"rate\":null,"
	    "\"max_in_flight\":null}");
	assert_options(&(struct webhook_options){.schedule = "once"},
	    WEBHOOK_ADD, "{\"schedule_ms\":[]}");
	assert_options(&(struct webhook_options){0}, WEBHOOK_SET, "{}");
}

static void
test_bad_options(void **state)
{
	const char *bad[] = {"\xff"}, *no_colon[] = {"A b"};

	(void)state;
	assert_options(&(struct webhook_options){.url = "\xff"}, WEBHOOK_ADD,
	    "\\377: not UTF-8");
	assert_options(&(struct webhook_options){.events = {bad, 1}},
	    WEBHOOK_ADD, "--event: '\\377' is not UTF-8");
	assert_options(&(struct webhook_options){.headers = {no_colon, 1}},
	    WEBHOOK_ADD, "--header: 'A b' is not 'Name: value'");
	assert_options(&(struct webhook_options){.rate = "5"}, WEBHOOK_SET,
	    "--rate: '5' is not a rate, such as 50/s, 100/m");
	assert_options(&(struct webhook_options){.rate = "infinity/s"},
	    WEBHOOK_SET,
	    "--rate: 'infinity/s' is not a rate, such as 50/s, 100/m");
	assert_options(&(struct webhook_options){.max = "1e3"}, WEBHOOK_SET,
	    "--max: '1e3' is not a number from 1 to 10000");
	assert_options(&(struct webhook_options){.schedule = "5s,,5s"},
	    WEBHOOK_SET,
	    "--schedule: '5s,,5s' is not a list of durations, such as "
	    "5s,5m,1h, nor once");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_add),
	    cmocka_unit_test(test_set),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_deep),
	    cmocka_unit_test(test_secret),
	    cmocka_unit_test(test_doubtful),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_bad_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
