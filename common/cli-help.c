/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "cli-help.h"

#define WIDTH 80
#define LEFT_MAX 30 /* longer ones have their help on the next line */

void
cli_number(char buf[CLI_NUMBER], enum cli_type type, int64_t n)
{
	static const struct {
		enum cli_type type;
		int64_t size;
		const char *name;
	} units[] = {{CLI_DURATION, 86400000, "d"},
	    {CLI_DURATION, 3600000, "h"}, {CLI_DURATION, 60000, "m"},
	    {CLI_DURATION, 1000, "s"}, {CLI_DURATION, 1, "ms"},
	    {CLI_SIZE, 1 << 30, "g"}, {CLI_SIZE, 1 << 20, "m"},
	    {CLI_SIZE, 1 << 10, "k"}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].type == type && n != 0 && n % units[i].size == 0) {
			snprintf(buf, CLI_NUMBER, "%" PRId64 "%s",
			    n / units[i].size, units[i].name);
			return;
		}
	snprintf(buf, CLI_NUMBER, "%" PRId64, n);
}

/* "-q, --queue URL"; returns its width. */
static int
left(char *buf, size_t size, const struct cli_option *o)
{
	char letter[] = {'-', o->letter, ',', ' ', '\0'};

	return snprintf(buf, size, "%s--%s%s%s", o->letter ? letter : "    ",
	    o->name, o->arg != NULL ? " " : "", o->arg != NULL ? o->arg : "");
}

/* The help text and, in brackets, where else the value comes from. */
static void
right(char *buf, size_t size, const struct cli_option *o, const void *values)
{
	const char *at = (const char *)values + o->offset, *text = "";
	enum cli_type form = cli_form(o);
	char number[CLI_NUMBER] = "";
	int64_t value = 0;

	if (form == CLI_STRING && *(const char *const *)(const void *)at)
		text = *(const char *const *)(const void *)at;
	if (form >= CLI_INT)
		value = *(const int64_t *)(const void *)at;
	/* what could not be given stands for nothing */
	if (value != 0 && value >= o->min) {
		cli_number(number, form, value);
		text = number;
	}
	snprintf(buf, size, "%s%s%s%s%s%s%s", o->help,
	    *text || o->env ? " (" : "", *text ? "default " : "", text,
	    *text && o->env ? ", " : "", o->env ? "or " : "",
	    o->env ? o->env : "");
	if (*text || o->env)
		strlcat(buf, ")", size);
}

/* Prints text at a column, broken between words where it is too wide. */
static void
print_wrapped(FILE *out, const char *text, int column)
{
	int room = WIDTH - 1 - column;

	while ((int)strlen(text) > room) {
		int cut = room;

		while (cut > 0 && text[cut] != ' ')
			cut--;
		if (cut == 0)
			break;
		fprintf(out, "%.*s\n%*s", cut, text, column, "");
		text += cut + 1;
	}
	fprintf(out, "%s\n", text);
}

static void
print_option(
    FILE *out, const struct cli_option *o, const void *values, int column)
{
	char name[128], text[512];
	int width = left(name, sizeof(name), o);

	right(text, sizeof(text), o, values);
	fprintf(out, "  %s", name);
	if (width + 4 > column)
		fprintf(out, "\n%*s", column, "");
	else
		fprintf(out, "%*s", column - width - 2, "");
	print_wrapped(out, text, column);
}

void
cli_help(const struct cli *cli, const void *values, FILE *out)
{
	static const struct cli_option common[] = {
	    {.letter = 'h', .name = "help", .help = "print this and exit"},
	    {.name = "version", .help = "print the version and exit"},
	    {.name = "completion",
		.arg = "SHELL",
		.help = "print the completion script for bash, zsh or fish"}};
	int column = 0;

	for (size_t i = 0; i < cli->count; i++) {
		char name[128];
		int width = left(name, sizeof(name), &cli->options[i]) + 4;

		if (width > column && width <= LEFT_MAX)
			column = width;
	}
	if (column < 26)
		column = 26; /* "    --completion SHELL" */
	fprintf(out, "usage: %s [option ...]%s%s\n\n%s\n\n", cli->name,
	    cli->operands != NULL ? " " : "",
	    cli->operands != NULL ? cli->operands : "", cli->summary);
	for (size_t i = 0; i < cli->count; i++)
		print_option(out, &cli->options[i], values, column);
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		print_option(out, &common[i], values, column);
}
