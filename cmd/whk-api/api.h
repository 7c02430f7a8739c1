/* SPDX-License-Identifier: ISC */
#ifndef WHK_API_H
#define WHK_API_H

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "buf.h"
#include "db.h"
#include "httpd-request.h"
#include "httpd.h"
#include "line.h"
#include "log.h"
#include "sign.h"
#include "stats-round.h"
#include "whk-api/form.h"
#include "whk-api/tokens.h"

struct event;
struct event_base;

/*
 * whk-api's own. A request becomes a call, which a route's handler answers at
 * once or after the database has answered.
 */

/*
 * A connection to the database. What may take long goes over one of its own, so
 * that nobody waits for it who has not asked for it; events go over several, so
 * that one batch is got ready while another is written to the disk.
 */
#define EVENT_LANES 2
struct lane {
	struct api *api;
	struct db *db;
	struct batch *batch; /* the events that it is storing; NULL: none */
	bool away;           /* it is out of reach: calls are refused */
};

/* Events that are stored in one transaction. */
struct batch {
	TAILQ_ENTRY(batch) entry;
	struct lane *lane; /* over which it is stored */
	struct args args;
	TAILQ_HEAD(, call) calls; /* in the order of args */
	size_t count, bytes;      /* of them, and of their bodies */
};

struct api {
	struct lane fast, slow, events[EVENT_LANES];
	TAILQ_HEAD(batches, batch) batches; /* those that wait for a lane */
	struct event *store;                /* there is something to store */
	struct tokens tokens;
	bool open;        /* without tokens, by whatever name it is called */
	const char *cors; /* the origin that may ask, "*", or NULL */
	const struct log *log;
	bool verbose;                      /* each request is said */
	int64_t answered, refused, failed; /* refused: 4xx; failed: 5xx */
	TAILQ_HEAD(, call) calls;
	struct buf openapi;
	struct buf out; /* an answer's head */
};

struct call {
	TAILQ_ENTRY(call) entry;
	struct api *api;
	struct conn *conn; /* NULL: the client is gone */
	struct lane *lane; /* whose answer is waited for; NULL: none */
	const struct route *route;
	bool head;                 /* HEAD: the answer's body is not sent */
	char line[128];            /* method and path, for the log */
	int64_t began_us;          /* by the steady clock */
	char *tenant;              /* whose token it came with; NULL: all */
	int64_t id;                /* the webhook in the path; 0: none */
	char event[129];           /* the event in the path; "": none */
	const char *origin;        /* to be named in the answer, or NULL */
	struct form query;         /* what stood after the question mark */
	struct buf headers;        /* further lines of the answer's head */
	TAILQ_ENTRY(call) batched; /* with its event */
	/* what the handlers keep until the database has answered */
	void (*answered)(struct call *c, const PGresult *r);
	json_t *given; /* the webhook's definition as it came */
	char secret[SIGN_SECRET_MAX];
	bool whole;  /* the whole webhook is wanted */
	int64_t max; /* of what is listed */
	struct round *round;
	struct choice choice;
};

/* call.c: how a call is answered. Each of the next four ends it. */
void call_reply(
    struct call *c, int status, const char *type, const void *body, size_t len);
void call_json(struct call *c, int status, const struct buf *json);
/* {"error": ...} */
void call_fail(struct call *c, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* 400, or 500 where memory ran out. */
void call_refuse(struct call *c, const struct err *e);

/* Adds a header line. */
void call_header(struct call *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds {"error": ...} to a text. */
void call_error(struct buf *b, const char *msg);

/*
 * Asks the database; answered() follows with the rows, unless the client is
 * gone. If that cannot be, the call is answered. Takes *a over.
 */
void call_ask(struct call *c, struct lane *lane, const char *sql,
    struct args *a, void (*answered)(struct call *c, const PGresult *r));

/* Whether a call can be made; if not, it is answered. */
bool call_can_ask(struct call *c, struct lane *lane);

/* Answers the calls that wait for a lane's database: it is away. */
void call_lost(struct lane *lane);

/*
 * gather.c: events that come while others are being stored, on whatever
 * connection, are stored together. The event is copied; its id must be said.
 */
void gather_add(struct call *c, const struct event_line *ev, bool chosen);
int gather_init(struct api *api, struct event_base *base, struct err *e);
/* After call_lost() for a lane of events. */
void gather_lost(struct lane *lane);
void gather_free(struct api *api);

/* events.c: answers with what became of an event, a row of api_emit(). */
void event_emitted(struct call *c, const PGresult *r, int row);

struct call *call_new(struct api *api, struct conn *conn);
void call_free(struct call *c);

/* body.c: what came with a request. */

/* A member that a body may have, and what stands for it in a form. */
struct member {
	const char *name;
	enum kind {
		KIND_TEXT,
		KIND_NUMBER,
		KIND_BOOL,
		KIND_TEXTS,
		KIND_NUMBERS,
		KIND_JSON, /* in JSON alone */
	} kind;
};

/*
 * The body as a JSON object; an empty one where there is none. One that is
 * neither JSON nor a form, or has other members (the list ends with a NULL
 * name), is refused: NULL, and the call is answered.
 */
json_t *body_read(struct call *c, const struct httpd_request *r,
    const struct member *members);

/*
 * Whether a body is a form: 1, JSON: 0, nothing: 2; something else: -1, and
 * the call is answered.
 */
int body_kind(struct call *c, const struct httpd_request *r);

/* Reads a form; -1: the call is answered. */
int body_form(struct call *c, const struct httpd_request *r, struct form *form);

/* A whole number of the query from min to max; -1: the call is answered. */
int query_number(struct call *c, const char *name, int64_t def, int64_t min,
    int64_t max, int64_t *n);

/* route.c */
typedef void route_handler(struct call *c, const struct httpd_request *r);

struct route {
	const char *path; /* #: a number; $: an event's id */
	const char *method;
	route_handler *handler;
	const char *const *query; /* the names it may have; NULL: none */
	bool open;                /* needs no token */
};

/* A request has come: for struct httpd_handler. */
void route_request(void *arg, struct conn *conn, struct httpd_request *r);

/* The handlers. */
route_handler webhooks_list, webhooks_add, webhook_get, webhook_patch,
    webhook_delete, webhook_pause, webhook_resume, webhook_rotate, webhook_test;
route_handler events_add, event_get;
route_handler attempts_list, attempts_resend;
route_handler metrics_get, health_get, openapi_get;
extern const char *const webhooks_query[];
extern const char *const attempts_query[];

/* webhooks.c: a webhook's line as the answer, or that there is none. */
void webhook_line(struct call *c, const PGresult *r);
void webhook_missing(struct call *c);

/* openapi.c: the description, as JSON. 0, or -1 if memory is out. */
int openapi_write(struct buf *b);

#endif
