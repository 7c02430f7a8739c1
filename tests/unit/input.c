/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "buf.h"
#include "input.h"
#include "loop.h"

/* What came, as text: each line in brackets, "!" for one too long. */
struct seen {
	struct loop loop;
	struct input *in;
	struct buf text;
	size_t lines, bytes, longest;
	int ends, errors;
	size_t pause_every; /* lines; 0: never */
	int resume;         /* 1: at once, 2: from a timer */
	size_t free_at, stop_at;
	struct event *tick; /* another event that is always ready */
	size_t ticks;
};

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct seen *s = arg;

	(void)fd;
	(void)what;
	input_resume(s->in);
}

static void
on_line(void *arg, char *line, size_t len, uint64_t number)
{
	static const struct timeval soon;
	struct seen *s = arg;

	s->lines++;
	s->bytes += len;
	assert_int_equal(s->lines, number);
	if (len > s->longest)
		s->longest = len;
	if (line != NULL)
		assert_int_equal('\0', line[len]);
	if (len < 100)
		buf_fmt(&s->text, "[%s]", line == NULL ? "!" : line);
	if (s->free_at == s->lines) {
		input_free(s->in);
		s->in = NULL;
		return;
	}
	if (s->stop_at == s->lines)
		input_stop(s->in);
	if (s->pause_every == 0 || s->lines % s->pause_every != 0)
		return;
	input_pause(s->in);
	if (s->resume == 1)
		input_resume(s->in);
	else if (s->resume == 2)
		event_base_once(
		    s->loop.base, -1, EV_TIMEOUT, on_resume, s, &soon);
}

static void
on_end(void *arg, const struct err *e)
{
	struct seen *s = arg;

	s->ends++;
	s->errors += e != NULL;
	loop_break(&s->loop);
}

static const struct input_handler handler = {on_line, on_end};

static void
run(struct seen *s, int fd)
{
	struct err e = {0};

	assert_int_equal(0, loop_init(&s->loop, NULL, NULL, &e));
	s->in = input_new(s->loop.base, fd, &handler, s, &e);
	if (s->in == NULL)
		fail_msg("%s", e.msg);
	assert_int_equal(0, loop_run(&s->loop, &e));
}

static void
done(struct seen *s)
{
	input_free(s->in);
	loop_free(&s->loop);
	buf_free(&s->text);
	*s = (struct seen){0};
}

static int
file_of(const void *data, size_t len)
{
	FILE *f = tmpfile();
	int fd;

	assert_non_null(f);
	assert_int_equal(len, fwrite(data, 1, len, f));
	assert_int_equal(0, fflush(f));
	fd = dup(fileno(f));
	fclose(f);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* A pipe that a child fills in pieces of step bytes. */
static int
pipe_of(const char *data, size_t len, size_t step)
{
	int p[2];

	assert_int_equal(0, pipe(p));
	if (fork() == 0) {
		close(p[0]);
		for (size_t i = 0; i < len; i += step)
			if (write(p[1], data + i,
				len - i < step ? len - i : step) < 0)
				_exit(1);
		_exit(0);
	}
	close(p[1]);
	return p[0];
}

static void
assert_text(const char *input, const char *expected)
{
	size_t len = strlen(input);

	for (size_t step = 0; step < 4; step++) {
		struct seen s = {0};
		int fd =
		    step == 0 ? file_of(input, len) : pipe_of(input, len, step);

		run(&s, fd);
		assert_string_equal(
		    expected, s.text.data == NULL ? "" : s.text.data);
		assert_int_equal(1, s.ends);
		assert_int_equal(0, s.errors);
		done(&s);
		close(fd);
		while (wait(NULL) > 0)
			;
	}
}

static void
test_lines(void **state)
{
	(void)state;
	assert_text("", "");
	assert_text("\n", "[]");
	assert_text("a", "[a]");
	assert_text("a\n", "[a]");
	assert_text("a\nb", "[a][b]");
	assert_text("\n\na\n\nbc\n", "[][][a][][bc]");
	assert_text("a\r\nb\r\n", "[a\r][b\r]");
}

static void
test_nul(void **state)
{
	struct seen s = {0};
	int fd = file_of("a\0b\nc", 5);

	(void)state;
	run(&s, fd);
	assert_string_equal("[a][c]", s.text.data);
	assert_int_equal(4, s.bytes);
	done(&s);
	close(fd);
}

/* Lines of many lengths, read whole, paused, from a file and a pipe. */
static void
test_pauses(void **state)
{
	static const size_t every[] = {0, 1, 7, 1000};
	size_t len = 0, lines = 3000, bytes = 0;
	char *data = malloc(lines * 2000);

	(void)state;
	assert_non_null(data);
	for (size_t i = 0; i < lines; i++) {
		size_t n = i * 7919 % 1999;

		memset(data + len, 'x', n);
		data[len + n] = '\n';
		len += n + 1;
		bytes += n;
	}
	for (int i = 0; i < 16; i++) {
		struct seen s = {
		    .pause_every = every[i % 4], .resume = 1 + (i / 4) % 2};
		int fd = i < 8 ? file_of(data, len) : pipe_of(data, len, 65536);

		run(&s, fd);
		assert_int_equal(lines, s.lines);
		assert_int_equal(bytes, s.bytes);
		assert_int_equal(1, s.ends);
		done(&s);
		close(fd);
		while (wait(NULL) > 0)
			;
	}
	free(data);
}

static void
test_stays_paused(void **state)
{
	struct seen s = {.pause_every = 2};
	int fd = file_of("a\nb\nc\n", 6);

	(void)state;
	run(&s, fd);
	assert_string_equal("[a][b]", s.text.data);
	assert_int_equal(0, s.ends);
	input_resume(s.in);
	assert_int_equal(0, loop_run(&s.loop, NULL));
	assert_string_equal("[a][b][c]", s.text.data);
	assert_int_equal(1, s.ends);
	done(&s);
	close(fd);
}

static void
test_too_long(void **state)
{
	size_t max = INPUT_LINE_MAX, len = 5 * max + 100, at = 0;
	char *data = malloc(len);
	struct seen s = {0};
	int fd;

	(void)state;
	assert_non_null(data);
	memset(data, 'x', len);
	data[at += max] = '\n'; /* just fits */
	data[at += 2] = '\n';
	data[at += max + 2] = '\n'; /* a byte too many */
	data[at += 2] = '\n';
	data[at += 2 * max] = '\n';
	data[at += 2] = '\n';
	fd = pipe_of(data, at + 1 + max, 1 << 20);
	run(&s, fd);
	assert_string_equal("[x][!][x][!][x]", s.text.data);
	assert_int_equal(max, s.longest);
	assert_int_equal(7, s.lines);
	assert_int_equal(max + 3 + max, s.bytes);
	done(&s);
	close(fd);
	wait(NULL);

	data[max] = 'x';
	fd = pipe_of(data, max + 1, 1 << 20); /* without an LF */
	run(&s, fd);
	assert_string_equal("[!]", s.text.data);
	assert_int_equal(1, s.ends);
	done(&s);
	close(fd);
	wait(NULL);
	free(data);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval now;
	struct seen *s = arg;

	(void)fd;
	(void)what;
	s->ticks++;
	event_add(s->tick, &now);
}

/* A large file leaves turns to others. */
static void
test_is_fair(void **state)
{
	static const struct timeval now;
	size_t len = 8 << 20;
	char *data = malloc(len);
	struct seen s = {0};
	int fd;

	(void)state;
	assert_non_null(data);
	memset(data, '\n', len);
	fd = file_of(data, len);
	assert_int_equal(0, loop_init(&s.loop, NULL, NULL, NULL));
	s.tick = evtimer_new(s.loop.base, on_tick, &s);
	event_add(s.tick, &now);
	s.in = input_new(s.loop.base, fd, &handler, &s, NULL);
	assert_int_equal(0, loop_run(&s.loop, NULL));
	assert_int_equal(len, s.lines);
	assert_true(s.ticks > len / (256 << 10));
	event_free(s.tick);
	done(&s);
	close(fd);
	free(data);
}

static void
test_free_inside(void **state)
{
	struct seen s = {.free_at = 2};
	int fd = file_of("a\nb\nc\n", 6);

	(void)state;
	run(&s, fd);
	assert_string_equal("[a][b]", s.text.data);
	assert_null(s.in);
	done(&s);
	close(fd);
}

/* What came in whole is handed out, the rest is not. */
static void
test_stop(void **state)
{
	static const struct {
		const char *data, *text;
		size_t stop_at, pause_every;
	} rows[] = {
	    {"a\nb\nc\nd", "[a][b][c]", 2, 0},
	    {"a\nb\nc\nd", "[a][b][c]", 1, 1},
	    {"a\nb\nc\n", "[a][b][c]", 3, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seen s = {.stop_at = rows[i].stop_at,
		    .pause_every = rows[i].pause_every,
		    .resume = 2};
		int fd = file_of(rows[i].data, strlen(rows[i].data));

		run(&s, fd);
		assert_string_equal(rows[i].text, s.text.data);
		assert_int_equal(1, s.ends);
		assert_int_equal(0, s.errors);
		done(&s);
		close(fd);
	}
}

static void
test_errors(void **state)
{
	struct seen s = {0};
	struct err e = {0};
	int fd = open(".", O_RDONLY | O_DIRECTORY);

	(void)state;
	run(&s, fd);
	assert_int_equal(1, s.ends);
	assert_int_equal(1, s.errors);
	done(&s);
	close(fd);
	assert_int_equal(0, loop_init(&s.loop, NULL, NULL, NULL));
	assert_null(input_new(s.loop.base, 999, &handler, &s, &e));
	assert_true(e.msg[0] != '\0');
	done(&s);
}

/* The descriptor is shared: its flags are left alone, whatever they are. */
static void
test_non_blocking(void **state)
{
	struct seen s = {0};
	int fd = pipe_of("a\nb", 3, 1);

	(void)state;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	run(&s, fd);
	assert_string_equal("[a][b]", s.text.data);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	done(&s);
	close(fd);
	wait(NULL);
	fd = pipe_of("a", 1, 1);
	run(&s, fd);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
	done(&s);
	close(fd);
	wait(NULL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_nul),
	    cmocka_unit_test(test_pauses),
	    cmocka_unit_test(test_stays_paused),
	    cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_is_fair),
	    cmocka_unit_test(test_free_inside),
	    cmocka_unit_test(test_stop),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_non_blocking),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
