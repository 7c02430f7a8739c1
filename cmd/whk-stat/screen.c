/* SPDX-License-Identifier: ISC */
/* The figures as one screen for people. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "table.h"
#include "text.h"
#include "when.h"
#include "whk-stat/stat.h"

#define GREEN "32"
#define YELLOW "33"
#define RED "31"

#define SHARE 16 /* "99.9%" */

/* A share in percent: 100% is all of them, and 0% none. */
static void
share_text(double share, char buf[SHARE])
{
	double percent = 100 * share;

	if (share > 0 && percent < 0.1)
		percent = 0.1;
	if (share < 1 && percent > 99.9)
		percent = 99.9;
	if (share < 0)
		strlcpy(buf, "-", SHARE);
	else if (share >= 1 || share <= 0)
		snprintf(buf, SHARE, "%.0f%%", percent);
	else
		snprintf(buf, SHARE, "%.1f%%", percent);
}

static const char *
share_style(double share)
{
	if (share < 0)
		return NULL;
	return share >= 0.99 ? GREEN : share >= 0.9 ? YELLOW : RED;
}

static void
time_and_queue(const struct stats *s, struct buf *out)
{
	char at[WHEN_TEXT], name[200];
	const char *slash;

	when_format(s->now_ms, at);
	buf_fmt(out, "%s\n\n", at);
	if (s->queue == NULL)
		return;
	slash = strrchr(s->queue, '/');
	slash = slash == NULL ? s->queue : slash + 1;
	text_visible(name, sizeof(name), slash, strlen(slash));
	buf_fmt(out,
	    "queue     %" PRId64 " waiting, %" PRId64 " in flight, %" PRId64
	    " delayed: %s\n",
	    s->depth.waiting, s->depth.in_flight, s->depth.delayed, name);
}

static void
pending(const struct figures *f, struct buf *out)
{
	char due[STAT_NUMBER], waiting[STAT_NUMBER], parked[STAT_NUMBER];
	char late[WHEN_TEXT];

	stat_count(f->due, f->more_due, due);
	stat_count(f->waiting, f->more_waiting, waiting);
	stat_count(f->parked, f->more_parked, parked);
	buf_fmt(out, "pending   %s due, %s waiting, %s parked", due, waiting,
	    parked);
	if (f->due > 0) {
		when_span(f->late_ms, late);
		buf_fmt(out, "; the oldest is %s late", late);
	}
	buf_text(out, "\n");
}

static void
webhooks(const struct stats *s, struct buf *out)
{
	char all[STAT_NUMBER], why[100];

	stat_count(s->webhooks, s->more_webhooks, all);
	buf_fmt(out,
	    "webhooks  %s: %" PRId64 " active, %" PRId64 " paused, %" PRId64
	    " blocked, %" PRId64 " disabled\n",
	    all, stat_active(s), s->paused, s->blocked, s->disabled);
	for (size_t i = 0; i < s->reason_count; i++) {
		const char *reason = s->reasons[i].why;

		reason = reason == NULL ? "-" : reason;
		text_visible(why, sizeof(why), reason, strlen(reason));
		buf_fmt(out, "%s%s: %" PRId64,
		    i > 0 ? ", " : "          disabled for ", why,
		    s->reasons[i].webhooks);
	}
	if (s->reason_count > 0)
		buf_text(out, "\n");
}

/* A cell of 10 columns, to the right. */
static void
cell(const char *text, const char *style, bool color, struct buf *out)
{
	buf_fmt(out, "%*s", 10 - (int)strlen(text), "");
	if (style != NULL && color)
		buf_fmt(out, "\033[%sm%s\033[m", style, text);
	else
		buf_text(out, text);
}

static void
rates(const struct figures *f, const struct look *l, struct buf *out)
{
	char number[STAT_NUMBER], share[SHARE];

	buf_text(out, "\nover          1 min     5 min    60 min\na minute ");
	for (int i = 0; i < 3; i++) {
		stat_number(stat_rate(f, i), number);
		cell(number, NULL, false, out);
	}
	buf_text(out, "\nsuccess  ");
	for (int i = 0; i < 3; i++) {
		double v = stat_success(f, i);

		share_text(v, share);
		cell(share, share_style(v), l->color, out);
	}
	buf_text(out, "\n");
}

/* "12.1", in ms; "-" where nothing was timed. */
static void
ms_text(double us, const struct figures *f, char buf[STAT_NUMBER])
{
	if (f->timed == 0)
		strlcpy(buf, "-", STAT_NUMBER);
	else
		stat_number(us / 1000, buf);
}

static void
times(const struct figures *f, struct buf *out)
{
	const double p[] = {f->p50, f->p90, f->p99};
	char number[STAT_NUMBER];

	buf_text(out, "\ntook            p50       p90       p99\nms       ");
	for (int i = 0; i < 3; i++) {
		ms_text(p[i], f, number);
		cell(number, NULL, false, out);
	}
	if (f->timed > 0)
		buf_fmt(out, "   the newest %" PRId64 " attempts", f->timed);
	buf_text(out, "\n");
}

/* How the times of all attempts are spread. */
static void
spread(const struct stats *s, struct buf *out)
{
	double values[STAT_BUCKETS];
	int64_t before = 0;

	if (s->buckets[STAT_BUCKETS - 1].attempts == 0)
		return;
	for (int i = 0; i < STAT_BUCKETS; i++) {
		values[i] = (double)(s->buckets[i].attempts - before);
		before = s->buckets[i].attempts;
	}
	buf_text(out, "spread     0.2 ms |");
	stat_spark(values, STAT_BUCKETS, out);
	buf_text(out, "| 1 min   all attempts ever\n");
}

static const struct table_column columns[] = {{"ID", true}, {"STATE", false},
    {"ROW", true}, {"PENDING", true}, {"/MIN", true}, {"OK", true},
    {"P50", true}, {"P90", true}, {"P99", true}, {"URL", false}};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void
add_hook(struct table *t, const struct hook *h, const struct look *l)
{
	const double p[] = {h->f.p50, h->f.p90, h->f.p99};
	double share = stat_success(&h->f, 2);
	char text[256], number[STAT_NUMBER];

	snprintf(text, sizeof(text), "%" PRId64, h->id);
	table_add(t, text);
	snprintf(text, sizeof(text), "%s%s%.200s", h->state,
	    h->why == NULL ? "" : " ", h->why == NULL ? "" : h->why);
	table_add(t, text);
	snprintf(text, sizeof(text), "%" PRId64, h->failures);
	table_add(t, text);
	stat_count(
	    h->f.due + h->f.waiting + h->f.parked, h->f.more_due, number);
	table_add(t, number);
	stat_number(stat_rate(&h->f, 2), number);
	table_add(t, number);
	share_text(share, text);
	table_add_styled(t, text, l->color ? share_style(share) : NULL);
	for (int i = 0; i < 3; i++) {
		ms_text(p[i], &h->f, number);
		table_add(t, number);
	}
	table_add(t, h->url);
}

/* Fills the table; url is how wide that column may be, 0: as it is. */
static void
fill(struct table *t, const struct stats *s, const struct look *l, int url)
{
	table_init(t, columns, COLUMNS);
	if (l->columns > 0) {
		table_cut(t, 1, l->columns < 100 ? 14 : 30);
		table_cut(t, COLUMNS - 1, url);
	}
	for (size_t i = 0; i < s->hook_count; i++)
		add_hook(t, &s->hooks[i], l);
}

/* What the other columns leave for the URL on a terminal. */
static int
room(const struct table *t, const struct look *l)
{
	int left = l->columns;

	for (size_t i = 0; i + 1 < COLUMNS; i++)
		left -= t->widths[i] + 2;
	return left > 8 ? left : 8;
}

static int
hooks(const struct stats *s, const struct look *l, struct buf *out)
{
	struct table t;
	int rc, url = 8;

	if (s->hook_count == 0)
		return 0;
	buf_text(out, l->worst ? "\nthe worst, over 60 min\n" : "\n");
	fill(&t, s, l, url);
	if (l->columns > 0) {
		url = room(&t, l);
		table_free(&t);
		fill(&t, s, l, url);
	}
	rc = table_write(&t, out);
	table_free(&t);
	return rc;
}

int
stat_screen(const struct stats *s, const struct look *l, struct buf *out)
{
	time_and_queue(s, out);
	pending(&s->f, out);
	webhooks(s, out);
	if (s->stray)
		buf_text(out,
		    "stray     rows lie in a default partition, where they "
		    "slow things down:\n          run whk-prune\n");
	rates(&s->f, l, out);
	if (l->history_count > 0) {
		buf_text(out, "of late  |");
		stat_spark(l->history, l->history_count, out);
		buf_text(out, "|\n");
	}
	times(&s->f, out);
	spread(s, out);
	if (hooks(s, l, out) == -1)
		return -1;
	if (l->trouble != NULL)
		buf_fmt(out, "\n%s\n", l->trouble);
	return out->failed ? -1 : 0;
}
