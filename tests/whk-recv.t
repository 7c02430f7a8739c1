#!/bin/sh
# SPDX-License-Identifier: ISC
# whk-recv: what it prints, verifies and answers, and how it ends.
# shellcheck disable=SC2154 # start_recv and spawn set variables
. "$(dirname "$0")/lib.sh"

need curl jq openssl perl

hello='{"event": "Hello webhooks world"}'
secret=MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw

# post [CURL OPTION...]: the answer's status, or "curl" and its exit status.
post() {
	code=$(curl -s -m 10 -o "$T/answer" -w '%{http_code}' \
		"$recv_url" "$@") || code="curl $?"
	printf '%s\n' "$code"
}

# Sends stdin as it is and prints what comes until the end; $1 to stop
# sending, but not reading, when all is sent.
raw() {
	perl -MIO::Socket::INET -e '
		my ($to, $half) = @ARGV;
		alarm 10;
		$to =~ s,http://,,;
		my $s = IO::Socket::INET->new(PeerAddr => $to) or die;
		local $/;
		print $s scalar <STDIN>;
		$s->flush;
		$s->shutdown(1) if $half;
		print while <$s>;' "$recv_url" "${1:-}"
}

# signed TIMESTAMP BODY [CURL OPTION...]: posts it with the right signature.
signed() {
	key=$(printf %s "$secret" | openssl base64 -d -A | od -An -tx1 |
		tr -d ' \n')
	signature=v1,$(printf 'msg_1.%s.%s' "$1" "$2" |
		openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary |
		openssl base64 -A)
	signed_at=$1 signed_body=$2
	shift 2
	post -d "$signed_body" -H 'webhook-id: msg_1' \
		-H "webhook-timestamp: $signed_at" \
		-H "webhook-signature: v1,bm90aGluZw== $signature" "$@"
}

# --- the command line --------------------------------------------------------

exits 0 "-h" whk-recv -h
out_like '^usage: whk-recv ' "help is on stdout"
out_like '^  -n, --number N  *end after N requests' "it lists the options"
exits 0 "--version" whk-recv --version
out_like '^whk-recv [0-9]+\.[0-9]+\.[0-9]+$' "says name and version"
exits 2 "an unknown option" whk-recv --nope
err_is "whk-recv: unknown option '--nope'
try 'whk-recv -h'" "is said"
exits 2 "an operand" whk-recv here
exits 2 "a port that is none" whk-recv -p 65536
err_like "^whk-recv: --port: '65536' is not from 0 to 65535" "says the bounds"
for list in 100 600 20x '' '200,' slow 2000; do
	exits 2 "--status '$list' is refused" whk-recv -p 0 --status "$list"
done
exits 2 "a header that is none" whk-recv -p 0 --header nonsense
exits 1 "an address that is none" whk-recv -p 0 -a 999.1.1.1
exits 1 "a file of secrets that is not there" whk-recv -p 0 -s none
err_is "whk-recv: none: No such file or directory" "is said"
printf '# mine\n\nwhsec_%s\nwhsec_short\n' "$secret" >bad
exits 1 "a bad secret" whk-recv -p 0 -s bad
err_is "whk-recv: bad:4: secret: whsec_ needs the base64 of 24 to 64 bytes" \
	"is said with its line, without the secret"
exits 1 "a file without secrets" whk-recv -p 0 -s /dev/null
exits 1 "a URL file that cannot be written" whk-recv -p 0 -u /nowhere/url

# --- what it prints ----------------------------------------------------------

start_recv -n 4
like "$(cat recv.err)" "^whk-recv: listening on $recv_url\$" "it says its URL"
like "$recv_url" '^http://127\.0\.0\.1:[0-9]+$' "which has a free port"
is "$(post -d "$hello")" 200 "a body is answered with 200"
is "$(cat recv.out)" "$hello" "and printed as it came, before the answer"
is "$(post -d '')" 200 "an empty body"
is "$(printf 'two\nlines\n' | post --data-binary @-)" 200 "one with line breaks"
is "$(post -X GET)" 200 "no body at all"
reap "$recv_pid"
status_is 0 "it ends after -n requests with 0"
printf '%s\n\ntwo\nlines\n\n\n' "$hello" >wanted
same recv.out wanted "all is printed"
# shellcheck disable=SC2016 # the other shell's variables
exits 1 "a port that is taken" sh -c '
	whk-recv -p 0 -u taken -t 10 & while [ ! -s taken ]; do sleep 0.01; done
	whk-recv -p "$(sed "s/.*://" taken)"; status=$?
	kill $!; wait; exit $status'
err_like "cannot listen on 127.0.0.1 port [0-9]+: Address already in use" \
	"is said"

start_recv -i -n 1
post -d "$hello" -H "X-Odd: $(printf '\033[1m')" -A '' -H 'Accept:' >/dev/null
reap "$recv_pid"
cat >wanted <<END
POST / HTTP/1.1
Host: ${recv_url#http://}
X-Odd: \\033[1m
Content-Length: 33
Content-Type: application/x-www-form-urlencoded

$hello

END
same recv.out wanted "-i prints the head, made visible"

start_recv -j -n 3 --status 200,reset
post -d "$hello" -H 'X-A: 1' -H 'x-a: 2' >/dev/null
printf 'a\0\377' | post --data-binary @- >/dev/null
recv_url="$recv_url/p?q" post -d 'a\"	b' >/dev/null
reap "$recv_pid"
cat >wanted <<'END'
["POST","/","1, 2","33","{\"event\": \"Hello webhooks world\"}",null,null,"200"]
["POST","/",null,"3",null,"YQD/",null,"reset"]
["POST","/p?q",null,"5","a\\\"\tb",null,null,"reset"]
END
is "$(jq -c '[.method, .path, .headers["x-a"], .headers["content-length"],
	.body, .body_base64, .verified, .answer]' recv.out)" "$(cat wanted)" \
	"-j prints JSON lines"
like "$(jq -r .time recv.out | head -n 1)" \
	'^20[0-9-]{8}T[0-9:]{8}\.[0-9]{3}Z$' "with the time"

start_recv -c -n 3
for i in 1 2 3; do post -d $i >/dev/null; done
reap "$recv_pid"
is "$(cat recv.out)" 3 "--count prints how many"
start_recv -q -n 1
post -d x >/dev/null
reap "$recv_pid"
is "$(cat recv.out)" "" "--quiet prints nothing"

# --- HTTP --------------------------------------------------------------------

start_recv
head -c 1048576 /dev/zero | tr '\0' x >big
is "$(post -H 'Expect: 100-continue' -H 'Transfer-Encoding: chunked' \
	--data-binary @big)" 200 "a MiB in chunks, with 100-continue"
is "$(wc -c <recv.out)" 1048577 "arrives whole"
is "$(post --data-binary @big)" 200 "and by its length"
is "$(wc -c <recv.out)" 2097154 "arrives whole"
stop "$recv_pid"

start_recv
{
	printf 'POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none'
	printf 'POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n'
	printf '\r\n2;x=y\r\ntw\r\n01\r\no\r\n0\r\nX-T: 1\r\n\r\n'
	printf 'POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n'
	printf 'Connection: Close\r\n\r\nthree'
} >pipelined
raw <pipelined >answers
is "$(grep -c '^HTTP/1.1 200 OK' answers)" 3 "three requests in one write"
is "$(tr '\n' ' ' <recv.out)" "one two three " "with all their bodies, in turn"
is "$(grep -c '^connection: close' answers)" 1 "the last one closes"
printf 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nhalf' |
	raw half >answers
like "$(cat answers)" '^HTTP/1.1 200' "a client may stop sending and wait"
printf 'POST /?delay=50ms HTTP/1.1\r\nHost: a\r\n\r\n' | raw half >answers
like "$(cat answers)" '^HTTP/1.1 200' "even for one that is late"
printf 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n%s\r\n\r\n' \
	'Expect: 100-continue' | raw half >answers
is "$(tr -d '\r\n' <answers)" 'HTTP/1.1 100 Continue' \
	"a body that is waited for"
printf 'POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nold' | raw >answers
like "$(cat answers)" '^connection: close' "HTTP/1.0 ends after one"
printf 'POST /%s HTTP/1.0\r\nConnection: keep-alive\r\n\r\n' 1 2 |
	raw half >answers
is "$(grep -c '^connection: keep-alive' answers)" 2 "unless it keeps it"
like "$(curl -sI "$recv_url")" '^HTTP/1.1 200' "HEAD"
stop "$recv_pid"
status_is 0 "SIGTERM ends it with 0"

start_recv
# refused STATUS DESCRIPTION FORMAT: bytes that are no request
refused() {
	# shellcheck disable=SC2059 # it is a format
	printf "$3" | raw >answers
	like "$(head -n 1 answers)" "^HTTP/1.1 $1 " "$2 is answered with $1"
}
host='HTTP/1.1\r\nHost: a\r\n' chunks='Transfer-Encoding: chunked\r\n\r\n'
refused 400 "what is no HTTP" 'hello there\r\n\r\n'
refused 400 "a request without a host" 'GET / HTTP/1.1\r\n\r\n'
refused 400 "two hosts" "GET / ${host}host: b\\r\\n\\r\\n"
refused 400 "a host that is none" 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n'
refused 400 "chunks in HTTP/1.0" "POST / HTTP/1.0\\r\\n${chunks}0\\r\\n\\r\\n"
like "$(cat answers)" '^date: .* GMT' "with a date"
refused 400 "a control character in the target" "GET /\\033 $host\\r\\n"
refused 400 "a method that is no token" "G(T / $host\\r\\n"
refused 400 "a space too many" "GET  / $host\\r\\n"
refused 505 "another version" 'GET / HTTP/2.0\r\nHost: a\r\n\r\n'
refused 400 "a folded header" "GET / ${host}A: 1\\r\\n 2\\r\\n\\r\\n"
refused 400 "a space before the colon" "GET / ${host}A : 1\\r\\n\\r\\n"
refused 400 "a NUL in a header" "GET / ${host}A: 1\\0002\\r\\n\\r\\n"
refused 400 "a CR in a header" "GET / ${host}A: 1\\r2\\r\\n\\r\\n"
refused 400 "a line that ends with LF alone" \
	"GET / ${host}A: 1\\nB: 2\\r\\n\\r\\n"
refused 400 "a length that is none" \
	"POST / ${host}Content-Length: -1\\r\\n\\r\\n"
refused 400 "two lengths" \
	"POST / ${host}Content-Length: 1\\r\\nContent-Length: 2\\r\\n\\r\\nab"
refused 400 "a length besides chunks" \
	"POST / ${host}Content-Length: 3\\r\\n${chunks}0\\r\\n\\r\\n"
refused 501 "a coding that is not known" \
	"POST / ${host}Transfer-Encoding: gzip\\r\\n\\r\\n"
refused 413 "a body over 16 MiB" \
	"POST / ${host}Content-Length: 16777217\\r\\n\\r\\n"
{
	printf 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n'
	head -c 30000000 /dev/zero
} | raw >answers
like "$(cat answers)" '^HTTP/1.1 413 ' "which is told even while it comes"
refused 417 "another expectation" "POST / ${host}Expect: tea\\r\\n\\r\\n"
refused 400 "a chunk size that is none" "POST / $host${chunks}x\\r\\n"
refused 413 "a chunk that is too large" "POST / $host${chunks}1000001\\r\\n"
refused 400 "a chunk that is longer than it says" \
	"POST / $host${chunks}1\\r\\nab\\r\\n"
perl -e 'print "GET / HTTP/1.1\r\nHost: a\r\nA: ", "x" x 70000' | raw >answers
like "$(head -n 1 answers)" '^HTTP/1.1 431 ' \
	"a head over 64 KiB is answered with 431"
perl -e 'print "GET / HTTP/1.1\r\nHost: a\r\n", "A: 1\r\n" x 100, "\r\n"' |
	raw >answers
like "$(head -n 1 answers)" '^HTTP/1.1 431 ' "as are 101 headers"
is "$(cat recv.out)" "" "none of them is printed"
is "$(post -d x)" 200 "and it goes on"
stop "$recv_pid"
status_is 0 "they do not make it fail"

# --- signatures --------------------------------------------------------------

now=$(date +%s)
cat >secrets <<END
# old
whsec_c2VjcmV0LW9mLWEtcm90YXRlZC1lbmRwb2ludA==

# new
whsec_$secret
END
start_recv -j -s secrets -n 2
is "$(signed "$now" "$hello")" 200 "a right signature"
is "$(signed $((now - 290)) "$hello")" 200 "290 seconds old"
reap "$recv_pid"
status_is 0 "all were right: exit 0"
is "$(jq -c .verified recv.out | tr '\n' ' ')" "true true " "-j says so"

start_recv -j -s secrets --status 204
is "$(signed "$now" "$hello" -d x)" 401 "another body is answered with 401"
is "$(signed "$now" "$hello" -H 'webhook-id: msg_2')" 401 "a second id"
is "$(signed $((now - 310)) "$hello")" 401 "310 seconds old"
is "$(signed $((now + 310)) "$hello")" 401 "310 seconds ahead"
is "$(signed 1x "$hello")" 401 "a timestamp that is none"
is "$(post -d "$hello")" 401 "no signature"
is "$(signed "$now" "$hello")" 204 "a right one after that"
stop "$recv_pid"
status_is 1 "one was wrong: exit 1"
is "$(jq -r '.wrong // "right"' recv.out)" "wrong signature
webhook-id comes more than once
webhook-timestamp is too old
webhook-timestamp is in the future
webhook-timestamp is not a number of seconds
no webhook-id
right" "-j says why"
like "$(cat recv.err)" '^whk-recv: /: msg_1: webhook-timestamp is too old$' \
	"as does stderr"
unlike "$(cat recv.err)" "$secret" "which shows no secret"

start_recv -s secrets --tolerance 0
is "$(signed 1614265330 "$hello")" 200 "any age with --tolerance 0"
stop "$recv_pid"

# --- answers -----------------------------------------------------------------

start_recv --status 500,410,200 --header 'X-One: 1' --header 'Location: /x' \
	--retry-after 120 --body 'well, well'
is "$(post -d 1; post -d 2; post -d 3; post -d 4)" "500
410
200
200" "--status gives them in turn, the last one stays"
is "$(cat answer)" 'well, well' "--body"
head=$(curl -si "$recv_url/?status=302")
like "$head" '^HTTP/1.1 302 Found' "the query may ask for a status"
like "$head" '^X-One: 1' "--header"
like "$head" '^retry-after: 120' "--retry-after as it is"
unlike "$(curl -si "$recv_url")" '^retry-after' "only in failures"
stop "$recv_pid"

start_recv --status 503 --retry-after +90s
date=$(curl -si "$recv_url" | tr -d '\r' | sed -n 's/^retry-after: //p')
ahead=$(($(date -d "$date" +%s) - $(date +%s)))
ok "--retry-after +90s is a date that far ahead" \
	test "$ahead" -ge 85 -a "$ahead" -le 91
stop "$recv_pid"

start_recv --status reset,hang,drip,cut,garbage,flood,200
is "$(post -d 1)" 'curl 56' "reset"
is "$(post -d 2 -m 0.3)" 'curl 28' "hang"
is "$(post -d 3 -m 0.3)" 'curl 28' "drip"
is "$(post -d 4)" 'curl 18' "cut"
is "$(post -d 5)" 'curl 1' "garbage"
is "$(curl -s -d 6 "$recv_url" | head -c 1000000 | wc -c)" 1000000 "flood"
is "$(post -d 7)" 200 "and then well"
is "$(tr '\n' ' ' <recv.out)" '1 2 3 4 5 6 7 ' "all are printed"
stop "$recv_pid"
status_is 0 "none of it is a failure of ours"

start_recv --delay 300ms
start=$(date +%s%N)
is "$(post -d x)" 200 "--delay"
ok "waits as long" test $(($(date +%s%N) - start)) -ge 300000000
start=$(date +%s%N)
recv_url="$recv_url/?delay=0" post -d x >/dev/null
ok "the query may say another" test $(($(date +%s%N) - start)) -lt 300000000
stop "$recv_pid"

# --- the end -----------------------------------------------------------------

exits 1 "-t with fewer than -n" whk-recv -p 0 -n 1 -t 50ms
exits 0 "-t alone" whk-recv -p 0 -t 50ms
start_recv -n 2
post -d x >/dev/null
stop "$recv_pid"
status_is 1 "SIGTERM before -n"

start_recv --delay 500ms
post -d x >late &
wait_for '[ -s recv.out ]'
stop "$recv_pid"
wait $!
status_is 0 "SIGTERM while an answer is due"
is "$(cat late)" 200 "the answer is given first"

start_recv --delay 1h
post -d x -m 5 >late &
wait_for '[ -s recv.out ]'
kill "$recv_pid"
wait_for "! curl -s $recv_url"
stop "$recv_pid"
status_is 143 "the second SIGTERM kills"

spawn recv sh -c 'exec whk-recv -p 0 -u url >/dev/full'
wait_for '[ -s url ]'
recv_url=$(cat url)
post -d x >/dev/null
reap "$recv_pid"
status_is 1 "a full disk"
like "$(cat recv.err)" '^whk-recv: stdout: No space left on device$' "is said"
exits 1 "a full disk for the count" sh -c 'whk-recv -p 0 -c -t 1ms >/dev/full'

rm url
mkfifo pipe
spawn recv sh -c 'exec whk-recv -p 0 -u url >pipe'
exec 3<pipe
wait_for '[ -s url ]'
recv_url=$(cat url)
exec 3<&-
post -d x >/dev/null
reap "$recv_pid"
status_is 1 "a closed pipe"
like "$(cat recv.err)" '^whk-recv: stdout: Broken pipe$' "is said"

# A reader that stands still: 4 MiB are held, then requests wait.
rm url
spawn recv sh -c 'exec whk-recv -p 0 -u url -n 13 >pipe'
exec 3<pipe
wait_for '[ -s url ]'
recv_url=$(cat url)
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
	post --data-binary @big -m 15 >"post.$i" &
done
wait_for "[ \"\$(cat post.* | grep -c 200)\" -ge 5 ]"
is "$(post -d x -m 0.5)" 'curl 28' "a stalled reader holds requests up"
cat <&3 | wc -c >counted
exec 3<&-
reap "$recv_pid"
status_is 0 "until it reads again"
is "$(tr -d ' ' <counted)" $((12 * 1048577 + 2)) "all that came is printed"

done_testing
