/* SPDX-License-Identifier: ISC */
/* Each way in which a server can fail ends soon, with the right word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "http-client.h"

/* The deadline of what is to run into it. */
#define SOON_MS 300

static void
test_words(void **state)
{
	(void)state;
	assert_string_equal("timeout", http_error_word(HTTP_TIMEOUT));
	assert_string_equal("dns", http_error_word(HTTP_DNS));
	assert_string_equal("connect", http_error_word(HTTP_CONNECT));
	assert_string_equal("tls", http_error_word(HTTP_TLS));
	assert_string_equal("blocked", http_error_word(HTTP_BLOCKED));
	assert_string_equal("reset", http_error_word(HTTP_RESET));
	assert_string_equal("protocol", http_error_word(HTTP_PROTOCOL));
}

/*
 * On a fresh connection and on one that was used before: each time the server
 * gets the request once.
 */
static void
assert_ends(const char *path, enum http_error error)
{
	struct http_request rq = client_request();
	struct client c;

	if (error == HTTP_TIMEOUT)
		rq.timeout_ms = SOON_MS;
	for (unsigned before = 0; before < 2; before++) {
		client_init(&c, "127.0.0.1");
		if (before == 1)
			client_ask(&c, "/ok");
		client_start(&c, path, rq);
		client_wait(&c);
		assert_answer(&c, error, 0);
		assert_int_equal(before + 1, c.server.requests);
		/* It has left nothing behind. */
		client_ask(&c, "/ok");
		assert_answer(&c, HTTP_OK, 200);
		assert_int_equal(before + 2, c.server.requests);
		client_free(&c);
	}
}

static void
test_timeouts(void **state)
{
	(void)state;
	assert_ends("/stall", HTTP_TIMEOUT);
	assert_ends("/stall-head", HTTP_TIMEOUT);
	assert_ends("/stall-body", HTTP_TIMEOUT);
	assert_ends("/drip", HTTP_TIMEOUT);
	assert_ends("/drip-head", HTTP_TIMEOUT);
}

static void
test_resets(void **state)
{
	(void)state;
	assert_ends("/reset", HTTP_RESET);
	assert_ends("/none", HTTP_RESET);
	assert_ends("/short", HTTP_RESET);
	assert_ends("/half", HTTP_RESET);
	assert_ends("/half-status", HTTP_RESET);
	assert_ends("/only-status", HTTP_RESET);
	assert_ends("/only-early", HTTP_RESET);
	assert_ends("/only-continue", HTTP_RESET);
	assert_ends("/bad-chunk", HTTP_RESET);
}

static void
test_protocol(void **state)
{
	(void)state;
	assert_ends("/old", HTTP_PROTOCOL);
	assert_ends("/no-number", HTTP_PROTOCOL);
	assert_ends("/negative", HTTP_PROTOCOL);
	assert_ends("/switch", HTTP_PROTOCOL);
	assert_ends("/headers", HTTP_PROTOCOL);
	assert_ends("/line", HTTP_PROTOCOL);
	assert_ends("/continue", HTTP_PROTOCOL);
	assert_ends("/trailers", HTTP_PROTOCOL);
}

static void
test_flood(void **state)
{
	struct http_request rq = client_request();
	struct client c;

	(void)state;
	client_init(&c, "127.0.0.1");
	client_start(&c, "/flood", rq);
	client_wait(&c);
	assert_answer(&c, HTTP_OK, 200);
	assert_int_equal(1024, c.answer.body_len);
	rq.read_all = true;
	client_start(&c, "/flood", rq);
	client_wait(&c);
	assert_answer(&c, HTTP_PROTOCOL, 0);
	client_ask(&c, "/ok");
	assert_answer(&c, HTTP_OK, 200);
	assert_int_equal(3, c.server.accepted);
	client_free(&c);
}

/* The connection ends just when it is used again. */
static void
test_bye(void **state)
{
	struct client c;

	(void)state;
	client_init(&c, "127.0.0.1");
	for (unsigned i = 1; i <= 20; i++) {
		client_ask(&c, "/bye");
		assert_answer(&c, HTTP_OK, 200);
		client_ask(&c, "/ok");
		assert_answer(&c, HTTP_RESET, 0);
		assert_int_equal(2 * i, c.server.requests);
		assert_int_equal(i, c.server.accepted);
	}
	client_free(&c);
}

/* As before, and the server cannot be reached any more: still a reset. */
static void
test_bye_and_gone(void **state)
{
	struct client c;

	(void)state;
	client_init(&c, "127.0.0.1");
	client_ask(&c, "/bye");
	evconnlistener_free(c.server.listener);
	c.server.listener = NULL;
	client_ask(&c, "/ok");
	assert_answer(&c, HTTP_RESET, 0);
	client_free(&c);
}

/* It ended while it was idle: what was not sent goes to another. */
static void
test_leave(void **state)
{
	struct client c;

	(void)state;
	client_init(&c, "127.0.0.1");
	for (unsigned i = 1; i <= 20; i++) {
		client_ask(&c, "/leave");
		assert_answer(&c, HTTP_OK, 200);
		assert_int_equal(i, c.server.accepted);
		while (!LIST_EMPTY(&c.server.peers))
			event_base_loop(c.loop.base, EVLOOP_ONCE);
	}
	assert_int_equal(20, c.server.requests);
	client_free(&c);
}

static void
assert_tls(enum manner manner, enum http_error error)
{
	struct http_request rq = client_request();
	struct client c;
	char url[64];

	client_init(&c, "127.0.0.1");
	c.server.tls = manner;
	if (error == HTTP_TIMEOUT)
		rq.connect_ms = SOON_MS;
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", c.server.port);
	client_start(&c, url, rq);
	client_wait(&c);
	assert_answer(&c, error, 0);
	assert_int_equal(1, c.server.requests);
	client_free(&c);
}

static void
test_tls(void **state)
{
	(void)state;
	assert_tls(REPEAT, HTTP_TLS); /* an answer that is no TLS */
	assert_tls(CLOSE, HTTP_TLS);
	assert_tls(RESET, HTTP_TLS);
	assert_tls(KEEP, HTTP_TIMEOUT);
}

static void
test_connect(void **state)
{
	struct client c;

	(void)state;
	client_init(&c, "127.0.0.1");
	evconnlistener_free(c.server.listener);
	c.server.listener = NULL;
	client_ask(&c, "/ok");
	assert_answer(&c, HTTP_CONNECT, 0);
	assert_string_equal("127.0.0.1", c.answer.address);
	client_ask(&c, "http:///");
	assert_answer(&c, HTTP_PROTOCOL, 0);
	client_ask(&c, "ftp://127.0.0.1/");
	assert_answer(&c, HTTP_PROTOCOL, 0);
	client_free(&c);
}

/* That no socket is left here is said, as it is not the server's fault. */
static void
test_no_files(void **state)
{
	struct rlimit before, none;
	struct client c;

	(void)state;
	client_init(&c, "127.0.0.1");
	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	client_ask(&c, "/ok");
	setrlimit(RLIMIT_NOFILE, &before);
	assert_answer(&c, HTTP_CONNECT, 0);
	assert_string_equal("Too many open files", c.answer.detail);
	client_free(&c);
}

static void
test_blocked(void **state)
{
	struct client c;
	char url[64];

	(void)state;
	client_init(&c, "10.0.0.0/8");
	client_ask(&c, "/ok");
	assert_answer(&c, HTTP_BLOCKED, 0);
	assert_string_equal("127.0.0.1", c.answer.address);
	snprintf(url, sizeof(url), "http://localhost:%d/ok", c.server.port);
	client_ask(&c, url);
	assert_answer(&c, HTTP_BLOCKED, 0);
	client_ask(&c, "http://[::ffff:127.0.0.1]/");
	assert_answer(&c, HTTP_BLOCKED, 0);
	client_ask(&c, "http://0x7f.1/");
	assert_answer(&c, HTTP_BLOCKED, 0);
	client_ask(&c, "http://169.254.169.254/latest/");
	assert_answer(&c, HTTP_BLOCKED, 0);
	assert_int_equal(0, c.server.accepted);
	client_free(&c);
}

/* One of two addresses may be dialled. */
static void
test_half_blocked(void **state)
{
	struct client c;
	char url[64];

	(void)state;
	client_init(&c, "127.0.0.1");
	snprintf(url, sizeof(url), "http://localhost:%d/ok", c.server.port);
	client_ask(&c, url);
	assert_answer(&c, HTTP_OK, 200);
	client_free(&c);
}

static void
test_dns(void **state)
{
	struct http_request rq = client_request();
	struct client c;

	(void)state;
	client_init(&c, "127.0.0.1");
	client_start(&c, "http://name.invalid/", rq);
	client_wait(&c);
	/* Without a network it may also take its time. */
	if (c.answer.error != HTTP_TIMEOUT)
		assert_answer(&c, HTTP_DNS, 0);
	assert_string_equal("", c.answer.address);
	rq.timeout_ms = 1;
	client_start(&c, "http://other.invalid/", rq);
	client_wait(&c);
	client_start(&c, "http://third.invalid/", rq);
	event_base_loop(c.loop.base, EVLOOP_NONBLOCK);
	client_free(&c); /* while it is being looked up */
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_timeouts),
	    cmocka_unit_test(test_resets),
	    cmocka_unit_test(test_protocol),
	    cmocka_unit_test(test_flood),
	    cmocka_unit_test(test_bye),
	    cmocka_unit_test(test_bye_and_gone),
	    cmocka_unit_test(test_leave),
	    cmocka_unit_test(test_tls),
	    cmocka_unit_test(test_connect),
	    cmocka_unit_test(test_no_files),
	    cmocka_unit_test(test_blocked),
	    cmocka_unit_test(test_half_blocked),
	    cmocka_unit_test(test_dns),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
