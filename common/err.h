/* SPDX-License-Identifier: ISC */
#ifndef WHK_ERR_H
#define WHK_ERR_H

#include <stdbool.h>

/*
 * What went wrong, for the caller to print. Functions in common/ return 0, or
 * -1 with a struct err filled; they never print and never exit.
 */
struct err {
	char msg[512];  /* one line, made visible, no trailing dot or LF */
	bool temporary; /* trying again later may help: exit status 75 */
};

/*
 * Sets e->msg from a printf format and e->temporary to false. Bytes that a
 * terminal would act on are encoded as vis(3) does, so remote text is safe
 * as an argument; UTF-8 stays as it is. A message that is too long is cut.
 * Returns -1, so that a function can end with "return err_set(...)".
 * e may be NULL.
 */
int err_set(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* As err_set(), with e->temporary set to true. */
int err_temporary(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The exit status for an error: 75 if it is temporary, else 1. */
int err_status(const struct err *e);

#endif
