/* SPDX-License-Identifier: ISC */
#include <err.h>
#include <string.h>

#include "whk-log/log.h"

/*
 * The record is read in spans of time, each found by its partition and BRIN
 * (sql/170-log.sql), so that neither side ever holds or sorts more than one:
 * forwards in spans of about so many rows, backwards in spans that widen
 * until enough has been found.
 */
#define SPAN_FIRST_MS 60000
#define SPAN_BACK_MS 1000
#define SPAN_LEAST_MS 100
#define SPAN_MOST_MS (6 * INT64_C(3600000))
#define SPAN_ROWS 20000

/* Rows printed at a time. */
#define CHUNK 500

/* Attempts where nothing is said. */
#define LAST 20

/*
 * Without an index to go by and a --since, so far back goes the search for
 * the last ones.
 */
#define SEARCH_MS (7 * INT64_C(86400000))

/* An attempt's place in the order of the list. */
struct place {
	int64_t at_ms;
	char event[129];
	int64_t webhook, attempt;
};

#define ORDER "at, event, webhook, attempt"
#define FROM                                                                   \
	" FROM whk.log($1, $2, $3, $4, $5, $6::int, $7::int, $8,"              \
	" $9::pg_snapshot, $10, $11)"

static const char forwards_sql[] = "SELECT " ROW_COLUMNS FROM " WHERE (" ORDER
				   ") >= ($12, $13, $14, $15) ORDER BY " ORDER;
static const char backwards_sql[] =
    "SELECT whk.ms(at), event, webhook, attempt" FROM
    " ORDER BY at DESC, event DESC, webhook DESC, attempt DESC LIMIT $12";

/* Whether a row of a stream is one; else its end, or -1 with *e. */
static int
is_row(const PGresult *r, struct err *e)
{
	if (PQresultStatus(r) == PGRES_SINGLE_TUPLE)
		return 1;
	return PQresultStatus(r) == PGRES_TUPLES_OK ? 0 : db_error(r, e);
}

/* Reads a stream to its end after something went wrong. */
static void
drain(PGconn *db)
{
	PGresult *r;

	db_cancel(db);
	while ((r = PQgetResult(db)) != NULL)
		PQclear(r);
}

static void
span_args(const struct log *l, struct args *a, int64_t since, int64_t until)
{
	filter_args(l, a);
	args_time(a, since);
	args_time(a, until);
}

/* Prints the rows of a stream; counts them. */
static int
print_rows(struct log *l, int64_t *count, struct err *e)
{
	PGresult *r;
	int more = 1;

	while (more == 1 && (r = PQgetResult(l->db)) != NULL) {
		more = is_row(r, e);
		if (more == 1) {
			rows_add(l, r, 0);
			if (++*count % CHUNK == 0 && rows_print(l, e) == -1)
				more = -1;
		}
		PQclear(r);
	}
	if (more != 0)
		drain(l->db);
	else
		while ((r = PQgetResult(l->db)) != NULL)
			PQclear(r);
	return more == -1 ? -1 : 0;
}

/* Prints what is in a span, from a place on. */
static int
print_span(struct log *l, int64_t since, int64_t until,
    const struct place *from, int64_t *count, struct err *e)
{
	struct args a = {0};
	int ret;

	span_args(l, &a, since, until);
	args_time(&a, from->at_ms);
	args_text(&a, from->event);
	args_long(&a, from->webhook);
	args_long(&a, from->attempt);
	*count = 0;
	ret = db_stream(l->db, forwards_sql, &a, e);
	args_free(&a);
	return ret == -1 ? -1 : print_rows(l, count, e);
}

/* Where the days begin that have partitions; before that, little can be. */
static int
ask_begin(struct log *l, int64_t *begin, struct err *e)
{
	PGresult *r =
	    db_query(l->db, "SELECT whk.ms(whk.log_begin())", NULL, e);

	if (r == NULL)
		return -1;
	*begin = db_text(r, 0, 0) == NULL ? l->now_ms : db_long(r, 0, 0);
	PQclear(r);
	return 0;
}

/* Prints all from a place on, oldest first. */
static int
forwards(struct log *l, const struct place *from, struct err *e)
{
	int64_t span = SPAN_FIRST_MS, at = from->at_ms, begin, count;
	int64_t until = l->filter.until_ms, end;

	if (ask_begin(l, &begin, e) == -1)
		return -1;
	/* Nothing begins later, but for a clock that was set. */
	end = l->now_ms + 86400000;
	while (at < until) {
		int64_t to = at < begin ? begin : at >= end ? until : at + span;

		if (l->filter.event != NULL || to > until)
			to = until;
		if (print_span(l, at, to, from, &count, e) == -1)
			return -1;
		if (count < SPAN_ROWS / 4 && span < SPAN_MOST_MS)
			span *= 2;
		else if (count > SPAN_ROWS && span > SPAN_LEAST_MS)
			span /= 2;
		at = to;
	}
	return rows_print(l, e);
}

/* Takes the places of a stream: *place is the last one. */
static int
take_places(struct log *l, struct place *place, int64_t *count, struct err *e)
{
	PGresult *r;
	int more = 1;

	while (more == 1 && (r = PQgetResult(l->db)) != NULL) {
		more = is_row(r, e);
		if (more == 1) {
			place->at_ms = db_long(r, 0, 0);
			strlcpy(place->event, PQgetvalue(r, 0, 1),
			    sizeof(place->event));
			place->webhook = db_long(r, 0, 2);
			place->attempt = db_long(r, 0, 3);
			++*count;
		}
		PQclear(r);
	}
	while ((r = PQgetResult(l->db)) != NULL)
		PQclear(r);
	return more == -1 ? -1 : 0;
}

/* Looks at a span backwards for up to wanted attempts. */
static int
search_span(struct log *l, int64_t since, int64_t until, int64_t wanted,
    struct place *place, int64_t *count, struct err *e)
{
	struct args a = {0};
	int ret;

	span_args(l, &a, since, until);
	args_long(&a, wanted);
	*count = 0;
	ret = db_stream(l->db, backwards_sql, &a, e);
	args_free(&a);
	return ret == -1 ? -1 : take_places(l, place, count, e);
}

/*
 * Finds the place of the last attempt but so many, or of the first that is no
 * older than floor. left: how many there are too few.
 */
static int
backwards(struct log *l, int64_t floor, int64_t *left, struct place *place,
    struct err *e)
{
	int64_t until = l->filter.until_ms, span = SPAN_BACK_MS, count;
	int64_t since = l->now_ms < until ? l->now_ms : until;

	place->at_ms = until;
	while (*left > 0 && until > floor) {
		since -= span;
		if (since < floor || l->filter.event != NULL)
			since = floor;
		if (search_span(l, since, until, *left, place, &count, e) == -1)
			return -1;
		*left -= count;
		until = since;
		span *= 2;
	}
	return 0;
}

/* Tells that there is more than was looked at. */
static int
say_floor(struct log *l, int64_t floor, struct err *e)
{
	struct args a = {0};
	PGresult *r;

	args_time(&a, floor);
	r = db_query(l->db, "SELECT whk.log_before($1)", &a, e);
	args_free(&a);
	if (r == NULL)
		return -1;
	if (PQgetvalue(r, 0, 0)[0] == 't')
		warnx("looked back 7 days; --since goes further");
	PQclear(r);
	return 0;
}

int
list_since(struct log *l, int64_t since_ms, struct err *e)
{
	const struct place place = {.at_ms = since_ms};

	return forwards(l, &place, e);
}

int
list_run(struct log *l, struct err *e)
{
	const struct options *o = l->o;
	int64_t left = o->number, floor = l->filter.since_ms;
	struct place place = {.at_ms = floor};
	bool scans = (o->types.count > 0 || o->tenant != NULL ||
			 o->outcome != NULL || o->status != NULL) &&
	    o->webhook == 0 && l->filter.event == NULL && o->since == NULL;

	if (left == -1)
		left = o->since != NULL || l->filter.event != NULL ? 0 : LAST;
	if (left > 0) {
		if (scans)
			floor = l->now_ms - SEARCH_MS;
		if (backwards(l, floor, &left, &place, e) == -1)
			return -1;
	}
	if (forwards(l, &place, e) == -1)
		return -1;
	return left > 0 && scans ? say_floor(l, floor, e) : 0;
}
