#!/bin/sh
# SPDX-License-Identifier: ISC
# Every example in the manual pages is run, in a network of its own where the
# addresses and the ports are those that the pages use, with a database that
# has some webhooks and a queue that has some events. One that would go on for
# ever is stopped after a while; what is no command line but SQL goes to psql.
# tests/examples/PAGE, where there is one, is run by the shell before the
# examples of that page, in their directory: for the files that they assume;
# tests/examples/PAGE.on goes on while they run.

case ${WHK_TEST_NETWORK:-} in
'')
	if unshare -n true 2>/dev/null; then
		WHK_TEST_NETWORK=own exec unshare -n sh "$0"
	fi
	;;
esac
. "$(dirname "$0")/lib.sh"
[ -n "${WHK_TEST_NETWORK:-}" ] || skip_all "no network of its own"
need ip jq
ip link set lo up

start_postgres
spawn mq whk-mq -q events
wait_for "[ \$(wc -l <'$T/mq.out') = 2 ]"
export WHK_QUEUE_URL=http://127.0.0.1:9324/000000000000/events
is "$(sed -n 2p "$T/mq.out")" "$WHK_QUEUE_URL" "whk-mq's own port"
start_recv_as hooks -p 7777
for n in 1 2 3 4 5 6 7 8 9; do
	whk-add "http://127.0.0.1:7777/$n"
done >"$T/out" 2>"$T/err"
status_is 0 "some webhooks"

# The time that a program which goes on for ever is given.
some=2
[ -z "${WHK_TEST_SLOW:-}" ] || some=20

for page in "$TOP"/man/*; do
	name=$(basename "$page")
	mkdir "$T/examples" "$T/work"
	awk -v dir="$T/examples" -f "$TOP/tests/examples.awk" "$page"
	ok "$name has examples" ls "$T/examples/01"
	# A database for the page, made from the first.
	PGDATABASE=postgres sql "CREATE DATABASE page TEMPLATE whk"
	cd "$T/work" || exit
	[ ! -e "$TOP/tests/examples/$name" ] ||
		PGDATABASE=page sh -e "$TOP/tests/examples/$name"
	on_pid=
	if [ -e "$TOP/tests/examples/$name.on" ]; then
		PGDATABASE=page
		spawn on sh "$TOP/tests/examples/$name.on"
		PGDATABASE=whk
		wait_for "[ -s '$T/on.err' ]"
	fi
	for example in "$T"/examples/*; do
		[ -e "$example" ] || continue
		printf '%s\n' '{"type":"order.paid","tenant":"acme","body":{"n":1}}' |
			whk-emit -l
		shell='bash -e -o pipefail'
		! grep -qE '^(BEGIN|SELECT|INSERT|CREATE|GRANT)' "$example" ||
			shell='psql -Xq -v ON_ERROR_STOP=1 -f'
		export PGDATABASE=page
		# shellcheck disable=SC2086 # several words
		spawn example timeout -k 5 "$some" $shell "$example"
		PGDATABASE=whk
		reap "$pid"
		kill -KILL -- "-$pid" 2>/dev/null # what it left behind
		[ "$status" != 124 ] || status=0
		mv "$T/example.out" "$T/out" && mv "$T/example.err" "$T/err"
		status_is 0 "$name: $(head -n 1 "$example" | cut -c1-60)"
	done
	[ -z "$on_pid" ] || stop "$on_pid"
	cd "$T" && rm -rf "$T/examples" "$T/work"
	PGDATABASE=postgres sql "DROP DATABASE page WITH (FORCE)"
done

done_testing
