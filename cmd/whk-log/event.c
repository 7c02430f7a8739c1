/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "clock.h"
#include "text.h"
#include "whk-log/log.h"

/* Ids that are named where more than one begins with a word. */
#define NAMED 4

/* There is none: says so, and how far back the record goes. */
static int
no_event(struct log *l, const char *word, struct err *e)
{
	PGresult *r =
	    db_query(l->db, "SELECT whk.ms(whk.log_begin())", NULL, e);
	char begin[CLOCK_TEXT] = "";

	if (r == NULL)
		return -1;
	if (db_text(r, 0, 0) != NULL)
		clock_format(db_long(r, 0, 0), begin);
	PQclear(r);
	return err_set(e,
	    "no event %s: it was not accepted, or is no longer kept: the "
	    "record begins %.10s",
	    word, begin[0] == '\0' ? "today" : begin);
}

static int
too_many(const PGresult *r, const char *word, struct err *e)
{
	struct buf b = {0};
	int rows = PQntuples(r);

	for (int i = 0; i < rows && i < NAMED; i++)
		buf_fmt(&b, "%s%s", i == 0 ? "" : ", ", PQgetvalue(r, i, 0));
	err_set(e, "%s is the beginning of several ids: %s%s", word,
	    b.failed ? "" : b.data, rows > NAMED ? ", ..." : "");
	buf_free(&b);
	return -1;
}

int
event_id(struct log *l, const char *word, struct event *ev, struct err *e)
{
	struct args a = {0};
	PGresult *r;
	int ret = 0;

	if (!text_is_id(word))
		return err_set(e,
		    "%.200s: no event's id: 1 to 128 of A-Z a-z 0-9 _ -", word);
	args_text(&a, word);
	args_long(&a, NAMED + 1);
	r = db_query(l->db,
	    "SELECT id, time_ms FROM whk.find_event($1, $2::int)", &a, e);
	args_free(&a);
	if (r == NULL)
		return -1;
	if (PQntuples(r) == 0)
		ret = no_event(l, word, e);
	else if (PQntuples(r) > 1)
		ret = too_many(r, word, e);
	else {
		strlcpy(ev->id, PQgetvalue(r, 0, 0), sizeof(ev->id));
		ev->time_ms = db_long(r, 0, 1);
	}
	PQclear(r);
	return ret;
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
		return no_event(l, word, e);
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
