/* SPDX-License-Identifier: ISC */
#ifndef WHK_NOTIFY_H
#define WHK_NOTIFY_H

#include "err.h"

/*
 * Tells whoever started this program that it is ready to be asked, where that
 * wants to know: a datagram to the Unix socket that NOTIFY_SOCKET names, a
 * path or, with '@' for its first byte, an abstract name (sd_notify(3)). The
 * variable is unset, so that no other program inherits it. Returns 0, also
 * where nobody wants to know, or -1 with *e.
 */
int notify_ready(struct err *e);

#endif
