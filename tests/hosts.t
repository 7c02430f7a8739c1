#!/bin/sh
# SPDX-License-Identifier: ISC
# Three hosts, each a network namespace, run the same pipelines over one queue
# and one PostgreSQL; in the middle of a load the cable of one is pulled, and
# put in again later. Nothing is lost, what it had is done by the others, and it
# goes on by itself. How long each step took is printed.
case ${WHK_TEST_NETWORK:-} in
'')
	# A network of its own, and names of namespaces that nobody else sees.
	# shellcheck disable=SC2016 # the other shell's
	if unshare -nm sh -c 'mkdir -p /run/netns &&
		mount -t tmpfs none /run/netns && ip netns add try' \
		2>/dev/null; then
		WHK_TEST_NETWORK=own exec unshare -nm sh -c 'mount -t tmpfs \
			none /run/netns && exec sh "$0"' "$0"
	fi
	;;
esac
. "$(dirname "$0")/lib.sh"
[ -n "${WHK_TEST_NETWORK:-}" ] || skip_all "network namespaces need root"
need ip jq

hub=10.77.0.1

# The hub has the database, the queue and the subscriber; h1, h2 and h3 are
# connected to it by a switch.
ip link set lo up
ip link add hub type bridge
ip addr add $hub/24 dev hub
ip link set hub up
for n in 1 2 3; do
	ip netns add h$n
	ip link add cable$n type veth peer name eth0 netns h$n
	ip link set cable$n master hub up
	ip -n h$n link set lo up
	ip -n h$n addr add 10.77.0.1$n/24 dev eth0
	ip -n h$n link set eth0 up
done

start_postgres -e
echo "listen_addresses = '$hub'
port = 5432" >>"$T/pg/data/postgresql.conf"
echo "host all all 10.77.0.0/24 trust" >>"$T/pg/data/pg_hba.conf"
stop_postgres
restart_postgres
ok "the schema" whk-init
spawn mq whk-mq -a $hub -p 0 -q events
wait_for '[ "$(wc -l <"$T/mq.out")" = 2 ]'
sqs_endpoint=$(sed -n 1p mq.out) WHK_QUEUE_URL=$(sed -n 2p mq.out)
export WHK_QUEUE_URL
start_recv -a $hub -d 20ms
ok "a webhook" whk-add --timeout 3s "$recv_url"

# host N: its two pipelines, a process group each.
host() {
	for h in "whk-poll | whk-send" "whk-due -f | whk-send"; do
		host_name=h$1
		[ "${h%% *}" = whk-poll ] || host_name=due$1
		spawn "$host_name" env PGHOST=$hub WHK_LEASE=10s \
			WHK_LOG_FORMAT=logfmt WHK_ALLOW=10.77.0.0/24 \
			ip netns exec "h$1" sh -c "$h"
	done
}

# Connections that a host has to the database, as that sees it.
backends() {
	sql "SELECT count(*) FROM pg_stat_activity
		WHERE client_addr = '10.77.0.1$1'"
}
came() { wc -l <"$T/recv.out"; }
different() { sort -u "$T/recv.out" | wc -l; }
emit() { # FROM TO
	seq "$1" "$2" | sed 's/.*/{"type":"a.b","body":{"n":&}}/' | whk-emit -l
}
since() { echo $(($(date +%s) - cut)); }

for n in 1 2 3; do host $n; done
for n in 1 2 3; do
	wait_for "[ \$(backends $n) = 4 ]"
	is "$(backends $n)" 4 "host $n has four connections to the database"
done

# --- the cable of the second is pulled ---

events=6000
[ -z "${WHK_TEST_SLOW:-}" ] || events=1000
emit 1 $events
wait_for "[ \$(came) -gt $((events / 4)) ]"
ip link set cable2 down
cut=$(date +%s)
at=$(came)
diag "cut off after $at of $events"
wait_for "[ \$(different) -ge $((events * 9 / 10)) ]"
left=$(sql "SELECT count(*) FROM whk.pending")
diag "$(since) s after: $((events - $(different))) are missing, $left pending"
WAIT=90
wait_for "[ \$(different) = $events ]"
is "$(different)" $events "all events arrive, though one host is cut off"
diag "$(since) s after: all have arrived"
wait_for '[ "$(backends 2)" = 0 ]'
is "$(backends 2)" 0 "the database gives its connections up"
diag "$(since) s after: the database gave its connections up"
wait_for 'grep -q level=warning h2.err && grep -q level=warning due2.err'
ok "it says that it is cut off" grep level=warning h2.err due2.err
diag "$(since) s after: it has noticed"

# --- and put in again ---

ip link set cable2 up
cut=$(date +%s)
wait_for '[ "$(backends 2)" = 4 ]'
is "$(backends 2)" 4 "it connects again by itself"
diag "$(since) s after: connected"
for pid in "$h1_pid" "$h3_pid" "$due1_pid" "$due3_pid"; do
	stop_all "$pid"
done
emit $((events + 1)) $((events + 100))
wait_for "[ \$(different) = $((events + 100)) ]"
is "$(different)" $((events + 100)) "and sends alone what comes"
is "$(sql 'SELECT count(*) FROM whk.pending')" 0 "nothing is left to be done"
stop_all "$h2_pid"
status_is 0 "it ends well"
stop_all "$due2_pid"
status_is 0 "both its pipelines do"
diag "$(($(came) - $(different))) of $(different) came twice"
is "$(sql "SELECT count(DISTINCT event) FROM whk.attempt
	WHERE outcome = 'delivered'")" $((events + 100)) "all are on record"
# The figures that the page says are to be watched.
sed -n '/^\.Ss Many machines/,/^\.Ss Leases/s/^whk-stat /&/p' \
	"$TOP/man/whk.7" >checks
is "$(wc -l <checks | tr -d ' ')" 3 "the page has checks"
exits 0 "which pass" sh -e checks
out_is '' "without a word"

done_testing
