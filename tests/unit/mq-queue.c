/* SPDX-License-Identifier: ISC */
/* whk-mq's queue, on a clock of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../cmd/whk-mq/digest.c"
#include "../../cmd/whk-mq/fault.c"
#include "../../cmd/whk-mq/message.c"
#include "../../cmd/whk-mq/queue.c"
#include "../../cmd/whk-mq/setting.c"
#include "../../cmd/whk-mq/tags.c"
#include "../../cmd/whk-mq/tree.c"

static struct moment now = {1000000, 1795503916000};
static struct meter meter = {.max = SIZE_MAX};
static struct digest *digest;

static struct queue *
make_queue(void)
{
	struct queue *q = queue_new("q", &meter, &now);

	assert_non_null(q);
	return q;
}

static struct message *
send_text(struct queue *q, const char *text, int64_t delay_ms)
{
	struct draft d = {.body = text, .body_len = strlen(text)};
	struct message *m = message_new(&d, digest);

	assert_non_null(m);
	assert_int_equal(0, queue_reserve(q, 1));
	queue_add(q, m, delay_ms, &now);
	return m;
}

static void
pass_time(struct queue *q, int64_t ms)
{
	now.steady_ms += ms;
	now.wall_ms += ms;
	queue_advance(q, &now);
}

static void
assert_counts(
    const struct queue *q, size_t visible, size_t inflight, size_t delayed)
{
	assert_int_equal(visible, q->visible);
	assert_int_equal(inflight, q->inflight);
	assert_int_equal(delayed, q->delayed);
}

static void
test_order(void **state)
{
	struct queue *q = make_queue();
	const char *bodies[] = {"a", "b", "c"};

	(void)state;
	for (int i = 0; i < 3; i++)
		send_text(q, bodies[i], 0);
	for (int i = 0; i < 3; i++) {
		struct message *m = queue_take(q, 30000, &now);

		assert_string_equal(bodies[i], m->body);
		assert_int_equal(1, m->receives);
		assert_int_equal(now.wall_ms, m->first_ms);
	}
	assert_null(queue_take(q, 30000, &now));
	assert_counts(q, 0, 3, 0);
	queue_free(q);
	assert_int_equal(0, meter.used);
}

static void
test_visibility(void **state)
{
	struct queue *q = make_queue();
	struct message *m;
	char first[QUEUE_HANDLE_LEN + 1], second[QUEUE_HANDLE_LEN + 1];

	(void)state;
	send_text(q, "x", 0);
	assert_true(queue_next_due(q) == QUEUE_FOREVER);
	m = queue_take(q, 5000, &now);
	queue_handle(q, m, first);
	assert_true(queue_next_due(q) == now.steady_ms + 5000);
	pass_time(q, 4999);
	assert_counts(q, 0, 1, 0);
	pass_time(q, 1);
	assert_counts(q, 1, 0, 0);
	assert_int_equal(QUEUE_FOUND, queue_find(q, first, &m));
	m = queue_take(q, 0, &now);
	queue_handle(q, m, second);
	assert_int_equal(2, m->receives);
	/* Hidden for no time, but not handed out twice in one go. */
	assert_null(queue_take(q, 0, &now));
	assert_int_equal(QUEUE_STALE, queue_find(q, first, &m));
	assert_null(m);
	assert_int_equal(QUEUE_FOUND, queue_find(q, second, &m));
	queue_hide(q, m, 100, &now);
	pass_time(q, 99);
	assert_counts(q, 0, 1, 0);
	queue_hide(q, m, 0, &now);
	assert_counts(q, 1, 0, 0);
	queue_delete(q, m);
	assert_int_equal(QUEUE_STALE, queue_find(q, second, &m));
	queue_free(q);
}

static void
test_handles(void **state)
{
	struct queue *q = make_queue(), *other = make_queue();
	struct message *m;
	char handle[QUEUE_HANDLE_LEN + 1], theirs[QUEUE_HANDLE_LEN + 1];

	(void)state;
	send_text(q, "x", 0);
	send_text(other, "x", 0);
	queue_handle(q, queue_take(q, 1, &now), handle);
	queue_handle(other, queue_take(other, 1, &now), theirs);
	assert_int_equal(QUEUE_FOREIGN, queue_find(q, theirs, &m));
	assert_int_equal(QUEUE_FOREIGN, queue_find(q, "", &m));
	assert_int_equal(QUEUE_FOREIGN, queue_find(q, handle + 1, &m));
	for (size_t i = 0; i < QUEUE_HANDLE_LEN; i++) {
		char was = handle[i];

		handle[i] = was == '0' ? '1' : '0';
		assert_int_equal(QUEUE_FOREIGN, queue_find(q, handle, &m));
		handle[i] = 'G';
		assert_int_equal(QUEUE_FOREIGN, queue_find(q, handle, &m));
		handle[i] = was;
	}
	assert_int_equal(QUEUE_FOUND, queue_find(q, handle, &m));
	queue_delete(q, m);
	/* Its slot is used again; the handle does not follow. */
	send_text(q, "y", 0);
	queue_take(q, 1, &now);
	assert_int_equal(QUEUE_STALE, queue_find(q, handle, &m));
	queue_free(q);
	queue_free(other);
}

static void
test_retention(void **state)
{
	struct queue *q = make_queue();
	struct fault f;

	(void)state;
	assert_int_equal(
	    0, settings_set(&q->settings, "MessageRetentionPeriod", "60", &f));
	send_text(q, "old", 0);
	send_text(q, "old and in flight", 0);
	send_text(q, "old and delayed", 100000);
	queue_take(q, 100000, &now);
	pass_time(q, 1);
	send_text(q, "new", 0);
	pass_time(q, 59998);
	assert_counts(q, 2, 1, 1);
	pass_time(q, 1);
	assert_counts(q, 1, 0, 0);
	assert_string_equal("new", queue_take(q, 0, &now)->body);
	queue_free(q);
}

static void
test_full(void **state)
{
	struct queue *q = make_queue();

	(void)state;
	for (int i = 0; i <= QUEUE_INFLIGHT_MAX; i++)
		send_text(q, "x", 0);
	for (int i = 0; i < QUEUE_INFLIGHT_MAX; i++)
		assert_non_null(queue_take(q, 1000, &now));
	assert_true(queue_is_full(q));
	assert_null(queue_take(q, 1000, &now));
	queue_delete(q, TAILQ_FIRST(&q->all));
	assert_non_null(queue_take(q, 1000, &now));
	queue_free(q);
	assert_int_equal(0, meter.used);
}

/* The heap is one: what is due comes out in the order of time. */
static void
test_random(void **state)
{
	enum { COUNT = 2000 };
	struct queue *q = make_queue();
	uint32_t seed = 1;
	size_t gone = 0;

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		seed = seed * 1664525 + 1013904223;
		send_text(q, "x", 1 + seed % 10000);
	}
	for (int64_t last = 0; q->heap_count > 0;) {
		struct message *m = q->heap[0];

		assert_true(m->due_ms >= last);
		last = m->due_ms;
		for (size_t i = 0; i < q->heap_count; i++)
			assert_int_equal(i + 1, q->heap[i]->heap_at);
		seed = seed * 1664525 + 1013904223;
		queue_delete(q, q->heap[seed % q->heap_count]);
		if (q->heap_count == 0)
			break;
		m = q->heap[seed % q->heap_count];
		queue_hide(q, m, last - now.steady_ms + seed % 100, &now);
		if (m->heap_at == 0) {
			queue_delete(q, m);
			gone++;
		}
		gone++;
	}
	assert_true(gone >= COUNT - 1);
	assert_counts(q, 0, 0, 0);
	queue_free(q);
	assert_int_equal(0, meter.used);
}

static int
setup(void **state)
{
	(void)state;
	digest = digest_new(NULL);
	return digest == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	digest_free(digest);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_visibility),
	    cmocka_unit_test(test_handles),
	    cmocka_unit_test(test_retention),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
