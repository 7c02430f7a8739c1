/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "sqs-json.h"
#include "text.h"

/* What all our message attributes are. */
static const char data_type[] = "String";

size_t
sqs_size(const struct sqs_entry *entry)
{
	size_t size = entry->body_len;

	for (size_t i = 0; i < entry->attribute_count; i++)
		size += strlen(entry->attributes[i].name) +
		    strlen(entry->attributes[i].value) + strlen(data_type);
	return size;
}

/* Whether the character at s, of UTF-8, is none that XML 1.0 has. */
static bool
is_foreign(const unsigned char *s, size_t left)
{
	if (*s < ' ')
		return *s != '\t' && *s != '\n' && *s != '\r';
	return *s == 0xef && left >= 3 && s[1] == 0xbf && s[2] >= 0xbe;
}

static int
check_text(const char *what, const char *text, size_t len, struct err *e)
{
	const unsigned char *s = (const unsigned char *)text;

	if (len == 0)
		return err_set(
		    e, "%s: empty, which a queue does not take", what);
	if (!text_is_utf8(text, len))
		return err_set(e, "%s: not UTF-8", what);
	for (size_t i = 0; i < len; i++)
		if (is_foreign(s + i, len - i))
			return err_set(e,
			    "%s: byte %zu begins U+%04X, which a queue does "
			    "not take",
			    what, i + 1,
			    s[i] < ' ' ? s[i] : 0xff00u + 0x40 + s[i + 2]);
	return 0;
}

int
sqs_check(const struct sqs_entry *entry, struct err *e)
{
	size_t size = sqs_size(entry);

	if (size > SQS_MESSAGE_MAX)
		return err_set(e, "%zu bytes, more than the %zu of a message",
		    size, SQS_MESSAGE_MAX);
	if (check_text("body", entry->body, entry->body_len, e) == -1)
		return -1;
	for (size_t i = 0; i < entry->attribute_count; i++) {
		const struct sqs_attribute *a = &entry->attributes[i];

		if (check_text(a->name, a->value, strlen(a->value), e) == -1)
			return -1;
	}
	return 0;
}

static void
member(struct buf *b, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_fmt(b, ",\"%s\":", name);
	buf_json(b, value, strlen(value));
}

static void
attributes(struct buf *b, const struct sqs_entry *entry)
{
	if (entry->attribute_count == 0)
		return;
	buf_text(b, ",\"MessageAttributes\":{");
	for (size_t i = 0; i < entry->attribute_count; i++) {
		const struct sqs_attribute *a = &entry->attributes[i];

		if (i > 0)
			buf_text(b, ",");
		buf_json(b, a->name, strlen(a->name));
		buf_fmt(b, ":{\"DataType\":\"%s\"", data_type);
		member(b, "StringValue", a->value);
		buf_text(b, "}");
	}
	buf_text(b, "}");
}

void
sqs_json_send(struct buf *b, const struct sqs_entry *entries, size_t count)
{
	buf_text(b, "\"Entries\":[");
	for (size_t i = 0; i < count; i++) {
		buf_fmt(b,
		    "%s{\"Id\":\"%zu\",\"MessageBody\":", i > 0 ? "," : "", i);
		buf_json(b, entries[i].body, entries[i].body_len);
		attributes(b, &entries[i]);
		member(b, "MessageGroupId", entries[i].group);
		member(b, "MessageDeduplicationId", entries[i].dedup);
		buf_text(b, "}");
	}
	buf_text(b, "],");
}

void
sqs_json_delete(struct buf *b, const char *const *receipts, size_t count)
{
	buf_text(b, "\"Entries\":[");
	for (size_t i = 0; i < count; i++) {
		buf_fmt(b, "%s{\"Id\":\"%zu\"", i > 0 ? "," : "", i);
		member(b, "ReceiptHandle", receipts[i]);
		buf_text(b, "}");
	}
	buf_text(b, "],");
}
