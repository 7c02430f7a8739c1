/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "schema.h"

int
schema_version(void)
{
	int n = 0;

	for (const struct schema_file *f = schema_files; f->name != NULL; f++)
		if (f->name[0] == '0')
			n++;
	return n;
}
