/* SPDX-License-Identifier: ISC */
/*
 * How long events take from the queue to a subscriber. Sends COUNT messages of
 * 1 KB, PER_SECOND at even distances, whatever became of those before, and is
 * the subscriber too, at PORT. Message i has the type bench.N, N being i modulo
 * TYPES; where there are several types, bench.0 is that of somebody else, not
 * waited for and not measured.
 *
 * Time runs from when a message was to be sent, by the clock, until the whole
 * of the POST has come: what is sent late, as the queue is slow to take it or
 * the sender to wake, has waited since then. How late the latest was is said.
 *
 *	latency QUEUE_URL PORT COUNT PER_SECOND TYPES
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "figures.h"
#include "multi.h"

#define CONNECTIONS 32 /* to the queue */
#define BATCH 10       /* messages in a request, where several are due */
#define MESSAGE_MAX 2048
#define REQUEST_MAX 8192
#define WAIT_S 60 /* for what has not come when all is sent */
#define PADDING 980

/* What the sender and the subscriber, another process, both see. */
struct shared {
	long left;     /* to come, of those that are measured */
	double came[]; /* when message i did; 0: it did not */
};

struct connection {
	int fd;
	size_t len;
	char data[REQUEST_MAX];
};

struct subscriber {
	struct shared *shared;
	long count, types;
	int listener, epoll;
};

struct sender {
	struct multi multi;
	const char *queue;
	char padding[PADDING + 1];
	CURL *idle[CONNECTIONS];
	long idle_count, count, sent, types;
	double begun, per_second, late;
};

static int
measured(long types, long i)
{
	return types == 1 || i % types != 0;
}

/* --- the subscriber ----------------------------------------------------- */

/* Notes the request, if it is whole; its body is {"i":N ... */
static void
take_request(struct subscriber *s, struct connection *c)
{
	static const char answer[] =
	    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
	char *body, *length;
	size_t total;
	double now;
	long i;

	c->data[c->len] = '\0';
	body = strstr(c->data, "\r\n\r\n");
	length = strcasestr(c->data, "content-length:");
	if (body == NULL || length == NULL)
		return;
	body += 4;
	total = (size_t)(body - c->data) + strtoul(length + 15, NULL, 10);
	if (c->len < total)
		return;
	now = figures_now(CLOCK_MONOTONIC);
	c->len = 0;
	if (write(c->fd, answer, sizeof(answer) - 1) == -1)
		figures_die("cannot answer");
	i = strtol(body + 5, NULL, 10);
	if (i < 0 || i >= s->count || s->shared->came[i] != 0)
		return;
	s->shared->came[i] = now;
	if (measured(s->types, i))
		__atomic_sub_fetch(&s->shared->left, 1, __ATOMIC_RELEASE);
}

static void
take_connection(struct subscriber *s)
{
	struct connection *c = malloc(sizeof(*c));
	struct epoll_event ev = {EPOLLIN, {.ptr = c}};

	if (c == NULL)
		figures_die("no memory");
	c->fd = accept(s->listener, NULL, NULL);
	c->len = 0;
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &ev) == -1)
		figures_die("cannot accept");
}

static void
take_bytes(struct subscriber *s, struct connection *c)
{
	ssize_t n = read(c->fd, c->data + c->len, sizeof(c->data) - 1 - c->len);

	if (n <= 0) {
		close(c->fd);
		free(c);
		return;
	}
	c->len += (size_t)n;
	take_request(s, c);
}

static _Noreturn void
subscribe(struct subscriber *s)
{
	struct epoll_event ev = {EPOLLIN, {.ptr = NULL}}, all[MULTI_EVENTS];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &ev) == -1)
		figures_die("cannot wait for connections");
	for (;;) {
		int n = epoll_wait(s->epoll, all, MULTI_EVENTS, -1);

		for (int i = 0; i < n; i++)
			if (all[i].data.ptr == NULL)
				take_connection(s);
			else
				take_bytes(s, all[i].data.ptr);
	}
}

static int
listen_on(int port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(fd, 4096) == -1)
		figures_die("cannot listen");
	return fd;
}

/* --- the sender --------------------------------------------------------- */

static double
time_of(const struct sender *s, long i)
{
	return s->begun + (double)i / s->per_second;
}

/* Sends what is due by now, up to a batch, in one request. */
static void
send_batch(struct sender *s, double now)
{
	static char request[BATCH * MESSAGE_MAX];
	CURL *easy = s->idle[--s->idle_count];
	size_t len;

	len = (size_t)snprintf(request, sizeof(request),
	    "{\"QueueUrl\":\"%s\",\"Entries\":[", s->queue);
	if (now - time_of(s, s->sent) > s->late)
		s->late = now - time_of(s, s->sent);
	for (int i = 0;
	     i < BATCH && s->sent < s->count && time_of(s, s->sent) <= now;
	     i++, s->sent++)
		len += (size_t)snprintf(request + len, sizeof(request) - len,
		    "%s{\"Id\":\"%d\",\"MessageBody\":"
		    "\"{\\\"i\\\":%ld,\\\"s\\\":\\\"%s\\\"}\","
		    "\"MessageAttributes\":{\"type\":{\"DataType\":\"String\","
		    "\"StringValue\":\"bench.%ld\"}}}",
		    i == 0 ? "" : ",", i, s->sent, s->padding,
		    s->sent % s->types);
	snprintf(request + len, sizeof(request) - len, "]}");
	curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request);
	curl_multi_add_handle(s->multi.curl, easy);
}

static void
send_all(struct sender *s)
{
	struct curl_slist *h =
	    curl_slist_append(NULL, "x-amz-target: AmazonSQS.SendMessageBatch");
	long status;
	CURL *easy;

	h = curl_slist_append(h, "content-type: application/x-amz-json-1.0");
	memset(s->padding, 'x', PADDING);
	multi_init(&s->multi, CONNECTIONS);
	while (s->idle_count < CONNECTIONS)
		s->idle[s->idle_count++] = multi_easy(s->queue, h);
	s->begun = figures_now(CLOCK_MONOTONIC);
	while (s->sent < s->count || s->idle_count < CONNECTIONS) {
		double now = figures_now(CLOCK_MONOTONIC);

		while (s->sent < s->count && s->idle_count > 0 &&
		    time_of(s, s->sent) <= now)
			send_batch(s, now);
		multi_turn(&s->multi,
		    s->sent < s->count && s->idle_count > 0
			? time_of(s, s->sent)
			: INFINITY);
		while ((easy = multi_done(&s->multi, &status)) != NULL) {
			if (status != 200)
				figures_die("the queue refused");
			s->idle[s->idle_count++] = easy;
		}
	}
}

/* --- the figures -------------------------------------------------------- */

static int
by_time(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The least that so many of a thousand do not exceed. */
static double
quantile(const double *ms, long n, long per_mille)
{
	return ms[(n * per_mille + 999) / 1000 - 1];
}

static void
report(const struct sender *s, const struct shared *shared)
{
	double *ms = calloc((size_t)s->count, sizeof(*ms));
	long n = 0;

	if (ms == NULL)
		figures_die("no memory");
	for (long i = 0; i < s->count; i++)
		if (measured(s->types, i))
			ms[n++] = (shared->came[i] - time_of(s, i)) * 1000;
	qsort(ms, (size_t)n, sizeof(*ms), by_time);
	printf("{\"events\":%ld,\"per_second\":%.0f,\"p50\":%.2f,\"p99\":%.2f,"
	       "\"p99.9\":%.2f,\"max\":%.2f,\"late\":%.2f}\n",
	    n, s->per_second, quantile(ms, n, 500), quantile(ms, n, 990),
	    quantile(ms, n, 999), ms[n - 1], s->late * 1000);
	free(ms);
}

static struct shared *
new_shared(long count, long types)
{
	struct shared *shared = mmap(NULL,
	    sizeof(*shared) + (size_t)count * sizeof(shared->came[0]),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		figures_die("no memory");
	for (long i = 0; i < count; i++)
		shared->left += measured(types, i);
	return shared;
}

static void
wait_for_all(const struct shared *shared)
{
	double end = figures_now(CLOCK_MONOTONIC) + WAIT_S;

	while (__atomic_load_n(&shared->left, __ATOMIC_ACQUIRE) > 0) {
		if (figures_now(CLOCK_MONOTONIC) > end)
			figures_die("some never came");
		usleep(10000);
	}
}

int
main(int argc, char **argv)
{
	struct sender s = {0};
	struct subscriber sub = {0};
	pid_t child;

	if (argc != 6)
		figures_die("latency QUEUE_URL PORT COUNT PER_SECOND TYPES");
	s.queue = argv[1];
	s.count = sub.count = strtol(argv[3], NULL, 10);
	s.per_second = strtod(argv[4], NULL);
	s.types = sub.types = strtol(argv[5], NULL, 10);
	if (s.count < 2 || s.per_second <= 0 || s.types < 1)
		figures_die("the numbers must be over 0, COUNT over 1");
	sub.shared = new_shared(s.count, s.types);
	sub.listener = listen_on((int)strtol(argv[2], NULL, 10));
	child = fork();
	if (child == 0)
		subscribe(&sub);
	send_all(&s);
	wait_for_all(sub.shared);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	report(&s, sub.shared);
	return fflush(stdout) == 0 ? 0 : 1;
}
