/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "httpd-private.h"

#define HEAD_MAX ((size_t)64 << 10)
#define CHUNK_MAX ((size_t)1 << 40)
#define CHUNK_LINE_MAX 1024 /* before a chunk, and in a trailer */
#define LINGER_S 1          /* without a word of the client */
#define LINGER_MOST_S 10
#define PENDING_MAX ((size_t)256 << 10) /* of answers not taken */
#define STEPS 64                        /* before others have their turn */

void
conn_free(struct conn *c)
{
	struct httpd *s = c->server;

	if (c->data != NULL)
		s->h->gone(s->arg, c->data);
	TAILQ_REMOVE(&s->conns, c, entry);
	s->count--;
	if (c->timer != NULL)
		event_free(c->timer);
	if (c->late != NULL)
		event_free(c->late);
	bufferevent_free(c->bev);
	buf_free(&c->head);
	buf_free(&c->chunks);
	free(c);
	if (s->stopping && s->count == 0 && s->h->ended != NULL)
		s->h->ended(s->arg);
}

void
conn_set(struct conn *c, void *data)
{
	c->data = data;
}

size_t
conn_pending(const struct conn *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev));
}

void
conn_write(struct conn *c, const void *data, size_t len)
{
	ssize_t n = 0;

	/* Most answers go out at once, without a turn of the loop. */
	if (conn_pending(c) == 0)
		n = send(bufferevent_getfd(c->bev), data, len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		n = 0;
	if ((size_t)n < len &&
	    bufferevent_write(
		c->bev, (const char *)data + n, len - (size_t)n) == -1)
		c->state = DEAD;
}

static bool
is_closing(const struct conn *c)
{
	return c->request.close || c->server->stopping;
}

const char *
conn_option(const struct conn *c)
{
	if (is_closing(c))
		return "close";
	return c->request.keep ? "keep-alive" : NULL;
}

void
conn_hold(struct conn *c)
{
	c->state = c->server->stopping ? DEAD : HELD;
}

void
conn_reset(struct conn *c)
{
	struct linger now = {.l_onoff = 1};

	setsockopt(bufferevent_getfd(c->bev), SOL_SOCKET, SO_LINGER, &now,
	    sizeof(now));
	c->state = DEAD;
}

static void
end(struct conn *c)
{
	c->state = conn_pending(c) > 0 ? FLUSH : DEAD;
}

/* A client that is still sending must not lose the answer to an RST. */
static void
linger(struct conn *c)
{
	struct timeval wait = {.tv_sec = LINGER_S};
	struct timeval most = {.tv_sec = LINGER_MOST_S};

	shutdown(bufferevent_getfd(c->bev), SHUT_WR);
	bufferevent_set_timeouts(c->bev, &wait, NULL);
	if (c->late != NULL)
		event_add(c->late, &most);
	c->state = LINGER;
}

static void
refuse(struct conn *c, int status)
{
	struct buf text = {0}, body = {0};
	char date[HTTPD_DATE];

	c->server->h->refused(c->server->arg, status, &body);
	buf_fmt(&text, "HTTP/1.1 %d %s\r\ndate: %s\r\nconnection: close\r\n",
	    status, httpd_reason(status), httpd_date(time(NULL), date));
	if (body.len > 0)
		buf_text(&text, "content-type: application/json\r\n");
	buf_fmt(&text, "content-length: %zu\r\n\r\n", body.len);
	buf_add(&text, body.data, body.len);
	if (!text.failed)
		conn_write(c, text.data, text.len);
	buf_free(&body);
	buf_free(&text);
	linger(c);
}

static void
handle(struct conn *c, const void *body, size_t len)
{
	c->request.body = len > 0 ? body : "";
	c->request.body_len = len;
	c->state = BUSY;
	c->limit = LIMIT_NONE;
	TAILQ_REMOVE(&c->server->conns, c, entry);
	TAILQ_INSERT_TAIL(&c->server->conns, c, entry);
	c->server->h->request(c->server->arg, c, &c->request);
}

/* Each of these takes a step and returns whether it could. */
static bool
take_head(struct conn *c, struct evbuffer *in)
{
	struct evbuffer_ptr at;
	size_t len;
	int status;

	while (evbuffer_get_length(in) >= 2 &&
	    memcmp(evbuffer_pullup(in, 2), "\r\n", 2) == 0)
		evbuffer_drain(in, 2); /* RFC 9112, section 2.2 */
	at = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	len = at.pos < 0 ? evbuffer_get_length(in) : (size_t)at.pos + 4;
	if (len > HEAD_MAX) {
		refuse(c, 431);
		return false;
	}
	if (at.pos < 0)
		return false;
	buf_clear(&c->head);
	buf_clear(&c->chunks);
	buf_add(&c->head, evbuffer_pullup(in, (ssize_t)len), len);
	evbuffer_drain(in, len);
	status = c->head.failed ? 500
				: httpd_parse(c->head.data, len,
				      c->server->o.body_max, &c->request);
	if (status != 0) {
		refuse(c, status);
		return false;
	}
	c->continued = !c->request.expect;
	c->state = c->request.chunked ? CHUNK : BODY;
	return true;
}

static bool
take_body(struct conn *c, struct evbuffer *in)
{
	size_t len = c->request.length;

	if (evbuffer_get_length(in) < len)
		return false;
	handle(c, evbuffer_pullup(in, (ssize_t)len), len);
	evbuffer_drain(in, len);
	return true;
}

/* A whole line to *line, which the caller frees; false if there is none. */
static bool
take_line(struct conn *c, struct evbuffer *in, char **line)
{
	*line = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF_STRICT);
	if (*line != NULL)
		return true;
	if (evbuffer_get_length(in) > CHUNK_LINE_MAX)
		refuse(c, 400);
	return false;
}

static bool
take_chunk(struct conn *c, struct evbuffer *in)
{
	char *line;
	bool ok;

	if (!take_line(c, in, &line))
		return false;
	ok = httpd_chunk_size(line, CHUNK_MAX, &c->chunk) == 0;
	free(line);
	if (!ok)
		refuse(c, 400);
	else if (c->chunk > c->server->o.body_max - c->chunks.len)
		refuse(c, 413);
	else
		c->state = c->chunk == 0 ? TRAILER : DATA;
	return c->state == TRAILER || c->state == DATA;
}

static bool
take_data(struct conn *c, struct evbuffer *in)
{
	const unsigned char *p;

	if (evbuffer_get_length(in) < c->chunk + 2)
		return false;
	p = evbuffer_pullup(in, (ssize_t)(c->chunk + 2));
	buf_add(&c->chunks, p, c->chunk);
	if (memcmp(p + c->chunk, "\r\n", 2) != 0 || c->chunks.failed) {
		refuse(c, c->chunks.failed ? 500 : 400);
		return false;
	}
	evbuffer_drain(in, c->chunk + 2);
	c->state = CHUNK;
	return true;
}

static bool
take_trailer(struct conn *c, struct evbuffer *in)
{
	char *line;
	bool last;

	if (!take_line(c, in, &line))
		return false;
	last = *line == '\0';
	free(line);
	if (last)
		handle(c, c->chunks.data, c->chunks.len);
	return true;
}

static bool
step(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	if (c->server->paused)
		return false;
	switch (c->state) {
	case HEAD:
		/* a client that reads no answers gets no more of them */
		return conn_pending(c) <= PENDING_MAX && take_head(c, in);
	case BODY:
		return take_body(c, in);
	case CHUNK:
		return take_chunk(c, in);
	case DATA:
		return take_data(c, in);
	case TRAILER:
		return take_trailer(c, in);
	case LINGER:
		evbuffer_drain(in, evbuffer_get_length(in));
		return false;
	case BUSY:
	case HELD:
	case FLUSH:
	case DEAD:
		break;
	}
	return false;
}

/* How long a connection may go on as it is. */
static void
set_limit(struct conn *c)
{
	const struct httpd_options *o = &c->server->o;
	size_t len = evbuffer_get_length(bufferevent_get_input(c->bev));
	enum limit limit = c->state > TRAILER ? LIMIT_NONE
	    : c->state == HEAD && len == 0    ? LIMIT_IDLE
					      : LIMIT_REQUEST;
	int64_t ms = limit == LIMIT_IDLE ? o->idle_ms : o->request_ms;
	struct timeval wait = {
	    .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	if (c->late == NULL || limit == c->limit)
		return;
	c->limit = limit;
	if (limit != LIMIT_NONE)
		event_add(c->late, &wait);
}

/* The way out of every callback: c may be gone afterwards. */
static void
go_on(struct conn *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	int n;

	c->inside = true;
	for (n = 0; n < STEPS && step(c); n++)
		;
	c->inside = false;
	if (n == STEPS)
		conn_wake(c);
	if (!c->continued && c->state >= BODY && c->state <= TRAILER) {
		c->continued = true;
		conn_write(c, text, sizeof(text) - 1);
	}
	/* A client may shut down its side and still wait for answers. */
	if (c->eof && !c->server->paused && c->state <= TRAILER && n < STEPS &&
	    conn_pending(c) <= PENDING_MAX)
		end(c);
	if (c->state == DEAD)
		conn_free(c);
	else
		set_limit(c);
}

void
conn_done(struct conn *c, bool close)
{
	c->data = NULL;
	if (c->state != DEAD) {
		c->state = HEAD;
		if (close || is_closing(c))
			end(c);
	}
	if (!c->inside)
		conn_wake(c);
}

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	if (c->state == LINGER ||
	    (c->limit == LIMIT_IDLE && c->state <= TRAILER)) {
		conn_free(c);
	} else if (c->limit == LIMIT_REQUEST && c->state <= TRAILER) {
		refuse(c, 408);
		go_on(c);
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	c->inside = true;
	c->later(c->later_arg, c, c->later_n);
	go_on(c);
}

void
conn_after(struct conn *c, int64_t ms, conn_later *later, void *arg, size_t n)
{
	struct timeval wait = {
	    .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	if (c->timer == NULL)
		c->timer = evtimer_new(c->server->base, on_timer, c);
	if (c->timer == NULL || event_add(c->timer, &wait) == -1)
		c->state = DEAD;
	c->later = later;
	c->later_arg = arg;
	c->later_n = n;
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	go_on(arg);
}

static void
on_write(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	(void)bev;
	if (c->state == FLUSH)
		conn_free(c);
	else if (c->state == HEAD)
		go_on(c);
}

/* The client is done or gone, or the time to linger is over. */
static void
on_end(struct bufferevent *bev, short what, void *arg)
{
	struct conn *c = arg;

	(void)bev;
	c->eof = true;
	if ((what & BEV_EVENT_EOF) == 0 || c->state == HELD ||
	    c->state == LINGER)
		conn_free(c);
	else
		go_on(c);
}

void
conn_new(struct httpd *s, evutil_socket_t fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->bev =
		    bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c == NULL || c->bev == NULL) {
		free(c);
		evutil_closesocket(fd);
		return;
	}
	c->server = s;
	c->continued = true;
	TAILQ_INSERT_TAIL(&s->conns, c, entry);
	s->count++;
	bufferevent_setcb(c->bev, on_read, on_write, on_end, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, s->o.body_max + HEAD_MAX);
	if (s->o.request_ms > 0) {
		struct timeval wait = {.tv_sec = s->o.request_ms / 1000,
		    .tv_usec = s->o.request_ms % 1000 * 1000};

		bufferevent_set_timeouts(c->bev, NULL, &wait);
		c->late = evtimer_new(s->base, on_late, c);
		set_limit(c);
	}
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

void
conn_wake(struct conn *c)
{
	bufferevent_trigger(c->bev, EV_READ,
	    BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

bool
conn_give_way(struct conn *c)
{
	if (c->state > TRAILER && c->state != LINGER)
		return false;
	conn_free(c);
	return true;
}

bool
conn_is_idle(const struct conn *c)
{
	return c->state <= TRAILER || c->state == HELD;
}
