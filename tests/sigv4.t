#!/bin/sh
# SPDX-License-Identifier: ISC
# Requests to a queue are signed as botocore would sign them.
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2016 # the dollar is part of a secret
secret='wJalr/XUt+nFE$MI:K7=MD"ENG'

export AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY="$secret"
start_python "$TOP/tests/sqs_server.py" AKIDEXAMPLE "$secret"

# said N LINE DESCRIPTION: the server's last N lines are all this one.
said() {
	is "$(tail -n "$1" "$T/python.out" | sort -u)" "$2" "$3"
}

queue=$python_url/000000000000/events
printf '{"event":"signed"}' >body
exits 0 "a signed request is taken" whk-emit -q "$queue" body
said 1 "SendMessageBatch good us-east-1 /" "... as botocore signs it"

AWS_REGION=eu-central-1 run whk-emit -q "$queue" -t 'a.b' -T 'Ünï, "x"  y' body
status_is 0 "attributes with other characters"
said 1 "SendMessageBatch good eu-central-1 /" "... in the region that was set"

run whk-emit -q "$queue%20%2F~+x%C3%BC" body
status_is 0 "a queue's URL with characters that are encoded"
said 1 "SendMessageBatch good us-east-1 /" "... which are not in the path"

head -c 1048576 /dev/zero | tr '\0' '"' >large
exits 0 "a body of 1 MiB" whk-emit -q "$queue" large
said 1 "SendMessageBatch good us-east-1 /" "... whose signature covers it"

export AWS_ENDPOINT_URL="$python_url/a-b/~c_d.e/" AWS_REGION=us-west-2
exits 0 "a queue by its name, an endpoint with a path" \
	whk-emit -q events body
is "$(tail -n 2 "$T/python.out")" "GetQueueUrl good us-west-2 /a-b/~c_d.e/
SendMessageBatch good us-west-2 /a-b/~c_d.e/" "... both requests are signed"

# libcurl signs such a path as it is, SigV4 wants it encoded twice.
AWS_ENDPOINT_URL="$python_url/a%20b" run whk-emit -q events body
status_is 1 "a path that cannot be signed rightly is refused"
err_like 'cannot be signed' "... with a word why"
unset AWS_ENDPOINT_URL AWS_REGION

i=0
while [ $((i = i + 1)) -le 500 ]; do
	echo '{"type":"order.paid","tenant":"acme","body":{"n":1}}'
done >lines
exits 0 "many requests on few connections" whk-emit -l -j 4 -q "$queue" lines
said 50 "SendMessageBatch good us-east-1 /" "... each with its signature"

AWS_SECRET_ACCESS_KEY=hush-hush run whk-emit -q "$queue" body
status_is 1 "a wrong secret is found out"
err_like 'the signature is refused: check the secret key and the clock' \
	"... and it says what to look at"
unlike "$(cat "$T/err")" "hush|wJalr" "... without the secret"

stop "$python_pid"
export AWS_SESSION_TOKEN='IQoJb3JpZ2lu//8+EXAMPLE=='
start_python "$TOP/tests/sqs_server.py" AKIDEXAMPLE "$secret" \
	"$AWS_SESSION_TOKEN"
queue=$python_url/000000000000/events
exits 0 "with a session token" whk-emit -q "$queue" body
said 1 "SendMessageBatch good us-east-1 /" "... which is signed too"
exits 0 "many with a session token" whk-emit -l -j 4 -q "$queue" lines
said 50 "SendMessageBatch good us-east-1 /" "... on the same connections"

unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
cat >credentials <<END
[default]
aws_access_key_id = AKIDEXAMPLE
aws_secret_access_key = $secret
aws_session_token = IQoJb3JpZ2lu//8+EXAMPLE==
END
AWS_SHARED_CREDENTIALS_FILE=credentials run whk-emit -q "$queue" body
status_is 0 "credentials of a file"
said 1 "SendMessageBatch good us-east-1 /" "... are the same"

run whk-emit -q https://sqs.eu-west-1.amazonaws.com/123456789012/events body
status_is 1 "Amazon's queues need credentials"
err_like 'no credentials: set AWS_ACCESS_KEY_ID' "... which it says"
printf '[default]\nsso_session = corp\n' >config
AWS_CONFIG_FILE=config run whk-emit \
	-q https://sqs.eu-west-1.amazonaws.com/123456789012/events body
status_is 1 "SSO is refused"
err_like 'config: profile default: SSO' "... by file and profile"

done_testing
