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

static struct curl_slist *receive, *delete;

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
ask(struct multi *m, struct connection *c, struct curl_slist *headers)
{
	c->len = 0;
	c->answer[0] = '\0';
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, c->request);
	curl_multi_add_handle(m->curl, c->easy);
}

/* What whk-poll asks for. */
static void
ask_for_messages(struct multi *m, struct connection *c, const char *queue)
{
	snprintf(c->request, sizeof(c->request),
	    "{\"QueueUrl\":\"%s\",\"MaxNumberOfMessages\":10,"
	    "\"WaitTimeSeconds\":1,\"MessageAttributeNames\":[\"All\"],"
	    "\"AttributeNames\":[\"SentTimestamp\","
	    "\"ApproximateReceiveCount\",\"MessageGroupId\"]}",
	    queue);
	ask(m, c, receive);
}

/* Deletes what the answer brought. Returns how many that is. */
static long
ask_to_delete(struct multi *m, struct connection *c, const char *queue)
{
	static const char key[] = "\"ReceiptHandle\"";
	const char *at = c->answer, *end;
	size_t len;
	long n = 0;

	len = (size_t)snprintf(c->request, sizeof(c->request),
	    "{\"QueueUrl\":\"%s\",\"Entries\":[", queue);
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
		ask(m, c, delete);
	}
	return n;
}

static struct curl_slist *
headers(const char *target)
{
	struct curl_slist *list = curl_slist_append(NULL, target);

	return curl_slist_append(
	    list, "content-type: application/x-amz-json-1.0");
}

static void
new_connection(struct multi *m, const struct figures *f)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (c == NULL)
		figures_die("no memory");
	c->size = TEN * ((size_t)f->body_len * 2 + 4096);
	c->answer = malloc(c->size);
	if (c->answer == NULL)
		figures_die("no memory");
	c->easy = multi_easy(f->url, NULL);
	curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
	ask_for_messages(m, c, f->url);
}

int
main(int argc, char **argv)
{
	struct figures f = {.name = "take"};
	struct multi m;
	CURL *easy;
	long status;

	figures_begin(&f, argc, argv);
	multi_init(&m, f.in_flight);
	receive = headers("x-amz-target: AmazonSQS.ReceiveMessage");
	delete = headers("x-amz-target: AmazonSQS.DeleteMessageBatch");
	for (long i = 0; i < f.in_flight; i++)
		new_connection(&m, &f);
	while (f.ok < f.count) {
		multi_turn(&m, INFINITY);
		while ((easy = multi_done(&m, &status)) != NULL) {
			struct connection *c;

			curl_easy_getinfo(easy, CURLINFO_PRIVATE, &c);
			if (status != 200)
				figures_die("the queue refused");
			f.ok += c->has;
			c->has = c->has > 0 ? 0 : ask_to_delete(&m, c, f.url);
			if (c->has == 0)
				ask_for_messages(&m, c, f.url);
		}
	}
	return figures_end(&f);
}
