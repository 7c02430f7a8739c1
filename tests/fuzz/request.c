/* SPDX-License-Identifier: ISC */
/* Heads of HTTP requests and chunk sizes, as common/httpd.c reads them. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/httpd-request.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct httpd_request *r)
{
	assert(strpbrk(r->method, " \r\n") == NULL);
	assert(strpbrk(r->target, " \r\n") == NULL);
	for (size_t i = 0; i < r->header_count; i++) {
		assert(r->headers[i].name[0] != '\0');
		assert(strpbrk(r->headers[i].value, "\r\n") == NULL);
		assert(httpd_header(r, r->headers[i].name) != NULL);
	}
	assert(r->length <= 1000);
	assert(!r->chunked || r->length == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct httpd_request r;
	char *head = malloc(size + 1);
	size_t chunk;

	if (head == NULL)
		return 0;
	if (size > 0)
		memcpy(head, data, size);
	head[size] = '\0';
	if (httpd_chunk_size(head, 1000, &chunk) == 0)
		assert(chunk <= 1000);
	if (httpd_parse(head, size, 1000, &r) == 0)
		check(&r);
	free(head);
	return 0;
}
