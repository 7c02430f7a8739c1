/* SPDX-License-Identifier: ISC */
/*
 * SQS's answers. The first byte chooses which, the rest is the answer; what
 * comes out must be as common/sqs.h promises.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sqs-json.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static void
check_message(const struct sqs_message *m)
{
	check(m->body == NULL || text_is_utf8(m->body, m->body_len));
	for (size_t i = 0; i < m->attribute_count; i++) {
		check(strlen(m->attributes[i].name) < SIZE_MAX);
		check(strlen(m->attributes[i].value) < SIZE_MAX);
	}
	if (m->bad != NULL)
		return;
	check(m->message_id != NULL && m->receipt != NULL && m->body != NULL);
	check(strlen(m->body) == m->body_len);
	check(m->sent_ms >= 0 && m->receive_count >= 0);
}

static void
messages(const char *text, size_t len, const EVP_MD *md5)
{
	struct sqs_json j = {0};
	struct err e;

	if (sqs_json_messages(&j, text, len, md5, &e) == 0)
		for (size_t i = 0; i < j.count; i++)
			check_message(&j.messages[i]);
	else
		check(e.temporary && j.count == 0);
	sqs_json_free(&j);
}

static void
results(const char *text, size_t len)
{
	struct sqs_json j = {0};
	struct err e;

	if (sqs_json_results(&j, text, len, 3, &e) == 0) {
		check(j.count == 3);
		for (size_t i = 0; i < 3; i++)
			check(j.results[i].ok == (*j.results[i].reason == 0));
	}
	sqs_json_free(&j);
}

static void
others(const char *text, size_t len)
{
	struct sqs_json j = {0};
	struct buf b = {0}, c = {0};
	struct err e;
	const char *url = sqs_json_url(&j, text, len, &e);

	check(url == NULL || *url != '\0');
	sqs_json_free(&j);
	if (sqs_json_depth(&j, text, len, &e) == 0)
		check(j.depth.waiting >= 0 && j.depth.delayed >= 0);
	sqs_json_free(&j);
	check(sqs_json_error(400, text, len, &e) == -1);
	check(text_is_utf8(e.msg, strlen(e.msg)));
	/* What is repaired needs no more repair. */
	sqs_json_repair(&b, text, len);
	check(b.len == 0 || text_is_utf8(b.data, b.len));
	sqs_json_repair(&c, b.data, b.len);
	check(b.len == c.len &&
	    (b.len == 0 || memcmp(b.data, c.data, b.len) == 0));
	buf_free(&b);
	buf_free(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;

	if (size == 0)
		return 0;
	if (data[0] == 'r')
		results(text, size - 1);
	else if (data[0] == 'o')
		others(text, size - 1);
	else
		messages(text, size - 1, data[0] == 'm' ? EVP_md5() : NULL);
	return 0;
}
