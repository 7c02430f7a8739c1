/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "log.h"
#include "text.h"

/* Bytes of a message, visible; a longer one is cut. */
#define MESSAGE 1024

static const char *const levels[] = {[LOG_ERROR] = "error",
    [LOG_WARN] = "warning",
    [LOG_NOTE] = "notice",
    [LOG_TELL] = "info"};

static bool
is_journal(FILE *out)
{
	const char *named = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat st;

	if (named == NULL || fstat(fileno(out), &st) == -1)
		return false;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	return strcmp(named, own) == 0;
}

int
log_init(struct log *l, FILE *out, const char *program, const char *format,
    struct err *e)
{
	*l = (struct log){.out = out,
	    .program = program,
	    .format = LOG_TEXT,
	    .journal = is_journal(out),
	    .now_ms = clock_wall_ms};
	if (format == NULL || strcmp(format, "text") == 0)
		return 0;
	if (strcmp(format, "json") == 0)
		l->format = LOG_JSON;
	else if (strcmp(format, "logfmt") == 0)
		l->format = LOG_LOGFMT;
	else
		return err_set(e,
		    "--log-format: '%.50s' is none of text, json, logfmt",
		    format);
	return 0;
}

bool
log_kept(const struct log *l)
{
	return l->format != LOG_TEXT || l->journal;
}

/* Adds a value; logfmt has quotes only around what needs them. */
static void
add_value(const struct log *l, const char *text, struct buf *b)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_.:/+*@,;";
	size_t len = strlen(text);

	if (l->format == LOG_LOGFMT && len > 0 && strspn(text, plain) == len)
		buf_add(b, text, len);
	else
		buf_json(b, text, len);
}

static void
add_name(const struct log *l, const char *name, struct buf *b)
{
	if (l->format == LOG_LOGFMT)
		buf_fmt(b, " %s=", name);
	else
		buf_fmt(b, ",\"%s\":", name);
}

static void
add_field(const struct log *l, const struct log_field *f, struct buf *b)
{
	char text[MESSAGE];

	add_name(l, f->name, b);
	if (f->text == NULL) {
		buf_fmt(b, "%" PRId64, f->number);
		return;
	}
	text_visible(text, sizeof(text), f->text, strlen(f->text));
	add_value(l, text, b);
}

/* A line for machines. */
static void
add_line(const struct log *l, enum log_level level, const char *message,
    const struct log_field *fields, size_t count, struct buf *b)
{
	const struct log_field head[] = {{"level", levels[level], 0},
	    {"program", l->program, 0}, {"pid", NULL, getpid()}};
	char at[CLOCK_TEXT];

	clock_format(l->now_ms(), at);
	if (l->format == LOG_LOGFMT)
		buf_fmt(b, "time=%s", at);
	else
		buf_fmt(b, "{\"time\":\"%s\"", at);
	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		add_field(l, &head[i], b);
	add_name(l, "message", b);
	add_value(l, message, b);
	for (size_t i = 0; i < count; i++)
		add_field(l, &fields[i], b);
	buf_text(b, l->format == LOG_LOGFMT ? "\n" : "}\n");
}

static void __attribute__((format(printf, 5, 0)))
write_line(const struct log *l, enum log_level level,
    const struct log_field *fields, size_t count, const char *fmt, va_list ap)
{
	char raw[MESSAGE], message[MESSAGE];
	struct buf b = {0};

	vsnprintf(raw, sizeof(raw), fmt, ap);
	text_visible(message, sizeof(message), raw, strlen(raw));
	if (l->journal)
		buf_fmt(&b, "<%d>", (int)level);
	if (l->format == LOG_TEXT)
		buf_fmt(&b, "%s: %s\n", l->program, message);
	else
		add_line(l, level, message, fields, count, &b);
	/* nobody could be told that it failed */
	if (!b.failed)
		fwrite(b.data, 1, b.len, l->out);
	fflush(l->out);
	buf_free(&b);
}

void
log_say(const struct log *l, enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line(l, level, NULL, 0, fmt, ap);
	va_end(ap);
}

void
log_tell(const struct log *l, enum log_level level,
    const struct log_field *fields, size_t count, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line(l, level, fields, count, fmt, ap);
	va_end(ap);
}

void
log_begin(const struct log *l)
{
	if (log_kept(l))
		log_say(l, LOG_TELL, "version " WHK_VERSION " starts");
}
