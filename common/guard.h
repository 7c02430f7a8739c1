/* SPDX-License-Identifier: ISC */
#ifndef WHK_GUARD_H
#define WHK_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

struct sockaddr;

/*
 * Judges addresses: which may be dialled. Global unicast addresses may (IANA's
 * special-purpose registries, RFC 6890, say what is not), and whatever the
 * list of allowed networks names.
 */
struct guard {
	struct guard_net *nets;
	size_t count;
};

/*
 * Parses a list of networks: "10.0.0.0/8, 127.0.0.1 ::1" (comma or space
 * between; without a prefix length, the one address). NULL or "" allows
 * nothing more than the public ones. Bits set beyond the prefix are an error.
 * Returns 0, or -1 with *e that names the bad part. guard_free() undoes it.
 */
int guard_init(struct guard *g, const char *list, struct err *e);

/*
 * Whether sa (AF_INET or AF_INET6; other families: no) may be dialled. An
 * IPv4 address inside an IPv6 one (mapped, NAT64 64:ff9b::/96, 6to4) is
 * judged as that IPv4 address too.
 */
bool guard_allows(const struct guard *g, const struct sockaddr *sa);

void guard_free(struct guard *g);

#endif
