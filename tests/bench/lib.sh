# shellcheck shell=sh disable=SC2034 # variables are for the cases
# SPDX-License-Identifier: ISC
#
# lib.sh: what the cases of the bench share. A case is a script in this
# directory, which ./run starts and which runs alone too:
#
#	#!/bin/sh
#	. "$(dirname "$0")/lib.sh"
#
# Each has a directory, a PostgreSQL and a queue of its own, as the tests do;
# what ../lib.sh has is there. It says what it does, does it, adds its figures
# to $OUT and looks at the record: a figure that is not true is not given.
#
# Settings, from the environment; ./run says what they mean:
#
#	$COUNT $SMOKE $SCALE $OUT
#
# Saying:
#
#	say TEXT...                  a line on stderr
#	die TEXT...                  the same, and the case has failed
#	about TEXT...                what the case does, how, on what; on record
#	figure NAME VALUE UNIT [KEY VALUE]...
#	                             a figure on record, with what explains it,
#	                             as JSON: "ratio" is a column of the table,
#	                             "note" takes the place of its bar, "series"
#	                             is drawn below. Of /s more is better, of
#	                             all other units less.
#	rate NAME EVENTS SECONDS [KEY VALUE]...
#	                             a figure in events/s and as a ratio to the
#	                             yardstick
#	latencies NAME LINE [LINE]   the figures of a line of ./latency, beside
#	                             those of another
#
# Measuring:
#
#	calc FORMAT EXPRESSION       arithmetic, as awk has it
#	either SMOKE FULL            prints the one for the run that it is
#	timed COMMAND...             runs it, which must succeed; $took seconds
#	cpu_of COMMAND...            runs it and writes down its CPU time
#	cpu_used COMMAND             that time, in seconds, of all of them since
#	                             it was last asked for
#	cpu_now PID                  CPU seconds until now of a process and all
#	                             that it started, those that ended too
#	peak_kib PID                 the most memory that it has had
#	rss_kib PID                  what it has now
#	share_kib PID...             what they have now, pages that they share
#	                             counted once
#	yardstick [BYTES [N]]        the bare libcurl loop against the receiver,
#	                             N ($COUNT) requests, 64 in flight, bodies
#	                             of BYTES (1000): a figure, $bare_rate and
#	                             $bare_cpu
#	take                         receives and deletes the $COUNT events of
#	                             1 KB in the queue and does nothing else;
#	                             $take_rate
#
# The parts:
#
#	start                        PostgreSQL (fsync on), a queue, a receiver
#	start_receiver               nginx with one worker; $receiver its URL
#	webhooks N TYPE URL          N webhooks for events of that type, in
#	                             which %d is a number from 1 on; more
#	                             columns of theirs in $columns, as JSON
#	events N TYPE BYTES          event lines to $T/events
#	fill N TYPE BYTES            puts them on the queue
#	drain N                      the pipeline takes N messages that are in
#	                             the queue; $took
#	produce N                    the same of the N events of $T/events,
#	                             while whk-emit sends them
#	rest                         sends what was parked, as it had waited for
#	                             its webhook for over a second; adds what
#	                             that takes to $took
#	backlog                      whk-due | whk-send, by cpu_of
#	put_due N TYPES BYTES        N events due at once, put into the tables,
#	                             of the types bench.0, bench.1 ... in turn
#	check_record N               N more deliveries than at the last look are
#	                             on record, and nothing is pending
#
# $tools is where the C programs of this directory are.

. "$(dirname "$0")/../lib.sh"

OUT=${OUT:-/dev/null}
tools=$BUILD/tests/bench
case_name=${0##*/}
recorded=0 columns=''
export WHK_TEST_FSYNC=on WHK_LEASE=3600

either() {
	if [ -n "${SMOKE:-}" ]; then echo "$1"; else echo "$2"; fi
}

COUNT=${COUNT:-$(either 500 50000)}
SCALE=${SCALE:-$(either 0.002 1)}
export SCALE

# --- saying ----------------------------------------------------------------

say() {
	printf 'bench: %s\n' "$*" >&2
}

die() {
	say "$case_name: $*"
	exit 1
}

about() {
	say "$case_name: $*"
	jq -cn --arg case "$case_name" --arg about "$*" '$ARGS.named' >>"$OUT"
}

figure() {
	case $2 in '' | *[!0-9.e+-]*) die "no number for $1: $2" ;; esac
	figure_line="{\"case\":\"$case_name\",\"name\":\"$1\",\"value\":$2"
	figure_line="$figure_line,\"unit\":\"$3\""
	say "    $1: $2 $3"
	shift 3
	while [ $# -gt 0 ]; do
		figure_line="$figure_line,\"$1\":$2"
		shift 2
	done
	echo "$figure_line}" >>"$OUT"
}

rate() {
	rate_name=$1 rate_events=$2 rate_seconds=$3
	shift 3
	rate_value=$(calc %.0f "$rate_events / $rate_seconds")
	figure "$rate_name" "$rate_value" /s \
		ratio "$(calc %.3f "$rate_value / $bare_rate")" \
		events "$rate_events" seconds "$rate_seconds" "$@"
}

latencies() {
	for quantile in p50 p99 p99.9 max; do
		quantile_ms=$(echo "$2" | jq ".\"$quantile\"")
		quantile_of=$(echo "${3:-$2}" | jq ".\"$quantile\"")
		quantile_ratio=$(calc %.3f "$quantile_ms / $quantile_of")
		figure "$1: $quantile" "$quantile_ms" ms \
			${3:+ratio "$quantile_ratio"} \
			events "$(echo "$2" | jq .events)" \
			per_second "$(echo "$2" | jq .per_second)" \
			sender_late_ms "$(echo "$2" | jq .late)"
	done
}

# --- measuring -------------------------------------------------------------

calc() {
	awk "BEGIN { printf \"$1\", $2 }"
}

now() {
	date +%s.%N
}

timed() {
	timed_begin=$(now)
	"$@" 2>"$T/timed.err" || {
		cat "$T/timed.err" >&2
		die "failed: $*"
	}
	took=$(calc %.3f "$(now) - $timed_begin")
}

cpu_of() {
	/usr/bin/time -a -f '%U %S' -o "$T/$1.cpu" "$@"
}

cpu_used() {
	touch "$T/$1.cpu"
	awk '{ sum += $1 + $2 } END { printf "%.2f", sum }' "$T/$1.cpu"
	rm "$T/$1.cpu"
}

# What ended is in its parent's times of children.
cpu_now() {
	for process in $1 $(descendants "$1"); do
		sed 's/.*) //' "/proc/$process/stat"
	done 2>/dev/null | awk -v hz="$(getconf CLK_TCK)" '
		{ ticks += $12 + $13 + $14 + $15 } END { print ticks / hz }'
}

# Nothing of a process that has ended.
peak_kib() {
	sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"
} 2>/dev/null

rss_kib() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"
} 2>/dev/null

share_kib() {
	for process; do
		cat "/proc/$process/smaps_rollup"
	done 2>/dev/null | awk '/^Pss:/ { sum += $2 } END { print sum + 0 }'
}

yardstick() {
	bare_line=$("$tools/bare" "$receiver" "${2:-$COUNT}" 64 "${1:-1000}") ||
		die "the bare loop failed"
	bare_rate=$(echo "$bare_line" | jq .per_second)
	bare_cpu=$(echo "$bare_line" | jq .cpu_us)
	figure "bare libcurl loop, $(size "${1:-1000}")" "$bare_rate" /s \
		cpu_us "$bare_cpu"
}

take() {
	take_line=$("$tools/take" "$WHK_QUEUE_URL" "$COUNT" 16 1000) ||
		die "receive and delete failed"
	take_rate=$(echo "$take_line" | jq .per_second)
}

# --- the parts -------------------------------------------------------------

start() {
	start_postgres
	start_mq events
	start_receiver
}

start_receiver() {
	receiver_port=$(free_port)
	receiver=http://127.0.0.1:$receiver_port/
	cat >"$T/nginx.conf" <<-END
	daemon off;
	worker_processes 1;
	error_log $T/nginx.log;
	pid $T/nginx.pid;
	events { worker_connections 4096; }
	http {
		access_log off;
		keepalive_requests 1000000000;
		client_body_temp_path $T;
		proxy_temp_path $T;
		fastcgi_temp_path $T;
		uwsgi_temp_path $T;
		scgi_temp_path $T;
		server {
			listen 127.0.0.1:$receiver_port backlog=4096;
			location / { return 200 "ok"; }
		}
	}
	END
	chmod 777 "$T" # nginx's worker is another user
	spawn nginx nginx -e "$T/nginx.log" -c "$T/nginx.conf" -p "$T"
	wait_for "curl -s -o /dev/null '$receiver'" || die "nginx did not start"
}

webhooks() {
	awk -v n="$1" -v type="$2" -v url="$3" -v more="$columns" 'BEGIN {
		for (i = 1; i <= n; i++)
			printf "{\"url\":\"%s\",\"events\":[\"%s\"]%s}\n",
			    url, sprintf(type, i), more
	}' | whk-add - >/dev/null 2>"$T/add.err" || {
		cat "$T/add.err" >&2
		die "cannot add webhooks"
	}
}

# BYTES in people's words.
size() {
	if [ "$1" -lt 1000 ]; then
		echo "$1 B"
	else
		echo "$(($1 / 1000)) KB"
	fi
}

# By print and by doubling, as awk may have no long buffer for sprintf.
events() {
	awk -v n="$1" -v type="$2" -v bytes="$3" 'BEGIN {
		for (s = "x"; length(s) < bytes; s = s s)
			;
		s = substr(s, 1, bytes > 40 ? bytes - 20 : 20)
		for (i = 0; i < n; i++)
			print "{\"type\":\"" type "\",\"body\":" \
			    "\"{\\\"n\\\":" i ",\\\"s\\\":\\\"" s "\\\"}\"}"
	}' >"$T/events" || die "cannot make events"
}

fill() {
	events "$@"
	whk-emit -l "$T/events" || die "cannot fill the queue"
}

pipeline() {
	whk-poll -n "$1" | whk-send >/dev/null
}

drain() {
	timed pipeline "$1"
	rest
}

pipeline_and_producer() {
	whk-emit -l "$T/events" &
	pipeline "$1" && wait $!
}

produce() {
	timed pipeline_and_producer "$1"
	rest
}

backlog() {
	cpu_of whk-due | cpu_of whk-send >/dev/null
}

rest() {
	parked=$(sql 'SELECT count(*) FROM whk.pending')
	[ "$parked" -gt 0 ] || return 0
	say "    $parked waited for long, were parked, and are sent by whk-due"
	before=${took:-0}
	timed backlog
	took=$(calc %.3f "$before + $took")
}

put_due() {
	sql "SELECT count(*) FROM generate_series(1, ceil($1 / 500.0)::int) AS b,
		LATERAL (SELECT least(500, $1 - 500 * (b - 1)) AS n) AS x,
		whk.accept(
			ARRAY(SELECT 'msg_' || gen_random_uuid()
				FROM generate_series(1, n)),
			array_fill(clock_timestamp(), ARRAY[n]),
			ARRAY(SELECT 'bench.' || i % $2
				FROM generate_series(1, n) AS i),
			array_fill(NULL::text, ARRAY[n]),
			array_fill(NULL::text, ARRAY[n]),
			array_fill(NULL::text, ARRAY[n]),
			array_fill('{\"s\":\"' || repeat('x', $3 - 8) || '\"}',
				ARRAY[n]),
			array_fill(NULL::text, ARRAY[n]),
			array_fill(false, ARRAY[n]), interval '0');
		SELECT whk.wake(clock_timestamp())" \
		>"$T/put.out" || die "cannot make a backlog"
}

check_record() {
	recorded=$((recorded + $1))
	have=$(sql "SELECT count(*) FROM whk.attempt
		WHERE outcome = 'delivered'")
	left=$(sql "SELECT count(*) FROM whk.pending")
	[ "$have" = "$recorded" ] && [ "$left" = 0 ] ||
		die "delivered $have of $recorded, $left pending"
}
