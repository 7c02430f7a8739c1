/* SPDX-License-Identifier: ISC */
/*
 * The figures in Prometheus' text format, version 0.0.4 (its documentation,
 * "Exposition formats", "Metric and label naming").
 */
#include <inttypes.h>
#include <math.h>

#include "stats.h"

static void
family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_fmt(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

struct sample {
	const char *value; /* of the label */
	int64_t n;
};

/* Samples that differ in one label, beside that of a webhook (0: none). */
static void
samples(struct buf *b, const char *name, int64_t webhook, const char *label,
    const struct sample *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buf_fmt(b, "%s{", name);
		if (webhook > 0)
			buf_fmt(b, "webhook=\"%" PRId64 "\",", webhook);
		buf_fmt(b, "%s=\"%s\"} %" PRId64 "\n", label, list[i].value,
		    list[i].n);
	}
}

#define SAMPLES(b, name, webhook, label, list)                                 \
	samples(b, name, webhook, label, list, sizeof(list) / sizeof((list)[0]))

static void
queue(struct buf *b, const struct stats *s)
{
	const struct sample list[] = {{"waiting", s->depth.waiting},
	    {"in_flight", s->depth.in_flight}, {"delayed", s->depth.delayed}};

	if (s->queue == NULL)
		return;
	family(b, "whk_queue_messages", "gauge", "Messages in the queue.");
	SAMPLES(b, "whk_queue_messages", 0, "state", list);
}

static void
pending(
    struct buf *b, const char *name, int64_t webhook, const struct figures *f)
{
	const struct sample list[] = {
	    {"due", f->due}, {"waiting", f->waiting}, {"parked", f->parked}};

	SAMPLES(b, name, webhook, "state", list);
}

static void
attempts(
    struct buf *b, const char *name, int64_t webhook, const struct figures *f)
{
	const struct sample list[] = {{"delivered", f->delivered},
	    {"retry", f->retried}, {"failed", f->failed},
	    {"cancelled", f->cancelled}};

	SAMPLES(b, name, webhook, "outcome", list);
}

static void
webhooks(struct buf *b, const struct stats *s)
{
	const struct sample list[] = {{"active", stat_active(s)},
	    {"paused", s->paused}, {"blocked", s->blocked},
	    {"disabled", s->disabled}};

	family(b, "whk_webhooks", "gauge", "Webhooks by their state.");
	SAMPLES(b, "whk_webhooks", 0, "state", list);
}

static void
durations(struct buf *b, const struct stats *s)
{
	static const char name[] = "whk_attempt_duration_seconds";
	int64_t count = s->buckets[STAT_BUCKETS - 1].attempts;

	family(b, name, "histogram", "How long attempts took.");
	for (int i = 0; i < STAT_BUCKETS; i++) {
		double le = s->buckets[i].le;

		if (isinf(le))
			buf_fmt(b, "%s_bucket{le=\"+Inf\"} %" PRId64 "\n", name,
			    s->buckets[i].attempts);
		else
			buf_fmt(b, "%s_bucket{le=\"%.10g\"} %" PRId64 "\n",
			    name, le, s->buckets[i].attempts);
	}
	buf_fmt(b, "%s_sum %.6f\n%s_count %" PRId64 "\n", name, s->seconds,
	    name, count);
}

static void
hooks(struct buf *b, const struct stats *s)
{
	static const char attempts_name[] = "whk_webhook_attempts_total";
	static const char pending_name[] = "whk_webhook_pending";
	static const char failures_name[] = "whk_webhook_failures";

	if (s->hook_count == 0)
		return;
	family(b, attempts_name, "counter",
	    "Attempts at a webhook by their outcome.");
	for (size_t i = 0; i < s->hook_count; i++)
		attempts(b, attempts_name, s->hooks[i].id, &s->hooks[i].f);
	family(
	    b, pending_name, "gauge", "Deliveries to a webhook still to do.");
	for (size_t i = 0; i < s->hook_count; i++)
		pending(b, pending_name, s->hooks[i].id, &s->hooks[i].f);
	family(b, failures_name, "gauge",
	    "Failed attempts at a webhook since its last success.");
	for (size_t i = 0; i < s->hook_count; i++)
		buf_fmt(b, "%s{webhook=\"%" PRId64 "\"} %" PRId64 "\n",
		    failures_name, s->hooks[i].id, s->hooks[i].failures);
}

int
stat_prometheus(const struct stats *s, const struct choice *c, struct buf *out)
{
	queue(out, s);
	family(out, "whk_pending", "gauge", "Deliveries still to do.");
	pending(out, "whk_pending", 0, &s->f);
	family(out, "whk_oldest_due_seconds", "gauge",
	    "How late the oldest due delivery is.");
	buf_fmt(
	    out, "whk_oldest_due_seconds %.3f\n", (double)s->f.late_ms / 1000);
	webhooks(out, s);
	family(
	    out, "whk_attempts_total", "counter", "Attempts by their outcome.");
	attempts(out, "whk_attempts_total", 0, &s->f);
	if (c->asks & 1U << ASK_HISTOGRAM)
		durations(out, s);
	family(out, "whk_stray", "gauge",
	    "Whether rows lie in a default partition: run whk-prune.");
	buf_fmt(out, "whk_stray %d\n", s->stray ? 1 : 0);
	if (stat_chosen(c))
		hooks(out, s);
	return out->failed ? -1 : 0;
}
