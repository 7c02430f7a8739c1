#!/bin/sh
# SPDX-License-Identifier: ISC
# whk-mq: its command line, and the queue as boto3, the AWS CLI and clients that
# keep no rules see it.
. "$(dirname "$0")/lib.sh"

python=$TOP/build/venv/bin/python

# Passes on the checks that a script printed.
verdicts() {
	while IFS= read -r line; do
		case $line in
		'ok '*) pass "${line#ok }" ;;
		'not ok '*) fail "${line#not ok }" ;;
		*) diag "$line" ;;
		esac
	done
}

# code ACTION JSON: the HTTP status and the type of the error, if it is one.
code() {
	curl -sS -m "$WAIT" -o "$T/answer" -w '%{http_code}' "$sqs_endpoint" \
		-d "$2" -H "X-Amz-Target: AmazonSQS.$1"
	sed -n 's/.*"__type":"[^#]*#\([^"]*\)".*/ \1/p' "$T/answer"
}

# serve_mq OPTION...: a whk-mq on a free port, at $mq_url.
serve_mq() {
	spawn mq whk-mq -p 0 "$@"
	wait_for "[ -s '$T/mq.out' ] || ended $pid"
	mq_url=$(head -n 1 "$T/mq.out") sqs_endpoint=$mq_url
}

# --- the command line ---

exits 0 "-h" whk-mq -h
out_like '^  -q, --queue NAME' "shows the options"
exits 0 "--version" whk-mq --version
exits 2 "an unknown option" whk-mq --colour
exits 2 "an operand" whk-mq operand
err_like '^whk-mq: ' "is a usage error"
for bad in "-p 65536" "-p -1" "-p x" "-m 1" "-m x" "-q" "-q a.b" "-q a.fifo" \
	"--region a/b" "--account 1_2"; do
	# shellcheck disable=SC2086 # an option and its value
	exits 2 "a bad value: $bad" whk-mq $bad
done
exits 1 "an address that is none" whk-mq -p 0 -a 256.0.0.1
err_like '^whk-mq: 256\.0\.0\.1: ' "is named"
exits 1 "stdout is full" sh -c 'whk-mq -p 0 >/dev/full'
err_like '^whk-mq: .*standard output' "and it says so"

serve_mq -q one -q two -q one --account 42 --region nowhere
base=$mq_url
like "$base" '^http://127\.0\.0\.1:[0-9]+$' "the URL is the first line"
is "$(sed 1d "$T/mq.out")" "$base/42/one
$base/42/two
$base/42/one" "the queues that were asked for follow"
is "$(sqs ListQueues '{}')" \
	"{\"QueueUrls\":[\"$base/42/one\",\"$base/42/two\"]}" \
	"and are there"
is "$(sqs GetQueueAttributes "{\"QueueUrl\":\"$base/42/one\",
	\"AttributeNames\":[\"QueueArn\"]}")" \
	'{"Attributes":{"QueueArn":"arn:aws:sqs:nowhere:42:one"}}' \
	"region and account are in the ARN"
exits 1 "the port is taken" whk-mq -p "${base##*:}"
err_like "^whk-mq: 127\.0\.0\.1 port ${base##*:}: " "is said"
stop "$mq_pid"
status_is 0 "SIGTERM ends it well"
is "$(cat "$T/mq.err")" '' "without a word"

serve_mq -a ::1
if [ -n "$mq_url" ]; then
	like "$mq_url" '^http://\[::1\]:[0-9]+$' "IPv6"
	stop "$mq_pid" INT
	status_is 0 "SIGINT ends it well"
else
	skip "no IPv6" "IPv6"
fi

# --- memory ---

serve_mq -m 1m -q small
queue='"QueueUrl":"http://x/000000000000/small"'
printf '{%s,"MessageBody":"%s"}' "$queue" \
	"$(head -c 400000 /dev/zero | tr '\0' x)" >"$T/big"
is "$(code SendMessage "@$T/big")" 200 "there is room for one"
is "$(code SendMessage "@$T/big")" 200 "there is room for two"
is "$(code SendMessage "@$T/big")" '403 RequestThrottled' "but not for three"
is "$(code ReceiveMessage "{$queue}")" 200 "what is there is handed out"
handle=$(sed 's/.*"ReceiptHandle":"\([^"]*\)".*/\1/' "$T/answer")
is "$(code DeleteMessage "{$queue,\"ReceiptHandle\":\"$handle\"}")" 200 \
	"and deleted"
is "$(code SendMessage "@$T/big")" 200 "which makes room again"
stop "$mq_pid"
status_is 0 "it ends well with messages left"

# --- clients ---

[ -x "$python" ] || skip_all "no Python environment"

serve_mq
"$python" "$TOP/tests/mq_client.py" "$mq_url" >"$T/verdicts" 2>&1
verdicts <"$T/verdicts"
like "$(tail -n 1 "$T/verdicts")" '^ok Many clients' "boto3 came to the end"
"$python" "$TOP/tests/mq_raw.py" "$mq_url" >"$T/verdicts" 2>&1
verdicts <"$T/verdicts"
like "$(tail -n 1 "$T/verdicts")" '^ok Hundreds' "the sockets came to the end"

aws() {
	AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=y \
		AWS_DEFAULT_REGION=us-east-1 \
		"$python" "$TOP/build/venv/bin/aws" --endpoint-url "$mq_url" \
		--output text "$@"
}
exits 0 "aws sqs create-queue" aws sqs create-queue --queue-name cli
out_is "$mq_url/000000000000/cli" "prints the URL"
exits 0 "aws sqs send-message" aws sqs send-message \
	--queue-url "$mq_url/000000000000/cli" --message-body '{"event": "x"}' \
	--message-attributes 'type={DataType=String,StringValue=order.paid}'
exits 0 "aws sqs receive-message" aws sqs receive-message \
	--queue-url "$mq_url/000000000000/cli" --message-attribute-names All \
	--query 'Messages[0].[Body,MessageAttributes.type.StringValue]'
out_is '{"event": "x"}	order.paid' "has what was sent"
run aws sqs get-queue-url --queue-name none
isnt "$status" 0 "aws sqs get-queue-url of no queue fails"
err_like NonExistentQueue "and says why"

"$python" "$TOP/tests/mq_raw.py" "$mq_url" "$mq_pid" >"$T/verdicts" 2>&1
verdicts <"$T/verdicts"
reap "$mq_pid"
status_is 0 "and it ends well"
is "$(cat "$T/mq.err")" '' "all of it without a word"

if [ -z "${WHK_TEST_SLOW:-}" ]; then
	spawn mq prlimit --nofile=40 whk-mq -p 0
	wait_for "[ -s '$T/mq.out' ]"
	mq_url=$(head -n 1 "$T/mq.out")
	"$python" "$TOP/tests/mq_raw.py" "$mq_url" "$mq_pid" few \
		>"$T/verdicts" 2>&1
	verdicts <"$T/verdicts"
	stop "$mq_pid"
	status_is 0 "and it ends well after that"
fi

done_testing
