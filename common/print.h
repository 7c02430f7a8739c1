/* SPDX-License-Identifier: ISC */
#ifndef WHK_PRINT_H
#define WHK_PRINT_H

#include <stddef.h>

#include "err.h"

/* What programs that print and end do with stdout. */

/* Prints len bytes. 0, or -1 with *e. */
int print_bytes(const char *data, size_t len, struct err *e);

/*
 * Writes out what stdio still holds of stdout and says whether all that was
 * printed went out: 0, or -1 with *e.
 */
int print_end(struct err *e);

#endif
