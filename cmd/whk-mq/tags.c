/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "tags.h"
#include "tree.h"

/* In characters, each of up to four bytes; SQS says 128 and 256. */
#define NAME_BYTES (128 * 4)
#define VALUE_BYTES (256 * 4)
#define TAGS_MAX (sizeof(((struct tags *)0)->list) / sizeof(struct tag))

static struct tag *
find_tag(struct tags *t, const char *name)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->list[i].name, name) == 0)
			return &t->list[i];
	return NULL;
}

static int
check(const struct node *n, struct fault *f)
{
	if (n->type != NODE_STRING)
		return fault_set(
		    f, FAULT_SERIALIZATION, "Tags must be strings.");
	if (n->key[0] == '\0' || strlen(n->key) > NAME_BYTES ||
	    n->len > VALUE_BYTES)
		return fault_set(f, FAULT_INVALID_PARAMETER,
		    "A tag is too long, or its name is empty.");
	return 0;
}

static int
add(struct tags *t, const struct node *n, struct fault *f)
{
	struct tag *tag = find_tag(t, n->key);
	char *value, *name;

	if (tag == NULL && t->count == TAGS_MAX)
		return fault_set(f, FAULT_INVALID_PARAMETER,
		    "A queue has at most %zu tags.", TAGS_MAX);
	value = strdup(n->text);
	name = tag == NULL ? strdup(n->key) : NULL;
	if (value == NULL || (tag == NULL && name == NULL)) {
		free(value);
		free(name);
		return fault_memory(f);
	}
	if (tag == NULL) {
		tag = &t->list[t->count++];
		tag->name = name;
	} else
		free(tag->value);
	tag->value = value;
	return 0;
}

static int
copy(struct tags *to, const struct tags *from)
{
	*to = (struct tags){0};
	for (size_t i = 0; i < from->count; i++) {
		struct tag *tag = &to->list[to->count++];

		tag->name = strdup(from->list[i].name);
		tag->value = strdup(from->list[i].value);
		if (tag->name == NULL || tag->value == NULL)
			return -1;
	}
	return 0;
}

int
tags_add(struct tags *t, const struct node *obj, struct fault *f)
{
	struct tags trial;

	if (copy(&trial, t) < 0) {
		fault_memory(f);
		goto fail;
	}
	for (const struct node *n = node_first(obj); n != NULL; n = n->next)
		if (check(n, f) < 0 || add(&trial, n, f) < 0)
			goto fail;
	tags_free(t);
	*t = trial;
	return 0;
fail:
	tags_free(&trial);
	return -1;
}

void
tags_remove(struct tags *t, const char *name)
{
	struct tag *tag = find_tag(t, name);

	if (tag == NULL)
		return;
	free(tag->name);
	free(tag->value);
	t->count--;
	memmove(
	    tag, tag + 1, (size_t)(&t->list[t->count] - tag) * sizeof(*tag));
}

void
tags_write(const struct tags *t, struct buf *out)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct tag *tag = &t->list[i];

		if (i > 0)
			buf_text(out, ",");
		buf_json(out, tag->name, strlen(tag->name));
		buf_text(out, ":");
		buf_json(out, tag->value, strlen(tag->value));
	}
}

void
tags_free(struct tags *t)
{
	for (size_t i = 0; i < t->count; i++) {
		free(t->list[i].name);
		free(t->list[i].value);
	}
	*t = (struct tags){0};
}
