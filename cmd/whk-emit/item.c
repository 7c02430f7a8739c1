/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "item.h"
#include "line.h"
#include "text.h"

static void
attribute(struct item *item, const char *name, const char *value)
{
	if (value == NULL)
		return;
	item->attributes[item->entry.attribute_count++] =
	    (struct sqs_attribute){.name = name, .value = value};
}

/* Makes the entry from the facts. A FIFO queue has a place for two of them. */
static int
address(struct item *item, bool fifo, struct err *e)
{
	const struct item_facts *facts = &item->facts;

	item->entry.attributes = item->attributes;
	attribute(item, "type", facts->type);
	attribute(item, "tenant", facts->tenant);
	attribute(item, "id", facts->id);
	attribute(item, "content_type", facts->content_type);
	if (!fifo) {
		attribute(item, "key", facts->key);
	} else if (facts->key == NULL) {
		return err_set(e, "no key, which a FIFO queue needs");
	} else {
		item->entry.group = facts->key;
		item->entry.dedup = facts->id;
	}
	if (facts->id != NULL && !text_is_id(facts->id))
		return err_set(e, "id: not 1 to 128 of A-Z a-z 0-9 _ -");
	return sqs_check(&item->entry, e);
}

int
item_check(const struct item_facts *facts, struct err *e)
{
	struct item item = {
	    .facts = *facts, .entry = {.body = "-", .body_len = 1}};

	return address(&item, false, e);
}

/* Reads all there is, up to a byte more than a message may have. */
static int
read_all(int fd, struct buf *b, struct err *e)
{
	char chunk[65536];
	ssize_t n;

	while (b->len <= SQS_MESSAGE_MAX) {
		n = read(fd, chunk, sizeof(chunk));
		if (n == 0)
			return 0;
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_set(e, "%s", strerror(errno));
		buf_add(b, chunk, (size_t)n);
		if (b->failed)
			return err_set(e, "out of memory");
	}
	return err_set(
	    e, "body: more than the %zu bytes of a message", SQS_MESSAGE_MAX);
}

struct item *
item_from_file(int fd, const struct item_facts *facts, bool fifo, struct err *e)
{
	struct item *item = calloc(1, sizeof(*item));
	struct buf b = {0};

	if (item == NULL) {
		err_set(e, "out of memory");
		return NULL;
	}
	if (read_all(fd, &b, e) == 0) {
		item->text = b.data;
		item->facts = *facts;
		item->entry.body = b.data;
		item->entry.body_len = b.len;
		if (address(item, fifo, e) == 0)
			return item;
	}
	buf_free(&b);
	free(item);
	return NULL;
}

static const char *
either(const char *said, const char *otherwise)
{
	return said != NULL ? said : otherwise;
}

/* Takes from the line what a queue has a place for. */
static int
parse(struct item *item, size_t len, const struct item_facts *defaults,
    struct err *e)
{
	struct event_line ev;

	if (line_event_parse(item->text, len, &ev, e) == -1)
		return -1;
	item->facts = (struct item_facts){
	    .type = either(ev.type, defaults->type),
	    .tenant = either(ev.tenant, defaults->tenant),
	    .id = ev.id,
	    .key = either(ev.key, defaults->key),
	    .content_type = either(ev.content_type, defaults->content_type)};
	item->entry.body = ev.body;
	item->entry.body_len = ev.body_len;
	line_event_free(&ev);
	return 0;
}

struct item *
item_from_line(const char *line, size_t len, uint64_t number,
    const struct item_facts *defaults, bool fifo, struct err *e)
{
	struct item *item = calloc(1, sizeof(*item));

	if (item != NULL)
		item->text = malloc(len + 1);
	if (item == NULL || item->text == NULL) {
		err_temporary(e, "out of memory");
		item_free(item);
		return NULL;
	}
	memcpy(item->text, line, len);
	item->text[len] = '\0';
	item->number = number;
	if (parse(item, len, defaults, e) == 0 && address(item, fifo, e) == 0)
		return item;
	item_free(item);
	return NULL;
}

void
item_write(struct buf *b, const struct item *item)
{
	const struct event_line ev = {
	    .id = item->facts.id,
	    .type = item->facts.type,
	    .tenant = item->facts.tenant,
	    .key = item->facts.key,
	    .content_type = item->facts.content_type,
	    .time_ms = -1,
	    .body = item->entry.body,
	    .body_len = item->entry.body_len,
	    .lease_ms = -1,
	};

	line_event_write(b, &ev);
}

void
item_free(struct item *item)
{
	if (item == NULL)
		return;
	free(item->text);
	free(item);
}
