/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "event-rules.h"
#include "text.h"
#include "whk-poll/batch.h"

static const char *
attribute(const struct sqs_message *m, const char *name)
{
	for (size_t i = 0; i < m->attribute_count; i++)
		if (strcmp(m->attributes[i].name, name) == 0)
			return m->attributes[i].value;
	return NULL;
}

/* What a message says of its event, still pointing into the message. */
static int
describe(const struct sqs_message *m, struct event_line *ev, struct err *e)
{
	if (m->bad != NULL)
		return err_set(e, "%s", m->bad);
	*ev = (struct event_line){
	    .id = attribute(m, "id"),
	    .type = attribute(m, "type"),
	    .tenant = attribute(m, "tenant"),
	    .key = m->group != NULL ? m->group : attribute(m, "key"),
	    .content_type = attribute(m, "content_type"),
	    .time_ms = m->sent_ms,
	    .body = m->body,
	    .body_len = m->body_len,
	    .lease_ms = -1,
	};
	return event_check(ev, e);
}

struct item *
item_new(const struct sqs_message *m, struct err *e)
{
	char derived[sizeof("msg_") + 128];
	char type[EVENT_TEXT_MAX + 1];
	struct event_line ev = {0};
	struct item *item;
	size_t receipt_len;
	bool chosen;

	if (describe(m, &ev, e) == -1)
		return NULL;
	chosen = ev.id != NULL;
	if (!chosen) {
		if (strlen(m->message_id) > 124 || !text_is_id(m->message_id)) {
			err_set(e, "a message id that is no event id");
			return NULL;
		}
		strlcpy(derived, "msg_", sizeof(derived));
		strlcat(derived, m->message_id, sizeof(derived));
		ev.id = derived;
	}
	if (ev.type == NULL && event_body_type(ev.body, ev.body_len, type))
		ev.type = type;
	receipt_len = strlen(m->receipt);
	item = malloc(sizeof(*item) + line_event_room(&ev) + receipt_len + 1);
	if (item == NULL) {
		err_temporary(e, "out of memory");
		return NULL;
	}
	item->event = ev;
	item->chosen = chosen;
	item->receipt = line_event_move(&item->event, item->text);
	memcpy(item->receipt, m->receipt, receipt_len + 1);
	return item;
}

void
item_free(struct item *item)
{
	line_event_free(&item->event);
	free(item);
}

void
batch_init(struct batch *b)
{
	STAILQ_INIT(&b->items);
	b->count = 0;
}

void
batch_add(struct batch *b, struct item *item)
{
	STAILQ_INSERT_TAIL(&b->items, item, next);
	b->count++;
}

struct item *
batch_take(struct batch *b)
{
	struct item *item = STAILQ_FIRST(&b->items);

	if (item == NULL)
		return NULL;
	STAILQ_REMOVE_HEAD(&b->items, next);
	b->count--;
	return item;
}

void
batch_free(struct batch *b)
{
	struct item *item;

	while ((item = batch_take(b)) != NULL)
		item_free(item);
}
