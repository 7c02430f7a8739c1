/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "whk-poll/poll.h"

/* Messages for one call of whk.accept(): more gain little, and their memory is
   held three times over. */
#define BATCH_MESSAGES 400

static void
print(struct poll *p, const struct event_line *ev)
{
	buf_clear(&p->line);
	line_event_write(&p->line, ev);
	if (p->line.failed) {
		/* stored and leased: it comes again through whk-due */
		log_say(p->log, LOG_WARN, "%s: out of memory", ev->id);
		return;
	}
	output_line(p->output, p->line.data, p->line.len);
	p->printed++;
}

/* With -v: what became of an event. */
static void
say_event(const struct poll *p, const char *id, const char *what)
{
	const struct log_field fields[] = {{"event", id, 0}, {"what", what, 0}};

	if (p->o->verbose)
		log_tell(p->log, LOG_TELL, fields, 2, "event %s: %s", id, what);
}

/* The end of an item's way. */
static void
drop(struct poll *p, struct item *item)
{
	p->bytes -= item->event.body_len;
	item_free(item);
}

/* Prints what the output has room for: the rest waits where it is. */
void
store_print(struct poll *p)
{
	struct item *item;

	while (!output_full(p->output) &&
	    (item = batch_take(&p->printing)) != NULL) {
		print(p, &item->event);
		drop(p, item);
	}
}

/* What became of one message: it is printed if somebody is to have it now. */
static void
accepted_one(struct poll *p, const PGresult *r, int n, struct item *item)
{
	struct accept_row row;

	if (accept_row(r, n, &row) == -1) {
		log_say(p->log, LOG_WARN, "%s: out of memory", item->event.id);
		drop(p, item);
		return;
	}
	if (!row.fresh)
		p->repeats++;
	say_event(p, item->event.id,
	    row.to != NULL  ? "printed"
		: row.fresh ? "stored, for nobody now"
			    : "a repeat");
	free(row.missing);
	if (row.to == NULL) {
		drop(p, item);
		return;
	}
	item->event.attempt = 1;
	item->event.to = row.to;
	item->event.to_count = row.to_count;
	item->event.lease_ms = row.lease_ms;
	batch_add(&p->printing, item);
}

/*
 * The batch is committed, and only now is anything deleted. Should the deletes
 * fail, the messages come again and are found to be stored.
 */
static void
accepted(void *arg, const struct err *e, const PGresult *r)
{
	struct poll *p = arg;
	struct item *item;

	if (e != NULL) {
		poll_give_up(p, e);
		return;
	}
	for (int i = 0; (item = batch_take(&p->accepting)) != NULL; i++) {
		deletes_add(&p->deletes, item->receipt);
		accepted_one(p, r, i, item);
	}
	deletes_send(&p->deletes);
	poll_go_on(p);
}

/*
 * Whether a batch is worth waiting for: each call costs the database as much as
 * some thirty events more in another, and the reader has lines to read.
 */
static bool
may_grow(const struct poll *p)
{
	return p->printing.count > 0 && p->receiving > 0 &&
	    p->gathering.count < BATCH_MESSAGES;
}

void
store_more(struct poll *p)
{
	struct item *item;
	struct err e;

	if (p->accepting.count > 0 || p->gathering.count == 0 || may_grow(p))
		return;
	while (p->accepting.count < BATCH_MESSAGES &&
	    (item = batch_take(&p->gathering)) != NULL) {
		accept_add(&p->accept, &item->event, item->chosen);
		batch_add(&p->accepting, item);
	}
	if (accept_call(&p->accept, p->db, p->o->lease_ms, "queue", accepted, p,
		&e) == -1)
		poll_give_up(p, &e);
}
