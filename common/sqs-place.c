/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "sqs-place.h"
#include "sqs-url.h"

/* The region that is signed for where a server of one's own has none. */
#define OTHER_REGION "us-east-1"

/* Sets the endpoint, and the URL if the queue is given by it. */
static int
locate(struct sqs_place *p, const char *queue, struct err *e)
{
	if (strstr(queue, "://") != NULL) {
		if (sqs_url_check("queue", queue, e) == -1)
			return -1;
		p->url = strdup(queue);
		p->endpoint = p->url == NULL ? NULL : sqs_url_base(queue);
	} else if (sqs_url_check_name(queue, e) == -1) {
		return -1;
	} else if (p->aws.endpoint != NULL) {
		if (sqs_url_check("endpoint", p->aws.endpoint, e) == -1)
			return -1;
		p->endpoint = sqs_url_endpoint(p->aws.endpoint);
	} else if (p->aws.region == NULL) {
		return err_set(e,
		    "queue %s: a name needs AWS_REGION or "
		    "AWS_ENDPOINT_URL; or give the queue's URL",
		    queue);
	} else {
		p->endpoint = sqs_url_amazon(p->aws.region);
	}
	return p->endpoint == NULL ? err_set(e, "out of memory") : 0;
}

/* Decides whether and how requests are signed. */
static int
identify(struct sqs_place *p, struct err *e)
{
	bool amazon = sqs_url_region(p->endpoint, p->region, sizeof(p->region));

	if (amazon && p->aws.key == NULL)
		return err_set(e, "queue %s: no credentials: %s", p->name,
		    p->aws.refused != NULL ? p->aws.refused
					   : "set AWS_ACCESS_KEY_ID and "
					     "AWS_SECRET_ACCESS_KEY, or a "
					     "profile");
	if (p->region[0] == '\0')
		strlcpy(p->region,
		    p->aws.region != NULL ? p->aws.region
			: amazon          ? ""
					  : OTHER_REGION,
		    sizeof(p->region));
	if (p->region[0] == '\0')
		return err_set(
		    e, "queue %s: no region: set AWS_REGION", p->name);
	p->sign = p->aws.key != NULL;
	if (p->sign && !sqs_url_signable(p->endpoint))
		return err_set(e,
		    "%s: requests to such a path cannot be signed",
		    p->endpoint);
	p->sigv4 = (struct http_sigv4){.region = p->region,
	    .service = "sqs",
	    .key = p->aws.key,
	    .secret = p->aws.secret,
	    .token = p->aws.token};
	return 0;
}

int
sqs_place_init(struct sqs_place *p, const char *queue, struct err *e)
{
	*p = (struct sqs_place){0};
	p->name = strdup(queue);
	if (p->name == NULL)
		err_set(e, "out of memory");
	else if (aws_load(&p->aws, e) == 0 && locate(p, queue, e) == 0 &&
	    identify(p, e) == 0)
		return 0;
	sqs_place_free(p);
	return -1;
}

void
sqs_place_free(struct sqs_place *p)
{
	aws_free(&p->aws);
	free(p->endpoint);
	free(p->name);
	free(p->url);
	*p = (struct sqs_place){0};
}
