/* SPDX-License-Identifier: ISC */
/* What can be done with a webhook beside changing it. */
#include <string.h>

#include "webhook.h"
#include "whk-api/api.h"

#define DAY_MS INT64_C(86400000)

static const struct member nothing[] = {{NULL, KIND_TEXT}};

/* Whether nothing was said in a body; else the call is answered. */
static bool
says_nothing(struct call *c, const struct httpd_request *r)
{
	json_t *given = body_read(c, r, nothing);

	json_decref(given);
	return given != NULL;
}

static void
pause_or_resume(struct call *c, const struct httpd_request *r, const char *sql)
{
	struct args a = {0};

	if (!says_nothing(c, r))
		return;
	args_text(&a, c->tenant);
	args_long(&a, c->id);
	call_ask(c, &c->api->fast, sql, &a, webhook_line);
}

void
webhook_pause(struct call *c, const struct httpd_request *r)
{
	pause_or_resume(c, r, "SELECT line FROM whk.api_pause($1, $2, true)");
}

void
webhook_resume(struct call *c, const struct httpd_request *r)
{
	pause_or_resume(c, r, "SELECT line FROM whk.api_pause($1, $2, false)");
}

/* Reads what to rotate to: the secret, made if none is given, and for how long
 * the old ones go on. */
static int
read_rotation(
    json_t *given, char made[SIGN_SECRET_MAX], struct args *a, struct err *e)
{
	json_t *overlap = json_object_get(given, "overlap_ms");
	json_t *secret = json_object_get(given, "secret");
	json_int_t ms = overlap == NULL ? DAY_MS : json_integer_value(overlap);

	if (overlap != NULL &&
	    (!json_is_integer(overlap) || ms < 0 || ms > 365 * DAY_MS))
		return err_set(e,
		    "overlap_ms: not a whole number from 0 to %lld",
		    (long long)(365 * DAY_MS));
	if (secret != NULL && !json_is_string(secret))
		return err_set(e, "secret: not a string");
	if (secret != NULL &&
	    webhook_check_secret(json_string_value(secret), e) == -1)
		return -1;
	if (secret == NULL && sign_make(made, e) == -1)
		return -1;
	args_text(a, secret == NULL ? made : json_string_value(secret));
	args_long(a, ms);
	return 0;
}

void
webhook_rotate(struct call *c, const struct httpd_request *r)
{
	static const struct member members[] = {{"secret", KIND_TEXT},
	    {"overlap_ms", KIND_NUMBER}, {NULL, KIND_TEXT}};
	json_t *given = body_read(c, r, members);
	struct args a = {0};
	struct err e;
	int rc;

	if (given == NULL)
		return;
	args_text(&a, c->tenant);
	args_long(&a, c->id);
	rc = read_rotation(given, c->secret, &a, &e);
	webhook_free(given);
	if (rc == -1) {
		args_free(&a);
		call_refuse(c, &e);
		return;
	}
	call_ask(c, &c->api->fast,
	    "SELECT line FROM whk.api_rotate($1, $2, $3, $4 * interval '1 ms')",
	    &a, webhook_line);
}

static void
on_ping(struct call *c, const PGresult *r)
{
	const char *id = db_text(r, 0, 0);
	struct buf json = {0};

	if (id == NULL) {
		webhook_missing(c);
		return;
	}
	call_header(c, "Location: /events/%s/", id);
	buf_fmt(&json, "{\"id\": \"%s\", \"webhooks\": [%lld]}\n", id,
	    (long long)c->id);
	call_json(c, 202, &json);
	buf_free(&json);
}

void
webhook_test(struct call *c, const struct httpd_request *r)
{
	struct args a = {0};

	if (!says_nothing(c, r))
		return;
	args_text(&a, c->tenant);
	args_long(&a, c->id);
	call_ask(c, &c->api->fast, "SELECT whk.api_ping($1, $2)", &a, on_ping);
}
