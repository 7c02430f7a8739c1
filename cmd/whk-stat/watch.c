/* SPDX-License-Identifier: ISC */
#include <sys/ioctl.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "buf.h"
#include "print.h"
#include "whk-stat/watch.h"

/* The other screen, no cursor, lines that do not wrap; and back. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

bool
watch_can(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term != NULL && term[0] != '\0' &&
	    strcmp(term, "dumb") != 0;
}

static void
enter(struct watch *w)
{
	struct termios mode = w->before;
	struct err e;

	if (w->keys) {
		mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
	}
	if (!w->entered)
		print_bytes(ENTER, strlen(ENTER), &e);
	w->entered = true;
}

static void
leave(struct watch *w)
{
	struct err e;

	if (!w->entered)
		return;
	w->entered = false;
	print_bytes(LEAVE, strlen(LEAVE), &e);
	print_end(&e);
	if (w->keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &w->before);
}

static void
on_stop(evutil_socket_t sig, short what, void *arg)
{
	struct watch *w = arg;
	struct event *self = w->events[0];

	(void)sig;
	(void)what;
	leave(w);
	event_del(self); /* it has its default action again */
	raise(SIGTSTP);
	/* it goes on here */
	event_add(self, NULL);
	enter(w);
	w->h->redraw(w->arg);
}

static void
on_redraw(evutil_socket_t sig, short what, void *arg)
{
	struct watch *w = arg;

	(void)sig;
	(void)what;
	enter(w);
	w->h->redraw(w->arg);
}

static void
on_quit(evutil_socket_t sig, short what, void *arg)
{
	struct watch *w = arg;

	(void)sig;
	(void)what;
	w->h->quit(w->arg);
}

static void
on_key(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;
	char keys[64];
	ssize_t n = read(fd, keys, sizeof(keys));

	(void)what;
	if (n <= 0)
		event_del(w->events[5]);
	else if (memchr(keys, 'q', (size_t)n) != NULL)
		w->h->quit(w->arg);
	else
		w->h->refresh(w->arg);
}

static int
add_events(struct watch *w, struct event_base *base)
{
	const struct {
		int sig;
		event_callback_fn call;
	} signals[] = {{SIGTSTP, on_stop}, {SIGCONT, on_redraw},
	    {SIGWINCH, on_redraw}, {SIGHUP, on_quit}, {SIGQUIT, on_quit}};

	for (int i = 0; i < 5; i++) {
		w->events[i] =
		    evsignal_new(base, signals[i].sig, signals[i].call, w);
		if (w->events[i] == NULL || event_add(w->events[i], NULL) < 0)
			return -1;
	}
	if (!w->keys)
		return 0;
	w->events[5] =
	    event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, on_key, w);
	if (w->events[5] == NULL || event_add(w->events[5], NULL) < 0)
		return -1;
	return 0;
}

int
watch_begin(struct watch *w, struct event_base *base,
    const struct watch_handler *h, void *arg, struct err *e)
{
	*w = (struct watch){.h = h, .arg = arg};
	w->keys =
	    isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &w->before) == 0;
	if (add_events(w, base) == -1)
		return err_set(e, "terminal: %s", strerror(errno));
	enter(w);
	return print_end(e);
}

void
watch_end(struct watch *w)
{
	leave(w);
	for (size_t i = 0; i < sizeof(w->events) / sizeof(w->events[0]); i++)
		if (w->events[i] != NULL)
			event_free(w->events[i]);
	*w = (struct watch){0};
}

static size_t
rows(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
		return size.ws_row;
	return 24;
}

int
watch_draw(struct watch *w, const char *lines, size_t len, struct err *e)
{
	const char *end = lines + len;
	struct buf out = {0};
	size_t left;
	int rc;

	if (!w->entered)
		return 0;
	buf_text(&out, "\033[H");
	for (left = rows(); lines < end && left > 0; left--) {
		const char *lf = memchr(lines, '\n', (size_t)(end - lines));

		if (lf == NULL)
			lf = end;
		/* first, as at its end it would take the last column */
		buf_text(&out, "\033[K");
		buf_add(&out, lines, (size_t)(lf - lines));
		lines = lf + 1;
		if (left > 1)
			buf_text(&out, "\n");
	}
	if (left > 0)
		buf_text(&out, "\033[J");
	rc = out.failed ? err_temporary(e, "out of memory")
			: print_bytes(out.data, out.len, e);
	buf_free(&out);
	return rc == -1 ? -1 : print_end(e);
}
