/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "cli-help.h"
#include "text.h"

/*
 * What getopt_long() returns for the common options; for a long one of the
 * table, LONG and its index.
 */
enum { HELP = 500, VERSION, COMPLETION, LONG };

/* One reading of a command line. */
struct reading {
	const struct cli *cli;
	char **argv;
	int argc;
	char *values;
	bool *seen;           /* which options were given */
	struct option *longs; /* for getopt_long(), with the common ones */
	char *shorts;
	FILE *out, *err;
};

static int
complain(const struct reading *r)
{
	fprintf(r->err, "try '%s -h'\n", r->cli->name);
	return 2;
}

/* Complains of a value; what and tail are around it, the value is foreign. */
static int
refuse(const struct reading *r, const char *what, const char *value,
    const char *tail)
{
	char shown[128];

	text_visible(shown, sizeof(shown), value, strlen(value));
	fprintf(r->err, "%s: %s'%s'%s\n", r->cli->name, what, shown, tail);
	return complain(r);
}

static bool
takes_value(const struct cli_option *o)
{
	return o->type != CLI_FLAG;
}

/* "--lease" or, for a default from the environment, "WHK_LEASE". */
static void
source(char *buf, size_t size, const struct cli_option *o, bool env)
{
	snprintf(buf, size, "%s%s: ", env ? "" : "--", env ? o->env : o->name);
}

static int
set_list(struct reading *r, struct cli_list *list, const char *value)
{
	const char **items;

	items = reallocarray(list->items, list->count + 1, sizeof(*items));
	if (items == NULL) {
		fprintf(r->err, "%s: out of memory\n", r->cli->name);
		return 1;
	}
	items[list->count++] = value;
	list->items = items;
	return -1;
}

static int
set_number(struct reading *r, const struct cli_option *o, const char *value,
    bool env, int64_t *n)
{
	static const char *const forms[] = {[CLI_INT] = " is not a number",
	    [CLI_DURATION] = " is not a duration, such as 250ms, 5s, 2m, 3h",
	    [CLI_SIZE] = " is not a size, such as 512, 64k, 8m, 1g"};
	char what[80], tail[120], low[CLI_NUMBER], high[CLI_NUMBER], *end;
	enum cli_type form = cli_form(o);
	int bad;

	source(what, sizeof(what), o, env);
	if (form == CLI_INT) {
		*n = strtoimax(value, &end, 10);
		bad = strspn(value, "0123456789-+") == 0 || *end != '\0';
	} else {
		bad = form == CLI_SIZE ? text_size(value, n)
				       : text_duration(value, n);
	}
	if (bad)
		return refuse(r, what, value, forms[form]);
	if (*n >= o->min && *n <= o->max)
		return -1;
	cli_number(low, form, o->min);
	cli_number(high, form, o->max);
	snprintf(tail, sizeof(tail), " is not from %s to %s", low, high);
	return refuse(r, what, value, tail);
}

/* Stores an option's value. Returns -1, or the status to exit with. */
static int
set(struct reading *r, const struct cli_option *o, const char *value, bool env)
{
	void *at = r->values + o->offset;
	int64_t n;
	int status = -1;

	switch ((int)cli_form(o)) {
	case CLI_FLAG:
		*(bool *)at = true;
		break;
	case CLI_STRING:
		*(const char **)at = value;
		break;
	case CLI_LIST:
		status = set_list(r, at, value);
		break;
	case CLI_INT:
	case CLI_DURATION:
	case CLI_SIZE:
		status = set_number(r, o, value, env, &n);
		if (status == -1)
			*(int64_t *)at = n;
		break;
	}
	return status;
}

/* Makes getopt_long()'s two tables. */
static int
prepare(struct reading *r)
{
	static const struct option common[] = {
	    {"help", no_argument, NULL, HELP},
	    {"version", no_argument, NULL, VERSION},
	    {"completion", required_argument, NULL, COMPLETION}, {0}};
	size_t count = r->cli->count;
	char *at;

	r->longs = calloc(
	    count + sizeof(common) / sizeof(common[0]), sizeof(*r->longs));
	r->shorts = at = malloc(2 * count + 3);
	r->seen = calloc(count + 1, sizeof(*r->seen));
	if (r->longs == NULL || at == NULL || r->seen == NULL)
		return -1;
	*at++ = ':';
	*at++ = 'h';
	for (size_t i = 0; i < count; i++) {
		const struct cli_option *o = &r->cli->options[i];

		r->longs[i] = (struct option){.name = o->name,
		    .has_arg = takes_value(o) ? required_argument : no_argument,
		    .val = LONG + (int)i};
		if (o->letter != 0)
			*at++ = o->letter;
		if (o->letter != 0 && takes_value(o))
			*at++ = ':';
	}
	*at = '\0';
	memcpy(r->longs + count, common, sizeof(common));
	return 0;
}

/* The table's entry for what getopt_long() returned; NULL: there is none. */
static const struct cli_option *
find(const struct cli *cli, int c)
{
	if (c >= LONG)
		return &cli->options[c - LONG];
	for (size_t i = 0; i < cli->count; i++)
		if (cli->options[i].letter != 0 && cli->options[i].letter == c)
			return &cli->options[i];
	return NULL;
}

/* Complains of an option: c is what getopt_long() returned. */
static int
refuse_option(const struct reading *r, int c)
{
	const char *given = r->argv[optind - 1];
	const char letter[] = {(char)optopt, '\0'};
	bool is_long = optopt == 0 || optopt >= HELP;

	if (c == ':' && is_long)
		return refuse(r, "option needs an argument ", given, "");
	if (c == ':')
		return refuse(r, "option needs an argument -- ", letter, "");
	if (!is_long)
		return refuse(r, "unknown option -- ", letter, "");
	if (optopt != 0)
		return refuse(r, "option takes no argument ", given, "");
	return refuse(r, "unknown option ", given, "");
}

/* Prints what was asked for in place of running; the status to exit with. */
static int
inform(const struct reading *r, int c)
{
	if (c == HELP || c == 'h')
		cli_help(r->cli, r->values, r->out);
	else if (c == VERSION)
		fprintf(r->out, "%s %s\n", r->cli->name, WHK_VERSION);
	else if (cli_completion(r->cli, optarg, r->out) == -1)
		return refuse(
		    r, "--completion: ", optarg, " is none of bash, zsh, fish");
	if (fflush(r->out) == 0 && !ferror(r->out))
		return 0;
	fprintf(r->err, "%s: stdout: %s\n", r->cli->name, strerror(errno));
	return 1;
}

/*
 * Goes over the options, and only with store sets values: help shows the
 * defaults, whatever stands before it.
 */
static int
scan(struct reading *r, bool store)
{
	int c, status = -1;

	opterr = 0;
	optind = 0; /* glibc: start anew */
	while (status == -1 &&
	    (c = getopt_long(r->argc, r->argv, r->shorts, r->longs, NULL)) !=
		-1) {
		const struct cli_option *o = find(r->cli, c);

		if (c == ':' || c == '?')
			status = refuse_option(r, c);
		else if (o == NULL)
			status = inform(r, c);
		else if (store) {
			r->seen[o - r->cli->options] = true;
			status = set(r, o, optarg, false);
		}
	}
	return status;
}

/* Takes from the environment what no option said. */
static int
read_environment(struct reading *r)
{
	int status = -1;

	for (size_t i = 0; status == -1 && i < r->cli->count; i++) {
		const struct cli_option *o = &r->cli->options[i];
		const char *value = o->env != NULL ? getenv(o->env) : NULL;

		if (!r->seen[i] && value != NULL && *value != '\0')
			status = set(r, o, value, true);
	}
	return status;
}

static int
check_operands(const struct reading *r)
{
	int count = r->argc - optind;
	const char *extra;

	if (count < r->cli->min_operands) {
		fprintf(r->err, "%s: operand missing: %s\n", r->cli->name,
		    r->cli->operands);
		return complain(r);
	}
	if (r->cli->max_operands == -1 || count <= r->cli->max_operands)
		return -1;
	extra = r->argv[optind + r->cli->max_operands];
	return refuse(r, "unexpected operand ", extra, "");
}

int
cli_parse(const struct cli *cli, int argc, char **argv, void *values,
    int *first, FILE *out, FILE *err)
{
	struct reading r = {.cli = cli,
	    .argv = argv,
	    .argc = argc,
	    .values = values,
	    .out = out,
	    .err = err};
	int status = 1;

	if (prepare(&r) == -1) {
		fprintf(err, "%s: out of memory\n", cli->name);
		goto out;
	}
	status = scan(&r, false);
	if (status == -1)
		status = scan(&r, true);
	if (status == -1)
		status = read_environment(&r);
	if (status == -1)
		status = check_operands(&r);
	*first = optind;
out:
	if (status != -1)
		cli_free(cli, values);
	free(r.longs);
	free(r.shorts);
	free(r.seen);
	return status;
}

void
cli_free(const struct cli *cli, void *values)
{
	for (size_t i = 0; i < cli->count; i++) {
		struct cli_list *list;

		if (cli_form(&cli->options[i]) != CLI_LIST)
			continue;
		list = (void *)((char *)values + cli->options[i].offset);
		free(list->items);
		*list = (struct cli_list){0};
	}
}
