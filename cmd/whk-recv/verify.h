/* SPDX-License-Identifier: ISC */
#ifndef WHK_RECV_VERIFY_H
#define WHK_RECV_VERIFY_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct httpd_request;

/* Secrets, any of which may have signed a request. Begins zeroed. */
struct verifier {
	struct sign_key **keys;
	size_t count;
	int64_t tolerance_ms; /* of the timestamp; 0: any age will do */
};

/*
 * Adds the secrets of a file ("-": stdin), one on a line; empty lines and
 * those that begin with # are passed over. 0, or -1 with *e.
 */
int verifier_load(struct verifier *v, const char *path, struct err *e);
void verifier_free(struct verifier *v);

/*
 * NULL if a request is signed as Standard Webhooks asks, by one of the
 * secrets, at about now_ms (since 1970); else a few words that say why not.
 */
const char *verifier_check(
    const struct verifier *v, const struct httpd_request *r, int64_t now_ms);

#endif
