/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer.h"
#include "httpd-request.h"
#include "httpd.h"
#include "text.h"

#define DRIP_MS 100
#define FLOOD_MS 1
#define FLOOD_PENDING ((size_t)256 << 10)

static const char *const faults[] = {[FAULT_RESET] = "reset",
    [FAULT_HANG] = "hang",
    [FAULT_DRIP] = "drip",
    [FAULT_CUT] = "cut",
    [FAULT_GARBAGE] = "garbage",
    [FAULT_FLOOD] = "flood"};

const char *
answer_word(const struct answer *w, char buf[16])
{
	if (w->fault != FAULT_NONE)
		return faults[w->fault];
	snprintf(buf, 16, "%d", w->status);
	return buf;
}

/* A status or the name of a fault. */
static int
parse_word(const char *s, size_t len, struct answer *w)
{
	*w = (struct answer){.status = 200};
	for (size_t i = FAULT_RESET; i <= FAULT_FLOOD; i++)
		if (strlen(faults[i]) == len &&
		    strncmp(s, faults[i], len) == 0) {
			w->fault = (enum fault)i;
			return 0;
		}
	if (len != 3 || strspn(s, "0123456789") < 3)
		return -1;
	w->status = (s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0');
	return w->status >= 200 && w->status <= 599 ? 0 : -1;
}

static int
parse_list(struct answers *a, struct err *e)
{
	const char *s = a->list;

	a->turns = calloc(strlen(s) + 1, sizeof(*a->turns));
	if (a->turns == NULL)
		return err_set(e, "out of memory");
	for (;; s++) {
		size_t len = strcspn(s, ",");
		struct answer *w = &a->turns[a->count++];

		if (parse_word(s, len, w) == -1)
			return err_set(e,
			    "--status: '%.*s' is neither a "
			    "status (200 to 599) nor one of reset, hang, drip, "
			    "cut, garbage, flood",
			    (int)len, s);
		w->delay_ms = a->delay_ms;
		s += len;
		if (*s == '\0')
			return 0;
	}
}

static int
parse_headers(struct answers *a, struct err *e)
{
	for (size_t i = 0; i < a->headers.count; i++) {
		const char *line = a->headers.items[i];
		const char *colon = strchr(line, ':');

		if (colon == NULL || colon == line ||
		    strpbrk(line, "\r\n") != NULL)
			return err_set(
			    e, "--header: '%s' is not 'name: value'", line);
		buf_fmt(&a->lines, "%s\r\n", line);
	}
	return 0;
}

/* "+5s" is a date that far ahead; anything else stands as it is. */
static void
add_retry_after(struct answers *a)
{
	char date[HTTPD_DATE];
	int64_t ms;

	if (a->retry_after[0] == '+' &&
	    text_duration(a->retry_after + 1, &ms) == 0)
		buf_fmt(&a->text, "retry-after: %s\r\n",
		    httpd_date(time(NULL) + (time_t)((ms + 999) / 1000), date));
	else
		buf_fmt(&a->text, "retry-after: %s\r\n", a->retry_after);
}

/* The head of an answer to a->text, up to the headers about its length. */
static void
start(struct answers *a, int status)
{
	char date[HTTPD_DATE];

	buf_clear(&a->text);
	buf_fmt(&a->text, "HTTP/1.1 %d %s\r\ndate: %s\r\n", status,
	    httpd_reason(status), httpd_date(time(NULL), date));
	buf_add(&a->text, a->lines.data, a->lines.len);
	if (status >= 300 && a->retry_after != NULL)
		add_retry_after(a);
}

static void
finish(struct answers *a, int status, const char *connection, bool head)
{
	if (connection != NULL)
		buf_fmt(&a->text, "connection: %s\r\n", connection);
	if (status == 204 || status == 304) {
		buf_text(&a->text, "\r\n");
		return;
	}
	buf_fmt(&a->text, "content-length: %zu\r\n\r\n", strlen(a->body));
	if (!head)
		buf_text(&a->text, a->body);
}

int
answers_init(struct answers *a, struct err *e)
{
	if (parse_list(a, e) == -1 || parse_headers(a, e) == -1)
		return -1;
	if (a->retry_after != NULL && strpbrk(a->retry_after, "\r\n") != NULL)
		return err_set(e, "--retry-after: a line break");
	start(a, 200);
	finish(a, 200, false, false);
	buf_add(&a->drip, a->text.data, a->text.len);
	return a->drip.failed ? err_set(e, "out of memory") : 0;
}

void
answers_free(struct answers *a)
{
	free(a->turns);
	buf_free(&a->lines);
	buf_free(&a->text);
	buf_free(&a->drip);
}

/* The value of a parameter in a query, and its length; NULL: not there. */
static const char *
parameter(const char *target, const char *name, size_t *len)
{
	const char *at = strchr(target, '?');
	size_t n = strlen(name);

	while (at != NULL) {
		at++;
		if (strncmp(at, name, n) == 0 && at[n] == '=') {
			*len = strcspn(at + n + 1, "&");
			return at + n + 1;
		}
		at = strchr(at, '&');
	}
	return NULL;
}

struct answer
answers_choose(struct answers *a, const struct httpd_request *r)
{
	struct answer w;
	char text[32];
	size_t len;
	const char *value = parameter(r->target, "status", &len);

	if (value == NULL || parse_word(value, len, &w) == -1) {
		w = a->turns[a->next];
		if (a->next + 1 < a->count)
			a->next++;
	}
	value = parameter(r->target, "delay", &len);
	if (value != NULL && len < sizeof(text)) {
		memcpy(text, value, len);
		text[len] = '\0';
		text_duration(text, &w.delay_ms);
	}
	return w;
}

static void
drip(void *arg, struct conn *c, size_t n)
{
	struct answers *a = arg;

	if (n == a->drip.len) {
		conn_done(c, false);
		return;
	}
	conn_hold(c);
	conn_write(c, a->drip.data + n, 1);
	conn_after(c, DRIP_MS, drip, a, n + 1);
}

static void
flood(void *arg, struct conn *c, size_t n)
{
	static const char block[16 << 10];

	if (conn_pending(c) < FLOOD_PENDING)
		conn_write(c, block, sizeof(block));
	conn_after(c, FLOOD_MS, flood, arg, n);
}

static void
send_fault(struct answers *a, enum fault fault, struct conn *c)
{
	static const char garbage[] = "220 this is no HTTP\r\n\r\n";

	start(a, 200);
	switch (fault) {
	case FAULT_NONE:
		break;
	case FAULT_RESET:
		conn_reset(c);
		break;
	case FAULT_HANG:
		conn_hold(c);
		break;
	case FAULT_DRIP:
		drip(a, c, 0);
		break;
	case FAULT_CUT:
		buf_text(&a->text, "content-length: 100\r\n\r\ncut");
		conn_write(c, a->text.data, a->text.len);
		conn_done(c, true);
		break;
	case FAULT_GARBAGE:
		conn_write(c, garbage, sizeof(garbage) - 1);
		conn_done(c, true);
		break;
	case FAULT_FLOOD:
		buf_text(&a->text, "connection: close\r\n\r\n");
		conn_write(c, a->text.data, a->text.len);
		conn_hold(c);
		flood(a, c, 0);
		break;
	}
}

/* What answer_later() is to do, in one number. */
#define HEAD_BIT ((size_t)1 << 20)
#define FAULT_SHIFT 10

static void
answer_later(void *arg, struct conn *c, size_t n)
{
	struct answers *a = arg;
	int status = (int)(n & ((1 << FAULT_SHIFT) - 1));
	enum fault fault = (enum fault)((n & ~HEAD_BIT) >> FAULT_SHIFT);

	if (fault != FAULT_NONE) {
		send_fault(a, fault, c);
		return;
	}
	start(a, status);
	finish(a, status, conn_option(c), (n & HEAD_BIT) != 0);
	conn_write(c, a->text.data, a->text.len);
	conn_done(c, false);
}

void
answers_send(struct answers *a, const struct answer *w, struct conn *c,
    const struct httpd_request *r)
{
	size_t n = (size_t)w->status | (size_t)w->fault << FAULT_SHIFT;

	if (strcmp(r->method, "HEAD") == 0)
		n |= HEAD_BIT;
	if (w->delay_ms > 0)
		conn_after(c, w->delay_ms, answer_later, a, n);
	else
		answer_later(a, c, n);
}
