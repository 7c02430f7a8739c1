#!/bin/sh
# SPDX-License-Identifier: ISC
# The one promise: what was accepted is attempted until it is delivered, and
# every attempt is on record, whichever program is killed at which moment. The
# leases are short, so that what was lost comes back soon.
. "$(dirname "$0")/lib.sh"

need jq
export WHK_LEASE=2
start_postgres
start_mq
sqs SetQueueAttributes "{\"QueueUrl\":\"$WHK_QUEUE_URL\",
	\"Attributes\":{\"VisibilityTimeout\":\"1\"}}" >/dev/null
start_recv -j
exits 0 "a webhook" whk-add --timeout 500ms --max 100 "${recv_url:?}"
queue=$WHK_QUEUE_URL

emit() { # NAME COUNT: events with ids NAME-1, NAME-2, ...
	seq "$2" | sed "s/.*/{\"id\":\"$1-&\",\"body\":{\"n\":&}}/" |
		whk-emit -l
}
arrived() { # NAME: how many requests came for its events
	grep -c "\"webhook-id\":\"$1-" "$T/recv.out"
}
events() { # NAME: how many of its events came, once or more
	grep -o "\"webhook-id\":\"$1-[0-9]*\"" "$T/recv.out" | sort -u | wc -l
}
on_record() { # NAME [CONDITION]: attempts
	sql "SELECT count(*) FROM whk.attempt
		WHERE event LIKE '$1-%' AND ${2:-true}"
}
pending() { sql "SELECT count(*) FROM whk.pending"; }
stored() { sql "SELECT count(*) FROM whk.event WHERE event.id LIKE '$1-%'"; }
left() { # messages in the queue, in whatever state
	sqs GetQueueAttributes "{\"QueueUrl\":\"$queue\",
		\"AttributeNames\":[\"All\"]}" |
		jq '[.Attributes[] | tonumber?] as $_ | .Attributes |
			(.ApproximateNumberOfMessages | tonumber) +
			(.ApproximateNumberOfMessagesNotVisible | tonumber)'
}

spawn retries sh -c 'whk-due -f | whk-send'
retries=$pid

# --- whk-poll, killed ---------------------------------------------------------

# Nothing is deleted before it is stored: it has messages and no database.
emit early 5
stop_postgres
spawn poll whk-poll
wait_for 'grep -q waiting "$T/poll.err"'
kill -STOP "$poll_pid" # the lock comes first
restart_postgres
sql "BEGIN; LOCK whk.event; SELECT pg_sleep(600)" >/dev/null 2>&1 &
locker=$!
wait_for '[ "$(sql "SELECT count(*) FROM pg_locks l JOIN pg_class c
	ON c.oid = l.relation WHERE c.relname = '\''event'\''
	AND l.granted AND l.mode = '\''AccessExclusiveLock'\''")" = 1 ]'
kill -CONT "$poll_pid"
wait_for '[ "$(sql "SELECT count(*) FROM pg_stat_activity
	WHERE wait_event_type = '\''Lock'\''
		AND query LIKE '\''%accept%'\''")" \
	-gt 0 ]'
is "$(left)" 5 "messages that are not stored yet are in the queue"
crash "$poll_pid"
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
	WHERE query LIKE '%LOCK whk%' OR query LIKE '%accept(%'" >/dev/null 2>&1
wait "$locker" 2>/dev/null
is "$(left)" 5 "and stay there when whk-poll is killed"
exits 0 "later they are stored" sh -c 'whk-poll -1 | whk-send'
wait_for '[ "$(events early)" = 5 ] && [ "$(pending)" = 0 ]'
is "$(events early) $(arrived early) $(on_record early)" "5 5 5" \
	"each arrives once and is on record"

# Between accept() and delete: stored, still in the queue, perhaps not printed.
emit held 5
start_python "$TOP/tests/sqs_proxy.py" "$queue" 'delete:hang*'
spawn poll whk-poll -q "$python_url"
wait_for "grep -q '^delete hang' '$T/python.out'"
crash "$poll_pid"
stop "$python_pid"
is "$(stored held) $(left)" "5 5" "stored, and not deleted"
wait_for '[ "$(events held)" = 5 ] && [ "$(pending)" = 0 ]'
until [ "$(left)" = 0 ]; do
	whk-poll -1 -v >>"$T/out" 2>"$T/err" || break
done
like "$(cat "$T/err")" "0 printed" "what comes again is not printed again"
is "$(left)" 0 "but deleted"
is "$(arrived held) $(on_record held)" "5 5" "each arrived once, by whk-due"

# --- whk-send, killed ---------------------------------------------------------

# In flight: the receiver has the request, the record has not the attempt.
start_recv_as slow -j --status hang,hang,hang,200
exits 0 "a webhook that hangs" whk-add -e slow --timeout 1500ms \
	"${slow_url:?}"
exits 0 "it is the other's no more" sql \
	"UPDATE whk.webhook SET events = '{fast}' WHERE id = 1"
slow() { wc -l <"$T/slow.out"; }
stop_all "$retries"
printf '{"id":"flight-%s","type":"slow","body":{}}\n' 1 2 3 >"$T/lines"
spawn send sh -c "whk-send -l 5 <'$T/lines'"
wait_for '[ "$(slow)" = 3 ]'
stop_all "$send_pid" KILL
is "$(on_record flight)" 0 "killed in flight: the attempts are not on record"
spawn retries sh -c 'whk-due -f | whk-send'
retries=$pid
wait_for '[ "$(pending)" = 0 ]'
is "$(on_record flight) $(on_record flight "outcome = 'delivered'")" "3 3" \
	"they are made again, and that is on record"
is "$(slow)" 6 "so the receiver saw each twice"
is "$(jq -r '.headers["webhook-id"]' "$T/slow.out" | sort | uniq -c |
	awk '{ print $1, $2 }')" '2 flight-1
2 flight-2
2 flight-3' "under the same id"
sql "UPDATE whk.webhook SET events = '{}' WHERE id = 1;
	DELETE FROM whk.webhook WHERE id = 2"

# --- the pipe -----------------------------------------------------------------

# Lines are in the pipe when everybody dies.
mkfifo "$T/fifo"
# A pipeline of two that can be reached one by one.
pipeline() {
	spawn send sh -c "exec whk-send <'$T/fifo'"
	spawn poll sh -c "exec whk-poll >'$T/fifo'"
	wait_for "grep -q whk-poll /proc/$poll_pid/comm"
	wait_for "grep -q whk-send /proc/$send_pid/comm"
}
pipeline
kill -STOP "$send_pid"
emit pipe 40
wait_for '[ "$(stored pipe)" = 40 ] && [ "$(left)" = 0 ]'
crash "$poll_pid"
crash "$send_pid"
is "$(events pipe)" 0 "the lines are lost with the pipe"
wait_for '[ "$(events pipe)" = 40 ] && [ "$(pending)" = 0 ]'
is "$(arrived pipe) $(on_record pipe)" "40 40" \
	"their events arrive once all the same"

# However long the database's clock was on its way, it is not believed to be
# behind: an attempt would begin after its lease.
emit clock 1
exits 0 "a line" sh -c "whk-poll -1 -l 4 >'$T/lines'"
sql "BEGIN; LOCK whk.meta; SELECT pg_sleep(600)" >/dev/null 2>&1 &
locker=$!
wait_for '[ "$(sql "SELECT count(*) FROM pg_locks
	WHERE relation = '\''whk.meta'\''::regclass
	AND granted AND mode = '\''AccessExclusiveLock'\''")" = 1 ]'
spawn send sh -c "exec whk-send <'$T/lines'"
wait_for '[ "$(sql "SELECT count(*) FROM pg_stat_activity
	WHERE wait_event_type = '\''Lock'\''
		AND query LIKE '\''%hello%'\''")" -gt 0 ]'
kill -STOP "$send_pid"
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
	WHERE query LIKE '%LOCK whk.meta%' AND pid <> pg_backend_pid()" \
	>/dev/null
wait "$locker" 2>/dev/null
wait_for '[ "$(events clock)" = 1 ] && [ "$(pending)" = 0 ]'
kill -CONT "$send_pid"
wait_for 'ended "$send_pid"'
like "$(cat "$T/send.err")" "its lease ends before" \
	"the clock was long on its way: the line is left alone"
is "$(arrived clock)" 1 "and its event arrives once"

# A line that was stuck is not sent after its lease: somebody else has it.
pipeline
kill -STOP "$send_pid"
emit stuck 10
wait_for '[ "$(stored stuck)" = 10 ]'
wait_for '[ "$(events stuck)" = 10 ] && [ "$(pending)" = 0 ]'
kill -CONT "$send_pid"
wait_for 'grep -q "its lease ends before" "$T/send.err"'
emit after 1
wait_for '[ "$(events after)" = 1 ]'
is "$(arrived stuck) $(on_record stuck)" "10 10" \
	"what was stuck longer than its lease arrives once"

# The reader dies, whk-poll ends at once and takes nothing that it cannot give.
crash "$send_pid"
reap "$poll_pid"
status_is 1 "whk-poll ends with its reader"
is "$(cat "$T/poll.err")" "whk-poll: stdout: Broken pipe" "and says so"
emit reader 3
is "$(left)" 3 "what comes then stays in the queue"
exits 0 "for the next" sh -c 'whk-poll -1 | whk-send'
is "$(events reader)" 3 "which sends it"

# The writer dies: whk-send sends what it has read and ends.
emit writer 3
pipeline
wait_for '[ "$(events writer)" = 3 ]'
crash "$poll_pid"
reap "$send_pid"
status_is 0 "whk-send ends with its writer"
wait_for '[ "$(pending)" = 0 ]'

# --- many at once -------------------------------------------------------------

for n in 1 2 3; do
	spawn "pipeline$n" sh -c 'whk-poll | whk-send'
	eval "pipeline$n=\$pid"
done
spawn retries2 sh -c 'whk-due -f | whk-send'
retries2=$pid
emit many 1000
wait_for '[ "$(events many)" = 1000 ] && [ "$(pending)" = 0 ]'
is "$(arrived many) $(on_record many)" "1000 1000" \
	"three pipelines on one queue: each event once"
for p in "${pipeline1:?}" "${pipeline2:?}" "${pipeline3:?}" "$retries" \
	"$retries2"; do
	stop_all "$p"
	[ "$status" = 0 ] || fail "a pipeline ends well"
done
shares=$(for n in 1 2 3; do wc -l <"$T/pipeline$n.out"; done | grep -cv '^0$')
ok "which shared them" [ "$shares" -gt 1 ]

# All of the record is true.
is "$(left) $(pending)" "0 0" "nothing is left"
is "$(sql "SELECT count(*), count(DISTINCT event) FROM whk.attempt
	WHERE outcome = 'delivered'")" "$(sql "SELECT count(*), count(*)
	FROM whk.event")" "each event is delivered, and once"
is "$(sql "SELECT count(*) FROM whk.attempt WHERE webhook = 1")" \
	"$(wc -l <"$T/recv.out")" "as many attempts as the receiver saw"

done_testing
