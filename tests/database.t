#!/bin/sh
# SPDX-License-Identifier: ISC
# What a database may do to the programs while events are sent: outcomes are
# kept and put on record in the end, each once; it is said when it begins and
# when it is over; nothing spins.
. "$(dirname "$0")/lib.sh"

start_postgres
start_recv -i
exits 0 "a webhook" whk-add "$recv_url"

# The programs are no superuser, for whom limits would not hold; but they may
# do what the owner may.
sql "CREATE ROLE app LOGIN; GRANT whk TO app;
GRANT ALL ON SCHEMA whk TO app; GRANT ALL ON ALL TABLES IN SCHEMA whk TO app;
GRANT ALL ON ALL SEQUENCES IN SCHEMA whk TO app"

# faulty STATE TIMES: as long as a row says so, attempts are refused.
sql "CREATE TABLE faults (state text, sleep float8 DEFAULT 0);
CREATE SEQUENCE refused;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER AS \$\$
DECLARE
	fault faults;
BEGIN
	SELECT * INTO fault FROM faults;
	IF FOUND THEN
		PERFORM nextval('refused'), pg_sleep(fault.sleep);
		IF fault.state IS NOT NULL THEN
			RAISE 'refused for a test'
				USING ERRCODE = fault.state;
		END IF;
	END IF;
	RETURN NEW;
END \$\$;
CREATE TRIGGER refuse BEFORE INSERT ON whk.attempt FOR EACH ROW
	EXECUTE FUNCTION refuse()"

not_ended() { ! ended "$1"; }
pending() { sql 'SELECT count(*) FROM whk.pending'; }
cpu() { # of a process, in hundredths of a second
	sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}

emitted=0
emit() {
	sql "SELECT whk.emit('{}', id => 'e' || i) FROM
		generate_series($emitted + 1, $emitted + $1) i" >/dev/null
	emitted=$((emitted + $1))
}

begin() {
	: >both.err
	PGUSER=app spawn both sh -c 'whk-due -f | whk-send'
	wait_for '[ "$(descendants "$both_pid" | wc -l)" = 2 ]'
	running=$(descendants "$both_pid")
}

kick() { # all connections of the programs are new
	sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE usename = 'app'" >/dev/null
}

words() { grep "^$program" both.err; }
last_is_over() { words | tail -n 1 | grep -q 'there again$'; }

# over WHAT: all goes on; each event was sent once, is on record once, and the
# programs have said what they should.
over() {
	wait_for '[ "$(pending)" = 0 ]'
	is "$(pending)" 0 "$1: all is done in the end"
	is "$(sql "SELECT count(*), count(DISTINCT event) FROM whk.attempt
		WHERE outcome = 'delivered'")" "$emitted|$emitted" \
		"... each attempt is on record, once"
	is "$(grep -ci '^webhook-id: ' recv.out)" "$emitted" \
		"... and was made once"
	for program in whk-due whk-send; do
		grep -q "^$program: .*waiting for it" both.err || continue
		wait_for "last_is_over"
		is "$(words | tail -n 1)" \
			"$program: the database is there again" \
			"... $program says when it is over"
		is "$(words | uniq -d)" '' "... and nothing twice in a row"
	done
	stop_all "$both_pid" TERM
	status_is 0 "... and it ends well"
	# (whk-send may be gone before the signal reaches whk-due)
	grep -v 'waiting for it$\|there again$\|stdout: Broken pipe$' \
		both.err >other
	is "$(cat other)" '' "... with nothing else to say"
}

# begins PROGRAM REGEX: it says what the trouble is.
begins() {
	wait_for "grep -Eq '^$1: database: .*($2).*: waiting for it' both.err"
	like "$(cat both.err)" "^$1: database: .*($2).*: waiting for it" \
		"... $1 says so"
}

# tries N: something was refused so often, at the least.
tries() { [ "$(sql "SELECT last_value FROM refused")" -ge "$1" ]; }

# --- errors that pass ------------------------------------------------------

refuse() { # SQLSTATE WHAT
	begin
	sql "ALTER SEQUENCE refused RESTART;
		INSERT INTO faults VALUES ('$1')"
	emit 50
	begins whk-send 'refused for a test'
	wait_for tries 4
	emit 50
	n=$(sql 'SELECT last_value FROM refused')
	ok "... it tries again, and waits longer each time ($n)" \
		test "$n" -lt 12
	sql "DELETE FROM faults"
	over "$2"
}

refuse 40001 "a serialization failure"
refuse 40P01 "a deadlock"
refuse 53100 "a full disk"
refuse 57014 "a statement timeout"
refuse 42883 "a function that a whk-init is about to make anew"

# --- a real timeout, and a real lock ---------------------------------------

sql "ALTER ROLE app SET statement_timeout = '300ms'"
begin
sql "INSERT INTO faults VALUES (NULL, 1)"
emit 5
begins whk-send 'statement timeout'
sql "DELETE FROM faults"
over "statements that take too long"
sql "ALTER ROLE app RESET statement_timeout"

begin
emit 1
wait_for '[ "$(pending)" = 0 ]'
spawn locker psql -XAtq -c "BEGIN;
	LOCK TABLE whk.attempt IN SHARE MODE; SELECT pg_sleep(3)"
wait_for '[ "$(sql "SELECT count(*) FROM pg_locks
	WHERE mode = '\''ShareLock'\'' AND granted")" -gt 0 ]'
emit 20
wait_for '[ $(grep -ci "^webhook-id: " recv.out) = $emitted ]'
ok "... they are sent while the lock is held" not_ended "$locker_pid"
over "a lock held for seconds"

# --- connections -----------------------------------------------------------

begin
emit 10
wait_for '[ "$(pending)" = 0 ]'
sql "ALTER ROLE app CONNECTION LIMIT 0"
kick
begins whk-send 'too many connections'
begins whk-due 'too many connections'
emit 10
sql "ALTER ROLE app CONNECTION LIMIT -1"
over "too many connections"

begin
emit 10
wait_for '[ "$(pending)" = 0 ]'
sql "ALTER ROLE app SET default_transaction_read_only = on"
kick
emit 10
begins whk-due 'read-only'
sql "ALTER ROLE app RESET default_transaction_read_only"
over "a database that is read-only"

# While the answer is on its way, so that whk-send has an outcome to keep.
sql "UPDATE whk.webhook SET url = '$recv_url?delay=1s'"
begin
emit 5
wait_for '[ $(grep -ci "^webhook-id: " recv.out) = $emitted ]'
sql "ALTER ROLE app SET default_transaction_read_only = on"
kick
begins whk-send 'read-only'
sql "ALTER ROLE app RESET default_transaction_read_only"
over "read-only while requests are under way"
sql "UPDATE whk.webhook SET url = '$recv_url'"

# --- nothing spins ---------------------------------------------------------

begin
emit 1
wait_for '[ "$(pending)" = 0 ]'
before=0
for running_pid in $running; do
	before=$((before + $(cpu "$running_pid")))
done
stop_postgres INT
wait_for '[ "$(grep -c "waiting for it" both.err)" -ge 2 ]'
sleep 3 # what is measured
after=0
for running_pid in $running; do
	after=$((after + $(cpu "$running_pid")))
done
ok "away for three seconds: the programs take none of a processor" \
	test $((after - before)) -le 20
restart_postgres
over "a database that was away"

# --- what is reported twice ------------------------------------------------

exits 0 "a webhook that fails" whk-add -e twice "$recv_url?status=500"
sql "SELECT count(*) FROM whk.accept(ARRAY['t1', 't2', 't3', 't4'],
	array_fill(now(), '{4}'), array_fill('twice'::text, '{4}'),
	array_fill(NULL::text, '{4}'), array_fill('k'::text, '{4}'),
	array_fill(NULL::text, '{4}'), array_fill('{}'::text, '{4}'),
	array_fill('{2}'::text, '{4}'), array_fill(true, '{4}'), '1 hour')" \
	>/dev/null
sql "CREATE TABLE lease AS SELECT next_at, time FROM whk.pending LIMIT 1"
report() {
	sql "SELECT r.* FROM lease, whk.record(ARRAY['t1', 't2', 't3', 't1'],
		array_fill(time::timestamptz, '{4}'),
		array_fill('twice'::text, '{4}'), array_fill('k'::text, '{4}'),
		ARRAY[2, 2, 2, 2], ARRAY[1, 1, 1, 1],
		array_fill(next_at::timestamptz, '{4}'),
		array_fill(time::timestamptz, '{4}'),
		ARRAY[200, 500, NULL, 200], ARRAY[NULL, NULL, 'timeout', NULL],
		array_fill(NULL::bigint, '{4}'), array_fill(1, '{4}'),
		array_fill(1, '{4}'), array_fill(1, '{4}'),
		array_fill(1, '{4}'), array_fill(1, '{4}'),
		array_fill(NULL::text, '{4}'), array_fill(NULL::text, '{4}'),
		array_fill(NULL::bytea, '{4}')) r"
}
all() { # but the rates, which fade as they are looked at
	sql "SELECT to_jsonb(w) - ARRAY['rated_at', 'good_1', 'good_5',
		'good_60', 'bad_1', 'bad_5', 'bad_60'] FROM whk.webhook w
		ORDER BY id"
	for table in event pending attempt; do
		sql "SELECT t.* FROM whk.$table t ORDER BY t"
	done
}
report >first
all >state
report >second
all >state2
same first second "the same outcomes reported again have the same answers"
is "$(wc -l <first)" 4 "... one for each"
same state state2 "... and change nothing"
is "$(sql "SELECT delivered, retried, failures FROM whk.webhook
	WHERE id = 2")" "1|2|2" "... they count once"
is "$(sql "SELECT count(*) FROM whk.attempt WHERE webhook = 2")" 3 \
	"... they are on record once"
is "$(sql "SELECT event, attempt FROM whk.pending ORDER BY 1" | tr '\n' ' ')" \
	"t2|2 t3|2 t4|1 " "... the schedule moves once"

done_testing
