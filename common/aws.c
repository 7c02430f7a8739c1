/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws.h"
#include "aws-profile.h"

static int
env_keep(char **to, const char *name, struct err *e)
{
	const char *value = aws_env(name);

	return value == NULL || *to != NULL ? 0 : aws_keep(to, value, name, e);
}

/* Moves a value out of p, if it has one and *to has none yet. */
static void
take(char **to, struct aws_profile *p, enum aws_key key)
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
refuse_key(struct aws *a, const struct aws_profile *p, enum aws_key key,
    const char *what, struct err *e)
{
	char words[128];

	if (p->values[key] == NULL)
		return 0;
	snprintf(words, sizeof(words), "%s (%s)", what, aws_key_names[key]);
	return refuse(a, e, p->path, p->name, words);
}

/* The key pair of one file; half of one is an error. */
static int
take_keys(struct aws *a, struct aws_profile *p, struct err *e)
{
	if (a->key != NULL || a->refused != NULL)
		return 0;
	take(&a->key, p, AWS_KEY_ID);
	take(&a->secret, p, AWS_KEY_SECRET);
	take(&a->token, p, AWS_KEY_TOKEN);
	if ((a->key == NULL) == (a->secret == NULL))
		return 0;
	return err_set(e, "%s: profile %s: %s without %s", p->path, p->name,
	    aws_key_names[a->key != NULL ? AWS_KEY_ID : AWS_KEY_SECRET],
	    aws_key_names[a->key != NULL ? AWS_KEY_SECRET : AWS_KEY_ID]);
}

/*
 * In the AWS CLI's order: a role and SSO go before keys, a process after
 * those of the credentials file.
 */
static int
profile_keys(struct aws *a, struct aws_profile *config,
    struct aws_profile *shared, struct err *e)
{
	struct aws_profile *both[] = {config, shared};

	for (size_t i = 0; i < 2; i++)
		if (refuse_key(a, both[i], AWS_KEY_WEB, "a web identity", e) ||
		    refuse_key(a, both[i], AWS_KEY_ROLE, "a role", e) ||
		    refuse_key(a, both[i], AWS_KEY_SSO_SESSION, "SSO", e) ||
		    refuse_key(a, both[i], AWS_KEY_SSO_URL, "SSO", e))
			return -1;
	if (take_keys(a, shared, e) == -1)
		return -1;
	for (size_t i = 0; i < 2 && a->key == NULL; i++)
		if (refuse_key(a, both[i], AWS_KEY_PROCESS, "a process", e) ==
		    -1)
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
load_keys(struct aws *a, struct aws_profile *config, struct aws_profile *shared,
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
	if (aws_env(web) != NULL &&
	    refuse(a, e, web, NULL, "a web identity") == -1)
		return -1;
	if (profile_keys(a, config, shared, e) == -1)
		return -1;
	for (size_t i = 0; i < 2 && a->key == NULL; i++)
		if (aws_env(container[i]) != NULL &&
		    refuse(a, e, container[i], NULL,
			"a container's credentials") == -1)
			return -1;
	return 0;
}

static int
load_endpoint(struct aws *a, struct aws_profile *config,
    struct aws_profile *shared, struct err *e)
{
	const char *ignore = aws_env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");

	if (ignore != NULL && strcasecmp(ignore, "true") == 0)
		return 0;
	if (env_keep(&a->endpoint, "AWS_ENDPOINT_URL_SQS", e) == -1 ||
	    env_keep(&a->endpoint, "AWS_ENDPOINT_URL", e) == -1)
		return -1;
	if (a->endpoint == NULL) {
		a->endpoint = config->sqs_endpoint;
		config->sqs_endpoint = NULL;
	}
	take(&a->endpoint, shared, AWS_KEY_ENDPOINT);
	take(&a->endpoint, config, AWS_KEY_ENDPOINT);
	return 0;
}

static int
load_region(struct aws *a, struct aws_profile *config,
    struct aws_profile *shared, struct err *e)
{
	if (env_keep(&a->region, "AWS_REGION", e) == -1 ||
	    env_keep(&a->region, "AWS_DEFAULT_REGION", e) == -1)
		return -1;
	take(&a->region, shared, AWS_KEY_REGION);
	take(&a->region, config, AWS_KEY_REGION);
	return 0;
}

int
aws_load(struct aws *a, struct err *e)
{
	const char *name = aws_env("AWS_PROFILE");
	struct aws_profile config = {.is_config = true}, shared = {0};
	int rc = -1;

	*a = (struct aws){0};
	config.name = shared.name = name == NULL ? "default" : name;
	if (aws_profile_load(&config, e) == -1 ||
	    aws_profile_load(&shared, e) == -1)
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
	aws_profile_free(&config);
	aws_profile_free(&shared);
	if (rc == -1)
		aws_free(a);
	return rc;
}

void
aws_free(struct aws *a)
{
	free(a->region);
	free(a->endpoint);
	aws_wipe(a->key);
	aws_wipe(a->secret);
	aws_wipe(a->token);
	free(a->refused);
	*a = (struct aws){0};
}
