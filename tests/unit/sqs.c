/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sqs-json.h"
#include "sqs-url.h"

/* A message with what it must have, and more behind its body. */
#define MESSAGE(body, more)                                                    \
	"{\"MessageId\":\"1\",\"ReceiptHandle\":\"r\",\"Body\":" body          \
	",\"Attributes\":{\"SentTimestamp\":\"1795474463226\","                \
	"\"ApproximateReceiveCount\":\"3\",\"MessageGroupId\":\"k\"}" more "}"
#define MD5_OF_A "\"MD5OfBody\":\"0CC175B9c0f1b6a831c399e269772661\""

static struct sqs_json
parse_messages(const char *text, size_t len)
{
	struct sqs_json j = {0};
	struct err e = {0};

	if (sqs_json_messages(&j, text, len, EVP_md5(), &e) == -1)
		fail_msg("%s", e.msg);
	return j;
}

static struct sqs_json
parse(const char *text)
{
	return parse_messages(text, strlen(text));
}

static void
test_message(void **state)
{
	struct sqs_json j = parse("{\"Messages\":[" MESSAGE("\"a\"",
	    "," MD5_OF_A ",\"MessageAttributes\":{"
	    "\"type\":{\"DataType\":\"String\",\"StringValue\":\"x.y\"},"
	    "\"n\":{\"DataType\":\"Number.int\",\"StringValue\":\"7\"},"
	    "\"b\":{\"DataType\":\"Binary\",\"BinaryValue\":\"AA==\"}}") "]}");
	const struct sqs_message *m = &j.messages[0];

	(void)state;
	assert_int_equal(1, j.count);
	assert_null(m->bad);
	assert_string_equal("1", m->message_id);
	assert_string_equal("r", m->receipt);
	assert_string_equal("a", m->body);
	assert_int_equal(1, m->body_len);
	assert_true(m->sent_ms == 1795474463226);
	assert_int_equal(3, m->receive_count);
	assert_string_equal("k", m->group);
	assert_int_equal(2, m->attribute_count);
	assert_string_equal("type", m->attributes[0].name);
	assert_string_equal("x.y", m->attributes[0].value);
	assert_string_equal("7", m->attributes[1].value);
	sqs_json_free(&j);
}

static void
test_no_messages(void **state)
{
	static const char *const texts[] = {
	    "{}", "{\"Messages\":[]}", "{\"Messages\":null}"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct sqs_json j = parse(texts[i]);

		assert_int_equal(0, j.count);
		sqs_json_free(&j);
	}
}

static void
test_other_shapes(void **state)
{
	static const char *const texts[] = {"", "[]", "{\"a\":1}", "null",
	    "{\"Messages\":{}}", "{\"Messages\":[", "<html>",
	    "{\"Messages\":[0,0,0,0,0,0,0,0,0,0,0]}"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct sqs_json j = {0};
		struct err e = {0};

		assert_int_equal(-1,
		    sqs_json_messages(
			&j, texts[i], strlen(texts[i]), EVP_md5(), &e));
		assert_true(e.temporary);
		sqs_json_free(&j);
	}
}

/* That one bad message is found so, and both good ones beside it are not. */
static void
assert_bad(const char *message, size_t len, const char *why)
{
	static const char before[] = "{\"Messages\":[" MESSAGE("\"a\"", "") ",";
	static const char after[] = "," MESSAGE("\"z\"", "") "]}";
	struct buf b = {0};
	struct sqs_json j;

	buf_add(&b, before, sizeof(before) - 1);
	buf_add(&b, message, len);
	buf_add(&b, after, sizeof(after) - 1);
	j = parse_messages(b.data, b.len);
	assert_int_equal(3, j.count);
	assert_null(j.messages[0].bad);
	assert_null(j.messages[2].bad);
	assert_non_null(j.messages[1].bad);
	assert_string_equal(why, j.messages[1].bad);
	sqs_json_free(&j);
	buf_free(&b);
}

static void
test_bad_messages(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
	    {"7", "no message id"},
	    {"{}", "no message id"},
	    {"{\"MessageId\":\"1\",\"Body\":\"a\"}", "no receipt handle"},
	    {"{\"MessageId\":\"1\",\"ReceiptHandle\":\"r\"}", "no body"},
	    {"{\"MessageId\":\"1\",\"ReceiptHandle\":\"r\",\"Body\":1}",
		"no body"},
	    {"{\"MessageId\":\"1\",\"ReceiptHandle\":\"r\",\"Body\":\"a\"}",
		"no SentTimestamp"},
	    {"{\"MessageId\":\"1\",\"ReceiptHandle\":\"r\",\"Body\":\"a\","
	     "\"Attributes\":{\"SentTimestamp\":\"-1\"}}",
		"no SentTimestamp"},
	    {MESSAGE("\"a\\u0000\"", ""),
		"the body is not Unicode without NUL"},
	    {MESSAGE("\"b\"", "," MD5_OF_A),
		"the body's MD5 is not the one it came with"},
	    {MESSAGE("\"a\\ud800\"", "," MD5_OF_A),
		"the body is not Unicode without NUL"},
	    {MESSAGE("\"a\\ud800\\u0041\"", ""),
		"the body is not Unicode without NUL"},
	    {MESSAGE("\"a\\udc00\"", ""),
		"the body is not Unicode without NUL"},
	    {MESSAGE("\"a\xff\"", ""), "the body is not Unicode without NUL"},
	    {MESSAGE("\"a\"",
		 ",\"MessageAttributes\":{\"t\":{\"DataType\":"
		 "\"String\",\"StringValue\":\"\xc3\"}}"),
		"a message attribute is not Unicode without NUL"},
	    {MESSAGE("\"a\"",
		 ",\"MessageAttributes\":{\"t\":{\"DataType\":"
		 "\"String\",\"StringValue\":\"\\u0000\"}}"),
		"a message attribute is not Unicode without NUL"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_bad(cases[i].text, strlen(cases[i].text), cases[i].why);
}

static void
test_surrogates_stay(void **state)
{
	struct sqs_json j =
	    parse("{\"Messages\":[" MESSAGE("\"\\ud83d\\ude00\\\\ud800\"",
		"") "," MESSAGE("\"\\ud800\"", "") "]}");

	(void)state;
	assert_string_equal("\xf0\x9f\x98\x80\\ud800", j.messages[0].body);
	assert_null(j.messages[0].bad);
	assert_non_null(j.messages[1].bad);
	sqs_json_free(&j);
}

static void
test_results(void **state)
{
	static const char text[] =
	    "{\"Successful\":[{\"Id\":\"2\","
	    "\"MessageId\":\"m2\"},{\"Id\":\"9\"},{\"Id\":\"x\"},7],"
	    "\"Failed\":[{\"Id\":\"0\",\"SenderFault\":true,"
	    "\"Code\":\"Bad\",\"Message\":\"no\\u0007\"}]}";
	struct sqs_json j = {0};

	(void)state;
	assert_int_equal(0, sqs_json_results(&j, text, strlen(text), 3, NULL));
	assert_int_equal(3, j.count);
	assert_false(j.results[0].ok);
	assert_true(j.results[0].sender_fault);
	assert_string_equal("Bad: no\\a", j.results[0].reason);
	assert_false(j.results[1].ok);
	assert_false(j.results[1].sender_fault);
	assert_string_equal("the answer does not say", j.results[1].reason);
	assert_true(j.results[2].ok);
	assert_string_equal("m2", j.results[2].message_id);
	sqs_json_free(&j);
	assert_int_equal(-1, sqs_json_results(&j, "{}", 2, 3, NULL));
	sqs_json_free(&j);
}

static void
test_depth(void **state)
{
	static const char good[] =
	    "{\"Attributes\":{\"ApproximateNumberOfMessages\":\"12\","
	    "\"ApproximateNumberOfMessagesNotVisible\":\"3\","
	    "\"ApproximateNumberOfMessagesDelayed\":\"0\"}}";
	static const char *const bad[] = {"", "{}", "[]",
	    "{\"Attributes\":{\"ApproximateNumberOfMessages\":\"12\"}}",
	    "{\"Attributes\":{\"ApproximateNumberOfMessages\":12,"
	    "\"ApproximateNumberOfMessagesNotVisible\":3,"
	    "\"ApproximateNumberOfMessagesDelayed\":0}}"};
	struct sqs_json j = {0};
	struct err e;

	(void)state;
	assert_int_equal(0, sqs_json_depth(&j, good, strlen(good), &e));
	assert_int_equal(12, j.depth.waiting);
	assert_int_equal(3, j.depth.in_flight);
	assert_int_equal(0, j.depth.delayed);
	sqs_json_free(&j);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
		    -1, sqs_json_depth(&j, bad[i], strlen(bad[i]), &e));
		assert_true(e.temporary);
		sqs_json_free(&j);
	}
}

static void
test_errors(void **state)
{
	static const struct {
		int status;
		const char *text, *msg;
		bool temporary;
	} cases[] = {
	    {400,
		"{\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\","
		"\"message\":\"The specified queue does not exist.\"}",
		"there is no such queue (QueueDoesNotExist: "
		"The specified queue does not exist)",
		false},
	    {400, "{\"__type\":\"AccessDeniedException\",\"Message\":\"x\"}",
		"access denied (AccessDeniedException: x)", false},
	    {403, "{\"__type\":\"a.b#InvalidSignatureException\"}",
		"the signature is refused: check the secret key and the clock"
		" (InvalidSignatureException)",
		false},
	    {400, "{\"__type\":\"ThrottlingException\"}",
		"throttled (ThrottlingException)", true},
	    {400, "{\"__type\":\"com.amazonaws.sqs#OverLimit\"}",
		"too many messages are in flight (OverLimit)", true},
	    {500, "{\"__type\":\"Odd\",\"message\":\"a\\nb\"}", "Odd: a\\nb",
		true},
	    {400, "{\"__type\":\"Odd\"}", "Odd", false},
	    {503, "<html>", "status 503, and the answer is not one of SQS",
		true},
	    {429, "", "status 429, and the answer is not one of SQS", true},
	    {404, "[]", "status 404, and the answer is not one of SQS", false},
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(-1,
		    sqs_json_error(cases[i].status, cases[i].text,
			strlen(cases[i].text), &e));
		assert_string_equal(cases[i].msg, e.msg);
		assert_int_equal(cases[i].temporary, e.temporary);
	}
}

static void
test_entries(void **state)
{
	const struct sqs_attribute a[] = {{"type", "x\"y"}, {"n", "1"}};
	const struct sqs_entry entries[] = {
	    {.body = "{\"a\":1}\n",
		.body_len = 8,
		.attributes = a,
		.attribute_count = 2},
	    {.body = "b", .body_len = 1, .group = "g", .dedup = "d"},
	};
	struct buf b = {0};

	(void)state;
	assert_int_equal(8 + 4 + 3 + 6 + 1 + 1 + 6, sqs_size(&entries[0]));
	sqs_json_send(&b, entries, 2);
	assert_string_equal(
	    "\"Entries\":[{\"Id\":\"0\",\"MessageBody\":"
	    "\"{\\\"a\\\":1}\\n\",\"MessageAttributes\":{"
	    "\"type\":{\"DataType\":\"String\",\"StringValue\":\"x\\\"y\"},"
	    "\"n\":{\"DataType\":\"String\",\"StringValue\":\"1\"}}},"
	    "{\"Id\":\"1\",\"MessageBody\":\"b\",\"MessageGroupId\":\"g\","
	    "\"MessageDeduplicationId\":\"d\"}],",
	    b.data);
	buf_clear(&b);
	sqs_json_delete(&b, (const char *const[]){"r1", "r2"}, 2);
	assert_string_equal("\"Entries\":[{\"Id\":\"0\",\"ReceiptHandle\":"
			    "\"r1\"},{\"Id\":\"1\",\"ReceiptHandle\":\"r2\"}],",
	    b.data);
	buf_free(&b);
}

static void
assert_check(const char *body, size_t len, const char *value, const char *why)
{
	const struct sqs_attribute a = {"type", value};
	const struct sqs_entry entry = {.body = body,
	    .body_len = len,
	    .attributes = &a,
	    .attribute_count = value != NULL};
	struct err e = {.msg = "fine"};

	assert_int_equal(why == NULL ? 0 : -1, sqs_check(&entry, &e));
	if (why != NULL && strstr(e.msg, why) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", why, e.msg);
}

static void
test_check(void **state)
{
	char *big = malloc(SQS_MESSAGE_MAX + 1);

	(void)state;
	assert_non_null(big);
	memset(big, 'x', SQS_MESSAGE_MAX + 1);
	assert_check("\t\r\n \x7f\xf0\x9f\x98\x80\xef\xbf\xbd", 12, "x", NULL);
	assert_check(big, SQS_MESSAGE_MAX, NULL, NULL);
	assert_check(big, SQS_MESSAGE_MAX, "x", "more than the 1048576");
	assert_check(big, SQS_MESSAGE_MAX + 1, NULL, "1048577 bytes");
	assert_check("", 0, NULL, "body: empty");
	assert_check("x", 1, "", "type: empty");
	assert_check("ab\x01", 3, NULL, "byte 3 begins U+0001");
	assert_check("a\0b", 3, NULL, "byte 2 begins U+0000");
	assert_check("a\xef\xbf\xbe", 4, NULL, "byte 2 begins U+FFFE");
	assert_check("\xef\xbf\xbf", 3, NULL, "byte 1 begins U+FFFF");
	assert_check("\xed\xa0\x80", 3, NULL, "not UTF-8");
	assert_check("x", 1, "a\x1b[m", "type: byte 2");
	free(big);
}

static void
test_regions(void **state)
{
	static const struct {
		const char *url, *region; /* NULL: not Amazon's */
	} cases[] = {
	    {"https://sqs.eu-west-1.amazonaws.com/1/q", "eu-west-1"},
	    {"https://SQS.eu-west-1.amazonaws.com/", "eu-west-1"},
	    {"https://sqs-fips.us-west-1.amazonaws.com/1/q", "us-west-1"},
	    {"https://sqs.cn-north-1.amazonaws.com.cn:443/", "cn-north-1"},
	    {"https://sqs.us-east-2.api.aws/1/q", "us-east-2"},
	    {"https://vpce-1-a.sqs.us-east-2.vpce.amazonaws.com/1/q",
		"us-east-2"},
	    {"https://eu-west-2.queue.amazonaws.com/1/q", "eu-west-2"},
	    {"https://queue.amazonaws.com/1/q", "us-east-1"},
	    {"https://x.amazonaws.com/1/q", ""},
	    {"https://sqs.amazonaws.com/1/q", ""},
	    {"http://127.0.0.1:9324/000000000000/q", NULL},
	    {"https://sqs.eu-west-1.amazonaws.com.example/1/q", NULL},
	    {"https://evil.example/sqs.eu-west-1.amazonaws.com", NULL},
	};
	char region[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		region[0] = '\0';
		assert_int_equal(cases[i].region != NULL,
		    sqs_url_region(cases[i].url, region, sizeof(region)));
		assert_string_equal(
		    cases[i].region == NULL ? "" : cases[i].region, region);
	}
}

static void
assert_owned(const char *expected, char *s)
{
	assert_non_null(s);
	assert_string_equal(expected, s);
	free(s);
}

static void
test_urls(void **state)
{
	static const char *const bad[] = {"ftp://h/1/q", "http:///q", "h/1/q",
	    "http://u:p@h/1/q", "http://h/1/q?x", "http://h/1/q#x",
	    "http://h/1/q q", "http://h/\n", "http://h/\xc3\xbc"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(-1, sqs_url_check("queue", bad[i], NULL));
	assert_int_equal(0, sqs_url_check("queue", "HTTP://[::1]:1/0/q", NULL));
	assert_owned("http://h:1/", sqs_url_base("http://h:1/0/events"));
	assert_owned("http://h/", sqs_url_base("http://h/events"));
	assert_owned("http://h/", sqs_url_base("http://h"));
	assert_owned("http://h/a/b/", sqs_url_base("http://h/a/b/0/events"));
	assert_owned("http://h/", sqs_url_endpoint("http://h"));
	assert_owned("http://h/a/", sqs_url_endpoint("http://h/a//"));
	assert_owned("https://sqs.eu-west-1.amazonaws.com/",
	    sqs_url_amazon("eu-west-1"));
	assert_owned("https://sqs.cn-north-1.amazonaws.com.cn/",
	    sqs_url_amazon("cn-north-1"));
	assert_true(sqs_url_signable("http://h:1/a/~b_-.c/"));
	assert_false(sqs_url_signable("http://h/a%20b/"));
	assert_false(sqs_url_signable("http://h/a:b/"));
	assert_false(sqs_url_signable("http://h/a//b/"));
	assert_false(sqs_url_signable("http://h/../b/"));
}

static void
test_names(void **state)
{
	char name[82];

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[81] = '\0';
	assert_int_equal(-1, sqs_url_check_name(name, NULL));
	assert_int_equal(0, sqs_url_check_name(name + 1, NULL));
	assert_int_equal(0, sqs_url_check_name("Ev_1-x.fifo", NULL));
	assert_int_equal(-1, sqs_url_check_name("", NULL));
	assert_int_equal(-1, sqs_url_check_name(".fifo", NULL));
	assert_int_equal(-1, sqs_url_check_name("a/b", NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_message),
	    cmocka_unit_test(test_no_messages),
	    cmocka_unit_test(test_other_shapes),
	    cmocka_unit_test(test_bad_messages),
	    cmocka_unit_test(test_surrogates_stay),
	    cmocka_unit_test(test_results),
	    cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_entries),
	    cmocka_unit_test(test_check),
	    cmocka_unit_test(test_regions),
	    cmocka_unit_test(test_urls),
	    cmocka_unit_test(test_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
