/* SPDX-License-Identifier: ISC */
#ifndef WHK_WEBHOOK_CLI_H
#define WHK_WEBHOOK_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "cli.h"
#include "err.h"
#include "sign.h"
#include "webhook.h"

/* Webhooks on a command line: what whk-add, whk-set and others share. */

/* The options that define a webhook, as they were given. */
struct webhook_options {
	const char *url; /* not in the table: an operand, or an option */
	struct cli_list events, headers;
	const char *tenant, *filter, *content_type, *timeout, *description;
	const char *schedule, *rate, *max;
	bool ordered;
};

/* Their entries in a table; s is the struct of options, m its member. */
#define WEBHOOK_OPTION(letter, name, arg, type, at, help)                      \
	{                                                                      \
		letter, name, arg, type, at, help, NULL, 0, 0                  \
	}
#define WEBHOOK_OPTIONS(s, m)                                                  \
	WEBHOOK_OPTION('e', "event", "PATTERN", CLI_LIST | CLI_PATTERN,        \
	    offsetof(s, m.events), "events it gets: order.paid, order.*, *"),  \
	    WEBHOOK_OPTION('T', "tenant", "TENANT", CLI_STRING,                \
		offsetof(s, m.tenant), "only events of that tenant"),          \
	    WEBHOOK_OPTION('f', "filter", "PATH", CLI_STRING,                  \
		offsetof(s, m.filter),                                         \
		"only bodies for which this SQL/JSON path is true"),           \
	    WEBHOOK_OPTION('H', "header", "LINE", CLI_LIST,                    \
		offsetof(s, m.headers),                                        \
		"send this header too: 'Name: value'"),                        \
	    WEBHOOK_OPTION('c', "content-type", "TYPE", CLI_STRING,            \
		offsetof(s, m.content_type),                                   \
		"send it as that, not the event's"),                           \
	    WEBHOOK_OPTION('t', "timeout", "TIME", CLI_STRING,                 \
		offsetof(s, m.timeout), "for an attempt as a whole (15s)"),    \
	    WEBHOOK_OPTION(0, "schedule", "TIMES", CLI_STRING,                 \
		offsetof(s, m.schedule),                                       \
		"wait so before each retry: 5s,5m,1h; or once"),               \
	    WEBHOOK_OPTION(0, "rate", "RATE", CLI_STRING, offsetof(s, m.rate), \
		"attempts at the most: 50/s, 100/m, 1000/h"),                  \
	    WEBHOOK_OPTION('m', "max", "N", CLI_STRING, offsetof(s, m.max),    \
		"attempts in flight at the most (32)"),                        \
	    WEBHOOK_OPTION(0, "ordered", NULL, CLI_FLAG,                       \
		offsetof(s, m.ordered),                                        \
		"keep the order of events that share a key"),                  \
	    WEBHOOK_OPTION('d', "description", "TEXT", CLI_STRING,             \
		offsetof(s, m.description), "a word for people")

/*
 * What the options say as a definition, for webhook_check() to judge. To set,
 * an empty value means null. NULL with *e that names the option.
 */
json_t *webhook_options_json(
    const struct webhook_options *o, enum webhook_use use, struct err *e);

/*
 * Reads a secret from a file ("-" is stdin): one line. 0, or -1 with *e. The
 * caller wipes it.
 */
int webhook_read_secret(
    const char *file, char secret[SIGN_SECRET_MAX], struct err *e);

#endif
