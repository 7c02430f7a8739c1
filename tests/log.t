#!/bin/sh
# SPDX-License-Identifier: ISC
# What the programs that go on say of themselves: as text, as JSON lines, as
# logfmt, to the journal.
# shellcheck disable=SC2119 # start_postgres without an argument
. "$(dirname "$0")/lib.sh"
need jq

start_postgres
start_mq
start_recv
exits 0 "a webhook" whk-add "$recv_url"

for program in whk-poll whk-send whk-due whk-mq whk-recv whk-api; do
	exits 2 "$program: no format" $program --log-format xml </dev/null
	err_is "$program: --log-format: 'xml' is none of text, json, logfmt" \
		"it is named"
done

# Without anything to say nothing is said.
echo '{"n":1}' | whk-emit
run sh -c 'whk-poll -1 | whk-send >attempts'
err_is '' "text: nothing to say"

# levels: what each line says.
levels() { jq -r '"\(.level) \(.program) \(.message)"' "$T/err"; }

echo '{"n":2}' | whk-emit
run whk-poll -1 --log-format json
cp "$T/out" lines
is "$(levels | sed 's/version [0-9.]*/version N/')" \
	'info whk-poll version N starts
info whk-poll 1 printed, 0 repeats, 0 bad' "json: the start and the end"
is "$(jq -c '[(.time | test("^20.*Z$")), .pid > 0, .printed]' "$T/err" |
	tail -n 1)" '[true,true,1]' "with its fields"
run sh -c 'whk-send -v --log-format json <lines >attempts'
is "$(jq -c 'select(.event) | [.webhook, .attempt, .outcome, .status]' \
	"$T/err")" '[1,1,"delivered",200]' "-v: each attempt"
is "$(tail -n 1 "$T/err" | jq -c '[.delivered, .undelivered, .late, .bad]')" \
	'[1,0,0,0]' "the counts"
printf 'x\033[2J\n' >lines
run env WHK_LOG_FORMAT=logfmt whk-send <lines
status_is 1 "logfmt, by the environment"
err_like '^time=20[^ ]*Z level=warning program=whk-send pid=[0-9]+ message="' \
	"a bad line"
err_like ' message="line 1: .*"$' "as its message"
err_like ' level=info .* late=0 bad=1$' "the counts"
run whk-due -v --log-format logfmt
err_like ' message="0 printed" printed=0$' "whk-due too"

# To the journal: its stream is a socket or a pipe, known by its inode.
printf 'x\n' >lines
sh -c 'exec 2>journal; JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/2) \
	exec whk-send <lines' >"$T/out"
is "$(sed 's/ [0-9.]* starts/ N starts/; s/not JSON.*/not JSON/' journal)" \
	'<6>whk-send: version N starts
<4>whk-send: line 1: not JSON
<6>whk-send: 0 delivered, 0 not, 0 too late, 1 bad lines' "with priorities"
run env JOURNAL_STREAM=1:2 whk-send <lines
err_like '^whk-send: line 1: ' "another stream has none"

# A trouble that begins and is over.
spawn due whk-due -f --log-format json
wait_for '[ -s "$T/due.err" ]'
wait_for '[ "$(sql "SELECT count(*) FROM pg_stat_activity
	WHERE application_name = '\''whk-due'\''")" = 1 ]'
stop_postgres
wait_for 'grep -q warning "$T/due.err"'
restart_postgres
wait_for 'grep -q notice "$T/due.err"'
stop "$pid"
cp "$T/due.err" "$T/err"
# It may be away in more than one way: ended, not there, starting.
is "$(levels | sed 's/database: .*/away/; s/version [0-9.]*/version N/' |
	uniq)" \
	'info whk-due version N starts
warning whk-due away
notice whk-due the database is there again
info whk-due 0 printed' "begins, is over, the end"

# --- the servers ---

# An entry that whatever goes on has: what it says, without what changes.
said() {
	jq -r '"\(.level) \(.message)"' "$1" |
		sed 's/version [0-9.]*/version N/; s/[0-9]* us$/N us/
			s,http://.*,URL,; s/database: .*/away/'
}

spawn queue whk-mq -p 0 -q full -m 1m -v --log-format json
wait_for '[ "$(wc -l <"$T/queue.out")" = 2 ]'
sqs_endpoint=$(sed -n 1p "$T/queue.out") full=$(sed -n 2p "$T/queue.out")
printf '{"QueueUrl":"%s","MessageBody":"%s"}' "$full" \
	"$(head -c 200000 /dev/zero | tr '\0' x)" >large
for _ in 1 2 3 4 5 6; do
	sqs SendMessage @large >/dev/null 2>&1
done
sqs ReceiveMessage "{\"QueueUrl\":\"$full\"}" >received
sqs DeleteMessage "$(jq -c --arg url "$full" '{QueueUrl: $url,
	ReceiptHandle: .Messages[0].ReceiptHandle}' received)" >/dev/null
stop "$queue_pid"
is "$(said queue.err)" 'info version N starts
info SendMessage: 200
info SendMessage: 200
info SendMessage: 200
info SendMessage: 200
info SendMessage: 200
warning the memory is used up: what is sent is refused
info SendMessage: 403, The memory for messages is used up (whk-mq --memory 1048576).
info ReceiveMessage: 200
notice there is memory again
info DeleteMessage: 200
info 5 sent, 1 received, 1 deleted' "whk-mq: each request, memory, the counts"
is "$(tail -n 1 queue.err | jq -c '[.sent, .received, .deleted]')" '[5,1,1]' \
	"with its fields"

start_recv_as hook -v --log-format logfmt -r 503
curl -s "$hook_url/a" -H 'webhook-id: msg_1' -d x
stop "$hook_pid"
like "$(cat hook.err)" ' message="listening on http' "whk-recv: where"
like "$(cat hook.err)" ' level=info .* method=POST path=/a id=msg_1 answer=503$' \
	"each request"
like "$(tail -n 1 hook.err)" ' requests=1 wrong=0 refused=0$' "the counts"

spawn api whk-api -a 127.0.0.1:0 -v --log-format json
wait_for 'grep -q listening "$T/api.err"'
api_url=$(sed -n 's/.*listening on \([^"]*\).*/\1/p' api.err)
wait_for 'curl -sf "$api_url/healthz"'
curl -s "$api_url/none" >/dev/null
stop_postgres
wait_for 'grep -q warning "$T/api.err"'
curl -s "$api_url/healthz" >/dev/null
restart_postgres
wait_for 'grep -q notice "$T/api.err"'
stop "$api_pid"
is "$(said api.err | awk '!seen[$0]++')" 'info version N starts
info listening on URL
info GET /healthz: 200, N us
info GET /none: 404, N us
warning away
info GET /healthz: 503, N us
notice the database is there again
info 3 requests, 1 refused, 1 failed' "whk-api: each request, trouble, the counts"
is "$(tail -n 1 api.err | jq -c '[.requests, .refused, .failed]')" '[3,1,1]' \
	"with its fields"

sh -c 'exec 2>journal; JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/2) \
	exec whk-recv -p 0 -t 0.1' >"$T/out"
is "$(sed 's/ [0-9.]* starts/ N starts/; s,http:.*,URL,' journal)" \
	'<6>whk-recv: version N starts
<6>whk-recv: listening on URL
<6>whk-recv: 0 requests, 0 with a wrong signature, 0 that were none' "to the journal, with priorities"

done_testing
