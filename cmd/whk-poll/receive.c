/* SPDX-License-Identifier: ISC */
#include "clock.h"
#include "whk-poll/poll.h"

/* Messages and bytes in hand at which no more are asked for; messages so many
   times what all requests at once may bring. */
#define HAND_TIMES 4
#define HAND_BYTES ((size_t)8 << 20)

/* Stored messages that wait for the reader at which no more are asked for. */
#define PRINTING_MESSAGES 200

/* Long polling, in seconds: as long as SQS has it, or just to be sure. */
#define WAIT_LONG 20
#define WAIT_SHORT 1

/* How long a message that was only looked at stays hidden, in seconds. */
#define PEEK_HIDDEN 5

static void
take(struct poll *p, const struct sqs_message *m)
{
	struct item *item;
	struct err e;

	item = item_new(m, &e);
	if (item == NULL) {
		p->bad++;
		log_say(p->log, LOG_WARN, "message %s: %s: left in the queue",
		    m->message_id != NULL ? m->message_id : "without an id",
		    e.msg);
		return;
	}
	p->taken++;
	p->bytes += item->event.body_len;
	batch_add(p->o->peek ? &p->printing : &p->gathering, item);
}

/* The queue failed: say it once, and ask again after a while. */
static void
queue_failed(struct poll *p, const struct err *e)
{
	struct timeval tv;
	int64_t ms;
	bool first;

	if (p->o->once || p->o->peek) {
		poll_give_up(p, e);
		return;
	}
	p->wanted = 1;
	if (event_pending(p->again, EV_TIMEOUT, NULL))
		return; /* one of several that failed at once */
	ms = backoff_fail(&p->backoff, &first);
	if (first)
		log_say(p->log, LOG_WARN, "%s: trying again", e->msg);
	p->queue_trouble = true;
	tv = (struct timeval){ms / 1000, ms % 1000 * 1000};
	event_add(p->again, &tv);
}

/* How many requests at once are worth it: more while they come back full. */
static void
adapt(struct poll *p, size_t count)
{
	if (count == SQS_BATCH && p->wanted < p->o->receives)
		p->wanted++;
	else if (count == 0)
		p->wanted = 1;
	p->empty = count == 0;
}

/* What was looked at first is soon to be seen again: then it ends. */
static void
peek_on(struct poll *p)
{
	if (p->ending ||
	    clock_steady_ms() - p->began_ms < PEEK_HIDDEN * 1000 - 500)
		return;
	log_say(p->log, LOG_WARN, "there may be more: it looks for %d seconds",
	    PEEK_HIDDEN);
	poll_end(p, 0);
}

static void
received(void *arg, const struct err *e, const struct sqs_message *messages,
    size_t count)
{
	struct receive *rc = arg;
	struct poll *p = rc->poll;

	p->receiving--;
	p->asked -= rc->max;
	rc->max = 0;
	if (e != NULL) {
		if (!p->ending)
			queue_failed(p, e);
		poll_go_on(p);
		return;
	}
	p->queue_trouble = false;
	if (backoff_ok(&p->backoff))
		log_say(p->log, LOG_NOTE, "the queue answers again");
	adapt(p, count);
	if (count > 0)
		p->large = 0;
	for (size_t i = 0; i < count; i++) {
		if (messages[i].body_len > p->large)
			p->large = messages[i].body_len;
		take(p, &messages[i]);
	}
	if (p->empty && (p->o->once || p->o->peek) && p->receiving == 0)
		poll_end(p, 0);
	if (p->o->number > 0 && p->taken >= p->o->number)
		poll_end(p, 0);
	if (p->o->peek)
		peek_on(p);
	poll_go_on(p);
}

static void
receive(struct poll *p, int max)
{
	struct receive *rc = p->receives;
	bool once = p->o->once || p->o->peek;
	struct err e;

	while (rc->max != 0) /* no more are under way than there are */
		rc++;
	*rc = (struct receive){p, max};
	if (sqs_receive(p->sqs, max, once ? WAIT_SHORT : WAIT_LONG,
		p->o->peek ? PEEK_HIDDEN : -1, received, rc, &e) == -1) {
		rc->max = 0;
		queue_failed(p, &e);
		return;
	}
	p->receiving++;
	p->asked += max;
}

/*
 * Whether there is room for what one more request may bring; it is taken to be
 * of the kind that came last.
 */
static bool
has_room(const struct poll *p)
{
	size_t most = HAND_TIMES * SQS_BATCH * (size_t)p->o->receives;
	size_t count = (size_t)p->asked + p->gathering.count +
	    p->accepting.count + p->printing.count;

	return count < most && deletes_count(&p->deletes) < most &&
	    p->printing.count < PRINTING_MESSAGES &&
	    p->bytes + (size_t)p->asked * p->large < HAND_BYTES &&
	    !p->db_trouble && !p->queue_trouble;
}

void
receive_more(struct poll *p)
{
	while (!p->ending && p->receiving < p->wanted && has_room(p)) {
		int64_t max = SQS_BATCH;

		/* empty once: what is under way may bring more */
		if (p->empty && p->receiving > 0 && (p->o->once || p->o->peek))
			return;
		if (p->o->number > 0 &&
		    max > p->o->number - p->taken - p->asked)
			max = p->o->number - p->taken - p->asked;
		if (max <= 0)
			return;
		receive(p, (int)max);
	}
}

void
receive_again(evutil_socket_t fd, short what, void *arg)
{
	struct poll *p = arg;

	(void)fd;
	(void)what;
	p->queue_trouble = false;
	poll_go_on(p);
}
