/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "table.h"
#include "text.h"

/* What table_fit() leaves to two columns at least. */
#define FIT_LEAST 10

struct table_cell {
	char *text;
	const char *style;
};

/* The bytes of the next character, and how many columns it takes. */
static size_t
next_char(const char *s, int *columns)
{
	size_t left = strlen(s), n;
	mbstate_t state = {0};
	wchar_t c;

	n = mbrtowc(&c, s, left, &state);
	if (n == 0 || n > left) {
		/* no such locale: the first byte stands for it */
		*columns = ((unsigned char)*s & 0xc0) != 0x80;
		return 1;
	}
	*columns = wcwidth(c) > 0 ? wcwidth(c) : 0;
	return n;
}

/* How many columns of a terminal a text takes that it cannot act on. */
static int
width_of(const char *s)
{
	int width = 0, columns;

	while (*s != '\0') {
		s += next_char(s, &columns);
		width += columns;
	}
	return width;
}

/* Cuts a text, which has room for an ellipsis, to a width. */
static void
cut(char *s, int width)
{
	int columns, used = 0;

	if (width == 0 || width_of(s) <= width)
		return;
	for (;;) {
		size_t n = next_char(s, &columns);

		if (used + columns > width - 1)
			break;
		used += columns;
		s += n;
	}
	memcpy(s, "\u2026", sizeof("\u2026"));
}

void
table_init(struct table *t, const struct table_column *columns, size_t count)
{
	*t = (struct table){.columns = columns, .count = count};
	for (size_t i = 0; i < count; i++)
		table_add(t, columns[i].title);
}

void
table_cut(struct table *t, size_t column, int width)
{
	t->cuts[column] = width;
}

void
table_fit(struct table *t, int columns, size_t major, size_t minor)
{
	t->fit = columns;
	t->major = major;
	t->minor = minor;
}

/* Takes a text over. */
static void
hold(struct table *t, char *text, const char *style)
{
	size_t size = t->size == 0 ? 64 : 2 * t->size;
	size_t column = t->held % t->count;
	bool fits = t->fit > 0 && (column == t->major || column == t->minor);
	int w;

	if (t->held == t->size) {
		struct table_cell *cells =
		    reallocarray(t->cells, size, sizeof(*cells));

		if (cells == NULL) {
			free(text);
			t->failed = true;
			return;
		}
		t->cells = cells;
		t->size = size;
	}
	t->cells[t->held++] = (struct table_cell){.text = text, .style = style};
	w = width_of(text);
	if (w > TABLE_WIDE && !fits)
		w = TABLE_WIDE;
	if (w > t->widths[column])
		t->widths[column] = w;
}

void
table_add(struct table *t, const char *text)
{
	table_add_styled(t, text, NULL);
}

void
table_add_styled(struct table *t, const char *text, const char *style)
{
	size_t len, size;
	char *cell;

	if (text == NULL || text[0] == '\0')
		text = "-";
	len = strlen(text);
	size = 4 * len + sizeof("\u2026");
	cell = malloc(size);
	if (cell == NULL || t->failed) {
		free(cell);
		t->failed = true;
		return;
	}
	text_visible(cell, size, text, len);
	cut(cell, t->cuts[t->held % t->count]);
	hold(t, cell, style);
}

/* Adds the cell of a column, with what fills it up and parts it. */
static void
write_cell(const struct table *t, size_t column, const struct table_cell *cell,
    struct buf *out)
{
	int pad = t->widths[column] - width_of(cell->text);
	bool last = column + 1 == t->count;

	if (pad < 0)
		pad = 0;
	if (t->columns[column].right)
		buf_fmt(out, "%*s", pad, "");
	if (cell->style != NULL)
		buf_fmt(out, "\033[%sm%s\033[m", cell->style, cell->text);
	else
		buf_text(out, cell->text);
	if (last)
		buf_text(out, "\n");
	else
		buf_fmt(out, "%*s", t->columns[column].right ? 2 : pad + 2, "");
}

/* Cuts the cells of a column that are held. */
static void
narrow(struct table *t, size_t column, int width)
{
	if (t->widths[column] <= width)
		return;
	t->widths[column] = width;
	for (size_t i = column; i < t->held; i += t->count)
		cut(t->cells[i].text, width);
}

/* Makes the lines fit. */
static void
fit(struct table *t)
{
	int left = t->fit - 2 * (int)(t->count - 1), major, minor;

	for (size_t i = 0; i < t->count; i++)
		if (i != t->major && i != t->minor)
			left -= t->widths[i];
	if (left < FIT_LEAST)
		left = FIT_LEAST;
	major = t->widths[t->major];
	minor = t->widths[t->minor];
	if (minor > left * 2 / 5 && major + minor > left)
		minor =
		    left - major > left * 2 / 5 ? left - major : left * 2 / 5;
	narrow(t, t->minor, minor);
	narrow(t, t->major, left - minor);
}

int
table_write(struct table *t, struct buf *out)
{
	if (t->fit > 0 && !t->failed)
		fit(t);
	for (size_t i = 0; i < t->held; i++) {
		write_cell(t, i % t->count, &t->cells[i], out);
		free(t->cells[i].text);
	}
	t->held = 0;
	return t->failed || out->failed ? -1 : 0;
}

void
table_free(struct table *t)
{
	for (size_t i = 0; i < t->held; i++)
		free(t->cells[i].text);
	free(t->cells);
	*t = (struct table){0};
}
