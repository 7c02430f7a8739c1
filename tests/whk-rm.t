#!/bin/sh
# SPDX-License-Identifier: ISC
# whk-rm: webhooks go away, and what was pending for them is on record.
# shellcheck disable=SC2119 # start_postgres without an argument
. "$(dirname "$0")/lib.sh"

start_postgres

for n in 1 2 3 4 5; do
	whk-add "http://h/$n"
done >"$T/out" 2>"$T/err"

# --- the command line --------------------------------------------------------

exits 0 "-h" whk-rm -h
out_like '^usage: whk-rm ' "-h says how it is used"
exits 0 "--version" whk-rm --version
out_like '^whk-rm [0-9]+\.' "--version says which"
exits 2 "an unknown option" whk-rm --nope 1
exits 2 "no id" whk-rm
exits 2 "an id that is none" whk-rm 1 x
err_is "whk-rm: 'x' is no id of a webhook" "it is named"
exits 75 "no server" env PGHOST="$T/nowhere" whk-rm 1
err_like "^whk-rm: .*$T/nowhere" "it says where it looked"
exits 0 "-n" whk-rm -n 1 2
err_is 'whk-rm: 2 webhooks would be removed' "it says what would be"
exits 1 "-n of one that is not there" whk-rm -n 99

ids() {
	sql "SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '')
		FROM whk.webhook"
}
is "$(ids)" '1 2 3 4 5' "so far all are there"

# --- with what is pending ----------------------------------------------------

# Three events each; one webhook's are leased, one's parked, one is delivered.
for n in 1 2 3; do
	sql "SELECT whk.emit('{}', 'a', id => 'e$n')"
done >"$T/out"
sql "UPDATE whk.pending SET next_at = now() + interval '1 h' WHERE webhook = 2;
	UPDATE whk.pending SET next_at = NULL, leased = false WHERE webhook = 3;
	DELETE FROM whk.pending WHERE webhook = 2 AND event = 'e1';
	INSERT INTO whk.attempt (event, webhook, at, attempt, time, outcome)
		SELECT 'e1', 2, now(), 1, time, 'delivered' FROM whk.event
		WHERE id = 'e1'"
exits 0 "two" whk-rm 2 3
is "$(ids)" '1 4 5' "they are gone"
is "$(sql "SELECT webhook, outcome, count(*) FROM whk.attempt
	GROUP BY 1, 2 ORDER BY 1, 2" | paste -sd ' ')" \
	'2|delivered|1 2|cancelled|2 3|cancelled|3' \
	"what was pending is cancelled, on record; what was done stays"
is "$(sql "SELECT DISTINCT type FROM whk.attempt WHERE webhook = 3")" a \
	"with the event's type"
is "$(sql "SELECT count(*) FROM whk.pending WHERE webhook IN (2, 3)")" 0 \
	"nothing is pending"
is "$(sql "SELECT count(*) FROM whk.pending")" 9 "but for the others"
is "$(sql "SELECT count(*) FROM whk.secret WHERE webhook IN (2, 3)")" 0 \
	"their secrets are gone"
is "$(sql "SELECT count(*) FROM whk.route WHERE webhook IN (2, 3)")" 0 \
	"and their routes"

exits 1 "again, and another" whk-rm 2 4 3
err_is 'whk-rm: 2: no such webhook
whk-rm: 3: no such webhook' "those that are not there are named"
is "$(ids)" '1 5' "the other is gone"

# --- much, and killed in the middle ------------------------------------------

sql "INSERT INTO whk.pending (webhook, time, event)
	SELECT 5, now(), 'p' || n FROM generate_series(1, 5500) n"

# The third of its transactions waits for a lock that is held here.
sql "CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN IF (SELECT count(*) FROM whk.pending WHERE webhook = 5) < 3600
	THEN PERFORM pg_advisory_xact_lock(7); END IF; RETURN NULL; END';
	CREATE TRIGGER wait AFTER DELETE ON whk.pending
	FOR EACH STATEMENT EXECUTE FUNCTION public.wait()"
spawn holder psql -Xq -c 'SELECT pg_advisory_lock(7), pg_sleep(600)'
holder=$pid
# waits t|f: whether somebody has, or waits for, that lock.
# shellcheck disable=SC2317 # wait_for calls it
waits() {
	sql "SELECT 'yes' FROM pg_locks WHERE locktype = 'advisory'
		AND granted = '$1'" | grep -q yes
}
wait_for waits t
spawn rm whk-rm 5
wait_for waits f
crash "$pid"
crash "$holder"
sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
	WHERE pid <> pg_backend_pid() AND datname = 'whk'" >"$T/out" 2>&1
sql "DROP TRIGGER wait ON whk.pending"
is "$(ids)" '1 5' "killed in the middle, the webhook is there"
is "$(whk-list -j 5 | grep -o '"why":"removed"')" '"why":"removed"' \
	"and disabled"
ok "some is cancelled" test "$(sql "SELECT count(*) FROM whk.attempt
	WHERE webhook = 5 AND event LIKE 'p%'")" -gt 0
sql "SELECT whk.emit('{}', 'a', id => 'late')" >"$T/out"
is "$(sql "SELECT count(*) FROM whk.pending WHERE webhook = 5
	AND event = 'late'")" 0 "it gets no new events"
exits 0 "again" whk-rm 5
is "$(ids)" 1 "it is gone"
is "$(sql "SELECT count(*), count(DISTINCT event) FROM whk.attempt
	WHERE webhook = 5 AND outcome = 'cancelled'")" '5503|5503' \
	"each that was pending is cancelled, once"
is "$(sql "SELECT count(*) FROM whk.pending WHERE webhook = 5")" 0 \
	"nothing is pending"

# --- two at once -------------------------------------------------------------

whk-add http://h/6 >"$T/out" 2>"$T/err"
sql "INSERT INTO whk.pending (webhook, time, event)
	SELECT 6, now(), 'q' || n FROM generate_series(1, 4500) n"
spawn rm1 whk-rm 6
one=$pid
spawn rm2 whk-rm 6
two=$pid
reap "$one"
first=$status
reap "$two"
ok "one or both say that it is gone" test "$((first * status))" = 0
is "$(sql "SELECT count(*) FROM whk.attempt WHERE webhook = 6")" 4500 \
	"each that was pending is cancelled, once"
is "$(ids)" 1 "it is gone"

done_testing
