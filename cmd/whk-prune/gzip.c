/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gzip.h"

extern char **environ;

/* Starts gzip with these descriptors as its standard input and output. */
static int
spawn(struct gzip *z, char *const argv[], int in, int out, struct err *e)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t signals;
	int error;

	sigemptyset(&signals);
	sigaddset(&signals, SIGPIPE); /* which we ignore */
	error = posix_spawn_file_actions_init(&actions);
	if (error != 0)
		return err_set(e, "gzip: %s", strerror(error));
	error = posix_spawnattr_init(&attributes);
	if (error != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return err_set(e, "gzip: %s", strerror(error));
	}
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigdefault(&attributes, &signals);
	error = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	if (error == 0)
		error = posix_spawn_file_actions_adddup2(
		    &actions, out, STDOUT_FILENO);
	if (error == 0)
		error = posix_spawnp(
		    &z->pid, argv[0], &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error == 0 ? 0 : err_set(e, "gzip: %s", strerror(error));
}

/* Starts it with our end of a pipe for a stream in this mode. */
static int
start(
    struct gzip *z, char *const argv[], int fd, const char *mode, struct err *e)
{
	int ends[2], ours = mode[0] == 'w', ret;

	*z = (struct gzip){0};
	/* close-on-exec, so that gzip does not hold our end itself */
	if (pipe2(ends, O_CLOEXEC) == -1)
		return err_set(e, "pipe: %s", strerror(errno));
	ret = spawn(
	    z, argv, ours == 1 ? ends[0] : fd, ours == 1 ? fd : ends[1], e);
	close(ends[!ours]);
	if (ret == 0)
		z->pipe = fdopen(ends[ours], mode);
	if (z->pipe != NULL)
		return 0;
	if (ret == 0)
		ret = err_temporary(e, "gzip: %s", strerror(errno));
	close(ends[ours]);
	return ret;
}

int
gzip_write(struct gzip *z, int fd, struct err *e)
{
	static char name[] = "gzip", flags[] = "-c";

	return start(z, (char *const[]){name, flags, NULL}, fd, "w", e);
}

int
gzip_read(struct gzip *z, int fd, struct err *e)
{
	static char name[] = "gzip", flags[] = "-dc";

	if (lseek(fd, 0, SEEK_SET) == -1)
		return err_set(e, "cannot read back: %s", strerror(errno));
	return start(z, (char *const[]){name, flags, NULL}, fd, "r", e);
}

int
gzip_end(struct gzip *z, struct err *e)
{
	bool bad = z->pipe != NULL && fclose(z->pipe) == EOF;
	int error = errno, status = 0;

	z->pipe = NULL;
	if (z->pid != 0)
		while (waitpid(z->pid, &status, 0) == -1 && errno == EINTR)
			continue;
	z->pid = 0;
	if (status != 0)
		return err_set(e, "gzip failed");
	return bad ? err_set(e, "gzip: %s", strerror(error)) : 0;
}
