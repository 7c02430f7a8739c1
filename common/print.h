/* SPDX-License-Identifier: ISC */
#ifndef WHK_PRINT_H
#define WHK_PRINT_H

#include "err.h"

/* What programs that print and end do with stdout. */

/*
 * Writes out what stdio still holds of stdout and says whether all that was
 * printed went out: 0, or -1 with *e.
 */
int print_end(struct err *e);

#endif
