/* SPDX-License-Identifier: ISC */
/*
 * whk-recv: a receiver of webhooks for tests. It prints what comes, verifies
 * signatures, and answers, well or badly, as it was told; it ends after a
 * number of requests or some time, with a status that a script can go by.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "clock.h"
#include "cli.h"
#include "httpd-request.h"
#include "httpd.h"
#include "log.h"
#include "loop.h"
#include "output.h"
#include "whk-recv/answer.h"
#include "whk-recv/print.h"
#include "whk-recv/verify.h"

#define BODY_MAX ((size_t)16 << 20)
#define HELD_MAX ((size_t)4 << 20) /* of output that waits for a pipe */
#define DAY_MS ((int64_t)86400 * 1000)

struct options {
	const char *address;
	int64_t port;
	const char *url_file;
	bool include, json, quiet, count;
	struct cli_list secrets;
	int64_t tolerance_ms;
	const char *status;
	int64_t delay_ms;
	const char *retry_after;
	struct cli_list headers;
	const char *body;
	int64_t number;
	int64_t time_ms;
	const char *log_format;
	bool verbose;
};

#define AT(member) offsetof(struct options, member)

static const struct cli_option table[] = {
    {'a', "address", "ADDRESS", CLI_STRING, AT(address), "listen there", NULL,
	0, 0},
    {'p', "port", "PORT", CLI_INT, AT(port), "listen there; 0: a free one",
	NULL, 0, 65535},
    {'u', "url-file", "FILE", CLI_STRING, AT(url_file),
	"write the URL to FILE once it listens", NULL, 0, 0},
    {'i', "include", NULL, CLI_FLAG, AT(include),
	"print request line and headers too", NULL, 0, 0},
    {'j', "json", NULL, CLI_FLAG, AT(json),
	"print each request as a JSON object on a line", NULL, 0, 0},
    {'q', "quiet", NULL, CLI_FLAG, AT(quiet), "print nothing of requests", NULL,
	0, 0},
    {'c', "count", NULL, CLI_FLAG, AT(count),
	"print only how many came, at the end", NULL, 0, 0},
    {'s', "secrets", "FILE", CLI_LIST, AT(secrets),
	"verify signatures with the secrets in FILE, one on a line", NULL, 0,
	0},
    {0, "tolerance", "TIME", CLI_DURATION, AT(tolerance_ms),
	"how far off a webhook-timestamp may be; 0: any", NULL, 0,
	3650 * DAY_MS},
    {'r', "status", "LIST", CLI_STRING, AT(status),
	"answer with these in turn, the last one stays: statuses, or reset, "
	"hang, drip, cut, garbage, flood",
	NULL, 0, 0},
    {'d', "delay", "TIME", CLI_DURATION, AT(delay_ms),
	"wait before each answer", NULL, 0, DAY_MS},
    {0, "retry-after", "WHEN", CLI_STRING, AT(retry_after),
	"Retry-After in answers from 300 up: as it is, or +TIME as a date",
	NULL, 0, 0},
    {'H', "header", "LINE", CLI_LIST, AT(headers), "a header for all answers",
	NULL, 0, 0},
    {'b', "body", "TEXT", CLI_STRING, AT(body), "the body of the answers", NULL,
	0, 0},
    {'n', "number", "N", CLI_INT, AT(number),
	"end after N requests; fewer: exit 1", NULL, 1, INT64_MAX},
    {'t', "time", "TIME", CLI_DURATION, AT(time_ms), "end after that time",
	NULL, 1, 365 * DAY_MS},
    {'v', "verbose", NULL, CLI_FLAG, AT(verbose),
	"say each request, and at the end how many there were", NULL, 0, 0},
    {0, "log-format", "FORMAT", CLI_STRING, AT(log_format),
	"of messages: text, json or logfmt", "WHK_LOG_FORMAT", 0, 0},
};

static const struct cli cli = {.name = "whk-recv",
    .summary = "Receives webhooks and prints them: a server for tests.",
    .options = table,
    .count = sizeof(table) / sizeof(table[0])};

struct recv {
	struct options o;
	struct log log;
	struct loop loop;
	struct httpd *server;
	struct output *out;
	struct event *timer; /* for -t */
	struct verifier verifier;
	struct answers answers;
	struct buf line; /* what is printed of a request */
	int64_t came;
	int64_t wrong;   /* of these, those with a wrong signature */
	int64_t refused; /* what was no request */
	bool failed;     /* a signature was wrong, or stdout is */
};

static void
finish(struct recv *r)
{
	httpd_stop(r->server);
	if (r->timer != NULL)
		event_del(r->timer);
}

static void
on_stop(void *arg)
{
	finish(arg);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	finish(arg);
}

static void
on_room(void *arg)
{
	struct recv *r = arg;

	httpd_resume(r->server);
}

static void
on_failed(void *arg, const struct err *e)
{
	struct recv *r = arg;

	log_say(&r->log, LOG_ERROR, "stdout: %s", e->msg);
	r->failed = true;
	httpd_resume(r->server);
	finish(r);
}

static void
report_wrong(struct recv *r, const struct httpd_request *rq, const char *wrong)
{
	const char *id = httpd_header(rq, "webhook-id");

	log_say(&r->log, LOG_WARN, "%.255s: %.255s: %s", rq->target,
	    id == NULL ? "-" : id, wrong);
	r->wrong++;
	r->failed = true;
}

static void
say(const struct recv *r, const struct httpd_request *rq, const char *word)
{
	const char *id = httpd_header(rq, "webhook-id");
	const struct log_field fields[] = {{"method", rq->method, 0},
	    {"path", rq->target, 0}, {"id", id == NULL ? "-" : id, 0},
	    {"answer", word, 0}};

	if (r->o.verbose)
		log_tell(&r->log, LOG_TELL, fields, 4,
		    "%.32s %.255s: %.255s: %s", rq->method, rq->target,
		    fields[2].text, word);
}

static void
print(struct recv *r, const struct httpd_request *rq,
    const struct print_facts *facts)
{
	buf_clear(&r->line);
	if (r->o.json)
		print_json(&r->line, rq, facts);
	else if (r->o.include)
		print_headers(&r->line, rq);
	else
		print_body(&r->line, rq);
	if (r->line.failed) {
		log_say(&r->log, LOG_ERROR, "out of memory");
		r->failed = true;
		return;
	}
	output_line(r->out, r->line.data, r->line.len);
	if (output_full(r->out))
		httpd_pause(r->server);
}

static void
on_request(void *arg, struct conn *c, struct httpd_request *rq)
{
	struct recv *r = arg;
	struct print_facts facts = {.time_ms = clock_wall_ms()};
	struct answer answer = {.status = 401};
	char word[16];

	if (r->verifier.count > 0) {
		facts.checked = true;
		facts.wrong = verifier_check(&r->verifier, rq, facts.time_ms);
	}
	if (facts.wrong != NULL)
		report_wrong(r, rq, facts.wrong);
	else
		answer = answers_choose(&r->answers, rq);
	facts.answer = answer_word(&answer, word);
	say(r, rq, facts.answer);
	if (!r->o.quiet && !r->o.count)
		print(r, rq, &facts);
	if (++r->came == r->o.number)
		finish(r);
	answers_send(&r->answers, &answer, c, rq);
}

static void
on_refused(void *arg, int status, struct buf *text)
{
	struct recv *r = arg;

	(void)text;
	log_say(
	    &r->log, LOG_WARN, "a request that is none: answered %d", status);
	r->refused++;
}

/* So that whoever waits for the file never sees half of it. */
static int
write_url(const char *path, const char *url, struct err *e)
{
	char part[4096];
	struct stat st;
	bool plain = stat(path, &st) == -1 || S_ISREG(st.st_mode);
	FILE *f;
	int bad;

	if (snprintf(part, sizeof(part), "%s%s", path, plain ? ".part" : "") >=
	    (int)sizeof(part))
		return err_set(e, "%s: name too long", path);
	f = fopen(part, "we");
	if (f == NULL)
		return err_set(e, "%s: %s", part, strerror(errno));
	bad = fprintf(f, "%s\n", url) < 0;
	bad |= fclose(f) != 0;
	if (!bad && plain)
		bad = rename(part, path) != 0;
	return bad ? err_set(e, "%s: %s", path, strerror(errno)) : 0;
}

/* Many connections, as far as this machine lets us. */
static void
raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int
start_timer(struct recv *r, struct err *e)
{
	struct timeval wait = {.tv_sec = r->o.time_ms / 1000,
	    .tv_usec = r->o.time_ms % 1000 * 1000};

	if (r->o.time_ms == 0)
		return 0;
	r->timer = evtimer_new(r->loop.base, on_time, r);
	if (r->timer == NULL || evtimer_add(r->timer, &wait) == -1)
		return err_set(e, "out of memory");
	return 0;
}

/* What is wrong here is a matter of usage. */
static int
read_answers(struct recv *r, struct err *e)
{
	r->answers.list = r->o.status;
	r->answers.delay_ms = r->o.delay_ms;
	r->answers.retry_after = r->o.retry_after;
	r->answers.headers = r->o.headers;
	r->answers.body = r->o.body;
	return answers_init(&r->answers, e);
}

static int
open_all(struct recv *r, struct err *e)
{
	static const struct httpd_handler server_handler = {
	    .request = on_request, .refused = on_refused};
	static const struct output_handler output_handler = {
	    on_room, on_failed};
	char port[16];
	const struct httpd_options server = {
	    .host = r->o.address, .port = port, .fd = -1, .body_max = BODY_MAX};

	r->verifier.tolerance_ms = r->o.tolerance_ms;
	snprintf(port, sizeof(port), "%" PRId64, r->o.port);
	for (size_t i = 0; i < r->o.secrets.count; i++)
		if (verifier_load(&r->verifier, r->o.secrets.items[i], e) == -1)
			return -1;
	if (loop_init(&r->loop, on_stop, r, e) == -1)
		return -1;
	r->out = output_new(
	    r->loop.base, STDOUT_FILENO, HELD_MAX, &output_handler, r, e);
	if (r->out == NULL)
		return -1;
	r->server = httpd_new(r->loop.base, &server, &server_handler, r, e);
	if (r->server == NULL || start_timer(r, e) == -1)
		return -1;
	return r->o.url_file == NULL
	    ? 0
	    : write_url(r->o.url_file, httpd_url(r->server), e);
}

/* What there was, as it ends. */
static void
say_end(const struct recv *r)
{
	const struct log_field fields[] = {{"requests", NULL, r->came},
	    {"wrong", NULL, r->wrong}, {"refused", NULL, r->refused}};

	if (r->o.verbose || log_kept(&r->log))
		log_tell(&r->log, LOG_TELL, fields, 3,
		    "%lld requests, %lld with a wrong signature, %lld that "
		    "were none",
		    (long long)r->came, (long long)r->wrong,
		    (long long)r->refused);
}

static int
run(struct recv *r, struct err *e)
{
	char text[32];
	int n;

	log_say(&r->log, LOG_TELL, "listening on %s", httpd_url(r->server));
	if (loop_run(&r->loop, e) == -1)
		return -1;
	say_end(r);
	n = snprintf(text, sizeof(text), "%" PRId64 "\n", r->came);
	if (r->o.count && !r->failed) {
		output_line(r->out, text, (size_t)n);
		return loop_run(&r->loop, e);
	}
	return 0;
}

static void
close_all(struct recv *r)
{
	httpd_free(r->server);
	output_free(r->out);
	if (r->timer != NULL)
		event_free(r->timer);
	loop_free(&r->loop);
	answers_free(&r->answers);
	verifier_free(&r->verifier);
	buf_free(&r->line);
	cli_free(&cli, &r->o);
}

int
main(int argc, char **argv)
{
	struct recv r = {.o = {.address = "127.0.0.1",
			     .port = 8000,
			     .tolerance_ms = 300000,
			     .status = "200",
			     .body = ""}};
	struct err e = {0};
	int first, status;

	setprogname(cli.name);
	status = cli_parse(&cli, argc, argv, &r.o, &first, stdout, stderr);
	if (status != -1)
		return status;
	if (log_init(&r.log, stderr, cli.name, r.o.log_format, &e) == -1) {
		warnx("%s", e.msg);
		cli_free(&cli, &r.o);
		return 2;
	}
	log_begin(&r.log);
	raise_limit();
	if (read_answers(&r, &e) == -1)
		status = 2;
	else if (open_all(&r, &e) == -1 || run(&r, &e) == -1)
		status = 1;
	else
		status = r.failed || r.came < r.o.number ? 1 : 0;
	if (e.msg[0] != '\0')
		log_say(&r.log, LOG_ERROR, "%s", e.msg);
	close_all(&r);
	return status;
}
