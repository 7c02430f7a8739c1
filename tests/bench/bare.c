/* SPDX-License-Identifier: ISC */
/*
 * The yardstick: POSTs with libcurl's multi_socket interface on epoll and
 * nothing around it, on easy handles that are set up once.
 *
 *	bare URL COUNT IN_FLIGHT BODY_BYTES
 */
#include "figures.h"
#include "multi.h"

static CURL *
new_easy(const struct figures *f, const char *body, struct curl_slist *headers)
{
	CURL *easy = multi_easy(f->url, headers);

	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, f->body_len);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 4096L);
	if (getenv("SSL_CERT_FILE") != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("SSL_CERT_FILE"));
	return easy;
}

int
main(int argc, char **argv)
{
	struct figures f = {.name = "bare"};
	struct curl_slist *headers = figures_headers();
	struct multi m;
	char *body;
	long status, started = 0;

	figures_begin(&f, argc, argv);
	body = figures_body(&f);
	multi_init(&m, f.in_flight);
	for (; started < f.in_flight && started < f.count; started++)
		curl_multi_add_handle(m.curl, new_easy(&f, body, headers));
	while (f.ok + f.failed < f.count) {
		CURL *easy;

		multi_turn(&m, INFINITY);
		while ((easy = multi_done(&m, &status)) != NULL) {
			figures_count(&f, status / 100 == 2);
			if (started++ < f.count)
				curl_multi_add_handle(m.curl, easy);
		}
	}
	return figures_end(&f);
}
