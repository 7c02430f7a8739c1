/* SPDX-License-Identifier: ISC */
#include "stats-round.h"

/* One more is answered; where it was the last, what they say is taken apart. */
static void
answered(struct round *r)
{
	if (--r->open > 0)
		return;
	if (r->db_error.msg[0] == '\0' && stat_take(&r->s) == -1)
		err_temporary(&r->db_error, "out of memory");
	r->done(r->arg);
}

/* A question under way: which one it is follows from the order of answers. */
static void
result(void *arg, const struct err *e, const PGresult *res)
{
	struct round *r = arg;
	int ask = 0;

	/* answers come in the order of the questions */
	while (ask < ASK_COUNT &&
	    (r->s.results[ask] != NULL || !(r->choice->asks & 1U << ask)))
		ask++;
	if (e != NULL)
		r->db_error = *e;
	else if (ask < ASK_COUNT) {
		r->s.results[ask] =
		    PQcopyResult(res, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES);
		if (r->s.results[ask] == NULL)
			err_temporary(&r->db_error, "out of memory");
	}
	answered(r);
}

static void
measured(void *arg, const struct err *e, const struct sqs_depth *depth)
{
	struct round *r = arg;

	if (e != NULL) {
		r->queue_error = *e;
	} else {
		r->s.queue = r->queue_name;
		r->s.depth = *depth;
	}
	answered(r);
}

int
round_start(struct round *r, struct err *e)
{
	if (r->open > 0)
		return 0;
	stat_clear(&r->s);
	r->db_error.msg[0] = r->queue_error.msg[0] = '\0';
	for (int ask = 0; ask < ASK_COUNT; ask++) {
		struct args a = {0};

		if (!(r->choice->asks & 1U << ask))
			continue;
		stat_args(r->choice, (enum ask)ask, &a);
		if (db_call(r->db, stat_sql((enum ask)ask), &a, result, r, e) ==
		    -1)
			return -1;
		r->open++;
	}
	if (r->queue == NULL)
		return 0;
	if (sqs_depth(r->queue, measured, r, &r->queue_error) == 0)
		r->open++;
	return 0;
}

void
round_free(struct round *r)
{
	stat_clear(&r->s);
}
