/* SPDX-License-Identifier: ISC */
/* The figures as JSON lines: the whole in the first, then webhooks. */
#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "whk-stat/stat.h"

static void
text(struct buf *b, const char *name, const char *s)
{
	buf_fmt(b, ",\"%s\":", name);
	if (s == NULL)
		buf_text(b, "null");
	else
		buf_json(b, s, strlen(s));
}

/* A number, or null where it is said that there is none. */
static void
number(struct buf *b, const char *name, double v, bool there)
{
	if (there)
		buf_fmt(b, "\"%s\":%.6g", name, v);
	else
		buf_fmt(b, "\"%s\":null", name);
}

static void
figures(struct buf *b, const struct figures *f)
{
	buf_fmt(b,
	    ",\"pending\":{\"due\":%" PRId64 ",\"waiting\":%" PRId64
	    ",\"parked\":%" PRId64 ",\"oldest_due_ms\":%" PRId64
	    "},\"attempts\":{\"delivered\":%" PRId64 ",\"retry\":%" PRId64
	    ",\"failed\":%" PRId64 ",\"cancelled\":%" PRId64
	    "},\"per_minute\":{",
	    f->due, f->waiting, f->parked, f->late_ms, f->delivered, f->retried,
	    f->failed, f->cancelled);
	for (int i = 0; i < 3; i++)
		buf_fmt(b, "%s\"%d\":%.6g", i > 0 ? "," : "", stat_minutes[i],
		    stat_rate(f, i));
	buf_text(b, "},\"success\":{");
	for (int i = 0; i < 3; i++) {
		char name[8];

		snprintf(name, sizeof(name), "%d", stat_minutes[i]);
		buf_text(b, i > 0 ? "," : "");
		number(b, name, stat_success(f, i), stat_success(f, i) >= 0);
	}
	buf_text(b, "},\"ms\":{");
	number(b, "p50", f->p50 / 1000, f->timed > 0);
	buf_text(b, ",");
	number(b, "p90", f->p90 / 1000, f->timed > 0);
	buf_text(b, ",");
	number(b, "p99", f->p99 / 1000, f->timed > 0);
	buf_text(b, "}");
}

/* The names of the counts that stopped at a limit. */
static void
at_least(struct buf *b, const struct figures *f, bool webhooks)
{
	const struct {
		const char *name;
		bool more;
	} counts[] = {{"due", f->more_due}, {"waiting", f->more_waiting},
	    {"parked", f->more_parked}, {"webhooks", webhooks}};
	bool first = true;

	buf_text(b, ",\"at_least\":[");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (!counts[i].more)
			continue;
		buf_fmt(b, "%s\"%s\"", first ? "" : ",", counts[i].name);
		first = false;
	}
	buf_text(b, "]");
}

static void
hook_line(struct buf *b, const struct hook *h)
{
	buf_fmt(b, "{\"webhook\":%" PRId64, h->id);
	text(b, "tenant", h->tenant);
	text(b, "url", h->url);
	text(b, "state", h->state);
	text(b, "why", h->why);
	buf_fmt(b, ",\"failures\":%" PRId64, h->failures);
	figures(b, &h->f);
	at_least(b, &h->f, false);
	buf_text(b, "}\n");
}

static void
webhooks(struct buf *b, const struct stats *s)
{
	buf_fmt(b,
	    ",\"webhooks\":{\"all\":%" PRId64 ",\"active\":%" PRId64
	    ",\"paused\":%" PRId64 ",\"blocked\":%" PRId64
	    ",\"disabled\":%" PRId64 ",\"disabled_why\":{",
	    s->webhooks, stat_active(s), s->paused, s->blocked, s->disabled);
	for (size_t i = 0; i < s->reason_count; i++) {
		const char *why = s->reasons[i].why;

		buf_text(b, i > 0 ? "," : "");
		why = why == NULL ? "" : why;
		buf_json(b, why, strlen(why));
		buf_fmt(b, ":%" PRId64, s->reasons[i].webhooks);
	}
	buf_text(b, "}}");
}

static void
whole_line(struct buf *b, const struct stats *s, const struct choice *c)
{
	char at[CLOCK_TEXT];

	clock_format(s->now_ms, at);
	buf_fmt(b, "{\"at\":\"%s\"", at);
	if (c->tenant != NULL)
		text(b, "tenant", c->tenant);
	for (size_t i = 0; i < c->id_count; i++)
		buf_fmt(b, "%s%" PRId64, i > 0 ? "," : ",\"of\":[", c->ids[i]);
	if (c->id_count > 0)
		buf_text(b, "]");
	if (s->queue != NULL) {
		buf_text(b, ",\"queue\":{\"name\":");
		buf_json(b, s->queue, strlen(s->queue));
		buf_fmt(b,
		    ",\"waiting\":%" PRId64 ",\"in_flight\":%" PRId64
		    ",\"delayed\":%" PRId64 "}",
		    s->depth.waiting, s->depth.in_flight, s->depth.delayed);
	}
	webhooks(b, s);
	figures(b, &s->f);
	buf_fmt(b, ",\"stray\":%s", s->stray ? "true" : "false");
	at_least(b, &s->f, s->more_webhooks);
	buf_text(b, "}\n");
}

int
stat_lines(const struct stats *s, const struct choice *c, struct buf *out)
{
	whole_line(out, s, c);
	for (size_t i = 0; i < s->hook_count; i++)
		hook_line(out, &s->hooks[i]);
	return out->failed ? -1 : 0;
}
