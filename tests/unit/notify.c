/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "notify.h"

/* A service manager that hears at name; '@' is for an abstract one. */
static int
manager(const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct timeval wait = {.tv_sec = 10};
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_not_equal(-1, fd);
	memcpy(at.sun_path, name, len);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	assert_int_equal(0,
	    bind(fd, (struct sockaddr *)&at,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	assert_int_equal(0, setenv("NOTIFY_SOCKET", name, 1));
	return fd;
}

static void
assert_told(const char *name)
{
	char got[64] = "";
	int fd = manager(name);

	assert_int_equal(0, notify_ready(NULL));
	assert_int_equal(7, recv(fd, got, sizeof(got) - 1, 0));
	assert_string_equal("READY=1", got);
	assert_null(getenv("NOTIFY_SOCKET"));
	close(fd);
}

static void
test_told(void **state)
{
	char dir[] = "/tmp/whk-notify-XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	assert_told(path);
	unlink(path);
	rmdir(dir);
	snprintf(path, sizeof(path), "@whk-notify-%d", (int)getpid());
	assert_told(path);
}

static void
test_nobody_asks(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(0, notify_ready(NULL));
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(0, notify_ready(NULL));
}

static void
test_nobody_hears(void **state)
{
	char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 2] = "/";
	struct err e;

	(void)state;
	setenv("NOTIFY_SOCKET", "/nowhere/socket", 1);
	assert_int_equal(-1, notify_ready(&e));
	assert_string_equal(
	    "NOTIFY_SOCKET: /nowhere/socket: No such file or directory", e.msg);
	memset(name, 'x', sizeof(name) - 1);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(-1, notify_ready(&e));
	assert_string_equal("NOTIFY_SOCKET: File name too long", e.msg);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_told),
	    cmocka_unit_test(test_nobody_asks),
	    cmocka_unit_test(test_nobody_hears),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
