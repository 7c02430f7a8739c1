/* SPDX-License-Identifier: ISC */
#ifndef WHK_WEBHOOK_PRIVATE_H
#define WHK_WEBHOOK_PRIVATE_H

#include <jansson.h>

#include "err.h"

/*
 * What the files of the webhook module share:
 *
 *	webhook.c	a definition as a whole
 *	webhook-line.c	one as JSON text
 *	webhook-value.c	the value of each key
 *	webhook-http.c	those that have to do with HTTP: URL, headers
 *
 * Each check takes a value that is not null and returns 0, or -1 with *e.
 */
int webhook_check_url(const json_t *value, struct err *e);
int webhook_check_headers(const json_t *value, struct err *e);
int webhook_check_content_type(const json_t *value, struct err *e);

int webhook_check_events(const json_t *value, struct err *e);
int webhook_check_tenant(const json_t *value, struct err *e);
int webhook_check_filter(const json_t *value, struct err *e);
int webhook_check_description(const json_t *value, struct err *e);
int webhook_check_timeout(const json_t *value, struct err *e);
int webhook_check_schedule(const json_t *value, struct err *e);
int webhook_check_rate(const json_t *value, struct err *e);
int webhook_check_max(const json_t *value, struct err *e);
int webhook_check_ordered(const json_t *value, struct err *e);

/*
 * A string of 1 to max bytes without control characters; NULL with *e, which
 * begins with the key's name.
 */
const char *
webhook_text(const char *key, const json_t *value, size_t max, struct err *e);

#endif
