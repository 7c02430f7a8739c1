#!/bin/sh
# SPDX-License-Identifier: ISC
# The classic example: a producer and a consumer in Python that know nothing of
# whk, and whk-poll | whk-send between them; with ElasticMQ and with whk-mq.
. "$(dirname "$0")/lib.sh"

python=$TOP/build/venv/bin/python
[ -x "$python" ] || skip_all "no Python environment"

port=$(free_port)
spawn consumer "$python" "$TOP/tests/example/consumer.py" "$port"
wait_for "curl -s http://127.0.0.1:$port/"
start_postgres
exits 0 "the consumer is added" whk-add "http://127.0.0.1:$port"

classic() {
	: >"$T/consumer.out"
	exits 0 "$1: the producer sends" \
		"$python" "$TOP/tests/example/producer.py" "$sqs_endpoint"
	WHK_QUEUE_URL=$(cat "$T/out")
	spawn pipeline sh -c 'whk-poll | whk-send'
	wait_for "[ -s '$T/consumer.out' ]"
	is "$(cat "$T/consumer.out")" '{"event": "Hello webhooks world"}' \
		"$1: the consumer prints the event"
	wait_for "[ -s '$T/pipeline.out' ]"
	stop_all "$pid"
	status_is 0 "$1: the pipeline ends well"
	is "$(jq -r '[.outcome, .status, .attempt] | @csv' "$T/pipeline.out")" \
		'"delivered",200,1' "$1: it printed the attempt"
	is "$(cat "$T/pipeline.err")" '' "$1: and no complaint"
}

start_elasticmq other
classic ElasticMQ
crash "$elasticmq_pid"
start_mq other
classic whk-mq

done_testing
