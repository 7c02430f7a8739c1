/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "whk-send/send.h"

/* The connect part of an attempt's one deadline. */
#define CONNECT_MS 5000

/* An attempt under way. */
struct flight {
	struct send *send;
	struct hook *hook;
	struct message *message;
	struct config *config;
	int64_t at_ms;
	struct request request;
};

static int
make_request(struct flight *f, struct err *e)
{
	const struct event_line *ev = &f->message->event;
	struct request_parts p = {
	    .id = ev->id,
	    .type = ev->type,
	    .content_type = f->config->content_type != NULL
		? f->config->content_type
		: ev->content_type,
	    .own = f->config->headers,
	    .attempt = ev->attempt,
	    .at_ms = f->at_ms,
	    .body = ev->body,
	    .body_len = ev->body_len,
	    .keys = &f->config->keys,
	};

	return request_make(&f->request, &p, e);
}

static void
flight_free(struct flight *f)
{
	config_unref(f->config);
	request_free(&f->request);
	free(f);
}

static void
landed(void *arg, const struct http_answer *answer)
{
	struct flight *f = arg;
	struct send *s = f->send;
	struct hook *h = f->hook;

	outcome_add(s, f->message, h->id, f->at_ms, answer, NULL);
	flight_free(f);
	hooks_flown(s, h);
	send_go_on(s);
}

static struct flight *
flight_new(struct send *s, struct hook *h, struct message *m, struct err *e)
{
	struct flight *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		err_temporary(e, "out of memory");
		return NULL;
	}
	f->send = s;
	f->hook = h;
	f->message = m;
	f->config = h->config;
	f->config->refs++;
	f->at_ms = db_now_ms(s->db);
	if (make_request(f, e) == -1) {
		flight_free(f);
		return NULL;
	}
	return f;
}

static int
start(struct flight *f, struct err *e)
{
	const struct event_line *ev = &f->message->event;
	struct http_request rq = {
	    .method = "POST",
	    .url = f->config->url,
	    .headers = f->request.headers,
	    .header_count = f->request.count,
	    .body = ev->body,
	    .body_len = ev->body_len,
	    .timeout_ms = f->config->timeout_ms,
	    .connect_ms = f->config->timeout_ms < CONNECT_MS
		? f->config->timeout_ms
		: CONNECT_MS,
	    .read_max = ANSWER_READ,
	    .keep_max = ANSWER_KEEP,
	    .verbose_headers = true,
	};

	return http_start(f->send->http, &rq, landed, f, e);
}

void
flight_start(struct send *s, struct hook *h, struct message *m)
{
	struct flight *f;
	struct err e;

	f = flight_new(s, h, m, &e);
	if (f == NULL || start(f, &e) == -1) {
		if (f != NULL)
			flight_free(f);
		/* nothing was sent: the row is due again after its lease */
		log_say(s->log, LOG_WARN, "event %s, webhook %lld: %s",
		    m->event.id, (long long)h->id, e.msg);
		s->status = 1;
		message_unref(s, m);
		return;
	}
	h->flights++;
	s->flights++;
}

void
flight_show(struct send *s, struct hook *h, const struct message *m)
{
	struct buf b = {0};
	struct flight *f;
	struct err e;

	f = flight_new(s, h, (struct message *)(uintptr_t)m, &e);
	if (f == NULL) {
		log_say(s->log, LOG_WARN, "event %s: %s", m->event.id, e.msg);
		s->status = 1;
		return;
	}
	buf_fmt(&b, "POST %s\n", f->config->url);
	for (size_t i = 0; i < f->request.count; i++)
		buf_fmt(&b, "%s\n", f->request.headers[i]);
	buf_fmt(&b, "user-agent: whk/%s\ncontent-length: %zu\n\n", WHK_VERSION,
	    m->event.body_len);
	buf_add(&b, m->event.body, m->event.body_len);
	buf_text(&b, "\n\n");
	if (!b.failed)
		output_line(s->output, b.data, b.len);
	buf_free(&b);
	flight_free(f);
}
