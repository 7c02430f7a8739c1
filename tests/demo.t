#!/bin/sh
# SPDX-License-Identifier: ISC
# The demo works, in time, and leaves nothing behind; with KEEP it stays up and
# can be ended as it says.
. "$(dirname "$0")/lib.sh"

mkdir "$T/tmp"
chmod 711 "$T/tmp"
export TMPDIR="$T/tmp"

began=$(date +%s)
exits 0 "the demo" "$TOP/tests/demo"
took=$(($(date +%s) - began))
[ -n "${WHK_TEST_SLOW:-}" ] || ok "in $took s, under 60" test $took -lt 60
is "$(sed -n '/^\$ cat shop$/ { n; p; }' "$T/out")" \
	'{"event": "Hello webhooks world"}' "the subscriber's print"
is "$(sed -n '/^\$ cat stock$/ { n; p; }' "$T/out")" \
	'{"event": "Hello webhooks world"}' "the other's, after a retry"
out_like '"outcome":"retry"' "the failed attempt was said"
out_like '^ *2 \| *2 \| delivered \| *200 ' "the record has the second one"
err_is '' "no complaint"
is "$(ls "$T/tmp")" '' "no file is left"
is "$(pgrep -f "$T/tmp/")" '' "no program is left"

# The same while somebody interrupts it.
spawn demo "$TOP/tests/demo"
wait_for "grep -q whk-poll '$T/demo.out'"
stop "$pid"
isnt "$status" 0 "interrupted, it fails"
is "$(ls "$T/tmp")" '' "and leaves no file"
is "$(pgrep -f "$T/tmp/")" '' "and no program"

exits 0 "the demo with KEEP=1" env KEEP=1 "$TOP/tests/demo"
sed -n '/^# It stays up/,$ { /^export /p; /^PATH=/p; }' "$T/out" >"$T/env"
sed -n 's/^sh //p' "$T/out" >"$T/stop"
exits 0 "its programs can be used as it says" \
	sh -c '. "$1"; whk-list -j && echo x | whk-emit' sh "$T/env"
like "$(cat "$T/out")" '"id":2' "and its webhooks are there"
exits 0 "it is ended as it says" sh "$(cat "$T/stop")"
is "$(ls "$T/tmp")" '' "which leaves no file"
is "$(pgrep -f "$T/tmp/")" '' "and no program"

done_testing
