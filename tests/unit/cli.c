/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli.h"

struct values {
	bool quiet;
	const char *url;
	struct cli_list events;
	int64_t number, timeout, size;
};

static const struct cli_option options[] = {
    {'q', "quiet", NULL, CLI_FLAG, offsetof(struct values, quiet),
	"say nothing", "WHK_T_QUIET", 0, 0},
    {'u', "url", "URL", CLI_STRING, offsetof(struct values, url),
	"the queue's URL", "WHK_T_URL", 0, 0},
    {'e', "events", "PATTERN", CLI_LIST | CLI_PATTERN,
	offsetof(struct values, events),
	"event types that it gets, of which there may be any number",
	"WHK_T_EVENTS", 0, 0},
    {'n', "number", "N", CLI_INT | CLI_WEBHOOK, offsetof(struct values, number),
	"how many", NULL, -5, 10},
    {'t', "timeout", "TIME", CLI_DURATION, offsetof(struct values, timeout),
	"how long", "WHK_T_TIMEOUT", 1000, 3600000},
    {0, "key-file", "FILE", CLI_SIZE, offsetof(struct values, size),
	"how large", NULL, 0, 1 << 20},
};

static const struct cli cli = {"whk-t", "[FILE ...]", "Tests the table.",
    options, sizeof(options) / sizeof(options[0]), 0, -1, 0};

/* What a run of cli_parse() did. */
static struct {
	struct values values;
	char **rest;
	char out[8192], err[512];
} got;

static int
parse_with(const struct cli *c, const char *first_arg, va_list ap)
{
	static char texts[16][64], *argv[16];
	int argc = 0, first = 0, status;
	FILE *out = fmemopen(got.out, sizeof(got.out), "w");
	FILE *err = fmemopen(got.err, sizeof(got.err), "w");

	assert_non_null(out);
	assert_non_null(err);
	got.out[0] = got.err[0] = '\0';
	cli_free(&cli, &got.values);
	got.values = (struct values){.timeout = 5000, .url = "none"};
	for (const char *arg = "whk-t"; arg != NULL && argc < 15; argc++) {
		argv[argc] = texts[argc];
		snprintf(texts[argc], sizeof(texts[argc]), "%s", arg);
		arg = argc == 0 ? first_arg : va_arg(ap, char *);
	}
	argv[argc] = NULL;
	status = cli_parse(c, argc, argv, &got.values, &first, out, err);
	got.rest = argv + first;
	fclose(out);
	fclose(err);
	return status;
}

/* The status of cli_parse() for arguments that end with NULL. */
static int
parse(const char *arg, ...)
{
	va_list ap;
	int status;

	va_start(ap, arg);
	status = parse_with(&cli, arg, ap);
	va_end(ap);
	return status;
}

static void
assert_refused(const char *expected, const char *one, const char *two)
{
	char text[512];

	snprintf(text, sizeof(text), "whk-t: %s\ntry 'whk-t -h'\n", expected);
	assert_int_equal(2, parse(one, two, NULL));
	assert_string_equal(text, got.err);
	assert_string_equal("", got.out);
}

static void
test_values(void **state)
{
	(void)state;
	assert_int_equal(-1, parse(NULL));
	assert_false(got.values.quiet);
	assert_string_equal("none", got.values.url);
	assert_int_equal(5000, got.values.timeout);
	assert_null(*got.rest);
	assert_int_equal(-1,
	    parse("-q", "--url", "u", "-n-5", "--timeout=2m", "--key-file",
		"64k", NULL));
	assert_true(got.values.quiet);
	assert_string_equal("u", got.values.url);
	assert_int_equal(-5, got.values.number);
	assert_int_equal(120000, got.values.timeout);
	assert_int_equal(65536, got.values.size);
	assert_int_equal(-1, parse("-qn3", "--time", "9", NULL));
	assert_int_equal(3, got.values.number);
	assert_int_equal(9000, got.values.timeout);
}

static void
test_operands(void **state)
{
	(void)state;
	assert_int_equal(-1, parse("a", "-e", "x", "-", "-ey", "b", NULL));
	assert_int_equal(2, got.values.events.count);
	assert_string_equal("x", got.values.events.items[0]);
	assert_string_equal("y", got.values.events.items[1]);
	assert_string_equal("a", got.rest[0]);
	assert_string_equal("-", got.rest[1]);
	assert_string_equal("b", got.rest[2]);
	assert_null(got.rest[3]);
	assert_int_equal(-1, parse("--", "-q", "--help", NULL));
	assert_false(got.values.quiet);
	assert_string_equal("-q", got.rest[0]);
	assert_string_equal("--help", got.rest[1]);
}

static int
parse_one(const struct cli *c, const char *arg, ...)
{
	va_list ap;
	int status;

	va_start(ap, arg);
	status = parse_with(c, arg, ap);
	va_end(ap);
	return status;
}

static void
test_operand_count(void **state)
{
	struct cli one = cli;

	(void)state;
	one.operands = "URL";
	one.min_operands = one.max_operands = 1;
	assert_int_equal(-1, parse_one(&one, "u", NULL));
	assert_int_equal(2, parse_one(&one, NULL));
	assert_string_equal(
	    "whk-t: operand missing: URL\ntry 'whk-t -h'\n", got.err);
	assert_int_equal(2, parse_one(&one, "u", "v\033", NULL));
	assert_string_equal("whk-t: unexpected operand 'v\\033'\n"
			    "try 'whk-t -h'\n",
	    got.err);
}

static void
test_complaints(void **state)
{
	(void)state;
	assert_refused("unknown option -- 'x'", "-x", NULL);
	assert_refused("unknown option -- 'x'", "--quiet", "-qxq");
	assert_refused("unknown option -- '\\377'", "-\xff", NULL);
	assert_refused("unknown option '--nope'", "--nope", NULL);
	assert_refused(
	    "option takes no argument '--quiet=1'", "--quiet=1", NULL);
	assert_refused("option takes no argument '--help=1'", "--help=1", NULL);
	assert_refused("option needs an argument -- 'u'", "-u", NULL);
	assert_refused("option needs an argument '--url'", "--url", NULL);
	assert_refused("--number: 'x' is not a number", "-n", "x");
	assert_refused("--number: '' is not a number", "-n", "");
	assert_refused("--number: '3x' is not a number", "-n", "3x");
	assert_refused("--number: ' 3' is not a number", "-n", " 3");
	assert_refused("--number: '11' is not from -5 to 10", "-n", "11");
	assert_refused("--number: '99999999999999999999' is not from -5 to 10",
	    "-n", "99999999999999999999");
	assert_refused("--timeout: '2h' is not from 1s to 1h", "-t", "2h");
	assert_refused("--timeout: '5x' is not a duration, such as 250ms, 5s, "
		       "2m, 3h",
	    "-t", "5x");
	assert_refused(
	    "--key-file: '2m' is not from 0 to 1m", "--key-file", "2m");
	assert_refused("--completion: 'csh' is none of bash, zsh, fish",
	    "--completion", "csh");
	/* What was refused leaves no list behind. */
	assert_refused("unknown option -- 'x'", "-e1", "-x");
	assert_int_equal(0, got.values.events.count);
}

static void
test_environment(void **state)
{
	(void)state;
	setenv("WHK_T_URL", "from env", 1);
	setenv("WHK_T_TIMEOUT", "7", 1);
	setenv("WHK_T_EVENTS", "env.*", 1);
	setenv("WHK_T_QUIET", "", 1);
	assert_int_equal(-1, parse(NULL));
	assert_string_equal("from env", got.values.url);
	assert_int_equal(7000, got.values.timeout);
	assert_int_equal(1, got.values.events.count);
	assert_string_equal("env.*", got.values.events.items[0]);
	assert_false(got.values.quiet);
	assert_int_equal(-1, parse("-u", "u", "-t8", "-ea", "-eb", NULL));
	assert_string_equal("u", got.values.url);
	assert_int_equal(8000, got.values.timeout);
	assert_int_equal(2, got.values.events.count);
	setenv("WHK_T_TIMEOUT", "soon", 1);
	assert_int_equal(-1, parse("-t8", NULL));
	assert_int_equal(0, parse("-h", NULL));
	assert_refused("WHK_T_TIMEOUT: 'soon' is not a duration, such as "
		       "250ms, 5s, 2m, 3h",
	    NULL, NULL);
	unsetenv("WHK_T_URL");
	unsetenv("WHK_T_TIMEOUT");
	unsetenv("WHK_T_EVENTS");
	unsetenv("WHK_T_QUIET");
}

static void
test_help(void **state)
{
	static const char expected[] =
	    "usage: whk-t [option ...] [FILE ...]\n\nTests the table.\n\n"
	    "  -q, --quiet             say nothing (or WHK_T_QUIET)\n"
	    "  -u, --url URL           the queue's URL (default none, or "
	    "WHK_T_URL)\n"
	    "  -e, --events PATTERN    event types that it gets, of which "
	    "there may be any\n"
	    "                          number (or WHK_T_EVENTS)\n"
	    "  -n, --number N          how many\n"
	    "  -t, --timeout TIME      how long (default 5s, or "
	    "WHK_T_TIMEOUT)\n"
	    "      --key-file FILE     how large\n"
	    "  -h, --help              print this and exit\n"
	    "      --version           print the version and exit\n"
	    "      --completion SHELL  print the completion script for bash, "
	    "zsh or fish\n";

	(void)state;
	/* The defaults, not what stands before it. */
	assert_int_equal(0, parse("-n3", "-t9", "-h", NULL));
	assert_string_equal(expected, got.out);
	assert_int_equal(0, parse("--help", NULL));
	assert_string_equal(expected, got.out);
	assert_string_equal("", got.err);
	assert_int_equal(0, parse("--version", NULL));
	assert_string_equal("whk-t " WHK_VERSION "\n", got.out);
}

static void
test_full(void **state)
{
	char *argv[] = {(char[]){"whk-t"}, (char[]){"-h"}, NULL};
	struct values values = {0};
	FILE *full = fopen("/dev/full", "w");
	FILE *err = fmemopen(got.err, sizeof(got.err), "w");
	int first;

	(void)state;
	assert_non_null(full);
	assert_non_null(err);
	assert_int_equal(
	    1, cli_parse(&cli, 2, argv, &values, &first, full, err));
	fclose(full);
	fclose(err);
	assert_string_equal(
	    "whk-t: stdout: No space left on device\n", got.err);
}

static void
test_completion(void **state)
{
	(void)state;
	assert_int_equal(0, parse("--completion", "bash", NULL));
	assert_non_null(
	    strstr(got.out, "complete -o default -F _whk_t whk-t\n"));
	assert_non_null(strstr(got.out, "'-q --quiet -u --url -e --events"));
	assert_non_null(strstr(got.out, "\t--key-file) return ;;\n"));
	assert_int_equal(0, parse("--completion=zsh", NULL));
	assert_non_null(strstr(got.out, "#compdef whk-t\n"));
	assert_non_null(strstr(
	    got.out, "'(-u --url)'{-u+,--url=}'[the queue'\\''s URL]:URL: '"));
	assert_non_null(
	    strstr(got.out, "'--key-file=[how large]:FILE:_files'"));
	assert_int_equal(0, parse("--completion=fish", NULL));
	assert_non_null(strstr(got.out,
	    "complete -c whk-t -s u -l url -x -d 'the queue'\\''s URL'"));
	assert_non_null(strstr(got.out, " -l key-file -r -F -d 'how large'\n"));
}

/* The arguments that the database knows are asked for where they are. */
static void
test_completion_words(void **state)
{
	struct cli ids = cli;

	(void)state;
	assert_int_equal(0, parse("--completion", "bash", NULL));
	assert_non_null(strstr(got.out, "\t--number|-n) of=webhook ;;\n"));
	assert_non_null(strstr(got.out, "\t--events|-e) of=pattern ;;\n"));
	assert_non_null(strstr(got.out, "whk-list --complete $of -- \"$cur\""));
	assert_null(strstr(got.out, "of=type"));
	assert_int_equal(0, parse("--completion", "zsh", NULL));
	assert_non_null(strstr(got.out,
	    "]:N:{compadd -- ${(f)\"$(whk-list "
	    "--complete webhook -- \"$PREFIX\""));
	assert_non_null(strstr(got.out, "'*:[FILE ...]:_files'"));
	assert_int_equal(0, parse("--completion", "fish", NULL));
	assert_non_null(strstr(
	    got.out, " -l events -x -a '(whk-list --complete pattern -- "));
	ids.operands = "ID ...";
	ids.operand = CLI_WEBHOOK;
	assert_int_equal(0, parse_one(&ids, "--completion=bash", NULL));
	assert_non_null(strstr(got.out, "\tof=webhook ;;\n\tesac\n"));
	assert_int_equal(0, parse_one(&ids, "--completion=zsh", NULL));
	assert_non_null(strstr(got.out, "'*:ID ...:{compadd -- "));
	assert_int_equal(0, parse_one(&ids, "--completion=fish", NULL));
	assert_non_null(strstr(got.out,
	    "complete -c whk-t -f -a '(whk-list --complete webhook -- "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_operands),
	    cmocka_unit_test(test_operand_count),
	    cmocka_unit_test(test_complaints),
	    cmocka_unit_test(test_environment),
	    cmocka_unit_test(test_help),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_completion),
	    cmocka_unit_test(test_completion_words),
	};

	int failed;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	cli_free(&cli, &got.values);
	return failed;
}
