#!/bin/sh
# SPDX-License-Identifier: ISC
# whk on a host: the package on a bare Debian, and its units under a systemd of
# their own, which is process 1 of a container.
. "$(dirname "$0")/lib.sh"
need dpkg-buildpackage dh
start_engine
base_image
WAIT=60

# What "make deb" makes, as the containers see it.
make -C "$TOP" B="$T/build" deb >"$T/deb.log" 2>&1 ||
	bail_out "make deb" "$T/deb.log"
pass "make deb"
mkdir "$T/deb"
mv "$T"/build/deb/whk_*.deb "$T/deb/whk.deb"
deb=/deb/whk.deb

# start NAME ARGUMENT...: a container, which goes when the test does.
start() {
	name=$COMPOSE_PROJECT_NAME-$1
	shift
	docker run -d --name "$name" -v "$T/deb:/deb:ro" \
		--label "com.docker.compose.project=$COMPOSE_PROJECT_NAME" \
		"$@" >"$T/start" 2>&1 || bail_out "$name starts" "$T/start"
}

# --- a bare Debian ---------------------------------------------------------

# The network is for apt.
start bare --network host debian:bookworm-slim sleep 600
bare() { docker exec "$COMPOSE_PROJECT_NAME-bare" "$@"; }

# Pages and other documents are a part of the package.
bare sed -i /^path-/d /etc/dpkg/dpkg.cfg.d/docker
bare apt-get update >"$T/apt.log" 2>&1 || bail_out "apt-get update" "$T/apt.log"
exits 0 "what it depends on is there for apt" bare sh -c \
	"apt-get satisfy -y \"\$(dpkg-deb -f $deb Depends)\""

# All there is, but for what apt, dpkg and the linker keep for themselves.
files() {
	bare find / -xdev \( -path /var/lib/dpkg -o -path /var/log \
		-o -path /var/cache -o -path /proc -o -path /sys \
		-o -path /etc/passwd- -o -path /etc/shadow- \
		-o -path /etc/group- -o -path /etc/gshadow- \) -prune \
		-o -print | sort
}
files >"$T/before"
exits 0 "it installs" bare dpkg -i $deb
ok "a program runs" bare whk-send --version
ok "there is a user" bare getent passwd whk
like "$(bare getent passwd whk)" ':/usr/sbin/nologin$' "who cannot log in"
ok "a page is there, compressed" bare gzip -t /usr/share/man/man7/whk.7.gz
is "$(bare stat -c '%a %U' /etc/whk/whk.env)" '600 root' \
	"its configuration is for root to read"
for file in bash-completion/completions/whk-send \
	zsh/vendor-completions/_whk-send \
	fish/vendor_completions.d/whk-send.fish doc/whk/copyright; do
	ok "$file" bare test -s "/usr/share/$file"
done
is "$(bare sh -c 'find /etc/systemd -name "whk*"')" '' "no unit is enabled"
exits 0 "it is in order" bare dpkg --verify whk

bare sh -c 'echo WHK_LEASE=1m >>/etc/whk/whk.env'
exits 0 "it is installed again, over itself" bare dpkg -i $deb
like "$(bare cat /etc/whk/whk.env)" '^WHK_LEASE=1m$' \
	"and the configuration is what it was"
exits 0 "it is removed" bare dpkg -r whk
ok "the configuration is still there" bare test -e /etc/whk/whk.env
exits 0 "it is installed once more" bare dpkg -i $deb
like "$(bare cat /etc/whk/whk.env)" '^WHK_LEASE=1m$' "and finds it"
bare touch /etc/whk/tokens /etc/whk/pg_service.conf
exits 0 "it is purged" bare dpkg -P whk
files >"$T/after"
is "$(diff "$T/before" "$T/after")" '' "nothing is left"
ok "but the user, whose files there may be" bare getent passwd whk

# --- a host ----------------------------------------------------------------

# Debian with systemd, PostgreSQL and what whk depends on. systemd finds what a
# machine has: mounts that are shared, as credentials come to a unit by one, and
# a hierarchy of cgroups of its own.
mkdir "$T/host"
cat >"$T/host/Dockerfile" <<'END'
FROM debian:bookworm-slim
RUN sed -i /^path-/d /etc/dpkg/dpkg.cfg.d/docker && apt-get update && \
	DEBIAN_FRONTEND=noninteractive apt-get install -y \
	--no-install-recommends curl libbsd0 libcurl4 libevent-2.1-7 \
	libjansson4 lintian man-db postgresql procps systemd && \
	rm -f /usr/sbin/policy-rc.d
CMD mount --make-rshared / && umount -l /sys/fs/cgroup && \
	mount -t cgroup2 none /sys/fs/cgroup && exec /lib/systemd/systemd
END
build_image whk-host "$T/host"

start host --network none --cgroupns private --cap-add SYS_ADMIN \
	--cap-add SYS_PTRACE --security-opt seccomp=unconfined \
	--security-opt apparmor=unconfined --tmpfs /run --tmpfs /run/lock \
	--stop-signal RTMIN+3 -e container=docker whk-host
host_name=$name
host() { docker exec -i "$host_name" "$@"; }
sql() { host runuser -u postgres -- psql -d "${2:-whk}" -XAtqc "$1"; }
unit() { host systemctl show -P "$2" "$1"; }

host_is_up() {
	wait_for "host systemctl is-system-running --wait" && return
	host systemctl --no-pager --failed >"$T/failed"
	bail_out "the host is up" "$T/failed"
}

host_is_up
exits 0 "lintian finds no errors" host lintian --fail-on error $deb
out_is '' "nor warnings"

host apt-get install -y $deb >"$T/apt.log" 2>&1 ||
	bail_out "apt installs it" "$T/apt.log"
pass "apt installs it"
units='whk-api.service whk-api.socket whk-mq.service whk-prune.timer
whk-retry.service whk-worker.service'
# shellcheck disable=SC2086 # a list of words
{
	is "$(host systemctl is-enabled $units | sort -u)" disabled \
		"no unit is enabled"
	is "$(host systemctl is-active $units | sort -u)" inactive \
		"and none is started"
}

# A receiver that takes its time.
host sh -c 'cat >/etc/systemd/system/recv.service' <<'END'
[Service]
ExecStart=/usr/bin/whk-recv --port 7777 --delay 100ms
StandardOutput=append:/var/lib/recv
[Install]
WantedBy=multi-user.target
END
host systemctl enable -q --now recv
host sh -c 'cat >>/etc/whk/whk.env' <<'END'
WHK_ALLOW=127.0.0.0/8
WHK_LEASE=10s
WHK_MQ_OPTIONS=--queue=events --queue=orders
WHK_PRUNE_OPTIONS=--verbose
END

# What whk(7) says is to be done, but with the receiver as the webhook.
sed -n '/^\.Ss From systemd/,/^\.Ed/s/^[#>] //p' "$TOP/man/whk.7" |
	sed 's,https:.*,-t 5s --schedule 1s http://127.0.0.1:7777,' >"$T/whk7"
run host env WHK_ALLOW=127.0.0.0/8 sh -ex <"$T/whk7"
status_is 0 "whk(7) sets it up"
is "$(unit whk-mq Type) $(unit whk-mq ActiveState)" 'notify active' \
	"whk-mq has said that it is ready"

# emit FIRST LAST [QUEUE]: events with these numbers.
emit() {
	seq "$1" "$2" | sed 's/.*/{"type":"n","body":{"n":&}}/' |
		host whk-emit -l \
		-q "http://127.0.0.1:9324/000000000000/${3:-events}"
}

# Different events that came, and all that came.
came() { host sh -c 'grep ^{ /var/lib/recv | sort -u | wc -l'; }
all_came() { host grep -c '^{' /var/lib/recv; }

emit 1 1
wait_for '[ "$(came)" = 1 ]' || {
	host journalctl --no-pager -u 'whk*' >"$T/journal"
	bail_out "an event is delivered" "$T/journal"
}
pass "an event is delivered"

# A database that wants a password, which only root and the units can read.
sql "ALTER ROLE whk PASSWORD 'correct horse'"
host sh -c 'umask 077; cat >/etc/whk/pg_service.conf' <<'END'
[whk]
host=127.0.0.1
dbname=whk
user=whk
password=correct horse
END
host sh -c 'cat >>/etc/whk/whk.env' <<'END'
WHK_DATABASE_URL=postgresql:///?service=whk
END
exits 0 "it starts again" host systemctl restart whk-worker whk-retry
emit 2 2
wait_for '[ "$(came)" = 2 ]'
is "$(came)" 2 "with a password that is a credential"
is "$(sql "SELECT DISTINCT client_addr FROM pg_stat_activity
	WHERE application_name LIKE 'whk-%'")" 127.0.0.1 "and in no other way"
exits 0 "as a person does who may read it" host env \
	PGSERVICEFILE=/etc/whk/pg_service.conf \
	WHK_DATABASE_URL='postgresql:///?service=whk' whk-list

# --- shut in ---------------------------------------------------------------

# The first of that name.
process() { host pgrep -o -x "$1"; }
for program in whk-poll whk-send whk-due whk-mq; do
	p=$(process $program)
	like "$(host cat "/proc/$p/status")" '^NoNewPrivs:.1$' \
		"$program: no new privileges"
	like "$(host cat "/proc/$p/status")" '^Seccomp:.2$' "its calls filtered"
	like "$(host cat "/proc/$p/status")" '^CapBnd:.0+$' "no capabilities"
	is "$(host stat -c %U "/proc/$p")" whk "a user of its own"
	isnt "$(host readlink "/proc/$p/ns/user")" \
		"$(host readlink /proc/1/ns/user)" "users of its own"
	isnt "$(host readlink "/proc/$p/ns/mnt")" \
		"$(host readlink /proc/1/ns/mnt)" "a file system of its own"
	not_ok "which is read-only" host nsenter -t "$p" -m touch /etc/x
	ok "but for its /tmp" host nsenter -t "$p" -m touch /tmp/x
	not_ok "which is its own" host test -e /tmp/x
	is "$(host nsenter -t "$p" -m ls -A /home /root)" "$(printf \
		'/home:\n\n/root:')" "and there are no homes"
done
p=$(process whk-send)
is "$(host runuser -u nobody -- sh -c \
	"cat /etc/whk/whk.env /proc/$p/environ /run/credentials/*/*" \
	2>"$T/err")" '' "nobody else can read what it knows"
unlike "$(host cat "/proc/$p/environ" | tr '\0' '\n')" horse \
	"the password is in no environment"

# --- a stop in the middle of a load ----------------------------------------

first=$(came)
emit 1001 3000
wait_for "[ \"\$(came)\" -gt $((first + 200)) ]"
exits 0 "the worker stops in the middle of a load" \
	host systemctl stop whk-worker
is "$(unit whk-worker Result)" success "and well"
host systemctl stop whk-retry
sent=$(all_came)
isnt "$sent" 2002 "there is more to do"
is "$(sql "SELECT count(*) FROM whk.attempt WHERE outcome = 'delivered'")" \
	"$sent" "what it had begun is delivered and on record"
exits 0 "and it starts" host systemctl start whk-worker whk-retry
wait_for '[ "$(came)" = 2002 ]'
is "$(came)" 2002 "nothing is lost"
is "$(all_came)" 2002 "and nothing sent twice"

# --- one end dies ----------------------------------------------------------

# worker PROGRAM: its process in the worker, of which bash is the first.
worker() {
	first=$(unit whk-worker MainPID)
	if [ "$1" = bash ]; then
		echo "$first"
	else
		host pgrep -x -P "$first" "$1"
	fi
}

# Both of its programs are there, and others than before.
worker_is_new() {
	new=$(worker whk-poll)
	[ -n "$new" ] && [ "$new" != "$poll" ] || return 1
	new=$(worker whk-send)
	[ -n "$new" ] && [ "$new" != "$send" ]
}

n=5000
for victim in whk-send whk-poll bash; do
	poll=$(worker whk-poll) send=$(worker whk-send) before=$(came)
	n=$((n + 100))
	emit $n $((n + 99))
	host kill -KILL "$(worker $victim)"
	wait_for worker_is_new
	ok "$victim is killed: the unit starts again, as one" worker_is_new
	wait_for "[ \"\$(came)\" = $((before + 100)) ]"
	is "$(came)" $((before + 100)) "and nothing is lost"
done
is "$(unit whk-worker NRestarts)" 3 "once for each"
is "$(host journalctl -u whk-worker -o cat |
	grep -c 'Failed with result')" 3 "which is on record as a failure"

# --- another queue ---------------------------------------------------------

before=$(came)
host sh -c 'cat >/etc/whk/orders.env' <<'END'
WHK_QUEUE_URL=http://127.0.0.1:9324/000000000000/orders
AWS_REGION=eu-central-1
END
host sh -c 'umask 077; cat >/etc/whk/aws' <<'END'
[default]
aws_access_key_id = AKIDEXAMPLE
aws_secret_access_key = secret
END
exits 0 "a worker for another queue" host systemctl start whk@orders
emit 9001 9100 orders
wait_for "[ \"\$(came)\" = $((before + 100)) ]"
is "$(came)" $((before + 100)) "takes what is there"
host systemctl stop whk-worker
emit 9101 9101 orders
wait_for "[ \"\$(came)\" = $((before + 101)) ]"
is "$(came)" $((before + 101)) "without the first"
host systemctl start whk-worker

# --- what the journal has --------------------------------------------------

host systemctl stop whk-mq
wait_for 'host journalctl -q -u whk-worker -p 4..4 -g again | grep .'
host systemctl start whk-mq
wait_for 'host journalctl -q -u whk-worker -p 5..5 -g again | grep .'
like "$(host journalctl -q -u whk-worker -p 4..4 -o cat)" \
	'^whk-poll: .*events: .*trying again$' "a trouble is a warning"
like "$(host journalctl -q -u whk-worker -p 5..5 -o cat)" \
	'^whk-poll: the queue answers again' "that it is over is a notice"
like "$(host journalctl -q -u whk-worker -p 6..6 -o cat)" \
	'^whk-send: version .* starts$' "the rest is information"

# --- the HTTP API ----------------------------------------------------------

api() {
	host curl -sS -m 20 -o /dev/null -w '%{http_code}\n' "$@" \
		http://127.0.0.1:8000/webhooks/
}
isnt "$(host sh -c 'systemctl start whk-api 2>&1; echo $?')" 0 \
	"whk-api does not start without tokens"
like "$(host journalctl -q -u whk-api -p 3..3 -o cat)" 'no token in it$' \
	"and says so, as an error"
host systemctl stop whk-api
token=0123456789abcdef0123456789abcdef
host sh -c 'umask 077; cat >/etc/whk/tokens' <<END
$token
END
exits 0 "a socket for whk-api" host systemctl start whk-api.socket
is "$(unit whk-api ActiveState)" inactive "which does not run"
is "$(api -H "Authorization: Bearer $token")" 200 "until it is asked"
is "$(unit whk-api ActiveState)" active "and runs then"
is "$(api)" 401 "and wants a token"
host systemctl stop whk-api
is "$(api -H "Authorization: Bearer $token")" 200 "and comes again"

# --- whk-prune -------------------------------------------------------------

like "$(host systemctl list-timers whk-prune.timer)" whk-prune.service \
	"the timer for whk-prune has its time"
exits 0 "whk-prune" host systemctl start whk-prune
is "$(unit whk-prune Result)" success "does its work"

# --- a reboot, and a power cut ---------------------------------------------

# What is in whk-mq is lost then, so these events come by SQL.
host systemctl enable -q whk@orders whk-api.socket
total=$(came)
for how in restart kill; do
	total=$((total + 1000))
	sql "SELECT count(whk.emit(jsonb_build_object('$how', n)::text, 'n'))
		FROM generate_series(1, 1000) n" >"$T/ok.out"
	wait_for "[ \"\$(came)\" -gt $((total - 900)) ]"
	isnt "$(came)" $total "there is more to do"
	docker $how "$host_name" >"$T/ok.out" 2>&1
	[ $how = restart ] || docker start "$host_name" >"$T/ok.out" 2>&1
	host_is_up
	is "$(host systemctl is-active whk-worker whk-retry whk@orders whk-mq \
		whk-api.socket whk-prune.timer | sort -u)" active \
		"after a $how all is there again"
	wait_for "[ \"\$(came)\" = $total ]"
	is "$(came)" $total "and nothing is lost"
done

# --- an upgrade, and the end -----------------------------------------------

emit 20001 20001
wait_for "[ \"\$(came)\" = $((total + 1)) ]"
api -H "Authorization: Bearer $token" >"$T/ok.out"
running='whk-worker whk-retry whk@orders whk-api'
pids() {
	for name in $running whk-mq; do unit "$name" MainPID; done
}
pids >"$T/pids"
exits 0 "it is installed over itself" host dpkg -i $deb
# shellcheck disable=SC2086 # a list of words
is "$(host systemctl is-active $running whk-mq whk-api.socket \
	whk-prune.timer | sort -u)" active "and runs on"
pids | diff - "$T/pids" | grep -c '^<' >"$T/changed"
is "$(cat "$T/changed")" 4 "anew, all but the queue"
is "$(pids | tail -n 1)" "$(tail -n 1 "$T/pids")" "which keeps its messages"
emit 20002 20002
wait_for "[ \"\$(came)\" = $((total + 2)) ]"
is "$(came)" $((total + 2)) "and delivers"
exits 0 "it is removed" host dpkg -r whk
is "$(host pgrep -l -u whk)" '' "and nothing of it runs"
exits 0 "it is purged" host dpkg -P whk
is "$(host sh -c 'find /etc /lib/systemd /usr /var/lib/systemd -name "*whk*"')" \
	'' "and nothing of it is there"
is "$(host systemctl is-system-running)" running "the host is well"

# --- without a package -----------------------------------------------------

make -C "$TOP" B="$BUILD" install DESTDIR="$T/local" >"$T/install" 2>&1 ||
	bail_out "make install" "$T/install"
tar -C "$T/local" -c . | host tar -C / -x --no-same-owner
host systemd-sysusers
host systemctl daemon-reload
{ grep ^WHK_ "$T/whk7"; echo WHK_ALLOW=127.0.0.0/8; } |
	host sh -c 'cat >>/usr/local/etc/whk/whk.env'
exits 0 "make install: it starts" host systemctl start whk-mq whk-worker
total=$(came)
emit 30001 30001
wait_for "[ \"\$(came)\" = $((total + 1)) ]"
is "$(came)" $((total + 1)) "and delivers"

done_testing
