/* SPDX-License-Identifier: ISC */
/* webhook-signature headers and secrets, as anyone may send them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
verify(const char *secret, const char *header)
{
	struct sign_key *key = sign_key_new(secret, NULL);

	if (key == NULL)
		return;
	sign_verify(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
	    "{\"test\": 2432232314}", 20, header);
	sign_key_free(key);
}

/* The input is a header, and a secret if a line break comes before it. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *header;

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	header = strchr(text, '\n');
	if (header != NULL) {
		*header++ = '\0';
		verify(text, header);
	} else {
		header = text;
	}
	verify("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", header);
	verify("whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=", header);
	free(text);
	return 0;
}
