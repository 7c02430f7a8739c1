/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "loop.h"
#include "output.h"

#define LIMIT ((size_t)32 << 10)

struct seen {
	struct loop loop;
	struct output *o;
	int rooms, failures;
	char why[64];
	int to_read; /* a descriptor that a timer reads from */
	size_t read, lines;
	char last;
};

static void
on_room(void *arg)
{
	struct seen *s = arg;

	s->rooms++;
	assert_false(output_full(s->o));
}

static void
on_failed(void *arg, const struct err *e)
{
	struct seen *s = arg;

	s->failures++;
	strlcpy(s->why, e->msg, sizeof(s->why));
	loop_break(&s->loop);
}

static const struct output_handler handler = {on_room, on_failed};

static void
begin(struct seen *s, int fd)
{
	*s = (struct seen){.to_read = -1};
	assert_int_equal(0, loop_init(&s->loop, NULL, NULL, NULL));
	s->o = output_new(s->loop.base, fd, LIMIT, &handler, s, NULL);
	assert_non_null(s->o);
}

static void
end(struct seen *s)
{
	output_free(s->o);
	loop_free(&s->loop);
}

static void
line(struct seen *s, size_t len)
{
	char *buf = malloc(len);

	assert_non_null(buf);
	memset(buf, 'x', len);
	buf[len - 1] = '\n';
	output_line(s->o, buf, len);
	free(buf);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct seen *s = arg;
	char buf[3000];
	ssize_t n = read(fd, buf, sizeof(buf));

	(void)what;
	assert_true(n >= 0);
	for (ssize_t i = 0; i < n; i++)
		s->lines += buf[i] == '\n';
	s->read += (size_t)n;
	if (output_empty(s->o) && n < (ssize_t)sizeof(buf))
		loop_break(&s->loop);
}

/* Reads all from the other end while the loop runs. */
static void
drain(struct seen *s, int fd)
{
	struct event *ev =
	    event_new(s->loop.base, fd, EV_READ | EV_PERSIST, on_readable, s);

	event_add(ev, NULL);
	assert_int_equal(0, loop_run(&s->loop, NULL));
	event_free(ev);
}

static void
test_at_once(void **state)
{
	char buf[8];
	struct seen s;
	int p[2];

	(void)state;
	assert_int_equal(0, pipe(p));
	begin(&s, p[1]);
	output_line(s.o, "a\n", 2);
	assert_true(output_empty(s.o));
	assert_int_equal(2, read(p[0], buf, sizeof(buf)));
	assert_int_equal(0, fcntl(p[1], F_GETFL) & O_NONBLOCK);
	end(&s);
	close(p[0]);
	close(p[1]);
}

static void
jam(int in, int out)
{
	static const size_t lens[] = {2, 100, 1300, 4096, 4097, 20000};
	struct seen s;
	size_t sum = 0, count = 0;

	begin(&s, in);
	while (sum < (4 << 20)) {
		size_t len = lens[count++ % 6];

		line(&s, len);
		sum += len;
	}
	assert_true(output_full(s.o));
	assert_false(output_empty(s.o));
	drain(&s, out);
	assert_int_equal(sum, s.read);
	assert_int_equal(count, s.lines);
	assert_int_equal(2, s.rooms); /* under the limit; all written */
	assert_int_equal(0, s.failures);
	assert_false(output_full(s.o));
	end(&s);
}

static void
test_full_pipe(void **state)
{
	int p[2];

	(void)state;
	assert_int_equal(0, pipe(p));
	jam(p[1], p[0]);
	close(p[0]);
	close(p[1]);
}

static void
test_full_socket(void **state)
{
	int p[2];

	(void)state;
	assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	jam(p[1], p[0]);
	close(p[0]);
	close(p[1]);
}

/* Each line of up to PIPE_BUF bytes is one write: others may write between. */
static void
test_lines_stay_whole(void **state)
{
	char buf[4000], expected[4000];
	struct seen s;
	int p[2];
	ssize_t n;

	(void)state;
	/* In packet mode each read returns what one write wrote. */
	assert_int_equal(0, pipe2(p, O_DIRECT));
	begin(&s, p[1]);
	memset(expected, 'x', sizeof(expected));
	expected[sizeof(expected) - 1] = '\n';
	for (int i = 0; i < 100; i++)
		output_line(s.o, expected, sizeof(expected));
	assert_false(output_empty(s.o));
	for (int i = 0; i < 100; i++) {
		n = read(p[0], buf, sizeof(buf));
		assert_int_equal(sizeof(buf), n);
		assert_memory_equal(expected, buf, sizeof(buf));
		event_base_loop(s.loop.base, EVLOOP_NONBLOCK);
	}
	assert_true(output_empty(s.o));
	end(&s);
	close(p[0]);
	close(p[1]);
}

static void
test_file(void **state)
{
	FILE *f = tmpfile();
	struct seen s;

	(void)state;
	assert_non_null(f);
	begin(&s, fileno(f));
	for (int i = 0; i < 100; i++)
		line(&s, 10000);
	assert_true(output_empty(s.o));
	assert_int_equal(0, output_watch(s.o, NULL));
	assert_int_equal(1000000, lseek(fileno(f), 0, SEEK_END));
	end(&s);
	fclose(f);
}

static void
assert_fails(struct seen *s, const char *why)
{
	line(s, 100);
	assert_int_equal(0, s->failures); /* not from within */
	assert_false(output_empty(s->o)); /* nor is it at its end before */
	line(s, 100);
	assert_int_equal(0, loop_run(&s->loop, NULL));
	line(s, 100);
	assert_int_equal(0, loop_run(&s->loop, NULL));
	assert_int_equal(1, s->failures);
	assert_true(output_empty(s->o));
	assert_string_equal(why, s->why);
	assert_false(output_full(s->o));
}

static void
test_failures(void **state)
{
	int p[2], full = open("/dev/full", O_WRONLY);
	struct seen s;

	(void)state;
	begin(&s, full);
	assert_fails(&s, "No space left on device");
	end(&s);
	close(full);
	assert_int_equal(0, pipe(p));
	close(p[0]);
	begin(&s, p[1]);
	assert_fails(&s, "Broken pipe");
	end(&s);
	close(p[1]);
	begin(&s, 999);
	assert_fails(&s, "Bad file descriptor");
	end(&s);
}

static void
test_fails_while_held(void **state)
{
	struct seen s;
	int p[2];

	(void)state;
	assert_int_equal(0, pipe(p));
	begin(&s, p[1]);
	for (int i = 0; i < 200; i++)
		line(&s, 1000);
	assert_true(output_full(s.o));
	close(p[0]);
	assert_int_equal(0, loop_run(&s.loop, NULL));
	assert_int_equal(1, s.failures);
	assert_true(output_empty(s.o));
	end(&s);
	close(p[1]);
}

static void
test_watch(void **state)
{
	struct seen s;
	int p[2];

	(void)state;
	assert_int_equal(0, pipe(p));
	begin(&s, p[1]);
	assert_int_equal(0, output_watch(s.o, NULL));
	assert_int_equal(0, output_watch(s.o, NULL));
	line(&s, 10);
	event_base_loop(s.loop.base, EVLOOP_NONBLOCK);
	assert_int_equal(0, s.failures);
	close(p[0]);
	assert_int_equal(0, loop_run(&s.loop, NULL));
	assert_int_equal(1, s.failures);
	assert_string_equal("Broken pipe", s.why);
	end(&s);
	close(p[1]);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_at_once),
	    cmocka_unit_test(test_full_pipe),
	    cmocka_unit_test(test_full_socket),
	    cmocka_unit_test(test_lines_stay_whole),
	    cmocka_unit_test(test_file),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_fails_while_held),
	    cmocka_unit_test(test_watch),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
