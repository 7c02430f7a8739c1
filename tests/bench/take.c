/* SPDX-License-Identifier: ISC */
/*
 * What a client can take off a queue that does nothing with it: on each of
 * IN_FLIGHT connections a loop of ReceiveMessage for ten and DeleteMessageBatch
 * for what came, until COUNT messages are deleted.
 *
 *	take QUEUE_URL COUNT IN_FLIGHT BODY_BYTES
 */
#include "figures.h"
#include "multi.h"

#define TEN 10
#define HANDLE_MAX 1024

struct connection {
	CURL *easy;
	long has; /* messages to be deleted; 0: it receives */
	size_t len, size;
	char *answer, request[TEN * (HANDLE_MAX + 32) + 1024];
};

struct bench {
	struct figures f;
	struct multi multi;
	struct curl_slist *receive, *delete;
	long taken, busy; /* messages; connections */
};

static size_t
on_answer(char *data, size_t one, size_t len, void *arg)
{
	struct connection *c = arg;

	if (len >= c->size - c->len)
		figures_die("an answer is too long");
	memcpy(c->answer + c->len, data, len);
	c->len += len;
	c->answer[c->len] = '\0';
	return one * len;
}

static void
ask(struct bench *b, struct connection *c, struct curl_slist *headers)
{
	c->len = 0;
	c->answer[0] = '\0';
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, c->request);
	curl_multi_add_handle(b->multi.curl, c->easy);
}

/* What whk-poll asks for, but that nothing waits where there is nothing. */
static void
ask_for_messages(struct bench *b, struct connection *c)
{
	snprintf(c->request, sizeof(c->request),
	    "{\"QueueUrl\":\"%s\",\"MaxNumberOfMessages\":10,"
	    "\"WaitTimeSeconds\":0,\"MessageAttributeNames\":[\"All\"],"
	    "\"AttributeNames\":[\"SentTimestamp\","
	    "\"ApproximateReceiveCount\",\"MessageGroupId\"]}",
	    b->f.url);
	ask(b, c, b->receive);
}

/* Deletes what the answer brought. Returns how many that is. */
static long
ask_to_delete(struct bench *b, struct connection *c)
{
	static const char key[] = "\"ReceiptHandle\"";
	const char *at = c->answer, *end;
	size_t len;
	long n = 0;

	len = (size_t)snprintf(c->request, sizeof(c->request),
	    "{\"QueueUrl\":\"%s\",\"Entries\":[", b->f.url);
	while ((at = strstr(at, key)) != NULL) {
		at = strchr(at + sizeof(key) - 1, '"');
		end = at == NULL ? NULL : strchr(at + 1, '"');
		if (end == NULL || end - at > HANDLE_MAX || n == TEN)
			figures_die("an answer is not understood");
		len +=
		    (size_t)snprintf(c->request + len, sizeof(c->request) - len,
			"%s{\"Id\":\"%ld\",\"ReceiptHandle\":%.*s}",
			n == 0 ? "" : ",", n, (int)(end + 1 - at), at);
		at = end;
		n++;
	}
	if (n > 0) {
		snprintf(c->request + len, sizeof(c->request) - len, "]}");
		ask(b, c, b->delete);
	}
	return n;
}

/*
 * What is next when an answer has come; nothing when all are taken, so that
 * every request is answered and no message is lost on its way to us.
 */
static void
next(struct bench *b, struct connection *c)
{
	b->f.ok += c->has;
	c->has = c->has > 0 ? 0 : ask_to_delete(b, c);
	b->taken += c->has;
	if (c->has > 0)
		return;
	if (b->taken < b->f.count)
		ask_for_messages(b, c);
	else
		b->busy--;
}

static struct curl_slist *
headers(const char *target)
{
	struct curl_slist *list = curl_slist_append(NULL, target);

	return curl_slist_append(
	    list, "content-type: application/x-amz-json-1.0");
}

static void
begin(struct bench *b)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (c == NULL)
		figures_die("no memory");
	c->size = TEN * ((size_t)b->f.body_len * 2 + 4096);
	c->answer = malloc(c->size);
	if (c->answer == NULL)
		figures_die("no memory");
	c->easy = multi_easy(b->f.url, NULL);
	curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
	ask_for_messages(b, c);
}

int
main(int argc, char **argv)
{
	struct bench b = {.f.name = "take"};
	struct connection *c;
	CURL *easy;
	long status;

	figures_begin(&b.f, argc, argv);
	multi_init(&b.multi, b.f.in_flight);
	b.receive = headers("x-amz-target: AmazonSQS.ReceiveMessage");
	b.delete = headers("x-amz-target: AmazonSQS.DeleteMessageBatch");
	for (; b.busy < b.f.in_flight; b.busy++)
		begin(&b);
	while (b.busy > 0) {
		multi_turn(&b.multi, INFINITY);
		while ((easy = multi_done(&b.multi, &status)) != NULL) {
			if (status != 200)
				figures_die("the queue refused");
			curl_easy_getinfo(easy, CURLINFO_PRIVATE, &c);
			next(&b, c);
		}
	}
	return figures_end(&b.f);
}
