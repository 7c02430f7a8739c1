/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "whk-log/log.h"

/* An attempt to be made or made again. */
struct again {
	int64_t webhook;
	int64_t number; /* 0: not said */
	int64_t at_ms;
	bool found, sent; /* it is on record; something was sent */
};

/* Adds a byte that is not to stand for itself as printf(1) reads it. */
static void
add_octal(struct buf *b, char c)
{
	buf_fmt(b, "\\%03o", (unsigned char)c);
}

/*
 * Adds len bytes as a format of printf(1) within single quotes: what a
 * terminal or a shell could act on as octal numbers, so it can be copied from
 * a screen whatever it holds.
 */
static void
add_format(struct buf *b, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '\'')
			buf_text(b, "'\\''");
		else if (c == '\\')
			buf_text(b, "\\\\");
		else if (c == '%')
			buf_text(b, "%%");
		else if (c == '\n' ||
		    (c >= ' ' && c <= '~' && !(i == 0 && c == '-')))
			buf_add(b, &s[i], 1);
		else
			add_octal(b, s[i]);
	}
}

/* Adds a word that the shell reads as it is. */
static void
add_word(struct buf *b, const char *s)
{
	bool plain = true;

	for (const char *p = s; *p != '\0'; p++)
		plain = plain && *p >= ' ' && *p <= '~';
	if (!plain) {
		buf_text(b, "\"$(printf '");
		add_format(b, s, strlen(s));
		buf_text(b, "')\"");
		return;
	}
	buf_text(b, "'");
	for (; *s != '\0'; s++)
		if (*s == '\'')
			buf_text(b, "'\\''");
		else
			buf_add(b, s, 1);
	buf_text(b, "'");
}

static void
add_command(struct log *l, const struct event *ev, const struct sending *s)
{
	struct buf *b = &l->out;

	buf_text(b, "printf '");
	add_format(b, ev->body, ev->body_len);
	buf_text(b, "' |\ncurl -gsSi --path-as-is --data-binary @- \\\n");
	for (size_t i = 0; i < s->request.count; i++) {
		buf_text(b, "\t-H ");
		add_word(b, s->request.headers[i]);
		buf_text(b, " \\\n");
	}
	buf_text(b, "\t-H 'user-agent: whk/" WHK_VERSION "' -H 'expect:' \\\n");
	buf_text(b, "\t");
	add_word(b, s->url);
	buf_text(b, "\n");
}

/* The last attempt at the webhook, or the last of that number. */
static int
find_attempt(
    struct log *l, const struct event *ev, struct again *w, struct err *e)
{
	struct args a = {0};
	PGresult *r;

	args_text(&a, ev->id);
	args_time(&a, ev->time_ms);
	args_longs(&a, &w->webhook, 1);
	r = db_query(l->db,
	    "SELECT attempt, at_ms, total_us"
	    " FROM whk.story_attempts($1, $2, $3)",
	    &a, e);
	args_free(&a);
	if (r == NULL)
		return -1;
	for (int i = PQntuples(r) - 1; i >= 0 && !w->found; i--) {
		if (w->number != 0 && db_long(r, i, 0) != w->number)
			continue;
		w->number = db_long(r, i, 0);
		w->at_ms = db_long(r, i, 1);
		w->sent = db_text(r, i, 2) != NULL;
		w->found = true;
	}
	PQclear(r);
	return 0;
}

/* Whether what was asked for can be sent as it was. */
static int
check_found(const struct log *l, const struct event *ev, const struct again *w,
    struct err *e)
{
	if (l->o->as_sent && w->found && !w->sent)
		return err_set(e,
		    "%s: nothing was sent in attempt %lld at webhook %lld",
		    ev->id, (long long)w->number, (long long)w->webhook);
	if (w->found || (!l->o->as_sent && w->number == 0))
		return 0;
	if (w->number == 0)
		return err_set(e, "%s has no attempt at webhook %lld", ev->id,
		    (long long)w->webhook);
	return err_set(e,
	    "%s has no attempt %lld at webhook %lld: whk-log %s shows them",
	    ev->id, (long long)w->number, (long long)w->webhook, ev->id);
}

static void
no_sending(int64_t webhook, bool exists, struct err *e)
{
	if (!exists)
		err_set(e, "no webhook %lld: whk-list shows them",
		    (long long)webhook);
	else
		err_set(e,
		    "webhook %lld: the secret of that time is not known any "
		    "more; without --as-sent the present one signs",
		    (long long)webhook);
}

static int
make(struct log *l, const struct event *ev, struct again *w, struct err *e)
{
	struct sending s;
	int ret;

	if (find_attempt(l, ev, w, e) == -1 || check_found(l, ev, w, e) == -1)
		return -1;
	ret =
	    sending_make(l, ev, w->webhook, w->number == 0 ? 1 : (int)w->number,
		l->o->as_sent ? w->at_ms : l->now_ms, &s, e);
	if (ret == 0 && (s.url == NULL || s.keys.count == 0)) {
		no_sending(w->webhook, s.url != NULL, e);
		ret = -1;
	} else if (ret == 0)
		add_command(l, ev, &s);
	sending_free(&s);
	return ret == 0 ? log_print(l, e) : -1;
}

int
curl_check(char **operands, int count, struct err *e)
{
	static const char *const names[] = {"event", "webhook", "attempt"};

	for (int i = 1; i < count && i < 3; i++) {
		const char *wrong = NULL;

		strtonum(operands[i], 1, INT64_MAX, &wrong);
		if (wrong != NULL)
			return err_set(
			    e, "%s '%.100s': %s", names[i], operands[i], wrong);
	}
	return 0;
}

int
curl_run(struct log *l, char **operands, int count, struct err *e)
{
	struct again w = {
	    .webhook = strtonum(operands[1], 1, INT64_MAX, NULL),
	    .number = count > 2 ? strtonum(operands[2], 1, INT64_MAX, NULL) : 0,
	};
	struct event ev = {0};
	int ret = event_find(l, operands[0], &ev, e);

	if (ret == 0)
		ret = event_body(&ev, e);
	if (ret == 0)
		ret = make(l, &ev, &w, e);
	event_free(&ev);
	return ret;
}
