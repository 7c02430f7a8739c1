#!/bin/sh
# SPDX-License-Identifier: ISC
. "$(dirname "$0")/lib.sh"

need jq
exits 0 "-h" whk-send -h
out_like '^usage: whk-send' "says the usage"
exits 0 "--version" whk-send --version
out_like '^whk-send [0-9]' "says the version"
exits 2 "a bad option" whk-send --no-such
exits 2 "an operand" whk-send file
exits 2 "no jobs" whk-send -j 0
exits 2 "a lease that is none" whk-send -l soon

start_postgres -e

# --- schema and database ------------------------------------------------------

one='{"type":"none","body":1}'
send_one() { echo "${1:-$one}" | whk-send; }
exits 1 "no schema" send_one
err_like 'run whk-init$' "says what to do"
whk-init >"$T/out" 2>"$T/err"
sql 'UPDATE whk.meta SET version = version - 1'
exits 1 "an older schema" send_one
err_like 'older than this .* run whk-init$' "says what to do"
sql 'UPDATE whk.meta SET version = version + 2'
exits 1 "a newer schema" send_one
err_like 'newer than this program' "says so"
sql 'UPDATE whk.meta SET version = version - 1'
PGDATABASE=nowhere exits 1 "no such database" send_one

# In the background, as these wait ten seconds before they give up.
printf '%s\n' "$one" >"$T/one"
spawn away sh -c "PGHOST=$T/nowhere exec whk-send <'$T/one'"
seq 3000 | sed 's/.*/{"body":&}/' >"$T/more"
spawn away2 sh -c "PGHOST=$T/nowhere exec whk-send <'$T/more'"
mkfifo "$T/never"
spawn away3 sh -c "PGHOST=$T/nowhere exec whk-send <'$T/never'"
exec 9>"$T/never"
echo "$one" >&9

# --- lines --------------------------------------------------------------------

start_recv -j
exits 0 "a webhook" whk-add -e none -e ok -e 'good.*' "${recv_url:?}"
events() { jq -r '.headers["webhook-id"]' "$T/recv.out" | sort; }

exits 0 "no input" whk-send </dev/null
out_is '' "prints nothing"
exits 1 "stdin closed" sh -c 'whk-send <&-'

python3 "$TOP/tests/bad_lines.py" |
	sed 's/^{"id":"good/{"type":"ok","id":"good/' >"$T/lines"
exits 1 "bad lines among good ones" whk-send <"$T/lines"
is "$(sed -n 's/^whk-send: line \([0-9]*\): .*/\1/p' "$T/err" | sort -n |
	tr '\n' ' ')" "$(seq -s ' ' 1 2 51) " "each bad one has one message"
is "$(wc -l <"$T/err")" 26 "and no other"
is "$(events)" "$(seq -f good-%g 26 | sort)" "each good one goes out"
is "$(jq -r .event "$T/out" | sort)" "$(events)" "and is told"
is "$(sql "SELECT count(*) FROM whk.attempt WHERE outcome = 'delivered'")" 26 \
	"and is on record"
exits 0 "the same once more" sh -c "grep -a '\"good-1\"' '$T/lines' | whk-send"
err_is "whk-send: line 1: event good-1 is stored already: not sent again" \
	"an id that was there is not sent again"
out_is '' "nor told"

ok='{"type":"ok","body":{"a":1}}'
exits 1 "/dev/full" sh -c "echo '$ok' | whk-send >/dev/full"
err_is "whk-send: stdout: No space left on device" "is said"
is "$(sql "SELECT count(*) FROM whk.attempt")" 27 "it is on record"
echo "$ok" >"$T/one"
sh -c "whk-send <'$T/one'; echo \$? >'$T/status'" 2>"$T/err" | :
is "$(cat "$T/status")" 1 "a closed pipe"
err_is "whk-send: stdout: Broken pipe" "is said"

# More than a pipe takes, read late: it ends when the last is written.
seq 1000 | sed 's/.*/{"type":"ok","id":"late-&","body":&}/' >"$T/lines"
exits 0 "a slow reader" sh -c "whk-send <'$T/lines' | { sleep 0.5; cat; }"
is "$(wc -l <"$T/out")" 1000 "gets all lines"

# While a delivery is counted, which waits here for a lock, its line has been
# read and the reader may be gone.
spawn locker psql -Xqc 'BEGIN; SELECT FROM whk.webhook FOR UPDATE;
	SELECT pg_sleep(600)'
locker=$pid
wait_for '[ -n "$(sql "SELECT 1 FROM pg_stat_activity
	WHERE wait_event = '\''PgSleep'\''")" ]'
mkfifo "$T/once"
spawn send sh -c "exec whk-send <'$T/one' >'$T/once'"
ok "a delivery is told before it is counted" timeout 20 \
	sh -c "head -n 1 <'$T/once' | grep -q delivered"
sleep 0.1
ok "which whk-send waits for" kill -0 "$send_pid"
sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
	WHERE wait_event = 'PgSleep'" >"$T/out"
reap "$locker"
reap "$send_pid"
status_is 0 "all is well without its reader"
is "$(cat "$T/send.err")" '' "and nothing said"
is "$(sql "SELECT delivered = (SELECT count(*) FROM whk.attempt)
	FROM whk.webhook")" t "and counted"

# --- options ------------------------------------------------------------------

start_recv_as bad --status 500
exits 0 "a webhook that fails" whk-add -e bad "${bad_url:?}"
exits 0 "a failure" send_one '{"type":"bad","body":1}'
is "$(jq -r '[.outcome, .status, has("next")] | @csv' "$T/out")" \
	'"retry",500,true' "is told"
exits 1 "-e: a failure" sh -c \
	"echo '{\"type\":\"bad\",\"body\":1}' | whk-send -e"
exits 0 "-e: a success" sh -c "echo '$ok' | whk-send -e"
sql 'DELETE FROM whk.pending'

before=$(sql 'SELECT count(*) FROM whk.event')
: >"$T/recv.out"
exits 0 "-n" sh -c "echo '$ok' | whk-send -n"
out_like "^POST $recv_url" "shows the request"
out_like '^webhook-signature: v1,' "its signature"
out_like '^\{"a":1\}$' "its body"
exits 1 "-n with a webhook that is none" sh -c \
	'echo "{\"to\":[1,77],\"body\":1}" | whk-send -n'
is "$(sql 'SELECT count(*) FROM whk.event') $(wc -l <"$T/recv.out")" \
	"$before 0" "sends and stores nothing"

start_recv_as slow --delay 200ms
exits 0 "a slow webhook" whk-add -e slow "${slow_url:?}"
seq 4 | sed 's/.*/{"type":"slow","body":&}/' >"$T/lines"
overlaps() { # attempts that began before another ended
	jq -s '[.[] | .at |= (sub("\\.[0-9]*Z$"; "Z") as $s |
		($s | fromdate * 1000) + (.[-4:-1] | tonumber))] |
		sort_by(.at) |
		[range(1; length) as $i |
		select(.[$i].at < .[$i - 1].at + .[$i - 1].ms - 5)] | length' \
		"$T/out"
}
exits 0 "-j 1" sh -c "whk-send -j 1 <'$T/lines'"
is "$(overlaps)" 0 "one at a time"
exits 0 "without it" sh -c "whk-send <'$T/lines'"
is "$(overlaps)" 3 "all at once"

lease_of() { sql "SELECT round(extract(epoch FROM next_at - accepted_at))
	FROM whk.pending JOIN whk.event ON event = id"; }
start_recv_as hang --status hang
exits 0 "a webhook that hangs" whk-add -e hang -t 60s "${hang_url:?}"
for args in '300:' '120:-l 2m' '90:WHK_LEASE=90'; do
	case $args in
	*WHK*) spawn send env "${args#*:}" sh -c "echo '{\"type\":\"hang\",
		\"body\":1}' | tr -d '\\n' | whk-send" ;;
	*) spawn send sh -c "echo '{\"type\":\"hang\",\"body\":1}' |
		whk-send ${args#*:}" ;;
	esac
	wait_for '[ -n "$(lease_of)" ]'
	is "$(lease_of)" "${args%%:*}" "a lease: ${args#*:}"
	stop_all "$send_pid" KILL
	sql 'DELETE FROM whk.pending'
done

# --- signals ------------------------------------------------------------------

# A whk-send that reads from descriptor 3, for as long as that is open.
start() { # ARGUMENTS OF WHK-SEND
	# a new one, as what was started since has inherited the last one
	exec 3>&-
	rm -f "$T/in"
	mkfifo "$T/in"
	spawn send sh -c "exec whk-send $* <'$T/in'"
	exec 3>"$T/in"
	wait_for "grep -q whk-send /proc/$send_pid/comm"
}
start
echo "$ok" >&3
wait_for '[ -s "$T/send.out" ]'
stop "$send_pid"
status_is 0 "SIGTERM while idle"
is "$(cat "$T/send.err")" '' "without a word"

: >"$T/recv.out"
start -j 2
seq 200 | sed 's/.*/{"type":"ok","id":"drain-&","body":&}/' >"$T/lines"
cat "$T/lines" >&3
wait_for '[ -s "$T/send.out" ]'
stop "$send_pid"
status_is 0 "SIGTERM with lines that were read"
is "$(wc -l <"$T/recv.out") $(wc -l <"$T/send.out")" "200 200" \
	"sends and tells them all"

start
kill -STOP "$send_pid"
echo '{"type":"slow","body":1}' >&3
printf '{"half' >&3
kill -CONT "$send_pid"
wait_for '[ -n "$(sql "SELECT event FROM whk.pending")" ]'
stop "$send_pid"
status_is 0 "SIGTERM with half a line, and an attempt in flight"
is "$(jq -r .outcome "$T/send.out")" delivered "which ends well"

# Whoever goes on writing does not keep it.
spawn writer sh -c "while :; do cat '$T/lines'; done >'$T/in'"
spawn send sh -c "exec whk-send <'$T/in'"
wait_for "grep -q 'stored already' '$T/send.err'"
stop "$send_pid"
status_is 0 "SIGTERM while lines keep coming"
crash "$writer_pid"

# stdout is full: it waits for its reader, or for a second signal.
mkfifo "$T/full"
fill() { # a whk-send that has more to write than its reader takes
	spawn sleeper sh -c "sleep 1000 <'$T/full'" # it reads nothing
	sleeper=$pid
	seq 1000 | sed "s/.*/{\"type\":\"ok\",\"id\":\"$1-&\",\"body\":&}/" \
		>"$T/lines"
	spawn send sh -c "exec whk-send <'$T/lines' >'$T/full'"
	wait_for "[ \"\$(sql \"SELECT count(*) FROM whk.attempt
		WHERE event LIKE '$1-%'\")\" = 1000 ]"
	kill -TERM "$send_pid"
}
fill full
spawn reader cat "$T/full"
wait_for '[ -s "$T/reader.out" ]'
stop_all "$sleeper"
reap "$send_pid"
status_is 0 "SIGTERM with a full pipe: it ends when all is read"
reap "$reader_pid"
is "$(wc -l <"$T/reader.out")" 1000 "all lines"
fill twice
wait_for "grep -q '^SigCgt:.*[012389ab]...$' /proc/$send_pid/status"
stop "$send_pid"
status_is 143 "SIGTERM twice kills"
stop_all "$sleeper"

start
kill -STOP "$send_pid"
seq 20 | sed 's/.*/{"type":"hang","body":&}/' >&3
kill -CONT "$send_pid"
wait_for '[ "$(sql "SELECT count(*) FROM whk.pending")" = 20 ]'
kill -TERM "$send_pid"
wait_for "grep -q '^SigCgt:.*[012389ab]...$' /proc/$send_pid/status"
stop "$send_pid" INT
status_is 130 "SIGTERM and then SIGINT kill, too"
sql 'DELETE FROM whk.pending'

# --- the database that goes ---------------------------------------------------

reap "$away_pid"
status_is 75 "a database that is not there, and input that ends"
is "$(wc -l <"$T/away.err")" 2 "says that it waits, and that it gives up"
reap "$away2_pid"
status_is 75 "the same with more lines than are taken in hand"
not_ok "while more may come it waits" ended "$away3_pid"
is "$(wc -l <"$T/away3.err")" 1 "and has said so once"
mkdir "$T/nowhere"
ln -s "$PGHOST"/.s* "$T/nowhere/"
wait_for '[ -s "$T/away3.out" ]'
like "$(cat "$T/away3.err")" 'there again$' "then it goes on"
stop "$away3_pid"
status_is 0 "and ends well"

# Stopped while attempts are in flight.
start_recv_as held -j --delay 700ms
exits 0 "a webhook" whk-add -e held -m 1 "${held_url:?}"
start
seq 2 | sed 's/.*/{"type":"held","body":&}/' >&3
wait_for '[ -s "$T/held.out" ]'
stop_postgres
kill -0 "$send_pid"
wait_for "grep -q 'waiting for it' '$T/send.err'"
sleep 1.5 # for the attempt to end, and for another one not to begin
is "$(wc -l <"$T/held.out")" 1 "no new attempt without the database"
is "$(cat "$T/send.out")" '' "nothing is told that is not on record"
restart_postgres
wait_for '[ "$(wc -l <"$T/send.out")" = 2 ]'
is "$(jq -r .outcome "$T/send.out")" 'delivered
delivered' "both are on record when it is back"
is "$(wc -l <"$T/held.out")" 2 "and were sent once"
like "$(cat "$T/send.err")" 'there again$' "it is said"
stop "$send_pid"
status_is 0 "and it ends well"

# Restarts and lost connections in the middle of a stream of events. Those
# whose accept() was not heard of are left to whk-due.
stream() { # NAME COMMAND...: runs the command again and again meanwhile
	stream=$1 count=0
	shift
	: >"$T/recv.out"
	json="{\"type\":\"ok\",\"id\":\"$stream-&\",\"body\":&}"
	seq 2000 | sed "s/.*/$json/" >"$T/lines"
	exec 3>&-
	rm -f "$T/in"
	mkfifo "$T/in"
	spawn writer sh -c "while read -r line; do printf '%s\n' \"\$line\"
		done <'$T/lines' >'$T/in'"
	spawn send sh -c "exec whk-send -j 20 <'$T/in'"
	until ended "$send_pid"; do
		"$@" >/dev/null 2>&1
		next=$((count + 200))
		wait_for "[ \$(wc -l <'$T/send.out') -ge $next ] ||
			ended $send_pid"
		count=$(wc -l <"$T/send.out")
	done
	reap "$send_pid"
	status_is 0 "$stream: it ends well"
	sql "UPDATE whk.pending SET next_at = now()" >/dev/null
	whk-due | whk-send >>"$T/send.out" 2>"$T/err"
	is "$(events | uniq | wc -l)" 2000 "$stream: all arrive"
	is "$(events | wc -l) $(wc -l <"$T/send.out")" "2000 2000" \
		"$stream: once, and are told once"
	is "$(sql "SELECT count(*) FROM whk.attempt
		WHERE event LIKE '$stream-%'")" 2000 "$stream: on record once"
	unlike "$(grep -v 'stored already' "$T/send.err")" \
		'not on record' "$stream: nothing is given up"
	ok "$stream: few words" [ "$(grep -vc 'stored already' \
		"$T/send.err")" -lt 60 ]
}
restart_fast() { stop_postgres INT; restart_postgres; }
restart_immediate() { stop_postgres QUIT; restart_postgres; }
lose_connections() {
	sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name = 'whk-send'"
}
stream fast restart_fast
stream immediate restart_immediate
stream connections lose_connections

# A call that the server cannot carry out now: it waits, and does not spin.
start
sql "CREATE FUNCTION whk.full() RETURNS trigger LANGUAGE plpgsql AS \$\$
	BEGIN RAISE disk_full; END \$\$;
	CREATE TRIGGER full_disk BEFORE INSERT ON whk.attempt
	EXECUTE FUNCTION whk.full()"
: >"$T/recv.out"
echo "$ok" >&3
wait_for '[ -s "$T/recv.out" ]'
connections() { grep -c 'connection authorized' "$T/pg.log"; }
sql "ALTER SYSTEM SET log_connections = on"
sql "SELECT pg_reload_conf()" >"$T/out"
wait_for '[ "$(connections)" -gt 1 ]' # the check's own is one
sleep 2
like "$(connections)" '^[2-9]$' "a full disk: a few tries in two seconds"
is "$(grep -c 'waiting for it' "$T/send.err")" 1 "it is said once"
sql "DROP TRIGGER full_disk ON whk.attempt"
wait_for '[ -s "$T/send.out" ]'
is "$(wc -l <"$T/recv.out")" 1 "then it is put on record, and not sent again"
like "$(cat "$T/send.err")" 'there again$' "it is over"
stop "$send_pid"
status_is 0 "and ends well"

# --- changes ------------------------------------------------------------------

start_recv_as old -j
start_recv_as new -j
id=$(whk-add -e change "${old_url:?}" 2>"$T/secret")
start
change() { echo '{"type":"change","body":1}' >&3; }
seen() { wc -l <"$T/$1.out"; }
change
wait_for '[ "$(seen old)" = 1 ]'
within_a_second() { # DESCRIPTION SQL CONDITION: the event after it obeys
	sql "$2" >/dev/null
	sleep 0.9
	change
	ok "$1" wait_for "$3"
}
within_a_second "a new URL is in force" \
	"UPDATE whk.webhook SET url = '${new_url:?}' WHERE id = $id" \
	'[ "$(seen new)" = 1 ]'
is "$(seen old)" 1 "and the old one no more"
sql "UPDATE whk.secret SET secret = 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX'
	WHERE webhook = $id"
sleep 0.9
change
wait_for '[ "$(seen new)" = 2 ]'
sign() { # of the last request, as Standard Webhooks has it
	tail -n 1 "$T/new.out" | jq -j '.headers["webhook-id"] + "." +
		.headers["webhook-timestamp"] + "." + .body' |
		openssl dgst -sha256 -mac HMAC -binary -macopt \
		hexkey:000102030405060708090a0b0c0d0e0f1011121314151617 |
		base64
}
is "$(tail -n 1 "$T/new.out" | jq -r '.headers["webhook-signature"]')" \
	"v1,$(sign)" "a new secret signs"
within_a_second "a pause is in force" "SELECT whk.pause(ARRAY[$id])" \
	'[ "$(sql "SELECT count(*) FROM whk.pending
		WHERE webhook = $id AND next_at IS NULL")" = 1 ]'
is "$(seen new)" 2 "nothing is sent"
sql "SELECT whk.remove($id, 1000)" >/dev/null
printf '{"type":"change","to":[%s],"body":1}\n' "$id" >&3
wait_for "grep -q 'no webhook $id' '$T/send.err'" &&
	pass "a webhook that is removed is none"
is "$(sql "SELECT outcome FROM whk.attempt WHERE webhook = $id
	ORDER BY at DESC LIMIT 1")" cancelled "what was parked is cancelled"
stop "$send_pid"

# --- a webhook that hangs -----------------------------------------------------

start_recv_as sleepy -j --status hang,hang,hang,hang,200
exits 0 "a webhook that hangs" whk-add -e sleepy -m 4 -t 5s "${sleepy_url:?}"
: >"$T/recv.out"
start
seq 60 | sed 's/.*/{"type":"sleepy","id":"sleepy-&","body":&}/' >&3
wait_for '[ "$(seen sleepy)" = 4 ]'
began=$(date +%s%N)
seq 500 | sed 's/.*/{"type":"ok","id":"other-&","body":&}/' >&3
wait_for '[ "$(wc -l <"$T/recv.out")" = 500 ]'
took=$((($(date +%s%N) - began) / 1000000))
ok "others are not held up ($took ms)" [ "$took" -lt 4000 ]
parked() { sql "SELECT count(*) FROM whk.pending WHERE next_at IS NULL"; }
wait_for '[ "$(parked)" = 56 ]'
is "$(parked)" 56 "lines over its cap are parked"
is "$(grep -c '"outcome":"deferred"' "$T/send.out")" 56 "and told as deferred"
is "$(sql "SELECT count(*) FROM whk.attempt WHERE event LIKE 'sleepy-%'")" 0 \
	"which costs no attempt"
spawn retries sh -c 'whk-due -f | whk-send'
WAIT=40
wait_for '[ "$(sql "SELECT count(*) FROM whk.attempt
	WHERE event LIKE '\''sleepy-%'\'' AND outcome = '\''delivered'\''")" \
	-ge 56 ]'
is "$(parked)" 0 "when it is well again the backlog drains"
is "$(sql "SELECT max(attempt) FROM whk.attempt WHERE event LIKE 'sleepy-%'
	AND outcome = 'delivered' AND attempt = 1")" 1 "as first attempts"
stop_all "$retries_pid"
status_is 0 "and the pipeline ends well"
stop "$send_pid"
status_is 0 "so does the other"

# --- the database's clock -----------------------------------------------------

# Set back by an hour while whk-send runs, which must not think that all leases
# have ended for an hour.
hello() { sql "CREATE OR REPLACE FUNCTION whk.hello()
	RETURNS TABLE (version int, now_ms bigint, encoding text)
	LANGUAGE sql VOLATILE AS 'SELECT m.version,
		whk.ms(clock_timestamp() + interval ''$1''),
		current_setting(''server_encoding'') FROM whk.meta m'"; }
hello '1 hour'
start
echo "$ok" >&3
wait_for "grep -q 'its lease ends' '$T/send.err'"
hello '0'
: >"$T/recv.out"
wait_for 'sleep 1; echo "$ok" >&3; [ -s "$T/recv.out" ]' &&
	pass "a clock that is set back is noticed"
stop "$send_pid"

done_testing
