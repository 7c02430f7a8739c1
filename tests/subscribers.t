#!/bin/sh
# SPDX-License-Identifier: ISC
# Subscribers that misbehave: each ends in time with the right word on record,
# and nobody else is held up. tests/rude.py is all of them.
. "$(dirname "$0")/lib.sh"

need jq

start_postgres
start_python "$TOP/tests/rude.py"
wait_for '[ $(wc -l <python.out) = 4 ]'
cp python.out urls
: >python.out

# What each way to behave is, and what it comes to.
cat >wanted <<'END'
another failed protocol
badchunk failed reset
badlength failed protocol
closeafter failed reset
cutchunk failed reset
cuthead failed reset
dirty failed 500
drip failed timeout
dripbody failed timeout
endless100 failed protocol
few100 delivered 200
fine delivered 200
flood delivered 200
floodheader failed protocol
garbage failed protocol
gone failed 410
halftls failed timeout
hang failed timeout
headers failed protocol
lastone delivered 200
long delivered 200
nothing failed timeout
nulheader failed protocol
old failed protocol
redirect failed 302
redirect307 failed 307
reset failed reset
resetafter failed reset
short failed reset
switch failed reset
twolengths failed reset
END

# hook TYPE URL [MEMBER...]: the line of a webhook that gets that type.
hook() {
	hook_type=$1 hook_url=$2
	shift 2
	hook_rest='"timeout_ms":3000,"schedule_ms":[]'
	for member; do
		hook_rest="$hook_rest,$member"
	done
	echo "{\"url\":\"$hook_url\",\"events\":[\"$hook_type\"],$hook_rest}"
}

while read -r how rest; do
	case $how in
	reset) hook "$how" "$(sed -n 2p urls)/" ;;
	halftls) hook "$how" "$(sed -n 3p urls)/" ;;
	nothing) hook "$how" "$(sed -n 4p urls)/" ;;
	redirect307) hook "$how" "$python_url/redirect?status=307" ;;
	*) hook "$how" "$python_url/$how" ;;
	esac
done <wanted >hooks
hook patient "$python_url/fine" >>hooks
exits 0 "webhooks of all kinds" sh -c 'whk-add - <hooks'

# --- all of them at once, and one that is well -----------------------------

mkfifo lines
spawn send sh -c 'exec whk-send <lines'
exec 3>lines
while read -r how rest; do
	echo "{\"id\":\"$how\",\"type\":\"$how\",\"body\":\"x\"}" >&3
done <wanted
n=0
while [ "$n" -lt 20 ]; do
	n=$((n + 1))
	echo "{\"id\":\"p$n\",\"type\":\"patient\",\"body\":\"x\"}" >&3
	wait_for "grep -q '\"p$n\"' send.out" || break
done
late=$(sql "SELECT max(extract(epoch FROM at - time) * 1000 + total_us / 1000)
	::int FROM whk.attempt WHERE event LIKE 'p%'")
echo "# one that is well waits $late ms at the most"
ok "one that is well is not held up" test "$late" -lt \
	"$((WAIT > 20 ? 10000 : 1000))"
total=$(($(wc -l <wanted) + 20))
wait_for "[ \$(wc -l <send.out) = $total ]"
jq -r '"\(.type) \(.outcome) \(.status // .error)"' send.out |
	grep -v ^patient | sed 's/^reset failed connect/reset failed reset/' |
	sort >got
same got wanted "each has the right word"
is "$(sql "SELECT event || ' ' || outcome || ' ' || coalesce(status::text,
	error) FROM whk.attempt WHERE event NOT LIKE 'p%' ORDER BY event
	COLLATE \"C\"" | sed 's/^reset failed connect/reset failed reset/')" \
	"$(cat wanted)" "... on record too"
is "$(sql "SELECT count(*) FROM whk.attempt WHERE total_us > 4000000
	OR total_us < 2900000 AND error = 'timeout'")" 0 "... in time"
not_ok "... a redirect is not followed" grep -q followed python.out
is "$(sql "SELECT disabled_why FROM whk.webhook WHERE disabled_at IS NOT NULL"
	)" '410 Gone' "... 410 disables the webhook"
is "$(sql "SELECT length(answer), encode(answer, 'hex') FROM whk.attempt
	WHERE event = 'dirty'")" "8|00ffc3281b5b316d" \
	"an answer of NULs and bad UTF-8 is on record as it came"
is "$(sql "SELECT regexp_replace(headers, '[ -~]', '', 'g') FROM whk.attempt
	WHERE event = 'dirty'")" '' "... its headers are made visible"
is "$(sql "SELECT max(length(answer)), max(octet_length(headers)) <= 16384
	FROM whk.attempt")" "1024|t" "... of the others no more than is kept"

# --- memory ----------------------------------------------------------------

hwm() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$send_pid/status"; }
before=$(hwm)
sql "UPDATE whk.webhook SET disabled_at = NULL, failures = 0,
	blocked_until = NULL" >/dev/null
n=0
while [ "$n" -lt 60 ]; do
	n=$((n + 1))
	for how in flood floodheader headers garbage; do
		echo "{\"id\":\"$how$n\",\"type\":\"$how\",\"body\":\"x\"}"
	done >&3
done
wait_for '[ "$(sql "SELECT count(*) FROM whk.attempt
	WHERE event ~ '\''^flood[0-9]'\''")" = 60 ]'
after=$(hwm)
echo "# peak memory: $before KiB, after floods $after KiB"
limit=20000
[ -z "${WHK_TEST_SLOW:-}" ] || limit=200000
ok "floods do not fill the memory" test $((after - before)) -lt "$limit"
like "$(jq -r 'select(.flooded).flooded' python.out | sort -n | tail -n 1)" \
	'^[0-9]{1,7}$' "... they are cut off at once"
exec 3>&-
reap "$send_pid"
is "$status $(cat send.err)" '0 ' "whk-send ends well, with nothing to say"

# --- connections that are kept ---------------------------------------------

# one_by_one TYPE N: so many events, one at a time, over kept connections.
one_by_one() {
	sql "UPDATE whk.webhook SET max_in_flight = 1, failures = 0,
		blocked_until = NULL, backlog = false WHERE events = '{$1}'"
	: >python.out
	n=0
	while [ "$n" -lt "$2" ]; do
		n=$((n + 1))
		echo "{\"id\":\"$1_$n\",\"type\":\"$1\",\"body\":\"x\"}"
	done | whk-send >out 2>err
	status=$?
	status_is 0 "$1: all are attempted"
	is "$(cat err)" '' "... with nothing to say"
}

seen() {
	jq -r "select(.how == \"$1\") | \"\(.id) \(.attempt)\"" python.out |
		sort
}
recorded() {
	sql "SELECT event || ' ' || attempt FROM whk.attempt
		WHERE event LIKE '$1\\_%' $2" | sort
}

one_by_one lastone 200
is "$(seen lastone | uniq -d)" '' "closed after each answer: none is sent twice"
jq -r 'select(.how == "lastone" and .status == 200).id + " 1"' python.out | sort >answered
recorded lastone "AND outcome = 'delivered'" >delivered
same answered delivered "... what was answered is delivered, and no other"
recorded lastone '' >attempts
seen lastone | comm -23 - attempts >extra
is "$(cat extra)" '' "... what the server saw is on record"
is "$(wc -l <attempts)" 200 "... each has one attempt"
echo "# $(wc -l <delivered) of 200 delivered"

hook second "$python_url/second" '"max_in_flight":1' |
	whk-add - >out 2>err
sql "UPDATE whk.webhook SET schedule = ARRAY[1, 1, 1, 1, 1]
	WHERE events = '{second}'"
one_by_one second 8
wait_for '[ "$(recorded second "" | wc -l)" = 8 ]'
seen second >was_seen
recorded second '' >was_recorded
same was_seen was_recorded \
	"closed as a request came: what the server saw is on record, once"
is "$(sql "SELECT count(*) FILTER (WHERE outcome = 'delivered'),
	count(*) FILTER (WHERE error = 'reset') FROM whk.attempt
	WHERE event LIKE 'second\\_%'")" "4|4" "... half of it a reset"

# --- throttling ------------------------------------------------------------

# waits AFTER [STATUS]: the seconds until the retry of an event whose answer
# had that Retry-After; and how long its webhook is blocked, or "open".
waits() {
	sql "UPDATE whk.webhook SET
		url = '$python_url/wait?after=$1&status=${2:-500}',
		blocked_until = NULL, blocks = 0, failures = 0,
		backlog = false, schedule = '{5000}' WHERE events = '{fine}';
	TRUNCATE whk.pending"
	echo '{"type":"fine","body":"x"}' | whk-send >out 2>err
	sql "SELECT round(extract(epoch FROM next_at - clock_timestamp())),
		coalesce(round(extract(epoch FROM (SELECT blocked_until
			FROM whk.webhook WHERE events = '{fine}')
			- clock_timestamp()))::text, 'open')
		FROM whk.pending" | tr '|' ' '
}

# near GOT WANTED WHAT: the same words, and numbers that are nearly the same.
near() {
	if echo "$1 $2" | awk 'function near(a, b) {
			return a == b || a ~ /^[0-9]+$/ && b ~ /^[0-9]+$/ &&
				a - b <= 2 + b / 5 && b - a <= 2 + b / 5 }
		NF != 4 || !near($1, $3) || !near($2, $4) { exit 1 }'
	then
		pass "$3"
	else
		is "$1" "$2, or nearly" "$3"
	fi
}

near "$(waits 100)" '100 open' "Retry-After in seconds, on any failure"
near "$(waits date200)" '200 open' "... as a date"
near "$(waits 100000000)" '86400 open' "... of years: a day at the most"
near "$(waits 99999999999999999999999)" '86400 open' "... beyond all numbers"
near "$(waits date999999999)" '86400 open' "... a date in decades"
near "$(waits date-1000)" '5 open' "... a date that has passed"
near "$(waits 0)" '5 open' "... at once: not before the schedule says"
for odd in -5 1e9 0x10 soon '%20' 5s; do
	near "$(waits "$odd")" '5 open' "... '$odd' says nothing"
done
for status in 429 502 503 504; do
	near "$(waits 100 $status)" '100 100' \
		"$status with Retry-After blocks the webhook as long"
	near "$(waits soon $status)" '5 5' "... without it for 5 s"
done
near "$(waits 100000000 503)" '86400 86400' "... for a day at the most"
echo '{"type":"fine","id":"other","body":"x"}' | whk-send >out 2>err
is "$(cat out)" '' "another event of a blocked webhook is not sent"
is "$(sql "SELECT next_at IS NULL FROM whk.pending WHERE event = 'other'")" t \
	"... but waits for it"

done_testing
