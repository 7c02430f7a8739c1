/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "whk-send/send.h"

void
message_unref(struct send *s, struct message *m)
{
	if (--m->refs > 0)
		return;
	s->messages--;
	s->bytes -= m->size;
	line_event_free(&m->event);
	free(m);
}

static void
complain(struct send *s, uint64_t number, const char *msg)
{
	s->bad++;
	log_say(
	    s->log, LOG_WARN, "line %llu: %s", (unsigned long long)number, msg);
}

/* An id for an event that has none. */
#define ID_SIZE sizeof("msg_0123456789abcdef0123456789abcdef")

static const char *
random_id(char id[ID_SIZE])
{
	unsigned char random[16];

	arc4random_buf(random, sizeof(random));
	memcpy(id, "msg_", 4);
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(id + 4 + 2 * i, 3, "%02x", random[i]);
	return id;
}

static struct message *
message_new(struct send *s, char *line, size_t len, uint64_t number)
{
	char id[ID_SIZE];
	struct event_line ev;
	struct message *m;
	struct err e;
	bool chosen;

	if (line_event_parse(line, len, &ev, &e) == -1) {
		complain(s, number, e.msg);
		return NULL;
	}
	chosen = ev.id != NULL;
	if (!chosen)
		ev.id = random_id(id);
	m = malloc(sizeof(*m) + line_event_room(&ev));
	if (m == NULL) {
		line_event_free(&ev);
		complain(s, number, "out of memory");
		return NULL;
	}
	m->event = ev;
	m->refs = 1;
	m->number = number;
	m->size = sizeof(*m) + line_event_room(&ev);
	m->chosen = chosen;
	line_event_move(&m->event, m->text);
	if (m->event.attempt == 0)
		m->event.attempt = 1;
	s->messages++;
	s->bytes += m->size;
	return m;
}

static int
grow(struct send *s)
{
	size_t size = s->unstored_size == 0 ? 64 : s->unstored_size * 2;
	struct message **p;

	if (s->unstored_count < s->unstored_size)
		return 0;
	p = reallocarray(s->unstored, size, sizeof(*p));
	if (p == NULL)
		return -1;
	s->unstored = p;
	s->unstored_size = size;
	return 0;
}

/* An event that is not stored: into the batch for accept(). */
static void
store(struct send *s, struct message *m)
{
	if (grow(s) == -1) {
		complain(s, m->number, "out of memory");
		message_unref(s, m);
		return;
	}
	if (m->event.time_ms == -1)
		m->event.time_ms =
		    db_known(s->db) ? db_now_ms(s->db) : clock_wall_ms();
	accept_add(&s->storing, &m->event, m->chosen);
	s->unstored[s->unstored_count++] = m;
}

static bool
holds_enough(const struct send *s)
{
	return s->messages >= HOLD_MESSAGES || s->bytes >= HOLD_BYTES ||
	    s->waiting + (size_t)s->flights + s->outcome_count +
		s->recording_count >=
	    HOLD_TASKS ||
	    output_full(s->output);
}

static void
pause_if_full(struct send *s)
{
	bool full = s->closed || holds_enough(s);

	if (full && !s->paused)
		input_pause(s->input);
	else if (!full && s->paused)
		input_resume(s->input);
	s->paused = full;
}

static void
take_line(void *arg, char *line, size_t len, uint64_t number)
{
	struct send *s = arg;
	struct message *m;

	if (line == NULL) {
		complain(s, number, "longer than 8 MiB");
		return;
	}
	m = message_new(s, line, len, number);
	if (m == NULL)
		return;
	if (m->event.lease_ms == -1)
		store(s, m);
	else
		hooks_add(s, m);
	pause_if_full(s);
	send_go_on(s);
}

static void
ended(void *arg, const struct err *e)
{
	struct send *s = arg;

	if (e != NULL) {
		log_say(s->log, LOG_ERROR, "stdin: %s", e->msg);
		s->status = 1;
	}
	s->input_ended = true;
	send_go_on(s);
}

const struct input_handler intake_handler = {take_line, ended};

/* Says which of the webhooks that a line names there are not. */
static void
complain_missing(
    struct send *s, const struct message *m, const struct accept_row *row)
{
	char text[80];

	snprintf(text, sizeof(text), "to: no webhook %lld%s",
	    (long long)row->missing[0],
	    row->missing_count > 1 ? ", nor others that it names" : "");
	complain(s, m->number, text);
}

/*
 * An event that was stored before: by somebody else, or by this call itself,
 * whose answer was lost with the connection.
 */
static void
complain_repeat(const struct send *s, const struct message *m)
{
	log_say(s->log, LOG_WARN, "line %llu: event %s is stored already: %s",
	    (unsigned long long)m->number, m->event.id,
	    m->chosen ? "not sent again" : "left to whk-due");
}

/* What accept() says of one event: its tasks, or why there are none. */
static void
stored_one(struct send *s, struct message *m, struct accept_row *row)
{
	if (row->missing_count > 0)
		complain_missing(s, m, row);
	else if (!row->fresh)
		complain_repeat(s, m);
	free(row->missing);
	free(m->event.to);
	m->event.to = row->to;
	m->event.to_count = row->to_count;
	m->event.lease_ms = row->lease_ms;
	hooks_add(s, m);
}

static void
stored(void *arg, const struct err *e, const PGresult *r)
{
	struct send *s = arg;
	struct message **list = s->in_accept;
	size_t count = s->in_accept_count;

	s->in_accept = NULL;
	s->in_accept_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct accept_row row;

		if (e != NULL) {
			complain(s, list[i]->number, e->msg);
			message_unref(s, list[i]);
		} else if (accept_row(r, (int)i, &row) == -1) {
			complain(s, list[i]->number, "out of memory");
			message_unref(s, list[i]);
		} else
			stored_one(s, list[i], &row);
	}
	free(list);
	send_go_on(s);
}

/* With -n nothing is stored, only asked for whom the events would be. */
static void
matched(void *arg, const struct err *e, const PGresult *r)
{
	struct send *s = arg;
	struct message **list = s->in_accept;
	size_t count = s->in_accept_count;

	s->in_accept = NULL;
	s->in_accept_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct event_line *ev = &list[i]->event;
		size_t named = ev->to_count;

		free(ev->to);
		ev->to = NULL;
		ev->to_count = 0;
		if (e != NULL)
			complain(s, list[i]->number, e->msg);
		else if (db_longs(r, (int)i, 0, &ev->to, &ev->to_count) == -1)
			complain(s, list[i]->number, "out of memory");
		else if (ev->to_count < named)
			complain(s, list[i]->number,
			    "to: names webhooks that are none");
		ev->lease_ms = INT64_MAX;
		hooks_add(s, list[i]);
	}
	free(list);
	send_go_on(s);
}

static int
call(struct send *s, struct err *e)
{
	if (s->o->dry)
		return accept_match(&s->storing, s->db, matched, s, e);
	return accept_call(
	    &s->storing, s->db, s->o->lease_ms, "line", stored, s, e);
}

void
intake_go_on(struct send *s)
{
	struct err e;

	pause_if_full(s);
	if (s->in_accept != NULL || s->unstored_count == 0)
		return;
	s->in_accept = s->unstored;
	s->in_accept_count = s->unstored_count;
	s->unstored = NULL;
	s->unstored_count = s->unstored_size = 0;
	if (call(s, &e) == -1)
		send_give_up(s, &e);
}

bool
intake_idle(const struct send *s)
{
	return s->input_ended && s->unstored_count == 0 && s->in_accept == NULL;
}

static void
list_free(struct send *s, struct message **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		message_unref(s, list[i]);
	free(list);
}

void
intake_free(struct send *s)
{
	list_free(s, s->unstored, s->unstored_count);
	list_free(s, s->in_accept, s->in_accept_count);
	args_free(&s->storing.args);
}
