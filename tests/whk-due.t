#!/bin/sh
# SPDX-License-Identifier: ISC
. "$(dirname "$0")/lib.sh"

need jq
exits 0 "-h" whk-due -h
out_like '^usage: whk-due' "says the usage"
exits 0 "--version" whk-due --version
out_like '^whk-due [0-9]' "says the version"
exits 2 "a bad option" whk-due --no-such
exits 2 "an operand" whk-due file
exits 2 "-1 and -f" whk-due -1 -f
exits 2 "a lease that is none" whk-due -l 0

start_postgres -e
exits 1 "no schema" whk-due
err_like 'run whk-init$' "says what to do"
whk-init >"$T/out" 2>"$T/err"
exits 75 "no database" env PGHOST="$T/nowhere" whk-due
exits 0 "nothing is due" whk-due
out_is '' "prints nothing"

start_recv -j
id=$(whk-add -e 'x' -m 10000 "${recv_url:?}" 2>"$T/err")
emit() { # NAME COUNT: due at once
	sql "SELECT count(whk.emit('{}', '${3:-x}', id => '$1-' || n))
		FROM generate_series(1, $2) AS n" >"$T/emitted"
} # a third argument is the type: for whom
pending() { sql "SELECT count(*) FROM whk.pending WHERE ${1:-true}"; }
lines() { wc -l <"$T/${1:-due}.out"; }

emit one 1
exits 0 "one is due" whk-due -v
is "$(jq -c '[.id, .body, .attempt, .to]' "$T/out")" \
	"[\"one-1\",\"{}\",1,[$id]]" "is printed"
is "$(jq -r '(.lease[:19] + "Z" | fromdate) - (now | floor) |
	if . > 290 and . < 301 then "good" else . end' "$T/out")" good \
	"with a lease of five minutes"
err_is 'whk-due: event one-1, webhook 1: attempt 1 is due
whk-due: 1 printed' "-v says each, and counts"
exits 0 "once more" whk-due
out_is '' "it is leased"
sql "DELETE FROM whk.pending"
for args in '90:-l 90' '120:WHK_LEASE=2m'; do
	emit "lease${args%%:*}" 1
	case $args in
	*WHK*) run env "${args#*:}" whk-due ;;
	*) run whk-due -l 90 ;;
	esac
	is "$(sql "SELECT round(extract(epoch FROM next_at - now()) / 10) * 10
		FROM whk.pending")" "${args%%:*}" "${args#*:}"
	sql "DELETE FROM whk.pending"
done
emit full 3
exits 1 "/dev/full" sh -c 'whk-due >/dev/full'
err_is "whk-due: stdout: No space left on device" "is said"
is "$(pending "next_at > now() + interval '4 min'")" 3 "they come again"
sql "DELETE FROM whk.pending"

# All of it, and large bodies in small claims.
emit many 3000
exits 0 "3000 are due" whk-due
is "$(wc -l <"$T/out")" 3000 "all are printed"
is "$(jq -r .id "$T/out" | sort -u | wc -l)" 3000 "once"
sql "DELETE FROM whk.pending;
	SELECT count(whk.emit(repeat('x', 500000), 'x', id => 'large-' || n))
	FROM generate_series(1, 100) AS n" >"$T/out"
spawn due sh -c 'whk-due -v | wc -l'
memory=0
until ended "$due_pid"; do
	for pid in $(descendants "$due_pid"); do
		now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' \
			"/proc/$pid/status" 2>/dev/null)
		[ "${now:-0}" -le "$memory" ] || memory=$now
	done
done
is "$(cat "$T/due.out")" 100 "100 large ones"
[ -n "${WHK_TEST_SLOW:-}" ] ||
	ok "in little memory ($memory KiB)" [ "$memory" -lt 100000 ]
sql "DELETE FROM whk.pending"

# --- waiting ------------------------------------------------------------------

statements() { sql "SELECT xact_commit FROM pg_stat_database
	WHERE datname = 'whk'"; }
ticks() { cut -d' ' -f14,15 "/proc/$1/stat" | tr ' ' + | xargs -I{} sh -c \
	'echo $(({}))'; }
spawn due whk-due -f
wait_for '[ -n "$(sql "SELECT 1 FROM pg_stat_activity
	WHERE application_name = '\''whk-due'\'' AND state = '\''idle'\''
	AND query LIKE '\''%next_due%'\''")" ]'
sql "SELECT pg_stat_force_next_flush()" >"$T/out"
before=$(statements)
sleep 2
sql "SELECT pg_stat_force_next_flush()" >"$T/out"
ok "with nothing to do it asks nothing" [ $(($(statements) - before)) -lt 8 ]
ok "and takes no time" [ "$(ticks "$due_pid")" -lt 10 ]
emit wake 1
wait_for '[ "$(lines)" = 1 ]' && pass "it wakes when something is due"

# Deliveries that a killed whk-send left uncounted.
sql "INSERT INTO whk.uncounted VALUES (1, 3, now(), 204), (99, 1, now(), 200)"
before=$(sql "SELECT delivered FROM whk.webhook WHERE id = 1")
whk-due >"$T/out"
is "$(sql "SELECT delivered - $before, last_status FROM whk.webhook
	WHERE id = 1")" '3|204' "deliveries that nobody counted are counted"
is "$(sql "SELECT count(*) FROM whk.uncounted")" 0 "and so no more"

# Due at a time: then, and not before.
sql "UPDATE whk.pending SET next_at = now() + interval '1500 ms';
	SELECT whk.wake(min(next_at)) FROM whk.pending" >"$T/out"
sleep 1
is "$(lines)" 1 "what is due later is printed later"
wait_for '[ "$(lines)" = 2 ]' && pass "when it is due"
sql "DELETE FROM whk.pending"

# A row that somebody else has locked is not asked for in a loop.
emit locked 1
wait_for '[ "$(lines)" = 3 ]'
stop "$due_pid"
status_is 0 "SIGTERM while it sleeps"
sql "UPDATE whk.pending SET next_at = now()"
spawn locker psql -Xqc "BEGIN; SELECT FROM whk.pending FOR UPDATE;
	SELECT pg_sleep(3)"
wait_for '[ -n "$(sql "SELECT 1 FROM pg_stat_activity
	WHERE wait_event = '\''PgSleep'\''")" ]'
spawn due whk-due -f
emit free 1
wait_for '[ "$(lines)" = 1 ]'
is "$(jq -r .id "$T/due.out")" free-1 "a locked row holds up no other"
wait_for '[ "$(lines)" = 2 ]' && pass "it comes when it is free"
ok "and was no reason to spin" [ "$(ticks "$due_pid")" -lt 20 ]
is "$(cat "$T/due.err")" '' "without a word"
sql "DELETE FROM whk.pending"

# --- the database that goes ---------------------------------------------------

for signal in INT QUIT; do
	stop_postgres $signal
	wait_for "[ \$(grep -c 'waiting for it' '$T/due.err') -gt 0 ]"
	restart_postgres
	emit "after$signal" 1
	wait_for "grep -q 'after$signal' '$T/due.out'" &&
		pass "PostgreSQL ended by SIG$signal, and started again"
	like "$(tail -n 1 "$T/due.err")" 'there again$' "it is said"
done
stop_postgres
wait_for "[ \$(tail -n 1 '$T/due.err' | grep -c 'waiting') = 1 ]"
stop "$due_pid"
status_is 0 "SIGTERM while the database is away"
mkdir "$T/later"
spawn due env PGHOST="$T/later" whk-due -f
wait_for "grep -q 'waiting for it' '$T/due.err'"
restart_postgres
sql "UPDATE whk.pending SET next_at = now()"
ln -s "$PGHOST"/.s* "$T/later/"
wait_for '[ "$(lines)" = 2 ]' && pass "at its start, too"
stop "$due_pid"
status_is 0 "and it ends well"
sql "DELETE FROM whk.pending"

# --- pipes --------------------------------------------------------------------

mkfifo "$T/full"
fill() {
	spawn sleeper sh -c "sleep 1000 <'$T/full'" # it reads nothing
	emit "$1" 20000
	spawn due sh -c "exec whk-due -f >'$T/full'"
	wait_for '[ "$(pending "next_at > now() + interval '\''4 min'\''")" \
		-gt 5000 ]'
}
fill full
sleep 0.5
ok "a full pipe: the rest stays due" [ "$(pending "next_at < now()")" -gt 5000 ]
kill -TERM "$due_pid"
spawn reader cat "$T/full"
reap "$due_pid"
status_is 0 "SIGTERM with a full pipe: it ends when all is read"
reap "$reader_pid"
is "$(lines reader)" "$(pending "next_at > now()")" "what it claimed"
stop_all "$sleeper_pid"
sql "DELETE FROM whk.pending"
fill twice
kill -TERM "$due_pid"
wait_for "grep -q '^SigCgt:.*[012389ab]...$' /proc/$due_pid/status"
stop "$due_pid"
status_is 143 "SIGTERM twice kills"
stop_all "$sleeper_pid"
sql "DELETE FROM whk.pending"
spawn due sh -c 'whk-due -f | sleep 0.2'
reap "$due_pid"
pass "a reader that goes ends it"

# --- two at once, killed ones -------------------------------------------------

emit both 4000
spawn due1 whk-due -f
spawn due2 whk-due -f
wait_for '[ "$(cat "$T/due1.out" "$T/due2.out" | wc -l)" = 4000 ]'
is "$(jq -r .id "$T/due1.out" "$T/due2.out" | sort -u | wc -l)" 4000 \
	"two at once never print the same"
crash "$due1_pid"
crash "$due2_pid"
sql "DELETE FROM whk.pending"
emit killed 500
spawn sleeper sh -c "sleep 1000 <'$T/full'"
spawn due sh -c "exec whk-due -l 1 >'$T/full'"
wait_for '[ "$(pending "next_at > now()")" = 500 ]'
crash "$due_pid"
stop_all "$sleeper_pid"
: >"$T/out"
wait_for 'whk-due >>"$T/out"; [ "$(wc -l <"$T/out")" = 500 ]'
is "$(jq -r .id "$T/out" | sort -u | wc -l)" 500 \
	"what a killed one had claimed comes again"
sql "DELETE FROM whk.pending"

# --- a backlog ----------------------------------------------------------------

id=$(whk-add -e 'backlog' "${recv_url:?}" 2>"$T/err")
sql "SELECT whk.pause(ARRAY[$id])" >"$T/out"
: >"$T/recv.out"
emit backlog 500 backlog
whk-due >"$T/out"
is "$(wc -l <"$T/out") $(pending 'next_at IS NULL')" "0 500" \
	"what is for a paused webhook is parked"
sql "SELECT whk.resume(ARRAY[$id])" >"$T/out"
exits 0 "when it is resumed, one run" sh -c 'whk-due | whk-send'
is "$(wc -l <"$T/recv.out") $(pending)" "500 0" "sends all"

# Retries, while it would sleep for longer.
start_recv_as flaky -j --status 500,200
exits 0 "a webhook that fails once" \
	whk-add -e flaky --schedule 1s "${flaky_url:?}"
spawn retries sh -c 'whk-due -f | whk-send'
sleep 0.3
echo '{"type":"flaky","to":[3],"body":1}' | whk-send >"$T/out"
is "$(jq -r .outcome "$T/out")" retry "an attempt fails"
wait_for '[ "$(lines flaky)" = 2 ]'
is "$(sql "SELECT count(*) FROM whk.attempt WHERE webhook = 3
	AND (attempt = 1) = (outcome = 'retry')
	AND at > (SELECT min(at) FROM whk.attempt WHERE webhook = 3)
		+ interval '0.9 s' * (attempt - 1)")" 1 \
	"and is made again after a second"
stop_all "$retries_pid"
status_is 0 "and the pipeline ends well"
# Where nobody sends what is printed, it does not wait for the rest for ever.
emit share 200 backlog
spawn due whk-due
WAIT=40
reap "$due_pid"
status_is 0 "it ends"
ok "having printed a share ($(lines))" [ "$(lines)" -ge 66 ]

done_testing
