/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "broker.h"

static int
by_name(const struct queue *a, const struct queue *b)
{
	return strcmp(a->name, b->name);
}

RB_GENERATE_INTERNAL(
    queue_tree, queue, entry, by_name, __attribute__((unused)) static)

int
broker_init(struct broker *b, size_t memory, const char *region,
    const char *account, struct err *e)
{
	*b = (struct broker){
	    .meter = {.max = memory}, .region = region, .account = account};
	RB_INIT(&b->queues);
	b->digest = digest_new(e);
	return b->digest == NULL ? -1 : 0;
}

void
broker_free(struct broker *b)
{
	struct queue *q;

	while ((q = RB_ROOT(&b->queues)) != NULL)
		broker_remove(b, q);
	digest_free(b->digest);
	b->digest = NULL;
}

/* A queue that only has a name, to look others up with. */
static bool
name_key(struct queue *key, const char *name)
{
	return strlcpy(key->name, name, sizeof(key->name)) < sizeof(key->name);
}

struct queue *
broker_find(struct broker *b, const char *name)
{
	struct queue key;

	if (!name_key(&key, name))
		return NULL;
	return RB_FIND(queue_tree, &b->queues, &key);
}

struct queue *
broker_first_from(struct broker *b, const char *name)
{
	struct queue key;

	(void)name_key(&key, name);
	return RB_NFIND(queue_tree, &b->queues, &key);
}

struct queue *
broker_next(struct queue *q)
{
	return RB_NEXT(queue_tree, NULL, q);
}

void
broker_add(struct broker *b, struct queue *q)
{
	RB_INSERT(queue_tree, &b->queues, q);
	b->meter.used += sizeof(*q);
}

void
broker_remove(struct broker *b, struct queue *q)
{
	RB_REMOVE(queue_tree, &b->queues, q);
	queue_free(q);
	b->meter.used -= sizeof(*q);
}

bool
broker_has_room(struct broker *b, size_t bytes, const struct moment *now)
{
	struct queue *q;

	if (bytes <= b->meter.max && b->meter.used <= b->meter.max - bytes)
		return true;
	RB_FOREACH(q, queue_tree, &b->queues)
	queue_advance(q, now);
	return bytes <= b->meter.max && b->meter.used <= b->meter.max - bytes;
}

int
broker_check_name(const char *name, struct fault *f)
{
	size_t len = strlen(name);

	if (len > 5 && strcmp(name + len - 5, ".fifo") == 0)
		return fault_set(f, FAULT_UNSUPPORTED,
		    "whk-mq does not have FIFO queues (a name in .fifo).");
	if (len == 0 || len > QUEUE_NAME_MAX ||
	    strspn(name,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789-_") != len)
		return fault_set(f, FAULT_INVALID_PARAMETER,
		    "Can only include alphanumeric characters, hyphens, or "
		    "underscores. 1 to 80 in length");
	return 0;
}
