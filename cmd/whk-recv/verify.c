/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "httpd-request.h"
#include "sign.h"
#include "verify.h"

static int
add(struct verifier *v, const char *text, struct err *e)
{
	struct sign_key **keys;

	keys = reallocarray(v->keys, v->count + 1, sizeof(struct sign_key *));
	if (keys == NULL)
		return err_set(e, "out of memory");
	v->keys = keys;
	keys[v->count] = sign_key_new(text, e);
	if (keys[v->count] == NULL)
		return -1;
	v->count++;
	return 0;
}

static int
load_lines(struct verifier *v, FILE *f, const char *path, struct err *e)
{
	char line[SIGN_SECRET_MAX + 2];
	struct err why;
	int rc = 0;

	for (int n = 1; rc == 0 && fgets(line, sizeof(line), f) != NULL; n++) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		if (add(v, line, &why) == -1)
			rc = err_set(e, "%s:%d: %s", path, n, why.msg);
	}
	explicit_bzero(line, sizeof(line));
	if (rc == 0 && ferror(f))
		rc = err_set(e, "%s: %s", path, strerror(errno));
	return rc;
}

int
verifier_load(struct verifier *v, const char *path, struct err *e)
{
	bool is_stdin = strcmp(path, "-") == 0;
	size_t before = v->count;
	char stock[BUFSIZ];
	FILE *f = is_stdin ? stdin : fopen(path, "re");
	int rc;

	if (f == NULL)
		return err_set(e, "%s: %s", path, strerror(errno));
	/* A buffer of our own, which can be wiped. */
	setvbuf(f, stock, _IOFBF, sizeof(stock));
	rc = load_lines(v, f, path, e);
	fclose(f);
	explicit_bzero(stock, sizeof(stock));
	if (rc == 0 && v->count == before)
		rc = err_set(e, "%s: no secret in it", path);
	return rc;
}

void
verifier_free(struct verifier *v)
{
	for (size_t i = 0; i < v->count; i++)
		sign_key_free(v->keys[i]);
	free(v->keys);
}

/* Seconds since 1970 in decimal digits, and nothing else. */
static int
parse_timestamp(const char *s, int64_t *seconds)
{
	size_t len = strspn(s, "0123456789");

	if (len < 1 || len > 15 || s[len] != '\0')
		return -1;
	*seconds = strtoll(s, NULL, 10);
	return 0;
}

/* Whose value is in doubt: the sender's first, or another's last? */
static bool
is_repeated(const struct httpd_request *r, const char *name)
{
	int count = 0;

	for (size_t i = 0; i < r->header_count; i++)
		if (strcasecmp(r->headers[i].name, name) == 0)
			count++;
	return count > 1;
}

const char *
verifier_check(
    const struct verifier *v, const struct httpd_request *r, int64_t now_ms)
{
	const char *id = httpd_header(r, "webhook-id");
	const char *timestamp = httpd_header(r, "webhook-timestamp");
	const char *signature = httpd_header(r, "webhook-signature");
	int64_t seconds, age_ms;

	if (id == NULL)
		return "no webhook-id";
	if (timestamp == NULL)
		return "no webhook-timestamp";
	if (signature == NULL)
		return "no webhook-signature";
	if (is_repeated(r, "webhook-id"))
		return "webhook-id comes more than once";
	if (is_repeated(r, "webhook-timestamp"))
		return "webhook-timestamp comes more than once";
	if (parse_timestamp(timestamp, &seconds) == -1)
		return "webhook-timestamp is not a number of seconds";
	age_ms = now_ms - seconds * 1000;
	if (v->tolerance_ms > 0 && age_ms > v->tolerance_ms)
		return "webhook-timestamp is too old";
	if (v->tolerance_ms > 0 && -age_ms > v->tolerance_ms)
		return "webhook-timestamp is in the future";
	for (size_t i = 0; i < v->count; i++)
		if (sign_verify(v->keys[i], id, seconds, r->body, r->body_len,
			signature))
			return NULL;
	return "wrong signature";
}
