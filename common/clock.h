/* SPDX-License-Identifier: ISC */
#ifndef WHK_CLOCK_H
#define WHK_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Size of the buffer that clock_format() fills: "2026-11-23T22:54:23.226Z". */
#define CLOCK_TEXT 32

/*
 * Milliseconds of a clock that never steps and goes on during a suspend
 * (CLOCK_BOOTTIME). Only differences mean anything.
 */
int64_t clock_steady_ms(void);

/* The same clock in microseconds. */
int64_t clock_steady_us(void);

/* Milliseconds since 1970 by this machine's clock, right or wrong. */
int64_t clock_wall_ms(void);

/*
 * Writes ms since 1970 as RFC 3339 in UTC with milliseconds and Z. For years
 * 0 to 9999; others are clamped.
 */
void clock_format(int64_t ms, char buf[CLOCK_TEXT]);

/*
 * Parses an RFC 3339 time ("2026-11-23T22:54:23.226Z", an offset in place of
 * Z, any number of decimals, cut to milliseconds) to ms since 1970. Returns
 * 0, or -1 if s of len bytes is not one as a whole.
 */
int clock_parse(const char *s, size_t len, int64_t *ms);

#endif
