/* SPDX-License-Identifier: ISC */
#ifndef WHK_MQ_TAGS_H
#define WHK_MQ_TAGS_H

#include <stddef.h>

#include "fault.h"

struct buf;
struct node;

/* The tags of a queue, in the order in which they came. Zeroed: none. */
struct tags {
	struct tag {
		char *name, *value;
	} list[50]; /* as many as SQS lets a queue have */
	size_t count;
};

/*
 * Adds the members of an object of strings; one whose name is there gets
 * another value. 0, or -1 with *f and *t as it was.
 */
int tags_add(struct tags *t, const struct node *obj, struct fault *f);

/* Takes one away, if it is there. */
void tags_remove(struct tags *t, const char *name);

/* Adds the members, without the braces. */
void tags_write(const struct tags *t, struct buf *out);

void tags_free(struct tags *t);

#endif
