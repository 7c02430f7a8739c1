#!/bin/sh
# SPDX-License-Identifier: ISC
# The functions of the schema by themselves, with the clock given: each file
# of tests/sql in a database of its own; then what needs two sessions.
# shellcheck disable=SC2119 # start_postgres without an argument
. "$(dirname "$0")/lib.sh"

start_postgres

# In tests/sql a line is "ok WHAT", or "not ok WHAT" and why.
report() {
	while IFS= read -r line; do
		case $line in
		'ok '*) pass "$1: ${line#ok }" ;;
		'not ok '*) fail "$1: ${line#not ok }" ;;
		'# '*) diag "${line#\# }" ;;
		?*) fail "$1: a line that is no result: $line" ;;
		esac
	done
}

for file in "$TOP"/tests/sql/*.sql; do
	name=$(basename "$file" .sql)
	[ "$name" != lib ] || continue
	PGDATABASE=postgres sql "CREATE DATABASE $name TEMPLATE whk"
	PGDATABASE=$name run psql -Xq -f "$TOP/tests/sql/lib.sql" -f "$file"
	report "$name" <"$T/out"
	is "$status $(cat "$T/err")" '0 ' "$name runs to its end"
done

# --- two sessions ------------------------------------------------------------

# A session that stays and reads what is written to SESSION.in.
session() {
	mkfifo "$T/$1.in"
	setpriv --pdeathsig KILL psql -XAtq -f "$T/$1.in" >"$T/$1.out" 2>&1 &
}
PGDATABASE=postgres sql "CREATE DATABASE two TEMPLATE whk"
export PGDATABASE=two
psql -Xq -f "$TOP/tests/sql/lib.sql"
session a
exec 5>"$T/a.in"
session b
exec 6>"$T/b.in"

# Tells one of them something, and a word to say when that is done.
a() { printf "%s; SELECT 'done %s';\n" "$1" "$2" >&5; }
b() { printf "%s; SELECT 'done %s';\n" "$1" "$2" >&6; }
did() { wait_for "tail -n 1 '$T/$1.out' | grep -qx 'done $2'"; }
a_did() { a "$1" "$2" && did a "$2"; }
b_did() { b "$1" "$2" && did b "$2"; }
# shellcheck disable=SC2317 # wait_for calls it
waits() {
	sql "SELECT 'yes' FROM pg_stat_activity
		WHERE datname = 'two' AND wait_event_type = 'Lock'" |
		grep -q yes
}
answer() { tail -n 2 "$T/$1.out" | head -n 1; }

sql "SELECT t.hook()" >"$T/out"
sql "SELECT t.batch('{e1,e2,e3,e4,e5,e6}')" >"$T/out"

a_did "BEGIN; SELECT t.claim(4, 1000)" 1
is "$(answer a | wc -w)" 4 "a claim of four that is not committed"
b_did "SELECT t.claim(10, 1000)" 1
is "$(answer b | wc -w)" 2 "does not hold up another, which gets the other two"
a_did "ROLLBACK" 2
is "$(sql "SELECT t.claim(10, 1000)" | wc -w)" 4 \
	"taken back, they are due again"

a_did "BEGIN; SELECT t.accept('c1', chosen => true)" 3
is "$(answer a)" 'fresh {1}' "an id that is chosen, not committed"
b "SELECT t.accept('c1', 5, chosen => true)" 2
ok "the same one waits for it" wait_for waits
a_did "COMMIT" 4
did b 2
is "$(answer b)" known "and is known when it is committed"
a_did "BEGIN; SELECT t.accept('c2', chosen => true)" 5
b "SELECT t.accept('c2', 5, chosen => true)" 3
wait_for waits
a_did "ROLLBACK" 6
did b 3
is "$(answer b)" 'fresh {1}' "and fresh when it is taken back"
a_did "BEGIN; SELECT t.batch('{c3,c4}', now => 9)" 7
b "SELECT t.batch('{c4,c3,c5}', now => 9)" 4
wait_for waits
a_did "COMMIT" 8
did b 4
is "$(answer b)" 'known, known, fresh {1}' \
	"two batches that share some, in another order"

a_did "BEGIN; SELECT t.record(1, '{c1}', 200, now => 7, lease => t.at(300))" 9
b "SELECT t.record(1, '{c1}', 200, now => 8, began => 7,
	lease => t.at(300))" 5
ok "the same outcome in another session waits" wait_for waits
a_did "COMMIT" 10
did b 5
is "$(answer b)" delivered "and says the same"
is "$(sql "SELECT delivered FROM whk.webhook")" 1 "it is counted once"
is "$(sql "SELECT count(*) FROM whk.attempt")" 1 "and on record once"


# Two sessions that record what was delivered to the same webhook.
a_did "BEGIN; SELECT t.recorded(1, '{c2}', 200, now => 8)" 17
ok "a success does not wait for another's" \
	b_did "SELECT t.recorded(1, '{c3}', 204, now => 9)" 9
a_did "COMMIT" 18
a_did "BEGIN; SELECT t.record(1, '{c4}', 500, now => 9)" 19
ok "nor for a failure that is not committed" \
	b_did "SELECT t.recorded(1, '{c5}', 200, now => 10)" 10
a_did "ROLLBACK" 20
is "$(sql "SELECT delivered FROM whk.webhook")" 1 "they are not counted yet"
a_did "BEGIN; SELECT whk.count_up(t.at(11))" 21
b_did "SELECT whk.count_up(t.at(11))" 11
a_did "COMMIT" 22
is "$(sql "SELECT delivered, t.s(last_at), last_status FROM whk.webhook")" \
	'4|10|200' "they are counted once, by whoever comes first"
is "$(sql "SELECT count(*) FROM whk.uncounted")" 0 "nothing is left to count"

# The same outcome, late, so that it moves no row, from two sessions at once.
a_did "BEGIN; SELECT t.recorded(1, '{c1}', 200, now => 9, attempt => 7, lease => t.at(1))" 23
b "\\set VERBOSITY verbose
	SELECT t.recorded(1, '{c1}', 200, now => 9, attempt => 7, lease => t.at(1))" 12
ok "the second waits" wait_for waits
a_did "COMMIT" 24
did b 12
like "$(cat "$T/b.out")" 'ERROR:  40001: duplicate key' "and is to ask again"
b_did "SELECT t.recorded(1, '{c1}', 200, now => 9, attempt => 7, lease => t.at(1))" 13
is "$(answer b)" delivered "then it is on record"
is "$(sql "SELECT count(*) FROM whk.attempt WHERE attempt = 7")" 1 "once"
sql "SELECT whk.count_up()" >"$T/out"
is "$(sql "SELECT delivered FROM whk.webhook")" 5 "and counted once"

a_did "BEGIN; SELECT whk.partitions(0, t.at(8640000))" 11
is "$(answer a)" 2 "partitions that are being made"
b_did "SELECT whk.partitions(0, t.at(8640000))" 6
is "$(answer b)" 0 "hold up nobody else who would make them"
a_did "ROLLBACK" 12

a_did "BEGIN; SELECT whk.pause('{1}')" 13
b "SELECT t.accept('p1', 20)" 7
did b 7
is "$(answer b)" 'fresh {1}' "a pause that is not committed holds up nothing"
a_did "COMMIT" 14
is "$(sql "SELECT t.accept('p2', 21)")" 'fresh {}' "committed, it is in force"

# A webhook that is deleted while an event for it is accepted.
sql "SELECT t.hook()" >"$T/out"
a_did "BEGIN; DELETE FROM whk.webhook WHERE id = 2" 15
b_did "SELECT t.accept('d1', 30)" 8
is "$(answer b)" 'fresh {2}' "a deletion that is not committed either"
a_did "COMMIT" 16
is "$(sql "SELECT t.claim(10, 331)")" '' "what came for it is not sent"
is "$(sql "SELECT t.attempts(2)")" 'd1 cancelled' "but cancelled, on record"

done_testing
