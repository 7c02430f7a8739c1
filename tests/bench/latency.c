/* SPDX-License-Identifier: ISC */
/*
 * How long an event takes from the queue to a subscriber, with nothing else to
 * do: sends COUNT messages, one each INTERVAL_MS whatever became of the last,
 * and is the subscriber too. Time runs from before the message is sent to the
 * queue until the whole of the POST has come.
 *
 *	latency QUEUE_URL PORT COUNT INTERVAL_MS
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "figures.h"

#define CONNECTIONS 64
#define REQUEST 8192

/* When message i was sent and came, in seconds; shared by both processes. */
struct times {
	double sent, came;
};

struct connection {
	int fd;
	size_t len;
	char data[REQUEST];
};

static void
sleep_until(double at)
{
	double left = at - figures_now(CLOCK_MONOTONIC);
	struct timespec ts = {
	    (time_t)left, (long)((left - (double)(time_t)left) * 1e9)};

	if (left > 0)
		nanosleep(&ts, NULL);
}

/* Notes the requests that are whole; the message's number ends the body. */
static void
take_request(struct connection *c, struct times *times, long count)
{
	static const char answer[] =
	    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
	char *body, *length;
	size_t total;
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
	i = strtol(body + 5, NULL, 10); /* {"i":N} */
	if (i >= 0 && i < count)
		times[i].came = figures_now(CLOCK_MONOTONIC);
	c->len = 0;
	if (write(c->fd, answer, sizeof(answer) - 1) == -1)
		figures_die("cannot answer");
}

static _Noreturn void
receive(int listener, struct times *times, long count)
{
	static struct connection all[CONNECTIONS];
	struct pollfd fds[CONNECTIONS + 1] = {{listener, POLLIN, 0}};
	nfds_t n = 1;

	for (;;) {
		poll(fds, n, -1);
		if (fds[0].revents != 0 && n <= CONNECTIONS) {
			int fd = accept(listener, NULL, NULL);

			all[n - 1] = (struct connection){.fd = fd};
			fds[n++] = (struct pollfd){fd, POLLIN, 0};
		}
		for (nfds_t i = 1; i < n; i++) {
			struct connection *c = &all[i - 1];
			ssize_t got;

			if (fds[i].revents == 0)
				continue;
			got =
			    read(c->fd, c->data + c->len, REQUEST - 1 - c->len);
			if (got <= 0) {
				fds[i].fd = -1;
				close(c->fd);
				continue;
			}
			c->len += (size_t)got;
			take_request(c, times, count);
		}
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
	    listen(fd, 128) == -1)
		figures_die("cannot listen");
	return fd;
}

static size_t
ignore(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return size * n;
}

static void
send_one(CURL *c, const char *queue, long i)
{
	char body[512];

	snprintf(body, sizeof(body),
	    "{\"QueueUrl\":\"%s\",\"MessageBody\":\"{\\\"i\\\":%ld}\","
	    "\"MessageAttributes\":{\"type\":{\"DataType\":\"String\","
	    "\"StringValue\":\"bench.latency\"}}}",
	    queue, i);
	curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, body);
	if (curl_easy_perform(c) != CURLE_OK)
		figures_die("cannot send");
}

static int
by_time(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
report(const struct times *times, long count)
{
	double *ms = calloc((size_t)count, sizeof(*ms));
	long n = 0;

	for (long i = 0; i < count; i++)
		if (times[i].came > 0)
			ms[n++] = (times[i].came - times[i].sent) * 1000;
	if (n < count)
		figures_die("some never came");
	qsort(ms, (size_t)n, sizeof(*ms), by_time);
	printf("{\"case\":\"latency\",\"events\":%ld,\"p50_ms\":%.2f,"
	       "\"p99_ms\":%.2f,\"max_ms\":%.2f}\n",
	    n, ms[n / 2], ms[n * 99 / 100], ms[n - 1]);
	free(ms);
}

int
main(int argc, char **argv)
{
	struct curl_slist *h = NULL;
	struct times *times;
	long count, interval;
	CURL *c = curl_easy_init();
	double at, end;
	pid_t child;
	int fd;

	if (argc != 5)
		figures_die("latency QUEUE_URL PORT COUNT INTERVAL_MS");
	count = strtol(argv[3], NULL, 10);
	interval = strtol(argv[4], NULL, 10);
	times = mmap(NULL, (size_t)count * sizeof(*times),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (times == MAP_FAILED)
		figures_die("out of memory");
	fd = listen_on((int)strtol(argv[2], NULL, 10));
	child = fork();
	if (child == 0)
		receive(fd, times, count);
	h = curl_slist_append(h, "content-type: application/x-amz-json-1.0");
	h = curl_slist_append(h, "x-amz-target: AmazonSQS.SendMessage");
	curl_easy_setopt(c, CURLOPT_URL, argv[1]);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, h);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, ignore);
	at = figures_now(CLOCK_MONOTONIC);
	for (long i = 0; i < count; i++) {
		sleep_until(at + (double)(i * interval) / 1000);
		times[i].sent = figures_now(CLOCK_MONOTONIC);
		send_one(c, argv[1], i);
	}
	end = figures_now(CLOCK_MONOTONIC) + 5;
	while (times[count - 1].came == 0 && figures_now(CLOCK_MONOTONIC) < end)
		usleep(10000);
	usleep(100000);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	report(times, count);
	return 0;
}
