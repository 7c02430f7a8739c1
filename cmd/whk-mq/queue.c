/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "queue.h"

/* A heap of messages by due time; a place p is kept as p + 1 in heap_at. */

static void
heap_place(struct queue *q, size_t at, struct message *m)
{
	q->heap[at] = m;
	m->heap_at = (uint32_t)at + 1;
}

static void
heap_up(struct queue *q, size_t at, struct message *m)
{
	while (at > 0) {
		size_t parent = (at - 1) / 2;

		if (q->heap[parent]->due_ms <= m->due_ms)
			break;
		heap_place(q, at, q->heap[parent]);
		at = parent;
	}
	heap_place(q, at, m);
}

static void
heap_down(struct queue *q, size_t at, struct message *m)
{
	size_t child;

	while ((child = 2 * at + 1) < q->heap_count) {
		if (child + 1 < q->heap_count &&
		    q->heap[child + 1]->due_ms < q->heap[child]->due_ms)
			child++;
		if (q->heap[child]->due_ms >= m->due_ms)
			break;
		heap_place(q, at, q->heap[child]);
		at = child;
	}
	heap_place(q, at, m);
}

static void
heap_remove(struct queue *q, struct message *m)
{
	size_t at = m->heap_at - 1;
	struct message *last = q->heap[--q->heap_count];

	m->heap_at = 0;
	if (last == m)
		return;
	if (at > 0 && q->heap[(at - 1) / 2]->due_ms > last->due_ms)
		heap_up(q, at, last);
	else
		heap_down(q, at, last);
}

static void
show(struct queue *q, struct message *m)
{
	TAILQ_INSERT_TAIL(&q->ready, m, ready);
	q->visible++;
}

static void
hide(struct queue *q, struct message *m, int64_t due_ms)
{
	m->due_ms = due_ms;
	heap_up(q, q->heap_count++, m);
	if (m->receives == 0)
		q->delayed++;
	else
		q->inflight++;
}

/* Takes a message out of where it stands: the visible or the hidden ones. */
static void
detach(struct queue *q, struct message *m)
{
	if (m->heap_at == 0) {
		TAILQ_REMOVE(&q->ready, m, ready);
		q->visible--;
		return;
	}
	heap_remove(q, m);
	if (m->receives == 0)
		q->delayed--;
	else
		q->inflight--;
}

struct queue *
queue_new(const char *name, struct meter *meter, const struct moment *now)
{
	struct queue *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	(void)strlcpy(q->name, name, sizeof(q->name));
	TAILQ_INIT(&q->waiting);
	TAILQ_INIT(&q->all);
	TAILQ_INIT(&q->ready);
	settings_init(&q->settings);
	arc4random_buf(&q->key, sizeof(q->key));
	q->created_ms = q->modified_ms = now->wall_ms;
	q->meter = meter;
	return q;
}

void
queue_free(struct queue *q)
{
	queue_purge(q);
	settings_free(&q->settings);
	tags_free(&q->tags);
	free(q->slots);
	free(q->heap);
	free(q->free_slots);
	free(q);
}

void
queue_advance(struct queue *q, const struct moment *now)
{
	int64_t keep_ms =
	    settings_number(&q->settings, SETTING_RETENTION) * 1000;
	struct message *m;

	while ((m = TAILQ_FIRST(&q->all)) != NULL &&
	    now->steady_ms - m->born_ms >= keep_ms)
		queue_delete(q, m);
	while (q->heap_count > 0 && q->heap[0]->due_ms <= now->steady_ms) {
		m = q->heap[0];
		detach(q, m);
		show(q, m);
	}
}

/* Makes one of the arrays as large as room says; its content stays. */
static int
grow(void *array, size_t room, size_t size)
{
	void **p = array, *larger = reallocarray(*p, room, size);

	if (larger == NULL)
		return -1;
	*p = larger;
	return 0;
}

int
queue_reserve(struct queue *q, size_t count)
{
	size_t used = q->slot_count - q->free_count, room = q->room;

	if (used + count <= room)
		return 0;
	while (room < used + count)
		room = room == 0 ? 64 : room * 2;
	if (room > UINT32_MAX) {
		errno = ENOMEM;
		return -1;
	}
	if (grow(&q->slots, room, sizeof(*q->slots)) < 0 ||
	    grow(&q->heap, room, sizeof(*q->heap)) < 0 ||
	    grow(&q->free_slots, room, sizeof(*q->free_slots)) < 0)
		return -1;
	q->room = room;
	return 0;
}

void
queue_add(struct queue *q, struct message *m, int64_t delay_ms,
    const struct moment *now)
{
	m->slot = q->free_count > 0 ? q->free_slots[--q->free_count]
				    : (uint32_t)q->slot_count++;
	q->slots[m->slot] = m;
	m->serial = ++q->serials;
	m->born_ms = now->steady_ms;
	m->sent_ms = now->wall_ms;
	TAILQ_INSERT_TAIL(&q->all, m, age);
	q->meter->used += m->memory;
	q->meter->sent++;
	if (delay_ms > 0)
		hide(q, m, now->steady_ms + delay_ms);
	else
		show(q, m);
}

bool
queue_is_full(const struct queue *q)
{
	return q->inflight >= QUEUE_INFLIGHT_MAX;
}

struct message *
queue_take(struct queue *q, int64_t visibility_ms, const struct moment *now)
{
	struct message *m = TAILQ_FIRST(&q->ready);

	if (m == NULL || queue_is_full(q))
		return NULL;
	detach(q, m);
	if (m->receives++ == 0)
		m->first_ms = now->wall_ms;
	m->received_ms = now->steady_ms;
	q->meter->received++;
	hide(q, m, now->steady_ms + visibility_ms);
	return m;
}

/*
 * A handle is four words in hexadecimal: the queue's key, the message's
 * serial, slot and receives, and a word over them that shows a change.
 */
static void
handle_words(const struct queue *q, const struct message *m, uint64_t w[4])
{
	w[0] = q->key;
	w[1] = m->serial;
	w[2] = (uint64_t)m->slot << 32 | m->receives;
	w[3] = (w[0] ^ w[1] * 0x9e3779b97f4a7c15u ^ w[2]) * 0xff51afd7ed558ccdu;
}

void
queue_handle(const struct queue *q, const struct message *m,
    char handle[QUEUE_HANDLE_LEN + 1])
{
	uint64_t w[4];

	handle_words(q, m, w);
	for (size_t i = 0; i < QUEUE_HANDLE_LEN; i++) {
		unsigned shift = 60 - 4 * (unsigned)(i % 16);

		handle[i] = "0123456789abcdef"[w[i / 16] >> shift & 15];
	}
	handle[QUEUE_HANDLE_LEN] = '\0';
}

static int
read_words(const char *handle, uint64_t w[4])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (; *handle != '\0'; handle++, n++) {
		const char *digit = strchr(digits, *handle);

		if (digit == NULL || n == QUEUE_HANDLE_LEN)
			return -1;
		w[n / 16] = w[n / 16] << 4 | (uint64_t)(digit - digits);
	}
	return n == QUEUE_HANDLE_LEN ? 0 : -1;
}

enum queue_found
queue_find(const struct queue *q, const char *handle, struct message **m)
{
	struct message want = {0}, *found;
	uint64_t w[4] = {0}, right[4];

	*m = NULL;
	if (read_words(handle, w) < 0)
		return QUEUE_FOREIGN;
	want.serial = w[1];
	want.slot = (uint32_t)(w[2] >> 32);
	want.receives = (uint32_t)w[2];
	handle_words(q, &want, right);
	if (memcmp(w, right, sizeof(w)) != 0)
		return QUEUE_FOREIGN;
	found = want.slot < q->slot_count ? q->slots[want.slot] : NULL;
	if (found == NULL || found->serial != want.serial ||
	    found->receives != want.receives)
		return QUEUE_STALE;
	*m = found;
	return QUEUE_FOUND;
}

void
queue_delete(struct queue *q, struct message *m)
{
	detach(q, m);
	TAILQ_REMOVE(&q->all, m, age);
	q->slots[m->slot] = NULL;
	q->free_slots[q->free_count++] = m->slot;
	q->meter->used -= m->memory;
	free(m);
}

void
queue_purge(struct queue *q)
{
	struct message *m;

	while ((m = TAILQ_FIRST(&q->all)) != NULL)
		queue_delete(q, m);
}

void
queue_hide(struct queue *q, struct message *m, int64_t visibility_ms,
    const struct moment *now)
{
	detach(q, m);
	if (visibility_ms > 0)
		hide(q, m, now->steady_ms + visibility_ms);
	else
		show(q, m);
}

int64_t
queue_next_due(const struct queue *q)
{
	return q->heap_count > 0 ? q->heap[0]->due_ms : QUEUE_FOREVER;
}
