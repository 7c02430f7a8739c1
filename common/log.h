/* SPDX-License-Identifier: ISC */
#ifndef WHK_LOG_H
#define WHK_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "err.h"

/*
 * What a program that goes on says of itself, on the stream it is given: as
 * text ("whk-poll: message"), as JSON lines or as logfmt. One write a line.
 */

/* How much it matters: syslog's priorities. */
enum log_level {
	LOG_ERROR = 3, /* it failed, and ends */
	LOG_WARN = 4,  /* a trouble begins; something is wrong with a line */
	LOG_NOTE = 5,  /* a trouble is over */
	LOG_TELL = 6,  /* start, end, and with -v each event */
};

/* What beside the message JSON lines and logfmt have. */
struct log_field {
	const char *name;
	const char *text; /* NULL: it is a number */
	int64_t number;
};

struct log {
	FILE *out;
	const char *program;
	enum { LOG_TEXT, LOG_JSON, LOG_LOGFMT } format;
	bool journal;            /* lines begin with "<4>" (sd-daemon(3)) */
	int64_t (*now_ms)(void); /* the time that JSON lines and logfmt have */
};

/*
 * Logs to out, which is borrowed, in a format: "text" (or NULL), "json" or
 * "logfmt". out is the journal's where JOURNAL_STREAM names its device and
 * inode, as systemd sets it (systemd.exec(5)). Returns 0, or -1 with *e where
 * format is none of these.
 */
int log_init(struct log *l, FILE *out, const char *program, const char *format,
    struct err *e);

/*
 * Whether a machine reads it: then a program says when it starts and ends
 * even if all is well.
 */
bool log_kept(const struct log *l);

/* The first line, where it is kept. */
void log_begin(const struct log *l);

/* Adds a line. What a terminal could act on is made visible. */
void log_say(const struct log *l, enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with fields. */
void log_tell(const struct log *l, enum log_level level,
    const struct log_field *fields, size_t count, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

#endif
