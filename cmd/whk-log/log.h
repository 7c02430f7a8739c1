/* SPDX-License-Identifier: ISC */
#ifndef WHK_LOG_LOG_H
#define WHK_LOG_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "cli.h"
#include "db.h"
#include "err.h"
#include "event-id.h"
#include "request.h"
#include "table.h"
#include "whk-log/seen.h"

/*
 * whk-log from the inside. It answers one question: which attempts there were
 * (list.c, and follow.c for those to come), what became of one event
 * (story.c), why a webhook gets it or does not (why.c), or how to send it by
 * hand (curl.c). Functions return 0, or -1 with *e; what is to be printed is
 * gathered in out.
 */

#define LOG_NAME "whk-log"

/* What of a body or an answer is shown. */
#define LOG_SHOWN ((size_t)1 << 10)

struct options {
	const char *event, *tenant, *outcome, *status, *since, *until, *color;
	struct cli_list types;
	int64_t webhook; /* 0: any */
	int64_t why;     /* the webhook; 0: not asked */
	int64_t number;  /* attempts at the most; 0: all; -1: not said */
	bool follow, json, utc, curl, as_sent, raw;
};

/* Which attempts; what is NULL or 0 does not narrow. */
struct filter {
	const char *event;
	int64_t low, high; /* of the status */
	const char *error;
	int64_t since_ms, until_ms;
	const char *snapshot; /* only what it did not see */
};

struct log {
	const struct options *o;
	PGconn *db;
	int64_t now_ms; /* the database's clock as it was opened */
	struct filter filter;
	bool local;  /* times for people: local, short */
	bool colors; /* wanted on stdout */
	int columns; /* of the terminal; 0: stdout is none */
	struct table table;
	struct seen *seen; /* NULL: whatever comes is printed */
	struct buf out;
};

/* An event that was found. All are the caller's result's. */
struct event {
	PGresult *r;
	char id[EVENT_ID];
	int64_t time_ms;
	const char *type, *tenant, *key, *content_type; /* NULL: none */
	int64_t accepted_ms, now_ms;
	const char *via;  /* by which way it came in; NULL: not known */
	int64_t same_id;  /* others of its id */
	const char *body; /* NULL: it is no longer kept */
	size_t body_len;
};

/* whk-log.c */
int log_print(struct log *l, struct err *e); /* out, and empties it */

/* filter.c */
/* Checks the options that choose. */
int filter_check(const struct options *o, struct err *e);
/* Fills l->filter by the database's clock. */
void filter_settle(struct log *l);
/* Adds what whk.log() and whk.logged() take in common: 9 arguments. */
void filter_args(const struct log *l, struct args *a);

/* rows.c */
/* The columns of a row, in the order of whk.log(), times in ms. */
#define ROW_COLUMNS                                                            \
	"event, type, webhook, attempt, whk.ms(at), outcome, status, error,"   \
	" total_us, whk.ms(next_at), via"
void rows_init(struct log *l);
void rows_add(struct log *l, const PGresult *r, int row); /* unless seen */
int rows_print(struct log *l, struct err *e); /* what has been added */
void rows_free(struct log *l);

/* list.c */
int list_run(struct log *l, struct err *e);
/* All that the filter lets through from a time on. */
int list_since(struct log *l, int64_t since_ms, struct err *e);

/* follow.c */
/* Lists, and goes on until a signal or the end of who reads. */
int follow_run(struct log *l, struct err *e);

/* event.c */
/* Finds one by its id or the beginning of it. */
int
event_find(struct log *l, const char *word, struct event *ev, struct err *e);
/* Makes sure that there is just one of that name: its id. */
int event_id(struct log *l, const char *word, struct event *ev, struct err *e);
/* Makes sure that there is its body. */
int event_body(const struct event *ev, struct err *e);
void event_free(struct event *ev);

/* story.c */
int story_run(struct log *l, const char *word, struct err *e);
int raw_run(struct log *l, const char *word, struct err *e);

/* sending.c */
/*
 * What an attempt at a webhook is sent with, as the webhook is now, signed by
 * the secrets in force at that time of which there is still something known,
 * and by none if the body is no longer kept.
 * sending_free() in any case.
 */
struct sending {
	PGresult *r;
	const char *url; /* NULL: there is no such webhook; nor a request */
	struct request_keys keys;
	struct request request;
};
int sending_make(struct log *l, const struct event *ev, int64_t webhook,
    int attempt, int64_t at_ms, struct sending *s, struct err *e);
void sending_free(struct sending *s);

/* attempt.c */
/* The columns of an attempt's whole story. */
#define ATTEMPT_COLUMNS                                                        \
	"webhook, attempt, at_ms, outcome, status, error, dns_us, connect_us," \
	" tls_us, wait_us, total_us, address, next_ms, headers, answer"
/* Adds it to out: a row of whk.story_attempts(). */
int attempt_show(struct log *l, const struct event *ev, const PGresult *r,
    int row, struct err *e);

/* show.c */
/* Adds text from outside, made visible; each of its lines after a prefix. */
void show_text(struct buf *b, const char *text, size_t len);
void
show_lines(struct buf *b, const char *prefix, const char *text, size_t len);
/* Adds a time to out as the reader wants it. */
void show_time(struct log *l, int64_t ms);

/* why.c: *gets is the answer. word NULL: of the body on stdin. */
int why_run(struct log *l, const char *word, bool *gets, struct err *e);

/* curl.c: operands are EVENT WEBHOOK [ATTEMPT] */
int curl_check(char **operands, int count, struct err *e);
int curl_run(struct log *l, char **operands, int count, struct err *e);

#endif
