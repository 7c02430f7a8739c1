/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "event-id.h"
#include "text.h"

/* Ids that are named where more than one begins with a word. */
#define NAMED 4

int
event_id_none(PGconn *db, const char *word, struct err *e)
{
	PGresult *r = db_query(db, "SELECT whk.ms(whk.log_begin())", NULL, e);
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
event_id_find(PGconn *db, const char *word, char id[EVENT_ID], int64_t *time_ms,
    struct err *e)
{
	struct args a = {0};
	PGresult *r;
	int ret = 0;

	if (!text_is_id(word))
		return err_set(e,
		    "%.200s: no event's id: 1 to 128 of A-Z a-z 0-9 _ -", word);
	args_text(&a, word);
	args_long(&a, NAMED + 1);
	r = db_query(
	    db, "SELECT id, time_ms FROM whk.find_event($1, $2::int)", &a, e);
	args_free(&a);
	if (r == NULL)
		return -1;
	if (PQntuples(r) == 0)
		ret = event_id_none(db, word, e);
	else if (PQntuples(r) > 1)
		ret = too_many(r, word, e);
	else {
		strlcpy(id, PQgetvalue(r, 0, 0), EVENT_ID);
		*time_ms = db_long(r, 0, 1);
	}
	PQclear(r);
	return ret;
}
