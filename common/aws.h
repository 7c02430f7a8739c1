/* SPDX-License-Identifier: ISC */
#ifndef WHK_AWS_H
#define WHK_AWS_H

#include "err.h"

/*
 * Region, endpoint and credentials, found as the AWS CLI finds them:
 * environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
 * AWS_REGION, AWS_DEFAULT_REGION, AWS_PROFILE, AWS_ENDPOINT_URL_SQS,
 * AWS_ENDPOINT_URL, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS), then the profile in
 * the shared credentials and config files (AWS_SHARED_CREDENTIALS_FILE,
 * AWS_CONFIG_FILE). An empty variable is one that is not set. SSO, roles,
 * credential_process, web identities and a container's credentials are
 * refused with a clear word.
 */
struct aws {
	char *region;               /* NULL: none found */
	char *endpoint;             /* NULL: Amazon's own */
	char *key, *secret, *token; /* NULL: no credentials; requests go
				       unsigned, which ElasticMQ and whk-mq
				       take */
	char *refused; /* NULL, or why there are no credentials although
			  some are configured: names profile and file. An
			  error only where a signature is needed, so that a
			  queue of one's own can be used beside it */
};

/*
 * Returns 0, or -1 with *e: half credentials, a profile that AWS_PROFILE
 * names and no file has, a file that cannot be read or parsed, a value with a
 * control character. aws_free() wipes and frees what the struct holds.
 */
int aws_load(struct aws *a, struct err *e);
void aws_free(struct aws *a);

#endif
