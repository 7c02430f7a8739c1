/* SPDX-License-Identifier: ISC */
#ifndef WHK_MULTI_H
#define WHK_MULTI_H

#include <math.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#include <curl/curl.h>

#include "figures.h"

/*
 * libcurl's multi_socket interface on epoll and nothing more, for the programs
 * that measure; whole, as a header. Times are seconds of CLOCK_MONOTONIC.
 */
struct multi {
	CURLM *curl;
	int epoll;
	double timeout_at; /* libcurl's own; INFINITY: none */
};

#define MULTI_EVENTS 256

static inline int
multi_on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct multi *m = arg;
	struct epoll_event ev = {.data.fd = fd};

	(void)easy;
	if (what == CURL_POLL_REMOVE)
		return epoll_ctl(m->epoll, EPOLL_CTL_DEL, fd, &ev), 0;
	ev.events = ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0) |
	    ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0);
	epoll_ctl(
	    m->epoll, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev);
	curl_multi_assign(m->curl, fd, m);
	return 0;
}

static inline int
multi_on_timeout(CURLM *curl, long ms, void *arg)
{
	struct multi *m = arg;

	(void)curl;
	m->timeout_at = ms < 0
	    ? INFINITY
	    : figures_now(CLOCK_MONOTONIC) + (double)ms / 1000;
	return 0;
}

/* For up to so many connections. */
static inline void
multi_init(struct multi *m, long connections)
{
	m->epoll = epoll_create1(EPOLL_CLOEXEC);
	m->curl = curl_multi_init();
	m->timeout_at = INFINITY;
	if (m->epoll == -1 || m->curl == NULL)
		figures_die("cannot begin with libcurl");
	curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, multi_on_socket);
	curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
	curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, multi_on_timeout);
	curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
	curl_multi_setopt(m->curl, CURLMOPT_MAXCONNECTS, connections);
}

/* Waits for what is next, no longer than until then, and sees to it. */
static inline void
multi_turn(struct multi *m, double until)
{
	struct epoll_event ev[MULTI_EVENTS];
	double wait = until < m->timeout_at ? until : m->timeout_at;
	struct timespec ts;
	int n, running;

	if (isfinite(wait)) {
		wait -= figures_now(CLOCK_MONOTONIC);
		wait = wait > 0 ? wait : 0;
		ts.tv_sec = (time_t)wait;
		ts.tv_nsec = (long)((wait - (double)ts.tv_sec) * 1e9);
	}
	n = epoll_pwait2(
	    m->epoll, ev, MULTI_EVENTS, isfinite(wait) ? &ts : NULL, NULL);
	for (int i = 0; i < n; i++) {
		int mask =
		    (ev[i].events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0;

		if ((ev[i].events & ~(unsigned)EPOLLOUT) != 0)
			mask |= CURL_CSELECT_IN;
		curl_multi_socket_action(
		    m->curl, ev[i].data.fd, mask, &running);
	}
	if (figures_now(CLOCK_MONOTONIC) >= m->timeout_at) {
		m->timeout_at = INFINITY;
		curl_multi_socket_action(
		    m->curl, CURL_SOCKET_TIMEOUT, 0, &running);
	}
}

/*
 * The next transfer that has ended, out of the multi handle and free for
 * another; NULL: none. *status: 0 if there was no answer.
 */
static inline CURL *
multi_done(struct multi *m, long *status)
{
	int left;
	CURLMsg *msg = curl_multi_info_read(m->curl, &left);
	CURL *easy;

	if (msg == NULL)
		return NULL;
	easy = msg->easy_handle;
	*status = 0;
	if (msg->data.result == CURLE_OK)
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, status);
	curl_multi_remove_handle(m->curl, easy);
	return easy;
}

static inline size_t
multi_ignore(char *data, size_t one, size_t len, void *arg)
{
	(void)data;
	(void)arg;
	return one * len;
}

/* A handle to POST with, over and over. */
static inline CURL *
multi_easy(const char *url, struct curl_slist *headers)
{
	CURL *easy = curl_easy_init();

	if (easy == NULL)
		figures_die("curl_easy_init failed");
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, multi_ignore);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 60000L);
	return easy;
}

#endif
