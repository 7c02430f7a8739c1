#!/bin/sh
# SPDX-License-Identifier: ISC
# sql2c.sh FILE...: prints a C source with schema_files[], the name and text
# of each file, in the order given, without the comments before statements:
# they are for who reads sql/, and a fifth of it.
set -eu
echo '#include "schema.h"'
echo 'const struct schema_file schema_files[] = {'
for f; do
	printf '{"%s",\n' "$(basename "$f")"
	sed '/^--/d; s/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$/\\n"/' "$f"
	printf '},\n'
done
echo '{0, 0}};'

# The version stands by itself: what needs only that carries no SQL.
steps=0
for f; do
	case $(basename "$f") in 0*) steps=$((steps + 1)) ;; esac
done
echo "const int schema_steps = $steps;"
