/* SPDX-License-Identifier: ISC */
/* What http.c does while servers behave; http-faults.c has the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http-client.h"

static void
test_post(void **state)
{
	struct client c;

	(void)state;
	client_init(&c, "127.0.0.1");
	client_ask(&c, "/ok?a=b");
	assert_answer(&c, HTTP_OK, 200);
	assert_string_equal("ok", c.body);
	assert_int_equal(2, c.answer.body_len);
	assert_string_equal("127.0.0.1", c.answer.address);
	assert_string_equal("", c.answer.retry_after);
	assert_int_equal(0, c.answer.headers_len);
	assert_non_null(
	    strstr(c.server.last.data, "POST /ok?a=b HTTP/1.1\r\n"));
	assert_non_null(
	    strstr(c.server.last.data, "\r\ncontent-type: text/plain\r\n"));
	assert_non_null(strstr(c.server.last.data, "\r\nUser-Agent: whk/test"));
	assert_non_null(strstr(c.server.last.data, "\r\n\r\nbody"));
	client_free(&c);
}

static void
test_methods(void **state)
{
	struct http_request rq = client_request();
	struct client c;

	(void)state;
	client_init(&c, "127.0.0.1");
	rq.method = "PUT";
	client_start(&c, "/ok", rq);
	client_wait(&c);
	assert_memory_equal("PUT ", c.server.last.data, 4);
	rq.method = "GET";
	rq.body = NULL;
	rq.body_len = rq.header_count = 0;
	client_start(&c, "/ok", rq);
	client_wait(&c);
	assert_memory_equal("GET ", c.server.last.data, 4);
	assert_null(strcasestr(c.server.last.data, "content-"));
	rq.method = "POST";
	client_start(&c, "/ok", rq);
	client_wait(&c);
	assert_memory_equal("POST ", c.server.last.data, 5);
	assert_non_null(
	    strcasestr(c.server.last.data, "content-length: 0\r\n"));
	assert_answer(&c, HTTP_OK, 200);
	client_free(&c);
}

/* Over a megabyte, libcurl would ask before it sends. */
static void
test_large_body(void **state)
{
	struct http_request rq = client_request();
	size_t len = 3 << 20;
	char *body = malloc(len);
	struct client c;

	(void)state;
	assert_non_null(body);
	memset(body, 'b', len);
	client_init(&c, "127.0.0.1");
	rq.body = body;
	rq.body_len = len;
	client_start(&c, "/ok", rq);
	client_wait(&c);
	assert_answer(&c, HTTP_OK, 200);
	assert_null(strcasestr(c.server.last.data, "expect:"));
	assert_memory_equal(
	    body, c.server.last.data + c.server.last.len - len, len);
	client_free(&c);
	free(body);
}

static void
test_reuse(void **state)
{
	struct client c;

	(void)state;
	client_init(&c, "127.0.0.1");
	client_ask(&c, "/ok");
	assert_true(c.answer.connect_us > 0);
	for (int i = 0; i < 50; i++) {
		client_ask(&c, "/ok");
		assert_answer(&c, HTTP_OK, 200);
		assert_int_equal(0, c.answer.dns_us);
		assert_int_equal(0, c.answer.connect_us);
		assert_int_equal(0, c.answer.tls_us);
		assert_true(c.answer.wait_us > 0);
		assert_true(c.answer.total_us >= c.answer.wait_us);
		assert_string_equal("127.0.0.1", c.answer.address);
	}
	assert_int_equal(1, c.server.accepted);
	assert_int_equal(51, c.server.requests);
	client_free(&c);
}

static void
test_many(void **state)
{
	struct client c;

	(void)state;
	client_init(&c, "127.0.0.1");
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 300; i++)
			client_start(&c, "/ok", client_request());
		assert_int_equal(300, http_active(c.http));
		client_wait(&c);
		assert_answer(&c, HTTP_OK, 200);
	}
	assert_int_equal(900, c.server.requests);
	client_free(&c);
}

/* Answers whose status or form is unusual, and right. */
static void
test_answers(void **state)
{
	struct http_request rq = client_request();
	struct client c;

	(void)state;
	client_init(&c, "127.0.0.1");
	client_ask(&c, "/redirect");
	assert_answer(&c, HTTP_OK, 302);
	assert_memory_equal("POST /redirect", c.server.last.data, 14);
	client_ask(&c, "/gzip");
	assert_answer(&c, HTTP_OK, 200);
	assert_string_equal("ok", c.body);
	client_ask(&c, "/chunks");
	assert_answer(&c, HTTP_OK, 200);
	assert_string_equal("ok", c.body);
	client_ask(&c, "/until-close");
	assert_answer(&c, HTTP_OK, 200);
	assert_string_equal("ok", c.body);
	client_ask(&c, "/more");
	assert_answer(&c, HTTP_OK, 200);
	assert_string_equal("ok", c.body);
	client_ask(&c, "/retry");
	assert_answer(&c, HTTP_OK, 503);
	assert_string_equal("120", c.answer.retry_after);
	rq.verbose_headers = true;
	client_start(&c, "/early", rq);
	client_wait(&c);
	assert_answer(&c, HTTP_OK, 500);
	assert_string_equal("", c.answer.retry_after);
	assert_string_equal(
	    "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", c.headers);
	client_free(&c);
}

static void
test_limits(void **state)
{
	struct http_request rq = client_request();
	struct client c;

	(void)state;
	client_init(&c, "127.0.0.1");
	rq.keep_max = 1;
	client_start(&c, "/ok", rq);
	client_wait(&c);
	assert_answer(&c, HTTP_OK, 200);
	assert_string_equal("o", c.body);
	rq.read_max = 2;
	rq.read_all = true;
	client_start(&c, "/ok", rq);
	client_wait(&c);
	assert_answer(&c, HTTP_OK, 200);
	rq.read_max = 1;
	client_start(&c, "/ok", rq);
	client_wait(&c);
	assert_answer(&c, HTTP_PROTOCOL, 0);
	rq.read_all = false;
	client_start(&c, "/ok", rq);
	client_wait(&c);
	assert_answer(&c, HTTP_OK, 200);
	assert_string_equal("o", c.body);
	client_free(&c);
}

/* Signed and unsigned requests do not get into each other's way. */
static void
test_sigv4(void **state)
{
	static const struct http_sigv4 v4 = {.region = "eu-west-1",
	    .service = "sqs",
	    .key = "AKIDEXAMPLE",
	    .secret = "se:cr/et",
	    .token = "to+ken=="};
	struct http_request plain = client_request(), rq = plain;
	const char *last;
	struct client c;

	(void)state;
	client_init(&c, "127.0.0.1");
	rq.sigv4 = &v4;
	for (int i = 0; i < 2; i++) {
		client_start(&c, "/ok", rq);
		client_wait(&c);
		last = c.server.last.data;
		assert_non_null(strstr(last,
		    "\r\nAuthorization: AWS4-HMAC-SHA256 "
		    "Credential=AKIDEXAMPLE/"));
		assert_non_null(strstr(last, "/eu-west-1/sqs/aws4_request, "));
		assert_non_null(strstr(last,
		    "SignedHeaders=content-type;host;x-amz-date;"
		    "x-amz-security-token, Signature="));
		assert_non_null(
		    strstr(last, "\r\nx-amz-security-token: to+ken==\r\n"));
		assert_non_null(strcasestr(last, "\r\nx-amz-date: 20"));
		client_start(&c, "/ok", plain);
		client_wait(&c);
		last = c.server.last.data;
		assert_null(strcasestr(last, "\r\nauthorization:"));
		assert_null(strcasestr(last, "\r\nx-amz"));
	}
	assert_int_equal(1, c.server.accepted);
	client_free(&c);
}

struct chain {
	struct client c;
	int left;
	bool free;
};

static void
on_chain(void *arg, const struct http_answer *a)
{
	struct chain *t = arg;
	struct http_request rq = client_request();
	char url[64];

	assert_int_equal(HTTP_OK, a->error);
	if (t->left-- == 0) {
		if (t->free) {
			http_free(t->c.http);
			t->c.http = NULL;
		}
		loop_break(&t->c.loop);
		return;
	}
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/ok", t->c.server.port);
	rq.url = url;
	assert_int_equal(0, http_start(t->c.http, &rq, on_chain, t, NULL));
	/* The answer outlives that. */
	assert_string_equal("ok", a->body);
}

static void
test_start_inside(void **state)
{
	const struct http_answer none = {.error = HTTP_OK, .body = "ok"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct chain t = {.left = 20, .free = i == 1};

		client_init(&t.c, "127.0.0.1");
		t.left = 20;
		on_chain(&t, &none);
		assert_int_equal(0, loop_run(&t.c.loop, NULL));
		assert_int_equal(20, t.c.server.requests);
		assert_int_equal(1, t.c.server.accepted);
		client_free(&t.c);
	}
}

static void
test_free_active(void **state)
{
	struct client c;

	(void)state;
	client_init(&c, "127.0.0.1");
	client_start(&c, "/ok", client_request());
	http_free(c.http); /* before anything was done */
	c.http = http_new(c.loop.base, 10, NULL, "whk/test", NULL);
	client_start(&c, "/stall", client_request());
	client_start(&c, "/drip", client_request());
	while (c.server.requests < 2)
		event_base_loop(c.loop.base, EVLOOP_ONCE);
	assert_int_equal(2, http_active(c.http));
	client_free(&c);
	assert_int_equal(0, c.answered);
	http_free(NULL);
}

static void
test_urls(void **state)
{
	static const char *const good[] = {"http://a", "https://a.example/b?c",
	    "HTTP://127.0.0.1:80/", "https://[::1]:8443/x", NULL};
	static const char *const bad[] = {"", "a", "/a", "a.example/b",
	    "ftp://a/", "file:///etc/passwd", "http://", "http://u@a/",
	    "http://u:p@a/", "http://:p@a/", "http://a b/", "http://a:99999/",
	    "http://a:b/", "https://[::1/", NULL};
	struct err e;

	(void)state;
	for (size_t i = 0; good[i] != NULL; i++)
		if (http_check_url(good[i], &e) < 0)
			fail_msg("%s: %s", good[i], e.msg);
	for (size_t i = 0; bad[i] != NULL; i++)
		if (http_check_url(bad[i], &e) == 0)
			fail_msg("%s was taken", bad[i]);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_post),
	    cmocka_unit_test(test_methods),
	    cmocka_unit_test(test_large_body),
	    cmocka_unit_test(test_reuse),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_sigv4),
	    cmocka_unit_test(test_start_inside),
	    cmocka_unit_test(test_free_active),
	    cmocka_unit_test(test_urls),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
