/* SPDX-License-Identifier: ISC */
#include <curl/curl.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "guard.h"
#include "http.h"
#include "webhook-private.h"
#include "webhook.h"

#define URL_MAX 2048
#define HEADERS_MAX 50
#define HEADER_NAME_MAX 256
#define HEADER_VALUE_MAX 4096
#define CONTENT_TYPE_MAX 256
#define LEASE_MS 300000 /* what whk-poll and whk-due give by default */

/* Characters of a token (RFC 9110, section 5.6.2). */
static const char token[] = "!#$%&'*+-.^_`|~0123456789"
			    "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/* Whether all of s is ASCII from first to '~': what shows on a screen. */
static bool
is_visible(const char *s, char first)
{
	while (*s >= first && *s <= '~')
		s++;
	return *s == '\0';
}

/* What is wrong with a URL that a URL parser may be content with, or NULL. */
static const char *
judge(const char *url)
{
	const char *host = strstr(url, "://");

	if (!is_visible(url, '!'))
		return "a space, or what is not ASCII, must be percent-encoded";
	if (strchr(url, '#') != NULL)
		return "a fragment (#) is never sent";
	/* libcurl finds a host in http:///x and https:/x. */
	if (host == NULL || strcspn(host + 3, "/?\\") == 0)
		return "it has to begin with http:// or https:// and a host";
	return NULL;
}

int
webhook_check_url(const json_t *value, struct err *e)
{
	const char *url = webhook_text("url", value, URL_MAX, e), *wrong;
	struct err cause;

	if (url == NULL)
		return -1;
	wrong = judge(url);
	if (wrong != NULL)
		err_set(&cause, "not a usable URL: %s", wrong);
	else if (http_check_url(url, &cause) == 0)
		return 0;
	/* It may have a password in it. */
	if (strchr(url, '@') != NULL)
		return err_set(e, "%s", cause.msg);
	return err_set(e, "%.200s: %s", url, cause.msg);
}

/*
 * Whether a header is whk's own: those that say what is sent and how, and
 * those of the Standard Webhooks.
 */
static bool
is_ours(const char *name)
{
	static const char *const names[] = {"connection", "content-length",
	    "content-type", "expect", "host", "keep-alive", "proxy-connection",
	    "te", "trailer", "transfer-encoding", "upgrade", "user-agent"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return strncasecmp(name, "webhook-", 8) == 0;
}

/* Whether a value may stand in a header. */
static int
check_value(const char *key, const char *value, struct err *e)
{
	size_t len = strlen(value);

	if (!is_visible(value, ' '))
		return err_set(e,
		    "%.100s: its value has a character that is not visible "
		    "ASCII",
		    key);
	if (value[0] == ' ' || value[len - 1] == ' ')
		return err_set(
		    e, "%.100s: its value begins or ends with a space", key);
	return 0;
}

static int
check_header(const char *name, const json_t *value, struct err *e)
{
	const char *s = json_string_value(value);
	size_t len = strlen(name);
	char key[HEADER_NAME_MAX + 16];

	if (len == 0 || len > HEADER_NAME_MAX || strspn(name, token) != len)
		return err_set(
		    e, "headers: '%.100s' is no name of a header", name);
	if (is_ours(name))
		return err_set(e, "headers: %.100s is whk's own%s", name,
		    strcasecmp(name, "content-type") == 0
			? ": there is content_type"
			: "");
	snprintf(key, sizeof(key), "headers: %s", name);
	if (s == NULL)
		return err_set(e, "%s: not a string", key);
	if (s[0] == '\0')
		return err_set(e, "%s: empty", key);
	if (strlen(s) > HEADER_VALUE_MAX)
		return err_set(e, "%s: over %d bytes", key, HEADER_VALUE_MAX);
	return check_value(key, s, e);
}

/* How many of the names are this one, in whatever case. */
static int
count_name(const json_t *headers, const char *wanted)
{
	const char *name;
	json_t *value;
	int count = 0;

	json_object_foreach ((json_t *)(uintptr_t)headers, name, value)
		count += strcasecmp(name, wanted) == 0;
	return count;
}

int
webhook_check_headers(const json_t *value, struct err *e)
{
	const char *name;
	json_t *line;

	if (!json_is_object(value))
		return err_set(e, "headers: not an object");
	if (json_object_size(value) > HEADERS_MAX)
		return err_set(e, "headers: over %d", HEADERS_MAX);
	json_object_foreach ((json_t *)(uintptr_t)value, name, line) {
		if (check_header(name, line, e) == -1)
			return -1;
		if (count_name(value, name) > 1)
			return err_set(
			    e, "headers: %.100s is there twice", name);
	}
	return 0;
}

/* "type/subtype", and parameters after it (RFC 9110, section 8.3.1). */
int
webhook_check_content_type(const json_t *value, struct err *e)
{
	static const char key[] = "content_type";
	const char *s = webhook_text(key, value, CONTENT_TYPE_MAX, e);
	size_t type, subtype = 0;

	if (s == NULL)
		return -1;
	type = strspn(s, token);
	if (s[type] == '/')
		subtype = strspn(s + type + 1, token);
	if (type == 0 || subtype == 0 ||
	    strchr("; ", s[type + 1 + subtype]) == NULL)
		return err_set(
		    e, "%s: '%.100s' is not like application/json", key, s);
	return check_value(key, s, e);
}

/* Whether the guard refuses a host that is an address, or this machine. */
static bool
is_refused(const struct guard *guard, char *host)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST};
	const char *address = host;
	struct addrinfo *found = NULL;
	bool refused = false;

	if (host[0] == '[') {
		host[strcspn(host, "]")] = '\0';
		address = host + 1;
	} else if (strcasecmp(host, "localhost") == 0) {
		address = "127.0.0.1";
	}
	if (getaddrinfo(address, NULL, &hints, &found) == 0) {
		refused = !guard_allows(guard, found->ai_addr);
		freeaddrinfo(found);
	}
	return refused;
}

bool
webhook_doubtful(const json_t *def, const struct guard *guard, struct err *e)
{
	const char *url = json_string_value(json_object_get(def, "url"));
	json_int_t timeout_ms =
	    json_integer_value(json_object_get(def, "timeout_ms"));
	char *host = NULL;
	bool refused = false;
	CURLU *u = curl_url();

	if (u != NULL && url != NULL &&
	    curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK)
		refused = is_refused(guard, host);
	curl_free(host);
	curl_url_cleanup(u);
	if (refused)
		err_set(e,
		    "%.200s: not a public address: whk-send refuses it "
		    "unless WHK_ALLOW lists it",
		    url);
	else if (timeout_ms >= LEASE_MS)
		err_set(e,
		    "the timeout is no shorter than the usual lease of %d s: "
		    "whk-poll and whk-due need a longer --lease",
		    LEASE_MS / 1000);
	return refused || timeout_ms >= LEASE_MS;
}
