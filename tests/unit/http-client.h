/* SPDX-License-Identifier: ISC */
#ifndef WHK_HTTP_CLIENT_H
#define WHK_HTTP_CLIENT_H

#include <stdio.h>
#include <string.h>

#include "guard.h"
#include "http-server.h"
#include "http.h"
#include "loop.h"

/* A client and its server on one loop, and what the client was answered. */
struct client {
	struct loop loop;
	struct server server;
	struct guard guard;
	struct http *http;
	unsigned asked, answered;
	struct http_answer answer; /* the last; its texts are copied here: */
	char body[8192], headers[8192];
};

static inline void
client_on_answer(void *arg, const struct http_answer *a)
{
	struct client *c = arg;

	c->answer = *a;
	assert_true(a->body_len < sizeof(c->body));
	assert_int_equal('\0', a->body[a->body_len]);
	memcpy(c->body, a->body, a->body_len + 1);
	assert_true(a->headers_len < sizeof(c->headers));
	memcpy(c->headers, a->headers, a->headers_len + 1);
	if (++c->answered == c->asked)
		loop_break(&c->loop);
}

static inline void
client_init(struct client *c, const char *allowed)
{
	struct err e = {0};

	*c = (struct client){0};
	assert_int_equal(0, loop_init(&c->loop, NULL, NULL, &e));
	server_init(&c->server, c->loop.base);
	assert_int_equal(0, guard_init(&c->guard, allowed, &e));
	c->http = http_new(c->loop.base, 100, &c->guard, "whk/test", &e);
	assert_non_null(c->http);
}

static inline void
client_free(struct client *c)
{
	http_free(c->http);
	server_free(&c->server);
	guard_free(&c->guard);
	loop_free(&c->loop);
}

/* A POST of "body" with a content-type. */
static inline struct http_request
client_request(void)
{
	static const char *const headers[] = {"content-type: text/plain"};

	return (struct http_request){
	    .method = "POST",
	    .headers = headers,
	    .header_count = 1,
	    .body = "body",
	    .body_len = 4,
	    .timeout_ms = 5000,
	    .connect_ms = 5000,
	    .read_max = 65536,
	    .keep_max = 1024,
	};
}

/* Starts it at a whole URL, or at a path of the server. */
static inline void
client_start(struct client *c, const char *url, struct http_request rq)
{
	char whole[256];
	struct err e = {0};

	snprintf(whole, sizeof(whole), "http://127.0.0.1:%d%s", c->server.port,
	    url[0] == '/' ? url : "");
	rq.url = url[0] == '/' ? whole : url;
	c->asked++;
	if (http_start(c->http, &rq, client_on_answer, c, &e) < 0)
		fail_msg("%s", e.msg);
}

/* Waits for all that was started. */
static inline void
client_wait(struct client *c)
{
	struct err e = {0};

	assert_int_equal(0, loop_run(&c->loop, &e));
	assert_int_equal(c->asked, c->answered);
	assert_int_equal(0, http_active(c->http));
}

static inline void
client_ask(struct client *c, const char *url)
{
	client_start(c, url, client_request());
	client_wait(c);
}

static inline void
assert_answer(struct client *c, enum http_error error, int status)
{
	if (c->answer.error != error)
		fail_msg("%s instead of %s: %s",
		    http_error_word(c->answer.error), http_error_word(error),
		    c->answer.detail);
	assert_int_equal(status, c->answer.status);
	if (error == HTTP_OK)
		assert_string_equal("", c->answer.detail);
	else
		assert_string_not_equal("", c->answer.detail);
}

#endif
