/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "progress.h"
#include "when.h"

bool
progress_due(struct progress *p, int64_t now_ms)
{
	if (now_ms - p->begun_ms < 1000 || now_ms - p->shown_ms < 200)
		return false;
	p->shown_ms = now_ms;
	return true;
}

void
progress_text(const struct progress *p, int64_t now_ms, int64_t count,
    const char *what, double part, char text[PROGRESS_TEXT])
{
	int64_t ms = now_ms > p->begun_ms ? now_ms - p->begun_ms : 1;
	char left[WHEN_TEXT];
	int n = 0;

	text[0] = '\0';
	if (what != NULL)
		n = snprintf(text, PROGRESS_TEXT, "%lld %s, %lld/s",
		    (long long)count, what, (long long)(count * 1000 / ms));
	if (part <= 0 || part > 1 || n < 0 || n >= PROGRESS_TEXT)
		return;
	when_span((int64_t)((double)ms * (1 - part) / part), left);
	snprintf(text + n, (size_t)(PROGRESS_TEXT - n), "%s%d %%, %s left",
	    n > 0 ? ", " : "", (int)(part * 100), left);
}
