/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "http-private.h"

const char *
http_error_word(enum http_error error)
{
	static const char *const words[] = {
	    [HTTP_OK] = "ok",
	    [HTTP_TIMEOUT] = "timeout",
	    [HTTP_DNS] = "dns",
	    [HTTP_CONNECT] = "connect",
	    [HTTP_TLS] = "tls",
	    [HTTP_BLOCKED] = "blocked",
	    [HTTP_RESET] = "reset",
	    [HTTP_PROTOCOL] = "protocol",
	};

	return words[error];
}

/* Returns NULL, or what is wrong with a URL that could be parsed. */
static const char *
judge_url(CURLU *u)
{
	char *scheme = NULL, *user = NULL, *password = NULL;
	const char *wrong = NULL;

	curl_url_get(u, CURLUPART_USER, &user, 0);
	curl_url_get(u, CURLUPART_PASSWORD, &password, 0);
	if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    (strcasecmp(scheme, "http") != 0 &&
		strcasecmp(scheme, "https") != 0))
		wrong = "only http and https can be used";
	else if (user != NULL || password != NULL)
		wrong = "there is a user or a password in it";
	curl_free(scheme);
	curl_free(user);
	curl_free(password);
	return wrong;
}

int
http_check_url(const char *url, struct err *e)
{
	CURLU *u = curl_url();
	CURLUcode code = CURLUE_OUT_OF_MEMORY;
	const char *wrong;

	if (u != NULL)
		code = curl_url_set(
		    u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
	wrong = code == CURLUE_OK ? judge_url(u) : curl_url_strerror(code);
	curl_url_cleanup(u);
	return wrong == NULL ? 0 : err_set(e, "not a usable URL: %s", wrong);
}

/*
 * A libcurl that has all protocols brings GnuTLS in for some that are not used
 * here, and it would set itself up as the program starts: half a MiB for
 * nothing. By this name in the program it asks not to (GNUTLS_SKIP_GLOBAL_INIT
 * in <gnutls/gnutls.h>); who does use it calls gnutls_global_init().
 */
int _gnutls_global_init_skip(void);
int
_gnutls_global_init_skip(void)
{
	return 1;
}

/* 1024, which is usual, is too few for a thousand transfers. */
static void
raise_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

static int
set_up(struct http *h, size_t max_connections)
{
	h->multi = curl_multi_init();
	if (h->multi == NULL ||
	    curl_multi_setopt(
		h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) ||
	    curl_multi_setopt(
		h->multi, CURLMOPT_MAXCONNECTS, (long)max_connections))
		return -1;
	return http_sockets_init(h);
}

struct http *
http_new(struct event_base *base, size_t max_connections,
    const struct guard *guard, const char *user_agent, struct err *e)
{
	struct http *h;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		goto fail;
	h = calloc(1, sizeof(*h));
	if (h == NULL) {
		curl_global_cleanup();
		goto fail;
	}
	raise_limit();
	h->base = base;
	h->guard = guard;
	h->user_agent = strdup(user_agent);
	if (h->user_agent != NULL && set_up(h, max_connections) == 0)
		return h;
	http_free(h);
fail:
	err_set(e, "cannot set up an HTTP client");
	return NULL;
}

static CURLSH *
share_new(void)
{
	CURLSH *share = curl_share_init();

	if (share != NULL &&
	    curl_share_setopt(
		share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION)) {
		curl_share_cleanup(share);
		return NULL;
	}
	return share;
}

CURLSH *
http_share(struct http *h, const char *url)
{
	const char *host = strstr(url, "://");
	uint32_t hash = 2166136261; /* FNV-1a */
	CURLSH **share;

	if (host != NULL)
		url = host + 3;
	for (; *url != '\0' && strchr("/?#", *url) == NULL; url++)
		hash = (hash ^ (unsigned char)*url) * 16777619;
	share = &h->shares[((uint64_t)hash * HTTP_SHARES) >> 32];
	if (*share == NULL)
		*share = share_new();
	return *share;
}

int
http_start(struct http *h, const struct http_request *rq, http_done *done,
    void *arg, struct err *e)
{
	bool is_signed = rq->sigv4 != NULL;
	struct http_slot *s = LIST_FIRST(&h->idle[is_signed]);

	if (s != NULL)
		LIST_REMOVE(s, link);
	else
		s = http_slot_new(h, is_signed);
	if (s == NULL)
		return err_set(e, "no memory for a request");
	if (http_slot_prepare(s, rq, e) < 0)
		goto fail;
	s->done = done;
	s->arg = arg;
	if (curl_multi_add_handle(h->multi, s->easy) != CURLM_OK) {
		err_set(e, "no memory for a request");
		goto fail;
	}
	LIST_INSERT_HEAD(&h->running, s, link);
	h->active++;
	return 0;
fail:
	http_slot_free(s);
	return -1;
}

static void
finish(struct http *h, struct http_slot *s, CURLcode code)
{
	struct http_answer answer;

	curl_multi_remove_handle(h->multi, s->easy);
	LIST_REMOVE(s, link);
	h->active--;
	http_slot_answer(s, code, &answer);
	s->done(s->arg, &answer);
	http_slot_clear(s);
	LIST_INSERT_HEAD(&h->idle[s->is_signed], s, link);
}

void
http_finish(struct http *h)
{
	struct http_slot *s;
	CURLMsg *m;
	CURLcode code;
	int left;

	h->busy = true;
	while (
	    !h->freed && (m = curl_multi_info_read(h->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		code = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &s);
		finish(h, s, code);
	}
	h->busy = false;
	if (h->freed)
		http_free(h);
}

size_t
http_active(const struct http *h)
{
	return h->active;
}

void
http_cancel(struct http *h, const void *arg)
{
	struct http_slot *s, *next;

	for (s = LIST_FIRST(&h->running); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		if (s->arg != arg)
			continue;
		curl_multi_remove_handle(h->multi, s->easy);
		LIST_REMOVE(s, link);
		h->active--;
		http_slot_free(s);
	}
}

static void
free_slots(struct http *h, struct http_slots *slots, bool running)
{
	struct http_slot *s;

	while ((s = LIST_FIRST(slots)) != NULL) {
		LIST_REMOVE(s, link);
		if (running)
			curl_multi_remove_handle(h->multi, s->easy);
		http_slot_free(s);
	}
}

void
http_free(struct http *h)
{
	if (h == NULL)
		return;
	if (h->busy) {
		h->freed = true;
		return;
	}
	free_slots(h, &h->running, true);
	free_slots(h, &h->idle[0], false);
	free_slots(h, &h->idle[1], false);
	/* Connections are closed here, through http_socket_close(). */
	curl_multi_cleanup(h->multi);
	for (size_t i = 0; i < HTTP_SHARES; i++)
		curl_share_cleanup(h->shares[i]);
	http_sockets_free(h);
	free(h->user_agent);
	free(h);
	curl_global_cleanup();
}
