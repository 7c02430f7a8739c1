/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "aws.h"
#include "ini.h"

/* No such file is larger than this, in bytes. */
#define FILE_MAX_SIZE (1 << 20)

enum key {
	KEY_ID,
	KEY_SECRET,
	KEY_TOKEN,
	KEY_REGION,
	KEY_ENDPOINT,
	KEY_SERVICES,
	KEY_SSO_SESSION,
	KEY_SSO_URL,
	KEY_ROLE,
	KEY_WEB,
	KEY_PROCESS,
	KEY_COUNT
};

static const char *const key_names[KEY_COUNT] = {
    [KEY_ID] = "aws_access_key_id",
    [KEY_SECRET] = "aws_secret_access_key",
    [KEY_TOKEN] = "aws_session_token",
    [KEY_REGION] = "region",
    [KEY_ENDPOINT] = "endpoint_url",
    [KEY_SERVICES] = "services",
    [KEY_SSO_SESSION] = "sso_session",
    [KEY_SSO_URL] = "sso_start_url",
    [KEY_ROLE] = "role_arn",
    [KEY_WEB] = "web_identity_token_file",
    [KEY_PROCESS] = "credential_process",
};

/* One profile as one file has it. */
struct profile {
	char *path;
	const char *name;
	bool is_config; /* sections are named "profile NAME" there */
	bool found;
	char *values[KEY_COUNT];
	const char *services; /* the services section to look into, or NULL */
	char *sqs_endpoint;   /* what it says */
	struct err *e;
};

static void
wipe(char *s)
{
	if (s != NULL)
		freezero(s, strlen(s));
}

/* A variable of the environment; an empty one is none. */
static const char *
env(const char *name)
{
	const char *s = getenv(name);

	return s == NULL || *s == '\0' ? NULL : s;
}

/* Puts a copy of value into *to; what says where it comes from. */
static int
keep(char **to, const char *value, const char *what, struct err *e)
{
	for (const char *p = value; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == '\x7f')
			return err_set(e, "%s: has a control character", what);
	wipe(*to);
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
is_profile(const struct profile *p, const char *section)
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
	struct profile *p = arg;
	char what[128];

	if (!is_profile(p, section))
		return 0;
	p->found = true;
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (strcmp(key, key_names[i]) != 0)
			continue;
		snprintf(what, sizeof(what), "profile %s: %s", p->name, key);
		if (sub != NULL)
			return err_set(
			    p->e, "%s: goes over several lines", what);
		return keep(&p->values[i], value, what, p->e);
	}
	return 0;
}

/* Takes sqs' endpoint_url of the section that a profile's services names. */
static int
services_pair(void *arg, const char *section, const char *key, const char *sub,
    const char *value)
{
	struct profile *p = arg;

	if (!section_is(section, "services", p->services) ||
	    strcmp(key, "sqs") != 0 || sub == NULL ||
	    strcasecmp(sub, "endpoint_url") != 0)
		return 0;
	return keep(&p->sqs_endpoint, value, "sqs: endpoint_url", p->e);
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
read_file(struct profile *p, ini_pair *pair, struct err *e)
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
	const char *path = env(variable), *home = env("HOME");
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

static int
profile_load(struct profile *p, struct err *e)
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
	p->services = p->values[KEY_SERVICES];
	if (p->services == NULL)
		return 0;
	return read_file(p, services_pair, e);
}

static void
profile_free(struct profile *p)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		wipe(p->values[i]);
	free(p->sqs_endpoint);
	free(p->path);
}

static int
env_keep(char **to, const char *name, struct err *e)
{
	const char *value = env(name);

	return value == NULL || *to != NULL ? 0 : keep(to, value, name, e);
}

/* Moves a value out of p, if it has one and *to has none yet. */
static void
take(char **to, struct profile *p, enum key key)
{
	if (*to != NULL || p->values[key] == NULL)
		return;
	*to = p->values[key];
	p->values[key] = NULL;
	if (**to == '\0') {
		free(*to);
		*to = NULL;
	}
}

/* Says in a->refused, once, why there are no credentials. */
static int
refuse(struct aws *a, struct err *e, const char *where, const char *profile,
    const char *what)
{
	int n;

	if (a->refused != NULL)
		return 0;
	if (profile != NULL)
		n = asprintf(&a->refused, "%s: profile %s: %s: not supported",
		    where, profile, what);
	else
		n = asprintf(&a->refused, "%s: %s: not supported", where, what);
	if (n != -1)
		return 0;
	a->refused = NULL;
	return err_set(e, "out of memory");
}

/* Refuses a profile whose value for one of the keys is set. */
static int
refuse_key(struct aws *a, const struct profile *p, enum key key,
    const char *what, struct err *e)
{
	char words[128];

	if (p->values[key] == NULL)
		return 0;
	snprintf(words, sizeof(words), "%s (%s)", what, key_names[key]);
	return refuse(a, e, p->path, p->name, words);
}

/* The key pair of one file; half of one is an error. */
static int
take_keys(struct aws *a, struct profile *p, struct err *e)
{
	if (a->key != NULL || a->refused != NULL)
		return 0;
	take(&a->key, p, KEY_ID);
	take(&a->secret, p, KEY_SECRET);
	take(&a->token, p, KEY_TOKEN);
	if ((a->key == NULL) == (a->secret == NULL))
		return 0;
	return err_set(e, "%s: profile %s: %s without %s", p->path, p->name,
	    key_names[a->key != NULL ? KEY_ID : KEY_SECRET],
	    key_names[a->key != NULL ? KEY_SECRET : KEY_ID]);
}

/*
 * In the AWS CLI's order: a role and SSO go before keys, a process after
 * those of the credentials file.
 */
static int
profile_keys(struct aws *a, struct profile *config, struct profile *shared,
    struct err *e)
{
	struct profile *both[] = {config, shared};

	for (size_t i = 0; i < 2; i++)
		if (refuse_key(a, both[i], KEY_WEB, "a web identity", e) ||
		    refuse_key(a, both[i], KEY_ROLE, "a role", e) ||
		    refuse_key(a, both[i], KEY_SSO_SESSION, "SSO", e) ||
		    refuse_key(a, both[i], KEY_SSO_URL, "SSO", e))
			return -1;
	if (take_keys(a, shared, e) == -1)
		return -1;
	for (size_t i = 0; i < 2 && a->key == NULL; i++)
		if (refuse_key(a, both[i], KEY_PROCESS, "a process", e) == -1)
			return -1;
	return take_keys(a, config, e);
}

static int
env_keys(struct aws *a, struct err *e)
{
	if (env_keep(&a->key, "AWS_ACCESS_KEY_ID", e) == -1 ||
	    env_keep(&a->secret, "AWS_SECRET_ACCESS_KEY", e) == -1)
		return -1;
	if (a->key == NULL && a->secret == NULL)
		return 0;
	if (a->key == NULL)
		return err_set(e,
		    "AWS_SECRET_ACCESS_KEY is set, but "
		    "AWS_ACCESS_KEY_ID is not");
	if (a->secret == NULL)
		return err_set(e,
		    "AWS_ACCESS_KEY_ID is set, but "
		    "AWS_SECRET_ACCESS_KEY is not");
	return env_keep(&a->token, "AWS_SESSION_TOKEN", e);
}

static int
load_keys(struct aws *a, struct profile *config, struct profile *shared,
    struct err *e)
{
	static const char *const container[] = {
	    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	    "AWS_CONTAINER_CREDENTIALS_FULL_URI"};
	static const char web[] = "AWS_WEB_IDENTITY_TOKEN_FILE";

	if (env_keys(a, e) == -1)
		return -1;
	if (a->key != NULL)
		return 0;
	if (env(web) != NULL && refuse(a, e, web, NULL, "a web identity") == -1)
		return -1;
	if (profile_keys(a, config, shared, e) == -1)
		return -1;
	for (size_t i = 0; i < 2 && a->key == NULL; i++)
		if (env(container[i]) != NULL &&
		    refuse(a, e, container[i], NULL,
			"a container's credentials") == -1)
			return -1;
	return 0;
}

static int
load_endpoint(struct aws *a, struct profile *config, struct profile *shared,
    struct err *e)
{
	const char *ignore = env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");

	if (ignore != NULL && strcasecmp(ignore, "true") == 0)
		return 0;
	if (env_keep(&a->endpoint, "AWS_ENDPOINT_URL_SQS", e) == -1 ||
	    env_keep(&a->endpoint, "AWS_ENDPOINT_URL", e) == -1)
		return -1;
	if (a->endpoint == NULL) {
		a->endpoint = config->sqs_endpoint;
		config->sqs_endpoint = NULL;
	}
	take(&a->endpoint, shared, KEY_ENDPOINT);
	take(&a->endpoint, config, KEY_ENDPOINT);
	return 0;
}

static int
load_region(struct aws *a, struct profile *config, struct profile *shared,
    struct err *e)
{
	if (env_keep(&a->region, "AWS_REGION", e) == -1 ||
	    env_keep(&a->region, "AWS_DEFAULT_REGION", e) == -1)
		return -1;
	take(&a->region, shared, KEY_REGION);
	take(&a->region, config, KEY_REGION);
	return 0;
}

int
aws_load(struct aws *a, struct err *e)
{
	const char *name = env("AWS_PROFILE");
	struct profile config = {.is_config = true}, shared = {0};
	int rc = -1;

	*a = (struct aws){0};
	config.name = shared.name = name == NULL ? "default" : name;
	if (profile_load(&config, e) == -1 || profile_load(&shared, e) == -1)
		goto out;
	if (name != NULL && !config.found && !shared.found &&
	    strcmp(name, "default") != 0) {
		err_set(e, "AWS_PROFILE: no profile %s in %s or %s", name,
		    config.path, shared.path);
		goto out;
	}
	if (load_keys(a, &config, &shared, e) == -1 ||
	    load_endpoint(a, &config, &shared, e) == -1 ||
	    load_region(a, &config, &shared, e) == -1)
		goto out;
	rc = 0;
out:
	profile_free(&config);
	profile_free(&shared);
	if (rc == -1)
		aws_free(a);
	return rc;
}

void
aws_free(struct aws *a)
{
	free(a->region);
	free(a->endpoint);
	wipe(a->key);
	wipe(a->secret);
	wipe(a->token);
	free(a->refused);
	*a = (struct aws){0};
}
