#!/bin/sh
# SPDX-License-Identifier: ISC
# The machine's clock is wrong by an hour, or stepped while the programs run.
# Leases, retries and signatures go by the database's clock: nothing is sent
# twice, nothing is stuck.
. "$(dirname "$0")/lib.sh"

need "${CC:-cc}" jq
# shellcheck disable=SC2086 # a compiler may come with options
${CC:-cc} -shared -fPIC -D_GNU_SOURCE -o clock.so "$TOP/tests/clock.c" ||
	bail_out "the clock was compiled"
export WHK_TEST_CLOCK="$T/offset" ASAN_OPTIONS="$ASAN_OPTIONS:\
verify_asan_link_order=0"
wrong() { env LD_PRELOAD="$T/clock.so" "$@"; }
clock() { # SECONDS: from now on it is off by so many
	echo "$1" >offset.new
	mv offset.new offset
}

clock 3600
d=$(($(wrong date +%s) - $(date +%s)))
ok "the clock is wrong by an hour" test "$d" -ge 3598 -a "$d" -le 3602

start_postgres
run whk-add http://127.0.0.1:1/
sed -n 's/^whk-add: secret: //p' err >secret
ok "a webhook" test -s secret
start_recv -j -s secret
start_python "$TOP/tests/rude.py"
sql "UPDATE whk.webhook SET url = '$recv_url', max_in_flight = 500"

pending() { sql 'SELECT count(*) FROM whk.pending'; }
emitted=0
emit() {
	n=$((emitted + $1))
	: >lines
	while [ "$emitted" -lt "$n" ]; do
		emitted=$((emitted + 1))
		echo "{\"id\":\"e$emitted\",\"body\":\"x\"}" >>lines
	done
	whk-emit -l lines || fail "events are emitted"
}

# all_once WHAT: what was emitted was received and recorded, once each.
all_once() {
	wait_for '[ "$(sql "SELECT count(DISTINCT event) FROM whk.attempt
		WHERE outcome = '\''delivered'\''")" = $emitted ]'
	wait_for '[ "$(pending)" = 0 ]'
	is "$(jq -r 'select(.answer == "200").headers["webhook-id"]' recv.out |
		sort | uniq -c | awk '{ print $1 }' | sort | uniq -c |
		xargs)" "$emitted 1" "$1: each is sent, once"
	is "$(sql "SELECT count(*) FROM whk.attempt
		WHERE outcome = 'delivered'")" "$emitted" "... and on record"
	is "$(jq -c 'select(.verified != true)' recv.out)" '' \
		"... its signature is of the right time"
	is "$(sql "SELECT count(*) FROM whk.attempt
		WHERE abs(extract(epoch FROM at - now())) > 300")" 0 \
		"... and so is the record"
}

start_all() {
	spawn poll env LD_PRELOAD="$T/clock.so" sh -c 'whk-poll | whk-send'
	spawn due env LD_PRELOAD="$T/clock.so" sh -c 'whk-due -f | whk-send'
}

stop_pipelines() {
	stop_all "$poll_pid" TERM
	status_is 0 "... they end well"
	stop_all "$due_pid" TERM
	is "$(cat poll.err due.err | grep -v 'stdout: Broken pipe')" '' \
		"... with nothing to say"
}

# --- wrong from the start --------------------------------------------------

for off in 3600 -3600; do
	clock "$off"
	export LD_PRELOAD="$T/clock.so"
	start_mq
	unset LD_PRELOAD
	start_all
	emit 30
	all_once "$off s off"
	# What whk-poll leased and lost is due again when the lease ends.
	stop_pipelines
	sql "SELECT whk.emit('x', id => 'e$((emitted + 1))')" >/dev/null
	emitted=$((emitted + 1))
	wrong whk-due -l 2s >lost
	is "$(wc -l <lost)" 1 "... a line is lost"
	run wrong whk-due
	out_is '' "... it is leased"
	wait_for '[ "$(sql "SELECT next_at <= now() FROM whk.pending")" = t ]'
	wrong whk-due | wrong whk-send >out 2>err
	like "$(cat out)" '"delivered"' "... and due again when that is over"
	run wrong whk-send <lost
	is "$(cat out)" '' "... the line that was lost is too late now"
	all_once "... in all"
	stop "$mq_pid"
done

# --- stepped while they run ------------------------------------------------

clock 0
start_mq
start_all
sql "UPDATE whk.webhook SET url = '$recv_url?delay=1s'"
for step in 3600 -3600 0 -86400 0; do
	emit 10
	wait_for "[ \$(sql 'SELECT count(*) FROM whk.pending') -gt 0 ]"
	clock "$step"
done
all_once "stepped to and fro with requests under way"
sql "UPDATE whk.webhook SET url = '$recv_url?status=500',
	schedule = '{1000,1000,1000,1000,1000,1000,1000,1000}'"
emit 1
wait_for '[ "$(sql "SELECT attempt FROM whk.pending")" -ge 2 ]'
clock -7200
wait_for '[ "$(sql "SELECT attempt FROM whk.pending")" -ge 3 ]'
clock 7200
wait_for '[ "$(sql "SELECT attempt FROM whk.pending")" -ge 4 ]'
is "$(sql "SELECT max(b.at - a.at) < '10 seconds' FROM whk.attempt a
	JOIN whk.attempt b USING (event) WHERE b.attempt = a.attempt + 1")" t \
	"retries are not moved by it"
sql "UPDATE whk.webhook SET url = '$recv_url'"
all_once "... and it gets there"
stop_pipelines

# --- what else goes by the time of day -------------------------------------

sql "UPDATE whk.webhook SET schedule = '{5000}', failures = 0,
	url = '$python_url/wait?after=date100'"
for off in 3600 -3600; do
	clock "$off"
	sql 'TRUNCATE whk.pending'
	echo '{"body":"x"}' | wrong whk-send >out 2>err
	s=$(sql "SELECT extract(epoch FROM next_at - now())::int
		FROM whk.pending")
	ok "Retry-After as a date with a clock $off s off: in 100 s, not $s" \
		test "$s" -ge 85 -a "$s" -le 102
	is "$(wrong whk-replay -n -s 30m -o delivered 2>err | wc -l)" \
		"$emitted" "... and so long ago is so by the right clock"
done

done_testing
