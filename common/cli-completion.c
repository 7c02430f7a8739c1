/* SPDX-License-Identifier: ISC */
#include <stdbool.h>
#include <string.h>

#include "cli-help.h"

static const struct cli_option extra[] = {
    {.letter = 'h', .name = "help", .help = "print help and exit"},
    {.name = "version", .help = "print the version and exit"},
    {.name = "completion",
	.arg = "SHELL",
	.type = CLI_STRING,
	.help = "print a completion script"}};

#define EXTRA (sizeof(extra) / sizeof(extra[0]))

/* The options of the table and then the common ones; NULL at the end. */
static const struct cli_option *
option_at(const struct cli *cli, size_t i)
{
	if (i < cli->count)
		return &cli->options[i];
	return i < cli->count + EXTRA ? &extra[i - cli->count] : NULL;
}

static bool
is_file(const char *what)
{
	return what != NULL && strstr(what, "FILE") != NULL;
}

/* Prints text with a backslash before whatever is in set. */
static void
print_escaped(FILE *out, const char *text, const char *set)
{
	for (; *text != '\0'; text++)
		if (*text == '\'')
			fputs("'\\''", out);
		else
			fprintf(out, strchr(set, *text) ? "\\%c" : "%c", *text);
}

/* "whk-poll" as a shell function's name. */
static void
print_function(FILE *out, const char *name)
{
	fputc('_', out);
	for (; *name != '\0'; name++)
		fputc(*name == '-' ? '_' : *name, out);
}

static void
print_patterns(const struct cli *cli, FILE *out, bool file)
{
	const struct cli_option *o;
	const char *bar = "";

	for (size_t i = 0; (o = option_at(cli, i)) != NULL; i++) {
		if (o->type == CLI_FLAG || is_file(o->arg) != file)
			continue;
		fprintf(out, "%s--%s", bar, o->name);
		if (o->letter != 0)
			fprintf(out, "|-%c", o->letter);
		bar = "|";
	}
	/* A pattern that no word before an argument is. */
	if (*bar == '\0')
		fputs("''", out);
}

static void
bash(const struct cli *cli, FILE *out)
{
	const struct cli_option *o;

	print_function(out, cli->name);
	fputs("() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]}\n"
	      "\tCOMPREPLY=()\n"
	      "\tcase ${COMP_WORDS[COMP_CWORD-1]} in\n\t",
	    out);
	print_patterns(cli, out, true);
	fputs(
	    ") return ;;\n\t--completion) COMPREPLY=($(compgen -W "
	    "'bash zsh fish' -- \"$cur\")); compopt +o default; return ;;\n\t",
	    out);
	print_patterns(cli, out, false);
	fputs(") compopt +o default; return ;;\n\tesac\n"
	      "\t[[ $cur == -* ]] || return\n"
	      "\tCOMPREPLY=($(compgen -W '",
	    out);
	for (size_t i = 0; (o = option_at(cli, i)) != NULL; i++) {
		if (o->letter != 0)
			fprintf(out, "-%c ", o->letter);
		fprintf(
		    out, "--%s%s", o->name, option_at(cli, i + 1) ? " " : "");
	}
	fputs("' -- \"$cur\"))\n}\ncomplete -o default -F ", out);
	print_function(out, cli->name);
	fprintf(out, " %s\n", cli->name);
}

/* '(-q --queue)'{-q,--queue}'[help]:URL:' */
static void
zsh_option(const struct cli_option *o, FILE *out)
{
	const char *star = o->type == CLI_LIST ? "*" : "";

	if (o->letter == 0)
		fprintf(out, " \\\n\t'%s--%s", star, o->name);
	else if (*star != '\0')
		fprintf(out, " \\\n\t'*'{-%c,--%s}'", o->letter, o->name);
	else
		fprintf(out, " \\\n\t'(-%c --%s)'{-%c,--%s}'", o->letter,
		    o->name, o->letter, o->name);
	fputc('[', out);
	print_escaped(out, o->help, "[]\\");
	fputc(']', out);
	if (o->type != CLI_FLAG) {
		fputc(':', out);
		print_escaped(out, o->arg != NULL ? o->arg : "value", ":\\");
		fputs(strcmp(o->name, "completion") == 0 ? ":(bash zsh fish)"
			: is_file(o->arg)                ? ":_files"
							 : ": ",
		    out);
	}
	fputc('\'', out);
}

static void
zsh(const struct cli *cli, FILE *out)
{
	const struct cli_option *o;

	fprintf(out, "#compdef %s\n_arguments -s -S", cli->name);
	for (size_t i = 0; (o = option_at(cli, i)) != NULL; i++)
		zsh_option(o, out);
	if (cli->operands != NULL) {
		fputs(" \\\n\t'*:", out);
		print_escaped(out, cli->operands, ":\\");
		fputs(is_file(cli->operands) ? ":_files'" : ": '", out);
	}
	fputc('\n', out);
}

static void
fish(const struct cli *cli, FILE *out)
{
	const struct cli_option *o;

	if (!is_file(cli->operands))
		fprintf(out, "complete -c %s -f\n", cli->name);
	for (size_t i = 0; (o = option_at(cli, i)) != NULL; i++) {
		fprintf(out, "complete -c %s", cli->name);
		if (o->letter != 0)
			fprintf(out, " -s %c", o->letter);
		fprintf(out, " -l %s", o->name);
		if (strcmp(o->name, "completion") == 0)
			fputs(" -x -a 'bash zsh fish'", out);
		else if (o->type != CLI_FLAG)
			fputs(is_file(o->arg) ? " -r -F" : " -x", out);
		fputs(" -d '", out);
		print_escaped(out, o->help, "");
		fputs("'\n", out);
	}
}

int
cli_completion(const struct cli *cli, const char *shell, FILE *out)
{
	if (strcmp(shell, "bash") == 0)
		bash(cli, out);
	else if (strcmp(shell, "zsh") == 0)
		zsh(cli, out);
	else if (strcmp(shell, "fish") == 0)
		fish(cli, out);
	else
		return -1;
	return 0;
}
