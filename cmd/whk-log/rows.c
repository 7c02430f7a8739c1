/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "line.h"
#include "whk-log/log.h"
#include "when.h"

/* The places of ROW_COLUMNS. */
enum {
	EVENT,
	TYPE,
	WEBHOOK,
	ATTEMPT,
	AT,
	OUTCOME,
	STATUS,
	ERROR,
	TOTAL,
	NEXT,
	VIA,
};

static const struct table_column columns[] = {{"TIME", false}, {"EVENT", false},
    {"TYPE", false}, {"WEBHOOK", true}, {"TRY", true}, {"OUTCOME", false},
    {"STATUS", false}, {"MS", true}};
#define EVENT_COLUMN 1
#define TYPE_COLUMN 2

void
rows_init(struct log *l)
{
	if (l->o->json)
		return;
	table_init(&l->table, columns, sizeof(columns) / sizeof(columns[0]));
	table_fit(&l->table, l->columns, EVENT_COLUMN, TYPE_COLUMN);
}

static const char *
style(const struct log *l, const char *outcome)
{
	static const struct {
		const char *outcome, *style;
	} styles[] = {{"delivered", "32"}, {"retry", "33"}, {"failed", "31"}};

	for (size_t i = 0; l->colors && i < 3; i++)
		if (strcmp(styles[i].outcome, outcome) == 0)
			return styles[i].style;
	return NULL;
}

static void
add_time(struct log *l, int64_t ms)
{
	char text[CLOCK_TEXT > WHEN_TEXT ? CLOCK_TEXT : WHEN_TEXT];

	if (l->local)
		when_brief(ms, l->now_ms, text);
	else
		clock_format(ms, text);
	table_add(&l->table, text);
}

static void
add_cells(struct log *l, const PGresult *r, int row)
{
	const char *outcome = db_text(r, row, OUTCOME);
	const char *status = db_text(r, row, STATUS);
	char ms[24] = "";

	add_time(l, db_long(r, row, AT));
	table_add(&l->table, db_text(r, row, EVENT));
	table_add(&l->table, db_text(r, row, TYPE));
	table_add(&l->table, db_text(r, row, WEBHOOK));
	table_add(&l->table, db_text(r, row, ATTEMPT));
	table_add_styled(&l->table, outcome, style(l, outcome));
	table_add(&l->table, status != NULL ? status : db_text(r, row, ERROR));
	if (db_text(r, row, TOTAL) != NULL)
		snprintf(ms, sizeof(ms), "%lld",
		    (long long)db_long(r, row, TOTAL) / 1000);
	table_add(&l->table, ms);
}

static void
add_line(struct log *l, const PGresult *r, int row)
{
	const char *via = db_text(r, row, VIA);
	char extra[32];
	const struct attempt_line line = {
	    .event = db_text(r, row, EVENT),
	    .type = db_text(r, row, TYPE),
	    .webhook = db_long(r, row, WEBHOOK),
	    .attempt = (int)db_long(r, row, ATTEMPT),
	    .at_ms = db_long(r, row, AT),
	    .outcome = db_text(r, row, OUTCOME),
	    .status = (int)db_long(r, row, STATUS),
	    .error = db_text(r, row, ERROR),
	    .ms = db_text(r, row, TOTAL) == NULL
		? -1
		: db_long(r, row, TOTAL) / 1000,
	    .next_ms =
		db_text(r, row, NEXT) == NULL ? -1 : db_long(r, row, NEXT),
	    .extra = via == NULL ? NULL : extra,
	};

	if (via != NULL)
		snprintf(extra, sizeof(extra), ",\"via\":\"%.15s\"", via);
	line_attempt_write(&l->out, &line);
}

static bool
is_new(struct log *l, const PGresult *r, int row)
{
	const char *const key[] = {PQgetvalue(r, row, EVENT),
	    PQgetvalue(r, row, WEBHOOK), PQgetvalue(r, row, ATTEMPT),
	    PQgetvalue(r, row, AT)};

	return l->seen == NULL ||
	    seen_add(l->seen, key, sizeof(key) / sizeof(key[0]));
}

void
rows_add(struct log *l, const PGresult *r, int row)
{
	if (!is_new(l, r, row))
		return;
	if (l->o->json)
		add_line(l, r, row);
	else
		add_cells(l, r, row);
}

int
rows_print(struct log *l, struct err *e)
{
	if (!l->o->json && table_write(&l->table, &l->out) == -1)
		return err_temporary(e, "out of memory");
	return log_print(l, e);
}

void
rows_free(struct log *l)
{
	table_free(&l->table);
}
