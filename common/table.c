/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "table.h"
#include "text.h"

/* How many columns of a terminal a text takes that it cannot act on. */
static int
width_of(const char *s)
{
	size_t left = strlen(s);
	int width = 0;

	while (left > 0) {
		mbstate_t state = {0};
		wchar_t c;
		size_t n = mbrtowc(&c, s, left, &state);
		int columns;

		if (n == 0 || n > left) {
			/* no such locale: the first byte stands for it */
			n = 1;
			columns = ((unsigned char)*s & 0xc0) != 0x80;
		} else {
			columns = wcwidth(c);
		}
		width += columns > 0 ? columns : 0;
		s += n;
		left -= n;
	}
	return width;
}

void
table_init(struct table *t, const struct table_column *columns, size_t count)
{
	*t = (struct table){.columns = columns, .count = count};
	for (size_t i = 0; i < count; i++)
		table_add(t, columns[i].title);
}

/* Takes a cell over. */
static void
hold(struct table *t, char *cell)
{
	size_t size = t->size == 0 ? 64 : 2 * t->size;
	int *width = &t->widths[t->held % t->count], w;

	if (t->held == t->size) {
		char **cells = reallocarray(t->cells, size, sizeof(*cells));

		if (cells == NULL) {
			free(cell);
			t->failed = true;
			return;
		}
		t->cells = cells;
		t->size = size;
	}
	t->cells[t->held++] = cell;
	w = width_of(cell);
	if (w > *width)
		*width = w < TABLE_WIDE ? w : TABLE_WIDE;
}

void
table_add(struct table *t, const char *text)
{
	size_t len, size;
	char *cell;

	if (text == NULL || text[0] == '\0')
		text = "-";
	len = strlen(text);
	size = 4 * len + 1;
	cell = malloc(size);
	if (cell == NULL || t->failed) {
		free(cell);
		t->failed = true;
		return;
	}
	text_visible(cell, size, text, len);
	hold(t, cell);
}

/* Adds the cell of a column, with what fills it up and parts it. */
static void
write_cell(
    const struct table *t, size_t column, const char *cell, struct buf *out)
{
	int pad = t->widths[column] - width_of(cell);
	bool last = column + 1 == t->count;

	if (pad < 0)
		pad = 0;
	if (t->columns[column].right)
		buf_fmt(out, "%*s", pad, "");
	buf_text(out, cell);
	if (last)
		buf_text(out, "\n");
	else
		buf_fmt(out, "%*s", t->columns[column].right ? 2 : pad + 2, "");
}

int
table_write(struct table *t, struct buf *out)
{
	for (size_t i = 0; i < t->held; i++) {
		write_cell(t, i % t->count, t->cells[i], out);
		free(t->cells[i]);
	}
	t->held = 0;
	return t->failed || out->failed ? -1 : 0;
}

void
table_free(struct table *t)
{
	for (size_t i = 0; i < t->held; i++)
		free(t->cells[i]);
	free(t->cells);
	*t = (struct table){0};
}
