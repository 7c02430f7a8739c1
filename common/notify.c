/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "notify.h"

#define READY "READY=1"

static int
send_ready(const struct sockaddr_un *to, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ssize_t n;
	int error;

	if (fd == -1)
		return -1;
	n = sendto(fd, READY, strlen(READY), MSG_NOSIGNAL,
	    (const struct sockaddr *)to, len);
	error = errno;
	close(fd);
	errno = error;
	return n == -1 ? -1 : 0;
}

int
notify_ready(struct err *e)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const char *name = getenv("NOTIFY_SOCKET");
	size_t len = name == NULL ? 0 : strlen(name);
	int rc;

	if (len == 0)
		return 0;
	if (len > sizeof(to.sun_path))
		return err_set(e, "NOTIFY_SOCKET: %s", strerror(ENAMETOOLONG));
	memcpy(to.sun_path, name, len);
	if (name[0] == '@')
		to.sun_path[0] = '\0';
	rc = send_ready(
	    &to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	if (rc == -1)
		err_set(e, "NOTIFY_SOCKET: %s: %s", name, strerror(errno));
	unsetenv("NOTIFY_SOCKET");
	return rc;
}
