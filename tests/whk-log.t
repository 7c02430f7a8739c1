#!/bin/sh
# SPDX-License-Identifier: ISC
# whk-log: what it lists and follows, an event's story, why, and as curl.
# shellcheck disable=SC2154 # start_recv and spawn set variables
. "$(dirname "$0")/lib.sh"

need curl jq openssl script

start_postgres

# --- the command line --------------------------------------------------------

exits 0 "-h" whk-log -h
out_like '^usage: whk-log .*EVENT' "-h says how it is used"
is "$(grep -c 'default -1' out)" 0 "... without a default that is none"
exits 1 "-h to a full disk" sh -c 'whk-log -h >/dev/full'
exits 0 "--version" whk-log --version
out_like '^whk-log [0-9]+\.' "--version says which"
exits 0 "--completion" whk-log --completion bash
out_like 'as-sent' "--completion knows the options"

refuses() {
	what=$1
	shift
	run whk-log "$@"
	status_is 2 "refused: $*"
	err_like "^whk-log: $what" "... and says so"
}
refuses "unknown option '--nope'" --nope
refuses "--number: '-1' is not from 0" -n -1
refuses "--webhook: 'x' is not a number" -w x
refuses "--outcome: 'good' is none of delivered, retry, failed" -o good
for bad in 5x 6xx 000 5031 teapot; do
	refuses "--status: '$bad' is neither a status .* nor an error" \
		--status $bad
done
for bad in 10:00 2026-13-01 90 tomorrow; do
	refuses "--since: '$bad' is no time, such as 2h" -s $bad
done
refuses "--until: '' is no time" -u ''
refuses "--until: 'a.033\[1m' is no time" -u "$(printf 'a\033[1m')"
refuses "--event: 'a b' is no id" -e 'a b'
refuses "--type: '' is empty" -t ''
refuses "--tenant: .* is not UTF-8" -T "$(printf '\377')"
refuses "--color: 'blue' is none of" --color blue
refuses "--why, --curl and --raw exclude" --raw --curl a 1
refuses "--as-sent goes with --curl" --as-sent
refuses "--curl: an operand is missing" --curl a
refuses "--curl and --raw go with no option" --curl -j a 1
refuses "webhook 'x': invalid" --curl a x
refuses "attempt '0': too small" --curl a 1 0
refuses "--raw: an operand is missing" --raw
refuses "one event at a time" a b
refuses "--event and an operand" -e a b
refuses "--why: an operand too many" --why 1 a b
refuses "--why: a stored event has its type" --why 1 -t x a
refuses "--why: an event has one type" --why 1 -t x -t y
refuses "--why goes with --type and --tenant only" --why 1 -j a

PGHOST="$T/none" run whk-log
status_is 75 "no database"
err_like '^whk-log: database: ' "it says so"
PGHOST="$T/none" run whk-log -f
status_is 75 "no database to follow"

exits 0 "nothing on record" whk-log
out_is 'TIME  EVENT  TYPE  WEBHOOK  TRY  OUTCOME  STATUS  MS' \
	"is an empty table"
exits 0 "nothing on record, lines" whk-log -j
out_is '' "is nothing"
exits 1 "no such event" whk-log msg_1
err_is "whk-log: no event msg_1: it was not accepted, or is no longer kept: \
the record begins $(date -u +%F)" "it says how far the record goes"
exits 1 "what is no id" whk-log 'a b'
err_like "^whk-log: a b: no event's id" "it says so"

# --- what is there: webhooks, events, attempts at fixed times ----------------

secret=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
sql "INSERT INTO whk.webhook (id, url, events, tenant, filter, headers,
	paused_at, created_at) VALUES
	(1, 'http://127.0.0.1:9/hook', '{x.y,order.*}', 'acme',
		'\$.total > 10', '{\"x-own\": \"it''s\"}', NULL, '2026-11-01'),
	(2, 'http://127.0.0.1:9/two', '{}', NULL, NULL, '{}', now(),
		'2026-11-01'),
	(3, 'http://127.0.0.1:9/late', '{order.paid}', NULL, NULL, '{}', NULL,
		'2026-11-24');
SELECT setval(pg_get_serial_sequence('whk.webhook', 'id'), 10);
INSERT INTO whk.secret (webhook, secret, created_at)
	SELECT i, '$secret', '2026-11-01' FROM generate_series(1, 3) i;
INSERT INTO whk.event (id, time, type, tenant, key, webhooks, accepted_at,
	via, body) VALUES
	('msg_story', '2026-11-23 22:54:23.226+00', 'order.paid', 'acme', 'k1',
		'{1,2,9}', '2026-11-23 22:54:23.300+00', 'queue',
		E'{\"total\":12.50,\n \"note\":\"\\u202e\"}'),
	('msg_stone', '2026-11-23 22:54:24+00', NULL, NULL, NULL,
		'{}', '2026-11-23 22:54:24+00', NULL, repeat('x', 1500));
INSERT INTO whk.attempt (event, webhook, at, attempt, time, next_at, outcome,
	status, dns_us, connect_us, tls_us, wait_us, total_us, type, error,
	address, headers, answer) VALUES
	('msg_story', 1, '2026-11-23 22:54:23.410+00', 1,
		'2026-11-23 22:54:23.226+00', '2026-11-23 22:54:28.5+00',
		'retry', NULL, 100, 2000, 0, 0, 5002000, 'order.paid',
		'timeout', '127.0.0.1', NULL, NULL),
	('msg_story', 1, '2026-11-23 22:54:28.700+00', 2,
		'2026-11-23 22:54:23.226+00', '2099-01-01', 'retry', 503, 0,
		0, 0, 11200, 12345, 'order.paid', NULL, '127.0.0.1',
		E'HTTP/1.1 503 Busy\nretry-after: 9\n\n',
		E'try\\\\033[5m\nlater\\\\377'),
	('msg_story', 9, '2026-11-23 22:55:00+00', 1,
		'2026-11-23 22:54:23.226+00', NULL, 'cancelled', NULL, NULL,
		NULL, NULL, NULL, NULL, 'order.paid', NULL, NULL, NULL, NULL);
INSERT INTO whk.pending (webhook, time, event, attempt, next_at) VALUES
	(1, '2026-11-23 22:54:23.226+00', 'msg_story', 3, '2099-01-01'),
	(2, '2026-11-23 22:54:23.226+00', 'msg_story', 1, NULL)" >/dev/null

# --- a story -----------------------------------------------------------------

# sign ID TIMESTAMP FILE: the signature, by another program.
sign() {
	key=$(printf %s "${secret#whsec_}" | openssl base64 -d -A |
		od -An -tx1 | tr -d ' \n')
	{ printf '%s.%s.' "$1" "$2"; cat "$3"; } |
		openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary |
		openssl base64 -A
}
printf '{"total":12.50,\n "note":"\342\200\256"}' >body
cat >wanted <<END
event     msg_story
type      order.paid
tenant    acme
key       k1
sent      2026-11-23T22:54:23.226Z
accepted  2026-11-23T22:54:23.300Z, 74 ms later
via       queue (whk-poll)
body      30 bytes of application/json
          {"total":12.50,
           "note":"\\342\\200\\256"}

webhook 1  http://127.0.0.1:9/hook  (active)
  why      it matches order.*, is of the tenant acme, passes (\$."total" > 10)
  attempt 1  2026-11-23T22:54:23.410Z  retry, error timeout, 5.0 s
    next at  2026-11-23T22:54:28.500Z
    phases   dns 0.1 ms, connect 2.0 ms, tls 0.0 ms, wait 0.0 ms, \
receive 4999.9 ms
    address  127.0.0.1
    > POST http://127.0.0.1:9/hook
    > content-type: application/json
    > webhook-id: msg_story
    > webhook-timestamp: 1795474463
    > webhook-signature: v1,$(sign msg_story 1795474463 body)
    > webhook-event: order.paid
    > webhook-attempt: 1
    > x-own: it's
  attempt 2  2026-11-23T22:54:28.700Z  retry, status 503, 12 ms
    next at  2099-01-01T00:00:00.000Z
    phases   dns 0.0 ms, connect 0.0 ms, tls 0.0 ms, wait 11.2 ms, \
receive 1.1 ms
    address  127.0.0.1
    > POST http://127.0.0.1:9/hook
    > content-type: application/json
    > webhook-id: msg_story
    > webhook-timestamp: 1795474468
    > webhook-signature: v1,$(sign msg_story 1795474468 body)
    > webhook-event: order.paid
    > webhook-attempt: 2
    > x-own: it's
    < HTTP/1.1 503 Busy
    < retry-after: 9
    <
    < try\\033[5m
    < later\\377
  next     attempt 3 is due at 2099-01-01T00:00:00.000Z, in N days

webhook 2  http://127.0.0.1:9/two  (paused)
  why      it matches *
  next     attempt 1 is parked: the webhook is paused

webhook 9  removed
  why      not known any more
  attempt 1  2026-11-23T22:55:00.000Z  cancelled
  next     nothing: cancelled
END
exits 0 "a story" whk-log msg_story
sed -i 's/in [0-9]* days$/in N days/' out
same out wanted "word for word"
exits 0 "by the beginning of the id" whk-log msg_stor
sed -i 's/in [0-9]* days$/in N days/' out
same out wanted "the same"
exits 1 "a beginning of two" whk-log msg_st
err_is 'whk-log: msg_st is the beginning of several ids: msg_stone, msg_story' \
	"they are named"
exits 0 "an event for nobody" whk-log msg_stone
out_like '^body      1500 bytes of application/json$' "its size is told"
out_like '^          \.\.\. and 476 more: whk-log --raw msg_stone$' "it is cut"
out_like '^for no webhook: .*--why WEBHOOK msg_stone$' "and what to try"

# By which way events come in.
start_mq
printf '{}' | whk-emit --id by_queue >out
whk-poll -1 >out 2>err
echo '{"id":"by_line","body":1}' | whk-send 2>err
sql "SELECT whk.emit('{}', id => 'by_sql');
	SELECT whk.api_emit(n, '{by_api}', '{true}', n, n, n, n, '{body}', n)
	FROM (VALUES ('{NULL}'::text[])) v (n)" >out
is "$(for id in queue line sql api; do
	whk-log by_$id | sed -n 's/^via *//p'
done)" "queue (whk-poll)
line (whk-send)
sql (whk.emit)
api (whk-api)" "each way by which events come in is told"
like "$(whk-log msg_stone)" '^via       not known' "... unless nobody noted it"
is "$(whk-log -j msg_story | jq -r .via | uniq -c | tr -s ' ')" ' 3 queue' \
	"-j of one event says it in each line"
is "$(whk-log -j | grep -c via)" 0 "... and else does not look"

exits 0 "--raw" whk-log --raw msg_story
same out body "the bytes of the body"
exits 1 "--raw of no event" whk-log --raw nope
is "$(cat out)" '' "prints nothing"

story_next() {
	sql "UPDATE whk.pending SET $1 WHERE webhook = 1"
	whk-log msg_story | sed -n '/^webhook 1 /,/^$/s/^  next     //p'
}
like "$(story_next "next_at = now() + interval '100 s'")" \
	'^attempt 3 is leased, to be sent before .*, in (99|100|1 min)' "leased"
like "$(story_next "next_at = now() - interval '1 s'")" \
	'^attempt 3 is due since .*: for whk-due$' "due"
sql "INSERT INTO whk.pending (webhook, time, event, seq)
	SELECT 1, now(), 'other' || i, -i FROM generate_series(1, 3) i"
is "$(story_next "next_at = NULL, leased = false")" \
	"attempt 3 is parked: it waits for the webhook's turn, \
behind 3 others" "parked"
sql "UPDATE whk.webhook SET blocked_until = '2099-01-01' WHERE id = 1"
is "$(story_next "behind = false")" "attempt 3 is parked: the webhook is \
blocked until 2099-01-01T00:00:00.000Z, behind 3 others" "blocked"
is "$(story_next "behind = true")" \
	"attempt 3 is behind an earlier event of its key" "behind"
sql "UPDATE whk.webhook SET blocked_until = NULL, rate = 1 WHERE id = 1"
like "$(story_next "behind = false, next_at = now() + interval '99 s'")" \
	'^attempt 3 is leased, or held by the rate, until ' "held by a rate"
sql "UPDATE whk.webhook SET rate = NULL; DELETE FROM whk.pending
	WHERE event LIKE 'other%'"

sql "UPDATE whk.secret SET created_at = '2026-11-23 22:54:25+00'"
run whk-log msg_story
is "$(grep -c 'the secret of that time is not known any more' out)" 1 \
	"a secret that came later did not sign then"
is "$(grep -c '> webhook-signature' out)" 1 "but after that"
sql "UPDATE whk.secret SET created_at = '2026-11-01'"

sql "CREATE TABLE kept AS SELECT body FROM whk.event WHERE id = 'msg_story';
	UPDATE whk.event SET body = NULL WHERE id = 'msg_story'"
exits 0 "a story whose body is gone" whk-log msg_story
out_like '^body      it is no longer kept \(whk-prune\)$' "it says so"
is "$(grep -c 'signature cannot be told without the body' out)" 2 \
	"and that it cannot sign"
exits 1 "--raw without a body" whk-log --raw msg_story
err_is 'whk-log: msg_story: its body is no longer kept (whk-prune)' "says so"
exits 1 "--curl without a body" whk-log --curl msg_story 1
err_is 'whk-log: msg_story: its body is no longer kept (whk-prune)' "says so"
run whk-log --why 1 msg_story
out_like '^no   filter .*, where the body is no longer kept$' "and --why"
sql "UPDATE whk.event SET body = (SELECT body FROM kept)
	WHERE id = 'msg_story'; DROP TABLE kept"

# --- why ---------------------------------------------------------------------

exits 0 "--why" whk-log --why 1 msg_story
out_is "yes  state    the webhook is active
yes  tenant   the webhook is of acme, the event of acme
no   pattern  x.y does not match order.paid
yes  pattern  order.* matches order.paid
yes  filter   (\$.\"total\" > 10), where \$.\"total\" is [12.50]
yes  existed  the webhook was added 2026-11-01T00:00:00.000Z, the event \
accepted 2026-11-23T22:54:23.300Z

webhook 1 gets msg_story: 2 attempts, one pending" "each condition"
sql "UPDATE whk.webhook SET filter = '\$.total > 20' WHERE id = 1"
exits 0 "--why, a definition that has changed" whk-log --why 1 msg_story
out_like '^it was for it when it was accepted; now it would not match$' \
	"says that it did"
like "$(whk-log msg_story)" \
	'^  why      named by its line, or the webhook was another then$' \
	"and so does the story"
sql "UPDATE whk.webhook SET filter = '\$.total > 10' WHERE id = 1"
exits 0 "--why, for all" whk-log --why 2 msg_stor
out_like '^yes  state    the webhook is paused: what it gets waits$' "paused"
out_like '^yes  pattern  \* matches order.paid$' "no patterns are all"
exits 1 "--why, not got" whk-log --why 3 msg_story
out_is "yes  state    the webhook is active
yes  tenant   the webhook is of any, the event of acme
yes  pattern  order.paid matches order.paid
yes  filter   the webhook has none
no   existed  the webhook was added 2026-11-24T00:00:00.000Z, the event \
accepted 2026-11-23T22:54:23.300Z

webhook 3 did not get msg_story
whk-replay --missing -w 3 would make it due" "each condition"
run sh -c 'whk-replay -n --missing -w 3'
is "$(jq -r .event out)" msg_story "it would"
exits 1 "--why, no type" whk-log --why 3 msg_stone
out_like '^no   pattern  order.paid does not match an event without a type$' \
	"is said"
out_like 'whk-replay --missing -w 3 would not send it' "and that it stays so"
exits 1 "--why, no webhook" whk-log --why 77 msg_story
err_is 'whk-log: no webhook 77: whk-list shows them' "it says so"

# why STATUS TYPE TENANT BODY REGEX
why() {
	printf %s "$4" >why
	run sh -c "whk-log --why 1 ${2:+-t '$2'} ${3:+-T '$3'} <why"
	status_is "$1" "--why of a body: $2 $3 $4"
	out_like "$5" "... $5"
}
why 0 order.paid acme '{"total":11}' 'where \$."total" is \[11\]$'
why 0 order.paid acme '{"total":11}' '^webhook 1 gets such an event$'
why 1 order.paid acme '{"total":9}' '^no   filter .* is \[9\]$'
why 1 order.paid acme '{"total":9}' '^webhook 1 does not get such an event$'
why 1 order.paid other '{"total":11}' \
	'^no   tenant   the webhook is of acme, the event of other$'
why 1 order.paid '' '{"total":11}' '^no   tenant .*, the event of none$'
why 1 order acme '{"total":11}' '^no   pattern  order.\* does not match order$'
why 1 order.paid acme 'no JSON' 'where the body is not JSON$'
why 0 x.y acme '[{"total":11}]' '^webhook 1 gets'
exits 1 "--why of a body, '-'" sh -c "echo '{}' | whk-log --why 1 -"
exits 1 "a body that is not UTF-8" sh -c 'printf "\377" | whk-log --why 1'
err_is 'whk-log: stdin: a body that is not UTF-8, or has a NUL' "it says so"
sql "UPDATE whk.webhook SET disabled_at = now(), disabled_why = '410 Gone'
	WHERE id = 1"
why 1 order.paid acme '{"total":11}' \
	'^no   state    the webhook is disabled: 410 Gone$'
sql "UPDATE whk.webhook SET disabled_at = NULL, disabled_why = NULL"

# --- curl --------------------------------------------------------------------

printf '%s\n' "$secret" >secrets
start_recv_as old -s secrets -j --tolerance 0
start_recv_as now -s secrets -j
sql "UPDATE whk.webhook SET url = '$now_url/a''b?c={d}&e=[1-2]'"
sql "INSERT INTO whk.event (id, time, type, webhooks, accepted_at, body)
	SELECT 'body' || n, now(), 'it''s \"\$HOME\" \\ \`é', '{1}', now(), b
	FROM unnest(ARRAY['', '-n', '%s\\n\\\\041', E'a''b\"\$HOME\`id\`\\!',
		E'line\r\n\ttab\033[1m\u0085\u202e', E'\n\n', ' é 𝄞 \\',
		'{\"event\": \"Hello webhooks world\"}', repeat('0', 400000)])
		WITH ORDINALITY AS x(b, n)"
n=0
for id in body1 body2 body3 body4 body5 body6 body7 body8 body9; do
	n=$((n + 1))
	for shell in sh bash; do
		whk-log --curl $id 1 >line.sh
		: >now.out
		$shell ./line.sh >answer 2>&1
		wait_for '[ -s now.out ]'
		is "$(jq .verified now.out)" true "$shell: $id is verified"
		whk-log --raw $id >raw
		jq -j .body now.out | cmp - raw || fail "$id, by $shell"
	done
	unlike "$(cat line.sh)" "$(printf '\033|\r|\302\205')" \
		"... and shown visibly"
done
like "$(cat answer)" '^HTTP/1.1 200 OK' "the answer is shown"
whk-log --curl body4 1 >line.sh
: >now.out
sh ./line.sh >answer 2>&1
wait_for '[ -s now.out ]'
is "$(jq -r .path now.out)" "/a'b?c={d}&e=[1-2]" "the URL is what it is"
is "$(jq -r '.headers["webhook-attempt"]' now.out)" 1 "the first attempt"
is "$(jq -r '.headers["webhook-event"]' now.out)" "it's \"\$HOME\" \\ \`é" \
	"the type is what it is"
is "$(jq -r '.headers["user-agent"]' now.out)" \
	"$(whk-log --version | tr ' ' / | sed s/-log//)" "it is whk"
unlike "$(cat line.sh)" "${secret#whsec_}" "there is no secret in it"

sql "UPDATE whk.webhook SET url = '$old_url/'"
# as_sent ARGUMENT...: what arrives, the time and the number.
as_sent() {
	whk-log --curl --as-sent "$@" >line.sh
	: >old.out
	sh ./line.sh >answer 2>&1
	wait_for '[ -s old.out ]'
	jq -r '[.verified, .headers["webhook-timestamp"],
		.headers["webhook-attempt"]] | @tsv' old.out | tr '\t' ' '
}
is "$(as_sent msg_story 1)" "true 1795474468 2" "--as-sent: the last attempt"
is "$(as_sent msg_story 1 1)" "true 1795474463 1" "or the one that is named"
run whk-log --curl msg_story 1 1
out_like "'webhook-attempt: 1'" "a number without --as-sent"
unlike "$(cat out)" 1795474463 "has the time of now"
exits 1 "no such attempt" whk-log --curl msg_story 1 7
err_is "whk-log: msg_story has no attempt 7 at webhook 1: \
whk-log msg_story shows them" "it says so"
exits 1 "no attempt at all" whk-log --curl --as-sent msg_story 3
err_is 'whk-log: msg_story has no attempt at webhook 3' "it says so"
exits 1 "nothing was sent" whk-log --curl --as-sent msg_story 9
err_like 'nothing was sent in attempt 1 at webhook 9$' "it says so"
exits 1 "no webhook" whk-log --curl msg_story 9
err_is 'whk-log: no webhook 9: whk-list shows them' "it says so"
sql "UPDATE whk.secret SET created_at = now()"
exits 1 "an old secret that is gone" whk-log --curl --as-sent msg_story 1
err_like '^whk-log: webhook 1: the secret of that time is not known' "is said"
stop "$old_pid"
stop "$now_pid"

# --- the list ----------------------------------------------------------------

exits 0 "all" whk-log -n 0
cat >wanted <<END
TIME                      EVENT      TYPE        WEBHOOK  TRY  OUTCOME    \
STATUS     MS
2026-11-23T22:54:23.410Z  msg_story  order.paid        1    1  retry      \
timeout  5002
2026-11-23T22:54:28.700Z  msg_story  order.paid        1    2  retry      \
503        12
2026-11-23T22:55:00.000Z  msg_story  order.paid        9    1  cancelled  \
-           -
END
same out wanted "a table"
exits 0 "-j" whk-log -j -n 0
cat >wanted <<END
{"event":"msg_story","type":"order.paid","webhook":1,"attempt":1,\
"at":"2026-11-23T22:54:23.410Z","outcome":"retry","error":"timeout",\
"ms":5002,"next":"2026-11-23T22:54:28.500Z"}
{"event":"msg_story","type":"order.paid","webhook":1,"attempt":2,\
"at":"2026-11-23T22:54:28.700Z","outcome":"retry","status":503,"ms":12,\
"next":"2099-01-01T00:00:00.000Z"}
{"event":"msg_story","type":"order.paid","webhook":9,"attempt":1,\
"at":"2026-11-23T22:55:00.000Z","outcome":"cancelled"}
END
same out wanted "attempt lines"
exits 0 "an operand and -j" whk-log -j msg_story
is "$(wc -l <out)" 3 "are the attempts of the event"

# Twenty attempts an hour ago, one each 100 s, two webhooks, and more of the
# last days; an hour, as what was before was long ago.
sql "DELETE FROM whk.attempt;
INSERT INTO whk.event (id, time, type, tenant, accepted_at, body)
	SELECT 'l' || i, now() - interval '1 h', 'kind.' || i % 2,
		CASE i % 5 WHEN 0 THEN 'acme' END, now(), '{}'
	FROM generate_series(1, 20) i;
INSERT INTO whk.attempt (event, webhook, at, attempt, time, outcome, status,
	error, total_us, type)
	SELECT e.id, 1 + i % 2, now() - interval '1 h' + i * interval '100 s',
		1, e.time, (CASE WHEN i % 10 = 0 THEN 'failed' WHEN i % 4 = 0
		THEN 'retry' ELSE 'delivered' END)::whk.outcome,
		CASE WHEN i % 10 = 0 THEN 500 WHEN i % 4 <> 0 THEN 204 END,
		CASE WHEN i % 10 <> 0 AND i % 4 = 0 THEN 'dns' END, 1000, e.type
	FROM generate_series(1, 20) i JOIN whk.event e ON e.id = 'l' || i;
INSERT INTO whk.attempt (event, webhook, at, attempt, time, outcome, status,
	total_us, type)
	SELECT 'd' || i, 7, now() - i * interval '1 day', 1, now(),
		'delivered', 299, 1000, 'day' FROM generate_series(1, 20) i"

# lists WANTED OPTION...: the events, in order.
lists() {
	wanted=$1
	shift
	run whk-log -j "$@"
	is "$(jq -r .event out | tr '\n' ' ')" "$wanted" "lists: $*"
}
lists 'l18 l19 l20 ' -n 3
all20=$(printf 'l%s ' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20)
lists "d1 $all20" -n 21
lists "$all20"
lists 'd4 d3 ' -n 2 -u 59h
lists 'd4 d3 ' -s 100h -u 59h
lists 'd3 ' -s 100h -u 59h -n 1
lists 'd20 d19 ' -w 7 -u 445h
lists 'l18 l20 ' -w 1 -n 2
lists 'l10 l20 ' -o failed
lists 'l20 ' -o failed -n 1
lists 'l4 l8 l12 l16 ' --outcome retry
lists 'l10 l20 ' --status 500
lists 'l10 l20 ' --status 5xx
lists 'l4 l8 l12 l16 ' --status dns
lists 'd2 d1 l1 ' -s 50h -u 56m -t day -t kind.1
lists 'l5 l10 l15 l20 ' -T acme
lists 'l5 l15 ' -T acme -t 'kind.1'
lists 'l17 l19 ' -t kind.1 -n 2
lists 'l18 l19 l20 ' -t 'kind.*' -n 3
lists 'l20 ' -t '*' -n 1
lists 'l7 ' -e l7
lists '' -s now
lists '' -u 100d
run whk-log -j -t day
is "$(jq -r .event out | tr '\n' ' ')" 'd6 d5 d4 d3 d2 d1 ' \
	"without an index the search ends after 7 days"
err_is 'whk-log: looked back 7 days; --since goes further' "it says so"
run whk-log -j -t day -n 2
err_is '' "if it has to"
exits 0 "... with --since" whk-log -j -t day -s 30d
is "$(wc -l <out)" 20 "it goes further"

# What it prints can be replayed.
sql "INSERT INTO whk.secret (webhook, secret) VALUES (2, 'whsec_2')"
run sh -c 'whk-log -j -o failed | whk-replay'
err_like '2 due again, 0 pending' "attempt lines, fit for whk-replay"
sql "DELETE FROM whk.pending"

# --- stdout ------------------------------------------------------------------

exits 1 "a full disk" sh -c 'whk-log >/dev/full'
err_is 'whk-log: stdout: No space left on device' "it says so"
exits 1 "a full disk, a story" sh -c 'whk-log msg_story >/dev/full'
exits 1 "a full disk, --raw" sh -c 'whk-log --raw msg_story >/dev/full'
exits 1 "a full disk, --why" sh -c 'whk-log --why 2 msg_story >/dev/full'
exits 1 "a full disk, --curl" sh -c 'whk-log --curl msg_story 1 >/dev/full'
exits 1 "a full disk, -f" sh -c 'whk-log -f >/dev/full'
run sh -c 'whk-log -j -n 0 | head -n 1'
is "$(wc -l <out)" 1 "a pipe that is closed"
err_is '' "is no error"

# --- terminals ---------------------------------------------------------------

sql "DELETE FROM whk.attempt;
INSERT INTO whk.attempt (event, webhook, at, attempt, time, outcome, status,
	error, total_us, type) VALUES
	('msg_9d9e0000000000000000000000000001', 1, now(), 1, now(),
		'delivered', 200, NULL, 12000, 'order.paid.in.full'),
	('msg_9d9e0000000000000000000000000002', 1, now(), 2, now(),
		'retry', NULL, 'protocol', 9000000, '注文.支払済み'),
	('a', 100, '2020-01-01', 10, now(), 'failed', 500, NULL, 1, NULL),
	('b', 100, '2020-01-01', 10, now(), 'cancelled', NULL, NULL, NULL,
		'x')"

# on COLUMNS [NAME=VALUE...] OPTION...: on such a terminal.
on() {
	script -qec "stty cols $1 -onlcr; env TZ=JST-9 TERM=xterm $2" \
		/dev/null </dev/null >out
}
# The widest line: characters, two columns for each that is wide.
widest() {
	sed "s/$(printf '\033')\[[0-9]*m//g" out | perl -CS -ne 'chomp;
		s/[\x{3000}-\x{9fff}]/xx/g;
		$m = length if length > $m; END { print $m }'
}
today=$(TZ=JST-9 date +%m-%d)
for columns in 80 100 200; do
	on $columns "whk-log -n 0"
	ok "$columns columns are enough" test "$(widest)" -le $columns
	out_like '^TIME  +EVENT  +TYPE  +WEBHOOK  TRY' "... for the same table"
	out_like "^($today|[01][0-9]-[0-3][0-9]) [0-9:]{8}  msg_9d9e" \
		"... in local time"
	out_like '^2020-01-01      a ' "... what is old has the year"
done
out_like 'msg_9d9e0000000000000000000000000002  注文.支払済み ' \
	"at 200 nothing is cut"
on 80 "whk-log -n 0"
out_like ' msg_9d9e0000…  order\.p…  ' "at 80 the long is cut"
out_like ' msg_9d9e0000…  注文\.支…  ' "... by what it takes on the screen"
on 80 "whk-log -n 0 --utc"
ok "--utc fits as well" test "$(widest)" -le 80
out_like '^2020-01-01T00:00:00.000Z  a ' "... and is RFC 3339"
on 40 "whk-log -n 0"
out_like 'msg' "what is too narrow still lists"
on 200 "whk-log msg_story"
out_like '^sent      2026-11-24 07:54:23.226$' "a story has local times"
on 200 "whk-log --utc msg_story"
out_like '^sent      2026-11-23T22:54:23.226Z$' "... or not"

esc=$(printf '\033')
on 80 "whk-log -n 0"
out_like "$esc\[32mdelivered$esc\[m " "delivered is green"
out_like "$esc\[33mretry$esc\[m " "retry is yellow"
out_like "$esc\[31mfailed$esc\[m " "failed is red"
out_like " cancelled " "cancelled is not coloured"
is "$(grep -c "$esc\[" out)" 3 "nothing else is"
colourless() {
	on 80 "$1 whk-log -n 0 $2"
	unlike "$(cat out)" "$esc" "no colours: $1 $2"
	out_like ' delivered ' "... but words"
}
colourless NO_COLOR=1 ''
colourless TERM=dumb ''
colourless TERM= ''
colourless '' --color=never
on 80 "env NO_COLOR=1 whk-log --color always"
out_like "$esc\[32m" "--color always comes first"
on 80 "env NO_COLOR= whk-log"
out_like "$esc\[32m" "an empty NO_COLOR is none"
run whk-log --color=always
out_like "$esc\[32m" "--color always, to a file"
run whk-log
unlike "$(cat out)" "$esc" "none in a file"

# --- follow ------------------------------------------------------------------

start_recv
whk-add -e 'live.*' "$recv_url/" >id 2>err
hook=$(cat id)
# say TYPE ID: one event, sent.
say() {
	printf '{"id":"%s","type":"%s","body":1}\n' "$2" "$1" | whk-send >sent
}
followed() { sql "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
	AND mode = 'ShareLock' AND granted"; }
say live.one before
is "$(followed)" 0 "nobody follows"
spawn log whk-log -f -j -n 1
spawn other whk-log -f -t live.two -t nothing
wait_for '[ "$(followed)" = 2 ] && [ -s log.out ]'
is "$(jq -r .event log.out)" before "-f begins with the last"
say live.one one
before=$(date +%s%N)
say live.two two
wait_for 'grep -q "\"two\"" log.out'
ok "it shows within a second" \
	test $((($(date +%s%N) - before) / 1000000)) -lt 1000
is "$(jq -r .event log.out | tr '\n' ' ')" 'before one two ' "each once"
wait_for 'grep -q live.two other.out'
is "$(awk 'NR > 1 { print $2 }' other.out)" two "only what is chosen"
is "$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name =
	'whk-log' AND state <> 'idle'")" 0 "between them it asks nothing"

sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
	WHERE application_name = 'whk-log'" >/dev/null
say live.one three
wait_for 'grep -q "\"three\"" log.out'
wait_for '[ "$(followed)" = 2 ]'
say live.one four
wait_for 'grep -q "\"four\"" log.out'
is "$(jq -r .event log.out | tr '\n' ' ')" 'before one two three four ' \
	"a lost connection loses and repeats nothing"
like "$(cat log.err)" 'waiting for it$' "it says that it was lost"
like "$(cat log.err)" 'the database is there again$' "... and is there again"
stop_postgres
restart_postgres
wait_for '[ "$(followed)" = 2 ]'
say live.one five
wait_for 'grep -q "\"five\"" log.out'
is "$(jq -r .event log.out | tr '\n' ' ')" 'before one two three four five ' \
	"nor does a restart"

seq 1 1000 | sed 's/.*/{"id":"m&","type":"live.many","body":1}/' |
	whk-send >sent
wait_for 'grep -q "\"m1000\"" log.out && [ $(wc -l <log.out) -ge 1006 ]'
is "$(jq -r .event log.out | sort -u | wc -l)" 1006 "a thousand"
is "$(wc -l <log.out)" 1006 "... each once"
sql "UPDATE whk.webhook SET paused_at = now() WHERE id = $hook"
say live.one gone
whk-rm "$hook" 2>err
wait_for 'grep -q cancelled log.out'
is "$(jq -r 'select(.outcome == "cancelled").event' log.out)" gone \
	"what is cancelled is told as well"
stop "$log_pid"
status_is 0 "SIGTERM"
stop "$other_pid" INT
status_is 0 "SIGINT"
is "$(followed)" 0 "nobody follows any more"
spawn head sh -c 'whk-log -f -j -n 5 | head -n 3'
reap "$head_pid"
status_is 0 "-f ends when nobody reads"
wait_for '[ "$(followed)" = 0 ]'

# --- what whk-prune moves ----------------------------------------------------

# Its steps by hand, so that they can be stopped in between: rows of a day
# without a partition are moved to one.
whk-add -e 'moved.*' "$recv_url/" >id 2>err
undo_day() { sql "DROP TABLE whk.attempt_$(date -u +%Y%m%d)"; }
mkfifo mover.in
setpriv --pdeathsig KILL psql -XAtq -f mover.in >mover.out 2>&1 &
exec 7>mover.in
mover() {
	: >mover.out
	printf "%s; SELECT 'done';\n" "$1" >&7
	wait_for "grep -qx done '$T/mover.out'"
}
copy() {
	sql "SELECT whk.prune_watch('attempt_default');
		SELECT whk.repair_stage('attempt', 864000000);
		SELECT whk.repair_copy('attempt', 0, 1000)" >out
}
move() {
	mover "BEGIN; SELECT whk.repair_swap('attempt')"
	is "$(head -n 1 mover.out)" t "rows are about to be moved"
}
# shellcheck disable=SC2317 # wait_for calls it
waits() {
	sql "SELECT 'yes' FROM pg_locks WHERE NOT granted
		AND relation = 'whk.attempt'::regclass" | grep -q yes
}
events() { jq -r .event "$1.out" | tr '\n' ' '; }

undo_day
say moved.one a1
spawn log whk-log -f -j -n 1
wait_for '[ "$(followed)" = 1 ] && [ -s log.out ]'
kill -STOP "$log_pid"
copy
say moved.one a2
move
kill -CONT "$log_pid"
wait_for waits
mover COMMIT
wait_for 'grep -q a2 log.out'
is "$(events log)" 'a1 a2 ' "what is moved as it is looked up is shown"

undo_day
say moved.one a3
say moved.one a4
wait_for 'grep -q a4 log.out'
kill -STOP "$log_pid"
sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
	WHERE application_name = 'whk-log'" >out
exits 0 "a whk-prune while the connection is lost" whk-prune
err_like 'rows moved to their days' "... moves rows"
kill -CONT "$log_pid"
wait_for 'grep -q "there again" log.err && [ "$(followed)" = 1 ]'
say moved.one a5
wait_for 'grep -q a5 log.out'
is "$(events log)" 'a1 a2 a3 a4 a5 ' "... which are not shown again"
stop "$log_pid"

undo_day
say moved.one b1
copy
say moved.one b2
move
spawn log whk-log -f -j -n 0 -t moved.one
wait_for waits
mover COMMIT
say moved.one b3
wait_for 'grep -q b3 log.out'
is "$(events log)" 'b1 b2 b3 ' "what is moved as the list begins is listed"
stop "$log_pid"

# --- the cost ----------------------------------------------------------------

# A million attempts of two hundred thousand events over twenty days, in
# partitions of their own.
n=1000000
[ -z "${WHK_TEST_SLOW:-}" ] || n=250000
events=$((n / 5))
sql "DELETE FROM whk.attempt;
	SELECT whk.partitions(0, now() - i * interval '1 day')
	FROM generate_series(0, 21) i" >/dev/null
sql "INSERT INTO whk.event (id, time, type, tenant, accepted_at, body)
	SELECT 'c' || i, now() - i * interval '20 days' / $events,
		't' || i % 10, 'tenant' || i % 100, now(), '{}'
	FROM generate_series(1, $events) i;
INSERT INTO whk.attempt (event, webhook, at, attempt, time, outcome, status,
	total_us, type) SELECT e.id, 1 + i % 300, e.time + w * interval '1 ms',
		1, e.time, (CASE WHEN i % 50 = 0 THEN 'failed'
		ELSE 'delivered' END)::whk.outcome, 200 + i % 50, 1000, e.type
	FROM generate_series(1, $events) i JOIN whk.event e ON e.id = 'c' || i,
		generate_series(1, 5) w"
sql "VACUUM ANALYZE whk.attempt"
sql "VACUUM ANALYZE whk.event"
sql "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > 0
	AND relname ~ '^(event|attempt)_'" >full
ok "twenty days have a partition each" test "$(grep -c attempt full)" -ge 20

# scans STATEMENT: the tables that it passes over in whole, but for that of
# today: a day so small is passed over faster than looked up.
scans() {
	PGOPTIONS='-c jit=off' sql "EXPLAIN $1" >plan
	sed -n 's/.*Seq Scan on \([a-z_0-9]*\).*/\1/p' plan |
		grep -Fxf full | grep -v "$(date -u +%Y%m%d)$" |
		sort -u | tr '\n' ' '
}
list="SELECT event, whk.ms(at) FROM whk.log"
order="ORDER BY at DESC, event DESC LIMIT 20"
span="now() - interval '5 s', now()"
ever="'1970-01-01', '9999-12-31'"
none='NULL, NULL, NULL, NULL, NULL, NULL, NULL'
is "$(scans "$list(NULL, NULL, $none, $span) $order")" '' \
	"a span of time is found in its days"
is "$(grep -o 'on attempt_[0-9]*' plan | sort -u | wc -l)" 1 \
	"... and nowhere else"
is "$(scans "$list(NULL, NULL, NULL, NULL, 'failed', 500, 599, NULL, NULL,
	$span) $order")" '' "... with outcome and status"
is "$(scans "$list(NULL, NULL, ARRAY['t1'], 'tenant1', NULL, NULL, NULL, NULL,
	NULL, $span) $order")" '' "... with type and tenant"
is "$(scans "$list(2, NULL, $none, $ever) $order")" '' \
	"a webhook is found by its index"
is "$(scans "$list(NULL, 'c5', $none, $ever) $order")" '' \
	"an event is found by its index"
is "$(scans "SELECT * FROM whk.story_attempts('c5', now(), '{1,2}')")" '' \
	"its story too"

# What is inside of functions: by what they did.
# reads STATEMENT: how many tables it passed over in whole.
reads() {
	sql "BEGIN; $1;
		SELECT count(*) FROM pg_stat_xact_user_tables s
		JOIN pg_class c ON c.oid = s.relid
		WHERE s.schemaname = 'whk' AND s.seq_scan > 0
			AND c.reltuples > 0
			AND s.relname ~ '^(event|attempt)_2'; COMMIT" |
		tail -n 1
}
time=$(sql "SELECT time FROM whk.event WHERE id = 'c70000'")
[ -n "$time" ] || time=$(sql "SELECT time FROM whk.event WHERE id = 'c40000'")
is "$(reads "SELECT * FROM whk.find_event('c1999', 5)")" 0 \
	"an id is found by its beginning, by its index"
is "$(reads "SELECT * FROM whk.find_event('c', 5)")" 0 "... of all the ids"
is "$(reads "SELECT * FROM whk.story_webhooks('c70000', '$time')")" 0 \
	"the webhooks of a story"
is "$(reads "SELECT * FROM whk.logged('{c70000,c5}', '{3,4}', ARRAY['$time',
	'$time']::timestamptz[], '{1,1}', NULL, NULL, $none)")" 0 \
	"what a follower is told"
is "$(reads "SELECT * FROM whk.fate(2, 'c70000', '$time')")" 0 \
	"the fate of an event"

run whk-log -j -n 0
is "$(wc -l <out)" $n "all are listed"
is "$(cut -d, -f5 out | sort -c 2>&1)" '' "... oldest first"
is "$(cut -d, -f1,3,5 out | sort -u | wc -l)" $n "... each once"
spawn log whk-log -f -j -n $events
wait_for '[ "$(wc -l <log.out)" -ge $events ]'
is "$(sort -u log.out | wc -l)" $events "-f begins with many"
stop "$log_pid"
[ -n "${WHK_TEST_SLOW:-}" ] || {
	command time -f %M -o peak whk-log -j -n 0 >out
	ok "in little memory ($(cat peak) KiB)" test "$(cat peak)" -lt 15000
}

done_testing
