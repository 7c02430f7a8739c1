/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "text.h"
#include "whk-log/log.h"
#include "when.h"

void
show_text(struct buf *b, const char *text, size_t len)
{
	size_t size = 4 * len + 1;
	char *visible = malloc(size);

	if (visible == NULL) {
		b->failed = true;
		return;
	}
	buf_add(b, visible, text_visible(visible, size, text, len));
	free(visible);
}

void
show_lines(struct buf *b, const char *prefix, const char *text, size_t len)
{
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t n = end == NULL ? len : (size_t)(end - text);

		buf_text(b, prefix);
		show_text(b, text, n);
		buf_text(b, "\n");
		n += end != NULL;
		text += n;
		len -= n;
	}
}

void
show_time(struct log *l, int64_t ms)
{
	char text[WHEN_TEXT > CLOCK_TEXT ? WHEN_TEXT : CLOCK_TEXT];

	if (!l->local) {
		clock_format(ms, text);
		buf_text(&l->out, text);
		return;
	}
	when_format(ms, text);
	buf_fmt(&l->out, "%s.%03d", text, (int)(ms % 1000));
}
