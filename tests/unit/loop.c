/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "loop.h"

struct seen {
	struct loop loop;
	int stops, timers;
};

static void
on_stop(void *arg)
{
	struct seen *s = arg;

	s->stops++;
	assert_true(s->loop.stopping);
	loop_break(&s->loop);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct seen *s = arg;

	(void)fd;
	(void)what;
	s->timers++;
}

static void
on_raise(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	raise(SIGTERM);
}

static void
once(struct seen *s, event_callback_fn f, int ms)
{
	struct timeval tv = {.tv_usec = ms * 1000};

	assert_int_equal(
	    0, event_base_once(s->loop.base, -1, EV_TIMEOUT, f, s, &tv));
}

static void
test_ends_when_idle(void **state)
{
	struct seen s = {0};

	(void)state;
	assert_int_equal(0, loop_init(&s.loop, on_stop, &s, NULL));
	assert_int_equal(0, loop_run(&s.loop, NULL));
	once(&s, on_timer, 1);
	once(&s, on_timer, 5);
	assert_int_equal(0, loop_run(&s.loop, NULL));
	assert_int_equal(2, s.timers);
	assert_int_equal(0, s.stops);
	loop_free(&s.loop);
}

static void
test_first_signal_stops(void **state)
{
	struct seen s = {0};
	struct sigaction sa;

	(void)state;
	assert_int_equal(0, loop_init(&s.loop, on_stop, &s, NULL));
	once(&s, on_raise, 1);
	once(&s, on_timer, 60000);
	assert_int_equal(0, loop_run(&s.loop, NULL));
	assert_int_equal(1, s.stops);
	assert_int_equal(0, s.timers);
	sigaction(SIGTERM, NULL, &sa);
	assert_ptr_equal(SIG_DFL, sa.sa_handler);
	sigaction(SIGINT, NULL, &sa);
	assert_ptr_equal(SIG_DFL, sa.sa_handler);
	loop_free(&s.loop);
}

static void
test_second_signal_kills(void **state)
{
	struct seen s = {0};
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		if (loop_init(&s.loop, NULL, NULL, NULL) < 0)
			_exit(1);
		once(&s, on_raise, 1);
		once(&s, on_raise, 10);
		once(&s, on_timer, 60000);
		_exit(loop_run(&s.loop, NULL) == 0 ? 2 : 3);
	}
	assert_int_equal(pid, waitpid(pid, &status, 0));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(SIGTERM, WTERMSIG(status));
}

static void
test_can_poll(void **state)
{
	int null = open("/dev/null", O_RDONLY), file = open(".", O_RDONLY);
	int p[2];

	(void)state;
	assert_int_equal(0, pipe(p));
	assert_false(loop_can_poll(null));
	assert_false(loop_can_poll(file));
	assert_true(loop_can_poll(p[0]));
	assert_true(loop_can_poll(p[1]));
	close(null);
	close(file);
	close(p[0]);
	close(p[1]);
}

static void
test_backoff(void **state)
{
	static const int64_t base[] = {100, 200, 400, 800, 1000, 1000, 1000};
	struct backoff b = {.min_ms = 100, .max_ms = 1000};
	bool first;

	(void)state;
	assert_false(backoff_ok(&b));
	for (int turn = 0; turn < 50; turn++) {
		for (size_t i = 0; i < sizeof(base) / sizeof(base[0]); i++) {
			int64_t ms = backoff_fail(&b, &first);

			assert_int_equal(i == 0, first);
			assert_true(ms >= base[i] - base[i] / 10);
			assert_true(ms <= base[i] + base[i] / 10);
		}
		assert_true(backoff_ok(&b));
		assert_false(backoff_ok(&b));
	}
	assert_true(backoff_fail(&b, NULL) > 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ends_when_idle),
	    cmocka_unit_test(test_first_signal_stops),
	    cmocka_unit_test(test_second_signal_kills),
	    cmocka_unit_test(test_can_poll),
	    cmocka_unit_test(test_backoff),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
