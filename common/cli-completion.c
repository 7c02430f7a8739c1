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

/* What "whk-list --complete" calls a thing, or NULL. */
static const char *
kind(enum cli_type type)
{
	switch ((int)cli_thing(type)) {
	case CLI_WEBHOOK:
		return "webhook";
	case CLI_TYPE:
		return "type";
	case CLI_PATTERN:
		return "pattern";
	case CLI_EVENT:
		return "event";
	default:
		return NULL;
	}
}

/*
 * The pattern of the options whose arguments are files or not, and a thing or
 * none (0), for case in bash. Returns whether there are any.
 */
static bool
print_patterns(const struct cli *cli, FILE *out, bool file, int thing)
{
	const struct cli_option *o;
	const char *bar = "";

	for (size_t i = 0; (o = option_at(cli, i)) != NULL; i++) {
		if (o->type == CLI_FLAG || is_file(o->arg) != file ||
		    (int)cli_thing(o->type) != thing)
			continue;
		fprintf(out, "%s--%s", *bar != '\0' ? bar : "\t", o->name);
		if (o->letter != 0)
			fprintf(out, "|-%c", o->letter);
		bar = "|";
	}
	return *bar != '\0';
}

/* What each option's argument is; one of the database is left in $of. */
static void
bash_arguments(const struct cli *cli, FILE *out)
{
	static const enum cli_type things[] = {
	    CLI_WEBHOOK, CLI_TYPE, CLI_PATTERN, CLI_EVENT};

	if (print_patterns(cli, out, true, 0))
		fputs(") return ;;\n", out);
	fputs("\t--completion) COMPREPLY=($(compgen -W "
	      "'bash zsh fish' -- \"$cur\")); compopt +o default; return ;;\n",
	    out);
	for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++)
		if (print_patterns(cli, out, false, (int)things[i]))
			fprintf(out, ") of=%s ;;\n", kind(things[i]));
	if (print_patterns(cli, out, false, 0))
		fputs(") compopt +o default; return ;;\n", out);
}

/* A word that is an option, or an operand. */
static void
bash_word(const struct cli *cli, FILE *out)
{
	const struct cli_option *o;
	const char *of = kind(cli->operand);

	fputs("\t*) if [[ $cur == -* ]]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W '",
	    out);
	for (size_t i = 0; (o = option_at(cli, i)) != NULL; i++) {
		if (o->letter != 0)
			fprintf(out, "-%c ", o->letter);
		fprintf(
		    out, "--%s%s", o->name, option_at(cli, i + 1) ? " " : "");
	}
	fprintf(out, "' -- \"$cur\")); return\n\tfi\n\t%s%s ;;\n",
	    of != NULL ? "of=" : "return", of != NULL ? of : "");
}

/* Whether there is anything that the database knows. */
static bool
asks(const struct cli *cli)
{
	bool any = kind(cli->operand) != NULL;

	for (size_t i = 0; i < cli->count; i++)
		any = any || kind(cli->options[i].type) != NULL;
	return any;
}

/*
 * The word is looked for in the line itself: what bash calls one ends at ":"
 * and "=" too, and only what is behind the last of these is replaced.
 */
static void
bash(const struct cli *cli, FILE *out)
{
	print_function(out, cli->name);
	fputs("() {\n"
	      "\tlocal line=${COMP_LINE:0:COMP_POINT} cur pre= opt of words\n"
	      "\tcur=${line##*[[:space:]]}\n"
	      "\tread -ra words <<<\"${line%\"$cur\"}\"\n"
	      "\topt=${words[-1]}\n"
	      "\tlocal cut=${cur%\"${cur##*[\"$COMP_WORDBREAKS\"]}\"}\n"
	      "\tif [[ $cur == --*=* ]]; then\n"
	      "\t\topt=${cur%%=*} pre=${cur%%=*}= cur=${cur#*=}\n"
	      "\tfi\n"
	      "\tCOMPREPLY=()\n"
	      "\tcase $opt in\n",
	    out);
	bash_arguments(cli, out);
	bash_word(cli, out);
	fputs("\tesac\n", out);
	if (asks(cli))
		fputs("\tcompopt +o default\n"
		      "\tmapfile -t COMPREPLY < "
		      "<(whk-list --complete $of -- \"$cur\" 2>/dev/null)\n"
		      "\tCOMPREPLY=(\"${COMPREPLY[@]/#/$pre}\")\n"
		      "\tCOMPREPLY=(\"${COMPREPLY[@]#\"$cut\"}\")\n"
		      "\tCOMPREPLY=(\"${COMPREPLY[@]//\\*/\\\\*}\")\n",
		    out);
	fputs("}\ncomplete -o default -F ", out);
	print_function(out, cli->name);
	fprintf(out, " %s\n", cli->name);
}

/* What stands behind ":URL:", in single quotes. */
static void
zsh_action(enum cli_type type, const char *what, FILE *out)
{
	const char *of = kind(type);

	if (of != NULL)
		fprintf(out,
		    "{compadd -- ${(f)\"$(whk-list --complete %s -- "
		    "\"$PREFIX\" 2>/dev/null)\"}}",
		    of);
	else
		fputs(is_file(what) ? "_files" : " ", out);
}

/* '(-q --queue)'{-q+,--queue=}'[help]:URL:' */
static void
zsh_option(const struct cli_option *o, FILE *out)
{
	const char *star = cli_form(o) == CLI_LIST ? "*" : "";
	const char *plus = o->type == CLI_FLAG ? "" : "+";
	const char *is = o->type == CLI_FLAG ? "" : "=";

	if (o->letter == 0)
		fprintf(out, " \\\n\t'%s--%s%s", star, o->name, is);
	else if (*star != '\0')
		fprintf(out, " \\\n\t'*'{-%c%s,--%s%s}'", o->letter, plus,
		    o->name, is);
	else
		fprintf(out, " \\\n\t'(-%c --%s)'{-%c%s,--%s%s}'", o->letter,
		    o->name, o->letter, plus, o->name, is);
	fputc('[', out);
	print_escaped(out, o->help, "[]\\");
	fputc(']', out);
	if (o->type != CLI_FLAG) {
		fputc(':', out);
		print_escaped(out, o->arg != NULL ? o->arg : "value", ":\\");
		fputc(':', out);
		if (strcmp(o->name, "completion") == 0)
			fputs("(bash zsh fish)", out);
		else
			zsh_action(o->type, o->arg, out);
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
		fputc(':', out);
		zsh_action(cli->operand, cli->operands, out);
		fputc('\'', out);
	}
	fputc('\n', out);
}

/* The arguments that the database knows: of an option or as operands. */
static void
fish_words(enum cli_type type, FILE *out)
{
	fprintf(out,
	    " -a '(whk-list --complete %s -- (string replace -r \"^-[^=]*=\" "
	    "\"\" -- (commandline -ct)) 2>/dev/null)'",
	    kind(type));
}

static void
fish_option(const struct cli_option *o, FILE *out)
{
	if (o->letter != 0)
		fprintf(out, " -s %c", o->letter);
	fprintf(out, " -l %s", o->name);
	if (strcmp(o->name, "completion") == 0)
		fputs(" -x -a 'bash zsh fish'", out);
	else if (o->type != CLI_FLAG)
		fputs(is_file(o->arg) ? " -r -F" : " -x", out);
	if (kind(o->type) != NULL)
		fish_words(o->type, out);
	fputs(" -d '", out);
	print_escaped(out, o->help, "");
	fputs("'\n", out);
}

static void
fish(const struct cli *cli, FILE *out)
{
	const struct cli_option *o;

	if (!is_file(cli->operands)) {
		fprintf(out, "complete -c %s -f", cli->name);
		if (kind(cli->operand) != NULL)
			fish_words(cli->operand, out);
		fputc('\n', out);
	}
	for (size_t i = 0; (o = option_at(cli, i)) != NULL; i++) {
		fprintf(out, "complete -c %s", cli->name);
		fish_option(o, out);
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
