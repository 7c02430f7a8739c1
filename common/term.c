/* SPDX-License-Identifier: ISC */
#include <sys/ioctl.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "term.h"

int
term_columns(int fd)
{
	const char *said = getenv("COLUMNS");
	struct winsize size;
	long n;

	if (!isatty(fd))
		return 0;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	n = said == NULL ? 0 : strtol(said, NULL, 10);
	return n > 0 && n < 10000 ? (int)n : 80;
}

/* Whether a variable is there and says something. */
static bool
is_set(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0';
}

int
term_colors(const char *when, int fd, bool *wanted, struct err *e)
{
	const char *term = getenv("TERM");

	if (strcmp(when, "always") == 0)
		*wanted = true;
	else if (strcmp(when, "never") == 0)
		*wanted = false;
	else if (strcmp(when, "auto") == 0)
		*wanted = isatty(fd) && !is_set("NO_COLOR") && term != NULL &&
		    term[0] != '\0' && strcmp(term, "dumb") != 0;
	else
		return err_set(
		    e, "--color: '%.50s' is none of always, never, auto", when);
	return 0;
}
