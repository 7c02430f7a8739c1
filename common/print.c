/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "print.h"

int
print_bytes(const char *data, size_t len, struct err *e)
{
	if (len == 0 || fwrite(data, 1, len, stdout) == len)
		return 0;
	return err_set(e, "stdout: %s", strerror(errno));
}

int
print_end(struct err *e)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return err_set(e, "stdout: %s",
	    errno != 0 ? strerror(errno) : "cannot be written");
}
