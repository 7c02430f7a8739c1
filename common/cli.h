/* SPDX-License-Identifier: ISC */
#ifndef WHK_CLI_H
#define WHK_CLI_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * One table describes a program's command line; parsing, -h, --version and
 * shell completion are all made from it.
 *
 * Every program also has -h/--help, --version and --completion SHELL (bash,
 * zsh or fish: prints the completion script), which no table lists. The
 * scripts ask "whk-list --complete" for what is in the database.
 */
enum cli_type {
	CLI_FLAG,     /* bool: set to true */
	CLI_STRING,   /* const char *: points into argv or the environment */
	CLI_LIST,     /* struct cli_list: may be given many times */
	CLI_INT,      /* int64_t, from min to max */
	CLI_DURATION, /* int64_t, milliseconds (text_duration), min to max */
	CLI_SIZE,     /* int64_t, bytes (text_size), min to max */

	/* With |: what it is, for shells to complete it from the database. */
	CLI_WEBHOOK = 1 << 4, /* a webhook's id */
	CLI_TYPE = 2 << 4,    /* an event's type */
	CLI_PATTERN = 3 << 4, /* an event's type or a pattern of types */
	CLI_EVENT = 4 << 4,   /* an event's id */
};

struct cli_option {
	char letter;      /* short option, or 0 */
	const char *name; /* long option, without the dashes */
	const char *arg;  /* what stands for the argument in -h, or NULL */
	enum cli_type type;
	size_t offset;    /* of the value in the struct of options */
	const char *help; /* a few words, lower case, no dot */
	const char *env;  /* variable that gives a default, or NULL */
	int64_t min, max; /* bounds, for the three number types */
};

struct cli {
	const char *name;     /* "whk-poll" */
	const char *operands; /* "URL", "[FILE]", or NULL: takes none */
	const char *summary;  /* one line: its one job */
	const struct cli_option *options;
	size_t count;
	int min_operands, max_operands; /* max -1: any number */
	enum cli_type operand;          /* CLI_WEBHOOK and so on, or 0 */
};

/* The values of a CLI_LIST, in order; items point into argv. */
struct cli_list {
	const char **items;
	size_t count;
};

/*
 * Reads argv into *values (a struct that the caller has filled with its
 * defaults): options, which may stand between operands and end at "--", and
 * for those that were not given the environment, where an empty variable is
 * none and a CLI_LIST takes its variable as one item. A "-" is an operand.
 * Long options may be cut short. Help, version and completion go to out,
 * complaints to err, with foreign bytes made visible.
 * Returns -1 when the program shall go on, with the operands moved to
 * argv[*first] and after; otherwise the status to exit with: 0 after help,
 * 2 after a complaint, 1 if out could not be written; then the lists in
 * *values are freed already.
 */
int cli_parse(const struct cli *cli, int argc, char **argv, void *values,
    int *first, FILE *out, FILE *err);

/* Frees what the lists in *values hold, and empties them. */
void cli_free(const struct cli *cli, void *values);

#endif
