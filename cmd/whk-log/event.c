/* SPDX-License-Identifier: ISC */
#include "whk-log/log.h"

int
event_id(struct log *l, const char *word, struct event *ev, struct err *e)
{
	return event_id_find(l->db, word, ev->id, &ev->time_ms, e);
}

int
event_find(struct log *l, const char *word, struct event *ev, struct err *e)
{
	struct args a = {0};
	PGresult *r;

	if (event_id(l, word, ev, e) == -1)
		return -1;
	args_text(&a, ev->id);
	args_time(&a, ev->time_ms);
	ev->r = r = db_query(l->db,
	    "SELECT type, tenant, key, content_type, accepted_ms, via,"
	    " same_id, now_ms, body FROM whk.story($1, $2)",
	    &a, e);
	args_free(&a);
	if (r == NULL)
		return -1;
	if (PQntuples(r) == 0)
		return event_id_none(l->db, word, e);
	ev->type = db_text(r, 0, 0);
	ev->tenant = db_text(r, 0, 1);
	ev->key = db_text(r, 0, 2);
	ev->content_type = db_text(r, 0, 3);
	ev->accepted_ms = db_long(r, 0, 4);
	ev->via = db_text(r, 0, 5);
	ev->same_id = db_long(r, 0, 6);
	ev->now_ms = db_long(r, 0, 7);
	ev->body = db_text(r, 0, 8);
	ev->body_len = (size_t)PQgetlength(r, 0, 8);
	return 0;
}

int
event_body(const struct event *ev, struct err *e)
{
	if (ev->body != NULL)
		return 0;
	return err_set(e, "%s: its body is no longer kept (whk-prune)", ev->id);
}

void
event_free(struct event *ev)
{
	PQclear(ev->r);
	*ev = (struct event){0};
}
