/* SPDX-License-Identifier: ISC */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "whk-send/send.h"

/* The connect part of an attempt's one deadline. */
#define CONNECT_MS 5000

/* Header lines of one request; a webhook's own are limited by whk-add. */
#define HEADERS_MAX 64

/* An attempt under way. */
struct flight {
	struct send *send;
	struct hook *hook;
	struct message *message;
	struct config *config;
	int64_t at_ms;
	size_t header_count;
	const char *headers[HEADERS_MAX];
	struct buf text; /* what they point into */
};

/* Ends a header line in the flight's text. */
static void
end_line(struct flight *f)
{
	buf_add(&f->text, "", 1);
	f->header_count++;
}

/* One signature for each secret that is in force, newest first. */
static int
add_signatures(struct flight *f, struct err *e)
{
	const struct event_line *ev = &f->message->event;
	char signature[SIGN_TEXT_MAX];
	bool first = true;

	for (size_t i = 0; i < f->config->key_count; i++) {
		int64_t ends_ms = f->config->keys[i].ends_ms;

		if (ends_ms != 0 && ends_ms <= f->at_ms)
			continue;
		if (sign_message(f->config->keys[i].key, ev->id,
			f->at_ms / 1000, ev->body, ev->body_len, signature,
			e) == -1)
			return -1;
		buf_text(&f->text, first ? "webhook-signature: " : " ");
		buf_text(&f->text, signature);
		first = false;
	}
	if (!first)
		end_line(f);
	return 0;
}

/* The webhook's own headers, "name: value" lines in its definition. */
static void
add_own(struct flight *f)
{
	const char *p = f->config->headers;

	while (p != NULL && *p != '\0' && f->header_count < HEADERS_MAX - 1) {
		size_t len = strcspn(p, "\n");

		buf_add(&f->text, p, len);
		end_line(f);
		p += len + (p[len] == '\n');
	}
}

/* Writes all header lines, and points at them when the text stands still. */
static int
add_headers(struct flight *f, struct err *e)
{
	const struct event_line *ev = &f->message->event;
	const char *type = f->config->content_type != NULL
	    ? f->config->content_type
	    : ev->content_type;
	char *at;

	buf_fmt(&f->text, "content-type: %s",
	    type != NULL ? type : "application/json");
	end_line(f);
	buf_fmt(&f->text, "webhook-id: %s", ev->id);
	end_line(f);
	buf_fmt(
	    &f->text, "webhook-timestamp: %lld", (long long)(f->at_ms / 1000));
	end_line(f);
	if (add_signatures(f, e) == -1)
		return -1;
	if (ev->type != NULL) {
		buf_fmt(&f->text, "webhook-event: %s", ev->type);
		end_line(f);
	}
	buf_fmt(&f->text, "webhook-attempt: %d", ev->attempt);
	end_line(f);
	add_own(f);
	if (f->text.failed)
		return err_temporary(e, "out of memory");
	at = f->text.data;
	for (size_t i = 0; i < f->header_count; i++) {
		f->headers[i] = at;
		at += strlen(at) + 1;
	}
	return 0;
}

static void
flight_free(struct flight *f)
{
	config_unref(f->config);
	buf_free(&f->text);
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
	if (add_headers(f, e) == -1) {
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
	    .headers = f->headers,
	    .header_count = f->header_count,
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
		warnx("event %s, webhook %lld: %s", m->event.id,
		    (long long)h->id, e.msg);
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
		warnx("event %s: %s", m->event.id, e.msg);
		s->status = 1;
		return;
	}
	buf_fmt(&b, "POST %s\n", f->config->url);
	for (size_t i = 0; i < f->header_count; i++)
		buf_fmt(&b, "%s\n", f->headers[i]);
	buf_fmt(&b, "user-agent: whk/%s\ncontent-length: %zu\n\n", WHK_VERSION,
	    m->event.body_len);
	buf_add(&b, m->event.body, m->event.body_len);
	buf_text(&b, "\n\n");
	if (!b.failed)
		output_line(s->output, b.data, b.len);
	buf_free(&b);
	flight_free(f);
}
