/* SPDX-License-Identifier: ISC */
/*
 * What goes, in files: DIR/events-2026-11-23.jsonl.gz and attempts-. No file
 * is ever overwritten. Where there is one of that name which holds the same
 * lines, nothing is written; where it holds others, the name gets a number.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest.h"
#include "gzip.h"
#include "prune.h"

/* The files of one day that are tried, at the most. */
#define FILES 1000

struct export
{
	struct prune *p;
	const char *parent, *part, *day;
	bool all;
	int64_t blocks;
	struct digest digest; /* of the rows */
	char name[PATH_MAX], temporary[PATH_MAX];
};

/* Takes the lines of a span of blocks; to may be NULL. */
static int
take_span(struct export *x, FILE *to, struct err *e)
{
	PGresult *r;
	int ret = 0;

	while ((r = PQgetResult(x->p->db)) != NULL) {
		ExecStatusType status = PQresultStatus(r);

		if (ret == 0 && status == PGRES_SINGLE_TUPLE) {
			const char *line = PQgetvalue(r, 0, 0);
			size_t len = (size_t)PQgetlength(r, 0, 0);

			if (digest_add(&x->digest, line, len) == -1)
				ret = err_temporary(e, "out of memory");
			else if (to != NULL &&
			    (fwrite(line, 1, len, to) != len ||
				putc('\n', to) == EOF))
				ret = err_set(
				    e, "%s: cannot be written", x->temporary);
		} else if (ret == 0 && status != PGRES_TUPLES_OK)
			ret = db_error(r, e);
		PQclear(r);
	}
	return ret;
}

/* Goes through the rows once, and writes their lines unless to is NULL. */
static int
take_rows(struct export *x, FILE *to, struct err *e)
{
	static const char sql[] = "SELECT whk.export($1, $2, $3, $4,"
				  " coalesce($5::timestamptz, '-infinity'),"
				  " coalesce($5::timestamptz + interval '24 h',"
				  " 'infinity'))";

	x->digest = (struct digest){0};
	for (int64_t at = 0; at < x->blocks; at += SPAN) {
		int64_t end = at + SPAN < x->blocks ? at + SPAN : x->blocks;
		struct args a = {0};
		int ret;

		args_text(&a, x->parent);
		args_text(&a, x->part);
		args_long(&a, at);
		args_long(&a, end);
		args_text(&a, x->all ? NULL : x->day);
		ret = db_stream(x->p->db, sql, &a, e);
		args_free(&a);
		if (ret == -1 || take_span(x, to, e) == -1)
			return -1;
		prune_progress(
		    x->p, "exporting", x->day, end * 100 / x->blocks);
	}
	return 0;
}

/* The lines that the file open at fd holds. */
static int
read_back(int fd, const char *name, struct digest *d, struct err *e)
{
	struct gzip z;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int ret = 0;

	*d = (struct digest){0};
	if (gzip_read(&z, fd, e) == -1)
		return -1;
	while (ret == 0 && (len = getline(&line, &size, z.pipe)) > 0)
		ret =
		    digest_add(d, line, (size_t)len - (line[len - 1] == '\n'));
	if (ret == -1)
		err_temporary(e, "out of memory");
	else if (ferror(z.pipe))
		ret = err_set(e, "%s: cannot be read", name);
	free(line);
	if (ret == -1)
		gzip_end(&z, NULL);
	else if (gzip_end(&z, e) == -1)
		ret = err_set(e, "%s: is no whole gzip file", name);
	return ret;
}

/* Whether there is a file of this name with the same lines: 1 or 0, or -1. */
static int
is_there(struct export *x, bool *exists, struct err *e)
{
	struct digest d;
	int fd, ret;

	fd = open(x->name, O_RDONLY | O_CLOEXEC);
	*exists = fd != -1 || errno != ENOENT;
	if (fd == -1)
		return *exists ? err_set(e, "%s: %s", x->name, strerror(errno))
			       : 0;
	/* one that cannot be read is somebody's too */
	ret = read_back(fd, x->name, &d, NULL);
	close(fd);
	if (ret == -1)
		return 0;
	if (x->digest.count == 0 && take_rows(x, NULL, e) == -1)
		return -1;
	return digest_same_heads(&x->digest, &d);
}

static int
write_lines(struct export *x, int fd, struct err *e)
{
	struct digest d;
	struct gzip z;

	if (gzip_write(&z, fd, e) == -1)
		return -1;
	if (take_rows(x, z.pipe, e) == -1) {
		gzip_end(&z, NULL);
		return -1;
	}
	if (gzip_end(&z, e) == -1)
		return err_set(e, "%s: cannot be written", x->temporary);
	if (fsync(fd) == -1)
		return err_set(e, "%s: %s", x->temporary, strerror(errno));
	if (read_back(fd, x->temporary, &d, e) == -1)
		return -1;
	return digest_same(&x->digest, &d)
	    ? 0
	    : err_set(
		  e, "%s: holds other lines than were written", x->temporary);
}

/* Makes the new name last. */
static int
sync_directory(const char *dir, struct err *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	ret = fd == -1 ? -1 : fsync(fd);
	if (ret == -1)
		err_set(e, "%s: %s", dir, strerror(errno));
	if (fd != -1)
		close(fd);
	return ret;
}

/* Writes the file under a temporary name, and gives it its own. */
static int
write_file(struct export *x, struct err *e)
{
	int fd, ret;

	/* what a killed run left may be another name of a finished file */
	unlink(x->temporary);
	fd = open(x->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return err_set(e, "%s: %s", x->temporary, strerror(errno));
	ret = write_lines(x, fd, e);
	if (close(fd) == -1 && ret == 0)
		ret = err_set(e, "%s: %s", x->temporary, strerror(errno));
	/* unlike rename(2), link(2) takes no other file's place */
	if (ret == 0 && link(x->temporary, x->name) == -1)
		ret = err_set(e, "%s: %s", x->name, strerror(errno));
	unlink(x->temporary);
	return ret == 0 ? sync_directory(x->p->o->export, e) : ret;
}

static int
set_names(struct export *x, int number, struct err *e)
{
	const char *dir = x->p->o->export;
	char suffix[16] = "";
	int n, m;

	if (number > 1)
		snprintf(suffix, sizeof(suffix), ".%d", number);
	n = snprintf(x->name, sizeof(x->name), "%s/%ss-%s%s.jsonl.gz", dir,
	    x->parent, x->day, suffix);
	m = snprintf(x->temporary, sizeof(x->temporary),
	    "%s/.%ss-%s.jsonl.gz.part", dir, x->parent, x->day);
	if (n < 0 || m < 0 || (size_t)n >= sizeof(x->name) ||
	    (size_t)m >= sizeof(x->temporary))
		return err_set(e, "%s: name too long", dir);
	return 0;
}

int
prune_export(struct prune *p, const char *parent, const char *part,
    const char *day, bool all, int64_t blocks, struct err *e)
{
	struct export x = {.p = p,
	    .parent = parent,
	    .part = part,
	    .day = day,
	    .all = all,
	    .blocks = blocks};
	bool exists;

	for (int number = 1; number <= FILES; number++) {
		int same;

		if (set_names(&x, number, e) == -1)
			return -1;
		same = is_there(&x, &exists, e);
		if (same != 0)
			return same == 1 ? 0 : -1;
		if (!exists) {
			if (write_file(&x, e) == -1)
				return -1;
			prune_say(p, "%s: %lld line%s", x.name,
			    (long long)x.digest.count,
			    x.digest.count == 1 ? "" : "s");
			return 0;
		}
	}
	return err_set(e, "%s: too many files of one day", x.name);
}
