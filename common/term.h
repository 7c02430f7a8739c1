/* SPDX-License-Identifier: ISC */
#ifndef WHK_TERM_H
#define WHK_TERM_H

#include <stdbool.h>

#include "err.h"

/* What is known of a terminal. */

/*
 * The columns of the terminal that fd is: what it says, else COLUMNS, else 80;
 * 0 where fd is no terminal.
 */
int term_columns(int fd);

/*
 * Whether colours are wanted on fd. when is "always", "never" or "auto": on a
 * terminal that has some (TERM is set and not "dumb"), unless NO_COLOR is set
 * and not empty. 0, or -1 with *e if when is none of these.
 */
int term_colors(const char *when, int fd, bool *wanted, struct err *e);

#endif
