/* SPDX-License-Identifier: ISC */
#ifndef WHK_PRUNE_GZIP_H
#define WHK_PRUNE_GZIP_H

#include <stdio.h>
#include <sys/types.h>

#include "err.h"

/* A gzip(1) at the other end of a pipe. */
struct gzip {
	FILE *pipe; /* to write to it, or to read from it */
	pid_t pid;
};

/*
 * Starts one that compresses what is written to it to the file open at fd, or
 * one that decompresses that file. fd stays the caller's. 0, or -1 with *e.
 */
int gzip_write(struct gzip *z, int fd, struct err *e);
int gzip_read(struct gzip *z, int fd, struct err *e);

/*
 * Closes the pipe and waits for it. 0, or -1 with *e if anything was not
 * written, or gzip says that it failed. Does nothing if z was not started.
 */
int gzip_end(struct gzip *z, struct err *e);

#endif
