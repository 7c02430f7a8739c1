/* SPDX-License-Identifier: ISC */
/*
 * Any bytes as a webhook line: a definition that was taken is taken again,
 * and is the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"
#include "text.h"
#include "webhook.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool right)
{
	if (!right)
		abort();
}

static json_t *
parse(const void *data, size_t size, enum webhook_use use)
{
	char *text = malloc(size + 1);
	struct err e = {0};
	json_t *def;

	check(text != NULL);
	memcpy(text, data, size);
	def = webhook_parse(text, size, use, &e);
	check(def != NULL || (e.msg[0] != '\0' && !e.temporary));
	check(def != NULL || text_is_utf8(e.msg, strlen(e.msg)));
	free(text);
	return def;
}

static void
round_trip(const uint8_t *data, size_t size, enum webhook_use use)
{
	struct guard guard = {0};
	struct err e;
	json_t *def = parse(data, size, use), *again;
	char *text;

	if (def == NULL)
		return;
	check(use == WEBHOOK_SET || json_object_get(def, "url") != NULL);
	webhook_doubtful(def, &guard, &e);
	text = json_dumps(def, JSON_COMPACT);
	check(text != NULL);
	again = parse(text, strlen(text), use);
	check(again != NULL && json_equal(def, again));
	webhook_free(again);
	webhook_free(def);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	round_trip(data, size, WEBHOOK_ADD);
	round_trip(data, size, WEBHOOK_SET);
	return 0;
}
