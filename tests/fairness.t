#!/bin/sh
# SPDX-License-Identifier: ISC
# No webhook is held up by another; rates, caps and orders are kept, over all
# programs that run at once.
. "$(dirname "$0")/lib.sh"

need jq

start_postgres
start_recv
start_python "$TOP/tests/rude.py"
wait_for '[ $(wc -l <python.out) = 4 ]'
cp python.out urls
many=200000 patience=1000
[ -z "${WHK_TEST_SLOW:-}" ] || many=20000 patience=10000

# add ID [OPTION...] URL: a webhook, which gets this id and the type tID.
add() {
	add_id=$1
	shift
	run whk-add "$@" -e "t$add_id"
	is "$(cat "$T/out")" "$add_id" "webhook $add_id is added"
}

# events WEBHOOK COUNT NEXT: so many events and rows, by SQL.
events() {
	sql "INSERT INTO whk.event (id, time, type, accepted_at, body)
		SELECT 'w$1_' || i, now(), 't$1', now(), '{}'
		FROM generate_series(1, $2) i;
	INSERT INTO whk.pending (webhook, time, event, next_at)
		SELECT $1, now(), 'w$1_' || i, $3
		FROM generate_series(1, $2) i"
}

# emit WEBHOOK COUNT [KEY]: emits events of its type, in order.
emit() {
	sql "SELECT whk.emit('{}', 't$1', key => ${3:-NULL},
		id => 'e$1_' || lpad(i::text, 4, '0'))
		FROM generate_series(1, $2) i" >/dev/null
}

clear_all() {
	sql "TRUNCATE whk.pending, whk.event, whk.attempt, whk.recent;
	UPDATE whk.webhook SET backlog = false, unparked = 0, room = 0,
		failures = 0, blocks = 0, blocked_until = NULL,
		next_slot = NULL"
	: >"$T/python.out"
}

pipeline() { spawn "$1" sh -c 'whk-due -f | whk-send'; }
done_with() { sql "SELECT count(*) FROM whk.attempt WHERE webhook = $1"; }
none_pending() { [ "$(sql 'SELECT count(*) FROM whk.pending')" = 0 ]; }

# others_go WHAT N: N single events of webhook 2, one after another while the
# pipeline is at it, each begins within a second.
others_go() {
	n=0
	while [ "$n" -lt "$2" ]; do
		n=$((n + 1))
		sql "SELECT whk.emit('{}', 't2', id => 'single_$n')" >/dev/null
		wait_for "[ \"\$(done_with 2)\" = $n ]" || break
	done
	late=$(sql "SELECT coalesce(max(extract(epoch FROM a.at - e.accepted_at)
		* 1000), 100000)::int FROM whk.attempt a JOIN whk.event e
		ON e.id = a.event AND e.time = a.time WHERE a.webhook = 2")
	echo "# $1: another's row waits $late ms at the most"
	ok "$1: another's row goes within a second" test "$late" -le "$patience"
}

# --- backlogs --------------------------------------------------------------

add 1 "$python_url/hang"
add 2 "$recv_url"
events 1 "$many" "now() - interval '1 second'"
sql 'ANALYZE whk.pending, whk.event'
pipeline first
others_go "a backlog that is due, of a webhook that hangs" 12
ok "... all of it is parked, or in flight" wait_for \
	'[ "$(sql "SELECT count(*) FROM whk.pending
		WHERE next_at < now()")" = 0 ]'
sql "UPDATE whk.webhook SET url = '$recv_url' WHERE id = 1"
stop_all "$first_pid" KILL
clear_all

# With a share of what is due leased and the rest parked already.
events 1 "$many" NULL
sql "UPDATE whk.webhook SET backlog = true, probe_at = now() WHERE id = 1"
sql 'ANALYZE whk.pending, whk.event'
pipeline first
others_go "a backlog that is parked and moves" 8
ok "... it does move" test "$(done_with 1)" -gt 100
stop_all "$first_pid" KILL

# buffers: what a claim reads and writes of the database's pages.
buffers() {
	sql "BEGIN; EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) SELECT *
		FROM whk.claim(500, '1 minute'); ROLLBACK" >"$T/plan"
	sed -n 's/.*Buffers: shared hit=\([0-9]*\).*/\1/p' "$T/plan" | head -n 1
}
sql "DELETE FROM whk.pending WHERE next_at IS NOT NULL"
sql 'VACUUM whk.pending'
emit 2 100
buffers >/dev/null
with=$(buffers)
sql "DELETE FROM whk.pending WHERE webhook = 1"
sql 'VACUUM whk.pending'
buffers >/dev/null
without=$(buffers)
echo "# a claim of 100 rows: $with pages with a backlog, $without without"
ok "what a claim costs does not grow with a backlog" \
	test "$with" -lt $((without * 2 + 200))
clear_all

# --- slow endpoints --------------------------------------------------------

# Each could take 32 of the 64 jobs.
add 3 -t 60s "$python_url/hang"
add 4 -t 60s "$python_url/dripbody"
add 5 -t 60s "$(sed -n 4p urls)/" # it takes no connection off its queue
for id in 3 4 5; do
	events $id 300 'now()'
done
spawn slow sh -c 'whk-due -f | whk-send -j 64'
wait_for '[ "$(sql "SELECT count(*) FROM whk.pending WHERE webhook > 2
	AND next_at IS NOT NULL")" -le 96 ]'
others_go "three that hang, drip and say nothing, and hold all jobs" 5
is "$(done_with 3) $(done_with 4) $(done_with 5)" "0 0 0" \
	"... and they still do"
stop_all "$slow_pid" KILL
clear_all
sql "DELETE FROM whk.pending"

# --- rates -----------------------------------------------------------------

# rates: of the requests in rude.py's log, how many, the most of them within
# any second, and how long they took, in ms.
rates() {
	jq -s 'map(select(.how | test("fine|fails")).at) | sort as $t |
		($t | length) as $n |
		[range($n) as $i | [$t[$i:] | .[] | select(. < $t[$i] + 1000)]
			| length] | max as $most |
		"\($n) \($most) \($t[-1] - $t[0])"' -r "$T/python.out"
}

# rate_kept WHAT N: 50 a second, however many programs there are. What is late
# may come with what is next, but no more than a tenth of a second's.
rate_kept() {
	rates >"$T/rates"
	read -r n most ms <"$T/rates"
	echo "# $1: $n requests in $ms ms, $most within a second"
	is "$n" "$2" "$1: all go"
	ok "... no more than 50 a second, by and large" test "$most" -le 65
	ok "... and no slower" test "$ms" -le $(($2 * 20 + 3 * patience))
}

add 6 --rate 50/s "$python_url/fine"
add 7 --rate 50/s --schedule 100ms,200ms,300ms "$python_url/fails?most=2"
pipeline first
pipeline second
emit 6 100
wait_for '[ "$(done_with 6)" = 100 ]'
rate_kept "a rate, by two pipelines" 100
clear_all
sql "SELECT whk.pause(ARRAY[6])" >"$T/out"
emit 6 100
sql "SELECT whk.resume(ARRAY[6])" >"$T/out"
wait_for '[ "$(done_with 6)" = 100 ]'
rate_kept "... of a backlog" 100
clear_all
emit 7 80
wait_for none_pending
rate_kept "... with retries" "$(done_with 7)"
ok "... of which there were some" test "$(done_with 7)" -gt 100
clear_all

# What has no slot soon is parked, and so goes as soon as a new rate allows.
add 8 --rate 5/s "$python_url/fine"
emit 8 200
out=$(sql 'SELECT count(*) FROM whk.pending WHERE next_at IS NOT NULL')
ok "no slots are given far ahead" test "$out" -le 52
wait_for '[ "$(done_with 8)" -gt 2 ]'
exits 0 "the rate is raised" whk-set --rate 1000/s 8
wait_for '[ "$(done_with 8)" -gt 140 ]'
ok "... and so goes what was parked" test "$(done_with 8)" -gt 140
clear_all

# --- transfers in flight ---------------------------------------------------

add 9 --max 3 "$python_url/slow?s=0.05"
stop_all "$second_pid" TERM
emit 9 40
wait_for '[ "$(done_with 9)" = 40 ]'
is "$(jq -s 'map(.now) | max' "$T/python.out")" 3 "--max 3 is three at once"
clear_all

# --- orders ----------------------------------------------------------------

# in_order: of rude.py's log, the keys are those of the ids modulo 5: nothing
# of a key comes before all that was before it has been answered 200.
in_order() {
	jq -r 'select(.id) | "\(.id[4:]) \(.status)"' "$T/python.out" | awk '
		{ n = $1 + 0; key = n % 5; if (key in last &&
			!(n == last[key] && status[key] != 200) &&
			!(n == last[key] + 5 && status[key] == 200)) {
			print "key " key ": " n " after " last[key] " " \
				status[key]; bad = 1
		  }
		  last[key] = n; status[key] = $2 }
		END { exit bad }'
}

pipeline second
add 10 --ordered --schedule 50ms,100ms,150ms "$python_url/fails?most=2"
emit 10 50 "'key' || i % 5"
wait_for '[ "$(done_with 10)" -gt 15 ]'
exits 0 "an ordered webhook is paused" whk-set --pause 10
emit_more() {
	sql "SELECT whk.emit('{}', 't10', key => 'key' || i % 5,
		id => 'e10_' || lpad(i::text, 4, '0'))
		FROM generate_series($1, $2) i" >/dev/null
}
emit_more 51 75
exits 0 "... and resumed" whk-set --resume 10
emit_more 76 100
wait_for none_pending
ok "each key goes in order, over retries, a pause and two pipelines" in_order
is "$(jq -s 'map(select(.status == 200).id) | unique | length' \
	"$T/python.out")" 100 "... all of it"
ok "... and some more than once" test "$(done_with 10)" -gt 120
is "$(sql "SELECT count(*) FROM whk.attempt WHERE outcome = 'failed'")" 0 \
	"... none gave up"
ok "... a key does not wait for another" test \
	"$(jq -s 'map(.now) | max' "$T/python.out")" -gt 1
stop_all "$second_pid" TERM
stop_all "$first_pid" TERM
clear_all

# Rows that came before the webhook was ordered: one that waits for its retry
# stays in front, though others are older.
add 11 "$python_url/fine"
sql "SELECT whk.pause(ARRAY[11])" >"$T/out"
emit 11 3 "'k'"
sql "UPDATE whk.pending SET next_at = now() + interval '1 hour', attempt = 2
	WHERE event = 'e11_0002'"
exits 0 "a webhook with a backlog is ordered" whk-set --ordered 11
sql "SELECT whk.resume(ARRAY[11])" >"$T/out"
whk-due -1 >lines &
wait_for '[ "$(sql "SELECT probe_at > now() FROM whk.webhook
	WHERE id = 11")" = t ]'
kill $!
wait $!
is "$(sql "SELECT string_agg(event, ' ' ORDER BY event) FROM whk.pending
	WHERE NOT behind")" e11_0002 "... one of its key is in front"
is "$(sql "SELECT event FROM whk.pending ORDER BY seq LIMIT 1")" e11_0002 \
	"... and is the next of its key"
clear_all

# --- after a pause ---------------------------------------------------------

exits 0 "a webhook is paused" whk-set --pause 2
emit 2 500
is "$(sql "SELECT count(*) FROM whk.pending WHERE next_at IS NULL")" 500 \
	"what comes is kept"
exits 0 "... it is resumed" whk-set --resume 2
: >"$T/recv.out"
whk-due -1 >lines & # it waits for what the lines bring
due_pid=$!
wait_for '[ -s lines ]'
is "$(sql "SELECT count(*) FROM whk.pending WHERE next_at IS NOT NULL")" 1 \
	"... one goes first"
kill "$due_pid"
like "$(cat lines)" '"e2_0001"' "... the oldest"
wait "$due_pid"
sql "UPDATE whk.pending SET next_at = now() WHERE next_at IS NOT NULL"
spawn slow sh -c 'whk-due | whk-send'
out=0
while ! none_pending && ! ended "$slow_pid"; do
	now=$(sql "SELECT count(*) FROM whk.pending WHERE next_at IS NOT NULL")
	[ "$now" -le "$out" ] || out=$now
done
reap "$slow_pid"
is "$(sql 'SELECT count(*) FROM whk.pending')" 0 "... then all"
ok "... never more than its share" \
	test "$out" -le 66

done_testing
