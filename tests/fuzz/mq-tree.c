/* SPDX-License-Identifier: ISC */
/*
 * Any bytes as the body of a request to whk-mq: a tree that holds together, or
 * an error that says why not.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#include "../../cmd/whk-mq/fault.c"
#include "../../cmd/whk-mq/tree.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool right)
{
	if (!right)
		abort();
}

static void
check_node(const struct node *n)
{
	const struct node *last = NULL;
	size_t count = 0;

	if (n->type == NODE_STRING)
		check(
		    strlen(n->text) == n->len && text_is_utf8(n->text, n->len));
	for (const struct node *e = node_first(n); e != NULL; e = e->next) {
		check((e->key != NULL) == (n->type == NODE_OBJECT));
		if (e->key != NULL) {
			check(text_is_utf8(e->key, strlen(e->key)));
			(void)node_get(n, e->key);
		}
		check_node(e);
		last = e;
		count++;
	}
	check(last == n->last && count == node_count(n));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tree tree = {0};
	char *text = malloc(size + 1); /* an empty text has an address too */
	struct fault f = {0};
	const struct node *root;

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	root = tree_read(&tree, text, size, &f);
	if (root != NULL)
		check_node(root);
	else
		check(f.kind != FAULT_NONE && f.msg[0] != '\0' &&
		    text_is_utf8(f.msg, strlen(f.msg)));
	tree_free(&tree);
	free(text);
	return 0;
}
