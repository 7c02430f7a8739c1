#!/bin/sh
# SPDX-License-Identifier: ISC
# A database that programs of version 1 made, with all kinds of rows in it,
# brought to this version. tests/upgrade/version-1.sql.gz is its pg_dump:
# delivered, failing, pending and parked events, on days with a partition and
# without, and what two whk-prune left that were killed.
# shellcheck disable=SC2154 # start_recv and spawn set variables
. "$(dirname "$0")/lib.sh"

need gzip jq

start_postgres -e
start_mq
start_recv -j
gzip -dc "$TOP/tests/upgrade/version-1.sql.gz" >v1.sql
ok "a database of version 1" psql -Xq -v ON_ERROR_STOP=1 -f v1.sql
steps=$(find "$TOP/sql" -name '0*.sql' | wc -l)

# What is in it, in a line each.
content() {
	sql "SELECT e.tableoid::regclass, e.id, e.time, e.type, e.tenant,
			e.key, e.content_type, e.webhooks, e.accepted_at, e.body
		FROM whk.event e ORDER BY id"
	sql "SELECT * FROM whk.attempt ORDER BY event, webhook"
	sql "SELECT webhook, time, event, attempt, next_at, seq, key, behind
		FROM whk.pending ORDER BY seq"
	sql "SELECT * FROM whk.webhook ORDER BY id"
	sql "SELECT * FROM whk.secret ORDER BY 1, 2"
	sql "SELECT * FROM whk.total ORDER BY 1"
}
content >before
is "$(wc -l <before)" 50 "it has rows of all kinds"

# --- before ------------------------------------------------------------------

# refuses PROGRAM WORD...: says what to do, and touches nothing.
refuses() {
	run timeout 20 "$@"
	status_is 1 "version 1 and $1"
	err_is "$1: database: schema whk is of version 1, older than this \
program's $steps: run whk-init" "... which says what to do"
}
printf '{"event":"waits in the queue"}' | whk-emit -t order.paid >out
refuses whk-poll
refuses whk-poll -1
echo '{"body":1}' >line
run sh -c 'whk-send <line'
status_is 1 "version 1 and whk-send"
err_like "of version 1, older than this program's $steps: run whk-init\$" \
	"... which says what to do"
refuses whk-due
refuses whk-list
refuses whk-log
refuses whk-stat
refuses whk-prune
content >after
same before after "nothing has changed"

# A program of version 1 that is at work: a session with its statements.
mkfifo old.in
setpriv --pdeathsig KILL psql -XAtq -f old.in >old.out 2>&1 &
exec 5>old.in
old() {
	printf "%s; SELECT 'done %s';\n" "$1" "$2" >&5
	wait_for "tail -n 1 '$T/old.out' | grep -qx 'done $2'"
}
old "PREPARE accept(text[], timestamptz[], text[], text[], text[], text[],
	text[], text[], boolean[], bigint) AS
	SELECT n, fresh, \"to\", missing, lease_ms FROM whk.accept(\$1, \$2, \$3,
	\$4, \$5, \$6, \$7, \$8, \$9, \$10 * interval '1 ms') ORDER BY n" 1
accepts() {
	old "EXECUTE accept('{$1}', '{now}', '{user.new}', '{NULL}', '{NULL}',
		'{NULL}', '{body}', '{NULL}', '{f}', 1000)" "$2"
}
accepts first 2
like "$(cat old.out)" '^1\|t\|\{3\}\|\|' "a program of version 1 is at work"

# --- the upgrade -------------------------------------------------------------

spawn reader psql -Xqc "BEGIN; SELECT count(*) FROM whk.event;
	SELECT pg_sleep(600)"
# shellcheck disable=SC2317 # wait_for calls it
reads() {
	sql "SELECT 'yes' FROM pg_locks WHERE granted
		AND relation = 'whk.event'::regclass" | grep -q yes
}
wait_for reads
exits 75 "while somebody reads for long" whk-init
err_is "whk-init: 002-via.sql: database: canceling statement due to lock \
timeout" "... it gives up soon, not to stand in everybody's way"
is "$(sql "SELECT version FROM whk.meta")" 1 "... and nothing has changed"
crash "$reader_pid"
sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
	WHERE query ~ 'pg_sleep.600' AND pid <> pg_backend_pid()" >out

sql "DELETE FROM whk.pending WHERE event = 'first';
	DELETE FROM whk.event WHERE id = 'first'"
exits 0 "whk-init" whk-init
err_is "whk-init: schema whk: version $steps, upgraded from 1" "... says so"
content >after
same before after "what was there is there"
exits 0 "again" whk-init
err_is "whk-init: schema whk: version $steps is up to date" "... it is done"

PGDATABASE=postgres sql "CREATE DATABASE dry TEMPLATE template0"
PGDATABASE=dry psql -Xq -f v1.sql >out
PGDATABASE=dry whk-init -n >dry.sql
PGDATABASE=dry content >after
same before after "-n changes nothing"
exits 0 "what it prints, by psql" env PGDATABASE=dry \
	psql -Xq -v ON_ERROR_STOP=1 -f dry.sql
PGDATABASE=dry content >after
same before after "... keeps what is there"
exits 0 "whk-init after it" env PGDATABASE=dry whk-init
err_is "whk-init: schema whk: version $steps is up to date" \
	"... has no more to do"

# --- a program of version 1 that goes on -------------------------------------

accepts second 3
like "$(tail -n 2 old.out)" '^1\|t\|\{3\}\|\|' \
	"its statements are still carried out"
is "$(sql "SELECT via IS NULL FROM whk.event WHERE id = 'second'")" t \
	"... without a way by which the event came"
old "SELECT version FROM whk.hello()" 4
is "$(tail -n 2 old.out | head -n 1)" "$steps" "... and it is told"

# What it makes of that: as these do, when the next version comes.
spawn poll whk-poll
wait_for '[ "$(sqs GetQueueAttributes "{\"QueueUrl\":\"$WHK_QUEUE_URL\",
	\"AttributeNames\":[\"ApproximateNumberOfMessages\"]}" |
	jq -r .Attributes.ApproximateNumberOfMessages)" = 0 ]'
sql "UPDATE whk.meta SET version = version + 1;
	SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
	WHERE application_name = 'whk-poll'" >out
wait_for 'grep -q "use newer programs" poll.err'
like "$(cat poll.err)" "of version $((steps + 1)), newer than this program's \
$steps: use newer programs: waiting for it\$" "a running program says so"
printf '{"event":"later"}' | whk-emit -t order.paid >out
sql "UPDATE whk.meta SET version = version - 1"
wait_for 'grep -q "there again" poll.err'
stop "$poll_pid"
status_is 0 "... and waits"

# --- all of it at work -------------------------------------------------------

# via WORD: an event's line in its story.
via() { whk-log "$1" | sed -n 's/^via *//p'; }
is "$(via done1)" "not known: nobody noted it then" "an old event says no way"
is "$(whk-log -j done1 | jq -c '[.outcome, has("via")]')" \
	'["delivered",false]' "... nor do its attempts"

for id in 1 2 3; do
	whk-set --url "$recv_url/$id" $id 2>err
done
whk-set --resume 1 2 2>err
sql "UPDATE whk.pending SET next_at = now() WHERE next_at IS NOT NULL" >out
waiting() { sql "SELECT count(*) FROM whk.pending"; }
wait_for 'whk-due 2>>err | whk-send >>sent 2>>err; [ "$(waiting)" = 0 ]'
whk-poll -1 2>err | whk-send >>sent
is "$(jq -r 'select(.outcome == "delivered").event' sent | grep -v ^msg_ |
	sort | tr '\n' ' ')" \
	'emitted failing late parked1 parked2 parked2 second stray3 ' \
	"what was pending is delivered"

mkdir x
sql "SELECT whk.emit('{}', 'order.paid', id => 'bysql')" >out
echo '{"id":"byline","type":"order.paid","body":{}}' | whk-send >sent
echo '{"id":"late2","time":"2026-11-10T15:00:00Z","body":1}' | whk-send 2>err
is "$(cat err)" '' "one is added where a whk-prune was killed"
exits 0 "whk-prune" whk-prune -k 3650d -b 0 -x x
is "$(sql "SELECT count(*) FROM whk.event_default")" 0 \
	"the default partition is empty"
is "$(sql "SELECT string_agg(id, ' ' ORDER BY id) FROM whk.event_20261110")" \
	'late late2 stray1 stray2 stray3' "... rows are where their day is"
is "$(cat x/events-*.gz | gzip -dc | jq -r .id | grep -cx old)" 1 \
	"what a killed run held is exported"
is "$(sql "SELECT count(*) FROM pg_class WHERE relname ~
	'^event_.*(new|late|stage|rest)\$'")" 0 "... and nothing is left of it"
is "$(via bysql) $(via byline)" "sql (whk.emit) line (whk-send)" \
	"new events say by which way they came"

done_testing
