#!/bin/sh
# SPDX-License-Identifier: ISC
# whk-add: what each option does, what is refused, and many at once.
# shellcheck disable=SC2016,SC2119 # the dollars of SQL/JSON paths
. "$(dirname "$0")/lib.sh"
need jq

start_postgres

url=http://127.0.0.1:9/hook

# field ID EXPRESSION: something of a webhook, as the database has it.
field() { sql "SELECT $2 FROM whk.webhook WHERE id = $1"; }

# --- the command line --------------------------------------------------------

exits 0 "-h" whk-add -h
out_like '^usage: whk-add ' "-h says how it is used"
exits 0 "--version" whk-add --version
out_like '^whk-add [0-9]+\.' "--version says which"
exits 2 "an unknown option" whk-add --nope "$url"
exits 2 "no URL" whk-add
exits 2 "two URLs" whk-add "$url" "$url"
exits 75 "no server" env PGHOST="$T/nowhere" whk-add "$url"
err_like "^whk-add: .*$T/nowhere" "it says where it looked"
is "$(sql "SELECT count(*) FROM whk.webhook")" 0 "so far there is none"

# --- one ---------------------------------------------------------------------

exits 0 "a webhook" whk-add "$url"
out_is 1 "its id, and nothing else, is on stdout"
err_like '^whk-add: secret: whsec_[A-Za-z0-9+/]{32}$' "its secret is shown"
secret=$(sed 's/.*: //' "$T/err")
is "$(sql "SELECT secrets FROM whk.webhooks('{1}')")" "$secret 0" \
	"that is what signs"
is "$(field 1 'ROW(url, events, tenant, filter, headers, content_type,
	timeout_ms, schedule, rate, max_in_flight, ordered, description)')" \
	"($url,{},,,{},,15000,,,32,f,)" "the defaults"

exits 0 "another" whk-add "$url"
isnt "$(sed 's/.*: //' "$T/err")" "$secret" "it has another secret"

exits 0 "all short options" whk-add -e 'order.*' -e paid -T acme \
	-f '$.total > 100' -H 'X-One: a b' -H 'x-two:c ' -c 'text/plain' \
	-t 1500ms -m 5 -d 'für Leute' "$url"
is "$(field 3 "array_to_string(events, '|')")" 'order.*|paid' "-e"
is "$(field 3 tenant)" acme "-T"
is "$(field 3 filter)" '($."total" > 100)' "-f"
is "$(field 3 "headers->>'X-One'")" 'a b' "-H"
is "$(field 3 "headers->>'x-two'")" c "-H without spaces around the value"
is "$(field 3 content_type)" text/plain "-c"
is "$(field 3 timeout_ms)" 1500 "-t"
is "$(field 3 max_in_flight)" 5 "-m"
is "$(field 3 description)" 'für Leute' "-d"

exits 0 "all long options" whk-add --event a --event='*' --tenant t \
	--filter 'exists($.a)' --header 'A: b' --content-type 'a/b; c=d' \
	--timeout 1h --schedule 5s,5m,1.5h --rate 50/s --max 1 --ordered \
	--description x "$url"
is "$(field 4 'ROW(events, tenant, filter, headers, content_type, timeout_ms,
	schedule, rate, max_in_flight, ordered, description)')" \
	'("{a,*}",t,"exists ($.""a"")","{""A"": ""b""}","a/b; c=d",'\
'3600000,"{5000,300000,5400000}",50,1,t,x)' \
	"all of them"
err_like 'warning: .*no shorter than the usual lease' \
	"a timeout that is longer than a lease is warned of"

whk-add --schedule once --rate 30/m "$url" >"$T/out" 2>"$T/err"
is "$(field 5 'ROW(schedule, rate)')" '({},0.5)' \
	"--schedule once, a rate per minute"
whk-add --rate 36/h "$url" >"$T/out" 2>"$T/err"
is "$(field 6 rate)" 0.01 "a rate per hour"

# --- secrets -----------------------------------------------------------------

given=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
signs() { sql "SELECT secrets FROM whk.webhooks('{$1}')"; }

echo $given >"$T/secret"
exits 0 "--secret-file" whk-add -s "$T/secret" "$url"
err_is '' "a secret that was given is not shown"
is "$(signs 7)" "$given 0" "it is the one in the file"
printf %s $given | run whk-add --secret-file - "$url"
status_is 0 "--secret-file -"
is "$(signs 8)" "$given 0" "it is the one of stdin"
printf '%s\r\n' $given | run whk-add -j -s - "$url"
unlike "$(cat "$T/out")" whsec_ "-j does not show it either"
is "$(signs 9)" "$given 0" "a line that ends in CR and LF"
# The key of Standard Webhooks' own tests, as an Ed25519 seed.
echo whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk= >"$T/secret"
exits 0 "a private key" whk-add -s "$T/secret" "$url"

is "$(sql "SELECT count(*) FROM whk.webhook")" 10 "so far there are ten"
for bad in '' whsec_ nonsense "$given x" 'whsec_c2hvcnQ=' \
	whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=; do
	echo "$bad" >"$T/secret"
	exits 2 "a secret that is none: $bad" whk-add -s "$T/secret" "$url"
	err_like "^whk-add: $T/secret: " "the file is named"
	unlike "$(cat "$T/err")" 'ZlN4|MfKQ' "the secret is not shown"
done
printf '%s\n%s\n' $given $given >"$T/secret"
exits 2 "two secrets" whk-add -s "$T/secret" "$url"
head -c 100000 /dev/zero >"$T/secret"
exits 2 "a file that holds no secret" whk-add -s "$T/secret" "$url"
exits 2 "a file that is not there" whk-add -s "$T/nope" "$url"
err_is "whk-add: $T/nope: No such file or directory" "it is named"
exits 2 "a directory" whk-add -s "$T" "$url"

# --- URLs --------------------------------------------------------------------

long=http://h/$(printf '%02039d' 0)
for bad in ftp://h/ h.example h.example:80/x http:h http:/h http:///h http:// \
	'http://?x' '' 'http://h/a b' ' http://h/' http://h/é \
	"http://h/$(printf '\001')" "http://h/$(printf '\377')" \
	'http://h/#x' http://h:99999/ 'http://[::1/' \
	file:///etc/passwd javascript:x "${long}0"; do
	exits 2 "no URL: $(printf %.40s "$bad" | cat -v)" whk-add "$bad"
done
err_like '^whk-add: url: over 2048 bytes$' "the last was too long"
for bad in http://user:pass@h/ http://user@h/ http://:pass@h/; do
	exits 2 "a URL with credentials: $bad" whk-add "$bad"
	err_like '^whk-add: not a usable URL: there is a user or a password' \
		"it says so"
	unlike "$(cat "$T/err")" 'user@|pass@' "and does not show them"
done
exits 2 "a word for the scheme" whk-add ftp://h/
err_is "whk-add: ftp://h/: not a usable URL: only http and https can be used" \
	"the URL is named, and what is wrong"
is "$(sql "SELECT count(*) FROM whk.webhook")" 10 "nothing was added"
for good in "$long" HTTPS://h http://h:8080 'http://[::ffff:7f00:1]/?a=%20&b' \
	http://xn--bcher-kva.example/; do
	exits 0 "a URL: $(printf %.40s "$good")" whk-add -n "$good"
	unlike "$(cat "$T/err")" warning "without a warning"
done

for doubtful in http://10.1.2.3/ 'https://[::1]:80/x' http://169.254.169.254/ \
	http://0x0a.1/; do
	exits 0 "an address that is not public: $doubtful" \
		whk-add -n "$doubtful"
	err_like "^whk-add: warning: .*not a public address" "is warned of"
done
exits 0 "this machine" env -u WHK_ALLOW whk-add -n http://localhost:1/
err_like "^whk-add: warning: .*not a public address" "is warned of"
exits 0 "what WHK_ALLOW lists" \
	env WHK_ALLOW=10.0.0.0/8 whk-add -n http://10.1.2.3
unlike "$(cat "$T/err")" warning "is not"
exits 2 "a bad WHK_ALLOW" env WHK_ALLOW=10.0.0.0/99 whk-add -n "$url"

# --- everything else that is refused -----------------------------------------

# refuses REGEX OPTION...: exit 2, and why.
refuses() {
	refuses_why=$1
	shift
	refuses_what=$(printf '%s ' "$@" | tr '\n' ' ' | cat -v | cut -c1-50)
	exits 2 "refused: $refuses_what" whk-add "$@" "$url"
	err_like "^whk-add: $refuses_why" "and why"
}

long=$(printf '%0300d' 0)
for pattern in '*.a' 'a*' 'a.*.b' '.*' '**' 'a.**' '*.*' '*a'; do
	refuses "events: '.*' is no pattern" -e "$pattern"
done
refuses 'events: empty' -e ''
refuses 'events: over 256 bytes' -e "$long"
refuses 'events: .* control character' -e 'a
b'
refuses "--event: '.377' is not UTF-8" -e "$(printf '\377')"
refuses "events: 'a' is there twice" -e a -e b -e a
refuses 'tenant: empty' -T ''
refuses 'tenant: over 256 bytes' -T "$long"
refuses '--tenant: .* is not UTF-8' -T "$(printf 'a\300')"
refuses 'filter: empty' -f ''
refuses 'filter: syntax error' -f '$.a =='
refuses 'filter: selects but says neither' -f '$.a'
refuses 'filter: selects but says neither' -f 'strict $.a'
refuses 'filter: over 8192 bytes' -f "$(printf '%09000d' 0)"
refuses "--header: 'a' is not 'Name: value'" -H a
refuses "headers: '' is no name" -H ': x'
refuses "headers: 'a b' is no name" -H 'a b: x'
refuses "headers: 'a ' is no name" -H 'a : x'
refuses "headers: 'é' is no name" -H 'é: x'
refuses 'headers: a: empty' -H 'a: '
refuses 'headers: a: .* not visible ASCII' -H 'a: b
c: d'
refuses 'headers: a: .* not visible ASCII' -H "a: $(printf 'b\rc')"
refuses 'headers: a: .* not visible ASCII' -H 'a: é'
refuses 'headers: a: over 4096 bytes' -H "a: $(printf '%04097d' 0)"
refuses "--header: 'a: c' has a name that was given" -H 'a: b' -H 'a: c'
refuses 'headers: .* is there twice' -H 'a: b' -H 'A: c'
for name in webhook-id webhook-timestamp Webhook-Signature webhook-event \
	webhook-attempt webhook-else Content-Type content-length HOST \
	connection transfer-encoding User-Agent expect te trailer upgrade \
	keep-alive proxy-connection; do
	refuses "headers: $name is whk's own" -H "$name: x"
done
refuses "content_type: .* not like application/json" -c json
refuses "content_type: .* not like application/json" -c 'a/'
refuses "content_type: .* not like application/json" -c 'a/b,c'
refuses "content_type: .* not visible ASCII" -c 'a/b; é'
refuses "--timeout: 'x' is not a duration" -t x
refuses "timeout_ms: not a whole number from 1 to 3600000" -t 0
refuses "timeout_ms: not a whole number from 1 to 3600000" -t 3601s
for schedule in '' ',' '5s,' ',5s' '5s,,5s' x 'once,5s' '5s 5s'; do
	refuses '--schedule: ' --schedule "$schedule"
done
refuses 'schedule_ms: not a whole number' --schedule 0s
refuses 'schedule_ms: not a whole number' --schedule 25d
refuses 'schedule_ms: over 100' --schedule "$(seq -s, 101)"
for rate in 50 '' /s 1e3/s -1/s 0x10/s nan/s inf/s 5/d ' 5/s' 1.2.3/s; do
	refuses '--rate: ' --rate "$rate"
done
refuses 'rate: not a number from' --rate 0/s
refuses 'rate: not a number from' --rate 9999999/s
for max in 0 -1 10001 x '' 1.5; do
	refuses "--max: '.*' is not a number from 1 to 10000" -m "$max"
done
refuses 'description: empty' -d ''
refuses 'description: over 1024 bytes' -d "$(printf '%01025d' 0)"
refuses 'description: .* control character' -d "$(printf 'a\033[2Jb')"
refuses 'description: .* control character' -d "$(printf 'a\302\205b')"
is "$(sql "SELECT count(*) FROM whk.webhook")" 10 "nothing was added"
is "$(sql "SELECT nextval('whk.webhook_id_seq')")" 11 "nor begun"

# --- -j and -n ---------------------------------------------------------------

exits 0 "-j" whk-add -j -T acme -e a "$url"
is "$(jq -c '[.id, .url, .tenant, .events, .state, .timeout_ms]' "$T/out")" \
	"[12,\"$url\",\"acme\",[\"a\"],\"active\",15000]" "the webhook's line"
is "$(signs 12)" "$(jq -r .secret "$T/out") 0" "with its secret"
err_is '' "which is not shown elsewhere"

exits 0 "-n" whk-add -n "$url"
out_is '' "-n prints nothing"
err_is 'whk-add: 1 webhook would be added' "and says what would be"
exits 0 "-n -j" whk-add -n -j --rate 30/m -f '$.a == 1' "$url"
out_is "{\"url\":\"$url\",\"filter\":\"\$.a == 1\",\"rate\":0.5}" \
	"-n -j prints the definition"
exits 2 "-n with a bad filter" whk-add -n -f '$.a ==' "$url"
echo $given >"$T/secret"
exits 0 "-n -j with a secret" whk-add -n -j -s "$T/secret" "$url"
unlike "$(cat "$T/out" "$T/err")" MfKQ "does not show it"
exits 75 "-n asks the database" env PGHOST="$T/nowhere" whk-add -n "$url"
is "$(sql "SELECT max(id) FROM whk.webhook")" 12 "-n added nothing"

# --- many --------------------------------------------------------------------

# lines TEXT...: each a line, to whk-add -.
lines() { printf '%s\n' "$@" >"$T/lines" && run whk-add - <"$T/lines"; }

lines '{"url":"http://h/1"}' "{\"url\":\"http://h/2\",\"secret\":\"$given\"}" \
	' { "url" : "http://h/3" , "events":["a"],"tenant":null } '
status_is 0 "three lines"
out_is '13
14
15' "their ids in order"
is "$(sql "SELECT string_agg(url, ' ' ORDER BY id) FROM whk.webhook
	WHERE id > 12")" 'http://h/1 http://h/2 http://h/3' "in the right order"
is "$(grep -c secret "$T/err")" 2 "the secrets that were made are shown"
err_like "^whk-add: 13: secret: $(signs 13 | sed 's/ 0//; s,[+],[+],g')$" \
	"with the id of each"
is "$(signs 14)" "$given 0" "one that was given signs"

exits 0 "no lines" whk-add - </dev/null
out_is '' "no ids"
printf '{"url":"http://h/16"}' | run whk-add -
status_is 0 "a last line without LF"

whk-list -j | jq -c 'select(.id == 4)' >"$T/line4"
run whk-add -j - <"$T/line4"
status_is 0 "what whk-list -j printed"
is "$(jq -c 'del(.id, .created, .secret)' "$T/out")" \
	"$(jq -c 'del(.id, .created)' "$T/line4")" "comes out the same"
sql "SELECT FROM whk.pause('{4}')"
whk-list -j 4 >"$T/line4"
run whk-add - <"$T/line4"
is "$(field "$(cat "$T/out")" "paused_at IS NULL")" t \
	"its state does not go with it"

count=$(sql "SELECT count(*) FROM whk.webhook")
lines '{"url":"http://h/"}' '{"url":"http://h/"' '[]' '' '{}' '{"url":7}' \
	'{"url":"http://h/","url":"http://h/"}' '{"url":"ftp://h/"}' \
	'{"url":"http://h/","events":"a"}' '{"url":"http://h/","events":[1]}' \
	'{"url":"http://h/","headers":["a: b"]}' \
	'{"url":"http://h/","headers":{"a":1}}' \
	'{"url":"http://h/","headers":{"webhook-id":"x"}}' \
	'{"url":"http://h/","timeout_ms":1.5}' \
	'{"url":"http://h/","timeout_ms":"5s"}' \
	'{"url":"http://h/","schedule_ms":5}' \
	'{"url":"http://h/","rate":"5/s"}' '{"url":"http://h/","ordered":1}' \
	'{"url":"http://h/","secret":"x"}' '{"url":"http://h/","tenant":""}' \
	'{"url":"http://h/","description":"a\u0000b"}' \
	'{"url":"http://h/","filter":"$.a"}' "{\"secret\" \"$given\"}" \
	'{"url":"http://h/","max_in_flight":0}' '{"url":"http://h/"} x'
status_is 1 "one good line and many bad ones"
out_is '' "no ids"
is "$(sed -nE 's/^whk-add: line ([0-9]+): .*/\1/p' "$T/err" | sort -n |
	tr '\n' ' ')" "$(seq -s ' ' 2 25) " "each bad line is reported"
err_like '^whk-add: 24 of 25 lines are bad: nothing was added$' "and the sum"
err_like '^whk-add: line 2: not JSON at byte ' "what is wrong with JSON"
err_like '^whk-add: line 7: a member is there twice$' "a member twice"
err_like '^whk-add: line 22: filter: selects' "what is wrong with a filter"
unlike "$(cat "$T/err")" MfKQ "no secret is shown"
is "$(sql "SELECT count(*) FROM whk.webhook")" "$count" "nothing was added"

printf '{"url":"http://h/\377"}\n' | run whk-add -
status_is 1 "a line that is not UTF-8"
err_like 'line 1: invalid UTF-8 at byte 18' "it says so"
{ head -c 9000000 /dev/zero | tr '\0' ' ' && echo; } | run whk-add -
status_is 1 "a line of 9 MB"
err_like 'line 1: longer than 8 MiB' "it says so"
printf '{"url":"http://h/"}\0\n' | run whk-add -
status_is 1 "a NUL"
exits 1 "a directory as stdin" whk-add - <"$T"
err_like '^whk-add: stdin: ' "it says so"

lines '{"url":"http://10.0.0.1/"}' '{"url":"http://10.0.0.2/"}'
is "$(grep -c warning "$T/err")" 1 "of many that may not work one is named"
count=$(sql "SELECT count(*) FROM whk.webhook")

exits 2 "options with -" whk-add -T acme - </dev/null
exits 2 "a secret with -" whk-add -s "$T/secret" - </dev/null
lines '{"url":"http://h/","tenant":"acme"}'
run whk-add -n -j - <"$T/lines"
out_is '{"url":"http://h/","tenant":"acme"}' "-n -j with -"
run whk-add -n - <"$T/lines"
err_is "whk-add: 1 webhook would be added" "-n with -"

# --- very many ---------------------------------------------------------------

n=10000
[ -z "${WHK_TEST_SLOW:-}" ] || n=2500
seq $n | sed 's|.*|{"url":"http://h/&","events":["t&.*"]|
	s|$|,"filter":"$.n == 7"}|' >"$T/many"
begin=$(date +%s)
run whk-add - <"$T/many"
status_is 0 "$n lines"
took=$(($(date +%s) - begin))
[ -n "${WHK_TEST_SLOW:-}" ] || ok "in seconds ($took)" test $took -le 10
is "$(sort -nu "$T/out" | wc -l)" $n "as many ids"
ok "in order" sort -nc "$T/out"
sql "CREATE TABLE got (n serial, id bigint)"
psql -Xqc '\copy got (id) FROM out'
is "$(sql "SELECT count(*) FROM got g JOIN whk.webhook w ON w.id = g.id
	AND w.url = 'http://h/' || g.n")" $n "each id is that of its line"

count=$(sql "SELECT count(*) FROM whk.webhook")
{ cat "$T/many" && echo '{"url":"http://h/","filter":"$.a =="}'; } >"$T/lines"
exits 1 "as many, and one filter that is none" whk-add - <"$T/lines"
err_like "line $((n + 1)): filter: syntax error" "it is named"
is "$(sql "SELECT count(*) FROM whk.webhook")" "$count" "none was added"

# One that cannot be stored ends all: the database has the last word.
sql "ALTER TABLE whk.webhook ADD CHECK (url <> 'http://h/$n') NOT VALID"
exits 1 "as many, and one that cannot be stored" whk-add - <"$T/many"
is "$(sql "SELECT count(*) FROM whk.webhook")" "$count" "none was added"

# --- stdout, and signals -----------------------------------------------------

count=$(sql "SELECT count(*) FROM whk.webhook")
exits 1 "a full disk" sh -c "whk-add '$url' >/dev/full"
err_like 'stdout: No space left on device: but the webhooks were added' \
	"it says what was done"
is "$(sql "SELECT count(*) FROM whk.webhook")" $((count + 1)) "which is true"
whk-list -j | head -n 1000 >"$T/lines"
run sh -c 'whk-add -j - <lines | head -n 1 >one'
is "$(wc -l <"$T/one")" 1 "a pipe that is closed"

mkfifo "$T/fifo"
count=$(sql "SELECT count(*) FROM whk.webhook")
setpriv --pdeathsig KILL whk-add - <"$T/fifo" >"$T/out" 2>"$T/err" &
add_pid=$!
exec 3>"$T/fifo"
echo '{"url":"http://h/"}' >&3
# It listens to TERM, signal 15.
wait_for 'grep -q "SigCgt:.*[4-7c-f]...$" "/proc/$add_pid/status"'
stop "$add_pid"
status_is 1 "SIGTERM while it reads"
exec 3>&-
err_like 'stopped: nothing was added' "it says so"
is "$(sql "SELECT count(*) FROM whk.webhook")" "$count" "which is true"

done_testing
