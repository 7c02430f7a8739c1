/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "sqs-json.h"

/* Codes of SQS ("Common Error Types") and of its compatible servers. */
static const struct meaning {
	const char *code;  /* a * at the end stands for any further letters */
	const char *words; /* NULL: the code says it itself */
	bool temporary;
} meanings[] = {
    {"QueueDoesNotExist", "there is no such queue", false},
    {"AWS.SimpleQueueService.NonExistentQueue", "there is no such queue",
	false},
    {"AccessDenied*", "access denied", false},
    {"InvalidClientTokenId", "the access key is not known", false},
    {"UnrecognizedClient*", "the access key is not known", false},
    {"InvalidAccessKeyId", "the access key is not known", false},
    {"SignatureDoesNotMatch",
	"the signature is refused: check the secret key and the clock", false},
    {"InvalidSignature*",
	"the signature is refused: check the secret key and the clock", false},
    {"RequestExpired", "the signature is too old: check the clock", false},
    {"ExpiredToken*", "the session token has expired", false},
    {"MissingAuthenticationToken*", "credentials are needed", false},
    {"Throttl*", "throttled", true},
    {"RequestThrottled*", "throttled", true},
    {"TooManyRequests*", "throttled", true},
    {"KmsThrottled", "throttled", true},
    {"SlowDown", "throttled", true},
    {"OverLimit", "too many messages are in flight", true},
    {"ServiceUnavailable*", NULL, true},
    {"InternalFailure", NULL, true},
    {"InternalError", NULL, true},
    {"InternalServerError", NULL, true},
    {"RequestTimeout*", NULL, true},
};

static bool
matches(const char *pattern, const char *code)
{
	size_t len = strcspn(pattern, "*");

	return strncmp(pattern, code, len) == 0 &&
	    (pattern[len] == '*' || code[len] == '\0');
}

static const struct meaning *
find(const char *code)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (matches(meanings[i].code, code))
			return &meanings[i];
	return NULL;
}

/* The error's name: what follows the # in "com.amazonaws.sqs#Name". */
static const char *
code_of(const json_t *root)
{
	const char *type = json_string_value(json_object_get(root, "__type"));
	const char *hash;

	if (type == NULL)
		return NULL;
	hash = strrchr(type, '#');
	return hash == NULL ? type : hash + 1;
}

static const char *
message_of(const json_t *root)
{
	const char *s = json_string_value(json_object_get(root, "message"));

	if (s == NULL)
		s = json_string_value(json_object_get(root, "Message"));
	return s == NULL ? "" : s;
}

/* "WORDS (CODE: MESSAGE)" with what there is of them. */
static void
tell(const char *words, const char *code, const char *message, struct err *e)
{
	int len = (int)strlen(message);

	if (len > 0 && message[len - 1] == '.')
		len--;
	if (len > 300)
		len = 300;
	err_set(e, "%s%s%s%s%.*s%s", words == NULL ? "" : words,
	    words == NULL ? "" : " (", code, len > 0 ? ": " : "", len, message,
	    words == NULL ? "" : ")");
}

int
sqs_json_error(int status, const char *text, size_t len, struct err *e)
{
	json_t *root = json_loadb(text, len, 0, NULL);
	const char *code = code_of(root);
	const struct meaning *meaning;
	bool temporary = status >= 500 || status == 429 || status == 408;

	if (code == NULL || *code == '\0') {
		err_set(
		    e, "status %d, and the answer is not one of SQS", status);
	} else {
		meaning = find(code);
		tell(meaning == NULL ? NULL : meaning->words, code,
		    message_of(root), e);
		temporary =
		    temporary || (meaning != NULL && meaning->temporary);
	}
	if (e != NULL)
		e->temporary = temporary;
	json_decref(root);
	return -1;
}
