/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "http-private.h"
#include "text.h"

static const struct {
	CURLcode code;
	enum http_error error;
} errors[] = {
    {CURLE_OK, HTTP_OK},
    {CURLE_OPERATION_TIMEDOUT, HTTP_TIMEOUT},
    {CURLE_COULDNT_RESOLVE_HOST, HTTP_DNS},
    {CURLE_COULDNT_RESOLVE_PROXY, HTTP_DNS},
    {CURLE_COULDNT_CONNECT, HTTP_CONNECT},
    {CURLE_INTERFACE_FAILED, HTTP_CONNECT},
    {CURLE_SSL_CONNECT_ERROR, HTTP_TLS},
    {CURLE_SSL_ENGINE_NOTFOUND, HTTP_TLS},
    {CURLE_SSL_ENGINE_SETFAILED, HTTP_TLS},
    {CURLE_SSL_ENGINE_INITFAILED, HTTP_TLS},
    {CURLE_SSL_CERTPROBLEM, HTTP_TLS},
    {CURLE_SSL_CIPHER, HTTP_TLS},
    {CURLE_PEER_FAILED_VERIFICATION, HTTP_TLS},
    {CURLE_SSL_CACERT_BADFILE, HTTP_TLS},
    {CURLE_SSL_CRL_BADFILE, HTTP_TLS},
    {CURLE_SSL_ISSUER_ERROR, HTTP_TLS},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, HTTP_TLS},
    {CURLE_SSL_INVALIDCERTSTATUS, HTTP_TLS},
    {CURLE_SSL_CLIENTCERT, HTTP_TLS},
    {CURLE_SSL_SHUTDOWN_FAILED, HTTP_RESET},
    {CURLE_SEND_ERROR, HTTP_RESET},
    {CURLE_RECV_ERROR, HTTP_RESET},
    {CURLE_GOT_NOTHING, HTTP_RESET},
    {CURLE_PARTIAL_FILE, HTTP_RESET},
};

static enum http_error
error_of(CURLcode code)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].code == code)
			return errors[i].error;
	return HTTP_PROTOCOL;
}

/* Reads a time of libcurl's, in microseconds. */
static int64_t
time_of(const struct http_slot *s, CURLINFO info)
{
	curl_off_t us = 0;

	curl_easy_getinfo(s->easy, info, &us);
	return us;
}

static void
fill_times(const struct http_slot *s, struct http_answer *a)
{
	int64_t dns = time_of(s, CURLINFO_NAMELOOKUP_TIME_T);
	int64_t tcp = time_of(s, CURLINFO_CONNECT_TIME_T);
	int64_t tls = time_of(s, CURLINFO_APPCONNECT_TIME_T);
	int64_t ready = time_of(s, CURLINFO_PRETRANSFER_TIME_T);
	int64_t first = time_of(s, CURLINFO_STARTTRANSFER_TIME_T);

	if (s->dialled > 0 || s->requests == 0) {
		a->dns_us = dns;
		a->connect_us = tcp > dns ? tcp - dns : 0;
		a->tls_us = tls > tcp ? tls - tcp : 0;
	}
	a->wait_us = first > ready ? first - ready : 0;
	a->total_us = time_of(s, CURLINFO_TOTAL_TIME_T);
}

/* What the code means here, where it is not what the table says. */
static enum http_error
judge_error(const struct http_slot *s, CURLcode code, const char **why)
{
	enum http_error error = error_of(code);
	long number = 0;

	*why = s->error[0] != '\0' ? s->error : curl_easy_strerror(code);
	if (s->again) {
		*why = "the connection ended before an answer came";
		return HTTP_RESET;
	}
	if (s->excess) {
		*why = "the answer has too many headers";
		return HTTP_PROTOCOL;
	}
	if (s->cut) {
		*why = "the answer is too long";
		return s->read_all ? HTTP_PROTOCOL : HTTP_OK;
	}
	if (error == HTTP_CONNECT && s->refused > 0 && s->dialled == 0) {
		*why = "the address is not public";
		return HTTP_BLOCKED;
	}
	/* "Connection refused" is what people know. */
	curl_easy_getinfo(s->easy, CURLINFO_OS_ERRNO, &number);
	if (error == HTTP_CONNECT && number != 0)
		*why = strerror((int)number);
	if (error == HTTP_CONNECT && s->open_error != 0)
		*why = strerror(s->open_error);
	return error;
}

/* libcurl is content with answers that end within their headers. */
static enum http_error
judge_answer(const struct http_slot *s, long status, const char **why)
{
	if (s->body.failed || s->headers.failed) {
		*why = "no memory for the answer";
		return HTTP_PROTOCOL;
	}
	if (status == 101) {
		*why = "the answer switches to another protocol";
		return HTTP_PROTOCOL;
	}
	if (status < 200 || !s->whole_head) {
		*why = "the connection ended before an answer came";
		return HTTP_RESET;
	}
	return HTTP_OK;
}

void
http_slot_answer(struct http_slot *s, CURLcode code, struct http_answer *a)
{
	const char *why, *ip = NULL;
	long status = 0;

	*a = (struct http_answer){0};
	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	a->error = judge_error(s, code, &why);
	if (a->error == HTTP_OK)
		a->error = judge_answer(s, status, &why);
	if (a->error == HTTP_OK)
		a->status = (int)status;
	else
		text_visible(a->detail, sizeof(a->detail), why, strlen(why));
	a->body = s->body.data == NULL ? "" : s->body.data;
	a->body_len = s->body.len;
	a->headers = s->headers.data == NULL ? "" : s->headers.data;
	a->headers_len = s->headers.len;
	memcpy(a->retry_after, s->retry_after, sizeof(a->retry_after));
	curl_easy_getinfo(s->easy, CURLINFO_PRIMARY_IP, &ip);
	if (s->address[0] != '\0' || ip == NULL)
		ip = s->address;
	strlcpy(a->address, ip, sizeof(a->address));
	fill_times(s, a);
}
