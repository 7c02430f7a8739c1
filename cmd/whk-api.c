/* SPDX-License-Identifier: ISC */
/*
 * whk-api is the HTTP API to the webhooks, the events and their history, on
 * the same SQL as the programs.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "cli.h"
#include "loop.h"
#include "notify.h"
#include "whk-api/api.h"

#define NAME "whk-api"

#define BODY_MAX ((size_t)1 << 20)
#define IDLE_MS 120000
#define STOP_S 10            /* for answers to get out when it ends */
#define OTHER_DESCRIPTORS 64 /* beside those of connections */
#define LISTEN_FD 3          /* sd_listen_fds(3) */

struct options {
	const char *address, *tokens, *cors;
	const char *log_format;
	int64_t timeout_ms;
	bool open, verbose;
};

#define AT(member) offsetof(struct options, member)

static const struct cli_option option_table[] = {
    {'a', "address", "ADDRESS:PORT", CLI_STRING, AT(address),
	"listen there (127.0.0.1:8000); port 0: one that is free", NULL, 0, 0},
    {0, "cors", "ORIGIN", CLI_STRING, AT(cors),
	"let web pages of this origin ask; *: of any", NULL, 0, 0},
    {0, "log-format", "FORMAT", CLI_STRING, AT(log_format),
	"of messages: text, json or logfmt", "WHK_LOG_FORMAT", 0, 0},
    {0, "open", NULL, CLI_FLAG, AT(open), "let everybody ask who reaches it",
	NULL, 0, 0},
    {'T', "timeout", "TIME", CLI_DURATION, AT(timeout_ms),
	"how long a request may take to come (20s)", NULL, 100, 3600000},
    {'t', "tokens", "FILE", CLI_STRING, AT(tokens),
	"let only those ask who have one of these tokens", NULL, 0, 0},
    {'v', "verbose", NULL, CLI_FLAG, AT(verbose),
	"say each request, and at the end how many there were", NULL, 0, 0},
};

static const struct cli cli = {
    .name = NAME,
    .summary = "The HTTP API to webhooks, events and their history.",
    .options = option_table,
    .count = sizeof(option_table) / sizeof(option_table[0]),
};

struct program {
	struct options o;
	struct log log;
	struct api api;
	char *host, *port; /* of o.address */
	int fd;            /* that systemd gave, or -1 */
	struct loop loop;
	struct event *late;
	struct event *reload; /* SIGHUP, where there are tokens */
	struct httpd *server;
};

/* Takes "host:port" or "[host]:port" apart. */
static int
split_address(struct program *p, struct err *e)
{
	const char *s = p->o.address, *colon = strrchr(s, ':');
	size_t len = colon == NULL ? 0 : (size_t)(colon - s);
	const char *wrong = NULL;

	if (len > 2 && s[0] == '[' && s[len - 1] == ']') {
		s++;
		len -= 2;
	} else if (len > 0 && (s[0] == '[' || memchr(s, ':', len) != NULL)) {
		len = 0;
	}
	if (len > 0)
		strtonum(colon + 1, 0, 65535, &wrong);
	if (len == 0 || wrong != NULL)
		return err_set(
		    e, "--address: '%s' is not ADDRESS:PORT", p->o.address);
	p->host = strndup(s, len);
	p->port = strdup(colon + 1);
	return p->host == NULL || p->port == NULL
	    ? err_temporary(e, "out of memory")
	    : 0;
}

/* The descriptor that systemd listens at for us, as sd_listen_fds(3) says. */
static int
take_descriptor(struct program *p, struct err *e)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

	p->fd = -1;
	if (pid == NULL || count == NULL ||
	    strtonum(pid, 1, INT32_MAX, NULL) != getpid())
		return 0;
	if (strcmp(count, "1") != 0)
		return err_set(
		    e, "LISTEN_FDS: one socket is taken, not %s", count);
	p->fd = LISTEN_FD;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	return 0;
}

static bool
is_loopback(const struct sockaddr *sa)
{
	const struct sockaddr_in6 *six = (const void *)sa;
	const struct sockaddr_in *four = (const void *)sa;

	if (sa->sa_family == AF_INET)
		return ntohl(four->sin_addr.s_addr) >> 24 == 127;
	if (sa->sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
	return sa->sa_family == AF_UNIX;
}

/* Whether only this machine will reach it. */
static bool
is_private(const struct program *p)
{
	struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct sockaddr_storage sa = {0};
	socklen_t len = sizeof(sa);
	struct addrinfo *list;
	bool all = true;

	if (p->fd != -1)
		return getsockname(p->fd, (struct sockaddr *)&sa, &len) == 0 &&
		    is_loopback((struct sockaddr *)&sa);
	if (getaddrinfo(p->host, NULL, &hints, &list) != 0)
		return true; /* listening will say what is wrong */
	for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next)
		all = all && is_loopback(ai->ai_addr);
	freeaddrinfo(list);
	return all;
}

static int
read_all(struct program *p, struct err *e)
{
	if (log_init(&p->log, stderr, NAME, p->o.log_format, e) == -1 ||
	    split_address(p, e) == -1 || take_descriptor(p, e) == -1)
		return -1;
	if (p->o.open && p->o.tokens != NULL)
		return err_set(e, "--open or --tokens, not both");
	if (!p->o.open && p->o.tokens == NULL && !is_private(p))
		return err_set(e,
		    "others than this machine could reach it: that needs "
		    "--tokens, or --open");
	if (p->o.cors != NULL && strpbrk(p->o.cors, " \t\r\n") != NULL)
		return err_set(e, "--cors: not an origin");
	p->api.log = &p->log;
	p->api.open = p->o.open;
	p->api.cors = p->o.cors;
	p->api.verbose = p->o.verbose;
	return 0;
}

/* The database of a lane is away, or another trouble took its place. */
static void
db_trouble(void *arg, const struct err *e)
{
	struct lane *lane = arg;

	if (lane == &lane->api->fast)
		log_say(lane->api->log, LOG_WARN, "%s: waiting for it", e->msg);
	lane->away = true;
	db_forget(lane->db);
	call_lost(lane);
	gather_lost(lane);
}

static void
db_over(void *arg)
{
	struct lane *lane = arg;

	if (lane == &lane->api->fast)
		log_say(
		    lane->api->log, LOG_NOTE, "the database is there again");
	lane->away = false;
}

static void
on_refused(void *arg, int status, struct buf *text)
{
	char msg[80];

	(void)arg;
	snprintf(msg, sizeof(msg), "%s", httpd_reason(status));
	call_error(text, msg);
}

static void
on_gone(void *arg, void *data)
{
	struct call *c = data;

	(void)arg;
	c->conn = NULL;
}

static void
on_ended(void *arg)
{
	struct api *api = arg;
	struct program *p =
	    (void *)((char *)api - offsetof(struct program, api));

	loop_break(&p->loop);
}

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;

	(void)fd;
	(void)what;
	loop_break(&p->loop);
}

static void
on_stop(void *arg)
{
	struct program *p = arg;
	struct timeval wait = {.tv_sec = STOP_S};

	event_add(p->late, &wait);
	httpd_stop(p->server);
}

/* SIGHUP: the tokens are read again, and stay as they are if that fails. */
static void
on_reload(evutil_socket_t sig, short what, void *arg)
{
	struct program *p = arg;
	struct tokens fresh = {0};
	struct err e;

	(void)sig;
	(void)what;
	if (tokens_load(&fresh, p->o.tokens, &e) == -1) {
		tokens_free(&fresh);
		log_say(&p->log, LOG_WARN, "%s: the tokens stay as they were",
		    e.msg);
		return;
	}
	tokens_free(&p->api.tokens);
	p->api.tokens = fresh;
	log_say(&p->log, LOG_NOTE, "%s: %zu tokens", p->o.tokens, fresh.count);
}

static int
watch_reload(struct program *p, struct err *e)
{
	if (p->o.tokens == NULL)
		return 0;
	p->reload = evsignal_new(p->loop.base, SIGHUP, on_reload, p);
	if (p->reload == NULL || evsignal_add(p->reload, NULL) == -1)
		return err_temporary(e, "out of memory");
	return 0;
}

/* How many connections there may be: each is a descriptor. */
static size_t
raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 512;
	if (limit.rlim_max != RLIM_INFINITY) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	return limit.rlim_cur > 2 * OTHER_DESCRIPTORS
	    ? (size_t)limit.rlim_cur - OTHER_DESCRIPTORS
	    : OTHER_DESCRIPTORS / 2;
}

static int
open_lane(struct program *p, struct lane *lane, struct err *e)
{
	static const struct db_handler handler = {db_trouble, db_over, NULL};

	lane->api = &p->api;
	lane->db = db_new(p->loop.base, NAME, NULL, &handler, lane, e);
	return lane->db == NULL ? -1 : 0;
}

static int
open_all(struct program *p, struct err *e)
{
	static const struct httpd_handler handler = {
	    route_request, on_refused, on_gone, on_ended};
	const struct httpd_options options = {
	    .host = p->host,
	    .port = p->port,
	    .fd = p->fd,
	    .body_max = BODY_MAX,
	    .idle_ms = IDLE_MS,
	    .request_ms = p->o.timeout_ms,
	    .conns_max = raise_limit(),
	};

	if (openapi_write(&p->api.openapi) == -1)
		return err_temporary(e, "out of memory");
	if (loop_init(&p->loop, on_stop, p, e) == -1)
		return -1;
	p->late = evtimer_new(p->loop.base, on_late, p);
	if (p->late == NULL)
		return err_temporary(e, "out of memory");
	if (watch_reload(p, e) == -1 ||
	    gather_init(&p->api, p->loop.base, e) == -1 ||
	    open_lane(p, &p->api.fast, e) == -1 ||
	    open_lane(p, &p->api.slow, e) == -1)
		return -1;
	for (size_t i = 0; i < EVENT_LANES; i++)
		if (open_lane(p, &p->api.events[i], e) == -1)
			return -1;
	p->server = httpd_new(p->loop.base, &options, &handler, &p->api, e);
	return p->server == NULL ? -1 : 0;
}

static void
close_all(struct program *p)
{
	struct call *c;

	httpd_free(p->server);
	while ((c = TAILQ_FIRST(&p->api.calls)) != NULL)
		call_free(c);
	gather_free(&p->api);
	db_free(p->api.fast.db);
	db_free(p->api.slow.db);
	for (size_t i = 0; i < EVENT_LANES; i++)
		db_free(p->api.events[i].db);
	if (p->late != NULL)
		event_free(p->late);
	if (p->reload != NULL)
		event_free(p->reload);
	loop_free(&p->loop);
	buf_free(&p->api.out);
	buf_free(&p->api.openapi);
}

/* What there was, as it ends. */
static void
say_end(const struct program *p)
{
	const struct api *a = &p->api;
	const struct log_field fields[] = {{"requests", NULL, a->answered},
	    {"refused", NULL, a->refused}, {"failed", NULL, a->failed}};

	if (p->o.verbose || log_kept(&p->log))
		log_tell(&p->log, LOG_TELL, fields, 3,
		    "%lld requests, %lld refused, %lld failed",
		    (long long)a->answered, (long long)a->refused,
		    (long long)a->failed);
}

static int
run(struct program *p, struct err *e)
{
	int rc = -1;

	log_begin(&p->log);
	TAILQ_INIT(&p->api.calls);
	TAILQ_INIT(&p->api.batches);
	if (open_all(p, e) == 0 && notify_ready(e) == 0) {
		log_say(
		    &p->log, LOG_TELL, "listening on %s", httpd_url(p->server));
		rc = loop_run(&p->loop, e);
		say_end(p);
	}
	close_all(p);
	return rc == 0 ? 0 : err_status(e);
}

int
main(int argc, char **argv)
{
	struct program p = {
	    .o = {.address = "127.0.0.1:8000", .timeout_ms = 20000}};
	struct err e;
	int first, status;

	setprogname(NAME);
	status = cli_parse(&cli, argc, argv, &p.o, &first, stdout, stderr);
	if (status != -1)
		return status;
	if (read_all(&p, &e) == -1) {
		warnx("%s", e.msg);
		status = e.temporary ? 75 : 2;
	} else if (p.o.tokens != NULL &&
	    tokens_load(&p.api.tokens, p.o.tokens, &e) == -1) {
		log_say(&p.log, LOG_ERROR, "%s", e.msg);
		status = 1;
	} else {
		status = run(&p, &e);
		if (status != 0)
			log_say(&p.log, LOG_ERROR, "%s", e.msg);
	}
	tokens_free(&p.api.tokens);
	free(p.host);
	free(p.port);
	cli_free(&cli, &p.o);
	return status;
}
