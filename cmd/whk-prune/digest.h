/* SPDX-License-Identifier: ISC */
#ifndef WHK_PRUNE_DIGEST_H
#define WHK_PRUNE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What lines there are, in whatever order: their number, and the sums of their
 * SHA-256. The head of a line is what comes before the body of an event, whose
 * body may have gone meanwhile; the whole of any other line.
 */
struct digest {
	int64_t count;
	uint64_t whole[4], head[4];
};

/* Adds a line without its LF. 0, or -1 if libcrypto fails. */
int digest_add(struct digest *d, const char *line, size_t len);

bool digest_same(const struct digest *a, const struct digest *b);
bool digest_same_heads(const struct digest *a, const struct digest *b);

#endif
