#!/bin/sh
# SPDX-License-Identifier: ISC
# Bodies arrive as the bytes that they were, whatever they are, and another
# implementation of Standard Webhooks accepts the signatures.
. "$(dirname "$0")/lib.sh"

python=$TOP/build/venv/bin/python
umask 077
echo "whsec_$(head -c 24 /dev/urandom | base64)" >"$T/secret"
start_python "$TOP/tests/receiver.py" "$T/secret"
start_recv_as other
start_postgres
exits 0 "a webhook is added" \
	whk-add --secret-file "$T/secret" "${python_url:?}"
exits 0 "another that wants none of them" \
	whk-add --filter '$.nothing == "of that kind"' "${other_url:?}"

# Sends all bodies up to a size and looks at what came of them.
exact() {
	exits 0 "$1: bodies of up to $2 bytes are sent" \
		"$python" "$TOP/tests/bodies.py" "$WHK_QUEUE_URL" "$2"
	sort "$T/out" >"$T/sent"
	sed 1d "$T/python.out" >"$T/before"
	exits 0 "$1: and delivered" sh -c 'whk-poll -1 | whk-send -e'
	is "$(wc -l <"$T/out")" "$(wc -l <"$T/sent")" "$1: each once"
	sed 1d "$T/python.out" | tail -n +$(($(wc -l <"$T/before") + 1)) \
		>"$T/came"
	cut -d ' ' -f 1 "$T/came" | sort >"$T/digests"
	same "$T/digests" "$T/sent" "$1: the bytes that came are those sent"
	is "$(grep -vc ' verified msg_' "$T/came")" 0 \
		"$1: the library accepts each signature"
}

start_mq
exact whk-mq 1048576
start_elasticmq
exact ElasticMQ 262144

: >"$T/before"
sed 1d "$T/python.out" >"$T/before"
printf '{"id":"nothing","body":""}\n' >"$T/empty"
exits 0 "an empty body" sh -c 'whk-send -e <empty'
is "$(sed 1d "$T/python.out" | tail -n +$(($(wc -l <"$T/before") + 1)))" \
	"$(sha256sum </dev/null | cut -d ' ' -f 1) verified nothing" \
	"arrives as such"
is "$(cat "$T/other.out")" '' "who wanted none of them got none"

done_testing
