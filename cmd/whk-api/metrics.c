/* SPDX-License-Identifier: ISC */
/* How it goes: for Prometheus, for load balancers. */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "whk-api/api.h"

#define PROMETHEUS "text/plain; version=0.0.4; charset=utf-8"

/* Webhooks of a tenant that have series of their own, at the most. */
#define SERIES_MAX 1000

static void
on_round(void *arg)
{
	struct call *c = arg;
	struct buf text = {0};

	c->lane = NULL;
	if (c->conn == NULL) {
		call_free(c);
		return;
	}
	if (c->round->db_error.msg[0] != '\0') {
		warnx("%s", c->round->db_error.msg);
		call_fail(c, 500, "the database refused it");
		return;
	}
	if (stat_prometheus(&c->round->s, &c->choice, &text) == -1)
		call_fail(c, 500, "out of memory");
	else
		call_reply(c, 200, PROMETHEUS, text.data, text.len);
	buf_free(&text);
}

void
metrics_get(struct call *c, const struct httpd_request *r)
{
	struct err e;

	(void)r;
	if (!call_can_ask(c, &c->api->slow))
		return;
	c->choice.asks = 1U << ASK_WHOLE | 1U << ASK_SHUT | 1U << ASK_HISTOGRAM;
	if (c->tenant != NULL) {
		c->choice.tenant = c->tenant;
		c->choice.max = SERIES_MAX;
		c->choice.asks =
		    1U << ASK_WHOLE | 1U << ASK_SHUT | 1U << ASK_HOOKS;
	}
	c->round = calloc(1, sizeof(*c->round));
	if (c->round == NULL) {
		call_fail(c, 500, "out of memory");
		return;
	}
	c->round->db = c->api->slow.db;
	c->round->choice = &c->choice;
	c->round->done = on_round;
	c->round->arg = c;
	c->lane = &c->api->slow;
	if (round_start(c->round, &e) == 0)
		return;
	/* Some of it may be under way: it is freed when that is answered. */
	c->round->db_error = e;
	if (c->round->open == 0)
		on_round(c);
}

static void
on_health(struct call *c, const PGresult *r)
{
	static const char ok[] = "{\"status\": \"ok\"}\n";

	(void)r;
	call_reply(c, 200, "application/json", ok, sizeof(ok) - 1);
}

void
health_get(struct call *c, const struct httpd_request *r)
{
	struct args a = {0};

	(void)r;
	call_ask(c, &c->api->fast, "SELECT 1", &a, on_health);
}

void
openapi_get(struct call *c, const struct httpd_request *r)
{
	(void)r;
	call_reply(c, 200, "application/json", c->api->openapi.data,
	    c->api->openapi.len);
}
