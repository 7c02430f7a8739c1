#!/bin/sh
# SPDX-License-Identifier: ISC
# Other programs between whk-poll and whk-send: jq as a filter and as an
# editor, tee and grep.
. "$(dirname "$0")/lib.sh"

need jq
start_postgres
start_mq
start_recv -j
exits 0 "a webhook" whk-add "${recv_url:?}"

emit() { printf '%s\n' "$@" | whk-emit -l; }
bodies() { jq -r .body "$T/recv.out"; }

emit '{"type":"order.paid","body":"{\"n\":123456789012345678901234567890}"}' \
	'{"type":"order.lost","body":"{}"}'
exits 0 "select lets one of two through" sh -c '
	whk-poll -1 | jq -c --unbuffered "select(.type == \"order.paid\")" |
		whk-send -e'
is "$(bodies)" '{"n":123456789012345678901234567890}' \
	"jq does not touch what is in a string"
is "$(sql "SELECT count(*) FROM whk.pending")" 1 \
	"the other is still to be done"

: >"$T/recv.out"
emit '{"type":"ping","body":"{\"a\":1}"}'
exits 0 "a body is edited on its way" sh -c '
	whk-poll -1 | jq -c ".body |= (fromjson | .b = 2 | tojson)" |
		whk-send -e'
is "$(bodies)" '{"a":1,"b":2}' "and goes out as edited"

: >"$T/recv.out"
emit '{"type":"ping","body":"x"}'
exits 0 "unknown members go through" sh -c '
	whk-poll -1 | jq -c ".trace = {id: 7}" | tee seen | whk-send -e'
is "$(jq -c .trace "$T/seen" "$T/out")" '{"id":7}
{"id":7}' "to the attempt line"
is "$(bodies)" x "and change nothing"

: >"$T/recv.out"
emit '{"id":"one","type":"ping","body":"1"}' '{"id":"two","body":"2"}'
exits 0 "grep" sh -c 'whk-poll -1 | grep "\"id\":\"two\"" | whk-send -e'
is "$(bodies)" 2 "chooses"

done_testing
