/* SPDX-License-Identifier: ISC */
#ifndef WHK_MQ_CALL_H
#define WHK_MQ_CALL_H

#include "broker.h"
#include "buf.h"
#include "tree.h"

/* The system attributes that a receive can ask for. */
enum system_attribute {
	SYSTEM_SENDER,
	SYSTEM_SENT,
	SYSTEM_RECEIVES,
	SYSTEM_FIRST,
	SYSTEM_GROUP,
	SYSTEM_TRACE,
	SYSTEM_COUNT
};

/* What a ReceiveMessage asks for; it can outlive its call, as a long poll. */
struct receive {
	int64_t max; /* messages */
	int64_t visibility_s;
	int64_t wait_s;
	bool system[SYSTEM_COUNT];
	struct buf names; /* of message attributes, a NUL behind each */
};

/* One request to one operation. */
struct call {
	struct broker *broker;
	struct tree *tree;
	char *body; /* what came; it is changed */
	size_t body_len;
	const struct node *in; /* the object that it is; made by call_run() */
	const char *host;      /* of the URLs in the answer */
	struct moment now;
	struct buf *out; /* the answer */
	struct fault fault;
	struct queue *queue; /* the one it is about, or NULL */
	bool remove_queue;   /* ... is to go, which is the caller's to do */
	struct receive receive;
};

enum outcome {
	CALL_DONE,   /* out holds the answer */
	CALL_FAILED, /* fault says why; out holds nothing of use */
	CALL_WAIT,   /* a long poll: receive says for what and how long */
};

/*
 * Runs the operation that the header X-Amz-Target names (NULL: it has none)
 * with *c filled up to out, and in NULL. What c->receive holds is the caller's
 * to free (receive_free()) after CALL_WAIT.
 */
enum outcome call_run(struct call *c, const char *target);

/*
 * Takes messages for r and adds the whole answer to out; false, with out as it
 * was, if there are none. The queue must be up to date (queue_advance()).
 */
bool receive_write(struct broker *b, struct queue *q, const struct receive *r,
    const struct moment *now, struct buf *out);
void receive_free(struct receive *r);

/* The operations, in op-*.c. */
typedef enum outcome operation(struct call *c);

operation op_create_queue, op_delete_queue, op_get_queue_url, op_list_queues,
    op_purge_queue;
operation op_get_queue_attributes, op_set_queue_attributes;
operation op_tag_queue, op_untag_queue, op_list_queue_tags;
operation op_send_message, op_send_message_batch;
operation op_receive_message;
operation op_delete_message, op_delete_message_batch;
operation op_change_visibility, op_change_visibility_batch;

/*
 * Parameters of the request, or of an object in it. Absent and null are the
 * same. All return 0, or -1 with the fault set.
 */
int param_text(struct call *c, const struct node *obj, const char *name,
    const char **value);
int param_required(struct call *c, const struct node *obj, const char *name,
    const char **value);
/* *value stays as it is where the parameter is absent. */
int param_int(struct call *c, const struct node *obj, const char *name,
    int64_t min, int64_t max, int64_t *value);
/* An object or an array; *value is NULL where it is absent. */
int param_object(struct call *c, const struct node *obj, const char *name,
    const struct node **value);
int param_array(struct call *c, const struct node *obj, const char *name,
    const struct node **value);

/* Finds the queue of QueueUrl, brings it up to date, sets c->queue. */
int param_queue(struct call *c);

/* The entries of a batch: 1 to 10 objects with good and distinct ids. */
int param_entries(struct call *c, const struct node **entries);

/* Adds the answer of a batch: what is in the two lists, made by the ops. */
struct batch {
	struct buf successful, failed;
};
void batch_add_failed(struct batch *b, const char *id, const struct fault *f);
enum outcome batch_finish(struct batch *b, struct call *c);

/* Adds a queue's URL, with quotes. */
void url_write(struct buf *b, const struct broker *broker, const char *host,
    const char *name);

#endif
