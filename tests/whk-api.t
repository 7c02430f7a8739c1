#!/bin/sh
# SPDX-License-Identifier: ISC
# whk-api: each route and each refusal, tenants and tokens, clients that keep
# no rules, a database that goes away, a signal in the middle.
. "$(dirname "$0")/lib.sh"
need curl jq python3

# serve OPTION...: a whk-api on a free port, at $url.
serve() {
	rm -f "$T/api.err" # of the one before
	spawn api whk-api -a 127.0.0.1:0 "$@"
	wait_for "grep -q 'listening on' '$T/api.err' || ended $pid"
	url=$(sed -n 's/.*listening on //p' "$T/api.err")
	[ -n "$url" ] || bail_out "whk-api started" "$T/api.err"
}

# ask METHOD PATH [CURL'S OPTIONS]: $code, the answer in ./body and ./head.
ask() {
	ask_method=$1 ask_path=$2
	shift 2
	code=$(curl -sS -m "$WAIT" -X "$ask_method" -o body -D head \
		-w '%{http_code}' "$@" "$url$ask_path")
}

# gives CODE METHOD PATH ...: asks, and looks at the status; what is refused
# has an error.
gives() {
	gives_code=$1
	shift
	ask "$@"
	if [ "$gives_code" -ge 400 ]; then
		is "$code $(jq -r '.error | type' body)" "$gives_code string" \
			"$1 $2: $gives_code"
	else
		is "$code" "$gives_code" "$1 $2: $gives_code"
	fi
}

says() { like "$(jq -r .error body)" "$1" "it says $1"; }
json() { gives "$@" -H 'Content-Type: application/json'; }
with() { # CODE METHOD PATH JSON
	gives "$1" "$2" "$3" -H 'Content-Type: application/json' -d "$4"
}
member() { is "$(jq -c "$1" body)" "$2" "$3"; }

# Passes on the checks that a script printed.
verdicts() {
	while IFS= read -r line; do
		case $line in
		'ok '*) pass "${line#ok }" ;;
		'not ok '*) fail "${line#not ok }" ;;
		done) ;;
		*) diag "$line" ;;
		esac
	done
}

# --- the command line ---

exits 0 "-h" whk-api -h
out_like '^  -a, --address ADDRESS:PORT' "shows the options"
exits 0 "--version" whk-api --version
exits 2 "an unknown option" whk-api --colour
exits 2 "an operand" whk-api operand
for bad in 127.0.0.1 :8000 127.0.0.1:x 127.0.0.1:65536 ::1:80 '[]:80'; do
	exits 2 "an address that is none: $bad" whk-api -a "$bad"
done
err_like '^whk-api: --address: .* is not ADDRESS:PORT' "is named"
exits 2 "others could reach it" whk-api -a 0.0.0.0:0
err_like 'needs --tokens, or --open' "which needs tokens"
exits 2 "others could reach it by IPv6" whk-api -a '[::]:0'
exits 2 "--open with tokens" whk-api --open -t /dev/null
exits 1 "no file of tokens" whk-api -t "$T/none"
exits 1 "a file without tokens" whk-api -t /dev/null
echo 'short' >tokens
exits 1 "a short token" whk-api -t tokens
err_like "^whk-api: tokens: line 1: no token: that is 16 to 256 visible" \
	"is named by its line, and not shown"

# --- the classic example ---

start_postgres
serve
gives 200 POST /webhooks/ -d url=http://10.0.2.2:7777
is "$(cat body)" '[
    {
        "fields": {
            "url": "http://10.0.2.2:7777"
        },
        "model": "app.webhook",
        "pk": 1
    }
]' "the answer is that of the example"
like "$(cat head)" '^HTTP/1.1 200 OK' "with its status"
like "$(cat head)" '^Content-Type: application/json.$' "and its type"
like "$(cat head)" '^Content-Length: [0-9]' "and its length"
with 200 POST /webhooks '{"url":"http://10.0.2.2:7777","events":["a.*","b"]}'
member '.[0].fields' '{"events":["a.*","b"],"url":"http://10.0.2.2:7777"}' \
	"in fields is what was set"
gives 200 POST /webhooks/ -d url=http://127.0.0.1/ -d events=a -d events=b.\* \
	-d rate=0.5 -d timeout_ms=250 -d ordered=true -d schedule_ms=5000 \
	-d description='a b' -d filter= -d 'tenant=%C3%A4'
member '.[0].fields | [.description,.events,.ordered,.rate,.schedule_ms]' \
	'["a b",["a","b.*"],true,0.5,[5000]]' "a form has all kinds"
member '.[0].fields | [.tenant,.timeout_ms,has("filter")]' \
	'["ä",250,false]' "and nothing for nothing"

# --- webhooks ---

gives 201 POST /webhooks/ -H 'Prefer: return=representation' \
	-d url=http://127.0.0.1/x
like "$(jq -r .secret body)" '^whsec_' "a new secret is shown if it is wanted"
is "$(jq -r .secret body)" "$(sql 'SELECT secret FROM whk.secret
	WHERE webhook = 4')" "and is the one"
gives 200 POST /webhooks/ -d url=http://127.0.0.1/x \
	--data-urlencode "secret=whsec_$(head -c 24 /dev/zero | base64)"
unlike "$(cat body head)" whsec_ "a secret that was given is not"
gives 400 POST /webhooks/ -d url=http://127.0.0.1/x -d secret=whsec_hidden
unlike "$(cat body)" hidden "nor one that is none"
gives 200 GET /webhooks/3
member '[.id,.url,.state,.ordered]' '[3,"http://127.0.0.1/","active",true]' \
	"it is as its line"
gives 200 GET '/webhooks/?limit=2'
member '[.webhooks[].id]' '[1,2]' "a page"
member .next '"/webhooks/?after=2&limit=2"' "says where it goes on"
gives 200 GET "$(jq -r .next body)"
member '[.webhooks[].id]' '[3,4]' "there"
gives 200 GET '/webhooks/?after=4'
member '[[.webhooks[].id],.next]' '[[5],null]' "the last page"
gives 200 GET '/webhooks/?type=b'
member '[.webhooks[].id]' '[1,2,4,5]' "those that get a type"
gives 200 GET '/webhooks/?tenant=%C3%A4'
member '[.webhooks[].id]' '[3]' "those of a tenant"
with 200 PATCH /webhooks/3/ '{"events":null,"description":"new"}'
member '[.events,.description,.rate]' '[[],"new",0.5]' "what is named changes"
with 400 PATCH /webhooks/3/ '{}'
with 400 PATCH /webhooks/3/ '{"url":null}'
with 400 PATCH /webhooks/3/ '{"secret":"x"}'
says rotated
with 400 PATCH /webhooks/3/ '{"filter":"$.a >"}'
with 404 PATCH /webhooks/99/ '{"events":null}'
gives 200 POST /webhooks/3/pause
member .state '"paused"' "pause"
gives 200 GET '/webhooks/?state=paused'
member '[.webhooks[].id]' '[3]' "those in a state"
json 200 POST /webhooks/3/resume/ -d '{}'
member .state '"active"' "resume"
gives 200 POST /webhooks/3/rotate -d overlap_ms=0
is "$(jq -r .secret body)" "$(sql 'SELECT secret FROM whk.secret
	WHERE webhook = 3 AND expires_at IS NULL')" \
	"rotate shows the new secret"
for action in pause resume rotate test attempts/resend; do
	with 404 POST /webhooks/99/$action "$(
		[ "$action" != attempts/resend ] || echo '{"event":"e"}')"
	with 400 POST /webhooks/3/$action '{"colour":1}'
	says "unknown key 'colour'"
	gives 405 GET /webhooks/3/$action
done
with 400 POST /webhooks/3/rotate '{"overlap_ms":-1}'
with 400 POST /webhooks/3/rotate '{"secret":"whsec_x"}'
gives 204 DELETE /webhooks/5
gives 404 DELETE /webhooks/5
gives 404 GET /webhooks/5
for path in / /webhook /webhooks/0 /webhooks/x /webhooks/1x /webhooks/1/x \
	/webhooks//1 /webhooks/9999999999999999999 /events/ä /events/a.b \
	/webhooks/%31; do
	gives 404 GET $path
done
for query in limit=0 limit=1001 limit=x limit=1.5 after=-1 state=x \
	colour=red limit=%zz limit=%00 after=99999999999999999999; do
	gives 400 GET "/webhooks/?$query"
done
gives 400 GET '/webhooks/?colour=red'
says "unknown parameter 'colour'"

# --- bodies ---

with 400 POST /webhooks/ '{"url":'
says 'not JSON at byte 8'
with 400 POST /webhooks/ '[]'
says 'not a JSON object'
with 400 POST /webhooks/ '{"url":"http://a/","url":"http://b/"}'
with 400 POST /webhooks/ '{"url":"http://a/","colour":1,"b":2}'
says "unknown key '(b|colour)'"
with 400 POST /webhooks/ '{"url":5}'
with 400 POST /webhooks/ '{"url":"ftp://a/"}'
with 400 POST /webhooks/ '{"url":"http://a/","filter":"$.a"}'
says '^filter: '
with 400 POST /webhooks/ "{\"url\":$(printf '%0200d' 0 | tr 0 '[')}"
gives 400 POST /webhooks/ -d colour=red
says "unknown key 'colour'"
gives 400 POST /webhooks/ -d url=%zz
gives 400 POST /webhooks/ -d url=http://a/ -d url=http://b/
says 'url: there twice'
gives 400 POST /webhooks/ -d url=http://a/ -d timeout_ms=soon
gives 400 POST /webhooks/
gives 415 POST /webhooks/ -H 'Content-Type: text/plain' -d '{}'
gives 415 POST /webhooks/ -H 'Content-Type:' -d '{}'
like "$(cat head)" '^Accept-Post: ' "says what it takes"
head -c 1048577 /dev/zero | tr '\0' x >big
gives 413 POST /webhooks/ --data-binary @big
printf '{"body":"%s"}' "$(head -c 1000000 big)" >big
json 202 POST /events/ --data-binary @big
gives 405 PUT /webhooks/
like "$(cat head)" '^Allow: GET, HEAD, POST, OPTIONS' "Allow names the methods"
gives 405 BREW /webhooks/1
gives 405 POST /metrics
gives 204 OPTIONS /webhooks/1
like "$(cat head)" '^Allow: GET, HEAD, PATCH, DELETE, OPTIONS' "OPTIONS too"
unlike "$(cat head)" 'Access-Control' "and nothing of other origins"

# --- events ---

start_recv
gives 200 POST /webhooks/ -d "url=$recv_url" -d 'events=order.*'
hook=$(jq '.[0].pk' body)
with 202 POST /events/ '{"type":"order.paid","body":{"n":1.10}}'
id=$(jq -r .id body)
member .webhooks "[1,4,$hook]" "says for whom it is"
sql 'DELETE FROM whk.pending WHERE webhook = 1 OR webhook = 4'
whk-due 2>/dev/null | whk-send >sent 2>/dev/null
is "$(cat recv.out)" '{"n":1.10}' "an event arrives as it was posted"
is "$(jq -r '.event + .outcome' sent)" "${id}delivered" "and is on record"
gives 200 GET "/events/$id"
member ".webhooks[] | select(.webhook == $hook) | .attempts[0] |
	[.outcome,.status]" '["delivered",200]' "its story has it"
member .body '"{\"n\":1.10}"' "and the body"
member .via '"api"' "and by which way it came in"
gives 202 POST "/webhooks/$hook/test"
whk-due 2>/dev/null | whk-send >sent 2>/dev/null
like "$(tail -n 1 recv.out)" '"type" : "ping"' "a test is an event like others"
gives 202 POST /events/ -H 'Idempotency-Key: a b' -d type=x -d body=hello
first=$(jq -r .id body)
gives 202 POST /events/ -H 'Idempotency-Key: a b' -d type=x -d body=hello
member '[.id,.repeat]' "[\"$first\",true]" "a key makes it once"
gives 409 POST /events/ -H 'Idempotency-Key: a b' -d type=x -d body=other
with 202 POST /events/ '{"id":"own","body":"x","to":[4]}'
member . '{"id":"own","webhooks":[4]}' "an id of one's own, and to"
with 202 POST /events/ '{"id":"own","body":"x","to":[4]}'
member .repeat true "makes it once"
is "$(sql "SELECT count(*) FROM whk.event WHERE id = 'own'")" 1 \
	"it is there once"
with 202 POST /events/ '{"body":{"type":"from.body"}}'
gives 200 GET "/events/$(jq -r .id body)"
member .type '"from.body"' "a type from the body"
gives 202 POST /events/ -d body=x -d to=1 -d to=4
member .webhooks '[1,4]' "to in a form"
with 422 POST /events/ '{"body":1,"to":[4,99]}'
says 99
for bad in '{}' '{"body":1,"to":[]}' '{"body":1,"id":"a b"}' \
	'{"body":1,"colour":1}' '{"body":1,"time":"2026-01-01T00:00:00Z"}' \
	'{"body":1,"type":""}' '{"body":"\u0000"}' 'x' '[]'; do
	with 400 POST /events/ "$bad"
done
gives 400 POST /events/ -d type=x
gives 400 POST /events/ -d body=x -d to=x
gives 400 POST /events/ -d body=x -d colour=x
gives 400 POST /events/ -d body=x -d id=a -H 'Idempotency-Key: b'
gives 400 POST /events/
gives 415 POST /events/ -H 'Content-Type: text/plain' -d x
gives 404 GET /events/none

# --- attempts ---

gives 200 GET /attempts/
member '[.attempts[] | [.webhook,.outcome]] | unique' \
	"[[$hook,\"delivered\"]]" "the attempts"
member '.attempts[0].type' '"ping"' "the newest first"
for n in 1 2 3 4 5; do
	with 202 POST /events/ \
		"{\"type\":\"order.$n\",\"body\":$n,\"to\":[$hook]}"
done
stop "$recv_pid"
whk-due 2>/dev/null | whk-send >sent 2>/dev/null
gives 200 GET "/webhooks/$hook/attempts/?outcome=retry&limit=2"
member '[.attempts[].outcome]' '["retry","retry"]' "of an outcome, a page"
all=$(jq -c '[.attempts[].type]' body)
next=$(jq -r .next body)
gives 200 GET "$next"
all=$all$(jq -c '[.attempts[].type]' body)
gives 200 GET "$(jq -r .next body)"
all=$all$(jq -c '[.attempts[].type]' body)
member .next null "the pages end"
is "$(echo "$all" | tr -d '[]' | sed 's/""/","/g' | tr , '\n' | sort | uniq |
	wc -l | tr -d ' ')" 5 "and have each attempt once"
gives 200 GET '/attempts/?type=order.1&type=order.2'
member '[.attempts[].type] | sort' '["order.1","order.2"]' "of types"
gives 200 GET "/attempts/?event=$id"
member '[.attempts[].event]' "[\"$id\"]" "of an event"
gives 200 GET '/attempts/?until=1h'
member . '{"attempts":[],"next":null}' "none before an hour ago"
gives 200 GET '/attempts/?since=1h&outcome=delivered'
member '.attempts | length' 2 "some since"
for query in limit=0 outcome=good since=soon until=x event=a.b before=x \
	before=1.2.3 before=1.2.3.a%2eb colour=red; do
	gives 400 GET "/attempts/?$query"
done
gives 404 GET /webhooks/99/attempts/
sql "UPDATE whk.webhook SET url = '$recv_url' WHERE id = $hook"
with 202 POST /attempts/resend "{\"event\":\"$id\",\"webhook\":$hook}"
member .became '"due"' "what was delivered is sent again"
gives 409 POST "/webhooks/$hook/attempts/resend" -d "event=$id"
gives 404 POST "/webhooks/$hook/attempts/resend" -d event=none
gives 404 POST /attempts/resend -d event="$id" -d webhook=99
gives 400 POST /attempts/resend -d event="$id"
gives 400 POST /attempts/resend -d webhook=1
gives 400 POST /attempts/resend -d event=a.b -d webhook=1

# --- the rest ---

gives 200 GET /healthz
gives 200 GET /metrics
like "$(cat body)" '^whk_attempts_total\{outcome="delivered"\} 2$' "the figures"
like "$(cat head)" '^Content-Type: text/plain; version=0.0.4' \
	"as Prometheus has them"
gives 200 GET /openapi.json
member '[.openapi,.info.version]' \
	"[\"3.1.0\",\"$(whk-api --version | sed 's/.* //')\"]" "the description"
gives 200 GET /healthz -H 'Origin: http://evil.example'
gives 403 POST /webhooks/1/pause -H 'Origin: http://evil.example'
gives 403 GET /webhooks/1 -H 'Host: evil.example'
gives 200 POST /webhooks/1/pause -H "Origin: $url"
unlike "$(cat head)" 'Access-Control' "nobody else is let in"
stop "$api_pid"
status_is 0 "SIGTERM ends it well"
like "$(cat api.err)" '^whk-api: listening' "it says where it listens"
is "$(wc -l <api.err | tr -d ' ')" 1 "and nothing else"

serve --cors https://app.example -v
gives 204 OPTIONS /webhooks/1 -H 'Origin: https://app.example'
like "$(cat head)" '^Access-Control-Allow-Origin: https://app.example' "--cors"
like "$(cat head)" '^Access-Control-Allow-Methods: .*PATCH' "with methods"
gives 200 POST /webhooks/1/resume -H 'Origin: https://app.example'
gives 403 POST /webhooks/1/resume -H 'Origin: https://app.example.evil'
like "$(cat api.err)" '^whk-api: POST /webhooks/1/resume: 403, ' "-v"
stop "$api_pid"

# --- tenants and tokens ---

all=all-all-all-all-all- acme=acme-acme-acme-acme globex=globex-globex-glob
cat >tokens <<END
# who may
$all
$acme acme

$globex	globex
END
serve -t tokens -v
as() {
	as_token=$1
	shift
	"$@" -H "Authorization: Bearer $as_token"
}
gives 401 GET /webhooks/1
like "$(cat head)" '^WWW-Authenticate: Bearer' "and says how"
as wrong-wrong-wrong-wrong gives 401 GET /webhooks/1
as "${acme}x" gives 401 GET /webhooks/1
gives 401 GET /webhooks/1 -H "Authorization: Basic $acme"
gives 401 GET /metrics
gives 200 GET /healthz
gives 200 GET /openapi.json
as "$all" gives 200 GET /webhooks/1
as "$acme" gives 404 GET /webhooks/1
as "$acme" gives 200 POST /webhooks/ -d url=http://127.0.0.1:1/
mine=$(jq '.[0].pk' body)
member '.[0].fields' '{"url":"http://127.0.0.1:1/"}' "the tenant was not set"
is "$(sql "SELECT tenant FROM whk.webhook WHERE id = $mine")" acme \
	"but is theirs"
as "$acme" gives 403 POST /webhooks/ -d url=http://a/ -d tenant=globex
as "$acme" gives 200 POST /webhooks/ -d url=http://a/ -d tenant=
as "$acme" gives 204 DELETE "/webhooks/$(jq '.[0].pk' body)"
as "$acme" gives 403 PATCH "/webhooks/$mine" -d tenant=globex
as "$acme" gives 403 PATCH "/webhooks/$mine" -d tenant=
as "$acme" gives 200 PATCH "/webhooks/$mine" -d tenant=acme
as "$acme" gives 200 GET /webhooks/
member '[.webhooks[].id]' "[$mine]" "they see their own"
as "$globex" gives 200 GET /webhooks/
member .webhooks '[]' "others see none"
as "$globex" gives 200 GET '/webhooks/?tenant=acme'
member .webhooks '[]' "not even if they ask"
for action in pause resume rotate test; do
	as "$globex" gives 404 POST "/webhooks/$mine/$action"
done
as "$globex" gives 404 GET "/webhooks/$mine"
as "$globex" gives 404 GET "/webhooks/$mine/attempts/"
as "$globex" gives 404 PATCH "/webhooks/$mine" -d url=http://evil/
as "$globex" gives 404 DELETE "/webhooks/$mine"
as "$acme" gives 202 POST /events/ -d id=theirs -d type=a -d body=x
member .webhooks "[$mine]" "their event is for their webhook"
is "$(sql "SELECT tenant FROM whk.event WHERE id = 'theirs'")" acme "and theirs"
as "$acme" gives 403 POST /events/ -d body=x -d tenant=globex
as "$globex" gives 404 GET /events/theirs
as "$globex" gives 409 POST /events/ -d id=theirs -d type=a -d body=x
as "$globex" gives 422 POST /events/ -d body=x -d "to=$mine"
as "$globex" gives 404 POST /attempts/resend -d event=theirs -d "webhook=$mine"
as "$globex" gives 202 POST /events/ -H 'Idempotency-Key: k' -d body=x
as "$acme" gives 202 POST /events/ -H 'Idempotency-Key: k' -d body=y
member 'has("repeat")' false "the same key of another is another"
sql "UPDATE whk.pending SET next_at = NULL, leased = false WHERE webhook <> $mine"
whk-due 2>/dev/null | whk-send >sent 2>/dev/null
as "$acme" gives 200 GET /attempts/
member '[.attempts[].webhook] | unique' "[$mine]" "their attempts"
as "$globex" gives 200 GET /attempts/
member .attempts '[]' "are nobody else's"
as "$all" gives 200 GET /attempts/
member '[.attempts[].webhook] | unique | length > 1' true "but of who sees all"
as "$acme" gives 404 POST "/webhooks/$mine/attempts/resend" -d event="$id"
as "$acme" gives 200 GET /metrics
like "$(cat body)" '^whk_webhooks\{state="active"\} 1$' "their figures"
unlike "$(cat body)" duration "and not those of others"
as "$acme" gives 204 DELETE "/webhooks/$mine"

# The file is read again; who asked before keeps what they were.
psql -XAtqc "BEGIN; LOCK TABLE whk.event IN EXCLUSIVE MODE;
	SELECT pg_sleep(100)" >/dev/null 2>&1 &
wait_for '[ "$(sql "SELECT count(*) FROM pg_stat_activity
	WHERE wait_event = '\''PgSleep'\''")" = 1 ]'
curl -sS -m "$WAIT" "$url/events/" -H "Authorization: Bearer $globex" \
	-d id=before_hup -d body=x >/dev/null &
before=$!
wait_for '[ "$(sql "SELECT count(*) FROM pg_locks WHERE NOT granted")" = 1 ]'
printf '%s\n%s acme\n' new-new-new-new-new- "$acme" >tokens
kill -HUP "$api_pid"
wait_for 'grep -q "^whk-api: tokens: 2 tokens" api.err'
as new-new-new-new-new- gives 200 GET /webhooks/1
as "$acme" gives 404 GET /webhooks/1
as "$all" gives 401 GET /webhooks/1
sql "SELECT pg_cancel_backend(pid) FROM pg_stat_activity
	WHERE wait_event = 'PgSleep'" >/dev/null
wait "$before"
is "$(sql "SELECT tenant FROM whk.event WHERE id = 'before_hup'")" globex \
	"what was under way is as it was"
echo short >>tokens
kill -HUP "$api_pid"
wait_for 'grep -q "stay as they were" api.err'
like "$(cat api.err)" \
	'^whk-api: tokens: line 3: no token: .*: the tokens stay as they were$' \
	"a bad file is said"
as new-new-new-new-new- gives 200 GET /webhooks/1
rm tokens
kill -HUP "$api_pid"
wait_for 'grep -q "No such file.*stay as they were" api.err'
as new-new-new-new-new- gives 200 GET /webhooks/1
unlike "$(cat api.err)" 'all-all|acme-acme|globex-g|new-new' "no token is said"
stop "$api_pid"
status_is 0 "it ends well"

# --- clients that keep no rules ---

slow=1s
[ -z "${WHK_TEST_SLOW:-}" ] || slow=10s
serve -T $slow
python3 "$TOP/tests/api_raw.py" "${url#http://}" >raw.out 2>&1
verdicts <raw.out
is "$(tail -n 1 raw.out)" "done" "all of it was tried"

stop "$api_pid"
serve -T $slow
spawn few prlimit --nofile=200 whk-api -a 127.0.0.1:0
wait_for "grep -q 'listening on' '$T/few.err' || ended $pid"
few_url=$(sed -n 's/.*listening on //p' "$T/few.err")
python3 "$TOP/tests/api_raw.py" "${few_url#http://}" few >raw.out 2>&1
verdicts <raw.out
stop "$few_pid"
status_is 0 "it ends well"

# --- events at once ---

# Sends each line of a file as an event, over a connection of its own, and
# prints the statuses and the answers when they have come.
cat >together.py <<'END'
import http.client, sys
bodies = open(sys.argv[2]).read().splitlines()
conns = [http.client.HTTPConnection(sys.argv[1]) for body in bodies]
for conn, body in zip(conns, bodies):
    conn.request("POST", "/events/", body, {"Content-Type": "application/json"})
print("sent", flush=True)
for conn in conns:
    r = conn.getresponse()
    print(r.status, r.read().decode().strip())
END
# together: posts the events of the file "posts" while others are being stored.
together() {
	psql -XAtqc "BEGIN; LOCK TABLE whk.event IN EXCLUSIVE MODE;
		SELECT pg_sleep(100)" >/dev/null 2>&1 &
	wait_for '[ "$(sql "SELECT count(*) FROM pg_stat_activity
		WHERE query LIKE '\''%pg_sleep(100)'\''
			AND wait_event = '\''PgSleep'\''")" = 1 ]'
	spawn together python3 together.py "${url#http://}" posts
	wait_for "grep -q sent '$T/together.out'"
	wait_for '[ "$(sql "SELECT count(*) FROM pg_locks
		WHERE NOT granted")" -ge 1 ]'
	ask GET /healthz
	sql "SELECT pg_cancel_backend(pid) FROM pg_stat_activity
		WHERE wait_event = 'PgSleep'" >/dev/null
	reap "$together_pid"
	sed 1d together.out >answers
}

for n in $(seq 40); do
	echo "{\"id\":\"at_once_$n\",\"body\":$n,\"to\":[1]}"
done >posts
together
is "$(sort answers)" "$(seq 40 | sed 's/.*/202 {"id": "at_once_&", "webhooks": [1]}/' |
	sort)" "each gets its answer"
ok "they are stored in few transactions" [ "$(sql "SELECT count(DISTINCT
	xmin::text) FROM whk.event WHERE id LIKE 'at_once_%'")" -le 5 ]

sql "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
	'BEGIN RAISE check_violation USING MESSAGE = ''no poison''; END';
	CREATE TRIGGER refuse BEFORE INSERT ON whk.event FOR EACH ROW
	WHEN (NEW.type = 'poison') EXECUTE FUNCTION refuse()"
for n in $(seq 20); do
	echo "{\"id\":\"beside_$n\",\"body\":$n,\"to\":[1]}"
	case $n in
	4) echo '{"id":"at_once_1","body":"another","to":[1]}' ;;
	6) echo '{"id":"poisoned","type":"poison","body":1}' ;;
	8) echo '{"id":"nobody","body":1,"to":[98,1,99]}' ;;
	12 | 16) echo '{"id":"twin","body":1,"to":[1]}' ;;
	18) echo '{"id":"at_once_1","body":1,"to":[1]}' ;;
	esac
done >posts
together
is "$(grep -c '^202 {"id": "beside_.*", "webhooks": \[1\]}' answers)" 20 \
	"none fails for another"
is "$(grep -v beside_ answers | sort)" \
	'202 {"id": "at_once_1", "webhooks": [1], "repeat": true}
202 {"id": "twin", "webhooks": [1], "repeat": true}
202 {"id": "twin", "webhooks": [1]}
409 {"error": "id: another event has it"}
422 {"error": "to: there are no such webhooks: {98,99}"}
500 {"error": "the database refused it"}' "and each is answered for itself"
is "$(sql "SELECT count(*) FROM whk.event WHERE id LIKE 'beside_%'
	OR id IN ('twin', 'poisoned', 'nobody')")" 21 "what was taken is stored"
like "$(cat api.err)" '^whk-api: event poisoned: no poison$' \
	"what was refused is said"
sql 'DROP TRIGGER refuse ON whk.event; DROP FUNCTION refuse()'

# --- the database goes away ---

stop_postgres
gives 503 GET /webhooks/1
like "$(cat head)" '^Retry-After: [0-9]' "says when to come again"
gives 503 GET /healthz
gives 503 GET /metrics
gives 503 POST /events/ -d body=x -d id=while-away
gives 404 GET /none
gives 200 GET /openapi.json
restart_postgres
wait_for 'ask GET /healthz; [ "$code" = 200 ]'
gives 200 GET /webhooks/1
is "$(sql "SELECT count(*) FROM whk.event WHERE id = 'while-away'")" 0 \
	"what was refused was not done later"
like "$(cat api.err)" '^whk-api: the database is there again' "it says that it is over"
wait_for '[ "$(sql "SELECT count(*) FROM pg_stat_activity
	WHERE application_name = '\''whk-api'\'' AND state = '\''idle'\''
		AND query LIKE '\''%whk.%'\''")" = 4 ]'
gives 202 POST /events/ -d body=x
psql -XAtqc "BEGIN; LOCK whk.webhook; SELECT pg_sleep(100)" >/dev/null 2>&1 &
locker=$!
wait_for '[ "$(sql "SELECT count(*) FROM pg_locks WHERE granted AND
	mode = '\''AccessExclusiveLock'\'' AND
	relation = '\''whk.webhook'\''::regclass")" = 1 ]'
curl -sS -m 60 -o late -w '%{http_code}' "$url/webhooks/1" >late.code &
late=$!
posts=
for n in 1 2 3 4; do
	curl -sS -m 60 -o /dev/null -w '%{http_code}\n' "$url/events/" \
		-d body=x -d "id=lost_$n" >"lost.$n" &
	posts="$posts $!"
	# Two are being stored, the others wait for their turn.
	wait_for "[ \$((\$(sql 'SELECT count(*) FROM pg_locks
		WHERE NOT granted'))) -ge $((n < 3 ? n + 1 : 3)) ]"
done
ask GET /openapi.json
stop_postgres QUIT
wait "$late"
is "$(cat late.code)" 503 "one that waited for the database is told"
# shellcheck disable=SC2086 # several
wait $posts
is "$(cat lost.* | uniq -c | xargs)" "4 503" "and events that did, each"
kill "$locker" 2>/dev/null
restart_postgres
wait_for 'ask GET /healthz; [ "$code" = 200 ]'

sql 'DROP SCHEMA whk CASCADE' 2>/dev/null
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
	WHERE application_name = 'whk-api'" >/dev/null
wait_for 'grep -q "run whk-init" "$T/api.err"'
gives 503 GET /webhooks/1
whk-init 2>/dev/null
wait_for 'ask GET /healthz; [ "$code" = 200 ]'
gives 404 GET /webhooks/1
gives 200 POST /webhooks/ -d url=http://a/

# --- SIGTERM in the middle ---

psql -XAtqc "BEGIN; LOCK whk.webhook; SELECT pg_sleep(1)" >/dev/null 2>&1 &
wait_for '[ "$(sql "SELECT count(*) FROM pg_locks WHERE granted AND
	mode = '\''AccessExclusiveLock'\'' AND
	relation = '\''whk.webhook'\''::regclass")" = 1 ]'
curl -sS -m 60 -D late.head -o late -w '%{http_code}' "$url/webhooks/1" \
	>late.code &
late=$!
wait_for '[ "$(sql "SELECT count(*) FROM pg_locks WHERE NOT granted")" = 1 ]'
kill -TERM "$api_pid"
wait_for '! curl -sS -m 5 "$url/healthz"'
wait "$late"
is "$(cat late.code)" 200 "what is under way is answered"
like "$(cat late.head)" '^Connection: close' "and is the last"
reap "$api_pid"
status_is 0 "then it ends"

# --- systemd ---

cat >activate.py <<'END'
import os, socket, sys
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(10)
print(s.getsockname()[1], flush=True)
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=sys.argv[1])
os.execvp("whk-api", ["whk-api", "-a", "127.0.0.1:1"])
END
spawn socket python3 activate.py 1
wait_for "[ -s socket.out ] && grep -q listening socket.err"
url=http://127.0.0.1:$(cat socket.out)
gives 200 GET /healthz
stop "$socket_pid"
status_is 0 "a socket of systemd's is taken"
exits 2 "but not two" python3 activate.py 2

# --- the description, tried by others ---

schemathesis=$TOP/build/venv/bin/schemathesis
if [ -x "$schemathesis" ]; then
	serve
	examples=15
	[ -z "${WHK_TEST_SLOW:-}" ] || examples=3
	# What a filter, say, may be, no schema can tell.
	"$schemathesis" run "$url/openapi.json" --seed 1 --no-color \
		--max-examples $examples \
		--exclude-checks positive_data_acceptance >tried 2>&1
	status=$?
	is "$status" 0 "schemathesis finds nothing"
	[ "$status" = 0 ] || tail -n 60 tried | diag
	stop "$api_pid"
	status_is 0 "and it ends well after that"
else
	skip "no schemathesis" "schemathesis finds nothing"
fi

done_testing
