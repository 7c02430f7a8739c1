/* SPDX-License-Identifier: ISC */
/*
 * Answers to ReceiveMessage, of which there are thousands a second: read in
 * place with json.h, so that a body is copied once and changed where it lies.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "sqs-json.h"

/* 9999-12-31T23:59:59.999Z in ms since 1970. */
#define TIME_MAX 253402300799999LL

/* The deepest that an answer's arrays and objects lie in each other. */
#define DEPTH 32

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* What is read of a message besides what struct sqs_message has. */
struct raw {
	const char *md5;
	size_t first; /* of its attributes among those of all */
	const char *bad;
};

struct reader {
	struct json json;
	struct sqs_json *out;
	struct raw raw[SQS_BATCH];
	size_t attributes, size; /* in out->attributes; its room */
	bool failed;             /* memory was out */
	bool strange;            /* it is not one of SQS's answers */
};

static bool
md5_is(const EVP_MD *md5, const struct sqs_message *m, const char *hex)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	char text[2 * EVP_MAX_MD_SIZE + 1];

	if (EVP_Digest(m->body, m->body_len, sum, &len, md5, NULL) != 1)
		return false;
	for (unsigned int i = 0; i < len; i++) {
		text[2 * i] = digits[sum[i] >> 4];
		text[2 * i + 1] = digits[sum[i] & 15];
	}
	text[2 * len] = '\0';
	return strcasecmp(text, hex) == 0;
}

/* A value that is a string, NULL where it is another. */
static char *
string(struct reader *r, size_t *len)
{
	struct json_slice other;

	if (json_peek(&r->json) == '"')
		return json_read_string(&r->json, len);
	json_skip(&r->json, &other);
	return NULL;
}

static const char *
text(struct reader *r)
{
	size_t len;

	return string(r, &len);
}

/* A value that is a string of decimal digits, or -1. */
static int64_t
number(struct reader *r, int64_t max)
{
	const char *s = text(r), *complaint;
	int64_t n;

	if (s == NULL)
		return -1;
	n = strtonum(s, 0, max, &complaint);
	return complaint == NULL ? n : -1;
}

/*
 * Whether an object follows, which is opened; anything else is passed over.
 * Its members are then read with member().
 */
static bool
object(struct reader *r)
{
	struct json_slice other;

	if (json_peek(&r->json) == '{')
		return json_open(&r->json, '{');
	json_skip(&r->json, &other);
	return false;
}

/* The next member's key; false at the end of the object. */
static bool
member(struct reader *r, struct json_slice *key)
{
	return json_more(&r->json, '}') && json_key(&r->json, key);
}

static void
skip(struct reader *r)
{
	struct json_slice value;

	json_skip(&r->json, &value);
}

/* Adds an attribute to those of all messages, which may move. */
static void
add_attribute(struct reader *r, const char *name, const char *value)
{
	struct sqs_json *j = r->out;

	if (r->attributes == r->size) {
		size_t size = r->size == 0 ? 32 : r->size * 2;
		struct sqs_attribute *p =
		    reallocarray(j->attributes, size, sizeof(*p));

		if (p == NULL) {
			r->failed = true;
			return;
		}
		j->attributes = p;
		r->size = size;
	}
	j->attributes[r->attributes++] =
	    (struct sqs_attribute){.name = name, .value = value};
}

/* The string that a key is. */
static const char *
name_of(const struct json_slice *key)
{
	struct json j;
	size_t len;

	json_init(&j, key->text, key->len, 1);
	return json_read_string(&j, &len);
}

static void
read_attribute(struct reader *r, const struct json_slice *name, struct raw *raw,
    size_t *count)
{
	const char *type = NULL, *value = NULL, *n;
	struct json_slice key;

	if (!object(r))
		return;
	while (member(r, &key)) {
		if (json_is(&key, "DataType"))
			type = text(r);
		else if (json_is(&key, "StringValue"))
			value = text(r);
		else
			skip(r);
	}
	if (type == NULL ||
	    (strncmp(type, "String", 6) != 0 &&
		strncmp(type, "Number", 6) != 0))
		return;
	n = name_of(name);
	if (n == NULL || value == NULL) {
		raw->bad = "a message attribute without a value";
		return;
	}
	add_attribute(r, n, value);
	++*count;
}

static void
read_attributes(struct reader *r, struct raw *raw, size_t *count)
{
	struct json_slice key;

	if (!object(r))
		return;
	raw->first = r->attributes;
	*count = 0; /* of the same name, the last member counts */
	while (member(r, &key))
		read_attribute(r, &key, raw, count);
}

static void
read_system(struct reader *r, struct sqs_message *m)
{
	struct json_slice key;
	int64_t n;

	if (!object(r))
		return;
	while (member(r, &key)) {
		if (json_is(&key, "SentTimestamp"))
			m->sent_ms = number(r, TIME_MAX);
		else if (json_is(&key, "ApproximateReceiveCount")) {
			n = number(r, INT_MAX);
			m->receive_count = n == -1 ? 0 : (int)n;
		} else if (json_is(&key, "MessageGroupId"))
			m->group = text(r);
		else
			skip(r);
	}
	if (m->group != NULL && *m->group == '\0')
		m->group = NULL;
}

static void
read_message(struct reader *r, struct sqs_message *m, struct raw *raw)
{
	struct json_slice key;

	*m = (struct sqs_message){.sent_ms = -1};
	*raw = (struct raw){0};
	if (!object(r))
		return;
	while (member(r, &key)) {
		if (json_is(&key, "Body"))
			m->body = string(r, &m->body_len);
		else if (json_is(&key, "MessageId"))
			m->message_id = text(r);
		else if (json_is(&key, "ReceiptHandle"))
			m->receipt = text(r);
		else if (json_is(&key, "MD5OfBody"))
			raw->md5 = text(r);
		else if (json_is(&key, "Attributes"))
			read_system(r, m);
		else if (json_is(&key, "MessageAttributes"))
			read_attributes(r, raw, &m->attribute_count);
		else
			skip(r);
	}
}

static void
read_messages(struct reader *r)
{
	struct sqs_json *j = r->out;

	if (json_peek(&r->json) == 'n') {
		skip(r);
		return;
	}
	if (json_peek(&r->json) != '[' || !json_open(&r->json, '[')) {
		r->strange = true;
		skip(r);
		return;
	}
	while (json_more(&r->json, ']')) {
		if (j->count == SQS_BATCH) {
			r->strange = true;
			skip(r);
			continue;
		}
		read_message(r, &j->messages[j->count], &r->raw[j->count]);
		j->count++;
	}
}

/* Reads an answer that lies in j->text. 0, or -1 if it is no JSON. */
static int
read_answer(struct reader *r, struct sqs_json *j, struct err *e)
{
	struct json_slice key;
	bool said = false, other = false;

	free(j->attributes);
	j->attributes = NULL;
	j->count = 0;
	*r = (struct reader){.out = j};
	json_init(&r->json, j->text.data, j->text.len, DEPTH);
	if (!object(r))
		r->strange = true;
	else
		while (member(r, &key)) {
			if (json_is(&key, "Messages")) {
				said = true;
				read_messages(r);
			} else {
				other = true;
				skip(r);
			}
		}
	/* an empty queue's answer may have no member at all */
	if (other && !said)
		r->strange = true;
	return json_end(&r->json, e);
}

static const char *
check_body(const struct sqs_message *m, const char *hex, const EVP_MD *md5,
    bool repaired)
{
	if (m->body == NULL)
		return "no body";
	if (repaired && hex == NULL && strstr(m->body, replacement) != NULL)
		return "the body is not Unicode without NUL";
	if (hex != NULL && md5 != NULL && !md5_is(md5, m, hex))
		return repaired ? "the body is not Unicode without NUL"
				: "the body's MD5 is not the one it came with";
	return NULL;
}

/* Whether a value was repaired, so that it is not what was sent. */
static bool
any_repaired(const struct sqs_message *m)
{
	for (size_t i = 0; i < m->attribute_count; i++)
		if (strstr(m->attributes[i].value, replacement) != NULL)
			return true;
	return false;
}

static void
check_message(struct sqs_message *m, const struct raw *raw, const EVP_MD *md5,
    bool repaired)
{
	const char *bad;

	m->bad = raw->bad;
	if (repaired && any_repaired(m))
		m->bad = "a message attribute is not Unicode without NUL";
	if (m->sent_ms == -1)
		m->bad = "no SentTimestamp";
	bad = check_body(m, raw->md5, md5, repaired);
	if (bad != NULL)
		m->bad = bad;
	if (m->receipt == NULL || *m->receipt == '\0')
		m->bad = "no receipt handle";
	if (m->message_id == NULL || *m->message_id == '\0')
		m->bad = "no message id";
}

int
sqs_json_messages(struct sqs_json *j, const char *answer, size_t len,
    const EVP_MD *md5, struct err *e)
{
	struct reader r = {0};
	bool repaired = false;

	buf_add(&j->text, answer, len);
	if (!j->text.failed && read_answer(&r, j, NULL) == -1) {
		repaired = true;
		buf_clear(&j->text);
		sqs_json_repair(&j->text, answer, len);
		if (!j->text.failed && read_answer(&r, j, NULL) == -1) {
			j->count = 0;
			return err_temporary(e, "the answer is not JSON");
		}
	}
	if (j->text.failed || r.failed || r.strange) {
		j->count = 0;
		return err_temporary(e,
		    r.strange ? "the answer is not one of SQS"
			      : "out of memory");
	}
	for (size_t i = 0; i < j->count; i++) {
		struct sqs_message *m = &j->messages[i];

		if (m->attribute_count > 0)
			m->attributes = j->attributes + r.raw[i].first;
		check_message(m, &r.raw[i], md5, repaired);
	}
	return 0;
}
