#!/bin/sh
# SPDX-License-Identifier: ISC
# The example of README in containers, line by line; then what the image and
# docker-compose.yml promise: little privilege, quick stops, nothing lost.
. "$(dirname "$0")/lib.sh"

need docker-compose http curl jq
python=$TOP/build/venv/bin/python
[ -x "$python" ] || skip_all "no Python environment"
[ -e "$TOP/build/elasticmq/.done" ] || skip_all "no ElasticMQ"
! ip route | grep -qwF 10.0.2.2 || skip_all "10.0.2.2 is somebody else here"

start_engine
base_image
image postgres:15 "$TOP/tests/system/postgres"
mkdir -p "$T/elasticmq/jars"
cp "$TOP/tests/system/elasticmq/Dockerfile" "$T/elasticmq"
cp "$TOP"/build/elasticmq/*.jar "$T/elasticmq/jars"
image softwaremill/elasticmq-native "$T/elasticmq"
add_address 10.0.2.2
cd "$TOP" || exit

# state SERVICE FORMAT: what the engine knows of the service's container.
state() { docker inspect -f "$2" "$(docker-compose ps -q "$1")"; }

query() {
	docker-compose exec -T db psql -XAtq -U whk -v ON_ERROR_STOP=1 -c "$1"
}

# got TEXT: the consumer has printed just that.
got() { wait_for "[ \"\$(cat '$T/consumer.out')\" = '$1' ]"; }

# --- the example -----------------------------------------------------------

webhook() { printf '[
    {
        "fields": {
            "url": "http://10.0.2.2:7777"
        },
        "model": "app.webhook",
        "pk": %d
    }
]' "$1"; }
hello='{"event": "Hello webhooks world"}'

exits 0 "the image is built" docker-compose build
exits 0 "docker-compose up -d db mq" docker-compose up -d db mq
spawn up docker-compose up web worker
WAIT=60 wait_for "curl -sf localhost:8000/healthz"
exits 0 "docker-compose up web worker" curl -sf localhost:8000/healthz

exits 0 "http POST localhost:8000/webhooks/ url=http://10.0.2.2:7777" \
	http --ignore-stdin --print=hb \
	POST localhost:8000/webhooks/ url=http://10.0.2.2:7777
out_like '^HTTP/1.1 200 OK' "it answers 200 OK"
out_like '^Content-Type: application/json' "with JSON"
is "$(sed '1,/^\r*$/d' "$T/out")" "$(webhook 1)" "that shows the webhook"

spawn consumer python3 tests/example/consumer.py
wait_for "curl -s http://10.0.2.2:7777"
exits 0 "the producer sends" "$python" tests/example/producer.py
ok "the consumer prints $hello" got "$hello"

# add DESCRIPTION ID CURL...: the same webhook in another way.
add() {
	add_what=$1 add_id=$2
	shift 2
	run curl -sf "$@"
	out_is "$(webhook "$add_id")" "$add_what"
}
url='{"url": "http://10.0.2.2:7777"}'
json='Content-Type: application/json'
add "as JSON, without the last slash" 2 \
	localhost:8000/webhooks -H "$json" -d "$url"
add "as a form" 3 localhost:8000/webhooks/ -d url=http://10.0.2.2:7777
add "as a form, without the last slash" 4 \
	localhost:8000/webhooks -d url=http://10.0.2.2:7777
for id in 2 3 4; do
	exits 0 "DELETE of webhook $id" \
		curl -sf -X DELETE "localhost:8000/webhooks/$id"
done

# --- the same with whk's own programs --------------------------------------

export WHK_QUEUE_URL=http://127.0.0.1:9324/000000000000/events
stop "${consumer_pid:?}"
start_recv -a 10.0.2.2 -p 7777
exits 0 "whk-emit of the host" sh -c "printf '%s' '$hello' | whk-emit"
wait_for "[ -s '$T/recv.out' ]"
is "$(cat "$T/recv.out")" "$hello" "whk-recv prints it"
: >"$T/recv.out"
exits 0 "whk-emit of the image" sh -c "printf '%s' '$hello' |
	docker-compose exec -T worker whk-emit"
wait_for "[ -s '$T/recv.out' ]"
is "$(cat "$T/recv.out")" "$hello" "whk-recv prints that too"
like "$(docker-compose exec -T worker whk-log)" 'delivered' \
	"whk-log in the container shows it"

# --- little privilege ------------------------------------------------------

base_size=$(docker image inspect -f '{{.Size}}' debian:bookworm-slim)
size=$(($(docker image inspect -f '{{.Size}}' whk) - base_size))
ok "the image is $((size / 1000000)) MB over its base, under 100" \
	test "$size" -lt 100000000
for service in web worker; do
	run docker-compose exec -T $service sh -c 'id -u
		for d in / /tmp /usr/bin; do touch $d/x 2>/dev/null && echo $d
		done; grep -E "^(Cap|NoNew)" /proc/1/status'
	isnt "$(head -n 1 "$T/out")" 0 "$service: not root"
	unlike "$(cat "$T/out")" '^/' "$service: a root that is read-only"
	out_like '^CapBnd:.0+$' "$service: no capability, and none to be had"
	out_like '^CapEff:.0+$' "$service: nor in force"
	out_like '^NoNewPrivs:.1$' "$service: no new privileges"
done
is "$(for service in db mq web worker; do
	state $service '{{range .NetworkSettings.Ports}}{{range .}}
		{{.HostIp}}:{{.HostPort}}{{end}}{{end}}'
done | tr -s ' \t\n' ' ')" ' 127.0.0.1:9324 127.0.0.1:8000 ' \
	"two ports are published, on 127.0.0.1"
run curl -s http://10.0.2.2:8000/healthz
status_is 7 "nobody listens on another address"

# --- stops and starts in the middle of a load ------------------------------

# Over HTTP, as long as there is somebody: $T/accepted is how many.
load_api() {
	i=0
	while curl -sf localhost:8000/events/ -H "$json" \
		-d "{\"body\":{\"api\":$i}}"; do
		i=$((i + 1))
		echo $i >"$T/accepted"
	done
}
load_queue() {
	seq 0 9999 | sed 's/.*/{"body":{"queue":&}}/' | whk-emit -l
}
# All that was sent has come, at least once.
all_there() {
	seq 0 9999 | sed 's/.*/{"queue":&}/' >"$T/sent"
	seq 0 $(($(cat "$T/accepted") - 1)) | sed 's/.*/{"api":&}/' \
		>>"$T/sent"
	sort -u "$T/sent" -o "$T/sent"
	sort -u "$T/recv.out" | comm -23 "$T/sent" - >"$T/missing"
	[ ! -s "$T/missing" ]
}

stop "${recv_pid:?}"
start_recv -a 10.0.2.2 -p 7777 -d 20ms
load_api >"$T/api.out" 2>&1 &
api_pid=$!
load_queue >"$T/queue.out" 2>&1 &
queue_pid=$!
wait_for "[ \$(wc -l <'$T/recv.out') -ge 500 ]"
for service in worker web; do
	began=$(date +%s)
	exits 0 "docker-compose stop $service" docker-compose stop $service
	ms=$(docker events --since "$began" --until "$(date +%s.%N)" \
		--filter "container=$(docker-compose ps -q $service)" \
		--format '{{.TimeNano}} {{.Action}}' | awk '
		$2 == "kill" { kill = $1 }
		$2 == "die" { printf "%d\n", ($1 - kill) / 1e6 }')
	ok "$service ends $ms ms after SIGTERM" test "$ms" -lt 5000
	is "$(state $service '{{.State.ExitCode}}')" 0 "$service: with 0"
done
reap "${up_pid:?}"
wait $api_pid $queue_pid
not_ok "that was in the middle: not all is there" all_there
# What was in a pipe is leased to those that are gone: as if that had ended.
query "UPDATE whk.pending SET next_at = now() WHERE next_at > now()"
exits 0 "they start again" docker-compose up -d web worker
ok "then all is there: nothing was lost" wait_for all_there
is "$(sort "$T/recv.out" | uniq -d | head -n 5)" '' "and nothing came twice"

# --- what dies comes back --------------------------------------------------

# An event goes through; $1 says when.
goes_through() {
	echo "{\"type\":\"$1\",\"body\":{\"after\":\"$1\"}}" | whk-emit -l
	ok "an event goes through: $1" \
		wait_for "grep -qxF '{\"after\":\"$1\"}' '$T/recv.out'"
}
restarts() { state "$1" '{{.RestartCount}} {{.State.Running}}'; }
restarted() { wait_for "[ \"\$(restarts $1)\" = '$2 true' ]"; }

WAIT=60
count=0
for program in whk-poll whk-send whk-due; do
	count=$((count + 1))
	kill -KILL "$(docker top "$(docker-compose ps -q worker)" |
		awk -v p=$program '$8 == p { print $2; exit }')"
	ok "$program is killed: the worker starts again" \
		restarted worker $count
	goes_through $program
done

before=$(restarts worker; restarts web)
kill -KILL "$(state db '{{.State.Pid}}')"
ok "the database is killed: it starts again" restarted db 1
goes_through database
wait_for "curl -sf localhost:8000/healthz"
exits 0 "and web goes on" curl -sf localhost:8000/webhooks/1
exits 0 "the queue starts anew" docker-compose restart mq
wait_for "curl -s '$WHK_QUEUE_URL'"
goes_through queue
is "$(restarts worker; restarts web)" "$before" "nothing else had to"

exits 0 "docker-compose down" docker-compose down
exits 0 "docker-compose up" docker-compose up -d
wait_for "curl -sf localhost:8000/healthz"
exits 0 "the volume has kept what was in it" \
	curl -sf localhost:8000/webhooks/1
out_like '"state": *"active"' "and how it stands"

# --- two workers at once ---------------------------------------------------

# said COMPOSE...: what the two whk-init said, without the version.
said() {
	"$@" logs worker |
		sed -n 's/.*whk-init: schema whk: version [0-9]*//p' |
		sort | tr '\n' ';'
}

query "UPDATE whk.meta SET functions = 'an older version'"
exits 0 "two workers of a new version" \
	docker-compose up -d --force-recreate --no-deps --scale worker=2 worker
wait_for "[ \"\$(said docker-compose | tr -dc ';')\" = ';;' ]"
is "$(said docker-compose)" ' is up to date;, functions renewed;' \
	"one of them upgrades the schema"
: >"$T/recv.out"
seq 0 299 | sed 's/.*/{"body":{"two":&}}/' | whk-emit -l
wait_for "[ \$(wc -l <'$T/recv.out') -ge 300 ]"
is "$(sort -u "$T/recv.out" | wc -l), $(wc -l <"$T/recv.out")" '300, 300' \
	"and each event comes once"
exits 0 "docker-compose down -v" docker-compose down -v

# --- docker-compose 2 ------------------------------------------------------

if compose2 >"$T/compose2" 2>&1; then
	say "$(tail -n 1 "$T/compose2")"
	exits 0 "docker compose config" docker compose config -q
	exits 0 "docker compose build" docker compose build
	exits 0 "docker compose up -d db mq" docker compose up -d db mq
	exits 0 "docker compose up web worker" \
		docker compose up -d --scale worker=2 web worker
	wait_for "[ \"\$(said docker compose | tr -dc ';')\" = ';;' ]"
	is "$(said docker compose)" ' is up to date;, created;' \
		"of two workers, one makes the schema"
	wait_for "curl -sf localhost:8000/healthz"
	run curl -sf localhost:8000/webhooks/ -d url=http://10.0.2.2:7777
	out_is "$(webhook 1)" "a webhook is added"
	goes_through compose2
	exits 0 "docker compose down -v" docker compose down -v
else
	diag <"$T/compose2"
	skip "no docker-compose 2" "the same with docker-compose 2"
fi

done_testing
