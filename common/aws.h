/* SPDX-License-Identifier: ISC */
#ifndef WHK_AWS_H
#define WHK_AWS_H

#include "err.h"

/*
 * Region, endpoint and credentials, found as the AWS CLI finds them:
 * environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
 * AWS_REGION, AWS_DEFAULT_REGION, AWS_PROFILE, AWS_ENDPOINT_URL_SQS,
 * AWS_ENDPOINT_URL), then the profile in the shared credentials and config
 * files (AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE). SSO, role chains,
 * credential_process and web identities are refused with a clear word.
 */
struct aws {
	char *region;	/* NULL: none found */
	char *endpoint; /* NULL: Amazon's own */
	char *key, *secret, *token; /* NULL: no credentials; requests go
				       unsigned, which ElasticMQ and whk-mq
				       take */
};

/* Returns 0, or -1 with *e. aws_free() wipes and frees what it holds. */
int aws_load(struct aws *a, struct err *e);
void aws_free(struct aws *a);

#endif
