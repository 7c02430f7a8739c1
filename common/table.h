/* SPDX-License-Identifier: ISC */
#ifndef WHK_TABLE_H
#define WHK_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

/*
 * A table for people, its columns aligned, a title above each. Cells come one
 * by one, from left to right. What a terminal could act on is made visible;
 * nothing is cut unless that is asked for: a cell wider than TABLE_WIDE pushes
 * those beside it.
 */
#define TABLE_COLUMNS 16
#define TABLE_WIDE 40

struct table_column {
	const char *title;
	bool right; /* aligned to the right, as numbers are */
};

struct table {
	const struct table_column *columns;
	size_t count;
	int widths[TABLE_COLUMNS];
	int cuts[TABLE_COLUMNS];
	int fit;                  /* to so many columns of a terminal; 0: not */
	size_t major, minor;      /* what is cut for that */
	struct table_cell *cells; /* that are held */
	size_t held, size;
	bool failed; /* memory was out */
};

/*
 * Starts a table whose titles are its first row. The columns, up to
 * TABLE_COLUMNS, are borrowed. Wide characters count as such in a locale that
 * knows UTF-8.
 */
void
table_init(struct table *t, const struct table_column *columns, size_t count);

/*
 * For a terminal: what is wider than so many columns, from 1, is cut there, in
 * all cells of that column which follow. 0 is as it was.
 */
void table_cut(struct table *t, size_t column, int width);

/*
 * For a terminal of so many columns: the lines of each part that is written
 * fit, if that can be, as two columns of the table are cut to what the others
 * leave: the minor one to 2/5 of it at the most, unless the major one, or it,
 * takes less.
 */
void table_fit(struct table *t, int columns, size_t major, size_t minor);

/*
 * Adds a cell; NULL or "" is shown as "-". style is what a terminal calls its
 * style ("31", red: ECMA-48, SGR), a literal, or NULL.
 */
void table_add(struct table *t, const char *text);
void table_add_styled(struct table *t, const char *text, const char *style);

/*
 * Adds the rows that are held to *out and forgets them. A column keeps its
 * width or grows, so a long table may be written in parts. Returns 0, or -1
 * if memory is out.
 */
int table_write(struct table *t, struct buf *out);

void table_free(struct table *t);

#endif
