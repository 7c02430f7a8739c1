/* SPDX-License-Identifier: ISC */
#ifndef WHK_MQ_TREE_H
#define WHK_MQ_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"

/*
 * A JSON text as a tree whose strings stay where they lie in the text. It
 * reads several times as fast as one that copies, and reading requests is most
 * of what this program does.
 */
enum node_type {
	NODE_NULL,
	NODE_STRING,
	NODE_INTEGER, /* one that fits in an int64_t */
	NODE_ARRAY,
	NODE_OBJECT,
	NODE_OTHER /* true, false, other numbers: no parameter is one */
};

struct node {
	enum node_type type;
	const char *key;  /* of a member: UTF-8 without NUL */
	const char *text; /* of a string: the same */
	size_t len;       /* ... its bytes */
	int64_t integer;
	size_t count;              /* of an array or object: its elements */
	struct node *first, *last; /* ... which are linked by next */
	struct node *next;
};

/* The memory of a tree, used again for the next. Zeroed: an empty one. */
struct tree {
	struct tree_block *blocks, *current;
	size_t used;  /* in the current block */
	size_t total; /* in all */
};

/*
 * Reads len bytes of text, which must outlive the tree and are changed.
 * Returns the root, valid until the next call; NULL with *f if it is no JSON
 * object, or more than a request could need.
 */
const struct node *
tree_read(struct tree *t, char *text, size_t len, struct fault *f);

void tree_free(struct tree *t);

/*
 * The member of an object by its key; NULL if it is not there or null, or obj
 * is no object or NULL. Of members with the same key it is the first.
 */
const struct node *node_get(const struct node *obj, const char *key);

/* The text of a string; NULL for anything else, and for NULL. */
const char *node_text(const struct node *n);

/* How many elements; 0 for NULL. */
size_t node_count(const struct node *n);

/* The first element; NULL if there is none, or n is NULL. */
const struct node *node_first(const struct node *n);

#endif
