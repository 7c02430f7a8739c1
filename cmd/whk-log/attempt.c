/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "whk-log/log.h"
#include "when.h"

/* The places of ATTEMPT_COLUMNS. */
enum {
	WEBHOOK,
	ATTEMPT,
	AT,
	OUTCOME,
	STATUS,
	ERROR,
	DNS,
	CONNECT,
	TLS,
	WAIT,
	TOTAL,
	ADDRESS,
	NEXT,
	HEADERS,
	ANSWER,
};

#define INDENT "    "

static void
show_us(struct buf *b, const char *what, int64_t us)
{
	buf_fmt(b, "%s %lld.%lld ms", what, (long long)us / 1000,
	    (long long)us / 100 % 10);
}

static void
show_outcome(struct log *l, const PGresult *r, int row)
{
	const char *status = db_text(r, row, STATUS);
	const char *error = db_text(r, row, ERROR);
	char span[WHEN_TEXT];

	buf_fmt(&l->out, "  attempt %s  ", db_text(r, row, ATTEMPT));
	show_time(l, db_long(r, row, AT));
	buf_fmt(&l->out, "  %s", db_text(r, row, OUTCOME));
	if (status != NULL)
		buf_fmt(&l->out, ", status %s", status);
	if (error != NULL)
		buf_fmt(&l->out, ", error %s", error);
	if (db_text(r, row, TOTAL) != NULL) {
		when_span(db_long(r, row, TOTAL) / 1000, span);
		buf_fmt(&l->out, ", %s", span);
	}
	buf_text(&l->out, "\n");
	if (db_text(r, row, NEXT) != NULL) {
		buf_text(&l->out, INDENT "next at  ");
		show_time(l, db_long(r, row, NEXT));
		buf_text(&l->out, "\n");
	}
}

/* Each by itself; the rest is for the answer after its first byte. */
static void
show_phases(struct log *l, const PGresult *r, int row)
{
	static const struct {
		const char *name;
		int column;
	} phases[] = {{"dns", DNS}, {", connect", CONNECT}, {", tls", TLS},
	    {", wait", WAIT}};
	int64_t left = db_long(r, row, TOTAL);
	const char *address = db_text(r, row, ADDRESS);

	if (db_text(r, row, TOTAL) == NULL)
		return;
	buf_text(&l->out, INDENT "phases   ");
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		int64_t us = db_long(r, row, phases[i].column);

		show_us(&l->out, phases[i].name, us);
		left -= us;
	}
	show_us(&l->out, ", receive", left > 0 ? left : 0);
	buf_text(&l->out, "\n" INDENT "address  ");
	if (address == NULL)
		buf_text(&l->out, "none was dialled");
	else
		show_text(&l->out, address, strlen(address));
	buf_text(&l->out, "\n");
}

static void
show_line(struct buf *b, const char *prefix, const char *text)
{
	buf_text(b, prefix);
	show_text(b, text, strlen(text));
	buf_text(b, "\n");
}

static int
show_request(struct log *l, const struct event *ev, const PGresult *r, int row,
    struct err *e)
{
	static const char out[] = INDENT "> ";
	struct sending s;
	int ret;

	ret = sending_make(l, ev, db_long(r, row, WEBHOOK),
	    (int)db_long(r, row, ATTEMPT), db_long(r, row, AT), &s, e);
	if (ret == 0 && s.url == NULL)
		buf_fmt(&l->out, "%s(the webhook is removed)\n", out);
	else if (ret == 0) {
		buf_fmt(&l->out, "%sPOST ", out);
		show_line(&l->out, "", s.url);
		for (size_t i = 0; i < s.request.count; i++)
			show_line(&l->out, out, s.request.headers[i]);
		if (s.keys.count == 0)
			buf_fmt(&l->out, "%s(%s)\n", out,
			    ev->body == NULL ? "its signature cannot be told "
					       "without the body"
					     : "the secret of that time is not "
					       "known any more");
	}
	sending_free(&s);
	return ret;
}

static int
show_answer(struct log *l, const PGresult *r, int row, struct err *e)
{
	static const char in[] = INDENT "< ";
	const char *headers = db_text(r, row, HEADERS);
	const char *answer = db_text(r, row, ANSWER);
	unsigned char *bytes;
	size_t len;

	len = headers == NULL ? 0 : strlen(headers);
	while (len > 0 && headers[len - 1] == '\n')
		len--;
	show_lines(&l->out, in, headers, len);
	if (answer == NULL)
		return 0;
	bytes = PQunescapeBytea((const unsigned char *)answer, &len);
	if (bytes == NULL)
		return err_temporary(e, "out of memory");
	buf_text(&l->out, INDENT "<\n");
	show_lines(&l->out, in, (const char *)bytes, len);
	PQfreemem(bytes);
	return 0;
}

int
attempt_show(struct log *l, const struct event *ev, const PGresult *r, int row,
    struct err *e)
{
	show_outcome(l, r, row);
	if (db_text(r, row, TOTAL) == NULL)
		return 0; /* nothing was sent */
	show_phases(l, r, row);
	if (show_request(l, ev, r, row, e) == -1)
		return -1;
	return show_answer(l, r, row, e);
}
