#!/bin/sh
# SPDX-License-Identifier: ISC
# whk-set: what each option changes, clears, refuses; pause, resume, rotate.
# shellcheck disable=SC2016,SC2119 # the dollars of SQL/JSON paths
. "$(dirname "$0")/lib.sh"
need jq

start_postgres

for n in 1 2 3; do
	whk-add -T acme -e a -f '$.a == 1' -H 'A: b' -c a/b -t 1s --rate 1/s \
		--schedule 1s -m 1 --ordered -d d "http://h/$n"
done >"$T/out" 2>"$T/err"

# definition ID: all that whk-add sets.
definition() {
	sql "SELECT ROW(url, events, tenant, filter, headers, content_type,
		timeout_ms, schedule, rate, max_in_flight, ordered, description)
		FROM whk.webhook WHERE id = $1"
}
first=$(definition 1)

# --- the command line --------------------------------------------------------

exits 0 "-h" whk-set -h
out_like '^usage: whk-set ' "-h says how it is used"
exits 0 "--version" whk-set --version
out_like '^whk-set [0-9]+\.' "--version says which"
exits 2 "an unknown option" whk-set --nope 1
exits 2 "no id" whk-set -p
exits 2 "an id that is none" whk-set -p 1 x
err_is "whk-set: 'x' is no id of a webhook" "it is named"
exits 2 "nothing to change" whk-set 1
err_is 'whk-set: nothing to change' "it says so"
exits 2 "pause and resume" whk-set -p -r 1
exits 2 "ordered and unordered" whk-set --ordered --unordered 1
exits 2 "a secret and no --rotate" whk-set -s "$T/secret" 1
exits 75 "no server" env PGHOST="$T/nowhere" whk-set -p 1
err_like "^whk-set: .*$T/nowhere" "it says where it looked"

# --- each by itself ----------------------------------------------------------

# sets FIELD WANTED OPTION...: webhook 2 is changed so, and in nothing else.
sets() {
	sets_field=$1 sets_wanted=$2
	shift 2
	sets_rest="to_jsonb(w) - '{$sets_field,backlog,probe_at}'::text[]"
	sets_before=$(sql "SELECT $sets_rest FROM whk.webhook w WHERE id = 2")
	exits 0 "whk-set $(printf '%.30s ' "$@")" whk-set "$@" 2
	is "$(sql "SELECT $sets_field FROM whk.webhook WHERE id = 2")" \
		"$sets_wanted" "$sets_field is set"
	is "$(sql "SELECT $sets_rest FROM whk.webhook w WHERE id = 2")" \
		"$sets_before" "nothing else is"
}

sets url http://h/new -u http://h/new
sets events '{x.*,y}' -e 'x.*' -e y
sets events '{}' -e ''
sets tenant other -T other
sets tenant '' --tenant ''
sets filter '($."b" > 2)' -f '$.b > 2'
sets filter '' -f ''
sets headers '{"C": "d", "E": "f"}' -H 'C: d' -H 'E: f'
sets headers '{}' -H ''
sets content_type x/y -c x/y
sets content_type '' -c ''
sets timeout_ms 2500 -t 2.5s
sets timeout_ms 15000 -t ''
sets schedule '{}' --schedule once
sets schedule '{1000,2000}' --schedule 1s,2s
sets schedule '' --schedule ''
sets rate 10 --rate 10/s
sets rate '' --rate ''
sets max_in_flight 7 -m 7
sets max_in_flight 32 -m ''
sets ordered f --unordered
sets ordered t --ordered
sets description 'new words' -d 'new words'
sets description '' -d ''
is "$(definition 1)" "$first" "another webhook is as it was"
is "$(sql "SELECT count(*) FROM whk.route WHERE webhook = 2
	AND tenant = '' AND pattern = '*'")" 1 "its route is as defined"

# --- refused -----------------------------------------------------------------

for option in -uftp://h/ -u '-ea*' -fx -f'$.a' -Ha -Hhost:x -cx -t2h \
	--schedule=0s --rate=5 -m0 -d"$(printf '\033')" -T"$(printf '\377')"; do
	set -- "$option"
	[ "$option" != -u ] || set -- -u ''
	exits 2 "refused: $(printf '%s ' "$@" | cat -v)" whk-set -p "$@" 1
	err_like '^whk-set: ' "with a word"
done
is "$(definition 1)" "$first" "nothing was changed"
is "$(sql "SELECT paused_at IS NULL FROM whk.webhook WHERE id = 1")" t \
	"nor was it paused"
exits 0 "an address that is not public" whk-set -n -u http://10.0.0.1/ 1
err_like '^whk-set: warning: .*not a public address' "is warned of"

# --- pause and resume --------------------------------------------------------

state() { sql "SELECT whk.state(w, now()) FROM whk.webhook w WHERE id = $1"; }

exits 0 "-p" whk-set -p 1 2
is "$(state 1) $(state 2) $(state 3)" 'paused paused active' "they are paused"
exits 0 "-p again" whk-set --pause 1
exits 0 "-r" whk-set -r 1
is "$(state 1) $(state 2)" 'active paused' "one is active"
sql "UPDATE whk.webhook SET disabled_at = now(), disabled_why = 'x',
	blocked_until = now() + interval '1 h', failures = 5 WHERE id = 2"
exits 0 "-r of a disabled one" whk-set --resume 2
is "$(state 2)" active "is active"
is "$(sql "SELECT failures FROM whk.webhook WHERE id = 2")" 0 "and forgiven"

# --- secrets -----------------------------------------------------------------

# signs ID TIME: the secrets that sign then, newest first.
signs() {
	sql "SELECT secrets FROM whk.webhooks('{$1}', $2)" | cut -d' ' -f1 |
		paste -sd ' '
}

old=$(signs 1 'now()')
exits 0 "-R" whk-set -R 1
err_like '^whk-set: secret: whsec_[A-Za-z0-9+/]{32}$' "shows the new secret"
new=$(sed 's/.*: //' "$T/err")
is "$(signs 1 'now()')" "$new $old" "both sign"
is "$(signs 1 "now() + interval '86390 s'")" "$new $old" "for a day"
is "$(signs 1 "now() + interval '86401 s'")" "$new" "and then the new one"
exits 0 "-R --overlap" whk-set -R --overlap 1h 1
newer=$(sed 's/.*: //' "$T/err")
is "$(signs 1 'now()')" "$newer $new $old" "three sign"
is "$(signs 1 "now() + interval '3601 s'")" "$newer" \
	"what is longer is shortened"
exits 0 "-R --overlap 0" whk-set -R --overlap 0 1
newest=$(sed 's/.*: //' "$T/err")
is "$(signs 1 'clock_timestamp()')" "$newest" "at once one signs"
exits 2 "a bad overlap" whk-set -R --overlap x 1
exits 2 "an overlap of more than a year" whk-set -R --overlap 366d 1

echo whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw >"$T/secret"
exits 0 "-R -s" whk-set -R -s "$T/secret" --overlap 0 1
err_is '' "does not show the secret"
is "$(signs 1 'clock_timestamp()')" "$(cat "$T/secret")" "it signs"
echo whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx | run whk-set -R -s - 1
status_is 0 "-R -s -"
is "$(signs 1 'now()')" "$(sed 's/w$/x/' "$T/secret") $(cat "$T/secret")" \
	"stdin's signs first"
echo x >"$T/secret"
exits 2 "a secret that is none" whk-set -R -s "$T/secret" 1

exits 0 "-R of two" whk-set -R 2 3
is "$(sed -nE 's/^whk-set: ([23]): secret: whsec_.*/\1/p' "$T/err" |
	paste -sd ' ')" '2 3' "shows each with its id"
is "$(sort -u "$T/err" | sed 's/.*: //' | uniq | wc -l)" 2 "they are two"
exits 0 "-R twice of one" whk-set -R 3 3
is "$(wc -l <"$T/err")" 1 "is once"

# --- ids that are not there --------------------------------------------------

exits 1 "an id that is not there" whk-set -d here 2 99 3
err_is 'whk-set: 99: no such webhook' "it is named"
is "$(sql "SELECT string_agg(id::text, ' ' ORDER BY id) FROM whk.webhook
	WHERE description = 'here'")" '2 3' "the others are changed"
exits 1 "none that is there" whk-set -R -p -d x 99

# --- -j and -n ---------------------------------------------------------------

exits 0 "-j" whk-set -j -p -d words 2 3
is "$(jq -c '[.id, .state, .description]' "$T/out" | paste -sd ' ')" \
	'[2,"paused","words"] [3,"paused","words"]' "the changed lines"
exits 0 "-j -R" whk-set -j -R 2 3
is "$(jq -r .secret "$T/out")" "$(for id in 2 3; do
	signs $id 'now()' | cut -d' ' -f1
done)" "with the secrets"
err_is '' "which are shown nowhere else"

before=$(sql "SELECT to_jsonb(w) FROM whk.webhook w; SELECT * FROM whk.secret")
exits 0 "-n" whk-set -n -j -r -R -d other -e z 2 3
is "$(jq -c '[.id, .state, .description, .secret]' "$T/out" | paste -sd ' ')" \
	'[2,"active","other",null] [3,"active","other",null]' \
	"the lines as they would be"
err_is 'whk-set: 2 webhooks would be changed' "it says what would be"
is "$(sql "SELECT to_jsonb(w) FROM whk.webhook w; SELECT * FROM whk.secret")" \
	"$before" "nothing is changed"
exits 2 "-n with a bad filter" whk-set -n -f '$.a' 2
exits 1 "-n of one that is not there" whk-set -n -p 99

# --- while others are at it, and stdout --------------------------------------

# Either all or nothing: what fails takes back what went before.
sql "ALTER TABLE whk.secret ADD CHECK (webhook <> 3) NOT VALID"
exits 1 "one that cannot be stored" whk-set -R -d broken 2 3
is "$(sql "SELECT count(*) FROM whk.webhook WHERE description = 'broken'")" 0 \
	"nothing is changed"
sql "ALTER TABLE whk.secret DROP CONSTRAINT secret_webhook_check"

exits 1 "a full disk" sh -c 'whk-set -j -d full 2 >/dev/full'
err_like 'stdout: No space left on device: but the webhooks were changed' \
	"it says what was done"
is "$(sql "SELECT description FROM whk.webhook WHERE id = 2")" full \
	"which is true"
exits 0 "a full disk that nothing goes to" sh -c 'whk-set -d x 2 >/dev/full'

done_testing
