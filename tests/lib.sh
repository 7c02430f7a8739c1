# shellcheck shell=sh disable=SC2034 # variables are for the tests
# SPDX-License-Identifier: ISC
#
# lib.sh: what the tests in tests/*.t share. A test begins
#
#	#!/bin/sh
#	. "$(dirname "$0")/lib.sh"
#
# and ends with done_testing. It runs by hand (sh tests/NAME.t), and all run
# with "make check". Each has a directory of its own, $T, which is also where
# it runs; when the test ends, however it ends, what it started is killed and
# $T is removed (WHK_TEST_KEEP=1 keeps it and says where it is).
#
# The programs under test come first in PATH. $TOP is the top of the source,
# $BUILD where it was built. WHK_* and PG* variables of the caller are unset;
# WHK_ALLOW is 127.0.0.0/8, so that events can be sent to this machine.
#
# Checks, each of which prints one line of TAP, and reasons where it fails:
#
#	ok DESCRIPTION COMMAND...     the command (or function) exits 0
#	not_ok DESCRIPTION COMMAND...
#	is GOT WANTED DESCRIPTION     two strings are the same
#	isnt GOT UNWANTED DESCRIPTION
#	like GOT REGEX DESCRIPTION    extended regular expression, any line
#	unlike GOT REGEX DESCRIPTION
#	same FILE FILE DESCRIPTION    two files have the same bytes
#	pass DESCRIPTION, fail DESCRIPTION
#
# Running a program, and looking at what it did:
#
#	run COMMAND...               stdout to $T/out, stderr to $T/err, exit
#	                             status to $status
#	status_is N DESCRIPTION      ... of the last run (or stop, or reap)
#	out_is TEXT DESCRIPTION      err_is, without the last newline
#	out_like REGEX DESCRIPTION   err_like
#	exits N DESCRIPTION COMMAND...  run and status_is in one
#
# Things that go on while the test does:
#
#	spawn NAME COMMAND...        starts it; stdout to $T/NAME.out, stderr
#	                             to $T/NAME.err, its process id to $pid
#	                             and $NAME_pid
#	stop PID [SIGNAL]            signal (TERM), wait; exit status to
#	                             $status
#	crash PID                    the same with KILL
#	stop_all PID [SIGNAL]        PID is a shell that runs a pipeline: the
#	                             signal goes to all that it started, as
#	                             when a service stops; then as stop
#	reap PID                     waits until it ends; exit status to
#	                             $status
#	wait_for CONDITION...        evaluates it until it is true; fails, with
#	                             a line on stderr, after $WAIT seconds (20)
#	pause                        sleeps for a hundredth of a second
#	diag TEXT, diag <FILE        says something to who looks why it failed
#
# Servers, each on a free port of 127.0.0.1 or a socket in $T:
#
#	start_postgres [-e]          a PostgreSQL with nothing else in it, its
#	                             schema made by whk-init unless -e (empty);
#	                             exports PGHOST, PGDATABASE, PGUSER
#	stop_postgres [SIGNAL]       INT (fast), QUIT (a crash) or KILL
#	restart_postgres             starts it again on the same data
#	sql QUERY                    the answer, unaligned, no headers
#	start_mq [QUEUE...]          whk-mq with these queues (events); exports
#	                             WHK_QUEUE_URL, that of the first; $mq_pid
#	start_elasticmq [QUEUE...]   the same with ElasticMQ
#	sqs ACTION JSON              one request of SQS's protocol, the answer
#	                             printed; $sqs_endpoint is where it goes
#	start_recv [OPTION...]       whk-recv; $recv_url, $recv_pid, what it
#	                             prints is in $T/recv.out
#	start_recv_as NAME [OPTION...]  another: $NAME_url, $NAME_pid, NAME.out
#	start_python SCRIPT [ARG...] a Python of the tests' own environment
#	                             that says its URL in its first line of
#	                             stdout; $python_url, $python_pid
#	free_port                    prints a port that nothing listens on
#
# Parts that may be missing: "need COMMAND..." and "skip_all WHY" end the test
# as skipped; "skip WHY DESCRIPTION" skips one check. With CI set, each of
# them fails instead: there everything is installed.
#
# WHK_TEST_SLOW is set under a sanitizer or valgrind: do less. WHK_TEST_FSYNC=on
# makes PostgreSQL safe against a power cut, and slow.

set -u

TOP=$(cd "$(dirname "$0")" && while [ ! -e tests/lib.sh ]; do
	cd .. || exit 1
	[ "$PWD" != / ] || exit 1
done && pwd) || { echo "Bail out! run it from its place in tests/"; exit 1; }
BUILD=${WHK_BUILD:-$TOP/build}
PATH=$BUILD:$PATH:/usr/sbin:/sbin
WAIT=${WHK_TEST_WAIT:-20}
tests_run=0 tests_failed=0 status=0 pid=''

# Nothing of whoever runs the tests gets into them.
for name in $(env | sed -nE 's/^((WHK|AWS)_[A-Z_]*|PG[A-Z]*)=.*/\1/p'); do
	case $name in WHK_TEST_* | WHK_BUILD) ;; *) unset "$name" ;; esac
done
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
export PATH LC_ALL=C.UTF-8 TZ=UTC WHK_ALLOW=127.0.0.0/8
export AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null
export AWS_SHARED_CREDENTIALS_FILE=/dev/null

# A socket's path may have 107 bytes.
case ${TMPDIR:-} in ?????????????????????????????????????????????????????*)
	TMPDIR=/tmp ;;
esac
T=$(mktemp -d "${TMPDIR:-/tmp}/whk-XXXXXX") || exit 1
chmod 711 "$T" # PostgreSQL may run as another user
cd "$T" || exit 1
mkdir "$T/san"
export ASAN_OPTIONS="log_path=$T/san/asan:exitcode=99:detect_leaks=1"
export UBSAN_OPTIONS="log_path=$T/san/ubsan:exitcode=99:print_stacktrace=1"
export WHK_TEST_LOG="$T/san"

# --- the end ---------------------------------------------------------------

cleanup() {
	cleanup_status=$?
	trap '' HUP INT TERM
	[ -z "${postgres_pid:-}" ] || {
		kill -QUIT "$postgres_pid" && wait "$postgres_pid"
	} 2>/dev/null
	for cleanup_pid in $(descendants $$); do
		kill -KILL "$cleanup_pid"
	done 2>/dev/null
	wait
	cd /
	if [ -n "${WHK_TEST_KEEP:-}" ]; then
		echo "# kept $T" >&2
	else
		rm -rf "$T"
	fi
	exit "$cleanup_status"
}

# The processes that a process started, and theirs.
descendants() {
	# shellcheck disable=SC2013 # words
	for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
		echo "$child"
		descendants "$child"
	done
}

trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Says how many there were. No test goes on after it.
done_testing() {
	for log in "$T"/san/*; do
		[ ! -s "$log" ] || {
			fail "nothing for a sanitizer to report"
			diag <"$log"
			break
		}
	done
	echo "1..$tests_run"
	[ "$tests_failed" = 0 ]
	exit
}

# --- checks ----------------------------------------------------------------

# Lines of stdin or of the arguments, the last ones where there are many, for
# people who look why it failed.
diag() {
	if [ $# -gt 0 ]; then printf '%s\n' "$*"; else cat; fi |
		cut -c1-400 | cat -v | tail -n 30 | sed 's/^/# /' >&2
}

pass() {
	tests_run=$((tests_run + 1))
	echo "ok $tests_run - $1"
}

fail() {
	tests_run=$((tests_run + 1)) tests_failed=$((tests_failed + 1))
	echo "not ok $tests_run - $1"
	diag "failed: $1"
}

ok() {
	ok_what=$1
	shift
	if "$@" >"$T/ok.out" 2>&1; then
		pass "$ok_what"
	else
		fail "$ok_what"
		diag "command: $*"
		diag <"$T/ok.out"
	fi
}

not_ok() {
	ok_what=$1
	shift
	if "$@" >"$T/ok.out" 2>&1; then
		fail "$ok_what"
		diag "should not succeed: $*"
		diag <"$T/ok.out"
	else
		pass "$ok_what"
	fi
}

is() {
	if [ "$1" = "$2" ]; then
		pass "$3"
	else
		fail "$3"
		diag "got:    $1"
		diag "wanted: $2"
	fi
}

isnt() {
	if [ "$1" != "$2" ]; then
		pass "$3"
	else
		fail "$3"
		diag "got what was not wanted: $1"
	fi
}

like() {
	if printf '%s\n' "$1" | grep -Eq -e "$2"; then
		pass "$3"
	else
		fail "$3"
		diag "got: $1"
		diag "wanted something like: $2"
	fi
}

unlike() {
	if printf '%s\n' "$1" | grep -Eq -e "$2"; then
		fail "$3"
		diag "got: $1"
		diag "wanted nothing like: $2"
	else
		pass "$3"
	fi
}

same() {
	if cmp "$1" "$2" >"$T/ok.out" 2>&1; then
		pass "$3"
	else
		fail "$3"
		diag <"$T/ok.out"
		diff "$1" "$2" | head -n 20 | diag
	fi
}

skip_all() {
	if [ -n "${CI:-}" ]; then
		fail "nothing may be missing here, but: $1"
		done_testing
	fi
	echo "1..0 # SKIP $1"
	exit 0
}

skip() {
	if [ -n "${CI:-}" ]; then
		fail "$2"
		diag "may not be skipped here, but: $1"
	else
		tests_run=$((tests_run + 1))
		echo "ok $tests_run - $2 # SKIP $1"
	fi
}

need() {
	for name; do
		command -v "$name" >/dev/null || skip_all "no $name"
	done
}

# --- running programs ------------------------------------------------------

run() {
	"$@" >"$T/out" 2>"$T/err"
	status=$?
}

# Whatever explains the status of the last run.
run_diag() {
	diag "exit status: $status"
	for file in "$T/out" "$T/err"; do
		[ ! -s "$file" ] || {
			diag "std${file##*/}:"
			diag <"$file"
		}
	done
}

status_is() {
	if [ "$status" = "$1" ]; then
		pass "$2"
	else
		fail "$2"
		run_diag
	fi
}

exits() {
	exits_wanted=$1 exits_what=$2
	shift 2
	run "$@"
	status_is "$exits_wanted" "$exits_what"
}

out_is() { is "$(cat "$T/out")" "$1" "$2"; }
err_is() { is "$(cat "$T/err")" "$1" "$2"; }
out_like() { like "$(cat "$T/out")" "$1" "$2"; }
err_like() { like "$(cat "$T/err")" "$1" "$2"; }

# --- things that go on -----------------------------------------------------

pause() { sleep 0.01; }

wait_for() {
	wait_end=$(($(date +%s) + WAIT))
	until eval "$*" >/dev/null 2>&1; do
		if [ "$(date +%s)" -gt "$wait_end" ]; then
			diag "waited $WAIT s in vain for: $*"
			return 1
		fi
		pause
	done
}

# The process is gone, or is only waited for.
ended() {
	case $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) in
	'' | [ZX]*) return 0 ;;
	*) return 1 ;;
	esac
}

# It dies with the test even where the test is killed with KILL.
die_with_us='--pdeathsig KILL'
spawn() {
	spawn_name=$1
	shift
	# Emptied before anybody waits for what it will hold, and appended to,
	# so that a test can empty it again.
	: >"$T/$spawn_name.out"
	# shellcheck disable=SC2086 # an option and its argument
	setpriv $die_with_us "$@" \
		</dev/null >>"$T/$spawn_name.out" 2>"$T/$spawn_name.err" &
	pid=$!
	eval "${spawn_name}_pid=$pid"
}

reap() {
	wait_for "ended $1" || {
		diag "does not end, killed: process $1"
		kill -KILL "$1"
	}
	status=0
	wait "$1" 2>/dev/null || status=$?
}

stop() {
	kill "-${2:-TERM}" "$1"
	reap "$1"
}

crash() { stop "$1" KILL; }

stop_all() {
	for pid in $(descendants "$1"); do
		kill "-${2:-TERM}" "$pid" 2>/dev/null
	done
	reap "$1"
}

# Without this part no check makes sense.
bail_out() {
	fail "$1"
	shift
	for file; do
		tail -n 20 "$file" | diag
	done
	done_testing
}

free_port() {
	perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1,
		LocalAddr => "127.0.0.1")->sockport, "\n"'
}

# --- PostgreSQL ------------------------------------------------------------

# Where the newest server's programs are.
postgres_bin() {
	find /usr/lib/postgresql/*/bin -name initdb 2>/dev/null |
		sort -t/ -k5n | tail -n 1 | sed 's,/initdb$,,' | grep . ||
		dirname "$(command -v initdb)"
}

# PostgreSQL does not run as root: then it is the user postgres.
if [ "$(id -u)" = 0 ]; then
	postgres_user='--reuid=postgres --regid=postgres --clear-groups'
else
	postgres_user=
fi

as_postgres() {
	# shellcheck disable=SC2086 # several options
	setpriv $die_with_us $postgres_user "$@"
}

postgres_own() {
	[ -z "$postgres_user" ] || chown -R postgres:postgres "$@"
}

# The directory that initdb makes is made once and copied for each test.
postgres_template() {
	template=$BUILD/postgres-$(basename "$(dirname "$pg_bin")")
	[ ! -d "$template" ] || return 0
	mkdir -p "$BUILD" "$T/template"
	postgres_own "$T/template"
	(
		cd "$T/template" &&
			as_postgres "$pg_bin/initdb" -D data -U whk -A trust \
				-E UTF8 --locale=C.UTF-8 -N &&
			echo 'CREATE DATABASE whk' | as_postgres \
				"$pg_bin/postgres" --single -D data postgres
	) >"$T/initdb.log" 2>&1 || bail_out "initdb" "$T/initdb.log"
	# Two tests may be at it: the first to rename wins.
	cp -a "$T/template/data" "$template.$$"
	mv -nT "$template.$$" "$template"
	rm -rf "$template.$$" "$T/template"
}

start_postgres() {
	pg_bin=$(postgres_bin)
	[ -x "$pg_bin/initdb" ] || skip_all "no PostgreSQL server"
	postgres_template
	mkdir "$T/pg" "$T/pg/socket"
	cp -a "$template" "$T/pg/data" || bail_out "a copy of $template"
	postgres_own "$T/pg"
	cat >>"$T/pg/data/postgresql.conf" <<-END
	listen_addresses = ''
	unix_socket_directories = '$T/pg/socket'
	fsync = ${WHK_TEST_FSYNC:-off}
	full_page_writes = ${WHK_TEST_FSYNC:-off}
	shared_buffers = 64MB
	max_connections = 200
	END
	export PGHOST="$T/pg/socket" PGDATABASE=whk PGUSER=whk
	restart_postgres
	[ "${1:-}" = -e ] || whk-init >"$T/init.log" 2>&1 ||
		bail_out "whk-init made the schema" "$T/init.log"
}

restart_postgres() {
	# shellcheck disable=SC2086 # several options
	setpriv ${die_with_us:+--pdeathsig QUIT} $postgres_user \
		"$pg_bin/postgres" \
		-D "$T/pg/data" </dev/null >>"$T/pg.log" 2>&1 &
	postgres_pid=$!
	wait_for "'$pg_bin/pg_isready' -q || ended $postgres_pid"
	"$pg_bin/pg_isready" -q || bail_out "PostgreSQL started" "$T/pg.log"
}

stop_postgres() {
	kill "-${1:-INT}" "$postgres_pid"
	wait_for "ended $postgres_pid"
	wait "$postgres_pid" 2>/dev/null
	postgres_pid=
}

sql() { psql -XAtq -v ON_ERROR_STOP=1 -c "$1"; }

# --- queues and receivers --------------------------------------------------

sqs() {
	curl -sS --fail-with-body -m "$WAIT" "$sqs_endpoint" -d "$2" \
		-H "X-Amz-Target: AmazonSQS.$1" \
		-H 'Content-Type: application/x-amz-json-1.0' -w '\n'
}

start_mq() {
	set -- "${@:-events}"
	# shellcheck disable=SC2046 # -q NAME for each
	spawn mq whk-mq -p 0 $(printf -- '-q %s ' "$@")
	wait_for "[ \$(wc -l <'$T/mq.out') -gt $# ] || ended $pid"
	sqs_endpoint=$(sed -n 1p "$T/mq.out")
	WHK_QUEUE_URL=$(sed -n 2p "$T/mq.out")
	[ -n "$WHK_QUEUE_URL" ] || bail_out "whk-mq started" "$T/mq.err"
	export WHK_QUEUE_URL
}

start_elasticmq() {
	need java
	[ -e "$TOP/build/elasticmq/.done" ] || skip_all "no ElasticMQ"
	elasticmq_port=$(free_port)
	sqs_endpoint=http://127.0.0.1:$elasticmq_port
	spawn elasticmq java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
		-Drest-sqs.bind-hostname=127.0.0.1 \
		-Drest-sqs.bind-port="$elasticmq_port" \
		-Dnode-address.host=127.0.0.1 \
		-Dnode-address.port="$elasticmq_port" \
		-Drest-stats.enabled=false \
		-cp "$TOP/build/elasticmq/*" org.elasticmq.server.Main
	elasticmq_wait=$WAIT WAIT=60
	wait_for "sqs ListQueues {} || ended ${elasticmq_pid:?}"
	WAIT=$elasticmq_wait
	ended "$elasticmq_pid" && bail_out "ElasticMQ started" "$T"/elasticmq.*
	for name in "${@:-events}"; do
		sqs CreateQueue "{\"QueueName\":\"$name\"}" >/dev/null
	done
	export WHK_QUEUE_URL="$sqs_endpoint/000000000000/${1:-events}"
}

start_recv() { start_recv_as recv "$@"; }

start_recv_as() {
	recv_name=$1
	shift
	rm -f "$T/$recv_name.url"
	spawn "$recv_name" whk-recv -p 0 -u "$T/$recv_name.url" "$@"
	wait_for "[ -s '$T/$recv_name.url' ] || ended $pid"
	[ -s "$T/$recv_name.url" ] ||
		bail_out "$recv_name started" "$T/$recv_name.err"
	eval "${recv_name}_url=\$(cat '$T/$recv_name.url')"
}

start_python() {
	[ -x "$TOP/build/venv/bin/python" ] || skip_all "no Python environment"
	spawn python "$TOP/build/venv/bin/python" -u "$@"
	wait_for "[ -s '$T/python.out' ] || ended $pid"
	python_url=$(head -n 1 "$T/python.out")
	[ -n "$python_url" ] || bail_out "$1 started" "$T/python.err"
}
