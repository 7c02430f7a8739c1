/* SPDX-License-Identifier: ISC */
#ifndef WHK_WHEN_H
#define WHK_WHEN_H

#include <stdint.h>

/* Times as people give them in options and read them on a terminal. */

/*
 * Parses one of
 *	2026-11-23T22:54:23.226Z	RFC 3339, with its offset
 *	2026-11-23 10:00		local time, a "T" in place of the space,
 *	2026-11-23 10:00:30		seconds or not
 *	2026-11-23			its midnight, local time
 *	today, yesterday		their midnights, local time
 *	now
 *	2h, 3d, 90s			so long before now (text_duration(),
 *					with its unit)
 * to ms since 1970; now_ms is what time it is. Returns 0, or -1 if s is none.
 */
int when_parse(const char *s, int64_t now_ms, int64_t *ms);

/* Size of the buffers below. */
#define WHEN_TEXT 32

/* "2026-11-23 22:54:23" in local time. */
void when_format(int64_t ms, char buf[WHEN_TEXT]);

/*
 * In 14 columns: "11-23 22:54:23" in local time or, where that is more than
 * half a year from now_ms, "2026-11-23".
 */
void when_brief(int64_t ms, int64_t now_ms, char buf[WHEN_TEXT]);

/* "12 ms", "3.2 s", "5 min", "2 h", "4 days": about so long. */
void when_span(int64_t ms, char buf[WHEN_TEXT]);

#endif
