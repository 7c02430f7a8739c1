/* SPDX-License-Identifier: ISC */
/*
 * The yardstick: POSTs with libcurl's multi_socket interface on epoll and
 * nothing around it, on easy handles that are set up once.
 *
 *	bare URL COUNT IN_FLIGHT BODY_BYTES
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <curl/curl.h>

#include "figures.h"

#define EVENTS 256

static int ep;
static long wait_ms = -1;

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct epoll_event ev = {.data.fd = fd};

	(void)easy;
	if (what == CURL_POLL_REMOVE)
		return epoll_ctl(ep, EPOLL_CTL_DEL, fd, &ev), 0;
	ev.events = ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0) |
	    ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0);
	epoll_ctl(ep, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev);
	curl_multi_assign(arg, fd, arg);
	return 0;
}

static int
on_timeout(CURLM *multi, long ms, void *arg)
{
	(void)multi;
	(void)arg;
	wait_ms = ms;
	return 0;
}

static size_t
on_body(char *data, size_t one, size_t len, void *arg)
{
	(void)data;
	(void)arg;
	return one * len;
}

static CURL *
new_easy(const char *url, const char *body, long len, struct curl_slist *list)
{
	CURL *c = curl_easy_init();

	if (c == NULL)
		figures_die("curl_easy_init failed");
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, len);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 4096L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 15000L);
	return c;
}

static void
turn(CURLM *multi)
{
	struct epoll_event ev[EVENTS];
	int n, running, mask;

	n = epoll_wait(ep, ev, EVENTS, (int)wait_ms);
	for (int i = 0; i < n; i++) {
		mask = (ev[i].events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0;
		if ((ev[i].events & ~(unsigned)EPOLLOUT) != 0)
			mask |= CURL_CSELECT_IN;
		curl_multi_socket_action(multi, ev[i].data.fd, mask, &running);
	}
	if (n == 0 || wait_ms == 0)
		curl_multi_socket_action(
		    multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

int
main(int argc, char **argv)
{
	struct figures f = {.name = "bare"};
	struct curl_slist *list = figures_headers();
	CURLM *multi = curl_multi_init();
	CURLMsg *m;
	char *body;
	long started = 0;
	int left;

	figures_begin(&f, argc, argv);
	body = figures_body(&f);
	ep = epoll_create1(EPOLL_CLOEXEC);
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, multi);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, f.in_flight);
	for (; started < f.in_flight && started < f.count; started++)
		curl_multi_add_handle(
		    multi, new_easy(f.url, body, f.body_len, list));
	while (f.ok + f.failed < f.count) {
		turn(multi);
		while ((m = curl_multi_info_read(multi, &left)) != NULL) {
			CURL *c = m->easy_handle;
			long status = 0;

			curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
			figures_count(&f, status / 100 == 2);
			curl_multi_remove_handle(multi, c);
			if (started++ < f.count)
				curl_multi_add_handle(multi, c);
		}
	}
	return figures_end(&f);
}
