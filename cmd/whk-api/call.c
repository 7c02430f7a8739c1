/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "whk-api/api.h"

#define AWAY_S 5 /* when to ask again while the database is away */

struct call *
call_new(struct api *api, struct conn *conn)
{
	struct call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->api = api;
	c->conn = conn;
	c->began_us = clock_steady_us();
	conn_set(conn, c);
	TAILQ_INSERT_TAIL(&api->calls, c, entry);
	return c;
}

void
call_free(struct call *c)
{
	if (c->round != NULL)
		round_free(c->round);
	free(c->round);
	json_decref(c->given);
	free(c->tenant);
	explicit_bzero(c->secret, sizeof(c->secret));
	form_free(&c->query);
	if (c->headers.data != NULL)
		freezero(c->headers.data, c->headers.size);
	TAILQ_REMOVE(&c->api->calls, c, entry);
	free(c);
}

void
call_header(struct call *c, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_fmt(&c->headers, "%s\r\n", line);
}

static void
say(const struct call *c, int status)
{
	struct api *api = c->api;
	int64_t us = clock_steady_us() - c->began_us;
	const struct log_field fields[] = {{"request", c->line, 0},
	    {"status", NULL, status}, {"us", NULL, us}};

	api->answered++;
	if (status >= 500)
		api->failed++;
	else if (status >= 400)
		api->refused++;
	if (api->verbose)
		log_tell(api->log, LOG_TELL, fields, 3, "%s: %d, %lld us",
		    c->line, status, (long long)us);
}

/* The head of an answer, in the buffer of all answers. */
static void
write_head(struct call *c, int status, const char *type, size_t len)
{
	const char *connection = conn_option(c->conn);
	struct buf *out = &c->api->out;
	char date[HTTPD_DATE];

	buf_clear(out);
	buf_fmt(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status,
	    httpd_reason(status), httpd_date(clock_wall_ms() / 1000, date));
	if (type != NULL)
		buf_fmt(out, "Content-Type: %s\r\n", type);
	if (status != 204)
		buf_fmt(out, "Content-Length: %zu\r\n", len);
	if (c->origin != NULL)
		buf_fmt(out,
		    "Access-Control-Allow-Origin: %s\r\n"
		    "Access-Control-Expose-Headers: Location, Retry-After\r\n"
		    "Vary: Origin\r\n",
		    c->origin);
	buf_add(out, c->headers.data, c->headers.len);
	if (connection != NULL)
		buf_fmt(out, "Connection: %s\r\n", connection);
	buf_text(out, "\r\n");
}

void
call_reply(
    struct call *c, int status, const char *type, const void *body, size_t len)
{
	struct buf *out = &c->api->out;

	if (c->conn != NULL) {
		write_head(c, status, type, len);
		if (!c->head)
			buf_add(out, body, len);
		if (out->failed || c->headers.failed) {
			conn_reset(c->conn);
			buf_free(out);
		} else {
			conn_write(c->conn, out->data, out->len);
		}
		conn_done(c->conn, false);
		say(c, status);
		/* A new secret may have been in it. */
		if (c->secret[0] != '\0' && out->data != NULL)
			explicit_bzero(out->data, out->len);
		if (out->size > 1 << 20)
			buf_free(out);
	}
	call_free(c);
}

void
call_json(struct call *c, int status, const struct buf *json)
{
	if (json->failed)
		call_fail(c, 500, "out of memory");
	else
		call_reply(
		    c, status, "application/json", json->data, json->len);
}

void
call_error(struct buf *b, const char *msg)
{
	buf_text(b, "{\"error\": ");
	buf_json(b, msg, strlen(msg));
	buf_text(b, "}\n");
}

void
call_fail(struct call *c, int status, const char *fmt, ...)
{
	char msg[1024];
	struct buf json = {0};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	call_error(&json, msg);
	call_reply(c, status, "application/json", json.data, json.len);
	buf_free(&json);
}

void
call_refuse(struct call *c, const struct err *e)
{
	call_fail(c, e->temporary ? 500 : 400, "%s", e->msg);
}

static void
fail_away(struct call *c, const char *msg)
{
	call_header(c, "Retry-After: %d", AWAY_S);
	call_fail(c, 503, "%s", msg);
}

static void
on_answer(void *arg, const struct err *e, const PGresult *r)
{
	struct call *c = arg;

	c->lane = NULL;
	if (c->conn == NULL) {
		call_free(c);
	} else if (e != NULL) {
		log_say(c->api->log, LOG_WARN, "%s", e->msg);
		call_fail(c, 500, "the database refused it");
	} else {
		c->answered(c, r);
	}
}

bool
call_can_ask(struct call *c, struct lane *lane)
{
	if (!lane->away)
		return true;
	fail_away(c, "the database is out of reach");
	return false;
}

void
call_ask(struct call *c, struct lane *lane, const char *sql, struct args *a,
    void (*answered)(struct call *c, const PGresult *r))
{
	struct err e;

	if (!call_can_ask(c, lane)) {
		args_free(a);
		return;
	}
	c->answered = answered;
	c->lane = lane;
	if (db_call(lane->db, sql, a, on_answer, c, &e) == 0)
		return;
	args_free(a);
	c->lane = NULL;
	call_refuse(c, &e);
}

void
call_lost(struct lane *lane)
{
	struct call *c, *next;

	for (c = TAILQ_FIRST(&lane->api->calls); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->lane == lane)
			fail_away(c,
			    "the database went out of reach; what was to be "
			    "changed may have been or not");
	}
}
