/* SPDX-License-Identifier: ISC */
#ifndef WHK_MQ_SETTING_H
#define WHK_MQ_SETTING_H

#include <stddef.h>
#include <stdint.h>

#include "fault.h"

struct buf;

/* The queue attributes that can be set (SetQueueAttributes). */
enum setting {
	SETTING_DELAY,        /* DelaySeconds */
	SETTING_MESSAGE_SIZE, /* MaximumMessageSize, bytes */
	SETTING_RETENTION,    /* MessageRetentionPeriod, seconds */
	SETTING_WAIT,         /* ReceiveMessageWaitTimeSeconds */
	SETTING_VISIBILITY,   /* VisibilityTimeout, seconds */
	/* Those that follow are kept and shown, and mean nothing here. */
	SETTING_POLICY,
	SETTING_KMS_KEY,
	SETTING_KMS_REUSE,
	SETTING_SSE,
	SETTING_COUNT
};

/* The values, each as SQS writes it; NULL: the default. */
struct settings {
	char *text[SETTING_COUNT];
	int64_t number[SETTING_COUNT];
};

void settings_init(struct settings *s);
void settings_free(struct settings *s);

int64_t settings_number(const struct settings *s, enum setting which);

/*
 * Sets an attribute by its name. Returns 0, or -1 with *f: there is none of
 * that name, it cannot be set, the value is out of bounds, or it belongs to
 * what this server does not have (FIFO and dead-letter queues).
 */
int settings_set(
    struct settings *s, const char *name, const char *value, struct fault *f);

/*
 * Whether *s says the same as *other of an attribute whose name settings_set()
 * took.
 */
bool settings_equal(
    const struct settings *s, const struct settings *other, const char *name);

/* Whether SQS has an attribute of that name and this server has not. */
bool settings_unsupported(const char *name);

/* The name of a setting, and its value, or NULL where it is not shown. */
const char *settings_name(enum setting which);
const char *
settings_text(const struct settings *s, enum setting which, char buf[24]);

#endif
