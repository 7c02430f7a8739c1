/* SPDX-License-Identifier: ISC */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "sqs-json.h"
#include "text.h"

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

/* The bytes of the escape at s; *whole is false for NUL and for half a
   surrogate pair. */
static size_t
escape(const char *s, size_t left, bool *whole)
{
	long first = unit(s, left), second;

	*whole = true;
	if (first == -1)
		/* What it escapes may itself be broken. */
		return left < 2 || (unsigned char)s[1] >= 0x80 ? 1 : 2;
	if (first < 0xd800 || first > 0xdfff) {
		*whole = first != 0;
		return 6;
	}
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

/* Parses an answer that must be an object. */
static int
load(struct sqs_json *j, const char *text, size_t len, struct err *e)
{
	struct buf b = {0};

	j->root = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
	if (j->root == NULL) {
		sqs_json_repair(&b, text, len);
		if (!b.failed && b.len > 0)
			j->root = json_loadb(b.data, b.len, 0, NULL);
		buf_free(&b);
	}
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

	if (load(j, text, len, e) == -1)
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

	if (load(j, text, len, e) == -1)
		return NULL;
	url = string(j->root, "QueueUrl");
	if (url == NULL || *url == '\0') {
		err_temporary(e, "the answer is not one of SQS");
		return NULL;
	}
	return url;
}

int
sqs_json_depth(struct sqs_json *j, const char *text, size_t len, struct err *e)
{
	const json_t *all;

	if (load(j, text, len, e) == -1)
		return -1;
	all = json_object_get(j->root, "Attributes");
	j->depth.waiting =
	    number(all, "ApproximateNumberOfMessages", INT64_MAX);
	j->depth.in_flight =
	    number(all, "ApproximateNumberOfMessagesNotVisible", INT64_MAX);
	j->depth.delayed =
	    number(all, "ApproximateNumberOfMessagesDelayed", INT64_MAX);
	if (j->depth.waiting < 0 || j->depth.in_flight < 0 ||
	    j->depth.delayed < 0)
		return err_temporary(e, "the answer is not one of SQS");
	return 0;
}

void
sqs_json_free(struct sqs_json *j)
{
	json_decref(j->root);
	buf_free(&j->text);
	free(j->attributes);
	*j = (struct sqs_json){0};
}
