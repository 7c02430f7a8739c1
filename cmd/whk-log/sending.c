/* SPDX-License-Identifier: ISC */
#include "whk-log/log.h"

static int
ask(struct log *l, int64_t webhook, int64_t at_ms, struct sending *s,
    struct err *e)
{
	struct args a = {0};

	args_long(&a, webhook);
	args_time(&a, at_ms);
	s->r = db_query(l->db,
	    "SELECT url, content_type, headers, secrets"
	    " FROM whk.sending($1, $2)",
	    &a, e);
	args_free(&a);
	return s->r == NULL ? -1 : 0;
}

int
sending_make(struct log *l, const struct event *ev, int64_t webhook,
    int attempt, int64_t at_ms, struct sending *s, struct err *e)
{
	struct request_parts p = {
	    .id = ev->id,
	    .type = ev->type,
	    .content_type = ev->content_type,
	    .attempt = attempt,
	    .at_ms = at_ms,
	    .body = ev->body,
	    .body_len = ev->body_len,
	    .keys = &s->keys,
	};

	*s = (struct sending){0};
	if (ask(l, webhook, at_ms, s, e) == -1)
		return -1;
	if (PQntuples(s->r) == 0)
		return 0;
	s->url = db_text(s->r, 0, 0);
	if (db_text(s->r, 0, 1) != NULL)
		p.content_type = db_text(s->r, 0, 1);
	p.own = db_text(s->r, 0, 2);
	if (ev->body != NULL &&
	    request_keys_read(&s->keys, db_text(s->r, 0, 3), e) == -1)
		return -1;
	return request_make(&s->request, &p, e);
}

void
sending_free(struct sending *s)
{
	request_keys_free(&s->keys);
	request_free(&s->request);
	PQclear(s->r);
	*s = (struct sending){0};
}
