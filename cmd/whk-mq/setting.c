/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "setting.h"

/* The longest text that is kept. */
#define TEXT_MAX 65536

enum form { NUMBER, TEXT, BOOLEAN };

static const struct {
	const char *name;
	enum form form;
	int64_t min, max, initial; /* of a number */
} table[SETTING_COUNT] = {
    [SETTING_DELAY] = {"DelaySeconds", NUMBER, 0, 900, 0},
    [SETTING_MESSAGE_SIZE] = {"MaximumMessageSize", NUMBER, 1024, 1048576,
	1048576},
    [SETTING_RETENTION] = {"MessageRetentionPeriod", NUMBER, 60, 1209600,
	345600},
    [SETTING_WAIT] = {"ReceiveMessageWaitTimeSeconds", NUMBER, 0, 20, 0},
    [SETTING_VISIBILITY] = {"VisibilityTimeout", NUMBER, 0, 43200, 30},
    [SETTING_POLICY] = {"Policy", TEXT, 0, 0, 0},
    [SETTING_KMS_KEY] = {"KmsMasterKeyId", TEXT, 0, 0, 0},
    [SETTING_KMS_REUSE] = {"KmsDataKeyReusePeriodSeconds", NUMBER, 60, 86400,
	300},
    [SETTING_SSE] = {"SqsManagedSseEnabled", BOOLEAN, 0, 0, 0},
};

/* What SQS has and this server has not, and what of it is in the way. */
static const struct {
	const char *name, *what;
} unsupported[] = {
    {"RedrivePolicy", "dead-letter queues"},
    {"RedriveAllowPolicy", "dead-letter queues"},
    {"FifoQueue", "FIFO queues"},
    {"ContentBasedDeduplication", "FIFO queues"},
    {"DeduplicationScope", "FIFO queues"},
    {"FifoThroughputLimit", "FIFO queues"},
};

void
settings_init(struct settings *s)
{
	*s = (struct settings){0};
	for (int i = 0; i < SETTING_COUNT; i++)
		s->number[i] = table[i].initial;
}

void
settings_free(struct settings *s)
{
	for (int i = 0; i < SETTING_COUNT; i++)
		free(s->text[i]);
	*s = (struct settings){0};
}

int64_t
settings_number(const struct settings *s, enum setting which)
{
	return s->number[which];
}

static int
find(const char *name)
{
	for (int i = 0; i < SETTING_COUNT; i++)
		if (strcmp(name, table[i].name) == 0)
			return i;
	return -1;
}

/* What an attribute that this server has not belongs to, or NULL. */
static const char *
belongs_to(const char *name)
{
	size_t count = sizeof(unsupported) / sizeof(unsupported[0]);

	for (size_t i = 0; i < count; i++)
		if (strcmp(name, unsupported[i].name) == 0)
			return unsupported[i].what;
	return NULL;
}

bool
settings_unsupported(const char *name)
{
	return belongs_to(name) != NULL;
}

static int
refuse_name(const char *name, const char *value, struct fault *f)
{
	const char *what = belongs_to(name);

	if (what == NULL)
		return fault_set(f, FAULT_INVALID_ATTRIBUTE_NAME,
		    "Unknown Attribute %s.", name);
	/* Empty takes the setting away, and it is not there. */
	if (value[0] == '\0')
		return 0;
	return fault_set(f, FAULT_UNSUPPORTED,
	    "Attribute %s: whk-mq does not have %s.", name, what);
}

static int
refuse_value(const char *name, struct fault *f)
{
	return fault_set(f, FAULT_INVALID_ATTRIBUTE_VALUE,
	    "Invalid value for the parameter %s.", name);
}

static int
set_text(struct settings *s, int which, const char *value, struct fault *f)
{
	char *copy = NULL;

	if (strlen(value) > TEXT_MAX)
		return refuse_value(table[which].name, f);
	if (table[which].form == BOOLEAN && strcmp(value, "true") != 0 &&
	    strcmp(value, "false") != 0)
		return refuse_value(table[which].name, f);
	if (value[0] != '\0' && (copy = strdup(value)) == NULL)
		return fault_memory(f);
	free(s->text[which]);
	s->text[which] = copy;
	return 0;
}

int
settings_set(
    struct settings *s, const char *name, const char *value, struct fault *f)
{
	int which = find(name);
	const char *problem;
	int64_t n;

	if (which < 0)
		return refuse_name(name, value, f);
	if (table[which].form != NUMBER)
		return set_text(s, which, value, f);
	n = strtonum(value, table[which].min, table[which].max, &problem);
	if (problem != NULL)
		return refuse_value(name, f);
	s->number[which] = n;
	return 0;
}

bool
settings_equal(
    const struct settings *s, const struct settings *other, const char *name)
{
	int which = find(name);

	if (which < 0)
		return true;
	if (s->number[which] != other->number[which])
		return false;
	if (s->text[which] == NULL || other->text[which] == NULL)
		return s->text[which] == other->text[which];
	return strcmp(s->text[which], other->text[which]) == 0;
}

const char *
settings_name(enum setting which)
{
	return table[which].name;
}

const char *
settings_text(const struct settings *s, enum setting which, char buf[24])
{
	if (table[which].form != NUMBER)
		return s->text[which];
	if (which == SETTING_KMS_REUSE && s->text[SETTING_KMS_KEY] == NULL)
		return NULL;
	snprintf(buf, 24, "%" PRId64, s->number[which]);
	return buf;
}
