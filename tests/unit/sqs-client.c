/* SPDX-License-Identifier: ISC */
/* The client of sqs.h against a server on the same loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <event2/buffer.h>
#include <event2/event.h>

#include "http.h"
#include "sqs.h"

/* After http.h, as both have an HTTP_OK. */
#include <event2/http.h>

#define ONE                                                                    \
	"{\"Messages\":[{\"MessageId\":\"1\",\"ReceiptHandle\":\"r\","         \
	"\"Body\":\"b\",\"Attributes\":{\"SentTimestamp\":\"1\"}}]}"
#define DELETED "{\"Successful\":[{\"Id\":\"0\"}]}"

/* Everything a test has; one at a time. */
struct world {
	struct event_base *base;
	struct evhttp *server;
	char url[64], queue[96];
	struct http *http;
	struct sqs *sqs;
	bool hang;     /* the server does not answer */
	bool no_queue; /* it knows none */
	int drops;     /* connections that it closes without an answer */
	ev_uint16_t port;
	int requests, resolutions;
	char last[512]; /* body of the last request */
	int received, messages, failures, again;
	bool free_it; /* in the next callback */
	struct err error;
};

static void
answer(struct evhttp_request *rq, int status, const char *text)
{
	struct evbuffer *b = evbuffer_new();

	assert_non_null(b);
	evbuffer_add(b, text, strlen(text));
	evhttp_send_reply(rq, status, NULL, b);
	evbuffer_free(b);
}

static void
serve(struct evhttp_request *rq, void *arg)
{
	struct world *w = arg;
	const char *target = evhttp_find_header(
	    evhttp_request_get_input_headers(rq), "X-Amz-Target");
	struct evbuffer *in = evhttp_request_get_input_buffer(rq);
	ssize_t n = evbuffer_copyout(in, w->last, sizeof(w->last) - 1);
	char text[256];

	w->last[n < 0 ? 0 : n] = '\0';
	w->requests++;
	if (w->hang)
		return;
	if (w->drops > 0) {
		w->drops--;
		evhttp_connection_free(evhttp_request_get_connection(rq));
		return;
	}
	assert_string_equal("/", evhttp_request_get_uri(rq));
	if (strcmp(target, "AmazonSQS.GetQueueUrl") == 0) {
		w->resolutions++;
		snprintf(text, sizeof(text), "{\"QueueUrl\":\"http://x/0/q\"}");
		answer(rq, w->no_queue ? 400 : 200,
		    w->no_queue ? "{\"__type\":\"a#QueueDoesNotExist\"}"
				: text);
	} else if (strcmp(target, "AmazonSQS.ReceiveMessage") == 0) {
		answer(rq, 200, ONE);
	} else {
		answer(rq, 200, DELETED);
	}
}

static void
finish(struct world *w)
{
	if (w->free_it) {
		w->free_it = false;
		sqs_free(w->sqs);
		w->sqs = NULL;
	}
}

static void
received(void *arg, const struct err *e, const struct sqs_message *messages,
    size_t count)
{
	struct world *w = arg;

	if (e != NULL) {
		w->failures++;
		w->error = *e;
	}
	w->received++;
	w->messages += (int)count;
	finish(w);
	/* What came is still there. */
	for (size_t i = 0; i < count; i++)
		assert_string_equal("b", messages[i].body);
	if (w->sqs != NULL && w->again-- > 0)
		assert_int_equal(
		    0, sqs_receive(w->sqs, 10, 0, -1, received, w, NULL));
}

static void
deleted(void *arg, const struct err *e, const struct sqs_result *results,
    size_t count)
{
	struct world *w = arg;

	assert_null(e);
	assert_int_equal(1, count);
	assert_true(results[0].ok);
	w->received++;
	finish(w);
}

static void
receive(struct world *w)
{
	struct err e = {0};

	if (sqs_receive(w->sqs, 10, 0, -1, received, w, &e) == -1)
		fail_msg("%s", e.msg);
}

/* Runs until n callbacks have come. */
static void
await(struct world *w, int n)
{
	while (w->received < n && event_base_loop(w->base, EVLOOP_ONCE) == 0)
		;
	assert_int_equal(n, w->received);
}

/* Runs until the server has had n requests. */
static void
await_requests(struct world *w, int n)
{
	while (w->requests < n && event_base_loop(w->base, EVLOOP_ONCE) == 0)
		;
}

static void
open_queue(struct world *w, const char *queue)
{
	struct err e = {0};

	w->sqs = sqs_new(w->base, w->http, queue, &e);
	if (w->sqs == NULL)
		fail_msg("%s", e.msg);
}

static void
start_server(struct world *w)
{
	struct evhttp_bound_socket *bound;
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	w->server = evhttp_new(w->base);
	assert_non_null(w->server);
	evhttp_set_gencb(w->server, serve, w);
	bound = evhttp_bind_socket_with_handle(w->server, "127.0.0.1", w->port);
	assert_non_null(bound);
	assert_int_equal(0,
	    getsockname(evhttp_bound_socket_get_fd(bound),
		(struct sockaddr *)&sa, &len));
	w->port = ntohs(((struct sockaddr_in *)(void *)&sa)->sin_port);
	snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%d", w->port);
	snprintf(w->queue, sizeof(w->queue), "%s/000000000000/events", w->url);
}

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	setenv("AWS_CONFIG_FILE", "/dev/null", 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
	unsetenv("AWS_PROFILE");
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	w->base = event_base_new();
	start_server(w);
	setenv("AWS_ENDPOINT_URL", w->url, 1);
	w->http = http_new(w->base, 8, NULL, "test", NULL);
	assert_non_null(w->http);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	sqs_free(w->sqs);
	http_free(w->http);
	evhttp_free(w->server);
	event_base_free(w->base);
	free(w);
	return 0;
}

static void
test_receives(void **state)
{
	struct world *w = *state;

	open_queue(w, w->queue);
	w->again = 20;
	for (int i = 0; i < 4; i++)
		receive(w);
	assert_int_equal(0, w->received); /* never from the call itself */
	await(w, 24);
	assert_int_equal(24, w->messages);
	assert_int_equal(0, w->failures);
	assert_non_null(strstr(w->last, "\"MaxNumberOfMessages\":10,"));
	assert_null(strstr(w->last, "VisibilityTimeout"));
	assert_non_null(strstr(w->last, w->queue));
}

static void
test_name(void **state)
{
	struct world *w = *state;

	open_queue(w, "events");
	for (int i = 0; i < 3; i++)
		receive(w);
	assert_int_equal(0,
	    sqs_delete(
		w->sqs, (const char *const[]){"r"}, 1, deleted, w, NULL));
	await(w, 4);
	assert_int_equal(1, w->resolutions);
	assert_int_equal(3, w->messages);
	assert_non_null(strstr(w->last, "\"QueueUrl\":\"http://x/0/q\""));
}

static void
test_no_name(void **state)
{
	struct world *w = *state;

	open_queue(w, "events");
	w->no_queue = true;
	w->again = 1;
	for (int i = 0; i < 3; i++)
		receive(w);
	await(w, 3);
	assert_int_equal(1, w->resolutions);
	assert_string_equal("events: there is no such queue"
			    " (QueueDoesNotExist)",
	    w->error.msg);
	/* The one that a callback started asks anew. */
	w->no_queue = false;
	await(w, 4);
	assert_int_equal(2, w->resolutions);
	assert_int_equal(1, w->messages);
}

static void
test_free_in_callback(void **state)
{
	struct world *w = *state;

	open_queue(w, w->queue);
	w->free_it = true;
	for (int i = 0; i < 4; i++)
		receive(w);
	await(w, 1);
	event_base_loop(w->base, EVLOOP_NONBLOCK);
	assert_int_equal(1, w->received);
	assert_int_equal(0, http_active(w->http));
}

static void
test_free_in_failure(void **state)
{
	struct world *w = *state;

	open_queue(w, "events");
	w->no_queue = w->free_it = true;
	for (int i = 0; i < 3; i++)
		receive(w);
	await(w, 1);
	event_base_loop(w->base, EVLOOP_NONBLOCK);
	assert_int_equal(1, w->received);
}

static void
test_free_in_flight(void **state)
{
	struct world *w = *state;

	open_queue(w, w->queue);
	w->hang = true;
	receive(w);
	receive(w);
	await_requests(w, 2);
	sqs_free(w->sqs);
	w->sqs = NULL;
	assert_int_equal(0, w->received);
	assert_int_equal(0, http_active(w->http));
}

static void
test_idle_connection(void **state)
{
	struct world *w = *state;

	open_queue(w, w->queue);
	receive(w);
	await(w, 1);
	/* The server goes away with its connections, and comes back. */
	evhttp_free(w->server);
	start_server(w);
	receive(w);
	await(w, 2);
	assert_int_equal(0, w->failures);
	assert_int_equal(2, w->messages);
}

static void
test_reset(void **state)
{
	struct world *w = *state;

	open_queue(w, w->queue);
	receive(w);
	await(w, 1);
	/* On a connection that was kept it is no trouble ... */
	w->drops = 1;
	receive(w);
	await(w, 2);
	assert_int_equal(0, w->failures);
	assert_int_equal(3, w->requests);
	/* ... unless it happens again, on a new one. */
	w->drops = 2;
	receive(w);
	await(w, 3);
	assert_int_equal(1, w->failures);
	assert_int_equal(5, w->requests);
	assert_true(w->error.temporary);
}

static void
test_out_of_reach(void **state)
{
	struct world *w = *state;
	char words[160];

	open_queue(w, w->queue);
	evhttp_free(w->server);
	receive(w);
	await(w, 1);
	snprintf(words, sizeof(words), "%s: connection refused", w->queue);
	assert_string_equal(words, w->error.msg);
	assert_true(w->error.temporary);
	start_server(w);
}

static void
test_refused_queues(void **state)
{
	static const struct {
		const char *queue, *words;
	} cases[] = {
	    {"", "neither a queue's URL nor its name"},
	    {"a/b", "neither a queue's URL nor its name"},
	    {"ftp://h/0/q", "not an http or https URL"},
	    {"https://sqs.eu-west-1.amazonaws.com/0/q", "no credentials"},
	    {"events", "a name needs AWS_REGION or AWS_ENDPOINT_URL"},
	};
	struct world *w = *state;
	struct err e;

	unsetenv("AWS_ENDPOINT_URL");
	unsetenv("AWS_REGION");
	unsetenv("AWS_DEFAULT_REGION");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_null(sqs_new(w->base, w->http, cases[i].queue, &e));
		if (strstr(e.msg, cases[i].words) == NULL)
			fail_msg(
			    "\"%s\" is not in \"%s\"", cases[i].words, e.msg);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_receives),
	    TEST(test_name),
	    TEST(test_no_name),
	    TEST(test_free_in_callback),
	    TEST(test_free_in_failure),
	    TEST(test_free_in_flight),
	    TEST(test_idle_connection),
	    TEST(test_reset),
	    TEST(test_out_of_reach),
	    TEST(test_refused_queues),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
