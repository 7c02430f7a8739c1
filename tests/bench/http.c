/* SPDX-License-Identifier: ISC */
/*
 * common/http.c against the yardstick of bare.c, with the same arguments.
 *
 *	http URL COUNT IN_FLIGHT BODY_BYTES
 */
#include <string.h>

#include "figures.h"
#include "guard.h"
#include "http.h"
#include "loop.h"

struct bench {
	struct figures f;
	struct loop loop;
	struct http *http;
	struct http_request rq;
	long started;
};

static void start(struct bench *b);

static void
on_done(void *arg, const struct http_answer *a)
{
	struct bench *b = arg;

	figures_count(&b->f, a->error == HTTP_OK && a->status / 100 == 2);
	if (b->f.failed == 1 && a->error != HTTP_OK)
		fprintf(
		    stderr, "%s: %s\n", http_error_word(a->error), a->detail);
	if (b->started < b->f.count)
		start(b);
	else if (b->f.ok + b->f.failed == b->f.count)
		loop_break(&b->loop);
}

static void
start(struct bench *b)
{
	struct err e;

	if (http_start(b->http, &b->rq, on_done, b, &e) < 0)
		figures_die(e.msg);
	b->started++;
}

int
main(int argc, char **argv)
{
	struct bench b = {.f.name = "http"};
	struct guard guard;
	struct err e;

	figures_begin(&b.f, argc, argv);
	b.rq = (struct http_request){
	    .method = "POST",
	    .url = b.f.url,
	    .headers = figures_lines,
	    .header_count = FIGURES_LINES,
	    .body = figures_body(&b.f),
	    .body_len = (size_t)b.f.body_len,
	    .timeout_ms = 15000,
	    .connect_ms = 5000,
	    .read_max = 65536,
	    .keep_max = 1024,
	};
	if (guard_init(&guard, "127.0.0.0/8 ::1", &e) < 0 ||
	    loop_init(&b.loop, NULL, NULL, &e) < 0)
		figures_die(e.msg);
	b.http = http_new(
	    b.loop.base, (size_t)b.f.in_flight, &guard, "whk/" WHK_VERSION, &e);
	if (b.http == NULL)
		figures_die(e.msg);
	while (b.started < b.f.in_flight && b.started < b.f.count)
		start(&b);
	if (loop_run(&b.loop, &e) < 0)
		figures_die(e.msg);
	http_free(b.http);
	loop_free(&b.loop);
	guard_free(&guard);
	return figures_end(&b.f);
}
