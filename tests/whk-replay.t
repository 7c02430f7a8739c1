#!/bin/sh
# SPDX-License-Identifier: ISC
# whk-replay: what it selects, that it repeats nothing, and that what it makes
# due goes out.
. "$(dirname "$0")/lib.sh"

need jq

# --- manners ---------------------------------------------------------------

exits 0 "-h" whk-replay -h
out_like '^usage: whk-replay' "... says how it is used"
exits 0 "--version" whk-replay --version
exits 2 "an unknown option" whk-replay --nonsense
exits 2 "an operand" whk-replay x
run whk-replay --missing
status_is 2 "--missing without --webhook"
err_is "whk-replay: --missing needs --webhook" "... says so"
exits 2 "--missing with --outcome" whk-replay -m -w 1 -o failed
exits 2 "--missing with --event" whk-replay -m -w 1 -e msg_1
run whk-replay -o odd
status_is 2 "an outcome that is none"
err_is "whk-replay: --outcome: not delivered, retry, failed or cancelled: odd" \
	"... says what there is"
exits 2 "an id that is none" whk-replay -e 'a b'
exits 2 "a webhook that is none" whk-replay -w 0
for bad in tomorrow 2026-13-01 2026-11-24T10 -5 '' ; do
	exits 2 "--since '$bad' is no time" whk-replay --since "$bad"
	exits 2 "--until '$bad' is no time" whk-replay --until "$bad"
done
run whk-replay --since "$(printf 'a\033[1m')"
err_is 'whk-replay: --since: not a time: a\033[1m' "... and shown visibly"
PGHOST="$T/none" run whk-replay -w 1
status_is 75 "no database"

start_postgres

# add EVENT TYPE TENANT WEBHOOKS AGE [BODY]: an event, accepted so long ago,
# leased.
add() {
	sql "SELECT 1 FROM whk.accept(ARRAY['$1'], ARRAY[clock_timestamp()
		- interval '$5'], ARRAY[nullif('$2', '')],
		ARRAY[nullif('$3', '')], ARRAY[NULL], ARRAY[NULL],
		ARRAY['${6:-\{\}}'], ARRAY['$4'], ARRAY[true], '1 hour')" \
		>/dev/null
}

# outcome STATUS ATTEMPT AGE EVENT [WEBHOOK]: what came of its attempts.
outcome() {
	sql "SELECT 1 FROM (SELECT array_agg(p.event) AS ids,
			array_agg(p.time::timestamptz) AS times,
			array_agg(e.type) AS types, array_agg(e.key) AS keys,
			array_agg(p.webhook) AS hooks,
			array_agg($2) AS numbers,
			array_agg(p.next_at::timestamptz) AS leases,
			array_agg(clock_timestamp() - interval '$3') AS ats,
			array_agg($1) AS statuses,
			array_agg(NULL::text) AS nulls,
			array_agg(NULL::int) AS ints,
			array_agg(NULL::bigint) AS longs,
			array_agg(NULL::bytea) AS bytes
		FROM whk.pending p
		JOIN whk.event e ON e.id = p.event AND e.time = p.time
		WHERE p.event LIKE '$4'
			AND p.webhook = coalesce(nullif('${5:-}', '')::bigint,
				p.webhook)) x,
	whk.record(ids, times, types, keys, hooks, numbers, leases, ats,
		statuses, nulls, longs, ints, ints, ints, ints, ints, nulls,
		nulls, bytes)" >/dev/null
}

pending() { sql 'SELECT count(*) FROM whk.pending'; }
forget() {
	sql 'DELETE FROM whk.pending; UPDATE whk.webhook SET backlog = false'
}

# picks WHAT WANTED OPTION...: what -n prints with the options, and that it
# changes nothing; then that a run does the same, and a second run nothing.
picks() {
	picks_what=$1 picks_wanted=$2
	shift 2
	before=$(sql 'TABLE whk.webhook'; sql 'TABLE whk.pending')
	run whk-replay -n "$@"
	is "$(jq -r '"\(.event)/\(.webhook)"' "$T/out" | sort | tr '\n' ' ')" \
		"$picks_wanted" "$picks_what"
	status_is 0 "... and that is well"
	is "$(sql 'TABLE whk.webhook'; sql 'TABLE whk.pending')" "$before" \
		"... with -n nothing changes"
	sort "$T/out" >"$T/picked"
	run whk-replay -v "$@"
	sort "$T/out" >"$T/done"
	same "$T/picked" "$T/done" "... the same is done without -n"
	run whk-replay -v "$@"
	out_is '' "... once"
	forget
}

exits 0 "a webhook" whk-add http://127.0.0.1:9/ -e 'order.*'
exits 0 "another" whk-add http://127.0.0.1:9/ --schedule 1d -e 'bill.*'
sql "UPDATE whk.webhook SET max_in_flight = 10000"

# What there is: delivered, failed, waiting for its retry, not yet attempted.
add one order.paid acme '{1,2}' '50 hours'
outcome 200 1 '50 hours' one
add two order.sent '' '{1}' '3 hours'
sql "UPDATE whk.webhook SET schedule = '{}' WHERE id = 1"
outcome 500 1 '3 hours' two
sql "UPDATE whk.webhook SET schedule = NULL WHERE id = 1"
add three bill.due emca '{2}' '1 hour'
add four '' '' '{1}' '1 minute'
outcome 500 1 '1 hour' three
keep=$(sql "SELECT count(*) FROM whk.pending")
is "$keep" 2 "two are pending: one for its retry, one leased"

# --- selections ------------------------------------------------------------

picks "a webhook" 'one/2 three/2 ' -w 2
add three bill.due emca '{2}' '1 hour'
is "$(pending)" 0 "an event that is known is not stored again"
picks "an event" 'one/1 one/2 ' -e one
picks "an event, by the beginning of its id" 'one/1 one/2 ' -e on
exits 1 "an event that there is not" whk-replay -e none
err_like '^whk-replay: no event none: it was not accepted, or is no longer' \
	"... is named"
picks "an event and a webhook" 'one/2 ' --event one --webhook 2
picks "what failed" 'two/1 ' -o failed
picks "what was delivered" 'one/1 one/2 ' --outcome delivered
picks "a type" 'two/1 ' -t order.sent
picks "patterns of types" 'one/1 one/2 three/2 two/1 ' -t 'order.*' \
	--type 'bill.*'
picks "any type" 'one/1 one/2 three/2 two/1 ' -t '*'
picks "a tenant" 'one/1 one/2 ' -T acme
picks "since so long ago" 'three/2 two/1 ' --since 4h
picks "until so long ago" 'one/1 one/2 two/1 ' -u 2h
picks "since and until" 'two/1 ' -s 4h -u 2h
picks "a date" 'three/2 two/1 ' -s "$(date -u -d '1 day ago' +%F)"
picks "a date to come" '' -s "$(date -u -d '2 days' +%F)"
picks "a time with an offset" 'three/2 ' \
	-s "$(TZ=Asia/Tokyo date -d '2 hours ago' +%FT%T%:z)"
picks "all together" 'two/1 ' -w 1 -e two -o failed -t 'order.*' -s 4h -u 2h
picks "nothing" '' -w 1 -o cancelled
picks "a webhook that there is not" '' -w 77

# --- retries brought forward -----------------------------------------------

add five order.paid acme '{1}' '1 minute'
outcome 500 1 '1 minute' five
add six order.paid acme '{1}' '1 minute'
run whk-replay -n -w 1 -s 30m
is "$(jq -r .event "$T/out")" five "one that waits for its retry is selected"
run whk-replay -n -o failed -s 30m
out_is '' "... but not as failed"
run whk-replay -v -o retry -s 30m
is "$(jq -r .event "$T/out")" five "--outcome retry finds it"
is "$(sql "SELECT event, attempt, next_at IS NULL FROM whk.pending
	ORDER BY 1")" "five|2|t
six|1|f" "... it is due for its second attempt; what is leased stays"
err_like '1 due again, 0 pending already' "... and says how many"
run sh -c "echo '{\"event\":\"six\",\"webhook\":1}' | whk-replay"
err_like '0 due again, 1 pending already' "what is leased is pending already"
forget

# --- lines -----------------------------------------------------------------

cat >lines <<'END'
{"event":"two","webhook":1,"attempt":1,"outcome":"failed"}

{"event":"two"}
not json
{"event":"nobody","webhook":1}
{"event":"one","webhook":77}
{"event":"one","webhook":2,"strange":[1]}
{"event":"two","webhook":1}
END
printf '{"event":"three","webhook":2}' >>lines
run sh -c 'whk-replay -v <lines'
status_is 1 "lines, some of them bad"
is "$(jq -r '"\(.event)/\(.webhook)"' "$T/out" | tr '\n' ' ')" \
	'two/1 one/2 three/2 ' "... the good ones are replayed, once"
for n in 2 3 4; do
	err_like "^whk-replay: line $n: " "... line $n is reported"
done
err_like '^whk-replay: line 5: no event: event nobody, webhook 1$' \
	"... and one whose event is not there"
err_like '^whk-replay: line 6: no webhook: event one, webhook 77$' \
	"... and one whose webhook is not there"
err_like '^whk-replay: 3 due again, 1 pending already$' "... and how many"
is "$(pending)" 3 "... they are pending"
run sh -c 'whk-replay <lines'
err_like '0 due again, 4 pending already' "the same lines again: nothing"
forget
before=$(sql 'TABLE whk.webhook')
run sh -c 'whk-replay -n <lines'
status_is 1 "-n reports the same bad lines"
is "$(jq -r .event "$T/out" | tr '\n' ' ')" 'two one three ' "... and prints"
is "$(pending) $(sql 'TABLE whk.webhook')" "0 $before" "... and changes nothing"
run sh -c 'whk-replay </dev/null'
status_is 0 "no lines"
err_is 'whk-replay: 0 due again, 0 pending already' "... nothing done"
run sh -c "head -c 9000000 /dev/zero | tr '\\0' x | whk-replay"
err_like 'line 1: longer than 8 MiB' "a line that is too long"

mkfifo fifo
spawn lines sh -c 'exec whk-replay -v <fifo'
exec 3>fifo
echo '{"event":"two","webhook":1}' >&3
wait_for "[ -s '$T/lines.out' ]"
is "$(pending)" 1 "a line is replayed though more may come"
stop "$lines_pid"
status_is 0 "SIGTERM ends the reading"
exec 3>&-
forget

if [ -e /dev/full ]; then
	run sh -c 'whk-replay -n -w 2 >/dev/full'
	status_is 1 "/dev/full"
	err_like '^whk-replay: stdout: No space left on device' "... says so"
fi
run sh -c '(whk-replay -n -w 2; echo $? >status) | :
	cat status'
out_is 1 "a closed pipe"

# --- what never got there --------------------------------------------------

add late1 order.paid acme '{2}' '2 hours' '{"total": 5}'
add late2 order.paid emca '{2}' '1 hour' '{"total": 50}'
add late3 bill.due acme '{2}' '1 hour'
add late4 order.sent '' '{2}' '1 hour' 'no JSON'
outcome 200 1 '1 hour' 'late%'
forget
picks "what it should have got by its patterns" \
	'late1/1 late2/1 late4/1 ' -m -w 1
picks "... since" 'late2/1 late4/1 ' --missing -w 1 -s 90m
picks "... of a tenant" 'late1/1 ' -m -w 1 -T acme
picks "... of a type" 'late4/1 ' -m -w 1 -t order.sent
sql "UPDATE whk.webhook SET tenant = 'emca' WHERE id = 1"
picks "... by its tenant" 'late2/1 ' -m -w 1
sql "UPDATE whk.webhook SET tenant = NULL, filter = '\$.total > 10'
	WHERE id = 1"
picks "... by its filter" 'late2/1 ' -m -w 1
sql "UPDATE whk.webhook SET filter = NULL WHERE id = 1"
run whk-replay -m -w 1
sql "UPDATE whk.pending SET next_at = clock_timestamp() + interval '1 hour'"
outcome 200 1 '1 second' '%' 1
run whk-replay -n -m -w 1
out_is '' "what was replayed and delivered is not missing any more"

# --- they go out -----------------------------------------------------------

start_recv
sql "UPDATE whk.webhook SET url = '$recv_url', max_in_flight = 32"
forget
run whk-replay -w 1
err_like '^whk-replay: 6 due again' "six deliveries are replayed"
run sh -c 'whk-due | whk-send'
status_is 0 "... and sent"
wait_for '[ $(pending) = 0 ]'
is "$(jq -r '"\(.event) \(.outcome)"' "$T/out" | sort | tr '\n' ',')" \
	"five delivered,late1 delivered,late2 delivered,late4 delivered,\
one delivered,two delivered," "... each once"

exits 0 "the webhook is paused" whk-set --pause 1
run whk-replay -e one -w 1
err_like '^whk-replay: 1 due again' "a paused webhook's are replayed"
run sh -c 'whk-due | whk-send'
out_is '' "... and wait"
exits 0 "it is resumed" whk-set --resume 1
run sh -c 'whk-due | whk-send'
is "$(jq -r .outcome "$T/out")" delivered "... and they go out"
sql "UPDATE whk.webhook SET disabled_at = now(), disabled_why = '410 Gone'
	WHERE id = 2"
run whk-replay -n -w 2
out_is '' "one that said 410 gets nothing"
run sh -c 'echo "{\"event\":\"one\",\"webhook\":2}" | whk-replay'
err_like 'no webhook' "... not by a line either"
sql "UPDATE whk.webhook SET disabled_at = NULL, disabled_why = NULL"

# --- ordered webhooks ------------------------------------------------------

exits 0 "an ordered webhook" whk-add --ordered "$recv_url"
sql "INSERT INTO whk.event (id, time, key, accepted_at, body)
	SELECT 'k' || i, now(), 'key' || i % 2, now(), '{}'
	FROM generate_series(1, 8) i;
INSERT INTO whk.attempt (event, webhook, at, attempt, time, outcome)
	SELECT 'k' || i, 3, now() + i * interval '1 ms', 1, now(), 'failed'
	FROM generate_series(1, 8) i"
run whk-replay -w 3
err_like "^whk-replay: 8 due again" "an ordered webhook's"
is "$(sql "SELECT key, count(*) FILTER (WHERE NOT behind) FROM whk.pending
	GROUP BY 1 ORDER BY 1")" "key0|1
key1|1" "... are behind one another"
run sh -c 'whk-due | whk-send'
is "$(jq -r 'select(.event | test("[1357]$")).event' "$T/out" | tr '\n' ' ')" \
	'k1 k3 k5 k7 ' "... and each key goes in order"
is "$(pending)" 0 "... and all"

# --- ten thousand, stopped in the middle -----------------------------------

many=10000
[ -z "${WHK_TEST_SLOW:-}" ] || many=3000
sql "UPDATE whk.webhook SET paused_at = now();
INSERT INTO whk.event (id, time, type, accepted_at, body)
	SELECT 'm' || i, '2026-11-01', 'm', now(), '{}'
	FROM generate_series(1, $many) i;
INSERT INTO whk.attempt (event, webhook, at, attempt, time, outcome, status,
	type) SELECT 'm' || i, 1, now() - i * interval '1 ms', 1, '2026-11-01',
	'failed', 500, 'm' FROM generate_series(1, $many) i;
ANALYZE whk.event; ANALYZE whk.attempt"
# Each batch takes a while, so that the signal comes before the last.
sql "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END';
CREATE TRIGGER slow AFTER INSERT ON whk.pending
	FOR EACH STATEMENT EXECUTE FUNCTION slow()"
spawn replay whk-replay -v -t m
wait_for '[ $(pending) -gt 500 ]'
stop "$pid"
sql "DROP TRIGGER slow ON whk.pending"
status_is 0 "stopped by SIGTERM"
first=$(pending)
ok "... in the middle" test "$first" -gt 500 -a "$first" -lt "$many"
is "$(wc -l <"$T/replay.out")" "$first" "... what it printed is pending"
run whk-replay -t m
err_like "^whk-replay: $((many - first)) due again, 0 pending" \
	"again: it does the rest"
is "$(pending)" "$many" "... each once"
is "$(sql 'SELECT bool_and(next_at IS NULL) FROM whk.pending')" t \
	"... all of them parked"
is "$(sql "SELECT string_agg(event, ' ') FROM (SELECT event FROM whk.pending
	ORDER BY seq LIMIT 3) x")" "m$many m$((many - 1)) m$((many - 2))" \
	"... the oldest first"
forget
sql "SELECT json_build_object('event', event, 'webhook', webhook)
	FROM whk.attempt WHERE type = 'm'" >many
run sh -c 'whk-replay <many'
err_like "^whk-replay: $many due again, 0 pending" "as many lines"
forget

# --- the cost --------------------------------------------------------------

# A hundred thousand attempts over ten days. No selection may pass over whole
# tables, nor over days that were not asked for.
sql "SELECT whk.partitions(0, d) FROM generate_series(now() - interval
	'10 days', now(), interval '1 day') d" >/dev/null
sql "INSERT INTO whk.event (id, time, type, tenant, accepted_at, body)
	SELECT 'c' || i, now() - i * interval '8 s', 't' || i % 10,
		'acme' || i % 100, now(), '{}'
	FROM generate_series(1, 100000) i;
INSERT INTO whk.attempt (event, webhook, at, attempt, time, outcome, status,
	type) SELECT 'c' || i, 1 + i % 3, now() - i * interval '8 s', 1,
		now() - i * interval '8 s', (CASE WHEN i % 50 = 0
		THEN 'failed' ELSE 'delivered' END)::whk.outcome, 200,
		't' || i % 10
	FROM generate_series(1, 100000) i;
ANALYZE whk.event; ANALYZE whk.attempt"

sql "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > 0
	AND relname ~ '^(event|attempt)_'" >full

# scans ARGUMENTS: the tables that such a selection passes over in whole.
scans() {
	sql "EXPLAIN SELECT event, time_ms, webhook FROM $1" >"$T/plan"
	sed -n 's/.*Seq Scan on \([a-z_0-9]*\).*/\1/p' "$T/plan" |
		grep -Fxf "$T/full" | sort -u | tr '\n' ' '
}
ever="'1970-01-01', '9999-12-31'"
hour="now() - interval '1 hour', '9999-12-31'"
ok "ten days have a partition each" test "$(grep -c attempt full)" -ge 10
is "$(scans "whk.replayable(NULL, 'c5', NULL, NULL, NULL, $ever)")" '' \
	"an event's attempts are found by index"
is "$(scans "whk.replayable(2, NULL, NULL, NULL, 'failed', $hour)")" '' \
	"a webhook's of an hour too"
unlike "$(scans "whk.replayable(NULL, NULL, NULL, NULL, NULL, $hour)")" \
	'event|attempt.*attempt.*attempt' "those of an hour: of their day"
unlike "$(scans "whk.replayable(NULL, NULL, NULL, NULL, NULL, $ever)")" \
	event "of all attempts: the events are found by index"
unlike "$(scans "whk.missing(1, NULL, NULL, $hour)")" \
	'attempt|event.*event.*event' "what is missing of an hour: of its day"
unlike "$(scans "whk.missing(1, NULL, NULL, $ever)")" attempt \
	"... of all days: the attempts are found by index"
run whk-replay -n -o failed
is "$(jq -r 'select(.event | test("^c")).event' "$T/out" | wc -l)" 2000 \
	"two thousand of a hundred thousand"

done_testing
