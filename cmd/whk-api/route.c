/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "whk-api/api.h"

static const struct route routes[] = {
    {"/webhooks", "GET", webhooks_list, webhooks_query, false},
    {"/webhooks", "POST", webhooks_add, NULL, false},
    {"/webhooks/#", "GET", webhook_get, NULL, false},
    {"/webhooks/#", "PATCH", webhook_patch, NULL, false},
    {"/webhooks/#", "DELETE", webhook_delete, NULL, false},
    {"/webhooks/#/pause", "POST", webhook_pause, NULL, false},
    {"/webhooks/#/resume", "POST", webhook_resume, NULL, false},
    {"/webhooks/#/rotate", "POST", webhook_rotate, NULL, false},
    {"/webhooks/#/test", "POST", webhook_test, NULL, false},
    {"/webhooks/#/attempts", "GET", attempts_list, attempts_query, false},
    {"/webhooks/#/attempts/resend", "POST", attempts_resend, NULL, false},
    {"/events", "POST", events_add, NULL, false},
    {"/events/$", "GET", event_get, NULL, false},
    {"/attempts", "GET", attempts_list, attempts_query, false},
    {"/attempts/resend", "POST", attempts_resend, NULL, false},
    {"/metrics", "GET", metrics_get, NULL, false},
    {"/healthz", "GET", health_get, NULL, true},
    {"/openapi.json", "GET", openapi_get, NULL, true},
};

#define ROUTES (sizeof(routes) / sizeof(routes[0]))

/* Reads a webhook's id: from 1, of up to 18 digits. */
static const char *
take_number(const char *s, int64_t *n)
{
	size_t len = strspn(s, "0123456789");

	if (len == 0 || len > 18 || s[0] == '0')
		return NULL;
	*n = strtoll(s, NULL, 10);
	return s + len;
}

static const char *
take_event(const char *s, char id[129])
{
	size_t len = 0;

	while (isalnum((unsigned char)s[len]) || s[len] == '_' || s[len] == '-')
		len++;
	if (len == 0 || len > 128)
		return NULL;
	memcpy(id, s, len);
	id[len] = '\0';
	return s + len;
}

/* Whether a path is of the form; with or without a slash at the end. */
static bool
matches(const char *form, const char *path, struct call *c)
{
	for (; *form != '\0' && path != NULL; form++) {
		if (*form == '#')
			path = take_number(path, &c->id);
		else if (*form == '$')
			path = take_event(path, c->event);
		else if (*form == *path)
			path++;
		else
			return false;
	}
	if (path != NULL && *path == '/')
		path++;
	return path != NULL && *path == '\0';
}

/*
 * The route of a method and a path. NULL if there is none: *allow is what the
 * path would do with, or "".
 */
static const struct route *
find(struct call *c, const char *method, const char *path, char allow[64])
{
	const struct route *found = NULL;

	allow[0] = '\0';
	/* The server as a whole: RFC 9110, section 9.3.7. */
	if (strcmp(path, "*") == 0 && strcmp(method, "OPTIONS") == 0)
		strlcpy(allow, "GET, HEAD, POST, PATCH, DELETE, OPTIONS", 64);
	for (size_t i = 0; i < ROUTES; i++) {
		const struct route *r = &routes[i];

		if (!matches(r->path, path, c))
			continue;
		if (strcmp(r->method, method) == 0 ||
		    (c->head && strcmp(r->method, "GET") == 0))
			found = r;
		strlcat(allow, r->method, 64);
		strlcat(allow,
		    strcmp(r->method, "GET") == 0 ? ", HEAD, " : ", ", 64);
	}
	if (allow[0] != '\0')
		strlcat(allow, "OPTIONS", 64);
	return found;
}

/* The part of a Host header that names a host. */
static bool
is_local_name(const char *host)
{
	size_t len = strcspn(host, ":");

	/* An address is what its number says, whoever wrote the page. */
	if (host[0] == '[')
		return true;
	return (len == 9 && strncasecmp(host, "localhost", 9) == 0) ||
	    (len > 0 && strspn(host, "0123456789.") == len);
}

/* Whether a page of this origin may ask; same: it is of this server. */
static bool
may_ask(const struct call *c, const char *origin, const char *host, bool *same)
{
	const char *cors = c->api->cors, *at = strstr(origin, "://");

	*same = at != NULL && host != NULL && strcasecmp(at + 3, host) == 0;
	return *same ||
	    (cors != NULL &&
		(strcmp(cors, "*") == 0 || strcmp(cors, origin) == 0));
}

/*
 * Whether it is not a web page that makes its reader's browser ask: one of
 * another origin, or one whose name was made to mean this machine.
 */
static bool
is_invited(struct call *c, const struct httpd_request *r)
{
	const char *origin = httpd_header(r, "origin");
	const char *host = httpd_header(r, "host");
	bool same;

	if (c->api->tokens.count == 0 && !c->api->open && host != NULL &&
	    !is_local_name(host)) {
		call_fail(c, 403, "host: this server has no such name");
		return false;
	}
	if (origin == NULL)
		return true;
	if (may_ask(c, origin, host, &same)) {
		if (!same)
			c->origin = c->api->cors;
		return true;
	}
	if (strcmp(r->method, "GET") == 0 || c->head ||
	    strcmp(r->method, "OPTIONS") == 0)
		return true;
	call_fail(c, 403, "origin: pages from there may not ask (--cors)");
	return false;
}

static bool
is_authorized(struct call *c, const struct httpd_request *r)
{
	const char *tenant;

	if (c->api->tokens.count == 0 || c->route->open)
		return true;
	if (tokens_find(
		&c->api->tokens, httpd_header(r, "authorization"), &tenant)) {
		if (tenant == NULL || (c->tenant = strdup(tenant)) != NULL)
			return true;
		call_fail(c, 500, "out of memory");
		return false;
	}
	call_header(c, "WWW-Authenticate: Bearer realm=\"whk\"");
	call_fail(c, 401, "a bearer token is needed, and one of ours");
	return false;
}

static bool
read_query(struct call *c, const char *query)
{
	static const char *const none[] = {NULL};
	const char *const *names =
	    c->route->query != NULL ? c->route->query : none;
	struct err e, cause;

	if (query == NULL)
		return true;
	if (form_read(&c->query, query, strlen(query), &cause) == 0) {
		if (form_check(&c->query, names, &e) == 0)
			return true;
	} else if (cause.temporary) {
		e = cause;
	} else {
		err_set(&e, "query: %s", cause.msg);
	}
	call_refuse(c, &e);
	return false;
}

static void
options(struct call *c, const char *allow)
{
	call_header(c, "Allow: %s", allow);
	if (c->origin != NULL) {
		call_header(c, "Access-Control-Allow-Methods: %s", allow);
		call_header(c,
		    "Access-Control-Allow-Headers: Authorization, "
		    "Content-Type, Idempotency-Key, Prefer");
		call_header(c, "Access-Control-Max-Age: 600");
	}
	call_reply(c, 204, NULL, NULL, 0);
}

static void
route(struct call *c, const struct httpd_request *r, const char *path,
    const char *query)
{
	char allow[64];

	c->route = find(c, r->method, path, allow);
	if (allow[0] == '\0') {
		call_fail(c, 404, "there is no such path");
	} else if (strcmp(r->method, "OPTIONS") == 0) {
		options(c, allow);
	} else if (c->route == NULL) {
		call_header(c, "Allow: %s", allow);
		call_fail(c, 405, "the method is none of %s", allow);
	} else if (is_authorized(c, r) && read_query(c, query)) {
		c->route->handler(c, r);
	}
}

void
route_request(void *arg, struct conn *conn, struct httpd_request *r)
{
	struct call *c = call_new(arg, conn);
	const char *target = r->target;
	char *path, *query;

	if (c == NULL) {
		conn_reset(conn);
		return;
	}
	c->head = strcmp(r->method, "HEAD") == 0;
	/* RFC 9112, section 3.2.2: a server takes this form too. */
	if (strncasecmp(target, "http://", 7) == 0)
		target += 7 + strcspn(target + 7, "/");
	path = strdup(target);
	if (path == NULL) {
		call_fail(c, 500, "out of memory");
		return;
	}
	query = path;
	strsep(&query, "?");
	snprintf(c->line, sizeof(c->line), "%s %s", r->method, path);
	if (is_invited(c, r))
		route(c, r, path, query);
	free(path);
}
