/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "text.h"

static void __attribute__((format(printf, 3, 0)))
set(struct err *e, bool temporary, const char *fmt, va_list ap)
{
	char raw[sizeof(e->msg)];

	if (e == NULL)
		return;
	vsnprintf(raw, sizeof(raw), fmt, ap);
	text_visible(e->msg, sizeof(e->msg), raw, strlen(raw));
	e->temporary = temporary;
}

int
err_set(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(e, false, fmt, ap);
	va_end(ap);
	return -1;
}

int
err_temporary(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(e, true, fmt, ap);
	va_end(ap);
	return -1;
}

int
err_status(const struct err *e)
{
	return e->temporary ? 75 : 1;
}
