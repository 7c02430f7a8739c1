#!/bin/sh
# SPDX-License-Identifier: ISC
# whk-list: the table, the lines, and what is chosen.
# shellcheck disable=SC2119 # start_postgres without an argument
. "$(dirname "$0")/lib.sh"
need jq

start_postgres

# --- the command line --------------------------------------------------------

exits 0 "-h" whk-list -h
out_like '^usage: whk-list ' "-h says how it is used"
exits 0 "--version" whk-list --version
out_like '^whk-list [0-9]+\.' "--version says which"
exits 2 "an unknown option" whk-list --nope
for bad in 0 -- -1 x 1x 1.0 9223372036854775808 '' ' 1' +1; do
	[ "$bad" != -- ] || continue
	exits 2 "no id: '$bad'" whk-list -- "$bad"
	err_like "^whk-list: '.*' is no id of a webhook$" "it is named"
done
exits 2 "no state" whk-list -s asleep
err_like "^whk-list: --state: 'asleep' is none of active, " "it is named"
exits 2 "an empty tenant" whk-list -T ''
exits 2 "an empty type" whk-list -t ''
exits 2 "a type that is not UTF-8" whk-list -t "$(printf '\377')"
exits 75 "no server" env PGHOST="$T/nowhere" whk-list
err_like "^whk-list: .*$T/nowhere" "it says where it looked"

# --- the table ---------------------------------------------------------------

exits 0 "of none" whk-list
out_is 'ID  STATE  TENANT  EVENTS  URL  DESCRIPTION' "a header"
exits 0 "-j of none" whk-list -j
out_is '' "no lines"

whk-add - >"$T/out" 2>"$T/err" <<'END'
{"url":"http://h/1","events":["order.*","paid"],"tenant":"acme"}
{"url":"http://h/2"}
{"url":"http://h/3","events":["order.paid"],"description":"für 漢字"}
{"url":"http://h/4","events":["*"],"tenant":"other","description":"short"}
END
exits 0 "of four" whk-list
cat >"$T/wanted" <<'END'
ID  STATE   TENANT  EVENTS        URL         DESCRIPTION
 1  active  acme    order.*,paid  http://h/1  -
 2  active  -       *             http://h/2  -
 3  active  -       order.paid    http://h/3  für 漢字
 4  active  other   *             http://h/4  short
END
same "$T/wanted" "$T/out" "it is aligned"
ok "it looks the same on a terminal" sh -c \
	'script -qec whk-list /dev/null </dev/null | tr -d "\r" | cmp - wanted'

# What a terminal could act on cannot get in by whk-add, but may be there.
sql "UPDATE whk.webhook SET description = E'a\\033[2Jb\\nc' WHERE id = 4"
exits 0 "an escape sequence" whk-list 4
out_like 'a\\033\[2Jb\\nc$' "is shown as text"
is "$(wc -l <"$T/out")" 2 "on one line"
sql "UPDATE whk.webhook SET description = NULL, tenant = '漢字漢字漢字'
	WHERE id = 4"
exits 0 "wide characters" whk-list 3 4
cat >"$T/wanted" <<'END'
ID  STATE   TENANT        EVENTS      URL         DESCRIPTION
 3  active  -             order.paid  http://h/3  für 漢字
 4  active  漢字漢字漢字  *           http://h/4  -
END
same "$T/wanted" "$T/out" "are counted as wide"
sql "UPDATE whk.webhook SET tenant = 'other' WHERE id = 4"

long=$(printf '%050d' 0)
sql "UPDATE whk.webhook SET tenant = '$long' WHERE id = 4"
exits 0 "a long value" whk-list 3 4
out_like " 4  active  $long  \\*  " "is not cut"
out_like '^ 3  active  - {39}  order.paid' "its column is not wider than 40"
sql "UPDATE whk.webhook SET tenant = 'other' WHERE id = 4"

# --- lines -------------------------------------------------------------------

whk-add -e a -T t -f '$.a == 1' -H 'A: b' -c a/b -t 1s --schedule once \
	--rate 5/s -m 1 --ordered -d d http://h/5 >"$T/out" 2>"$T/err"
exits 0 "-j" whk-list -j 5
is "$(jq -Sc 'del(.created)' "$T/out")" '{"cancelled":0,"content_type":"a/b",'\
'"delivered":0,"description":"d","events":["a"],"failed":0,'\
'"filter":"($.\"a\" == 1)","headers":{"A":"b"},"id":5,"max_in_flight":1,'\
'"ordered":true,"rate":5,"retried":0,"schedule_ms":[],"state":"active",'\
'"tenant":"t","timeout_ms":1000,"url":"http://h/5"}' "all that there is"
unlike "$(cat "$T/out")" whsec "but the secret"
sql "UPDATE whk.webhook SET disabled_at = now(), disabled_why = '410 Gone',
	failures = 3, last_status = 410, last_at = '2026-01-02 03:04:05.678Z',
	blocked_until = now() + interval '1 hour' WHERE id = 5"
exits 0 "-j of one that failed" whk-list -j 5
is "$(jq -c '[.state, .why, .failures, .last_status, .last]' "$T/out")" \
	'["disabled","410 Gone",3,410,"2026-01-02T03:04:05.678Z"]' \
	"how it stands"
is "$(jq '.blocked_until != null' "$T/out")" true "and until when it is blocked"

# --- what is chosen ----------------------------------------------------------

# chooses IDS OPTION...: those are listed.
chooses() {
	chooses_wanted=$1
	shift
	is "$(whk-list -j "$@" | jq .id | paste -sd ' ')" "$chooses_wanted" \
		"whk-list $*"
	is "$(whk-list "$@" | awk 'NR > 1 { print $1 }' | paste -sd ' ')" \
		"$chooses_wanted" "the same as a table"
}

chooses '1 2 3 4 5'
chooses '1 3' 3 1 3
chooses '1' -T acme
chooses '' -T nobody
chooses '2 3' -t order.paid
chooses '1 2 3' -t order.paid -T acme
chooses '2 4' -t x -T other
chooses '2' -t x
chooses '2 3' --type order.paid 1 2 3
chooses '5' -s disabled
chooses '1 2 3 4' --state active
sql "SELECT FROM whk.pause('{2}');
	UPDATE whk.webhook SET blocked_until = now() + interval '1 hour'
	WHERE id = 3" >"$T/out"
chooses '2' -s paused
chooses '3' -s blocked
chooses '1 4' -s active
chooses '4' -s active --tenant other
sql "UPDATE whk.webhook SET blocked_until = now() - interval '1 s'
	WHERE id = 3"
chooses '1 3 4' -s active

exits 1 "an id that is not there" whk-list 3 99 1 77
is "$(awk 'NR > 1 { print $1 }' "$T/out" | paste -sd ' ')" '1 3' \
	"the others are listed"
err_is 'whk-list: 77: no such webhook
whk-list: 99: no such webhook' "it is named"
exits 1 "none that is there" whk-list -j 99
out_is '' "nothing is listed"
exits 0 "one that is there and not of that tenant" whk-list -j -T acme 3
out_is '' "is not listed"

# --- many --------------------------------------------------------------------

n=5000
[ -z "${WHK_TEST_SLOW:-}" ] || n=2100
seq $n | sed 's|.*|{"url":"http://many/&","tenant":"many"}|' |
	whk-add - >"$T/ids" 2>"$T/err"
is "$(whk-list -j | jq .id | paste -sd ' ')" \
	"$(seq -s ' ' $((n + 5)))" "-j has each of $n once, in order"
is "$(whk-list | awk 'NR > 1 { print $1 }' | paste -sd ' ')" \
	"$(seq -s ' ' $((n + 5)))" "and so has the table"
# shellcheck disable=SC2046 # many words
is "$(whk-list $(seq 6 $((n + 5))) | wc -l)" $((n + 1)) "all by their ids"
# A page ends where the list does: 1000 of them.
# shellcheck disable=SC2046 # many words
is "$(whk-list -j $(seq 6 1005) | wc -l)" 1000 "a page by their ids"
is "$(whk-list -j -T many | wc -l)" $n "all of a tenant"
sql "UPDATE whk.webhook SET paused_at = now() WHERE id = $((n + 5))"
is "$(whk-list -j -T many -s paused | jq .id)" $((n + 5)) "the last of many"
[ -n "${WHK_TEST_SLOW:-}" ] || {
	command time -f %M -o "$T/peak" whk-list >"$T/out"
	ok "in little memory ($(cat "$T/peak") KiB)" \
		test "$(cat "$T/peak")" -lt 20000
}

# --- stdout ------------------------------------------------------------------

exits 1 "a full disk" sh -c 'whk-list >/dev/full'
err_is 'whk-list: stdout: No space left on device' "it says so"
exits 1 "a full disk, lines" sh -c 'whk-list -j >/dev/full'
run sh -c 'whk-list -j | head -n 1'
is "$(wc -l <"$T/out")" 1 "a pipe that is closed"
err_is '' "is no error"

done_testing
