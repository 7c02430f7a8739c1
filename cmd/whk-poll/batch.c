/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "event-rules.h"
#include "text.h"
#include "whk-poll/batch.h"

/* Copies s to *at and moves *at behind its NUL; NULL stays NULL. */
static char *
put(char **at, const char *s, size_t len)
{
	char *copy = *at;

	if (s == NULL)
		return NULL;
	memcpy(copy, s, len);
	copy[len] = '\0';
	*at += len + 1;
	return copy;
}

static char *
put_text(char **at, const char *s)
{
	return put(at, s, s == NULL ? 0 : strlen(s));
}

static size_t
room(const char *s)
{
	return s == NULL ? 0 : strlen(s) + 1;
}

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
	bool chosen;
	char *at;

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
	item = malloc(sizeof(*item) + room(m->receipt) + room(ev.id) +
	    room(ev.type) + room(ev.tenant) + room(ev.key) +
	    room(ev.content_type) + ev.body_len + 1);
	if (item == NULL) {
		err_temporary(e, "out of memory");
		return NULL;
	}
	at = item->text;
	item->event = ev;
	item->chosen = chosen;
	item->receipt = put_text(&at, m->receipt);
	item->event.id = put_text(&at, ev.id);
	item->event.type = put_text(&at, ev.type);
	item->event.tenant = put_text(&at, ev.tenant);
	item->event.key = put_text(&at, ev.key);
	item->event.content_type = put_text(&at, ev.content_type);
	item->event.body = put(&at, ev.body, ev.body_len);
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
