#!/bin/sh
# SPDX-License-Identifier: ISC
# whk-init: the schema made, kept, and brought from any version to this one.
. "$(dirname "$0")/lib.sh"

start_postgres -e

# --- the command line --------------------------------------------------------

exits 0 "-h" whk-init -h
out_like '^usage: whk-init ' "-h says how it is used"
exits 0 "--version" whk-init --version
out_like '^whk-init [0-9]+\.' "--version says which"
exits 2 "an unknown option" whk-init --nope
err_like '^whk-init: unknown option' "an unknown option is named"
exits 2 "an operand" whk-init now
exits 1 "-h to a full disk" sh -c 'whk-init -h >/dev/full'

# --- without a database ------------------------------------------------------

exits 75 "no server" env PGHOST="$T/nowhere" whk-init
err_like "^whk-init: .*$T/nowhere" "it says where it looked"
exits 1 "no such database" env PGDATABASE=nope whk-init
err_like '^whk-init: .*"nope" does not exist' "it says so"

# --- a new schema ------------------------------------------------------------

exits 1 "a program before whk-init" whk-list
err_like 'run whk-init' "it says what to do"

exits 0 "-n" whk-init -n
out_like 'CREATE TABLE whk.webhook' "-n prints the SQL"
cp "$T/out" "$T/dry.sql"
is "$(sql "SELECT to_regnamespace('whk') IS NULL")" t "-n changes nothing"
exits 1 "-n to a full disk" sh -c 'whk-init -n >/dev/full'
err_like '^whk-init: stdout: ' "it says so"
run sh -c 'whk-init -n | head -n 1'
out_is 'BEGIN;' "-n into a pipe that is closed"

# All but one of many at once find it done.
for i in 1 2 3 4; do
	spawn "init$i" whk-init
done
# shellcheck disable=SC2154 # set by spawn
for p in "$init1_pid" "$init2_pid" "$init3_pid" "$init4_pid"; do
	reap "$p"
	status_is 0 "one of four at once"
done
is "$(cat "$T"/init?.err | grep -c ': version [0-9]*, created$')" 1 \
	"one of four made it"
is "$(cat "$T"/init?.err | grep -c 'is up to date$')" 3 "three found it"

steps=$(find "$TOP/sql" -name '0*.sql' | wc -l)
is "$(sql "SELECT version FROM whk.meta")" "$steps" \
	"the version is written down"
is "$(sql "SELECT count(*) FROM pg_inherits
	WHERE inhparent = 'whk.event'::regclass")" 5 \
	"there are partitions: today, three days, and the default"

# --- again -------------------------------------------------------------------

accept() { sql "SELECT to_regproc('whk.accept')::oid"; }

sql "SELECT FROM whk.add('[{\"url\":\"http://h/\",\"secret\":\"s\"}]')"
before=$(accept)
exits 0 "again" whk-init
err_is "whk-init: schema whk: version $steps is up to date" "it says so"
is "$(accept)" "$before" "the functions are as they were"
is "$(sql "SELECT url FROM whk.webhook")" http://h/ "and so is what is there"
exits 0 "-n again" whk-init -n
out_like 'whk\.upkeep' "-n prints the upkeep"
unlike "$(cat "$T/out")" 'CREATE' "and nothing else"

sql "DROP TABLE whk.event_$(date -u +%Y%m%d)"
whk-init 2>"$T/err"
is "$(sql "SELECT to_regclass('whk.event_$(date -u +%Y%m%d)') IS NULL")" f \
	"a partition that is missing is made"

# --- other functions ---------------------------------------------------------

# One that gives something else, one of the name with other arguments, and
# those of an extension, which come to lie here where the user is named whk.
sql "CREATE EXTENSION pgcrypto SCHEMA whk;
	DROP FUNCTION whk.hello();
	CREATE FUNCTION whk.hello() RETURNS text LANGUAGE sql AS 'SELECT ''x''';
	CREATE FUNCTION whk.upkeep() RETURNS int LANGUAGE sql AS 'SELECT 1';
	UPDATE whk.meta SET functions = 'others'"
exits 0 "functions of another program" whk-init
err_is "whk-init: schema whk: version $steps, functions renewed" "it says so"
is "$(sql "SELECT version FROM whk.hello()")" "$steps" "they are ours again"
is "$(sql "SELECT count(*) FROM pg_proc WHERE proname = 'upkeep'")" 1 \
	"none is left over"
is "$(sql "SELECT whk.digest('', 'md5') IS NOT NULL")" t \
	"the extension is whole"
sql "DROP EXTENSION pgcrypto"
sql "SELECT FROM whk.add('[{\"url\":\"http://h/2\",\"secret\":\"s\"}]')"
is "$(sql "SELECT count(*) FROM whk.route")" 2 "the triggers are at work"

sql "CREATE VIEW public.mine AS SELECT whk.ms(now());
	UPDATE whk.meta SET functions = 'others'"
before=$(accept)
exits 1 "a view of one's own that needs one" whk-init
err_like '^whk-init: 100-anew.sql: .*view mine depends' "it is named"
is "$(accept)" "$before" "nothing has changed"
sql "DROP VIEW public.mine"

# --- killed in the middle ----------------------------------------------------

before=$(accept)
spawn holder psql -Xq -c 'BEGIN; LOCK TABLE whk.secret; SELECT pg_sleep(600)'
holder=$pid
# locked t|f: whether somebody has, or waits for, a lock on the table.
# shellcheck disable=SC2317 # wait_for calls it
locked() {
	sql "SELECT 'yes' FROM pg_locks WHERE granted = '$1'
		AND relation = 'whk.secret'::regclass" | grep -q yes
}
wait_for locked t
spawn init whk-init
wait_for locked f
crash "$pid"
crash "$holder"
sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
	WHERE pid <> pg_backend_pid() AND datname = 'whk'" >"$T/out" 2>&1
is "$(accept)" "$before" "killed in the middle, nothing has changed"
exits 0 "and again" whk-init
err_like 'functions renewed' "it does all of it"

# --- from each version to this one -------------------------------------------

schema_of() {
	"$pg_bin/pg_dump" -d "$1" -n whk -s | grep -v '^\\\|^SET '
}

PGDATABASE=postgres sql "CREATE DATABASE fresh TEMPLATE template0"
PGDATABASE=fresh whk-init 2>"$T/err"
schema_of fresh >"$T/fresh"
ok "a schema has been dumped" grep -q 'CREATE TABLE whk.webhook' "$T/fresh"

PGDATABASE=postgres sql "CREATE DATABASE dry TEMPLATE template0"
exits 0 "what -n printed can be run" \
	env PGDATABASE=dry psql -Xq -v ON_ERROR_STOP=1 -f "$T/dry.sql"
schema_of dry >"$T/dumped"
same "$T/fresh" "$T/dumped" "and makes the same schema"
exits 0 "whk-init after it" env PGDATABASE=dry whk-init
err_like 'is up to date' "finds nothing to do"

for version in $(seq "$steps"); do
	PGDATABASE=postgres sql "CREATE DATABASE v$version TEMPLATE template0"
	find "$TOP/sql" -name '0*.sql' | sort | head -n "$version" |
		while read -r file; do
			PGDATABASE=v$version psql -Xq -f "$file"
		done
	PGDATABASE=v$version sql "INSERT INTO whk.meta (version)
		VALUES ($version)"
	exits 0 "from version $version" env PGDATABASE="v$version" whk-init
	schema_of "v$version" >"$T/dumped"
	same "$T/fresh" "$T/dumped" "from version $version: as if made anew"
done

# --- what it refuses ---------------------------------------------------------

sql "UPDATE whk.meta SET version = version + 1"
exits 1 "a newer schema" whk-init
err_like "version $((steps + 1)), newer than this program's $steps" "it says so"
exits 1 "a newer schema, another program" whk-list
err_like "newer than this program's" "it says so too"
sql "UPDATE whk.meta SET version = 0"
exits 1 "an older schema, another program" whk-list
err_like "older than this program's.*run whk-init" "it says what to do"
sql "DELETE FROM whk.meta"
exits 1 "a schema of no version" whk-init
err_like 'says no version' "it says so"

PGDATABASE=postgres sql "CREATE DATABASE latin TEMPLATE template0
	ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C'"
exits 1 "another encoding" env PGDATABASE=latin whk-init
err_like 'encoding is LATIN1, not UTF8' "it is named"

sql "CREATE ROLE someone LOGIN"
PGDATABASE=postgres sql "CREATE DATABASE locked TEMPLATE template0"
exits 1 "no privilege" env PGDATABASE=locked PGUSER=someone whk-init
err_like '^whk-init: 001-tables.sql: .*permission denied' "it is named"

# --- where the database is ---------------------------------------------------

PGDATABASE=postgres sql "CREATE DATABASE other TEMPLATE template0"
exits 0 "WHK_DATABASE_URL" env PGDATABASE=nope \
	WHK_DATABASE_URL="dbname=other" whk-init
is "$(PGDATABASE=other sql "SELECT count(*) FROM whk.meta")" 1 "went there"

done_testing
