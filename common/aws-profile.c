/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "aws-profile.h"
#include "ini.h"

/* No such file is larger than this, in bytes. */
#define FILE_MAX_SIZE (1 << 20)

const char *const aws_key_names[AWS_KEY_COUNT] = {
    [AWS_KEY_ID] = "aws_access_key_id",
    [AWS_KEY_SECRET] = "aws_secret_access_key",
    [AWS_KEY_TOKEN] = "aws_session_token",
    [AWS_KEY_REGION] = "region",
    [AWS_KEY_ENDPOINT] = "endpoint_url",
    [AWS_KEY_SERVICES] = "services",
    [AWS_KEY_SSO_SESSION] = "sso_session",
    [AWS_KEY_SSO_URL] = "sso_start_url",
    [AWS_KEY_ROLE] = "role_arn",
    [AWS_KEY_WEB] = "web_identity_token_file",
    [AWS_KEY_PROCESS] = "credential_process",
};

void
aws_wipe(char *s)
{
	if (s != NULL)
		freezero(s, strlen(s));
}

const char *
aws_env(const char *name)
{
	const char *s = getenv(name);

	return s == NULL || *s == '\0' ? NULL : s;
}

int
aws_keep(char **to, const char *value, const char *what, struct err *e)
{
	for (const char *p = value; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == '\x7f')
			return err_set(e, "%s: has a control character", what);
	aws_wipe(*to);
	*to = strdup(value);
	return *to == NULL ? err_set(e, "out of memory") : 0;
}

/* Whether section is "KIND NAME", with or without quotes around the name. */
static bool
section_is(const char *section, const char *kind, const char *name)
{
	size_t len = strlen(kind);

	if (strncmp(section, kind, len) != 0 ||
	    strspn(section + len, " \t") == 0)
		return false;
	section += len + strspn(section + len, " \t");
	len = strlen(section);
	if (len >= 2 && (*section == '"' || *section == '\'') &&
	    section[len - 1] == *section) {
		section++;
		len -= 2;
	}
	return strlen(name) == len && strncmp(section, name, len) == 0;
}

static bool
is_profile(const struct aws_profile *p, const char *section)
{
	if (!p->is_config)
		return strcmp(section, p->name) == 0;
	return section_is(section, "profile", p->name) ||
	    (strcmp(section, "default") == 0 && strcmp(p->name, section) == 0);
}

/* Takes what matters of the profile's own section. */
static int
profile_pair(void *arg, const char *section, const char *key, const char *sub,
    const char *value)
{
	struct aws_profile *p = arg;
	char what[128];

	if (!is_profile(p, section))
		return 0;
	p->found = true;
	for (size_t i = 0; i < AWS_KEY_COUNT; i++) {
		if (strcmp(key, aws_key_names[i]) != 0)
			continue;
		snprintf(what, sizeof(what), "profile %s: %s", p->name, key);
		if (sub != NULL)
			return err_set(
			    p->e, "%s: goes over several lines", what);
		return aws_keep(&p->values[i], value, what, p->e);
	}
	return 0;
}

/* Takes sqs' endpoint_url of the section that a profile's services names. */
static int
services_pair(void *arg, const char *section, const char *key, const char *sub,
    const char *value)
{
	struct aws_profile *p = arg;

	if (!section_is(section, "services", p->services) ||
	    strcmp(key, "sqs") != 0 || sub == NULL ||
	    strcasecmp(sub, "endpoint_url") != 0)
		return 0;
	return aws_keep(&p->sqs_endpoint, value, "sqs: endpoint_url", p->e);
}

/*
 * Reads a file to NUL-terminated text of *size bytes. *text stays NULL where
 * there is no such file. The file holds secrets: no stdio, no realloc.
 */
static int
slurp(const char *path, char **text, size_t *size, struct err *e)
{
	struct stat st;
	ssize_t n = 0;
	size_t len = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*text = NULL;
	if (fd == -1 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd == -1 || fstat(fd, &st) == -1)
		goto fail;
	if (st.st_size > FILE_MAX_SIZE || S_ISDIR(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EFBIG;
		goto fail;
	}
	*size = FILE_MAX_SIZE + 1;
	*text = malloc(*size);
	if (*text == NULL)
		goto fail;
	while (
	    len < *size - 1 && (n = read(fd, *text + len, *size - 1 - len)) > 0)
		len += (size_t)n;
	if (n == -1)
		goto fail;
	(*text)[len] = '\0';
	*size = len + 1;
	close(fd);
	if (strlen(*text) == len)
		return 0;
	return err_set(e, "%s: has a NUL character", path);
fail:
	err_set(e, "%s: %s", path, strerror(errno));
	if (fd != -1)
		close(fd);
	return -1;
}

/* Reads p's file once with pair; names the file in what goes wrong. */
static int
read_file(struct aws_profile *p, ini_pair *pair, struct err *e)
{
	struct err inner;
	char *text;
	size_t size = 0;
	int rc;

	rc = slurp(p->path, &text, &size, e);
	if (rc == 0 && text != NULL) {
		p->e = &inner;
		rc = ini_parse(text, pair, p, &inner);
		if (rc == -1)
			err_set(e, "%s: %s", p->path, inner.msg);
	}
	if (text != NULL)
		freezero(text, size);
	return rc;
}

/* The file's path: variable, or name under ~/.aws; "~/" is the home. */
static char *
file_path(const char *variable, const char *name)
{
	const char *path = aws_env(variable), *home = aws_env("HOME");
	char *full = NULL;
	int n;

	if (path != NULL && strncmp(path, "~/", 2) != 0)
		return strdup(path);
	if (home == NULL)
		return strdup("");
	if (path != NULL)
		n = asprintf(&full, "%s%s", home, path + 1);
	else
		n = asprintf(&full, "%s/.aws/%s", home, name);
	return n == -1 ? NULL : full;
}

int
aws_profile_load(struct aws_profile *p, struct err *e)
{
	p->path = p->is_config
	    ? file_path("AWS_CONFIG_FILE", "config")
	    : file_path("AWS_SHARED_CREDENTIALS_FILE", "credentials");
	if (p->path == NULL)
		return err_set(e, "out of memory");
	if (*p->path == '\0')
		return 0;
	if (read_file(p, profile_pair, e) == -1)
		return -1;
	p->services = p->values[AWS_KEY_SERVICES];
	if (p->services == NULL)
		return 0;
	return read_file(p, services_pair, e);
}

void
aws_profile_free(struct aws_profile *p)
{
	for (size_t i = 0; i < AWS_KEY_COUNT; i++)
		aws_wipe(p->values[i]);
	free(p->sqs_endpoint);
	free(p->path);
}
