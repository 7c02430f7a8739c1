/* SPDX-License-Identifier: ISC */
#ifndef WHK_TEXT_H
#define WHK_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Copies len bytes of src to dst (of size bytes, at least 1) with whatever a
 * terminal could act on encoded: control characters and bytes that are no
 * UTF-8 become \ooo, \n, \t and the like (vis(3), VIS_CSTYLE); a C1 control
 * in UTF-8 too. Cuts at a whole character. Returns the bytes written without
 * the closing NUL.
 */
size_t text_visible(char *dst, size_t size, const char *src, size_t len);

/* Whether the len bytes at s are valid UTF-8 (RFC 3629), NUL allowed. */
bool text_is_utf8(const char *s, size_t len);

/* Whether there is a C0 or C1 control character or a DEL in valid UTF-8. */
bool text_has_control(const char *s);

/* Whether s is an event id: 1 to 128 of [A-Za-z0-9_-] (whk(5)). */
bool text_is_id(const char *s);

/*
 * Parses "250ms", "5s", "2m", "3h", "7d" or a bare number of seconds to
 * milliseconds; fractions as in "1.5s" are taken. Returns 0, or -1 if s is
 * not of that form, negative, or over 10 years.
 */
int text_duration(const char *s, int64_t *ms);

/* Parses "512", "64k", "8m" or "1g" (powers of 1024) to bytes; 0 or -1. */
int text_size(const char *s, int64_t *bytes);

#endif
