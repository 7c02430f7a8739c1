/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "text.h"
#include "whk-send/send.h"

/* What is on record is counted after so many, or so long. */
#define COUNT_MAX 2000
#define COUNT_MS 1000

/* The places of whk.record()'s arguments. */
enum {
	EVENT,
	TIME,
	TYPE,
	KEY,
	WEBHOOK,
	ATTEMPT,
	LEASE,
	AT,
	STATUS,
	ERROR,
	RETRY_AFTER,
	DNS,
	CONNECT,
	TLS,
	WAIT,
	TOTAL,
	ADDRESS,
	HEADERS,
	ANSWER,
	PLACES,
};

static const enum args_type types[PLACES] = {
    [TIME] = ARGS_TIME,
    [WEBHOOK] = ARGS_LONG,
    [ATTEMPT] = ARGS_INT,
    [LEASE] = ARGS_TIME,
    [AT] = ARGS_TIME,
    [STATUS] = ARGS_INT,
    [RETRY_AFTER] = ARGS_LONG,
    [DNS] = ARGS_INT,
    [CONNECT] = ARGS_INT,
    [TLS] = ARGS_INT,
    [WAIT] = ARGS_INT,
    [TOTAL] = ARGS_INT,
    [ANSWER] = ARGS_BYTES, /* the others are ARGS_TEXT */
};

static const char sql[] =
    "SELECT n, outcome, next_ms FROM whk.record($1, $2, $3, $4, $5, $6, $7, "
    "$8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) ORDER BY n";

static void
record_init(struct args *a)
{
	a->count = 0;
	a->failed = false;
	for (int i = 0; i < PLACES; i++)
		args_array(a, types[i]);
}

void
outcome_init(struct send *s)
{
	record_init(&s->record);
}

/* Header lines as text that the database takes, whatever they hold. */
static void
add_headers(struct args *a, const char *s, size_t len)
{
	char visible[4 * 4096 + 1];
	char *at = visible;

	if (len == 0) {
		args_add_null(a, HEADERS);
		return;
	}
	if (!text_is_utf8(s, len) || memchr(s, '\0', len) != NULL) {
		text_visible(visible, sizeof(visible), s, len);
		args_add_text(a, HEADERS, visible);
		return;
	}
	for (size_t i = 0; i < len && i < sizeof(visible) - 1; i++)
		if (s[i] != '\r')
			*at++ = s[i];
	args_add_bytes(a, HEADERS, visible, (size_t)(at - visible));
}

/* Microseconds, of which the column holds half an hour. */
static void
add_time(struct args *a, int place, int64_t us)
{
	args_add_number(a, place, us < INT32_MAX ? us : INT32_MAX);
}

static void
add_answer(struct args *a, const struct http_answer *w, int64_t at_ms)
{
	int64_t wait_ms = http_retry_after(w->retry_after, at_ms);

	if (w->error == HTTP_OK)
		args_add_null(a, ERROR);
	else
		args_add_text(a, ERROR, http_error_word(w->error));
	if (w->status != 0)
		args_add_number(a, STATUS, w->status);
	else
		args_add_null(a, STATUS);
	if (wait_ms >= 0)
		args_add_number(a, RETRY_AFTER, wait_ms);
	else
		args_add_null(a, RETRY_AFTER);
	add_time(a, DNS, w->dns_us);
	add_time(a, CONNECT, w->connect_us);
	add_time(a, TLS, w->tls_us);
	add_time(a, WAIT, w->wait_us);
	add_time(a, TOTAL, w->total_us);
	args_add_text(a, ADDRESS, w->address[0] == '\0' ? NULL : w->address);
	add_headers(a, w->headers, w->headers_len);
	if (w->body_len > 0)
		args_add_bytes(a, ANSWER, w->body, w->body_len);
	else
		args_add_null(a, ANSWER);
}

static void
add_nothing(struct args *a, const char *word)
{
	args_add_text(a, ERROR, word);
	for (int i = STATUS; i < PLACES; i++)
		if (i != ERROR)
			args_add_null(a, i);
}

static int
keep(struct send *s, const struct outcome *o)
{
	if (s->outcome_count == s->outcome_size) {
		size_t size = s->outcome_size == 0 ? 64 : s->outcome_size * 2;
		struct outcome *p = reallocarray(s->outcomes, size, sizeof(*p));

		if (p == NULL)
			return -1;
		s->outcomes = p;
		s->outcome_size = size;
	}
	s->outcomes[s->outcome_count++] = *o;
	return 0;
}

void
outcome_add(struct send *s, struct message *m, int64_t webhook, int64_t at_ms,
    const struct http_answer *answer, const char *word)
{
	const struct event_line *ev = &m->event;
	struct args *a = &s->record;
	struct outcome o = {
	    .message = m,
	    .webhook = webhook,
	    .at_ms = at_ms,
	    .status = answer == NULL ? 0 : answer->status,
	    .error = answer == NULL || answer->error == HTTP_OK
		? NULL
		: http_error_word(answer->error),
	    .ms = answer == NULL ? -1 : answer->total_us / 1000,
	};

	if (keep(s, &o) == -1) {
		log_say(s->log, LOG_WARN,
		    "event %s: out of memory: its outcome is not on record",
		    ev->id);
		s->status = 1;
		message_unref(s, m);
		return;
	}
	args_add_text(a, EVENT, ev->id);
	args_add_number(a, TIME, ev->time_ms);
	args_add_text(a, TYPE, ev->type);
	args_add_text(a, KEY, ev->key);
	args_add_number(a, WEBHOOK, webhook);
	args_add_number(a, ATTEMPT, ev->attempt);
	args_add_number(a, LEASE, ev->lease_ms);
	args_add_number(a, AT, at_ms);
	if (answer != NULL)
		add_answer(a, answer, at_ms);
	else
		add_nothing(a, word);
}

/* With -v: an attempt, or why there was none. */
static void
say_outcome(const struct send *s, const struct outcome *o, const char *outcome)
{
	const struct event_line *ev = &o->message->event;
	const struct log_field fields[] = {{"event", ev->id, 0},
	    {"webhook", NULL, o->webhook}, {"attempt", NULL, ev->attempt},
	    {"outcome", outcome, 0}, {"status", NULL, o->status},
	    {"error", o->error == NULL ? "" : o->error, 0},
	    {"ms", NULL, o->ms}};
	char status[16] = "";

	if (o->status != 0)
		snprintf(status, sizeof(status), " %d", o->status);
	log_tell(s->log, LOG_TELL, fields, o->ms < 0 ? 4 : 7,
	    "event %s, webhook %lld: attempt %d: %s%s%s%s", ev->id,
	    (long long)o->webhook, ev->attempt, outcome, status,
	    o->error == NULL ? "" : " ", o->error == NULL ? "" : o->error);
}

static void
print(struct send *s, const struct outcome *o, const char *outcome,
    int64_t next_ms)
{
	const struct event_line *ev = &o->message->event;
	struct attempt_line line = {
	    .event = ev->id,
	    .type = ev->type,
	    .webhook = o->webhook,
	    .attempt = ev->attempt,
	    .at_ms = o->at_ms,
	    .outcome = outcome,
	    .status = o->status,
	    .error = o->error,
	    .ms = o->ms,
	    .next_ms = next_ms,
	    .extra = ev->extra,
	};

	buf_clear(&s->line);
	line_attempt_write(&s->line, &line);
	if (s->line.failed)
		log_say(s->log, LOG_WARN, "event %s: out of memory", ev->id);
	else
		output_line(s->output, s->line.data, s->line.len);
	if (s->o->verbose)
		say_outcome(s, o, outcome);
	if (strcmp(outcome, "delivered") == 0)
		s->delivered++;
	else
		s->undelivered++;
}

/* The batch is on record: each attempt can be told. */
static void
recorded(void *arg, const struct err *e, const PGresult *r)
{
	struct send *s = arg;
	struct outcome *list = s->recording;
	size_t count = s->recording_count;

	s->recording = NULL;
	s->recording_count = 0;
	if (e != NULL) {
		log_say(s->log, LOG_ERROR, "%zu outcomes not on record: %s",
		    count, e->msg);
		s->status = 1;
	}
	for (size_t i = 0; i < count; i++) {
		if (e == NULL)
			print(s, &list[i], PQgetvalue(r, (int)i, 1),
			    PQgetisnull(r, (int)i, 2) ? -1
						      : db_long(r, (int)i, 2));
		message_unref(s, list[i].message);
	}
	free(list);
	s->uncounted += count;
	send_go_on(s);
}

static void
counted(void *arg, const struct err *e, const PGresult *r)
{
	struct send *s = arg;

	(void)r;
	s->counting = false;
	if (e != NULL)
		log_say(s->log, LOG_WARN, "not counted: %s", e->msg);
	send_go_on(s);
}

/*
 * Counts at their webhooks what is on record. Each time it is a transaction
 * more, and each webhook a row to write; so not for each batch, but soon.
 */
static void
count_up(struct send *s)
{
	struct args none = {0};
	struct err e;
	bool last = intake_idle(s) && hooks_idle(s) && outcome_idle(s);

	if (s->counting || s->uncounted == 0 ||
	    (!last && s->uncounted < COUNT_MAX &&
		clock_steady_ms() - s->counted_ms < COUNT_MS))
		return;
	s->uncounted = 0;
	s->counting = true;
	s->counted_ms = clock_steady_ms();
	if (db_call(s->db, "SELECT whk.count_up()", &none, counted, s, &e) ==
	    -1)
		send_give_up(s, &e);
}

static void
record(struct send *s)
{
	struct err e;

	if (s->recording != NULL || s->outcome_count == 0)
		return;
	s->recording = s->outcomes;
	s->recording_count = s->outcome_count;
	s->outcomes = NULL;
	s->outcome_count = s->outcome_size = 0;
	if (db_call(s->db, sql, &s->record, recorded, s, &e) == -1) {
		send_give_up(s, &e);
		return;
	}
	record_init(&s->record);
}

void
outcome_go_on(struct send *s)
{
	record(s);
	count_up(s);
}

bool
outcome_idle(const struct send *s)
{
	return s->recording == NULL && s->outcome_count == 0;
}

bool
outcome_counted(const struct send *s)
{
	return s->uncounted == 0 && !s->counting;
}

static void
list_free(struct send *s, struct outcome *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		message_unref(s, list[i].message);
	free(list);
}

void
outcome_free(struct send *s)
{
	list_free(s, s->outcomes, s->outcome_count);
	list_free(s, s->recording, s->recording_count);
	args_free(&s->record);
	buf_free(&s->line);
}
