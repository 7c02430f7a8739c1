/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "http.h"
#include "sqs-json.h"
#include "sqs-place.h"

/*
 * Bytes of an answer: ten messages of which every character is escaped, or the
 * few words that all others are.
 */
#define MESSAGES_MAX (SQS_BATCH * SQS_MESSAGE_MAX * 6 + ((size_t)1 << 20))
#define ANSWER_MAX ((size_t)64 << 10)

/* Milliseconds that a request may take, a long poll's wait not counted. */
#define REQUEST_MS 10000
#define CONNECT_MS 5000

enum kind { GET_URL, RECEIVE, SEND, DELETE, DEPTH };

static const char *const headers[][2] = {
    [GET_URL] = {"content-type: application/x-amz-json-1.0",
	"x-amz-target: AmazonSQS.GetQueueUrl"},
    [RECEIVE] = {"content-type: application/x-amz-json-1.0",
	"x-amz-target: AmazonSQS.ReceiveMessage"},
    [SEND] = {"content-type: application/x-amz-json-1.0",
	"x-amz-target: AmazonSQS.SendMessageBatch"},
    [DELETE] = {"content-type: application/x-amz-json-1.0",
	"x-amz-target: AmazonSQS.DeleteMessageBatch"},
    [DEPTH] = {"content-type: application/x-amz-json-1.0",
	"x-amz-target: AmazonSQS.GetQueueAttributes"},
};

/* A request, from the call to its callback. */
struct op {
	TAILQ_ENTRY(op) next;
	struct sqs *q;
	enum kind kind;
	struct buf body; /* without the last member and brace until complete */
	bool complete;
	bool again; /* it is sent for the second time */
	int64_t timeout_ms;
	size_t count; /* of entries */
	sqs_received *received;
	sqs_finished *finished;
	sqs_measured *measured;
	void *arg;
};

TAILQ_HEAD(ops, op);

struct sqs {
	struct http *http;
	struct sqs_place place;
	EVP_MD *md5;          /* NULL where the library has none */
	struct op *resolving; /* the GET_URL under way */
	struct ops active;    /* started, resolving among them */
	struct ops waiting;   /* for the URL */
	bool busy;            /* calls callbacks of which one may free it */
	bool freed;           /* one did */
};

struct sqs *
sqs_new(struct event_base *base, struct http *http, const char *queue,
    struct err *e)
{
	struct sqs *q = calloc(1, sizeof(*q));

	(void)base;
	if (q == NULL) {
		err_set(e, "out of memory");
		return NULL;
	}
	TAILQ_INIT(&q->active);
	TAILQ_INIT(&q->waiting);
	q->http = http;
	if (sqs_place_init(&q->place, queue, e) == 0) {
		q->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
		return q;
	}
	sqs_free(q);
	return NULL;
}

static void
op_free(struct op *op)
{
	buf_free(&op->body);
	free(op);
}

static void
ops_free(struct sqs *q, struct ops *ops, bool started)
{
	struct op *op;

	while ((op = TAILQ_FIRST(ops)) != NULL) {
		TAILQ_REMOVE(ops, op, next);
		if (started)
			http_cancel(q->http, op);
		op_free(op);
	}
}

static void
release(struct sqs *q)
{
	EVP_MD_free(q->md5);
	sqs_place_free(&q->place);
	free(q);
}

void
sqs_free(struct sqs *q)
{
	if (q == NULL)
		return;
	ops_free(q, &q->active, true);
	ops_free(q, &q->waiting, false);
	q->freed = true;
	if (!q->busy)
		release(q);
}

/* The callback of op, with an error; op and q may be gone afterwards. */
static void
fail(struct op *op, const struct err *e)
{
	if (op->received != NULL)
		op->received(op->arg, e, NULL, 0);
	else if (op->finished != NULL)
		op->finished(op->arg, e, NULL, 0);
	else if (op->measured != NULL)
		op->measured(op->arg, e, NULL);
}

static void done(void *arg, const struct http_answer *answer);

/* Sends op, which is in no list, and puts it among the active. */
static int
start(struct sqs *q, struct op *op, struct err *e)
{
	struct http_request rq = {.method = "POST",
	    .url = q->place.endpoint,
	    .headers = headers[op->kind],
	    .header_count = 2,
	    .timeout_ms = op->timeout_ms,
	    .connect_ms = CONNECT_MS,
	    .read_max = op->kind == RECEIVE ? MESSAGES_MAX : ANSWER_MAX,
	    .keep_max = op->kind == RECEIVE ? MESSAGES_MAX : ANSWER_MAX,
	    .read_all = true,
	    .sigv4 = q->place.sign ? &q->place.sigv4 : NULL};

	if (!op->complete) {
		buf_text(&op->body,
		    op->kind == GET_URL ? "\"QueueName\":" : "\"QueueUrl\":");
		buf_json(&op->body,
		    op->kind == GET_URL ? q->place.name : q->place.url,
		    strlen(op->kind == GET_URL ? q->place.name : q->place.url));
		buf_text(&op->body, "}");
		op->complete = true;
	}
	if (op->body.failed)
		return err_temporary(e, "out of memory");
	rq.body = op->body.data;
	rq.body_len = op->body.len;
	if (http_start(q->http, &rq, done, op, e) == -1)
		return -1;
	TAILQ_INSERT_TAIL(&q->active, op, next);
	return 0;
}

/* What went wrong below SQS's protocol. */
static int
transport(const struct op *op, const struct http_answer *answer, struct err *e)
{
	char detail[sizeof(answer->detail)];

	if (answer->error == HTTP_TIMEOUT)
		return err_temporary(e, "no answer within %lld seconds",
		    (long long)(op->timeout_ms / 1000));
	strlcpy(detail,
	    *answer->detail != '\0' ? answer->detail
				    : http_error_word(answer->error),
	    sizeof(detail));
	/* "Connection refused": here it stands after a colon. */
	if (islower((unsigned char)detail[1]))
		detail[0] = (char)tolower((unsigned char)detail[0]);
	err_set(e, "%s", detail);
	e->temporary = answer->error != HTTP_TLS;
	return -1;
}

/* Fills *e with what the answer says is wrong, if anything. */
static int
judge(const struct sqs *q, const struct op *op,
    const struct http_answer *answer, struct err *e)
{
	struct err inner;

	if (answer->error != HTTP_OK)
		return transport(op, answer, e);
	if (answer->status == 200)
		return 0;
	sqs_json_error(answer->status, answer->body, answer->body_len, &inner);
	if (answer->status == 403 && !q->place.sign &&
	    q->place.aws.refused != NULL)
		return err_set(e, "%s; %s", inner.msg, q->place.aws.refused);
	*e = inner;
	return -1;
}

static int
parse(const struct sqs *q, const struct op *op,
    const struct http_answer *answer, struct sqs_json *j, struct err *e)
{
	const char *body = answer->body == NULL ? "" : answer->body;

	switch (op->kind) {
	case GET_URL:
		return sqs_json_url(j, body, answer->body_len, e) == NULL ? -1
									  : 0;
	case RECEIVE:
		return sqs_json_messages(j, body, answer->body_len, q->md5, e);
	case DEPTH:
		return sqs_json_depth(j, body, answer->body_len, e);
	default:
		return sqs_json_results(
		    j, body, answer->body_len, op->count, e);
	}
}

/* Takes the answer apart. *e, if it is wrong, begins with the queue. */
static int
take(const struct sqs *q, const struct op *op, const struct http_answer *answer,
    struct sqs_json *j, struct err *e)
{
	struct err inner;
	int rc = judge(q, op, answer, &inner);

	if (rc == 0)
		rc = parse(q, op, answer, j, &inner);
	if (rc == -1) {
		err_set(e, "%s: %s", q->place.name, inner.msg);
		e->temporary = inner.temporary;
	}
	return rc;
}

/*
 * Ends the wait for the URL: sends the requests that wait, or fails them with
 * e. Their callbacks may start new ones or free q.
 */
static void
flush_waiting(struct sqs *q, const struct err *e)
{
	struct ops ops = TAILQ_HEAD_INITIALIZER(ops);
	struct err inner;
	struct op *op;

	TAILQ_CONCAT(&ops, &q->waiting, next);
	q->busy = true;
	while ((op = TAILQ_FIRST(&ops)) != NULL) {
		TAILQ_REMOVE(&ops, op, next);
		if (!q->freed && e == NULL && start(q, op, &inner) == 0)
			continue;
		if (!q->freed)
			fail(op, e == NULL ? &inner : e);
		op_free(op);
	}
	q->busy = false;
	if (q->freed)
		release(q);
}

/* The URL is known; or it is NULL, and e says why not. */
static void
resolved(struct sqs *q, const char *url, const struct err *e)
{
	struct err memory;

	q->resolving = NULL;
	if (url != NULL) {
		q->place.url = strdup(url);
		if (q->place.url == NULL) {
			err_temporary(&memory, "out of memory");
			e = &memory;
		}
	}
	flush_waiting(q, e);
}

static void
done(void *arg, const struct http_answer *answer)
{
	struct op *op = arg;
	struct sqs *q = op->q;
	struct sqs_json j = {0};
	struct err e;

	TAILQ_REMOVE(&q->active, op, next);
	/* An idle connection that its server has just closed is no trouble. */
	if (answer->error == HTTP_RESET && answer->connect_us == 0 &&
	    !op->again) {
		op->again = true;
		if (start(q, op, NULL) == 0)
			return;
	}
	if (take(q, op, answer, &j, &e) == -1) {
		if (op->kind == GET_URL)
			resolved(q, NULL, &e);
		else
			fail(op, &e);
	} else if (op->kind == GET_URL) {
		resolved(q,
		    json_string_value(json_object_get(j.root, "QueueUrl")),
		    NULL);
	} else if (op->kind == RECEIVE) {
		op->received(op->arg, NULL, j.messages, j.count);
	} else if (op->kind == DEPTH) {
		op->measured(op->arg, NULL, &j.depth);
	} else {
		op->finished(op->arg, NULL, j.results, j.count);
	}
	sqs_json_free(&j);
	op_free(op);
}

static struct op *
op_new(struct sqs *q, enum kind kind, void *arg)
{
	struct op *op = calloc(1, sizeof(*op));

	if (op == NULL)
		return NULL;
	op->q = q;
	op->kind = kind;
	op->arg = arg;
	op->timeout_ms = REQUEST_MS;
	buf_text(&op->body, "{");
	return op;
}

static int
resolve(struct sqs *q, struct err *e)
{
	struct op *op;

	if (q->resolving != NULL)
		return 0;
	op = op_new(q, GET_URL, NULL);
	if (op == NULL)
		return err_temporary(e, "out of memory");
	if (start(q, op, e) == -1) {
		op_free(op);
		return -1;
	}
	q->resolving = op;
	return 0;
}

/* Sends op now, or once the URL is known. Owns op in any case. */
static int
submit(struct sqs *q, struct op *op, struct err *e)
{
	int rc;

	if (q->place.url != NULL)
		rc = start(q, op, e);
	else
		rc = resolve(q, e);
	if (rc == -1)
		op_free(op);
	else if (q->place.url == NULL)
		TAILQ_INSERT_TAIL(&q->waiting, op, next);
	return rc;
}

int
sqs_receive(struct sqs *q, int max, int wait_s, int visibility_s,
    sqs_received *received, void *arg, struct err *e)
{
	struct op *op = op_new(q, RECEIVE, arg);

	if (op == NULL)
		return err_temporary(e, "out of memory");
	op->received = received;
	op->timeout_ms += wait_s * 1000;
	buf_fmt(&op->body, "\"MaxNumberOfMessages\":%d,\"WaitTimeSeconds\":%d,",
	    max, wait_s);
	if (visibility_s >= 0)
		buf_fmt(&op->body, "\"VisibilityTimeout\":%d,", visibility_s);
	buf_text(&op->body,
	    "\"MessageAttributeNames\":[\"All\"],"
	    "\"AttributeNames\":[\"SentTimestamp\","
	    "\"ApproximateReceiveCount\",\"MessageGroupId\"],");
	return submit(q, op, e);
}

int
sqs_send(struct sqs *q, const struct sqs_entry *entries, size_t count,
    sqs_finished *finished, void *arg, struct err *e)
{
	struct op *op = op_new(q, SEND, arg);

	if (op == NULL)
		return err_temporary(e, "out of memory");
	op->finished = finished;
	op->count = count;
	sqs_json_send(&op->body, entries, count);
	return submit(q, op, e);
}

int
sqs_delete(struct sqs *q, const char *const *receipts, size_t count,
    sqs_finished *finished, void *arg, struct err *e)
{
	struct op *op = op_new(q, DELETE, arg);

	if (op == NULL)
		return err_temporary(e, "out of memory");
	op->finished = finished;
	op->count = count;
	sqs_json_delete(&op->body, receipts, count);
	return submit(q, op, e);
}

int
sqs_depth(struct sqs *q, sqs_measured *measured, void *arg, struct err *e)
{
	struct op *op = op_new(q, DEPTH, arg);

	if (op == NULL)
		return err_temporary(e, "out of memory");
	op->measured = measured;
	buf_text(&op->body,
	    "\"AttributeNames\":[\"ApproximateNumberOfMessages\","
	    "\"ApproximateNumberOfMessagesNotVisible\","
	    "\"ApproximateNumberOfMessagesDelayed\"],");
	return submit(q, op, e);
}
