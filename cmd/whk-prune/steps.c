/* SPDX-License-Identifier: ISC */
#include <err.h>
#include <time.h>

#include "clock.h"
#include "prune.h"

/* Rows by themselves that are taken away at once. */
#define BATCH 500

int
prune_number(
    struct prune *p, const char *sql, struct args *a, int64_t *n, struct err *e)
{
	PGresult *r = db_query(p->db, sql, a, e);

	if (r == NULL)
		return -1;
	*n = PQgetisnull(r, 0, 0) ? -1 : db_long(r, 0, 0);
	PQclear(r);
	return 0;
}

int
prune_patient(
    struct prune *p, const char *sql, struct args *a, int64_t *n, struct err *e)
{
	int64_t end_ms = clock_steady_ms() + p->o->wait_ms, pause_ms = 100;

	while (prune_number(p, sql, a, n, e) == 0) {
		if (*n != -1)
			return 0;
		if (clock_steady_ms() + pause_ms > end_ms)
			return err_temporary(e,
			    "the tables are in use, by something that takes "
			    "long: run it again later, or --wait longer");
		nanosleep(&(struct timespec){pause_ms / 1000,
			      pause_ms % 1000 * 1000000},
		    NULL);
		prune_progress(p, "waiting for tables in use", NULL, -1);
		pause_ms = pause_ms < 2000 ? 2 * pause_ms : pause_ms;
	}
	return -1;
}

int
prune_number_of(struct prune *p, const char *sql, const char *text, int64_t *n,
    struct err *e)
{
	struct args a = {0};
	int ret;

	args_text(&a, text);
	ret = prune_number(p, sql, &a, n, e);
	args_free(&a);
	return ret;
}

int
prune_patient_of(struct prune *p, const char *sql, const char *text, int64_t *n,
    struct err *e)
{
	struct args a = {0};
	int ret;

	args_text(&a, text);
	ret = prune_patient(p, sql, &a, n, e);
	args_free(&a);
	return ret;
}

int
prune_clean(struct prune *p, struct err *e)
{
	int64_t n;

	return prune_patient(p, "SELECT whk.prune_clean()::int", NULL, &n, e);
}

/* Begins to note what is added to a table, and exports what is in it. */
static int
watch(struct prune *p, const struct item *it, int64_t *blocks, struct err *e)
{
	if (prune_patient_of(
		p, "SELECT whk.prune_watch($1)", it->part, blocks, e) == -1)
		return -1;
	if (p->o->export == NULL || *blocks == 0)
		return 0;
	return prune_export(p, it->parent, it->part, it->day, true, *blocks, e);
}

/* Copies a table by spans of its blocks. */
static int
copy(struct prune *p, const char *sql, const char *name, const char *doing,
    const char *day, int64_t blocks, struct err *e)
{
	for (int64_t at = 0; at < blocks; at += COPY_SPAN) {
		int64_t end = at + COPY_SPAN < blocks ? at + COPY_SPAN : blocks,
			n;
		struct args a = {0};
		int ret;

		args_text(&a, name);
		args_long(&a, at);
		args_long(&a, end);
		ret = prune_number(p, sql, &a, &n, e);
		args_free(&a);
		if (ret == -1)
			return -1;
		prune_progress(p, doing, day, end * 100 / blocks);
	}
	return 0;
}

/* Copies what is kept of a day, where it is much; *xid: since when. */
static int
keep(struct prune *p, const struct item *it, int64_t *xid, struct err *e)
{
	int64_t n;

	*xid = 0;
	if (it->kept <= 1000)
		return 0;
	prune_progress(p, "keeping some of", it->day, -1);
	if (prune_number(p, "SELECT whk.prune_xid()", NULL, xid, e) == -1 ||
	    prune_number_of(p,
		"SELECT (whk.prune_stage($1)::text IS NULL)::int", it->part, &n,
		e) == -1)
		return -1;
	return prune_number_of(p, "SELECT whk.keep_copy($1)", it->part, &n, e);
}

int
prune_drop(struct prune *p, const struct item *it, struct err *e)
{
	struct args a = {0};
	int64_t blocks, kept, xid;
	int ret;

	if (p->o->export != NULL && watch(p, it, &blocks, e) == -1)
		return -1;
	if (keep(p, it, &xid, e) == -1)
		return -1;
	args_text(&a, it->parent);
	args_text(&a, it->part);
	args_long(&a, xid);
	ret =
	    prune_patient(p, "SELECT whk.prune_drop($1, $2, $3)", &a, &kept, e);
	args_free(&a);
	if (ret == -1)
		return -1;
	if (it->parent[0] == 'e')
		p->events += it->rows - kept;
	else
		p->attempts += it->rows;
	p->kept += kept;
	prune_say(p, "%s: %lld %ss dropped, %lld kept", it->day,
	    (long long)(it->rows - kept), it->parent, (long long)kept);
	return 0;
}

/* Puts a copy in the place of its day; what is pending changed since xid. */
static int
swap(struct prune *p, const struct item *it, int64_t xid, struct err *e)
{
	struct args a = {0};
	int64_t n;
	int ret;

	args_text(&a, it->part);
	args_long(&a, xid);
	ret = prune_patient(p, "SELECT whk.slim_swap($1, $2)::int", &a, &n, e);
	args_free(&a);
	return ret;
}

int
prune_slim(struct prune *p, const struct item *it, struct err *e)
{
	int64_t blocks, n, xid;

	if (watch(p, it, &blocks, e) == -1 ||
	    prune_number_of(p,
		"SELECT (whk.prune_stage($1)::text IS NULL)::int", it->part, &n,
		e) == -1 ||
	    prune_number(p, "SELECT whk.prune_xid()", NULL, &xid, e) == -1 ||
	    copy(p, "SELECT whk.slim_copy($1, $2, $3)", it->part,
		"taking the bodies of", it->day, blocks, e) == -1 ||
	    prune_number_of(p, "SELECT (whk.slim_index($1)::text IS NULL)::int",
		it->part, &n, e) == -1 ||
	    swap(p, it, xid, e) == -1)
		return -1;
	p->bodies += it->rows - it->kept;
	prune_say(p, "%s: %lld bodies dropped, %lld kept", it->day,
	    (long long)(it->rows - it->kept), (long long)it->kept);
	return 0;
}

/* How many days of the default partition should have one of their own. */
static int
count_days(struct prune *p, const char *sql, const char *parent, int64_t *n,
    struct err *e)
{
	struct args a = {0};
	int ret;

	args_text(&a, parent);
	args_long(&a, p->o->keep_ms);
	ret = prune_number(p, sql, &a, n, e);
	args_free(&a);
	return ret;
}

int
prune_repair(struct prune *p, const char *parent, struct err *e)
{
	int64_t days, rows, blocks;

	if (count_days(p, "SELECT count(*) FROM whk.repairable($1, $2)", parent,
		&days, e) == -1)
		return -1;
	if (days == 0)
		return 0;
	if (count_days(p,
		"SELECT sum(rows)::bigint FROM whk.repairable($1, $2)", parent,
		&rows, e) == -1 ||
	    prune_patient_of(p, "SELECT whk.prune_watch($1 || '_default')",
		parent, &blocks, e) == -1 ||
	    count_days(
		p, "SELECT whk.repair_stage($1, $2)", parent, &days, e) == -1)
		return -1;
	if (days == 0)
		return prune_clean(p, e);
	if (copy(p, "SELECT whk.repair_copy($1, $2, $3)", parent, "moving",
		NULL, blocks, e) == -1 ||
	    prune_patient_of(
		p, "SELECT whk.repair_swap($1)::int", parent, &days, e) == -1)
		return -1;
	p->moved += rows;
	prune_say(p, "%lld %ss moved out of the default partition",
	    (long long)rows, parent);
	return 0;
}

/* Exports what was taken away row by row. */
static int
export_rest(struct prune *p, const char *parent, struct err *e)
{
	char part[32];
	struct args a = {0};
	int64_t blocks;
	PGresult *r;
	int ret;

	snprintf(part, sizeof(part), "%s_rest", parent);
	args_text(&a, parent);
	r = db_query(p->db, "SELECT day FROM whk.rest_days($1)", &a, e);
	args_free(&a);
	if (r == NULL)
		return -1;
	ret = prune_number_of(p, "SELECT whk.blocks($1)", part, &blocks, e);
	for (int i = 0; ret == 0 && i < PQntuples(r); i++)
		ret = prune_export(
		    p, parent, part, PQgetvalue(r, i, 0), false, blocks, e);
	PQclear(r);
	return ret;
}

/* Takes rows away until there are no more. */
static int
take(struct prune *p, const char *sql, bool bodies, int64_t *sum, struct err *e)
{
	int64_t n;

	do {
		struct args a = {0};
		int ret;

		args_long(&a, p->o->keep_ms);
		if (bodies)
			args_long(&a, p->o->bodies_ms);
		args_long(&a, BATCH);
		args_long(&a, p->o->export != NULL);
		ret = prune_patient(p, sql, &a, &n, e);
		args_free(&a);
		if (ret == -1)
			return -1;
		*sum += n;
		prune_progress(p, "taking single rows", NULL, -1);
	} while (n > 0);
	return 0;
}

/* Takes away all that goes row by row. */
static int
take_all(struct prune *p, struct err *e)
{
	if (take(p, "SELECT whk.rest_take($1, $2, $3::int, $4 = 1)", true,
		&p->single, e) == -1)
		return -1;
	return take(p, "SELECT whk.rest_take_attempts($1, $2::int, $3 = 1)",
	    false, &p->single, e);
}

/* What a run with --export has taken and not written is for another. */
static int
say_unexported(struct prune *p, struct err *e)
{
	int64_t n;

	if (prune_number(p, "SELECT whk.rest_count()", NULL, &n, e) == -1)
		return -1;
	prune_progress_end(p);
	if (n > 0)
		warnx("%lld rows that an --export took and did not write are "
		      "still there: run it with --export again",
		    (long long)n);
	return 0;
}

int
prune_rest(struct prune *p, struct err *e)
{
	if (p->o->export == NULL)
		return take_all(p, e) == -1 ? -1 : say_unexported(p, e);
	if (db_script(p->db, "SELECT whk.rest_open()", e) == -1 ||
	    take_all(p, e) == -1 || export_rest(p, "event", e) == -1 ||
	    export_rest(p, "attempt", e) == -1)
		return -1;
	return db_script(p->db, "SELECT whk.rest_close()", e);
}
