/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "guard.h"
#include "http-private.h"

/*
 * Of all headers of an answer, of the interim answers (1xx) before it and of
 * the trailers after it. A single line of over 100 KiB is libcurl's to refuse.
 */
#define LINES_MAX 256
#define TEXT_MAX ((size_t)64 << 10)

#define HEADERS_KEPT ((size_t)4 << 10) /* http.h, "headers" */

/* What libcurl reads at once. Each transfer in flight has such a buffer. */
#define READ_SIZE 1024L
#define READ_SIZE_LARGE 16384L

/* Answers over this are worth the larger one. */
#define ANSWER_LARGE ((size_t)64 << 10)

/* Bodies over this get an "Expect: 100-continue" from libcurl. */
#define EXPECT_SIZE ((size_t)1 << 20)

/*
 * What is the same for all requests. HTTP/2 is not offered: a server ends such
 * a connection in the midst of requests, as nginx does after a thousand, and
 * says which of them it has not looked at; but libcurl sends those again as it
 * does others, which may have been received, and does not let them be told
 * apart. So at nginx 2 to 3 of 100 attempts failed, 64 being under way, and
 * each cost more CPU time than by HTTP/1.1.
 */
static const struct {
	CURLoption option;
	long value;
} settings[] = {
    {CURLOPT_NOSIGNAL, 1},
    {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
    {CURLOPT_HTTP09_ALLOWED, 0},
    {CURLOPT_HTTP_CONTENT_DECODING, 0},
    {CURLOPT_FOLLOWLOCATION, 0},
    {CURLOPT_PATH_AS_IS, 1},
    {CURLOPT_TCP_NODELAY, 1},
    {CURLOPT_TCP_KEEPALIVE, 1},
    {CURLOPT_SSL_VERIFYPEER, 1},
    {CURLOPT_SSL_VERIFYHOST, 2},
    {CURLOPT_UPLOAD_BUFFERSIZE, 16384},
    /* A lookup that hangs would be waited for when its request ends. */
    {CURLOPT_QUICK_EXIT, 1},
};

/* Whether bytes of the request have gone to a connection. */
static bool
was_sent(const struct http_slot *s)
{
	long sent = 0;

	if (s->requests == 0)
		return false;
	curl_easy_getinfo(s->easy, CURLINFO_REQUEST_SIZE, &sent);
	return sent > 0;
}

/*
 * A reused connection may end without an answer; libcurl takes it to have been
 * dead before and sends the request again on another. It may as well have been
 * received, so only what has not left this machine goes on.
 */
static curl_socket_t
on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
	struct http_slot *s = arg;
	const struct sockaddr *sa = &addr->addr;
	const void *ip = sa->sa_family == AF_INET6
	    ? (const void *)&((const struct sockaddr_in6 *)(const void *)sa)
		  ->sin6_addr
	    : (const void *)&((const struct sockaddr_in *)(const void *)sa)
		  ->sin_addr;
	int fd;

	(void)purpose;
	if (was_sent(s)) {
		s->again = true;
		return CURL_SOCKET_BAD;
	}
	inet_ntop(sa->sa_family, ip, s->address, sizeof(s->address));
	if (s->h->guard != NULL && !guard_allows(s->h->guard, sa)) {
		s->refused++;
		return CURL_SOCKET_BAD;
	}
	s->dialled++;
	fd = http_socket_open(
	    s->h, addr->family, addr->socktype, addr->protocol);
	if (fd < 0)
		s->open_error = errno;
	return fd;
}

static int
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's type */
on_request(void *arg, char *ip, char *local_ip, int port, int local_port)
{
	struct http_slot *s = arg;

	(void)ip;
	(void)local_ip;
	(void)port;
	(void)local_port;
	if (was_sent(s)) {
		s->again = true;
		return CURL_PREREQFUNC_ABORT;
	}
	s->requests++;
	return CURL_PREREQFUNC_OK;
}

static void
take_retry_after(struct http_slot *s, const char *line, size_t len)
{
	static const char name[] = "retry-after:";
	size_t skip = sizeof(name) - 1;

	if (len < skip || strncasecmp(line, name, skip) != 0)
		return;
	while (skip < len && (line[skip] == ' ' || line[skip] == '\t'))
		skip++;
	while (len > skip && strchr("\r\n\t ", line[len - 1]) != NULL)
		len--;
	s->retry_after[0] = '\0';
	if (len - skip < sizeof(s->retry_after)) {
		memcpy(s->retry_after, line + skip, len - skip);
		s->retry_after[len - skip] = '\0';
	}
}

static size_t
on_header(char *line, size_t one, size_t len, void *arg)
{
	struct http_slot *s = arg;

	(void)one;
	s->text += len;
	if (++s->lines > LINES_MAX || s->text > TEXT_MAX) {
		s->excess = true;
		return 0;
	}
	/* What an interim answer said is not this one's. */
	if (len > 5 && memcmp(line, "HTTP/", 5) == 0) {
		s->whole_head = false;
		s->retry_after[0] = '\0';
		buf_clear(&s->headers);
	}
	if (line[0] == '\r' || line[0] == '\n')
		s->whole_head = true;
	else if ((line[0] | 0x20) == 'r')
		take_retry_after(s, line, len);
	if (s->keep_headers && s->headers.len + len <= HEADERS_KEPT)
		buf_add(&s->headers, line, len);
	return len;
}

static size_t
on_body(char *data, size_t one, size_t len, void *arg)
{
	struct http_slot *s = arg;
	size_t room = s->keep_max - s->body.len;

	(void)one;
	if (room > 0)
		buf_add(&s->body, data, len < room ? len : room);
	s->read += len;
	if (s->read > s->read_max) {
		s->cut = true;
		return 0;
	}
	return len;
}

static int
set_callbacks(struct http_slot *s)
{
	CURL *c = s->easy;

	return curl_easy_setopt(c, CURLOPT_PRIVATE, s) ||
		curl_easy_setopt(c, CURLOPT_ERRORBUFFER, s->error) ||
		curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_open) ||
		curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, s) ||
		curl_easy_setopt(
		    c, CURLOPT_CLOSESOCKETFUNCTION, http_socket_close) ||
		curl_easy_setopt(c, CURLOPT_CLOSESOCKETDATA, s->h) ||
		curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_request) ||
		curl_easy_setopt(c, CURLOPT_PREREQDATA, s) ||
		curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) ||
		curl_easy_setopt(c, CURLOPT_HEADERDATA, s) ||
		curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) ||
		curl_easy_setopt(c, CURLOPT_WRITEDATA, s)
	    ? -1
	    : 0;
}

static int
set_constants(struct http_slot *s)
{
	const char *authorities = getenv("SSL_CERT_FILE");
	CURL *c = s->easy;

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (curl_easy_setopt(c, settings[i].option, settings[i].value))
			return -1;
	if (authorities != NULL &&
	    curl_easy_setopt(c, CURLOPT_CAINFO, authorities))
		return -1;
	/* With a directory besides, the parsed authorities are not kept. */
	return curl_easy_setopt(c, CURLOPT_CAPATH, NULL) ||
		curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") ||
		curl_easy_setopt(c, CURLOPT_PROXY, "") ||
		curl_easy_setopt(c, CURLOPT_NOPROXY, "") ||
		curl_easy_setopt(c, CURLOPT_USERAGENT, s->h->user_agent)
	    ? -1
	    : 0;
}

struct http_slot *
http_slot_new(struct http *h, bool is_signed)
{
	struct http_slot *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->h = h;
	s->is_signed = is_signed;
	s->easy = curl_easy_init();
	if (s->easy == NULL || set_callbacks(s) < 0 || set_constants(s) < 0) {
		http_slot_free(s);
		return NULL;
	}
	return s;
}

void
http_slot_clear(struct http_slot *s)
{
	buf_free(&s->body);
	buf_free(&s->headers);
}

void
http_slot_free(struct http_slot *s)
{
	curl_easy_cleanup(s->easy);
	http_slot_clear(s);
	freezero(s->token.data, s->token.size);
	free(s->nodes);
	free(s);
}

/* Forgets the last request and its answer. */
static void
reset(struct http_slot *s, const struct http_request *rq)
{
	s->read_max = rq->read_max;
	s->keep_max = rq->keep_max;
	s->read_all = rq->read_all;
	s->keep_headers = rq->verbose_headers;
	s->read = s->lines = s->text = 0;
	s->whole_head = s->cut = s->excess = s->again = false;
	s->requests = s->dialled = s->refused = 0;
	s->open_error = 0;
	s->address[0] = s->retry_after[0] = s->error[0] = '\0';
}

/* libcurl reads the list and changes nothing, hence the casts. */
static void
add_header(struct http_slot *s, size_t i, const char *line)
{
	s->nodes[i].data = (char *)line;
	s->nodes[i].next = NULL;
	if (i > 0)
		s->nodes[i - 1].next = &s->nodes[i];
}

static int
set_headers(struct http_slot *s, const struct http_request *rq)
{
	size_t n = rq->header_count, need = n + 2;
	struct curl_slist *nodes;

	if (s->node_count < need) {
		nodes = reallocarray(s->nodes, need, sizeof(*nodes));
		if (nodes == NULL)
			return -1;
		s->nodes = nodes;
		s->node_count = need;
	}
	for (size_t i = 0; i < n; i++)
		add_header(s, i, rq->headers[i]);
	if (rq->sigv4 != NULL && rq->sigv4->token != NULL)
		add_header(s, n++, s->token.data);
	/* SigV4 would sign the empty header, which is not sent. */
	if (rq->body_len > EXPECT_SIZE && rq->sigv4 == NULL)
		add_header(s, n++, "Expect:");
	return curl_easy_setopt(
		   s->easy, CURLOPT_HTTPHEADER, n == 0 ? NULL : s->nodes)
	    ? -1
	    : 0;
}

static int
set_method(struct http_slot *s, const struct http_request *rq)
{
	const void *body = rq->body_len == 0 ? "" : rq->body;
	const char *custom = NULL;
	CURL *c = s->easy;

	if (strcmp(rq->method, "GET") == 0) {
		if (curl_easy_setopt(c, CURLOPT_HTTPGET, 1L))
			return -1;
	} else {
		if (curl_easy_setopt(c, CURLOPT_POSTFIELDS, body) ||
		    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE,
			(curl_off_t)rq->body_len))
			return -1;
		if (strcmp(rq->method, "POST") != 0)
			custom = rq->method;
	}
	if (custom == NULL && !s->is_custom)
		return 0;
	s->is_custom = custom != NULL;
	return curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, custom) ? -1 : 0;
}

static int
set_signature(struct http_slot *s, const struct http_sigv4 *v4)
{
	struct buf scope = {0};
	int rc = -1;

	buf_fmt(&scope, "aws:amz:%s:%s", v4->region, v4->service);
	buf_clear(&s->token);
	if (v4->token != NULL)
		buf_fmt(&s->token, "x-amz-security-token: %s", v4->token);
	if (!scope.failed && !s->token.failed &&
	    !curl_easy_setopt(s->easy, CURLOPT_AWS_SIGV4, scope.data) &&
	    !curl_easy_setopt(s->easy, CURLOPT_USERNAME, v4->key) &&
	    !curl_easy_setopt(s->easy, CURLOPT_PASSWORD, v4->secret))
		rc = 0;
	buf_free(&scope);
	return rc;
}

static void
set_share(struct http_slot *s, CURLSH *share)
{
	if (share != s->share &&
	    curl_easy_setopt(s->easy, CURLOPT_SHARE, share) == CURLE_OK)
		s->share = share;
}

/* libcurl keeps a buffer over some failures; then that one does again. */
static void
set_read_size(struct http_slot *s, long size)
{
	if (size != s->read_size &&
	    curl_easy_setopt(s->easy, CURLOPT_BUFFERSIZE, size) == CURLE_OK)
		s->read_size = size;
}

int
http_slot_prepare(
    struct http_slot *s, const struct http_request *rq, struct err *e)
{
	CURL *c = s->easy;

	reset(s, rq);
	set_share(s, http_share(s->h, rq->url));
	set_read_size(
	    s, rq->read_max > ANSWER_LARGE ? READ_SIZE_LARGE : READ_SIZE);
	if ((rq->sigv4 != NULL && set_signature(s, rq->sigv4) < 0) ||
	    set_headers(s, rq) < 0 || set_method(s, rq) < 0 ||
	    curl_easy_setopt(c, CURLOPT_URL, rq->url) ||
	    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)rq->timeout_ms) ||
	    curl_easy_setopt(
		c, CURLOPT_CONNECTTIMEOUT_MS, (long)rq->connect_ms))
		return err_set(e, "%s: cannot set up a request", rq->url);
	return 0;
}
