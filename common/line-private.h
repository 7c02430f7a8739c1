/* SPDX-License-Identifier: ISC */
#ifndef WHK_LINE_PRIVATE_H
#define WHK_LINE_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

#include "json.h"
#include "line.h"

/* What line.c, line-member.c and line-write.c share. */

/* One member of a line: where it goes and what it may be. */
struct line_member {
	const char *name;
	/*
	 * Reads the value into the line's struct. Returns NULL, or what is
	 * wrong with it; where it is no JSON, the reader knows that.
	 */
	const char *(*read)(
	    struct json *j, void *line, const struct line_member *m);
	size_t offset; /* of the field in the line's struct */
	int64_t max;   /* of a number or of a text's length; from 1 on */
	const char *what;
};

/* All members that a line may have; each ends with one whose name is NULL. */
extern const struct line_member line_event_members[], line_attempt_members[];

/* The one reader for which null is a value. */
const char *
line_read_body(struct json *j, void *line, const struct line_member *m);

/* The member of that name, whatever the key escapes; NULL if there is none. */
const struct line_member *line_find_member(
    const struct line_member *members, const struct json_slice *key);

#endif
