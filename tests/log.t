#!/bin/sh
# SPDX-License-Identifier: ISC
# What the programs of the pipeline say of themselves: as text, as JSON lines,
# as logfmt, to the journal.
# shellcheck disable=SC2119 # start_postgres without an argument
. "$(dirname "$0")/lib.sh"
need jq

start_postgres
start_mq
start_recv
exits 0 "a webhook" whk-add "$recv_url"

for program in whk-poll whk-send whk-due; do
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

done_testing
