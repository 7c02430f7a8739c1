/* SPDX-License-Identifier: ISC */
#ifndef WHK_CLI_HELP_H
#define WHK_CLI_HELP_H

#include <stdint.h>
#include <stdio.h>

#include "cli.h"

/* What cli.c alone uses: the texts made from a table. */

#define CLI_NUMBER 32

/* How a value is read, without what it is; and what it is, or 0. */
static inline enum cli_type
cli_form(const struct cli_option *o)
{
	return (enum cli_type)(o->type & 15u);
}

static inline enum cli_type
cli_thing(enum cli_type type)
{
	return (enum cli_type)(type & ~15u);
}

/* Writes a number as its option takes it: "300", "5m", "64k". */
void cli_number(char buf[CLI_NUMBER], enum cli_type type, int64_t n);

/*
 * Prints usage, summary and the options with their defaults, which are what
 * *values holds. The caller looks at ferror(out).
 */
void cli_help(const struct cli *cli, const void *values, FILE *out);

/* Prints the completion script; -1 for a shell that is not known. */
int cli_completion(const struct cli *cli, const char *shell, FILE *out);

#endif
