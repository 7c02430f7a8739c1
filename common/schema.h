/* SPDX-License-Identifier: ISC */
#ifndef WHK_SCHEMA_H
#define WHK_SCHEMA_H

/*
 * The files of sql/, compiled in. Those named 0NN-*.sql are steps: step N
 * brings the schema from version N-1 to N and runs once. Those named 1NN-*.sql
 * and after hold functions and run at every whk-init.
 */
struct schema_file {
	const char *name;
	const char *text;
};

/* Ends with an entry whose name is NULL. */
extern const struct schema_file schema_files[];

/* How many steps there are: the version that this program was built for. */
extern const int schema_steps;

#endif
