/* SPDX-License-Identifier: ISC */
/* Numbers as people read them, and many of them as a sparkline. */
#include <stdio.h>
#include <string.h>

#include "whk-stat/stat.h"

void
stat_number(double v, char buf[STAT_NUMBER])
{
	if (v >= 100 || v == 0)
		snprintf(buf, STAT_NUMBER, "%.0f", v);
	else if (v >= 10)
		snprintf(buf, STAT_NUMBER, "%.1f", v);
	else if (v >= 0.01)
		snprintf(buf, STAT_NUMBER, "%.2f", v);
	else
		snprintf(buf, STAT_NUMBER, "<0.01");
}

void
stat_count(int64_t v, bool more, char buf[STAT_NUMBER])
{
	snprintf(buf, STAT_NUMBER, "%lld%s", (long long)v, more ? "+" : "");
}

void
stat_spark(const double *values, size_t count, struct buf *out)
{
	/* what is there at all is seen, nothing is a space */
	static const char *const bars[] = {
	    " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	double most = 0;

	for (size_t i = 0; i < count; i++)
		if (values[i] > most)
			most = values[i];
	for (size_t i = 0; i < count; i++)
		buf_text(out,
		    values[i] <= 0 ? bars[0]
				   : bars[1 + (int)(7 * values[i] / most)]);
}
