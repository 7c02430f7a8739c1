/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <event2/event.h>

#include "clock.h"
#include "say.h"

static void
wipe(struct say *s)
{
	if (s->shown)
		fputs("\r\033[K", stderr);
	s->shown = false;
}

void
say(struct say *s, const char *fmt, ...)
{
	va_list ap;

	wipe(s);
	fputs("whk-emit: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* How much of a file has been read, from 0 to 1; 0 where it is no file. */
static double
part_read(int fd)
{
	struct stat st;
	off_t at = lseek(fd, 0, SEEK_CUR);

	if (at <= 0 || fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_size < at)
		return 0;
	return (double)at / (double)st.st_size;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct say *s = arg;
	char text[PROGRESS_TEXT];

	(void)fd;
	(void)what;
	wipe(s);
	progress_text(&s->progress, clock_steady_ms(), (int64_t)s->sent,
	    "events", part_read(s->fd), text);
	fputs(text, stderr);
	s->shown = true;
}

int
say_progress(struct say *s, struct event_base *base, int fd, struct err *e)
{
	static const struct timeval second = {.tv_sec = 1};

	if (!isatty(STDERR_FILENO))
		return 0;
	s->fd = fd;
	s->progress.begun_ms = clock_steady_ms();
	s->tick = event_new(base, -1, EV_PERSIST, on_tick, s);
	if (s->tick == NULL || event_add(s->tick, &second) == -1)
		return err_set(e, "out of memory");
	return 0;
}

void
say_free(struct say *s)
{
	wipe(s);
	if (s->tick != NULL)
		event_free(s->tick);
	s->tick = NULL;
}
