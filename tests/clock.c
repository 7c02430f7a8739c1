/* SPDX-License-Identifier: ISC */
/*
 * A wrong clock, to be preloaded: the time of day is off by as many seconds as
 * the file that WHK_TEST_CLOCK names says, which may change at any time. The
 * clocks that never step are left alone.
 */
#include <sys/syscall.h>
#include <sys/time.h>

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static time_t
offset(void)
{
	const char *path = getenv("WHK_TEST_CLOCK");
	char text[32];
	ssize_t len;
	int fd;

	fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return 0;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	return (time_t)strtol(text, NULL, 10);
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int ret = (int)syscall(SYS_clock_gettime, id, ts);

	if (ret == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		ts->tv_sec += offset();
	return ret;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *t)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (t != NULL)
		*t = ts.tv_sec;
	return ts.tv_sec;
}
