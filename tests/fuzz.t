#!/bin/sh
# SPDX-License-Identifier: ISC
# What reads what others wrote goes through the corpora of its fuzz targets.
. "$(dirname "$0")/lib.sh"

changes=500
[ -z "${WHK_TEST_SLOW:-}" ] || changes=50

for source in "$TOP"/tests/fuzz/*.c; do
	name=$(basename "$source" .c)
	[ "$name" != main ] || continue
	corpus=$TOP/tests/fuzz/corpus/$name
	ok "$name has a corpus" test -d "$corpus"
	exits 0 "$name takes it, and $changes changes of each file" \
		"$BUILD/tests/fuzz/$name" -n $changes "$corpus"/*
done

done_testing
