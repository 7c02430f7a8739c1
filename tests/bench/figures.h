/* SPDX-License-Identifier: ISC */
#ifndef WHK_FIGURES_H
#define WHK_FIGURES_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>
#include <sys/resource.h>

/* What the programs that measure POSTs have in common; whole, as a header. */
struct figures {
	const char *name, *url;
	long count, in_flight, body_len;
	long ok, failed;
	double begun, cpu;
};

/* Five header lines, as many as an attempt of whk-send has. */
static const char *const figures_lines[] = {
    "content-type: application/json",
    "webhook-id: msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
    "webhook-timestamp: 1674087231",
    "webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    "webhook-event: order.paid",
};
#define FIGURES_LINES (sizeof(figures_lines) / sizeof(figures_lines[0]))

static inline _Noreturn void
figures_die(const char *why)
{
	fprintf(stderr, "%s\n", why);
	exit(1);
}

static inline struct curl_slist *
figures_headers(void)
{
	struct curl_slist *list = NULL;

	for (size_t i = 0; i < FIGURES_LINES; i++)
		list = curl_slist_append(list, figures_lines[i]);
	return list;
}

static inline double
figures_now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static inline void
figures_begin(struct figures *f, int argc, char **argv)
{
	if (argc != 5)
		figures_die("operands: URL COUNT IN_FLIGHT BODY_BYTES");
	f->url = argv[1];
	f->count = strtol(argv[2], NULL, 10);
	f->in_flight = strtol(argv[3], NULL, 10);
	f->body_len = strtol(argv[4], NULL, 10);
	if (f->count < 1 || f->in_flight < 1 || f->body_len < 1)
		figures_die("the numbers must be over 0");
	f->begun = figures_now(CLOCK_MONOTONIC);
	f->cpu = figures_now(CLOCK_PROCESS_CPUTIME_ID);
}

static inline char *
figures_body(const struct figures *f)
{
	char *body = malloc((size_t)f->body_len);

	if (body == NULL)
		figures_die("no memory");
	memset(body, 'x', (size_t)f->body_len);
	return body;
}

static inline void
figures_count(struct figures *f, bool ok)
{
	if (ok)
		f->ok++;
	else
		f->failed++;
}

/* Prints them as a JSON line. Returns the exit status. */
static inline int
figures_end(const struct figures *f)
{
	double cpu = figures_now(CLOCK_PROCESS_CPUTIME_ID) - f->cpu;
	double s = figures_now(CLOCK_MONOTONIC) - f->begun;
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	printf("{\"name\":\"%s\",\"requests\":%ld,\"failed\":%ld,"
	       "\"in_flight\":%ld,\"body_bytes\":%ld,"
	       "\"per_second\":%.0f,\"cpu_us\":%.2f,\"peak_kib\":%ld}\n",
	    f->name, f->count, f->failed, f->in_flight, f->body_len,
	    (double)f->count / s, cpu * 1e6 / (double)f->count, ru.ru_maxrss);
	return f->failed == 0 && fflush(stdout) == 0 ? 0 : 1;
}

#endif
