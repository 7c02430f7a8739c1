/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "request.h"

/* Adds the key of one line, which is changed. 0, 1 if it cannot sign. */
static int
read_key(struct request_keys *k, char *line, struct err *e)
{
	char *end = strchr(line, ' ');
	struct sign_key *key;

	if (end == NULL)
		return 0;
	*end++ = '\0';
	key = sign_key_new(line, e);
	if (key == NULL)
		return 1;
	k->v[k->count].key = key;
	k->v[k->count++].ends_ms = strtoll(end, NULL, 10);
	return 0;
}

int
request_keys_read(struct request_keys *k, const char *text, struct err *e)
{
	char *copy, *at, *line;
	size_t lines = 1;
	int bad = 0;

	*k = (struct request_keys){0};
	if (text == NULL)
		return 0;
	for (const char *p = text; *p != '\0'; p++)
		lines += *p == '\n';
	k->v = calloc(lines, sizeof(*k->v));
	at = copy = strdup(text);
	if (k->v == NULL || copy == NULL) {
		free(copy);
		request_keys_free(k);
		return err_temporary(e, "out of memory");
	}
	while ((line = strsep(&at, "\n")) != NULL)
		bad += read_key(k, line, e);
	freezero(copy, strlen(text));
	return bad;
}

void
request_keys_free(struct request_keys *k)
{
	for (size_t i = 0; k->v != NULL && i < k->count; i++)
		sign_key_free(k->v[i].key);
	free(k->v);
	*k = (struct request_keys){0};
}

/* Ends a header line. */
static void
end_line(struct request *r)
{
	buf_add(&r->text, "", 1);
	r->count++;
}

static void
add_line(struct request *r, const char *name, const char *value)
{
	buf_text(&r->text, name);
	buf_text(&r->text, ": ");
	buf_text(&r->text, value);
	end_line(r);
}

static void
add_number(struct request *r, const char *name, int64_t value)
{
	buf_fmt(&r->text, "%s: %lld", name, (long long)value);
	end_line(r);
}

/* One signature for each secret that is in force, newest first. */
static int
add_signatures(struct request *r, const struct request_parts *p, struct err *e)
{
	char signature[SIGN_TEXT_MAX];
	bool first = true;

	for (size_t i = 0; i < p->keys->count; i++) {
		const struct request_key *k = &p->keys->v[i];

		if (k->ends_ms != 0 && k->ends_ms <= p->at_ms)
			continue;
		if (sign_message(k->key, p->id, p->at_ms / 1000, p->body,
			p->body_len, signature, e) == -1)
			return -1;
		buf_text(&r->text, first ? "webhook-signature: " : " ");
		buf_text(&r->text, signature);
		first = false;
	}
	if (!first)
		end_line(r);
	return 0;
}

/* The webhook's own headers, lines in its definition. */
static void
add_own(struct request *r, const char *p)
{
	while (p != NULL && *p != '\0') {
		size_t len = strcspn(p, "\n");

		buf_add(&r->text, p, len);
		end_line(r);
		p += len + (p[len] == '\n');
	}
}

int
request_make(struct request *r, const struct request_parts *p, struct err *e)
{
	char *at;

	add_line(r, "content-type",
	    p->content_type != NULL ? p->content_type : "application/json");
	add_line(r, "webhook-id", p->id);
	add_number(r, "webhook-timestamp", p->at_ms / 1000);
	if (add_signatures(r, p, e) == -1)
		return -1;
	if (p->type != NULL)
		add_line(r, "webhook-event", p->type);
	add_number(r, "webhook-attempt", p->attempt);
	add_own(r, p->own);
	r->headers = reallocarray(NULL, r->count, sizeof(*r->headers));
	if (r->text.failed || r->headers == NULL)
		return err_temporary(e, "out of memory");
	at = r->text.data;
	for (size_t i = 0; i < r->count; i++) {
		r->headers[i] = at;
		at += strlen(at) + 1;
	}
	return 0;
}

void
request_free(struct request *r)
{
	free(r->headers);
	buf_free(&r->text);
}
