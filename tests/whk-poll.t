#!/bin/sh
# SPDX-License-Identifier: ISC
. "$(dirname "$0")/lib.sh"

need jq
exits 0 "-h" whk-poll -h
out_like '^usage: whk-poll' "says the usage"
exits 0 "--version" whk-poll --version
out_like '^whk-poll [0-9]' "says the version"
exits 2 "a bad option" whk-poll --no-such
exits 2 "an operand" whk-poll file
exits 2 "no queue" whk-poll -1
err_is "whk-poll: no queue: give -q or set WHK_QUEUE_URL" "is said"
exits 2 "a number that is none" whk-poll -n 0

start_postgres -e
start_mq events other
queue=$WHK_QUEUE_URL
set_queue() { sqs SetQueueAttributes "{\"QueueUrl\":\"$queue\",
	\"Attributes\":{\"VisibilityTimeout\":\"$1\"}}" >/dev/null; }
count() { sqs GetQueueAttributes "{\"QueueUrl\":\"$queue\",
	\"AttributeNames\":[\"All\"]}" | jq ".Attributes |
	[.ApproximateNumberOfMessages, .ApproximateNumberOfMessagesNotVisible] |
	map(tonumber) | add"; }
emit() { # NAME COUNT
	seq "$2" | sed "s/.*/{\"id\":\"$1-&\",\"body\":{\"n\":&}}/" |
		whk-emit -l
}
stored() { sql "SELECT count(*) FROM whk.event WHERE id LIKE '$1%'"; }
ids() { jq -r .id "$T/${1:-out}" | sort; }

exits 1 "no schema" whk-poll -1
err_like 'run whk-init$' "says what to do"
whk-init >"$T/out" 2>"$T/err"
exits 75 "no database" env PGHOST="$T/nowhere" whk-poll -1
exits 75 "no queue's server" whk-poll -1 -q http://127.0.0.1:1/0/events
exits 1 "no such queue" whk-poll -1 -q "${queue}x"
err_like '^whk-poll: .*eventsx: there is no such queue' "is said"
exits 0 "a webhook" whk-add http://127.0.0.1:1/
exits 0 "an empty queue" whk-poll -1
out_is '' "prints nothing"

# --- what it prints -----------------------------------------------------------

emit one 1
exits 0 "one event" whk-poll -1 -v
is "$(jq -c '[.id, .body, .attempt, .to]' "$T/out")" \
	'["one-1","{\"n\":1}",1,[1]]' "is printed"
is "$(jq -r '(.lease[:19] + "Z" | fromdate) - (now | floor) |
	if . > 290 and . < 301 then "good" else . end' "$T/out")" good \
	"with a lease of five minutes"
err_is 'whk-poll: event one-1: printed
whk-poll: 1 printed, 0 repeats, 0 bad' "-v says each, and counts"
emit one 1
exits 0 "its id once more" whk-poll -1 -v
err_is 'whk-poll: event one-1: a repeat
whk-poll: 0 printed, 1 repeats, 0 bad' "is a repeat"
is "$(count)" 0 "and deleted, too"
exits 0 "an event for nobody" sh -c 'echo 1 | whk-emit -t x;
	psql -Xqc "UPDATE whk.webhook SET paused_at = now()"; whk-poll -1'
out_is '' "is stored, and not printed"
sql "UPDATE whk.webhook SET paused_at = NULL, backlog = false;
	DELETE FROM whk.pending"

for args in '90:-l 90' '120:WHK_LEASE=2m'; do
	emit "lease${args%%:*}" 1
	case $args in
	*WHK*) run env "${args#*:}" whk-poll -1 ;;
	*) run whk-poll -1 -l 90 ;;
	esac
	is "$(sql "SELECT round(extract(epoch FROM next_at - accepted_at))
		FROM whk.pending JOIN whk.event ON event = id
		WHERE id LIKE 'lease${args%%:*}%'")" "${args%%:*}" "${args#*:}"
done

emit number 15
exits 0 "-n" whk-poll -n 4
is "$(wc -l <"$T/out") $(stored number) $(count)" "4 4 11" "takes so many"
exits 0 "-p" timeout 60 whk-poll -p
is "$(jq -c 'keys' "$T/out" | sort -u)" '["body","id","time"]' \
	"prints without a lease"
is "$(ids | grep -c '^number-')" 11 "each message that is left"
is "$(count) $(stored number)" "11 4" "and takes none"
sqs PurgeQueue "{\"QueueUrl\":\"$queue\"}" >/dev/null

emit full 3
exits 1 "/dev/full" sh -c 'whk-poll -1 >/dev/full'
err_is "whk-poll: stdout: No space left on device" "is said"
is "$(stored full)" 3 "what it took is stored"

# --- a queue that goes wrong --------------------------------------------------

set_queue 1
proxy() {
	start_python "$TOP/tests/sqs_proxy.py" "$queue" "$@"
}
asked() { grep -c "^receive $1" "$T/python.out"; }

for fault in 500 throttle html shape reset half; do
	proxy "receive:$fault"
	case $fault in
	500 | throttle | reset) wanted=75 ;;
	*) wanted='(1|75)' ;;
	esac
	emit "once$fault" 1
	run whk-poll -1 -q "$python_url"
	like "$status" "^$wanted\$" "-1: a queue that answers with $fault"
	is "$(wc -l <"$T/err")" 1 "is said once"
	stop "$python_pid"
done
wait_for 'whk-poll -1 >"$T/out"; [ "$(count)" = 0 ]'

# For ever: it says so once, waits longer each time, and goes on.
proxy 'receive:500*2' receive:html receive:shape receive:reset receive:half \
	receive:throttle
spawn poll whk-poll -q "$python_url"
wait_for '[ "$(asked 500)" = 2 ]'
emit ever 25
wait_for '[ "$(wc -l <"$T/poll.out")" = 25 ]'
is "$(ids poll.out)" "$(seq -f ever-%g 25 | sort)" "all arrive, once"
like "$(sed -n 1p "$T/poll.err")" 'trying again$' "it says that it waits"
like "$(cat "$T/poll.err")" 'the queue answers again$' "and when that is over"
wait_for '[ "$(count)" = 0 ]'
stop "$poll_pid"
status_is 0 "SIGTERM while idle"
stop "$python_pid"
proxy 'receive:gone*'
spawn poll whk-poll -q "$python_url"
wait_for '[ "$(asked gone)" = 3 ]'
sleep 1
ok "a queue that does not exist is asked seldom" [ "$(asked gone)" -lt 6 ]
is "$(wc -l <"$T/poll.err")" 1 "and said once"
stop "$poll_pid"
status_is 0 "SIGTERM while it waits"
stop "$python_pid"

# Messages that come more than once are printed once.
proxy 'receive:twice' 'receive:again*10'
emit again 5
exits 0 "a message listed twice, and then ten times" \
	whk-poll -n 60 -r 1 -q "$python_url"
is "$(ids)" "$(seq -f again-%g 5 | sort)" "is printed once"
is "$(stored again)" 5 "and stored once"
stop "$python_pid"

# What is no event is told, and left; the others go on.
proxy receive:odd receive:bare
emit odd 3
exits 1 "messages that are no events" whk-poll -1 -q "$python_url"
is "$(grep -c '^whk-poll: message .*: left in the queue$' "$T/err")" 2 \
	"are named"
is "$(ids)" "$(seq -f odd-%g 3 | sort)" "and the others printed"
stop "$python_pid"
proxy receive:id
set_queue 30
printf x | whk-emit
exits 1 "an id that is none" whk-poll -1 -q "$python_url"
err_like '^whk-poll: message [-0-9a-f]*: id: .*: left in the queue$' "is named"
is "$(count)" 1 "and left"
stop "$python_pid"
sqs PurgeQueue "{\"QueueUrl\":\"$queue\"}" >/dev/null
set_queue 1
wait_for 'whk-poll -1 >"$T/out"; [ "$(count)" = 0 ]'

# Deletes that fail: nothing is printed twice, and the queue is empty at last.
for fault in 500 throttle denied html shape half entry entries expired silent \
	lie; do
	proxy "delete:$fault*2"
	emit "del$fault" 12
	exits 0 "deletes: $fault" whk-poll -1 -q "$python_url"
	is "$(wc -l <"$T/out")" 12 "all are printed"
	stop "$python_pid"
done
wait_for 'whk-poll -1 >>"$T/again"; [ "$(count)" = 0 ]'
is "$(cat "$T/again")" '' "what comes again is deleted and not printed"
proxy 'delete:denied*'
emit denied 2
spawn poll whk-poll -q "$python_url"
wait_for "grep -q 'stay in the queue' '$T/poll.err'"
is "$(grep -c 'access denied' "$T/poll.err")" 1 "it is said once"
stop "$poll_pid"
status_is 0 "SIGTERM while deletes fail"
stop "$python_pid"
wait_for 'whk-poll -1 >"$T/out"; [ "$(count)" = 0 ]'

# --- the database -------------------------------------------------------------

mkdir "$T/later"
spawn poll env PGHOST="$T/later" whk-poll
emit later 3
wait_for "grep -q 'waiting for it' '$T/poll.err'"
is "$(wc -l <"$T/poll.err")" 1 "without a database it waits, and says so once"
ln -s "$PGHOST"/.s* "$T/later/"
wait_for '[ "$(wc -l <"$T/poll.out")" = 3 ]'
pass "and goes on when it is there"
for signal in INT QUIT; do
	stop_postgres $signal
	wait_for "[ \$(grep -c 'waiting for it' '$T/poll.err') -gt 1 ]"
	emit "restart$signal" 3
	restart_postgres
	wait_for '[ "$(grep -c "restart$signal" "$T/poll.out")" = 3 ]'
	pass "PostgreSQL ended by SIG$signal, and started again"
done
wait_for '[ "$(count)" = 0 ]'

# SIGTERM with messages in hand that cannot be stored: they stay in the queue.
set_queue 30
sql "BEGIN; LOCK whk.event; SELECT pg_sleep(600)" >/dev/null 2>&1 &
locker=$!
locks() { sql "SELECT count(*) FROM pg_stat_activity
	WHERE wait_event_type = 'Lock' AND query LIKE '%accept(%'"; }
wait_for '[ "$(sql "SELECT count(*) FROM pg_stat_activity
	WHERE query LIKE '\''%LOCK whk%'\''
		AND wait_event = '\''PgSleep'\''")" \
	-gt 0 ]'
emit hand 3
wait_for '[ "$(locks)" = 1 ]'
stop_postgres QUIT
wait "$locker" 2>/dev/null
stop "$poll_pid"
status_is 0 "SIGTERM with messages in hand and no database"
restart_postgres
is "$(count) $(stored hand)" "3 0" "they are in the queue"
set_queue 1
wait_for 'whk-poll -1 >>"$T/hand"; [ "$(count)" = 0 ]'
is "$(ids hand)" "$(seq -f hand-%g 3)" "and come again"

# --- pipes and signals --------------------------------------------------------

set_queue 30
mkfifo "$T/full"
fill() { # NAME: a whk-poll whose pipe is full
	spawn sleeper sh -c "sleep 1000 <'$T/full'" # it reads nothing
	for i in 1 2 3 4; do
		emit "$1$i" 250
	done
	spawn poll sh -c "exec whk-poll >'$T/full'"
	wait_for '[ "$(count)" = 0 ]'
}
fill full
kill -TERM "$poll_pid"
spawn reader cat "$T/full"
reap "$poll_pid"
status_is 0 "SIGTERM with a full pipe: it ends when all is read"
reap "$reader_pid"
is "$(wc -l <"$T/reader.out")" 1000 "all lines"
stop_all "$sleeper_pid"
fill again
kill -TERM "$poll_pid"
wait_for "grep -q '^SigCgt:.*[012389ab]...$' /proc/$poll_pid/status"
stop "$poll_pid"
status_is 143 "SIGTERM twice kills"
stop_all "$sleeper_pid"
fill gone
kill -TERM "$poll_pid"
wait_for "grep -q '^SigCgt:.*[012389ab]...$' /proc/$poll_pid/status"
stop_all "$sleeper_pid"
reap "$poll_pid"
status_is 0 "its reader goes while it stops: that is no failure"
is "$(cat "$T/poll.err")" '' "and not a word"

# A full pipe stops the receiving, and memory stays small.
spawn sleeper sh -c "sleep 1000 <'$T/full'"
head -c 200000 /dev/zero | tr '\0' x >"$T/body"
for i in $(seq 120); do
	jq -Rc "{id: \"large-$i\", body: .}" "$T/body"
done | whk-emit -l
spawn poll sh -c "exec whk-poll >'$T/full'"
wait_for '[ "$(stored large)" -gt 5 ]'
sleep 1
ok "a full pipe: most of it stays in the queue" [ "$(stored large)" -lt 100 ]
[ -n "${WHK_TEST_SLOW:-}" ] ||
	ok "and the memory small" [ "$(sed -n \
		's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' \
		"/proc/$poll_pid/status")" -lt 45000 ]
stop "$poll_pid" KILL
stop_all "$sleeper_pid"

done_testing
