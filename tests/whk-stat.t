#!/bin/sh
# SPDX-License-Identifier: ISC
# whk-stat: the figures in all their forms, the checks, a terminal, the cost.
# shellcheck disable=SC2119 # start_postgres without an argument
. "$(dirname "$0")/lib.sh"
need jq tmux script

start_postgres
start_mq

# --- the command line --------------------------------------------------------

exits 0 "-h" whk-stat -h
out_like '^usage: whk-stat ' "-h says how it is used"
exits 0 "--version" whk-stat --version
out_like '^whk-stat [0-9]+\.' "--version says which"
exits 2 "an unknown option" whk-stat --nope
exits 2 "an operand" whk-stat 7
for two in '-j -p' '-j -c due<1' '-p -c due<1' '-w -p' '-w -c due<1'; do
	# shellcheck disable=SC2086 # several options
	exits 2 "not both of $two" whk-stat $two
done
exits 2 "no id" whk-stat -W x
err_like "^whk-stat: 'x' is no id of a webhook$" "it is named"
exits 2 "an empty tenant" whk-stat -T ''
exits 2 "no colour" whk-stat --color blue
exits 2 "no number" whk-stat -n many
exits 2 "no interval" whk-stat -w -i 1ms
exits 1 "/dev/full" sh -c 'whk-stat >/dev/full'
err_like '^whk-stat: stdout: No space left' "it says so"
exits 1 "a closed stdout" sh -c 'whk-stat >&-'
run sh -c '{ sleep 0.2; whk-stat -j; echo $? >rc; } | true'
is "$(cat rc)" 1 "a closed pipe"
err_like '^whk-stat: stdout: Broken pipe' "it says so"

# --- of nothing --------------------------------------------------------------

exits 0 "of nothing" whk-stat
out_like '^queue +0 waiting, 0 in flight, 0 delayed: events$' "the queue"
out_like '^pending +0 due, 0 waiting, 0 parked$' "nothing pending"
out_like '^webhooks +0: 0 active, 0 paused, 0 blocked, 0 disabled$' \
	"no webhooks"
out_like '^success +- +- +-$' "no success"
exits 0 "without a queue" env -u WHK_QUEUE_URL whk-stat
unlike "$(cat "$T/out")" '^queue' "there is none"
exits 0 "-j of nothing" whk-stat -j
is "$(wc -l <"$T/out")" 1 "is one line"
is "$(jq -c '[.success, .ms, .stray, .at_least]' "$T/out")" \
	'[{"1":null,"5":null,"60":null},{"p50":null,"p90":null,'\
'"p99":null},false,[]]' \
	"with what there is not"
exits 0 "checks of nothing" whk-stat -c 'success>99%' -c 'p99<1ms' -c 'due=0'
out_is '' "pass"

# --- a queue -----------------------------------------------------------------

for n in 1 2 3; do
	echo "{\"n\":$n}" | whk-emit
done
sqs ReceiveMessage "{\"QueueUrl\":\"$WHK_QUEUE_URL\"}" >/dev/null
sqs SendMessage "{\"QueueUrl\":\"$WHK_QUEUE_URL\",\"MessageBody\":\"x\",
	\"DelaySeconds\":600}" >/dev/null
exits 0 "a queue" whk-stat -j
is "$(jq -c .queue "$T/out")" "{\"name\":\"$WHK_QUEUE_URL\",\"waiting\":2,\
\"in_flight\":1,\"delayed\":1}" "waiting, in flight, delayed"
exits 0 "by its name" env -u WHK_QUEUE_URL AWS_ENDPOINT_URL="$sqs_endpoint" \
	whk-stat -q events
out_like '^queue +2 waiting, 1 in flight, 1 delayed: events$' "is the same"
exits 1 "one that there is not" whk-stat -q "$sqs_endpoint/000000000000/no"
err_like '^whk-stat: .*/no: there is no such queue' "it says so"
out_like '^pending ' "the rest is printed"

# --- webhooks ----------------------------------------------------------------

start_recv
start_recv_as bad --status 500
whk-add "$recv_url" -T acme >"$T/out"
whk-add "$bad_url" -T acme >"$T/out"
whk-add "$bad_url/other" -e never >"$T/out"
for n in 1 2 3 4; do
	echo "{\"type\":\"t\",\"tenant\":\"acme\",\"body\":$n}"
done | whk-send >"$T/attempts" 2>"$T/err"
is "$(wc -l <"$T/attempts")" 8 "eight attempts were made"
sql "UPDATE whk.webhook SET paused_at = now() WHERE id = 3"

exits 0 "after some attempts" whk-stat
out_like '^pending +0 due, 4 waiting, 0 parked$' "the retries wait"
out_like '^webhooks +3: 2 active, 1 paused, 0 blocked, 0 disabled$' "webhooks"
out_like '^a minute +(7\.[0-9]+|8\.0+) +1\.[56][0-9]* +0\.13$' \
	"rates over 1, 5 and 60 minutes"
out_like '^success +50.0% +50.0% +50.0%$' "half of it succeeds"
out_like '^ms +[0-9.]+ +[0-9.]+ +[0-9.]+ +the newest 8 attempts$' "times"
out_like '^spread .*█.* all attempts ever$' "their spread"
out_like '^the worst' "the worst"
out_like '^ *2  active 500 +4 +4 +0\.07 +0% .*http://127' "is the second"
is "$(grep -c 'http://127' "$T/out")" 1 "and no other"
unlike "$(cat "$T/out")" '^stray' "nothing is stray"
unlike "$(cat "$T/out")" "$(printf '\033')" "no colour in a file"

exits 0 "-j" whk-stat -j
is "$(jq -c 'select(.at) | [.webhooks.all, .webhooks.paused, .pending.waiting,
	.attempts, (.success."5" * 100 | round), (.ms.p50 > 0)]' "$T/out")" \
	'[3,1,4,{"delivered":4,"retry":4,"failed":0,"cancelled":0},50,true]' \
	"the whole"
is "$(jq -c 'select(.webhook) | [.webhook, .tenant, .state, .why, .failures,
	.pending.waiting, .attempts.retry, .success."60", (.ms.p99 > 0)]' \
	"$T/out")" '[2,"acme","active","500",4,4,4,0,true]' "the worst"

exits 0 "-W" whk-stat -j -W 1 --webhook 3
is "$(jq -c '[.webhook // .of, .attempts.delivered, .pending.waiting]' \
	"$T/out" | tr '\n' ' ')" '[[1,3],4,0] [1,4,0] [3,0,0] ' \
	"the whole is of those webhooks"
is "$(head -n 1 "$T/out" | jq -c '[.success."5", .webhooks.all]')" '[1,2]' \
	"their success, their number"
exits 0 "-T" whk-stat -j -T acme
is "$(jq -c '[.tenant, .webhook, .pending.waiting]' "$T/out" | tr '\n' ' ')" \
	'["acme",null,4] ["acme",2,4] ["acme",1,0] ' "the worst first"
exits 0 "-n" whk-stat -j -T acme -n 1
is "$(wc -l <"$T/out")" 2 "so many are listed"
exits 0 "-n 0" whk-stat -n 0
unlike "$(cat "$T/out")" '^ID|http://127' "none is listed"
exits 0 "of a tenant without webhooks" whk-stat -T nobody
out_like '^webhooks +0: ' "there are none"
exits 1 "a webhook that there is not" whk-stat -W 1 -W 99
err_is 'whk-stat: 99: no such webhook' "it is named"
out_like 'http://127' "the other is shown"
exits 1 "one of another tenant" whk-stat -W 3 -T acme
err_is 'whk-stat: 3: no such webhook of that tenant' "it is named"
exits 1 "in a check too" whk-stat -W 99 -c 'due=0'

# What a terminal could act on.
sql "UPDATE whk.webhook SET url = E'http://h/\\033[2J', disabled_at = now(),
	disabled_why = E'\\033[31m' WHERE id = 2"
exits 0 "control characters" whk-stat -W 2
unlike "$(cat "$T/out")" "$(printf '\033')" "are made visible"
out_like 'http://h/\\033\[2J$' "in the URL"
out_like '^ +disabled for \\033\[31m: 1$' "in the reason"
exits 0 "a disabled webhook" whk-stat -j
is "$(jq -c '[.webhook, .webhooks.disabled, .webhooks.disabled_why]' \
	"$T/out")" '[null,1,{"\u001b[31m":1}]' "is not among the worst"
sql "UPDATE whk.webhook SET disabled_at = NULL, disabled_why = NULL,
	blocked_until = now() + interval '1 hour' WHERE id = 2"

# --- checks ------------------------------------------------------------------

exits 0 "what passes" whk-stat -c 'success>=49.9%' -c 'waiting = 4' \
	--check 'due<1' -c 'p99<=1m' -c 'rate>0.5' -c 'queue<=2' \
	-c 'queue-in-flight=1' -c 'blocked=1' -c 'paused<2' -c 'disabled=0' \
	-c 'stray=0' -c 'oldest-due<1' -c 'parked=0' -c 'p50<1h' -c 'p90>0ms'
out_is '' "says nothing"
exits 1 "what does not" whk-stat -c 'success=100%' -c 'waiting<4' -c 'due>=0' \
	-c 'blocked=0' -c 'queue>2' -c 'queue-in-flight<1'
sed '1s/[45][09][.0-9]*%$/50%/' "$T/out" >"$T/failed"
is "$(cat "$T/failed")" 'success=100%: it is 50%
waiting<4: it is 4
blocked=0: it is 1
queue>2: it is 2
queue-in-flight<1: it is 1' "says what it is"
sql "UPDATE whk.pending SET next_at = now() - interval '90 s'"
exits 1 "a time" whk-stat -c 'oldest-due<1m' -c 'oldest-due>2m' \
	-c 'oldest-due<100000ms' -c 'oldest-due<50'
sed 's/\(1\.5\|9[0-9]\)\.*[0-9]*/N/' "$T/out" >"$T/times"
is "$(cat "$T/times")" 'oldest-due<1m: it is Nm
oldest-due>2m: it is Nm
oldest-due<50: it is Ns' "is said in the unit of the limit"
exits 0 "of one webhook" whk-stat -W 1 -c 'success=100%' -c 'due=0'
exits 1 "of another" whk-stat -W 2 -c 'success>0%' -c 'due=0'
exits 1 "of a tenant" whk-stat -T acme -c 'due=0'
for bad in due 'due<' 'due<x' 'due<5s' 'due!1' 'due==1' 'due<<1' 'old<5m' '' \
	'<5' 'success>99' 'success>0.99' 'success>101%' 'oldest-due<5x' \
	'p99<5%' 'due<-1' 'due<1e3' 'due<0x1' 'due<inf' 'due<1.2.3' 'queues<1' \
	'due< ' 'p99<.ms' 'due=>1'; do
	exits 2 "no check: '$bad'" whk-stat -c "$bad"
	err_like 'oldest-due, due, waiting, parked, success, queue, ' \
		"the names are listed"
done
exits 2 "no queue to check" env -u WHK_QUEUE_URL whk-stat -c 'queue<1'
err_like 'needs a queue: -q or WHK_QUEUE_URL' "it says what is missing"

# --- Prometheus --------------------------------------------------------------

# series FILE: name, labels and value of each sample, by a parser not ours.
cat >"$T/series.py" <<'END'
import sys
from prometheus_client.parser import text_fd_to_metric_families
for family in text_fd_to_metric_families(open(sys.argv[1])):
    assert family.documentation and family.type in (
        "gauge", "counter", "histogram"), family
    for s in family.samples:
        labels = " ".join(f"{k}={v}" for k, v in sorted(s.labels.items()))
        print(family.type, s.name, labels, s.value)
END
series() { "$TOP/build/venv/bin/python" "$T/series.py" "$T/out" >"$T/series"; }

exits 0 "-p" whk-stat -p
cp "$T/out" "$T/prom"
if "$TOP/build/venv/bin/python" -c 'import prometheus_client' 2>"$T/err"; then
	ok "is read by another's parser" series
	series=$(grep -v _bucket "$T/series")
	like "$series" '^gauge whk_queue_messages state=waiting 2$' queue
	like "$series" '^gauge whk_pending state=due 4$' pending
	like "$series" '^gauge whk_oldest_due_seconds  9[0-9.]+$' "the oldest"
	like "$series" '^gauge whk_webhooks state=blocked 1$' webhooks
	like "$series" '^counter whk_attempts_total outcome=delivered 4$' \
		"attempts"
	like "$series" \
		'^histogram whk_attempt_duration_seconds_count  8$' "times"
	like "$series" \
		'^histogram whk_attempt_duration_seconds_sum  0\.[0-9]+$' \
		"their sum"
	like "$series" '^gauge whk_stray  0$' stray
	unlike "$series" whk_webhook_ "no series of a single webhook"
	exits 0 "-p -W" whk-stat -p -W 2
	ok "is read too" series
	like "$(cat "$T/series")" \
		'whk_webhook_attempts_total outcome=retry webhook=2 4$' \
		"one of the webhook"
	like "$(cat "$T/series")" 'whk_attempts_total outcome=delivered 4$' \
		"the whole stays whole"
	like "$(cat "$T/series")" 'whk_webhook_failures webhook=2 4$' \
		"failures in a row"
	exits 0 "-p -T" whk-stat -p -T acme -n 1
	ok "is read" series
	is "$(grep -c whk_webhook_failures "$T/series")" 2 "all of the tenant"
else
	skip "no prometheus_client" "is read by another's parser"
fi
is "$(sql "SELECT sum(times_us) > 0 AND sum(times_us) = (SELECT sum(total_us)
	FROM whk.attempt) FROM whk.total")" t "the sum is that of the attempts"
is "$(grep -c 'le="+Inf"} 8$' "$T/prom")" 1 "the last bucket has all"

# --- stray rows --------------------------------------------------------------

sql "INSERT INTO whk.event (id, time, accepted_at) VALUES
	('old', '1999-01-01', now())"
exits 0 "a row in a default partition" whk-stat
out_like '^stray .*default partition' "it says so"
out_like 'whk-prune' "and what to do"
exits 1 "as a check" whk-stat -c 'stray=0'
out_is 'stray=0: it is 1' "it says so"
exits 0 "as a series" whk-stat -p
out_like '^whk_stray 1$' "it says so"
sql "DELETE FROM whk.event_default"

# --- on and on ---------------------------------------------------------------

spawn watch whk-stat -w -i 100ms
wait_for '[ $(grep -c ^pending "$T/watch.out") -ge 3 ]'
stop "$pid"
status_is 0 "-w into a file ends by SIGTERM"
unlike "$(cat "$T/watch.out")" "$(printf '\033')" "without a terminal's codes"
is "$(sed -n '/^$/{n;/^20/p;}' "$T/watch.out" | head -n 1 | cut -c1-2)" 20 \
	"an empty line between screens"
spawn watch whk-stat -w -j -i 0.1
wait_for '[ $(grep -c at_least "$T/watch.out") -ge 6 ]'
stop "$pid" INT
status_is 0 "-w -j ends by SIGINT"
ok "it is lines" jq -e .pending "$T/watch.out"
run sh -c '{ whk-stat -w -i 100ms; echo $? >rc; } | head -n 1'
wait_for '[ -s "$T/rc" ]'
is "$(cat "$T/rc")" 1 "-w ends where nobody reads"

# --- a terminal --------------------------------------------------------------

# on_tmux WIDTH: a shell in a terminal; screen prints what it shows.
tmux="tmux -u -L $(basename "$T") -f /dev/null"
on_tmux() {
	TERM=xterm-256color $tmux new-session -d -x "$1" -y 24 \
		"env PS1='> ' sh"
	wait_for 'screen | grep -q "^> *$"'
	keys 'stty -a >before' Enter
	wait_for '[ -s "$T/before" ]'
	keys 'echo shell' Enter
	wait_for 'screen | grep -q "^shell"'
}
screen() { $tmux capture-pane -p "$@"; }
keys() { $tmux send-keys "$@"; }
shown() { wait_for 'screen | grep -q "^pending "'; }
hidden() { wait_for 'screen | grep -q "^shell"'; }
cursor() { $tmux display-message -p '#{cursor_flag}#{alternate_on}'; }

sql "UPDATE whk.webhook SET failures = 4, url = 'http://127.0.0.1/' ||
	repeat('long/', 60) || 'end' WHERE id = 2"
for width in 80 200; do
	on_tmux $width
	keys 'whk-stat -w -i 200ms' Enter
	ok "-w in $width columns" shown
	is "$(cursor)" 01 "no cursor, another screen"
	is "$(screen | wc -L)" $width "the URL goes up to the edge"
	like "$(screen)" '^ *2  blocked 500 .*http://127.*…$' "and is cut"
	like "$(screen -e)" "$(printf '\033\\[31m')" "failures are red"
	ok "what came of late" wait_for 'screen | grep -q "^of late"'
	keys C-z
	ok "stopped, the shell is there" hidden
	is "$(cursor)" 10 "with a cursor"
	keys 'stty -a >stopped' Enter
	wait_for '[ -s "$T/stopped" ]'
	same before stopped "the modes are the shell's"
	keys fg Enter
	ok "it goes on" shown
	$tmux resize-window -x 100 -y 12
	ok "resized" wait_for 'screen | grep -q "^pending "'
	is "$(screen | wc -l)" 12 "it fits"
	like "$(screen | head -n 1)" '^20' "from the first line"
	$tmux resize-window -x $width -y 24
	case $width in
	80) keys q ;;
	*) keys C-c ;;
	esac
	ok "ended" hidden
	keys 'echo "rc $?"' Enter
	wait_for 'screen | grep -q "rc [0-9]"'
	like "$(screen)" 'rc 0$' "well"
	is "$(cursor)" 10 "the cursor is back"
	rm before stopped
	keys 'stty -a >after' Enter
	wait_for '[ -s "$T/after" ]'
	keys 'stty -a >before' Enter
	wait_for '[ -s "$T/before" ]'
	same before after "the modes are as they were"
	like "$(cat after)" ' echo( |;)' "with echo"
	rm before after
	keys 'exit' Enter
	wait_for '! $tmux has-session 2>/dev/null'
done

on_tmux 80
for signal in TERM HUP QUIT; do
	keys "whk-stat -w & fg; echo ended $signal" Enter
	shown
	kill -$signal "$($tmux list-panes -F '#{pane_pid}' | xargs -I@ \
		cat /proc/@/task/@/children)"
	ok "ended by SIG$signal" wait_for "screen | grep -q '^ended $signal'"
	is "$(cursor)" 10 "the terminal is as it was"
done
keys 'TERM=dumb whk-stat -w -i 100ms' Enter
wait_for '[ $(screen | grep -c "^pending ") -ge 1 ]'
is "$(cursor)" 10 "a dumb terminal has one screen"
keys C-c
keys 'NO_COLOR=1 whk-stat -w' Enter
wait_for '[ $(cursor) = 01 ]'
shown
unlike "$(screen -e)" "$(printf '\033\\[3[123]m')" "NO_COLOR"
keys q
wait_for '[ $(cursor) = 10 ]'

# The database goes away under it, and comes back.
keys 'whk-stat -w -i 100ms' Enter
wait_for '[ $(cursor) = 01 ]'
shown
stop_postgres
ok "it says that the database is away" \
	wait_for 'screen | grep -q "^database: "'
like "$(screen)" '^pending ' "below what it knew"
restart_postgres
ok "and goes on" wait_for '! screen | grep -q "^database: "'
keys q
wait_for '[ $(cursor) = 10 ]'
keys exit Enter

run script -qec 'whk-stat --color never' /dev/null
unlike "$(cat "$T/out")" "$(printf '\033')" "--color never"
exits 0 "--color always" whk-stat --color always
out_like "$(printf '\033')\\[31m0%" "is in colour"

# --- what is away ------------------------------------------------------------

dead=http://127.0.0.1:$(free_port)/000000000000/events
exits 75 "no queue" whk-stat -q "$dead"
err_like "^whk-stat: $dead: " "it says which"
out_like '^pending ' "the rest is printed"
exits 75 "in a check of it" whk-stat -q "$dead" -c 'queue<1' -c 'paused=1'
exits 1 "another check fails" whk-stat -q "$dead" -c 'queue<1' -c 'paused=0'
out_is 'paused=0: it is 1' "it is said"
exits 0 "no check of it" whk-stat -q "$dead" -c 'paused=1'
spawn watch whk-stat -w -i 100ms -q "$dead"
wait_for '[ $(grep -c ^pending "$T/watch.out") -ge 3 ]'
stop "$pid"
is "$(grep -c . "$T/watch.err")" 1 "-w says it once and goes on"
exits 75 "no server" env PGHOST="$T/nowhere" whk-stat
err_like "^whk-stat: .*$T/nowhere" "it says where it looked"
out_is '' "nothing is printed"
exits 75 "no server to check" env PGHOST="$T/nowhere" whk-stat -c 'due=0'
exits 75 "none to begin with" env PGHOST="$T/nowhere" timeout 20 \
	whk-stat -p
PGDATABASE=postgres sql 'CREATE DATABASE empty'
exits 1 "no schema" env PGDATABASE=empty whk-stat
err_like 'whk-init' "it says what to do"
exits 1 "... with -w" env PGDATABASE=empty whk-stat -w

# --- the cost ----------------------------------------------------------------

# Twenty thousand webhooks, of which a thousand fail, a million attempts over
# four days, and fifty thousand deliveries pending.
n=1000000
[ -z "${WHK_TEST_SLOW:-}" ] || n=200000
sql "SELECT whk.partitions(0, now() - d * interval '1 day')
	FROM generate_series(0, 4) d" >"$T/out"
sql "ALTER TABLE whk.webhook DISABLE TRIGGER USER;
INSERT INTO whk.webhook (url, tenant, failures, rated_at, bad_60, last_at,
		paused_at, disabled_at, blocked_until)
	SELECT 'http://h/' || i, 't' || i % 100,
		CASE WHEN i % 20 = 0 THEN i % 37 ELSE 0 END, now(), i % 7,
		now(), CASE WHEN i % 400 = 1 THEN now() END,
		CASE WHEN i % 500 = 2 THEN now() END,
		CASE WHEN i % 300 = 3 THEN now() + interval '1 hour' END
	FROM generate_series(1, 20000) i;
ALTER TABLE whk.webhook ENABLE TRIGGER USER;
INSERT INTO whk.attempt (event, webhook, at, attempt, time, outcome, status,
		total_us)
	SELECT 'e' || i, 4 + i % 20000, now() - i * interval '4 days' / $n, 1,
		now() - i * interval '4 days' / $n, 'delivered', 200,
		i % 100000
	FROM generate_series(1, $n) i;
INSERT INTO whk.pending (webhook, time, event, next_at)
	SELECT 4 + i % 20000, now(), 'e' || i, CASE i % 3
		WHEN 0 THEN now() - interval '1 s'
		WHEN 1 THEN now() + i * interval '1 h' END
	FROM generate_series(1, 50000) i;
INSERT INTO whk.pending (webhook, time, event, key, behind)
	SELECT 5, now(), 'k' || i, 'k', true FROM generate_series(1, 300) i;
INSERT INTO whk.event (id, time, accepted_at)
	SELECT 'e' || i, now() - i * interval '17 s', now()
	FROM generate_series(1, 20000) i;
ANALYZE"

exits 0 "many" whk-stat
out_like '^pending +10000\+ due, 10000\+ waiting, 10300\+ parked; ' \
	"counts that stop say so"
out_like '^webhooks +20003: ' "webhooks are counted"
is "$(sed '1,/^ *ID /d' "$T/out" | wc -l)" 10 "the worst ten"
exits 0 "-j of many" whk-stat -j -n 0
is "$(jq -c .at_least "$T/out")" '["due","waiting","parked"]' \
	"lines say so too"
exits 1 "a check of many" whk-stat -c 'due<999999' -c 'due>999999'
out_is 'due<999999: it is 10000 or more' "takes it for more"

# plans FUNCTION: the plans of what it does, statement by statement.
plans() {
	psql -XAtq -v ON_ERROR_STOP=1 2>"$T/plans" >"$T/rows" <<-END
	LOAD 'auto_explain';
	SET auto_explain.log_min_duration = 0;
	SET auto_explain.log_nested_statements = on;
	SET auto_explain.log_analyze = on;
	SET auto_explain.log_buffers = on;
	SET auto_explain.log_timing = off;
	SET client_min_messages = log;
	SELECT * FROM whk.$1;
	END
}
for call in 'stat()' 'stat_shut(NULL, NULL)' 'stat_times(NULL, NULL)' \
	'stat_webhooks(NULL, NULL, 10)' 'stat_histogram()' \
	"stat(NULL, 't7')" "stat_shut(NULL, 't7')" "stat_times(NULL, 't7')" \
	"stat_webhooks(NULL, 't7', 10)" "stat(ARRAY[7, 8])" \
	"stat_times(ARRAY[7, 8], NULL)" "stat_webhooks(ARRAY[7, 8], NULL, 2)"
do
	ok "$call has plans" plans "$call"
	is "$(grep -E 'Seq Scan on (attempt|event|webhook|pending)' \
		"$T/plans" | head -n 3)" '' "... none of which scans a table"
	# The last plan is that of the whole call; its first line of buffers
	# has all that is below it.
	pages=$(awk '/ plan:$/ { wanted = 1 } /Buffers: shared/ && wanted {
			n = split($0, part, /[ =]/); pages = wanted = 0
			for (i = 1; i < n; i++)
				if (part[i] ~ /^(hit|read)$/)
					pages += part[i + 1]
		} END { print pages + 0 }' "$T/plans")
	ok "... and it looks at few pages: $pages" test "$pages" -lt 40000
	# Whatever is planned for is locked, and was loaded before.
	days=$(sql "BEGIN; SELECT 'x' FROM whk.$call;
		SELECT count(DISTINCT c.oid) FROM pg_locks l
		JOIN pg_class c ON c.oid = l.relation WHERE c.relkind = 'r'
			AND c.relname ~ '^(event|attempt)_2'; COMMIT" |
		tail -n 1)
	ok "... and at no days but the last two: $days" test "$days" -le 2
done
plans 'stat_times(NULL, NULL)'
like "$(cat "$T/plans")" 'Tid Range Scan on attempt_' \
	"the newest are at the end of their table"

done_testing
