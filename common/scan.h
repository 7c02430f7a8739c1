/* SPDX-License-Identifier: ISC */
#ifndef WHK_SCAN_H
#define WHK_SCAN_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Eight bytes at a time, for json.c and buf.c: most of a JSON string is plain,
 * and lines are read and written tens of thousands of times a second.
 */

#define SCAN_ONES 0x0101010101010101U
#define SCAN_HIGH 0x8080808080808080U

/* The eight bytes at s, the first one lowest. */
static inline uint64_t
scan_load(const char *s)
{
	uint64_t word;

	memcpy(&word, s, 8);
	return le64toh(word);
}

/*
 * Marks what a JSON string must escape: control characters, quotes and
 * backslashes. Each has its high bit set; the lowest mark is right, those
 * above it may not be.
 */
static inline uint64_t
scan_special(uint64_t word)
{
	uint64_t quote = word ^ (SCAN_ONES * '"');
	uint64_t backslash = word ^ (SCAN_ONES * '\\');

	return (((word - SCAN_ONES * 0x20) & ~word) |
		   ((quote - SCAN_ONES) & ~quote) |
		   ((backslash - SCAN_ONES) & ~backslash)) &
	    SCAN_HIGH;
}

/* How many bytes are before the lowest mark, of which there is one. */
static inline size_t
scan_before(uint64_t marks)
{
	return (size_t)__builtin_ctzll(marks) / 8;
}

#endif
