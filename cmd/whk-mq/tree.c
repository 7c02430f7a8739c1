/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "tree.h"

#define DEPTH 32
#define BLOCK 256
#define NODES_MAX ((size_t)1 << 16)

struct tree_block {
	struct tree_block *next;
	struct node nodes[BLOCK];
};

static struct node *
new_node(struct tree *t)
{
	struct tree_block *b = t->current;
	struct node *n;

	if (t->total == NODES_MAX)
		return NULL;
	if (b == NULL || t->used == BLOCK) {
		struct tree_block **next = b == NULL ? &t->blocks : &b->next;

		if (*next == NULL &&
		    (*next = calloc(1, sizeof(**next))) == NULL)
			return NULL;
		t->current = b = *next;
		t->used = 0;
	}
	t->total++;
	n = &b->nodes[t->used++];
	*n = (struct node){.type = NODE_NULL};
	return n;
}

static void
append(struct node *parent, struct node *n)
{
	if (parent->last == NULL)
		parent->first = n;
	else
		parent->last->next = n;
	parent->last = n;
	parent->count++;
}

/* Unescapes a key in place; what follows it was read, so its quote may go. */
static const char *
key_text(struct json *j, const struct json_slice *key)
{
	struct json inner;
	size_t len;
	char *text;

	if (!key->escaped) {
		key->text[key->len - 1] = '\0';
		return key->text + 1;
	}
	json_init(&inner, key->text, key->len, 0);
	text = json_read_string(&inner, &len);
	if (text == NULL) {
		j->wrong = inner.wrong;
		j->fault = inner.fault;
	}
	return text;
}

static struct node *read_value(struct tree *t, struct json *j);

static void
read_elements(struct tree *t, struct json *j, struct node *n)
{
	char close = n->type == NODE_OBJECT ? '}' : ']';

	json_open(j, n->type == NODE_OBJECT ? '{' : '[');
	while (json_more(j, close)) {
		struct json_slice key;
		const char *text = NULL;
		struct node *child;

		if (n->type == NODE_OBJECT &&
		    (!json_key(j, &key) || (text = key_text(j, &key)) == NULL))
			return;
		child = read_value(t, j);
		if (child == NULL)
			return;
		child->key = text;
		append(n, child);
	}
}

static void
read_scalar(struct json *j, struct node *n, char c)
{
	struct json_slice skipped;

	if (c == '-' || (c >= '0' && c <= '9')) {
		n->type = json_read_integer(j, &n->integer) ? NODE_INTEGER
							    : NODE_OTHER;
		return;
	}
	n->type = c == 'n' ? NODE_NULL : NODE_OTHER;
	json_skip(j, &skipped);
}

/* NULL when there is no more room for nodes, or something is wrong. */
static struct node *
read_value(struct tree *t, struct json *j)
{
	struct node *n = new_node(t);
	char c = json_peek(j);

	if (n == NULL)
		return NULL;
	switch (c) {
	case '{':
	case '[':
		n->type = c == '{' ? NODE_OBJECT : NODE_ARRAY;
		read_elements(t, j, n);
		break;
	case '"':
		n->type = NODE_STRING;
		n->text = json_read_string(j, &n->len);
		break;
	default:
		read_scalar(j, n, c);
	}
	return j->wrong == NULL ? n : NULL;
}

const struct node *
tree_read(struct tree *t, char *text, size_t len, struct fault *f)
{
	const struct node *root;
	struct json j;
	struct err e;

	t->current = NULL;
	t->total = 0;
	json_init(&j, text, len, DEPTH);
	root = read_value(t, &j);
	if (root == NULL && j.wrong == NULL)
		fault_set(f, FAULT_SERIALIZATION,
		    "The body has more values than any request needs.");
	else if (json_end(&j, &e) < 0)
		fault_set(f,
		    j.fault == JSON_CONTENT ? FAULT_INVALID_CONTENTS
					    : FAULT_SERIALIZATION,
		    "The body is not right: %s.", e.msg);
	else if (root->type != NODE_OBJECT)
		fault_set(
		    f, FAULT_SERIALIZATION, "The body is not a JSON object.");
	else
		return root;
	return NULL;
}

void
tree_free(struct tree *t)
{
	struct tree_block *b;

	while ((b = t->blocks) != NULL) {
		t->blocks = b->next;
		free(b);
	}
	*t = (struct tree){0};
}

const struct node *
node_get(const struct node *obj, const char *key)
{
	if (obj == NULL || obj->type != NODE_OBJECT)
		return NULL;
	for (const struct node *n = obj->first; n != NULL; n = n->next)
		if (strcmp(n->key, key) == 0)
			return n->type == NODE_NULL ? NULL : n;
	return NULL;
}

const char *
node_text(const struct node *n)
{
	return n != NULL && n->type == NODE_STRING ? n->text : NULL;
}

size_t
node_count(const struct node *n)
{
	return n == NULL ? 0 : n->count;
}

const struct node *
node_first(const struct node *n)
{
	return n == NULL ? NULL : n->first;
}
