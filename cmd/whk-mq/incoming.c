/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base64.h"
#include "incoming.h"

#define NAME_MAX_LEN 256
#define GROUP_MAX 128
#define ALLOWED                                                                \
	"allowed are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | "   \
	"#x10000 to #x10FFFF."

void
incoming_free(struct incoming *in)
{
	for (size_t i = 0; i < MESSAGE_ATTRIBUTES; i++)
		free(in->decoded[i]);
	free(in->system_decoded);
	free(in->message);
}

/* Whether valid UTF-8 is made of the characters that SQS takes (XML 1.0's). */
static bool
is_content(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char b = (unsigned char)s[i];

		if (b < 0x20 && b != '\t' && b != '\n' && b != '\r')
			return false;
		/* U+FFFE and U+FFFF are EF BF BE and EF BF BF. */
		if (b == 0xef && (unsigned char)s[i + 1] == 0xbf &&
		    (unsigned char)s[i + 2] >= 0xbe)
			return false;
	}
	return true;
}

static int
bad_attribute(struct call *c, const char *name, const char *why)
{
	return fault_set(&c->fault, FAULT_INVALID_PARAMETER,
	    "The message attribute '%s' is not valid: %s.", name, why);
}

static bool
is_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX_LEN || name[0] == '.' ||
	    name[len - 1] == '.' || strstr(name, "..") != NULL)
		return false;
	if (strncasecmp(name, "AWS.", 4) == 0 ||
	    strncasecmp(name, "Amazon.", 7) == 0)
		return false;
	return strspn(name,
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		   "0123456789_-.") == len;
}

/* "-12.5e3" and the like: an optional sign, digits, a fraction, a power. */
static bool
is_number(const char *s)
{
	size_t digits;

	s += *s == '-' || *s == '+';
	digits = strspn(s, "0123456789");
	s += digits;
	if (*s == '.') {
		size_t more = strspn(++s, "0123456789");

		digits += more;
		s += more;
	}
	if (digits == 0)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '-' || *s == '+';
		digits = strspn(s, "0123456789");
		s += digits;
	}
	return digits > 0 && *s == '\0';
}

/* Whether a type is base, or base with a label behind it ("Number.int"). */
static bool
is_type(const char *type, const char *base)
{
	size_t len = strlen(base);

	return strncmp(type, base, len) == 0 &&
	    (type[len] == '\0' || type[len] == '.');
}

static int
read_binary(struct call *c, struct attribute *a, const struct node *j,
    uint8_t **decoded)
{
	const char *text;

	if (param_text(c, j, "BinaryValue", &text) < 0)
		return -1;
	if (text == NULL || text[0] == '\0')
		return bad_attribute(c, a->name, "it has no BinaryValue");
	*decoded = base64_decode(text, &a->value_len);
	if (*decoded == NULL)
		return bad_attribute(c, a->name, "BinaryValue is not base64");
	a->value = *decoded;
	a->binary = true;
	return 0;
}

static int
read_string(struct call *c, struct attribute *a, const struct node *j)
{
	const char *text;

	if (param_text(c, j, "StringValue", &text) < 0)
		return -1;
	if (text == NULL || text[0] == '\0')
		return bad_attribute(c, a->name, "it has no StringValue");
	a->value = text;
	a->value_len = strlen(text);
	if (!is_content(text, a->value_len))
		return fault_set(&c->fault, FAULT_INVALID_CONTENTS,
		    "The message attribute '%s' has a character that is not "
		    "allowed; " ALLOWED,
		    a->name);
	if (is_type(a->type, "Number") && !is_number(text))
		return bad_attribute(c, a->name, "it is not a number");
	return 0;
}

static int
read_attribute(struct call *c, struct attribute *a, const char *name,
    const struct node *j, uint8_t **decoded)
{
	a->name = name;
	a->name_len = strlen(name);
	if (j->type != NODE_OBJECT)
		return bad_attribute(c, name, "it is not an object");
	if (node_count(node_get(j, "StringListValues")) > 0 ||
	    node_count(node_get(j, "BinaryListValues")) > 0)
		return fault_set(&c->fault, FAULT_UNSUPPORTED,
		    "The message attribute '%s' is a list, which SQS does not "
		    "have.",
		    name);
	if (param_text(c, j, "DataType", &a->type) < 0)
		return -1;
	if (a->type == NULL || a->type[0] == '\0')
		return bad_attribute(c, name, "it has no DataType");
	a->type_len = strlen(a->type);
	if (a->type_len > NAME_MAX_LEN || !is_content(a->type, a->type_len))
		return bad_attribute(c, name, "its DataType is not allowed");
	if (is_type(a->type, "Binary"))
		return read_binary(c, a, j, decoded);
	if (is_type(a->type, "String") || is_type(a->type, "Number"))
		return read_string(c, a, j);
	return bad_attribute(
	    c, name, "its DataType is none of String, Number and Binary");
}

static int
read_attributes(struct call *c, struct incoming *in, const struct node *obj)
{
	struct draft *d = &in->draft;
	const struct node *attributes;

	if (param_object(c, obj, "MessageAttributes", &attributes) < 0)
		return -1;
	if (node_count(attributes) > MESSAGE_ATTRIBUTES)
		return fault_set(&c->fault, FAULT_INVALID_PARAMETER,
		    "A message has at most %d attributes. You have sent %zu.",
		    MESSAGE_ATTRIBUTES, node_count(attributes));
	for (const struct node *j = node_first(attributes); j != NULL;
	     j = j->next) {
		size_t i = d->attribute_count++;
		const char *name = j->key;

		if (!is_name(name))
			return bad_attribute(
			    c, name, "its name is not allowed");
		if (node_get(attributes, name) != j)
			return bad_attribute(
			    c, name, "it is null, or there is another");
		if (read_attribute(
			c, &d->attributes[i], name, j, &in->decoded[i]) < 0)
			return -1;
	}
	return 0;
}

/* AWSTraceHeader is the only system attribute that can be sent. */
static int
read_system(struct call *c, struct incoming *in, const struct node *obj)
{
	const struct node *attributes;

	if (param_object(c, obj, "MessageSystemAttributes", &attributes) < 0)
		return -1;
	for (const struct node *j = node_first(attributes); j != NULL;
	     j = j->next) {
		const char *name = j->key;

		if (strcmp(name, "AWSTraceHeader") != 0)
			return bad_attribute(c, name, "it is not known");
		if (read_attribute(
			c, &in->system, name, j, &in->system_decoded) < 0)
			return -1;
		if (strcmp(in->system.type, "String") != 0)
			return bad_attribute(c, name, "it must be a String");
		in->draft.trace = in->system.value;
		in->has_system = true;
	}
	return 0;
}

static int
read_group(struct call *c, struct draft *d, const struct node *obj)
{
	const char *dedup;

	if (param_text(c, obj, "MessageGroupId", &d->group) < 0 ||
	    param_text(c, obj, "MessageDeduplicationId", &dedup) < 0)
		return -1;
	if (dedup != NULL)
		return fault_set(&c->fault, FAULT_INVALID_PARAMETER,
		    "MessageDeduplicationId is for FIFO queues only.");
	if (d->group == NULL)
		return 0;
	for (const char *p = d->group; *p != '\0'; p++)
		if (!isascii((unsigned char)*p) ||
		    !isgraph((unsigned char)*p) || p - d->group >= GROUP_MAX)
			goto bad;
	if (d->group[0] != '\0')
		return 0;
bad:
	return fault_set(&c->fault, FAULT_INVALID_PARAMETER,
	    "MessageGroupId is 1 to 128 letters, digits and punctuation.");
}

static int
read_body(struct call *c, struct draft *d, const struct node *obj)
{
	const struct node *body = node_get(obj, "MessageBody");

	if (body != NULL && body->type != NODE_STRING)
		return fault_set(&c->fault, FAULT_SERIALIZATION,
		    "MessageBody must be a string.");
	d->body = node_text(body);
	d->body_len = body == NULL ? 0 : body->len;
	if (d->body_len == 0)
		return fault_set(&c->fault, FAULT_MISSING_PARAMETER,
		    "The request must contain the parameter MessageBody.");
	if (!is_content(d->body, d->body_len))
		return fault_set(&c->fault, FAULT_INVALID_CONTENTS,
		    "The body has a character that is not allowed; " ALLOWED);
	return 0;
}

int
incoming_read(struct call *c, struct incoming *in, const struct node *obj)
{
	const struct settings *s = &c->queue->settings;
	int64_t max = settings_number(s, SETTING_MESSAGE_SIZE);

	in->delay_s = settings_number(s, SETTING_DELAY);
	if (read_body(c, &in->draft, obj) < 0 ||
	    param_int(c, obj, "DelaySeconds", 0, 900, &in->delay_s) < 0 ||
	    read_group(c, &in->draft, obj) < 0 ||
	    read_attributes(c, in, obj) < 0 || read_system(c, in, obj) < 0)
		return -1;
	if (draft_size(&in->draft) > (size_t)max)
		return fault_set(&c->fault, FAULT_INVALID_PARAMETER,
		    "One or more parameters are invalid. Reason: Message must "
		    "be shorter than %" PRId64 " bytes.",
		    max);
	return 0;
}
