/* SPDX-License-Identifier: ISC */
#ifndef WHK_ARGS_H
#define WHK_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * The arguments of a call to PostgreSQL, in its binary format: single values,
 * and arrays that grow by one element at a time. Zeroed memory has none.
 *
 * Times are ms since 1970 and become timestamptz. An allocation that fails is
 * remembered; args_ok() says so at the end.
 */
#define ARGS_MAX 24

enum args_type {
	ARGS_TEXT,
	ARGS_BYTES,
	ARGS_INT,
	ARGS_LONG,
	ARGS_BOOL,
	ARGS_TIME,
};

struct args {
	struct arg {
		enum args_type type;
		bool array;
		bool null;
		bool has_null; /* an element of the array is null */
		int32_t count; /* of elements */
		struct buf buf;
	} arg[ARGS_MAX];
	int count;
	bool failed;
};

/* Adds an argument; each returns its place, from 0. NULL is SQL's null. */
int args_text(struct args *a, const char *s);
int args_long(struct args *a, int64_t v);
int args_time(struct args *a, int64_t ms);
int args_null(struct args *a, enum args_type type, bool array);
int args_longs(struct args *a, const int64_t *v, size_t n); /* bigint[] */

/* Adds an array of a type, empty; its elements follow with the calls below. */
int args_array(struct args *a, enum args_type type);

/* Append an element to the array at place i; s NULL is null. */
void args_add_text(struct args *a, int i, const char *s);
void args_add_bytes(struct args *a, int i, const void *s, size_t len);
void args_add_number(struct args *a, int i, int64_t v); /* INT LONG BOOL TIME */
void args_add_null(struct args *a, int i);

/* Whether all of it is there. */
bool args_ok(const struct args *a);

/*
 * Fills what libpq asks for; the pointers are into a and good until it
 * changes. Returns the number of arguments.
 */
struct args_pq {
	unsigned int types[ARGS_MAX];
	const char *values[ARGS_MAX];
	int lengths[ARGS_MAX];
	int formats[ARGS_MAX];
};
int args_finish(struct args *a, struct args_pq *pq);

size_t args_size(const struct args *a); /* bytes held */
void args_free(struct args *a);

#endif
