/* SPDX-License-Identifier: ISC */
#ifndef WHK_STATS_H
#define WHK_STATS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "args.h"
#include "buf.h"
#include "err.h"
#include "sqs.h"

/* How it goes, in figures: of the database, and of the queue. */

/* Of how many minutes the three averages are. */
extern const int stat_minutes[3];

/* What is true of all webhooks together, of some, and of a single one. */
struct figures {
	int64_t due, waiting, parked;
	int64_t late_ms; /* of the oldest due row */
	/* these counts stopped: there are at least as many */
	bool more_due, more_waiting, more_parked;
	int64_t delivered, retried, failed, cancelled; /* since ever */
	double good[3], bad[3]; /* attempts a minute, by stat_minutes */
	double p50, p90, p99;   /* microseconds of the newest attempts */
	int64_t timed;          /* of how many */
};

/* A webhook; texts point into a result of struct stats. */
struct hook {
	struct figures f;
	int64_t id, failures;
	const char *tenant, *url, *state, *why;
};

/* Up to here a time falls into a bucket, since ever. */
#define STAT_BUCKETS 20
struct bucket {
	double le; /* seconds; the last has no end */
	int64_t attempts;
};

/* Why webhooks are disabled. */
#define STAT_REASONS 4
struct reason {
	const char *why;
	int64_t webhooks;
};

/* What is asked for in a round, in this order. */
enum ask {
	ASK_WHOLE,
	ASK_SHUT,
	ASK_TIMES,
	ASK_HISTOGRAM,
	ASK_HOOKS,
	ASK_COUNT,
};

/* All that is known after a round. */
struct stats {
	PGresult *results[ASK_COUNT]; /* texts point into them */
	int64_t now_ms;               /* by the database's clock */
	struct figures f;
	int64_t webhooks, paused, blocked, disabled;
	bool more_webhooks; /* as the counts above */
	struct reason reasons[STAT_REASONS];
	size_t reason_count;
	bool stray; /* rows lie in a default partition */
	struct bucket buckets[STAT_BUCKETS];
	double seconds; /* all those attempts took */
	struct hook *hooks;
	size_t hook_count;
	const char *queue; /* its name; NULL: none was asked */
	struct sqs_depth depth;
};

/* Of what figures are asked for. */
struct choice {
	const int64_t *ids; /* webhooks; NULL: all */
	size_t id_count;
	const char *tenant; /* NULL: any */
	int64_t max;        /* how many webhooks are listed */
	bool whole;         /* the choice is only for the list */
	unsigned int asks;  /* bit ASK_...: what is asked at all */
};

/* Whether there is one. */
bool stat_chosen(const struct choice *c);

/* The statement of a question, and its arguments, added to *a. */
const char *stat_sql(enum ask ask);
void stat_args(const struct choice *c, enum ask ask, struct args *a);

/*
 * Takes the answers in s->results apart, those that are there. 0, or -1 if
 * memory is out. stat_clear() frees what they hold and forgets everything.
 */
int stat_take(struct stats *s);
void stat_clear(struct stats *s);

/* Figures made of others. */
double stat_rate(const struct figures *f, int i);    /* attempts a minute */
double stat_success(const struct figures *f, int i); /* 0 to 1; no attempts:
							-1 */
int64_t stat_active(const struct stats *s);

/*
 * Adds the figures in Prometheus' text format. 0, or -1 if memory is out.
 */
int
stat_prometheus(const struct stats *s, const struct choice *c, struct buf *out);

#endif
