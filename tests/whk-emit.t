#!/bin/sh
# SPDX-License-Identifier: ISC
# whk-emit: what it sends, what it refuses, and what it does when the queue
# goes wrong.
. "$(dirname "$0")/lib.sh"

need jq script

# Everything on the queue, one JSON object a line, without taking long.
receive_all() {
	while sqs ReceiveMessage '{"QueueUrl":"'"$WHK_QUEUE_URL"'",
		"MaxNumberOfMessages":10,"MessageAttributeNames":["All"],
		"AttributeNames":["All"]}' >"$T/answer" &&
		jq -ce '.Messages // [] | .[]' "$T/answer"; do
		:
	done
}

purge() { sqs PurgeQueue '{"QueueUrl":"'"$WHK_QUEUE_URL"'"}' >/dev/null; }

# faults FAULT...: a server that answers so; whk-emit's queue is there.
faults() {
	[ -z "${python_pid:-}" ] || stop "$python_pid"
	start_python "$TOP/tests/sqs_faults.py" "$@"
	queue=$python_url/000000000000/events
}

# What that server took, without its URL.
taken() { sed 1d "$T/python.out"; }

# --- manners ---------------------------------------------------------------

exits 0 "-h" whk-emit -h
out_like '^usage: whk-emit' "... says how it is used"
exits 0 "--version" whk-emit --version
exits 2 "an unknown option" whk-emit --nonsense
run whk-emit </dev/null
status_is 2 "no queue"
err_is "whk-emit: no queue: give -q, or set WHK_QUEUE_URL" "... says so"
exits 2 "-i with -l" whk-emit -q http://127.0.0.1:1/0/q -l -i x
exits 2 "an empty type" whk-emit -q http://127.0.0.1:1/0/q -t ''
exits 2 "an id that is none" whk-emit -q http://127.0.0.1:1/0/q -i 'a b'
exits 2 "no jobs" whk-emit -q http://127.0.0.1:1/0/q -j 0
exits 1 "a file that is not there" whk-emit -q http://127.0.0.1:1/0/q nofile
err_is "whk-emit: nofile: No such file or directory" "... says so"
for bad in ftp://h/0/q http:///q http://u:p@h/0/q 'http://h/0/q?a' 'a/b' ''; do
	echo x >body
	run whk-emit -q "$bad" body
	status_is 1 "a queue '$bad' is none"
done
unlike "$(cat "$T/err")" 'u:p' "... and no password is shown"

printf '{"type":"a.b","body":{"n":1.0}}\n{"key":"k","body":"x"}\n' >lines
run whk-emit -n -l -T acme -t t lines
status_is 0 "-n prints event lines"
out_is '{"type":"a.b","tenant":"acme","body":"{\"n\":1.0}"}
{"type":"t","tenant":"acme","key":"k","body":"x"}' "... as they would be sent"
run sh -c 'printf "a\nb" | whk-emit -n -c text/plain -i ev_1'
out_is '{"id":"ev_1","content_type":"text/plain","body":"a\nb"}' \
	"... one body too"
exits 1 "a FIFO queue and no key" whk-emit -n -q events.fifo lines
err_is "whk-emit: lines: no key, which a FIFO queue needs" "... says so"
exits 1 "-n to a full disk" sh -c 'whk-emit -n -l lines >/dev/full'

run whk-emit -q http://127.0.0.1:1/000000000000/events body
status_is 75 "a queue out of reach"
err_is "whk-emit: http://127.0.0.1:1/000000000000/events: connection refused" \
	"... in words"

# --- one body --------------------------------------------------------------

start_mq
printf '{"event": "Hello webhooks world"}' >body
run whk-emit -t hello -T acme -i ev_1 -k k1 -c text/x body
status_is 0 "one body from a file"
out_is "" "... says nothing"
err_is "" "... nothing at all"
receive_all >got
is "$(jq -r .Body got)" '{"event": "Hello webhooks world"}' "it arrives"
is "$(jq -c '.MessageAttributes | map_values(.StringValue) | to_entries
	| map("\(.key)=\(.value)") | sort | join(" ")' got)" \
	'"content_type=text/x id=ev_1 key=k1 tenant=acme type=hello"' \
	"... with its attributes"

purge
printf 'a\tb\r\n\303\274 \360\237\230\200 \\"' >body
run sh -c 'whk-emit -v - <body'
status_is 0 "one body from standard input"
out_like '^msg_[0-9a-f-]{36}$' "-v prints its id"
receive_all | jq -j .Body >got
same got body "every byte arrives"
exits 0 "-v prints an id of one's own" whk-emit -v -i mine body
out_is mine "... as it is"

purge
head -c 1048576 /dev/zero | tr '\0' x >body
exits 0 "1 MiB" whk-emit body
is "$(receive_all | jq '.Body | length')" 1048576 "... arrives"
exits 1 "1 MiB and a type" whk-emit -t t body
err_like '^whk-emit: body: 1048587 bytes, more than the 1048576 of a message$' \
	"... is too much"
printf x >>body
exits 1 "1 MiB and a byte" whk-emit body
err_like 'more than the 1048576 bytes' "... is too much"
exits 1 "no body" whk-emit </dev/null
err_is "whk-emit: standard input: body: empty, which a queue does not take" \
	"... says so"
printf 'a\000b' >body
exits 1 "a NUL" whk-emit body
err_like 'byte 2 begins U\+0000' "... is refused"
printf 'a\377' >body
exits 1 "no UTF-8" whk-emit body
err_is "whk-emit: body: body: not UTF-8" "... is refused"

# --- lines -----------------------------------------------------------------

purge
cat >lines <<'END'
{"type":"order.paid","body":{"n":123456789012345678901234567890}}
nonsense
{"type":"order.paid"}
{"body":""}
{"id":"a b","body":1}
{"body":"\u0001"}
{"type":"t2","tenant":"t","id":"ev_7","key":"k","body":"last","other":1}
END
run whk-emit -l -t default lines
status_is 1 "lines of which some are bad"
is "$(sed 's/:.*line/: line/; s/\(line [0-9]*\):.*/\1/' err)" \
	"whk-emit: line 2
whk-emit: line 3
whk-emit: line 4
whk-emit: line 5
whk-emit: line 6" "each bad one is named"
receive_all >got
is "$(jq -r .Body got | sort)" 'last
{"n":123456789012345678901234567890}' "the good ones are sent"
is "$(jq -r 'select(.Body == "last").MessageAttributes.type.StringValue' got)" \
	t2 "a line's type goes before -t"

purge
seq 1 1000 | sed 's/.*/{"id":"ev_&","body":"&"}/' >lines
run sh -c 'whk-emit -l -v <lines'
status_is 0 "a thousand lines"
is "$(sort -u out | wc -l)" 1000 "... each with its id"
is "$(receive_all | jq -r .Body | sort -un | wc -l)" 1000 "... arrive"
exits 0 "no lines" whk-emit -l /dev/null

# Two bodies that do not fit into one request.
purge
body=$(head -c 600000 /dev/zero | tr '\0' x)
printf '{"body":"%s"}\n' "$body" "$body" "$body" >lines
exits 0 "large lines" whk-emit -l lines
is "$(receive_all | jq '.Body | length')" "600000
600000
600000" "... go in requests of their own"

printf x >body
exits 1 "-v to a full disk" sh -c 'whk-emit -v body >/dev/full'
err_like 'No space left' "... says so"

# A line that comes alone is sent at once; SIGTERM ends it well.
purge
mkfifo pipe
spawn emit sh -c 'exec whk-emit -l pipe'
exec 3<>pipe # opening it waits for nobody
echo '{"body":"one"}' >&3
ok "a line is sent while the next is awaited" \
	wait_for '[ "$(receive_all | jq -r .Body)" = one ]'
stop "${emit_pid:?}"
status_is 0 "SIGTERM ends it"
is "$(cat emit.err)" "whk-emit: stopped after line 1" "... with a word"
exec 3>&-

run whk-emit -q "${WHK_QUEUE_URL%/*}/nosuch" body
status_is 1 "a queue that is not there"
err_like 'nosuch: there is no such queue' "... says so"
AWS_ENDPOINT_URL=$sqs_endpoint run whk-emit -q events body
status_is 0 "a queue by its name"
AWS_ENDPOINT_URL=$sqs_endpoint run whk-emit -q nosuch body
status_is 1 "a name that is not there"
err_like '^whk-emit: nosuch: there is no such queue' "... says so"

# --- a queue that goes wrong -----------------------------------------------

printf '{"body":"%s"}\n' 1 2 3 >lines
for fault in internal silent; do
	faults "$fault"
	exits 0 "$fault: an entry that fails" whk-emit -l -q "$queue" lines
	is "$(taken)" "1
3
2" "... is sent again, alone"
done

faults sender
exits 1 "an entry that fails by the sender's fault" \
	whk-emit -l -q "$queue" lines
err_is "whk-emit: line 2: InvalidMessageContents: so it was told" \
	"... is reported with its line"
is "$(taken)" "1
3" "... and the others are sent"

for fault in throttle 500 html shape reset; do
	faults "$fault"
	exits 0 "$fault: a request that fails" whk-emit -l -q "$queue" lines
	is "$(taken)" "1
2
3" "... is made again"
	err_is "" "... without a word"
done

faults half
exits 0 "an answer cut off" whk-emit -l -q "$queue" lines
is "$(taken | sort -u)" "1
2
3" "... is one to send again"

faults denied
exits 1 "a request that is not allowed" whk-emit -l -q "$queue" lines
err_is "whk-emit: $queue: access denied (AccessDeniedException: Not allowed)
whk-emit: 0 events sent; line 1 is the first that was not" "... ends it"

seq 1 20 | sed 's/.*/{"body":"&"}/' >lines
faults ok denied
exits 1 "the second is not allowed" whk-emit -l -j 1 -q "$queue" lines
err_like '10 events sent; line 11 is the first that was not' \
	"... and it says how far it came"

faults 500 500 500 500 500 500
exits 75 "a server in trouble" whk-emit -l -j 1 -q "$queue" lines
err_like "events: status 500, and the answer is not one of SQS" "... says so"
faults ok 500 500 500
exits 0 "a trouble in between" whk-emit -l -j 1 -q "$queue" lines
err_like "events: status 500, .* is not one of SQS; trying again$" "... is told"
err_like "^whk-emit: the queue answers again$" "... and when it is over"

# --- a terminal ------------------------------------------------------------

start_mq
run script -qec "{ echo '{\"body\":1}'; sleep 1.5; } | whk-emit -l" /dev/null
out_like '1 events, [01]/s' "a terminal sees how far it came"
run sh -c "{ echo '{\"body\":1}'; sleep 1.5; } | whk-emit -l"
err_is '' "... and nobody else"

# --- ElasticMQ -------------------------------------------------------------

if command -v java >/dev/null && [ -e "$TOP/build/elasticmq/.done" ]; then
	start_elasticmq
	printf '{"event": "\303\274 <&> \\u00fc"}' >body
	exits 0 "ElasticMQ takes one" whk-emit -t a.b -T acme -i ev_1 body
	receive_all >got
	is "$(jq -j .Body got)" "$(cat body)" "... as it is"
	is "$(jq -r .MessageAttributes.type.StringValue got)" a.b \
		"... with its type"
	purge
	seq 1 100 | sed 's/.*/{"body":"&"}/' >lines
	exits 0 "ElasticMQ takes lines" whk-emit -l lines
	is "$(receive_all | jq -r .Body | sort -un | wc -l)" 100 "... all"
	AWS_ENDPOINT_URL=$sqs_endpoint run whk-emit -q events body
	status_is 0 "ElasticMQ knows a name"
	run whk-emit -q "${WHK_QUEUE_URL%/*}/nosuch" body
	status_is 1 "ElasticMQ has no such queue"
	err_like 'there is no such queue' "... in the same words"
else
	skip "no ElasticMQ" "ElasticMQ takes what whk-emit sends"
fi

done_testing
