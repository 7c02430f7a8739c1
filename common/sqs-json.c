/* SPDX-License-Identifier: ISC */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "sqs-json.h"
#include "text.h"

/* 9999-12-31T23:59:59.999Z in ms since 1970. */
#define TIME_MAX 253402300799999LL

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* The bytes of the UTF-8 character at s, or 0 if there is none. */
static size_t
character(const char *s, size_t left)
{
	for (size_t n = 1; n <= 4 && n <= left; n++)
		if (text_is_utf8(s, n))
			return n;
	return 0;
}

/* The code unit of a \uXXXX at s, or -1. */
static long
unit(const char *s, size_t left)
{
	char hex[5] = "";

	if (left < 6 || s[0] != '\\' || s[1] != 'u')
		return -1;
	memcpy(hex, s + 2, 4);
	if (strspn(hex, "0123456789abcdefABCDEF") != 4)
		return -1;
	return strtol(hex, NULL, 16);
}

/* The bytes of the escape at s; *whole is false for half a surrogate pair. */
static size_t
escape(const char *s, size_t left, bool *whole)
{
	long first = unit(s, left), second;

	*whole = true;
	if (first == -1)
		/* What it escapes may itself be broken. */
		return left < 2 || (unsigned char)s[1] >= 0x80 ? 1 : 2;
	if (first < 0xd800 || first > 0xdfff)
		return 6;
	second = unit(s + 6, left - 6);
	*whole = first < 0xdc00 && second >= 0xdc00 && second <= 0xdfff;
	return *whole ? 12 : 6;
}

void
sqs_json_repair(struct buf *b, const char *text, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		bool whole = true;

		n = (unsigned char)text[i] < 0x80
		    ? 1
		    : character(text + i, len - i);
		if (text[i] == '\\')
			n = escape(text + i, len - i, &whole);
		if (n > 0 && whole) {
			buf_add(b, text + i, n);
			continue;
		}
		buf_text(b, replacement);
		n = n == 0 ? 1 : n;
	}
}

static json_t *
parse(const char *text, size_t len, bool *repaired)
{
	struct buf b = {0};
	json_t *root;

	*repaired = false;
	root = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
	if (root != NULL)
		return root;
	*repaired = true;
	sqs_json_repair(&b, text, len);
	if (!b.failed && b.len > 0)
		root = json_loadb(b.data, b.len, JSON_ALLOW_NUL, NULL);
	buf_free(&b);
	return root;
}

/* Parses an answer that must be an object. */
static int
load(struct sqs_json *j, const char *text, size_t len, bool *repaired,
    struct err *e)
{
	j->root = parse(text, len, repaired);
	if (j->root == NULL)
		return err_temporary(e, "the answer is not JSON");
	if (!json_is_object(j->root))
		return err_temporary(e, "the answer is not one of SQS");
	return 0;
}

/* A member that is a string without NUL; otherwise NULL. */
static const char *
string(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	const char *s = json_string_value(value);

	if (s == NULL || strlen(s) != json_string_length(value))
		return NULL;
	return s;
}

/* The decimal number in a member that is a string, or -1. */
static int64_t
number(const json_t *object, const char *name, int64_t max)
{
	const char *s = string(object, name), *complaint;
	int64_t n;

	if (s == NULL)
		return -1;
	n = strtonum(s, 0, max, &complaint);
	return complaint == NULL ? n : -1;
}

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

/* Appends the attributes of object to those of m. NULL, or what is bad. */
static const char *
take_attributes(struct sqs_message *m, struct sqs_attribute *to, json_t *object,
    bool repaired)
{
	const char *name, *type, *value;
	json_t *attribute;

	m->attributes = to;
	json_object_foreach (object, name, attribute) {
		type = string(attribute, "DataType");
		if (type == NULL ||
		    (strncmp(type, "String", 6) != 0 &&
			strncmp(type, "Number", 6) != 0))
			continue;
		value = string(attribute, "StringValue");
		if (value == NULL)
			return "a message attribute without a value";
		if (repaired && strstr(value, replacement) != NULL)
			return "a message attribute is not Unicode";
		to[m->attribute_count++] =
		    (struct sqs_attribute){.name = name, .value = value};
	}
	return NULL;
}

static const char *
check_body(const struct sqs_message *m, const char *hex, const EVP_MD *md5,
    bool repaired)
{
	if (m->body == NULL)
		return "no body";
	if (repaired && hex == NULL && strstr(m->body, replacement) != NULL)
		return "the body is not Unicode";
	if (hex != NULL && md5 != NULL && !md5_is(md5, m, hex))
		return repaired ? "the body is not Unicode"
				: "the body's MD5 is not the one it came with";
	if (memchr(m->body, '\0', m->body_len) != NULL)
		return "the body has a NUL character";
	return NULL;
}

static void
take_message(struct sqs_message *m, json_t *object, struct sqs_attribute *to,
    const EVP_MD *md5, bool repaired)
{
	const json_t *system = json_object_get(object, "Attributes");
	const json_t *body = json_object_get(object, "Body");
	int64_t count = number(system, "ApproximateReceiveCount", INT_MAX);
	const char *bad;

	m->message_id = string(object, "MessageId");
	m->receipt = string(object, "ReceiptHandle");
	m->body = json_string_value(body);
	m->body_len = json_string_length(body);
	m->sent_ms = number(system, "SentTimestamp", TIME_MAX);
	m->receive_count = count == -1 ? 0 : (int)count;
	m->group = string(system, "MessageGroupId");
	if (m->group != NULL && *m->group == '\0')
		m->group = NULL;
	m->bad = take_attributes(
	    m, to, json_object_get(object, "MessageAttributes"), repaired);
	if (m->sent_ms == -1)
		m->bad = "no SentTimestamp";
	bad = check_body(m, string(object, "MD5OfBody"), md5, repaired);
	if (bad != NULL)
		m->bad = bad;
	if (m->receipt == NULL || *m->receipt == '\0')
		m->bad = "no receipt handle";
	if (m->message_id == NULL || *m->message_id == '\0')
		m->bad = "no message id";
}

/* Room for the attributes of all messages. */
static int
make_room(struct sqs_json *j, const json_t *messages)
{
	size_t i, count = 0;
	json_t *message;

	json_array_foreach (messages, i, message)
		count += json_object_size(
		    json_object_get(message, "MessageAttributes"));
	j->attributes = reallocarray(NULL, count + 1, sizeof(*j->attributes));
	return j->attributes == NULL ? -1 : 0;
}

int
sqs_json_messages(struct sqs_json *j, const char *text, size_t len,
    const EVP_MD *md5, struct err *e)
{
	json_t *messages, *message;
	struct sqs_attribute *to;
	bool repaired;
	size_t i;

	if (load(j, text, len, &repaired, e) == -1)
		return -1;
	messages = json_object_get(j->root, "Messages");
	if (json_is_null(messages) || json_object_size(j->root) == 0)
		return 0;
	if (!json_is_array(messages) || json_array_size(messages) > SQS_BATCH)
		return err_temporary(e, "the answer is not one of SQS");
	if (make_room(j, messages) == -1)
		return err_temporary(e, "out of memory");
	to = j->attributes;
	json_array_foreach (messages, i, message) {
		take_message(&j->messages[i], message, to, md5, repaired);
		to += j->messages[i].attribute_count;
	}
	j->count = i;
	return 0;
}

static void
say(char *reason, size_t size, const char *code, const char *message)
{
	struct err e;

	if (code == NULL)
		code = "no code";
	if (message == NULL || *message == '\0')
		err_set(&e, "%s", code);
	else
		err_set(&e, "%s: %s", code, message);
	strlcpy(reason, e.msg, size);
}

/* The result that an entry of an answer speaks of, or NULL. */
static struct sqs_result *
result(struct sqs_json *j, const json_t *entry)
{
	int64_t id = number(entry, "Id", SQS_BATCH);

	return id < 0 || (size_t)id >= j->count ? NULL : &j->results[id];
}

static void
take_results(struct sqs_json *j, const json_t *good, const json_t *failed)
{
	struct sqs_result *r;
	json_t *entry;
	size_t i;

	json_array_foreach (good, i, entry) {
		r = result(j, entry);
		if (r == NULL)
			continue;
		*r = (struct sqs_result){
		    .ok = true, .message_id = string(entry, "MessageId")};
	}
	json_array_foreach (failed, i, entry) {
		r = result(j, entry);
		if (r == NULL)
			continue;
		*r = (struct sqs_result){
		    .sender_fault =
			json_is_true(json_object_get(entry, "SenderFault"))};
		say(r->reason, sizeof(r->reason), string(entry, "Code"),
		    string(entry, "Message"));
	}
}

int
sqs_json_results(struct sqs_json *j, const char *text, size_t len, size_t count,
    struct err *e)
{
	const json_t *good, *failed;
	bool repaired;

	if (load(j, text, len, &repaired, e) == -1)
		return -1;
	good = json_object_get(j->root, "Successful");
	failed = json_object_get(j->root, "Failed");
	if (!json_is_array(good) && !json_is_array(failed))
		return err_temporary(e, "the answer is not one of SQS");
	j->count = count;
	for (size_t i = 0; i < count; i++)
		say(j->results[i].reason, sizeof(j->results[i].reason),
		    "the answer does not say", NULL);
	take_results(j, good, failed);
	return 0;
}

const char *
sqs_json_url(struct sqs_json *j, const char *text, size_t len, struct err *e)
{
	const char *url;
	bool repaired;

	if (load(j, text, len, &repaired, e) == -1)
		return NULL;
	url = string(j->root, "QueueUrl");
	if (url == NULL || *url == '\0') {
		err_temporary(e, "the answer is not one of SQS");
		return NULL;
	}
	return url;
}

void
sqs_json_free(struct sqs_json *j)
{
	json_decref(j->root);
	free(j->attributes);
	*j = (struct sqs_json){0};
}
