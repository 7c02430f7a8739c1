/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "clock.h"
#include "listener.h"
#include "log.h"
#include "server.h"
#include "wait.h"

/*
 * A body of 1 MiB can be six times as long in JSON, where each character of it
 * is written as \uXXXX.
 */
#define BODY_MAX ((ev_ssize_t)8 << 20)
#define HEADERS_MAX ((ev_ssize_t)64 << 10)
/*
 * Longer than clients keep idle connections (libcurl: 118 s), so that it is
 * they who close them, and never while a request is on its way.
 */
#define IDLE_S 150
#define STOP_MS 2000 /* for answers to get out when it ends */
#define PAUSE_MS 100 /* before accepting again when descriptors ran out */
#define KEEP_MAX ((size_t)1 << 20) /* of the answers' buffer */

struct server {
	struct event_base *base;
	struct broker *broker;
	struct server_options o;
	bool full; /* it was said that the memory is used up */
	struct evhttp *http;
	struct evconnlistener *listener; /* http's */
	struct waits *waits;
	struct event *late; /* ends a stop that takes too long */
	char host[LISTENER_HOST];
	struct tree tree;
	struct buf out;
	uint8_t request_id[16]; /* of the last answer; counts up */
	size_t open;            /* requests that are not yet answered */
	void (*done)(void *);
	void *arg;
};

static void
check_stopped(struct server *s)
{
	void (*done)(void *) = s->done;

	if (done == NULL || s->open > 0)
		return;
	s->done = NULL;
	done(s->arg);
}

/* Random once, then counted: cheap, and unlike any other for ever. */
static void
add_request_id(struct server *s, struct evkeyvalq *headers)
{
	struct buf text = {0};
	uint8_t *id = s->request_id;

	for (int i = 15; i >= 9 && ++id[i] == 0; i--)
		continue;
	uuid_write(&text, id);
	if (!text.failed) {
		text.data[text.len - 1] = '\0';
		evhttp_add_header(headers, "x-amzn-RequestId", text.data + 1);
	}
	buf_free(&text);
}

static void
add_headers(struct server *s, struct evhttp_request *req, const struct fault *f)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	char query[96];

	add_request_id(s, headers);
	evhttp_add_header(
	    headers, "Content-Type", "application/x-amz-json-1.0");
	if (s->done != NULL)
		evhttp_add_header(headers, "Connection", "close");
	if (f == NULL)
		return;
	snprintf(query, sizeof(query), "%s;%s", fault_query_code(f->kind),
	    fault_of_sender(f->kind) ? "Sender" : "Receiver");
	evhttp_add_header(headers, "x-amzn-query-error", query);
}

/* What was asked, and how that is answered. */
static void
say(const struct server *s, struct evhttp_request *req, int status,
    const struct fault *f)
{
	const char *target = evhttp_find_header(
	    evhttp_request_get_input_headers(req), "X-Amz-Target");
	const char *dot = target == NULL ? NULL : strchr(target, '.');
	const char *name = dot == NULL ? "-" : dot + 1;
	const struct log_field fields[] = {
	    {"operation", name, 0}, {"status", NULL, status}};

	if (s->o.verbose)
		log_tell(s->o.log, LOG_TELL, fields, 2, "%.80s: %d%s%s", name,
		    status, f != NULL ? ", " : "", f != NULL ? f->msg : "");
}

/* Sends out, or, if f is not NULL, what f says. */
static void
reply(void *arg, struct evhttp_request *req, const struct fault *f,
    const struct buf *out)
{
	static const struct fault memory = {FAULT_INTERNAL, "Out of memory."};
	struct evbuffer *body = evbuffer_new();
	struct server *s = arg;
	struct buf text = {0};
	int status;

	if (f == NULL &&
	    (out->failed || body == NULL ||
		evbuffer_add(body, out->data, out->len) < 0))
		f = &memory;
	if (f != NULL) {
		fault_write(&text, f);
		if (body != NULL && !text.failed)
			(void)evbuffer_add(body, text.data, text.len);
	}
	status = f == NULL ? 200 : fault_status(f->kind);
	say(s, req, status, f);
	add_headers(s, req, f);
	evhttp_send_reply(req, status, NULL, body);
	if (body != NULL)
		evbuffer_free(body);
	buf_free(&text);
}

/*
 * Each request ends in one of these two: its answer is out, or its connection
 * closed before that.
 */
static void
on_complete(struct evhttp_request *req, void *arg)
{
	struct server *s = arg;

	evhttp_connection_set_closecb(
	    evhttp_request_get_connection(req), NULL, NULL);
	s->open--;
	check_stopped(s);
}

static void
on_close(struct evhttp_connection *conn, void *arg)
{
	struct server *s = arg;

	(void)conn;
	s->open--;
	check_stopped(s);
}

/* The name the client knows this server by, if it is a sane one. */
static const char *
host_of(const struct server *s, struct evhttp_request *req)
{
	const char *host =
	    evhttp_find_header(evhttp_request_get_input_headers(req), "Host");
	size_t len = host == NULL ? 0 : strlen(host);

	if (len == 0 || len >= LISTENER_HOST ||
	    strspn(host,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789.-_:[]") != len)
		return s->host;
	return host;
}

/* What has to be done after a call that went well. */
static void
follow_up(struct server *s, struct call *c)
{
	if (c->queue == NULL)
		return;
	if (c->remove_queue) {
		waits_fail(s->waits, c->queue);
		broker_remove(s->broker, c->queue);
	} else
		waits_wake(s->waits, c->queue);
}

/* Says when messages are refused for want of memory, and when it is over. */
static void
watch_memory(struct server *s, const struct call *c, enum outcome outcome)
{
	const struct meter *m = &s->broker->meter;

	if (!s->full && outcome == CALL_FAILED &&
	    c->fault.kind == FAULT_THROTTLED) {
		s->full = true;
		log_say(s->o.log, LOG_WARN,
		    "the memory is used up: what is sent is refused");
	} else if (s->full && m->used <= m->max - m->max / 8) {
		s->full = false;
		log_say(s->o.log, LOG_NOTE, "there is memory again");
	}
}

static void
finish(struct server *s, struct evhttp_request *req, struct call *c,
    enum outcome outcome)
{
	watch_memory(s, c, outcome);
	if (outcome == CALL_WAIT) {
		if (waits_add(s->waits, req, c->queue, &c->receive) == 0)
			return;
		receive_free(&c->receive);
		fault_memory(&c->fault);
		outcome = CALL_FAILED;
	}
	if (outcome == CALL_DONE && s->out.len == 0)
		buf_text(&s->out, "{}");
	reply(s, req, outcome == CALL_DONE ? NULL : &c->fault, &s->out);
	if (outcome == CALL_DONE)
		follow_up(s, c);
}

static void
serve(struct server *s, struct evhttp_request *req)
{
	struct evkeyvalq *headers = evhttp_request_get_input_headers(req);
	struct evbuffer *body = evhttp_request_get_input_buffer(req);
	struct call c = {
	    .broker = s->broker,
	    .host = host_of(s, req),
	    .now = {clock_steady_ms(), clock_wall_ms()},
	    .tree = &s->tree,
	    .body_len = evbuffer_get_length(body),
	    .body = (char *)evbuffer_pullup(body, -1),
	    .out = &s->out,
	};

	buf_clear(&s->out);
	finish(s, req, &c,
	    call_run(&c, evhttp_find_header(headers, "X-Amz-Target")));
	if (s->out.size > KEEP_MAX)
		buf_free(&s->out);
}

/* For people, and for what looks whether the server is up. */
static void
greet(struct evhttp_request *req)
{
	struct evbuffer *body = evbuffer_new();

	if (body != NULL)
		(void)evbuffer_add_printf(body, "whk-mq %s\n", WHK_VERSION);
	evhttp_add_header(evhttp_request_get_output_headers(req),
	    "Content-Type", "text/plain");
	evhttp_send_reply(req, 200, NULL, body);
	if (body != NULL)
		evbuffer_free(body);
}

static void
on_request(struct evhttp_request *req, void *arg)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	struct server *s = arg;

	s->open++;
	evhttp_connection_set_closecb(
	    evhttp_request_get_connection(req), on_close, s);
	evhttp_request_set_on_complete_cb(req, on_complete, s);
	if (evhttp_request_get_command(req) == EVHTTP_REQ_GET &&
	    evhttp_uri_get_query(uri) == NULL)
		greet(req);
	else
		serve(s, req);
}

static void
on_pause_end(evutil_socket_t fd, short what, void *arg)
{
	struct evconnlistener *listener = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(listener);
}

/*
 * No descriptors are left: accepting would fail again at once, and spin. What
 * comes as the argument is evhttp's.
 */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct timeval tv = {.tv_usec = PAUSE_MS * 1000};

	(void)arg;
	if (event_base_once(evconnlistener_get_base(listener), -1, EV_TIMEOUT,
		on_pause_end, listener, &tv) == 0)
		evconnlistener_disable(listener);
}

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	s->open = 0;
	check_stopped(s);
}

static void
set_limits(struct server *s)
{
	evhttp_set_max_headers_size(s->http, HEADERS_MAX);
	evhttp_set_max_body_size(s->http, BODY_MAX);
	evhttp_set_timeout(s->http, IDLE_S);
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
	evhttp_set_gencb(s->http, on_request, s);
}

struct server *
server_new(struct event_base *base, struct broker *broker,
    const struct server_options *o, struct err *e)
{
	struct server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		goto memory;
	s->base = base;
	s->broker = broker;
	s->o = *o;
	arc4random_buf(s->request_id, sizeof(s->request_id));
	s->http = evhttp_new(base);
	s->waits = waits_new(base, broker, reply, s);
	s->late = evtimer_new(base, on_late, s);
	if (s->http == NULL || s->waits == NULL || s->late == NULL)
		goto memory;
	set_limits(s);
	s->listener = listener_new(base, o->address, o->port, s->host, e);
	if (s->listener == NULL) {
		server_free(s);
		return NULL;
	}
	evconnlistener_set_error_cb(s->listener, on_accept_error);
	if (evhttp_bind_listener(s->http, s->listener) != NULL)
		return s;
memory:
	server_free(s);
	err_set(e, "out of memory");
	return NULL;
}

const char *
server_host(const struct server *s)
{
	return s->host;
}

void
server_stop(struct server *s, void (*done)(void *), void *arg)
{
	struct timeval tv = {.tv_sec = STOP_MS / 1000};

	s->done = done;
	s->arg = arg;
	evconnlistener_disable(s->listener);
	evtimer_add(s->late, &tv);
	s->open++; /* not done before the long polls were answered */
	waits_end(s->waits);
	s->open--;
	check_stopped(s);
}

void
server_free(struct server *s)
{
	if (s == NULL)
		return;
	waits_free(s->waits);
	if (s->late != NULL)
		event_free(s->late);
	if (s->http != NULL)
		evhttp_free(s->http);
	buf_free(&s->out);
	tree_free(&s->tree);
	free(s);
}
