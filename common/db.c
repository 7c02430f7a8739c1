/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "db-private.h"
#include "db.h"
#include "schema.h"

/*
 * Else the server would keep the connection of a host that is cut off, with
 * all that it has locked, for hours.
 */
const char db_watch[] =
    "SELECT set_config('tcp_keepalives_idle', '10', false), "
    "set_config('tcp_keepalives_interval', '5', false), "
    "set_config('tcp_keepalives_count', '3', false), "
    "set_config('tcp_user_timeout', '30000', false)";

const char db_hello[] = "SELECT version, now_ms, encoding FROM whk.hello()";

void
db_params(struct db_params *p, const char *program)
{
	const char *url = getenv("WHK_DATABASE_URL");
	/* what stands later wins, so the user's own words do */
	const char *const pairs[][2] = {
	    {"fallback_application_name", program},
	    {"client_encoding", "UTF8"},
	    {"connect_timeout", "10"},
	    {"keepalives_idle", "10"},
	    {"keepalives_interval", "5"},
	    {"keepalives_count", "3"},
	    {"tcp_user_timeout", "30000"},
	    {"dbname", url != NULL && url[0] != '\0' ? url : NULL},
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (pairs[i][1] == NULL)
			continue;
		p->keys[n] = pairs[i][0];
		p->values[n++] = pairs[i][1];
	}
	p->keys[n] = NULL;
	p->values[n] = NULL;
}

/* Copies libpq's message as one line, without its hints (after a tab). */
static void
one_line(char *dst, size_t size, const char *msg)
{
	size_t len = 0, n;

	for (; *msg != '\0'; msg += n + (msg[n] == '\n')) {
		n = strcspn(msg, "\n");
		if (n == 0 || msg[0] == '\t')
			continue;
		if (len > 0 && len + 1 < size)
			dst[len++] = ' ';
		for (size_t i = 0; i < n && len + 1 < size; i++)
			dst[len++] = msg[i];
	}
	dst[len] = '\0';
}

int
db_connect_error(const PGconn *c, struct err *e)
{
	static const char *const lasting[] = {"does not exist",
	    "authentication failed", "no password supplied",
	    "no pg_hba.conf entry", "invalid connection option",
	    "missing \"=\"", "invalid URI", "invalid port"};
	char msg[400];

	one_line(msg, sizeof(msg), PQerrorMessage(c));
	if (msg[0] == '\0')
		return err_temporary(e, "database: connection lost");
	for (size_t i = 0; i < sizeof(lasting) / sizeof(lasting[0]); i++)
		if (strstr(msg, lasting[i]) != NULL)
			return err_set(e, "database: %s", msg);
	return err_temporary(e, "database: %s", msg);
}

/*
 * Whether an error is no fault of the statement: of its class, by SQLSTATE
 * (PostgreSQL, Appendix A).
 */
static bool
passing(const char *state)
{
	static const char *const classes[] = {"08", "40", "53", "57", "58"};

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strncmp(state, classes[i], 2) == 0)
			return true;
	return strcmp(state, "25006") == 0 || /* a standby */
	    strcmp(state, "55P03") == 0 ||    /* lock not available */
	    strcmp(state, "55006") == 0;      /* object in use */
}

/* Whether something of the schema is not there. */
static bool
missing(const char *state)
{
	return strcmp(state, "3F000") == 0 || strcmp(state, "42883") == 0 ||
	    strcmp(state, "42P01") == 0;
}

bool
db_changing(const PGresult *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *msg = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

	/* what is dropped is looked for by its number, or by its name */
	return state != NULL &&
	    (missing(state) ||
		(msg != NULL && strncmp(msg, "cache lookup failed", 19) == 0));
}

int
db_error(const PGresult *r, struct err *e)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *msg = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL);
	char line[300];

	if (state == NULL || msg == NULL) {
		one_line(line, sizeof(line), PQresultErrorMessage(r));
		return err_temporary(e, "database: %s",
		    line[0] != '\0' ? line : "connection lost");
	}
	if (missing(state))
		return err_set(e, "database: %s: run whk-init", msg);
	one_line(line, sizeof(line), detail != NULL ? detail : "");
	if (passing(state))
		return err_temporary(e, "database: %s%s%s", msg,
		    line[0] != '\0' ? ": " : "", line);
	return err_set(
	    e, "database: %s%s%s", msg, line[0] != '\0' ? ": " : "", line);
}

int
db_check_hello(const PGresult *r, struct err *e)
{
	int64_t have, want = schema_steps;

	if (PQntuples(r) != 1)
		return err_set(
		    e, "database: schema whk has no version: run whk-init");
	have = db_long(r, 0, 0);
	if (have < want)
		return err_set(e,
		    "database: schema whk is of version %d, older than this "
		    "program's %d: run whk-init",
		    (int)have, (int)want);
	if (have > want)
		return err_set(e,
		    "database: schema whk is of version %d, newer than this "
		    "program's %d: use newer programs",
		    (int)have, (int)want);
	return 0;
}

static int
watch(PGconn *c, struct err *e)
{
	PGresult *r = db_query(c, db_watch, NULL, e);

	PQclear(r);
	return r == NULL ? -1 : 0;
}

/* Asks the greeting and judges the answer. */
static int
greet(PGconn *c, struct err *e)
{
	PGresult *r;
	int ret;

	r = db_query(c, db_hello, NULL, e);
	if (r == NULL)
		return -1;
	ret = db_check_hello(r, e);
	PQclear(r);
	return ret;
}

static void
no_notice(void *arg, const PGresult *r)
{
	(void)arg;
	(void)r;
}

PGconn *
db_open(const char *program, bool any_schema, struct err *e)
{
	struct db_params p;
	PGconn *c;

	db_params(&p, program);
	c = PQconnectdbParams(p.keys, p.values, 1);
	if (c == NULL) {
		err_temporary(e, "out of memory");
		return NULL;
	}
	if (PQstatus(c) != CONNECTION_OK) {
		db_connect_error(c, e);
		PQfinish(c);
		return NULL;
	}
	PQsetNoticeReceiver(c, no_notice, NULL);
	if (watch(c, e) == -1 || (!any_schema && greet(c, e) == -1)) {
		PQfinish(c);
		return NULL;
	}
	return c;
}

/* Returns r if it is an answer; else clears it and fills *e. */
static PGresult *
judge_result(PGconn *c, PGresult *r, struct err *e)
{
	switch (PQresultStatus(r)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		return r;
	default:
		if (r == NULL || PQstatus(c) != CONNECTION_OK)
			db_connect_error(c, e);
		else
			db_error(r, e);
		PQclear(r);
		return NULL;
	}
}

PGresult *
db_query(PGconn *c, const char *sql, struct args *a, struct err *e)
{
	struct args_pq pq;
	struct args none = {0};
	int n;

	if (a == NULL)
		a = &none;
	if (!args_ok(a)) {
		err_temporary(e, "out of memory");
		return NULL;
	}
	n = args_finish(a, &pq);
	return judge_result(c,
	    PQexecParams(
		c, sql, n, pq.types, pq.values, pq.lengths, pq.formats, 0),
	    e);
}

int
db_script(PGconn *c, const char *sql, struct err *e)
{
	PGresult *r = judge_result(c, PQexec(c, sql), e);

	if (r == NULL)
		return -1;
	PQclear(r);
	return 0;
}

int
db_stream(PGconn *c, const char *sql, struct args *a, struct err *e)
{
	struct args_pq pq;
	int n;

	if (!args_ok(a))
		return err_temporary(e, "out of memory");
	n = args_finish(a, &pq);
	if (PQsendQueryParams(c, sql, n, pq.types, pq.values, pq.lengths,
		pq.formats, 0) != 1 ||
	    PQsetSingleRowMode(c) != 1)
		return db_connect_error(c, e);
	return 0;
}

void
db_cancel(PGconn *c)
{
	PGcancel *cancel = PQgetCancel(c);
	char why[256];

	if (cancel != NULL)
		PQcancel(cancel, why, sizeof(why));
	PQfreeCancel(cancel);
}

int64_t
db_long(const PGresult *r, int row, int column)
{
	return strtoll(PQgetvalue(r, row, column), NULL, 10);
}

const char *
db_text(const PGresult *r, int row, int column)
{
	if (PQgetisnull(r, row, column))
		return NULL;
	return PQgetvalue(r, row, column);
}

int
db_longs(const PGresult *r, int row, int column, int64_t **v, size_t *count)
{
	const char *s = PQgetvalue(r, row, column); /* "{7,9}", or "" */
	size_t n = 1;

	*v = NULL;
	*count = 0;
	if (s[0] != '{' || s[1] == '}')
		return 0;
	for (const char *p = s; *p != '\0'; p++)
		n += *p == ',';
	*v = calloc(n, sizeof(**v));
	if (*v == NULL)
		return -1;
	for (; *count < n; (*count)++)
		(*v)[*count] = strtoll(s + 1, (char **)&s, 10);
	return 0;
}
