/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "aws.h"

/* Every variable that aws_load() looks at. */
static const char *const variables[] = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
};

static char directory[] = "/tmp/whk-aws-XXXXXX";
static char config[64], credentials[64];

static void
write_file(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(len, fwrite(text, 1, len, f));
	assert_int_equal(0, fclose(f));
}

static void
put(const char *path, const char *text)
{
	write_file(path, text, strlen(text));
}

static int
set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	snprintf(config, sizeof(config), "%s/config", directory);
	snprintf(credentials, sizeof(credentials), "%s/credentials", directory);
	setenv("AWS_CONFIG_FILE", config, 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", credentials, 1);
	unlink(config);
	unlink(credentials);
	return 0;
}

static struct aws
load(void)
{
	struct aws a;
	struct err e = {0};

	if (aws_load(&a, &e) == -1)
		fail_msg("%s", e.msg);
	return a;
}

/* That loading fails with a message that has the words in it. */
static void
assert_wrong(const char *words)
{
	struct aws a;
	struct err e = {0};

	assert_int_equal(-1, aws_load(&a, &e));
	if (strstr(e.msg, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, e.msg);
	assert_null(strstr(e.msg, "hush"));
	assert_null(a.secret);
}

static void
assert_refused(const char *words)
{
	struct aws a = load();

	assert_null(a.key);
	assert_non_null(a.refused);
	if (strstr(a.refused, words) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", words, a.refused);
	aws_free(&a);
}

static void
test_nothing(void **state)
{
	struct aws a = load();

	(void)state;
	assert_null(a.key);
	assert_null(a.secret);
	assert_null(a.region);
	assert_null(a.endpoint);
	assert_null(a.refused);
	aws_free(&a);
}

static void
test_environment(void **state)
{
	struct aws a;

	(void)state;
	put(credentials,
	    "[default]\naws_access_key_id = other\n"
	    "aws_secret_access_key = other\n");
	setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "hush", 1);
	setenv("AWS_SESSION_TOKEN", "token", 1);
	setenv("AWS_DEFAULT_REGION", "eu-west-1", 1);
	setenv("AWS_ENDPOINT_URL", "http://all", 1);
	a = load();
	assert_string_equal("AKID", a.key);
	assert_string_equal("hush", a.secret);
	assert_string_equal("token", a.token);
	assert_string_equal("eu-west-1", a.region);
	assert_string_equal("http://all", a.endpoint);
	aws_free(&a);
	setenv("AWS_REGION", "eu-west-2", 1);
	setenv("AWS_ENDPOINT_URL_SQS", "http://sqs", 1);
	a = load();
	assert_string_equal("eu-west-2", a.region);
	assert_string_equal("http://sqs", a.endpoint);
	aws_free(&a);
}

static void
test_half(void **state)
{
	(void)state;
	setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
	assert_wrong("AWS_SECRET_ACCESS_KEY is not");
	unsetenv("AWS_ACCESS_KEY_ID");
	setenv("AWS_SECRET_ACCESS_KEY", "hush", 1);
	assert_wrong("AWS_ACCESS_KEY_ID is not");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	put(credentials, "[default]\naws_secret_access_key = hush\n");
	assert_wrong("aws_secret_access_key without aws_access_key_id");
	setenv("AWS_ACCESS_KEY_ID", "AK\nID", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "hush", 1);
	assert_wrong("AWS_ACCESS_KEY_ID: has a control character");
}

static void
test_profiles(void **state)
{
	struct aws a;

	(void)state;
	put(config,
	    "# a comment\n; another\n"
	    "[default]\nregion = us-east-1\n"
	    "[preview]\nregion = no\n"
	    "[profile dev]\nRegion: eu-central-1\n"
	    "s3 =\n  region = no\n  aws_access_key_id = no\n"
	    "output = json\n\n"
	    "[profile \"two words\"]\n  region = ap-south-1\n"
	    "  output = json\n");
	put(credentials,
	    "[default]\r\naws_access_key_id = K1\r\n"
	    "aws_secret_access_key = hush1\r\n"
	    "[dev]\naws_access_key_id=K2\n"
	    "aws_secret_access_key=a=b;c # d\n"
	    "aws_session_token = T2");
	a = load();
	assert_string_equal("us-east-1", a.region);
	assert_string_equal("K1", a.key);
	assert_string_equal("hush1", a.secret);
	assert_null(a.token);
	aws_free(&a);
	setenv("AWS_PROFILE", "dev", 1);
	a = load();
	assert_string_equal("eu-central-1", a.region);
	assert_string_equal("K2", a.key);
	assert_string_equal("a=b;c # d", a.secret);
	assert_string_equal("T2", a.token);
	aws_free(&a);
	setenv("AWS_PROFILE", "two words", 1);
	a = load();
	assert_string_equal("ap-south-1", a.region);
	assert_null(a.key);
	aws_free(&a);
	setenv("AWS_PROFILE", "preview", 1);
	assert_wrong("no profile preview");
}

static void
test_keys_in_config(void **state)
{
	struct aws a;

	(void)state;
	put(config,
	    "[profile default]\naws_access_key_id = K1\n"
	    "aws_secret_access_key = hush\n");
	a = load();
	assert_string_equal("K1", a.key);
	aws_free(&a);
}

static void
test_endpoints(void **state)
{
	struct aws a;

	(void)state;
	put(config,
	    "[default]\nendpoint_url = http://all\n"
	    "services = mine\n"
	    "[services other]\nsqs =\n  endpoint_url = http://no\n"
	    "[services mine]\ns3 =\n  endpoint_url = http://no\n"
	    "sqs =\n\n  # a comment\n  endpoint_url = http://sqs\n");
	a = load();
	assert_string_equal("http://sqs", a.endpoint);
	aws_free(&a);
	setenv("AWS_ENDPOINT_URL", "http://env", 1);
	a = load();
	assert_string_equal("http://env", a.endpoint);
	aws_free(&a);
	setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
	a = load();
	assert_null(a.endpoint);
	aws_free(&a);
	unsetenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
	unsetenv("AWS_ENDPOINT_URL");
	put(config, "[default]\nendpoint_url = http://all\n");
	a = load();
	assert_string_equal("http://all", a.endpoint);
	aws_free(&a);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
	    {"sso_session = corp\n", "profile dev: SSO (sso_session)"},
	    {"sso_start_url = https://x\n", "profile dev: SSO"},
	    {"role_arn = arn:aws:iam::1:role/r\nsource_profile = x\n",
		"profile dev: a role (role_arn)"},
	    {"credential_process = /bin/true\n", "profile dev: a process"},
	    {"web_identity_token_file = /x\n", "profile dev: a web identity"},
	};
	char text[256];

	(void)state;
	setenv("AWS_PROFILE", "dev", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(
		    text, sizeof(text), "[profile dev]\n%s", cases[i].text);
		put(config, text);
		assert_refused(cases[i].words);
		assert_refused(config);
	}
	/* A role goes before keys, a process after them. */
	put(credentials,
	    "[dev]\naws_access_key_id = K\n"
	    "aws_secret_access_key = hush\n");
	put(config, "[profile dev]\nrole_arn = r\n");
	assert_refused("a role");
	put(config, "[profile dev]\ncredential_process = x\n");
	struct aws a = load();
	assert_string_equal("K", a.key);
	assert_null(a.refused);
	aws_free(&a);
}

static void
test_refused_environment(void **state)
{
	(void)state;
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://x", 1);
	assert_refused("a container's credentials");
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/x", 1);
	assert_refused("a web identity");
}

static void
test_bad_files(void **state)
{
	(void)state;
	put(config, "region = x\n");
	assert_wrong("line 1: before any section");
	put(config, "[default]\n\nnonsense\n");
	assert_wrong("line 3: no key = value");
	put(config, "[]\n");
	assert_wrong("line 1: no section name");
	put(config, "[default\n");
	assert_wrong("line 1: no section name");
	put(config, "[default]\n= x\n");
	assert_wrong("line 2");
	write_file(config, "[default]\nregion = a\0b\n", 23);
	assert_wrong("NUL");
	put(config, "[default]\nregion = a\x01\n");
	assert_wrong("profile default: region: has a control character");
	put(config, "[default]\naws_secret_access_key = hush\n  hush\n");
	assert_wrong("aws_secret_access_key: goes over several lines");
	unlink(config);
	setenv("AWS_CONFIG_FILE", directory, 1);
	assert_wrong("directory");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_nothing, set_up),
	    cmocka_unit_test_setup(test_environment, set_up),
	    cmocka_unit_test_setup(test_half, set_up),
	    cmocka_unit_test_setup(test_profiles, set_up),
	    cmocka_unit_test_setup(test_keys_in_config, set_up),
	    cmocka_unit_test_setup(test_endpoints, set_up),
	    cmocka_unit_test_setup(test_refused, set_up),
	    cmocka_unit_test_setup(test_refused_environment, set_up),
	    cmocka_unit_test_setup(test_bad_files, set_up),
	};
	int failed;

	if (mkdtemp(directory) == NULL)
		return 1;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	set_up(NULL);
	rmdir(directory);
	return failed;
}
