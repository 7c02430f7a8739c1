#!/bin/sh
# SPDX-License-Identifier: ISC
# whk-prune: what goes, what stays, and that nobody notices.
. "$(dirname "$0")/lib.sh"

need jq gzip script

# --- manners -----------------------------------------------------------------

exits 0 "-h" whk-prune -h
out_like '^usage: whk-prune' "... says how it is used"
exits 0 "--version" whk-prune --version
exits 1 "-h to a full disk" sh -c 'whk-prune -h >/dev/full'
exits 2 "an unknown option" whk-prune --nonsense
exits 2 "an operand" whk-prune now
exits 2 "--keep of hours" whk-prune --keep 3h
exits 2 "--keep-bodies that is none" whk-prune --keep-bodies soon
exits 2 "--forget without --tenant" whk-prune --forget
err_is "whk-prune: --tenant and --forget go together" "... says so"
exits 2 "--tenant without --forget" whk-prune --tenant acme
exits 2 "--tenant of nothing" whk-prune --tenant '' --forget
exits 2 "--forget with --export" whk-prune --tenant a --forget -x .
exits 2 "--export to no directory" whk-prune --export "$T/none"
err_is "whk-prune: --export: not a directory: $T/none" "... says which"
exits 75 "no database" env PGHOST="$T/none" whk-prune

start_postgres
start_recv -j
export PGOPTIONS='-c TimeZone=UTC'

# --- days of the past --------------------------------------------------------

# day AGE: the day so many days ago, as it is called.
day() { date -u -d "$1 days ago" +%Y-%m-%d; }
compact() { day "$1" | tr -d -; }

# partition AGE: its partitions.
partition() {
	sql "SELECT sum(whk.make_partition(p, p || '_$(compact "$1")',
		'$(day "$1")')) FROM unnest(ARRAY['event', 'attempt']) p"
}

# A body that has some of all.
body='{"a": "\u00e4 x"}'

# fill AGE COUNT [BODY]: events e<AGE>_<N> at the noon of that day, every
# other one of tenant acme, each with an attempt.
fill() {
	sql "INSERT INTO whk.event (id, time, type, tenant, webhooks,
			accepted_at, via, body)
		SELECT 'e$1_' || i, t, 'order.paid',
			CASE WHEN i % 2 = 0 THEN 'acme' END, '{1}', t, 'queue',
			'${3:-$body}'
		FROM generate_series(1, $2) i,
			LATERAL (SELECT '$(day "$1") 12:00'::timestamptz
				+ i * interval '1 ms') x(t);
	INSERT INTO whk.attempt (event, webhook, at, attempt, time, outcome,
			status, total_us, type, answer)
		SELECT id, 1, time + interval '1 s', 1, time, 'delivered', 200,
			12345, type, '\\x00ff' FROM whk.event
		WHERE id LIKE 'e$1\\_%'"
}

# waits ID...: something is pending for these events.
waits() {
	for id; do
		sql "INSERT INTO whk.pending (webhook, time, event, next_at)
			SELECT 1, time, id, now() - interval '1 s'
			FROM whk.event WHERE id = '$id'"
	done
}

# has AGE: how many events and attempts there are of that day, and bodies.
has() {
	sql "SELECT (SELECT count(*) FROM whk.event WHERE id LIKE 'e$1\\_%'),
		(SELECT count(*) FROM whk.attempt WHERE event LIKE 'e$1\\_%'),
		(SELECT count(body) FROM whk.event WHERE id LIKE 'e$1\\_%')"
}

# left: tables and triggers that no run should leave behind.
left() {
	sql "SELECT count(*) FROM pg_class
		WHERE relnamespace = 'whk'::regnamespace
			AND relkind IN ('r', 'p')
			AND relname ~ '_(new|late|stage|rest)\$'"
	sql "SELECT count(*) FROM pg_trigger WHERE tgname = 'whk_late'"
}

parts() {
	sql "SELECT string_agg(part, ' ' ORDER BY part) FROM whk.days('event')"
}

exits 0 "a database with nothing in it" whk-prune
err_is "" "... has nothing to say"
exits 0 "-n of nothing" whk-prune -n
out_is "" "... prints nothing"

whk-add "$recv_url" >"$T/out" 2>"$T/err"
for age in 100 95 91 90 40 31 30; do
	partition "$age" >"$T/made"
	fill "$age" 20
done
waits e95_3 e95_4 e40_5
before=$(sql "SELECT md5(string_agg(e::text, '' ORDER BY id)) FROM whk.event e")

exits 0 "-n" whk-prune -n
is "$(awk 'NR > 1 { print $1, $2, $3, $5 }' "$T/out")" "\
attempts $(day 100) 20 0
events $(day 100) 20 0
attempts $(day 95) 20 0
events $(day 95) 18 2
attempts $(day 91) 20 0
events $(day 91) 20 0
bodies $(day 90) 20 0
bodies $(day 40) 19 1
bodies $(day 31) 20 0" "... what, which day, how many rows, and what is kept"
is "$(sql "SELECT md5(string_agg(e::text, '' ORDER BY id))
	FROM whk.event e")" "$before" "... changes nothing"
exits 1 "-n to a full disk" sh -c 'whk-prune -n >/dev/full'
exits 0 "-n with other ages" whk-prune -n --keep 35d --keep-bodies 35d
is "$(grep -c ^bodies "$T/out")" 0 "... of which the longer one counts"
is "$(grep -c ^events "$T/out")" 5 "... drops more days"

exits 0 "a run" whk-prune -v
err_like "^whk-prune: $(day 95): 18 events dropped, 2 kept\$" "-v says it"
err_like '58 events dropped, 60 attempts dropped, 59 bodies dropped, 2 ev' \
	"... and what it was in all"
is "$(has 100) $(has 91)" "0|0|0 0|0|0" "days that are too old are gone"
is "$(has 95)" "2|0|2" "... but for the events that are pending"
is "$(sql "SELECT body FROM whk.event WHERE id = 'e95_3'")" "$body" \
	"... which are as they were"
is "$(has 90)" "20|20|0" "a day that is not too old is there"
is "$(has 40)" "20|20|1" "... without its bodies, but for one that is pending"
is "$(sql "SELECT count(via) FROM whk.event WHERE id LIKE 'e40\_%'")" 20 \
	"... with all else that they are"
is "$(has 31) $(has 30)" "20|20|0 20|20|20" "bodies stay for their time"
is "$(sql "SELECT to_regclass('whk.event_$(compact 95)') IS NULL")" t \
	"the partitions are dropped"
is "$(left)" "0
0" "nothing is left behind"
is "$(sql "SELECT indexdef ~ 'UNIQUE' FROM pg_indexes WHERE tablename =
	'event_$(compact 40)' AND indexname ~ 'pkey'")" t \
	"a day that was written anew has its indexes"
exits 0 "again" whk-prune -v
err_is "" "... there is nothing to do"

# --- what is pending goes on, what has no body does not ----------------------

run sh -c 'whk-due -1 | whk-send'
status_is 0 "what was pending is sent"
is "$(jq -r '"\(.event) \(.outcome)"' "$T/out" | sort | tr '\n' ' ')" \
	"e40_5 delivered e95_3 delivered e95_4 delivered " "... with its body"
run sh -c 'echo "{\"event\":\"e40_6\",\"webhook\":1}" | whk-replay'
status_is 1 "an event whose body is gone is replayed"
err_like '^whk-replay: line 1: no body: event e40_6, webhook 1$' "... says so"
run whk-replay --event e40_6
err_like '^whk-replay: 1 cannot be sent again: .*whk-prune' \
	"... and of a selection too"
is "$(sql "SELECT count(*) FROM whk.pending")" 0 "... nothing is pending"
exits 0 "a run after that" whk-prune
err_like '3 rows taken one by one' "takes what was kept"
is "$(has 95) $(has 40)" "0|2|0 20|21|0" "... the old events and the body"

# --- the default partition ---------------------------------------------------

# Nobody made partitions: today, other days, one long ago, one of the future.
sql "DROP TABLE whk.event_$(compact 0), whk.attempt_$(compact 0)"
fill 0 2000
fill 7 30
fill 50 30
fill 200 30
fill 201 1200
fill -100 30
waits e200_7 e50_8 e7_1
total() { sql "SELECT count(*) FROM whk.event WHERE id NOT LIKE 'e200\\_%'
	AND id NOT LIKE 'e201\\_%'"; }
before=$(total)
is "$(sql "SELECT count(*) FROM whk.event_default")" 3320 \
	"rows without a partition lie in the default one"
exits 0 "-n" whk-prune -n
out_like "^to their days: events +$(day 7) +30 " "... says that they would move"
out_like "^single events +- +29 " "... and that some would go"
exits 0 "a run" whk-prune
err_like '6520 rows moved to their days' "moves them"
is "$(total)" "$before" "none is lost"
is "$(sql "SELECT count(*) FROM whk.event_default")" 31 \
	"what stays is pending, or far in the future"
is "$(has 200) $(has 201)" "1|0|1 0|0|0" "... and what is too old is gone"
is "$(sql "SELECT count(*) FROM whk.event_$(compact 7)")" 30 \
	"each is in its day's"
is "$(has 50)" "30|30|1" "... and has its body, if it should"
for age in 0 -1 -2 -3; do
	like "$(parts)" "event_$(compact "$age")" \
		"a partition for $(day "$age")"
done
is "$(left)" "0
0" "nothing is left behind"
sql "DELETE FROM whk.pending"

# --- export ------------------------------------------------------------------

mkdir "$T/x"
for age in 99 98 45; do
	partition "$age" >"$T/made"
	fill "$age" 300
done
rm -f "$T/want"
sql "SELECT id, body, to_char(time AT TIME ZONE 'UTC',
	'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM whk.event
	WHERE id LIKE 'e99\\_%' ORDER BY id" >"$T/want"
exits 0 "--export" whk-prune -x "$T/x"
is "$(cd x && echo *)" "attempts-$(day 99).jsonl.gz \
attempts-$(day 98).jsonl.gz events-$(day 200).jsonl.gz \
events-$(day 99).jsonl.gz events-$(day 98).jsonl.gz \
events-$(day 50).jsonl.gz events-$(day 45).jsonl.gz" \
	"a file for each table and day"
is "$(stat -c %a "x/events-$(day 99).jsonl.gz")" 600 "... is its owner's"
gzip -dc "x/events-$(day 99).jsonl.gz" >events
jq -r '"\(.id)|\(.body)|\(.time)"' events | sort >"$T/got"
sort "$T/want" >"$T/wanted"
same "$T/got" "$T/wanted" "... has the events"
is "$(jq -c 'select(.id == "e99_2") | [.type, .tenant, .via, .to]' events)" \
	'["order.paid","acme","queue",[1]]' "... with all that they are"
gzip -dc "x/attempts-$(day 99).jsonl.gz" >attempts
is "$(jq -r '.event' attempts | sort -u | wc -l)" 300 "... and the attempts"
is "$(jq -c 'select(.event == "e99_2") |
	[.type, .webhook, .attempt, .outcome, .status, .ms, .answer_base64]' \
	attempts)" '["order.paid",1,1,"delivered",200,12,"AP8="]' \
	"... with all that they are"
is "$(has 99) $(has 98) $(has 45)" "0|0|0 0|0|0 300|300|0" \
	"... and the days are gone, and bodies"

: >recv.out
run sh -c 'head -n 20 events | whk-send'
status_is 0 "lines of a file are sent again"
is "$(wc -l <"$T/out")" 20 "... all of them"
is "$(jq -r .outcome "$T/out" | sort -u)" delivered "... and delivered"
run sh -c 'grep "\"e99_[1-5]\"" attempts | whk-replay'
err_like '5 due again' "lines of attempts are replayed"
sql "DELETE FROM whk.pending; DELETE FROM whk.event WHERE id ~ '^e99_';
	DELETE FROM whk.attempt WHERE event ~ '^e99_'"

# The day whose bodies are gone is not written again.
exits 0 "a day that was exported before goes" whk-prune -v -k 40d -x x
is "$(echo x/events-"$(day 45)"*)" "x/events-$(day 45).jsonl.gz" \
	"... its file is there already"
is "$(gzip -dc "x/events-$(day 45).jsonl.gz" | jq -r .body | sort -u)" \
	'{"a": "\u00e4 x"}' "... with the bodies"
is "$(has 45)" "0|0|0" "... and it is gone"

# A file of somebody else's.
partition 99 >"$T/made"
fill 99 7
cp "x/events-$(day 99).jsonl.gz" mine
exits 0 "a file of that name which holds other lines" whk-prune -x x
same "x/events-$(day 99).jsonl.gz" mine "... is not overwritten"
is "$(gzip -dc "x/events-$(day 99).2.jsonl.gz" | wc -l)" 7 \
	"... the new one gets a number"
partition 99 >"$T/made"
fill 99 7
echo junk >"x/events-$(day 99).2.jsonl.gz"
exits 0 "a file that is no gzip" whk-prune -x x
is "$(cat "x/events-$(day 99).2.jsonl.gz")" junk "... is left"
ok "... and the next number taken" test -e "x/events-$(day 99).3.jsonl.gz"

# What cannot be written stays where it is.
mkdir full
for age in 99 97; do
	partition "$age" >"$T/made"
	fill "$age" 40
done
mkdir bin
printf '#!/bin/sh\nexec /bin/gzip "$@" >/dev/full\n' >bin/gzip
chmod +x bin/gzip
run env PATH="$T/bin:$PATH" whk-prune -k 98d -x full
status_is 1 "a disk that is full"
err_like "^whk-prune: $(day 99): .*events-$(day 99).*cannot be written" \
	"... is named"
is "$(has 99)" "40|40|40" "... the day stays"
is "$(ls -A full)" "" "... with no file"
rm bin/gzip
cp mine "full/.events-$(day 99).jsonl.gz.part"
ln "full/.events-$(day 99).jsonl.gz.part" "full/events-$(day 99).jsonl.gz"
mkdir -p "full/events-$(day 97).jsonl.gz"
exits 0 "something else of that name" whk-prune -x full
ok "... is passed by" test -f "full/events-$(day 97).2.jsonl.gz"
is "$(has 97) $(has 99)" "0|0|0 0|0|0" "... and the days go"
same mine "full/events-$(day 99).jsonl.gz" "what a killed run left is no harm"
partition 99 >"$T/made"
fill 99 40
is "$(left)" "0
0" "... nothing is left behind"
mkdir empty
printf '#!/bin/sh\ncase $1 in -c) exec /bin/gzip -c ;; esac\nexec echo {}\n' \
	>bin/gzip
chmod +x bin/gzip
run env PATH="$T/bin:$PATH" whk-prune -x empty
status_is 1 "a file that does not hold what was written"
err_like "holds other lines than were written" "... is found out"
is "$(has 99) $(ls empty)" "40|40|40 " "... the day stays, no file does"
run env PATH="$BUILD" "$BUILD/whk-prune" -x empty
status_is 1 "no gzip"
err_like "$(day 99): gzip: No such file" "... says so"
exits 0 "and when it works again" whk-prune -x empty
is "$(has 99) $(gzip -dc "empty/events-$(day 99).jsonl.gz" | wc -l)" \
	"0|0|0 40" "... it goes"

# --- tables that are in use --------------------------------------------------

partition 99 >"$T/made"
fill 99 50
spawn reader psql -Xqc "BEGIN; SELECT count(*) FROM whk.event;
	SELECT pg_sleep(600)"
reader=$pid
wait_for '[ "$(sql "SELECT count(*) FROM pg_locks WHERE relation =
	'"'whk.event'::regclass"'")" -gt 0 ]'
run whk-prune --wait 1s
status_is 75 "a table that somebody reads for long"
err_like 'in use.*--wait' "... says so"
is "$(has 99 | cut -c1-2)" "50" "... the day stays"
run script -qec 'whk-prune --wait 3s 2>&1 >/dev/null' /dev/null
out_like 'waiting for tables in use' "a terminal sees what goes on"
spawn waiting whk-prune
wait_for 'sql "SELECT locktype FROM pg_locks" | grep -q advisory'
exits 0 "-n, while another one runs" whk-prune -n
exits 75 "a second one" whk-prune
err_is "whk-prune: another one is running" "... says so"
ok "others are not held up" timeout 5 \
	psql -Xqc "SELECT count(*) FROM whk.event"

# --- killed at any moment ----------------------------------------------------

crash "$waiting_pid"
is "$(has 99 | cut -c1-2)" "50" "killed while it waits"
crash "$reader"
sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
	WHERE query ~ 'pg_sleep.600'  AND pid <> pg_backend_pid()" >"$T/out"
exits 0 "and again" whk-prune
is "$(has 99)" "0|0|0" "... it goes"

big=20000
[ -z "${WHK_TEST_SLOW:-}" ] || big=3000
for age in 99 98 97 60 59; do
	partition "$age" >"$T/made"
	fill "$age" $big "$(printf '%0500d' 0)"
done
fill 9 $big
sql "INSERT INTO whk.pending (webhook, time, event)
	SELECT 1, time, id FROM whk.event
	WHERE id ~ '^e9[78]_.*7\$' OR id ~ '^e(60|9)_.*77\$' OR id ~ '^e98_'
		AND id < 'e98_15'
	ON CONFLICT DO NOTHING"
rm -rf x && mkdir x
lost() {
	sql "SELECT count(*) FROM whk.pending p WHERE NOT EXISTS (SELECT
		FROM whk.event e WHERE e.id = p.event AND e.time = p.time
			AND e.body IS NOT NULL)"
}
bad=0
for ms in 5 10 15 20 30 40 60 80 100 120 150 180 220 260 300 350 400 500; do
	spawn killed whk-prune -x x
	sleep "$(printf '0.%03d' "$ms")"
	ended "$killed_pid" && break
	crash "$killed_pid"
	[ "$(lost)" = 0 ] || bad=$((bad + 1))
	n=$(sql "SELECT count(*) FROM whk.event WHERE id ~ '^e9_'")
	[ "$n" = $big ] ||
		bad=$((bad + 1))
done
is "$bad" 0 "killed at many moments, nothing that is wanted was away"
reap "$killed_pid"
exits 0 "and to its end" whk-prune -x x
is "$(lost)" 0 "what is pending is there"
is "$(sql "SELECT count(*) FROM whk.event e WHERE id ~ '^e9[789]_' AND NOT
	EXISTS (SELECT FROM whk.pending p WHERE p.event = e.id)")" 0 \
	"what is old is gone"
is "$(sql "SELECT count(body) FROM whk.event e WHERE id ~ '^e(59|60)_' AND NOT
	EXISTS (SELECT FROM whk.pending p WHERE p.event = e.id)")" 0 \
	"bodies are gone"
is "$(sql "SELECT count(*) FROM whk.event WHERE id ~ '^e9_'")" $big \
	"all that was in the default partition is there"
for age in 99 98 97 60 59; do
	is "$(for f in x/events-"$(day "$age")"*; do gzip -dc "$f"; done |
		jq -r 'select(.body) | .id' | sort -u | wc -l)" $big \
		"all of $(day "$age") is in files"
done
is "$(find x -name '.*.part' | wc -l) $(left | tr '\n' ' ')" "0 0 0 " \
	"nothing is left behind"
sql "DELETE FROM whk.pending"

# --- killed while it holds single rows ---------------------------------------

rest() { sql "SELECT whk.rest_count()"; }
rm -rf x && mkdir x
whk-prune 2>err
fill 300 30
printf '#!/bin/sh\nexec sleep 600\n' >bin/gzip
spawn killed env PATH="$T/bin:$PATH" whk-prune -x x
wait_for '[ "$(rest)" = 60 ] && [ -e x/.events-*.part ]'
crash "$killed_pid"
rm bin/gzip
is "$(has 300)" "0|0|0" "killed when it has taken single rows away"
fill 301 5
exits 0 "a run without --export" whk-prune
err_is "whk-prune: 60 rows that an --export took and did not write are still \
there: run it with --export again
whk-prune: 10 rows taken one by one" "... takes others, and leaves these"
is "$(rest) $(has 301)" "60 0|0|0" "... where they are"
fill 302 5
exits 0 "a run with --export" whk-prune -x x
for what in events:30 attempts:30; do
	is "$(gzip -dc "x/${what%:*}-$(day 300).jsonl.gz" | wc -l)" \
		"${what#*:}" "... writes the ${what%:*}"
done
is "$(gzip -dc "x/events-$(day 302).jsonl.gz" | wc -l)" 5 "... and its own"
is "$(left | tr '\n' ' ')" "0 0 " "nothing is left behind"

# --- a tenant is forgotten ---------------------------------------------------

whk-add --tenant acme "$recv_url" >"$T/hook" 2>"$T/err"
whk-add --ordered "$recv_url" >"$T/ordered" 2>"$T/err"
hook=$(cat hook) ordered=$(cat ordered)
partition 5 >"$T/made"
fill 5 3000
sql "SELECT whk.pause(ARRAY[1, $hook, $ordered]);
	SELECT whk.emit('{}', 'a.b', 'acme', 'first', 'k');
	SELECT whk.emit('{}', 'a.b', NULL, 'second', 'k');
	SELECT whk.resume(ARRAY[$ordered])" >"$T/out"
mine="SELECT count(*) FROM whk.event WHERE tenant = 'acme'"
others="SELECT count(*), md5(string_agg(e::text, '' ORDER BY id))
	FROM whk.event e WHERE tenant IS DISTINCT FROM 'acme'"
events=$(sql "$mine") before=$(sql "$others")
exits 0 "--forget -n" whk-prune -n --tenant acme --forget
err_like "would be forgotten: 1 webhooks, $events events, .* 3 pending" \
	"... says how many"
is "$(sql "$mine")" "$events" "... changes nothing"
spawn killed whk-prune --tenant acme --forget
wait_for '[ "$(sql "$mine")" -lt "$events" ] || ended $killed_pid'
crash "$killed_pid"
exits 0 "--forget, after one that was killed" whk-prune --tenant acme --forget
err_like "^whk-prune: forgotten: 1 webhooks, $events events, .* 3 pending" \
	"... says how many in all"
is "$(sql "$mine")" 0 "its events are gone"
is "$(sql "SELECT count(*) FROM whk.attempt WHERE event ~ '^e5_.*[02468]\$'")" \
	0 "... their attempts"
is "$(sql "SELECT count(*) FROM whk.webhook WHERE tenant = 'acme'")" 0 \
	"... its webhooks"
is "$(sql "SELECT count(*) FROM whk.pending WHERE event = 'first'")" 0 \
	"... and what was pending"
is "$(sql "$others")" "$before" "what is not its own is as it was"
is "$(sql "SELECT count(*) FROM whk.attempt WHERE event ~ '^e5_'")" 1500 \
	"... with its attempts"
is "$(sql "SELECT behind FROM whk.pending WHERE event = 'second'
	AND webhook = $ordered")" f "the next of a key goes on"
is "$(sql "SELECT tenant, webhooks, events, pending, ended_at IS NOT NULL
	FROM whk.forgotten")" "acme|1|$events|3|t" "it is on record"
exits 0 "a tenant that nobody knows" whk-prune --tenant nobody --forget
err_like 'forgotten: 0 webhooks, 0 events, 0 attempts, 0 pending' "... is none"
sql "DELETE FROM whk.pending; SELECT whk.resume(ARRAY[1]);
	UPDATE whk.webhook SET backlog = false" >"$T/out"

# --- beside everything else --------------------------------------------------

start_mq
for age in 94 93 39; do
	partition "$age" >"$T/made"
	fill "$age" 5000
done
sql "DROP TABLE whk.event_$(compact 0), whk.attempt_$(compact 0)"
: >recv.out
spawn pipe sh -c 'whk-poll 2>poll.err | whk-send 2>send.err'
pipe=$pid
n=3000
[ -z "${WHK_TEST_SLOW:-}" ] || n=500
seq $n | sed 's/.*/{"type":"a.b","tenant":"beta","body":{"n":&}}/' >load
spawn emit whk-emit -l load
runs=0
while ! ended "$emit_pid" || [ $runs -lt 4 ]; do
	whk-prune >>"$T/prune.out" 2>&1 || fail "whk-prune beside a load"
	runs=$((runs + 1))
	partition 99 >"$T/made"
	fill 99 1000
done
wait_for '[ "$(sql "SELECT count(DISTINCT event) FROM whk.attempt
	WHERE type = '"'a.b' AND outcome = 'delivered'"'")" -ge $n ]'
is "$(sql "SELECT count(DISTINCT id) FROM whk.event
	WHERE tenant = 'beta'")" $n "each event is stored"
is "$(sql "SELECT count(DISTINCT event) FROM whk.attempt WHERE type = 'a.b'
	AND webhook = 1 AND outcome = 'delivered'")" $n "... and delivered"
is "$(sql "SELECT count(*) FROM whk.attempt WHERE type = 'a.b' AND webhook = 1
	AND outcome <> 'delivered'")" 0 "... with no other attempt"
is "$(cat poll.err send.err)" "" "nobody had anything to say"
stop_all "$pipe"
is "$(sql "SELECT to_regclass('whk.event_$(compact 0)') IS NULL")" f \
	"today has its partition again"

# --- in moments --------------------------------------------------------------

big=200000
[ -z "${WHK_TEST_SLOW:-}" ] || big=5000
partition 96 >"$T/made"
fill 96 $big "$(printf '%0500d' 0)"
waits e96_7
began=$(date +%s%N)
sql "SELECT whk.prune_drop('event', 'event_$(compact 96)', 0)" >"$T/out"
ms=$((($(date +%s%N) - began) / 1000000))
diag "a day of $big events was dropped in $ms ms"
ok "a day is dropped in moments" test "$ms" -lt 1000
is "$(cat "$T/out") $(has 96 | cut -d'|' -f1)" "1 1" "... one event is kept"

done_testing
