/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sqs-url.h"

#define NAME_CHARACTERS                                                        \
	"abcdefghijklmnopqrstuvwxyz"                                           \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

/* The part of a URL from its host on, or NULL if it is not http or https. */
static const char *
authority(const char *url)
{
	if (strncasecmp(url, "https://", 8) == 0)
		return url + 8;
	if (strncasecmp(url, "http://", 7) == 0)
		return url + 7;
	return NULL;
}

int
sqs_url_check(const char *what, const char *url, struct err *e)
{
	const char *host = authority(url);

	if (host == NULL)
		return err_set(
		    e, "%s: %s: not an http or https URL", what, url);
	if (strcspn(host, "/:") == 0)
		return err_set(e, "%s: %s: no host", what, url);
	for (const char *p = url; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return err_set(e,
			    "%s: %s: has a character that a URL "
			    "has not",
			    what, url);
	if (strpbrk(host, "@?#") != NULL)
		return err_set(e, "%s: has a user, query or fragment", what);
	return 0;
}

static bool
ends_with(const char *s, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && strncasecmp(s + len - n, end, n) == 0;
}

bool
sqs_url_region(const char *url, char *region, size_t size)
{
	const char *host = authority(url), *label, *before = "us-east-1";
	size_t len = strcspn(host, ":/"), n, before_len = 9;

	if (!ends_with(host, len, ".amazonaws.com") &&
	    !ends_with(host, len, ".amazonaws.com.cn") &&
	    !ends_with(host, len, ".api.aws"))
		return false;
	*region = '\0';
	for (label = host; label < host + len; label += n + 1) {
		n = strcspn(label, ".:/");
		if (strncasecmp(label, "sqs.", 4) == 0 ||
		    strncasecmp(label, "sqs-fips.", 9) == 0) {
			label += n + 1;
			n = strcspn(label, ".:/");
			if (label + n < host + len &&
			    strncasecmp(label, "amazonaws.", 10) != 0)
				snprintf(region, size, "%.*s", (int)n, label);
			break;
		}
		if (strncasecmp(label, "queue.", 6) == 0) {
			snprintf(region, size, "%.*s", (int)before_len, before);
			break;
		}
		before = label;
		before_len = n;
	}
	return true;
}

char *
sqs_url_base(const char *url)
{
	size_t origin = (size_t)(authority(url) - url), len = strlen(url);
	char *base;

	origin += strcspn(url + origin, "/");
	for (int segments = 0; segments < 2 && len > origin; segments++)
		while (len > origin && url[--len] != '/')
			;
	if (asprintf(&base, "%.*s/", (int)len, url) == -1)
		return NULL;
	return base;
}

char *
sqs_url_amazon(const char *region)
{
	const char *cn = strncmp(region, "cn-", 3) == 0 ? ".cn" : "";
	char *url;

	if (asprintf(&url, "https://sqs.%s.amazonaws.com%s/", region, cn) == -1)
		return NULL;
	return url;
}

int
sqs_url_check_name(const char *name, struct err *e)
{
	size_t len = strspn(name, NAME_CHARACTERS);

	if (len > 0 && strlen(name) <= 80 &&
	    (name[len] == '\0' || strcmp(name + len, ".fifo") == 0))
		return 0;
	return err_set(e, "%s: neither a queue's URL nor its name", name);
}

char *
sqs_url_endpoint(const char *url)
{
	size_t len = strlen(url);
	char *endpoint;

	while (url[len - 1] == '/')
		len--;
	if (asprintf(&endpoint, "%.*s/", (int)len, url) == -1)
		return NULL;
	return endpoint;
}

bool
sqs_url_signable(const char *url)
{
	const char *path = strchr(authority(url), '/');

	if (path == NULL)
		return true;
	return strstr(path, "//") == NULL && strstr(path, "/.") == NULL &&
	    path[strspn(path, "/" NAME_CHARACTERS ".~")] == '\0';
}
