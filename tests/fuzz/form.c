/* SPDX-License-Identifier: ISC */
/*
 * Queries and forms, as cmd/whk-api/form.c reads them: what it takes is text,
 * and means the same when it was written and read again.
 */
#include <assert.h>
#include <stdint.h>

#include "../../cmd/whk-api/form.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_again(const struct form *f)
{
	struct form again = {0};
	struct buf b = {0};

	for (size_t i = 0; i < f->count; i++)
		form_add(&b, '&', f->v[i].name, f->v[i].value);
	assert(form_read(&again, b.len > 0 ? b.data : "", b.len, NULL) == 0);
	assert(again.count == f->count);
	for (size_t i = 0; i < f->count; i++) {
		assert(strcmp(again.v[i].name, f->v[i].name) == 0);
		assert(strcmp(again.v[i].value, f->v[i].value) == 0);
	}
	buf_free(&b);
	form_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct form f = {0};

	if (form_read(&f, size > 0 ? (const char *)data : "", size, NULL) ==
	    0) {
		for (size_t i = 0; i < f.count; i++) {
			const char *name = f.v[i].name;

			assert(text_is_utf8(name, strlen(name)));
			assert(form_find(&f, name) != NULL);
		}
		write_again(&f);
	}
	form_free(&f);
	return 0;
}
