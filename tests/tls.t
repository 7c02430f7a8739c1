#!/bin/sh
# SPDX-License-Identifier: ISC
# Events over TLS, to nginx: what is verified, what is resumed, what is reused,
# and what becomes of them while the server restarts.
. "$(dirname "$0")/lib.sh"

need nginx openssl
start_postgres
export WHK_LEASE=1h

# --- certificates and a server ----------------------------------------------

key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
authority() { # NAME
	# shellcheck disable=SC2086 # words
	openssl req -x509 $key -days 2 -subj "/CN=$1" -out "$T/$1.pem" \
		-addext basicConstraints=critical,CA:TRUE -keyout "$T/$1.key"
}
certificate() { # NAME AUTHORITY DAYS HOST
	# shellcheck disable=SC2086 # words
	openssl req $key -subj "/CN=$1" -out "$T/$1.csr" -keyout "$T/$1.key"
	echo "subjectAltName=DNS:$4" >"$T/$1.ext"
	openssl x509 -req -in "$T/$1.csr" -CA "$T/$2.pem" -CAkey "$T/$2.key" \
		-CAcreateserial -days "$3" -extfile "$T/$1.ext" -out "$T/$1.pem"
}
{
	authority ours && authority theirs &&
		certificate good ours 2 '*.a.localhost' &&
		certificate foreign theirs 2 '*.a.localhost' &&
		certificate old ours -1 '*.a.localhost'
} >"$T/openssl.log" 2>&1 || bail_out "certificates" "$T/openssl.log"
export SSL_CERT_FILE="$T/ours.pem"

# All names in localhost are this machine, and the sessions one server's.
good=$(free_port) foreign=$(free_port) old=$(free_port)
server() { # PORT CERTIFICATE [OPTION of listen]
	cat <<-END
	server {
		listen 127.0.0.1:$1 ssl ${3:-} backlog=1024;
		ssl_certificate $T/$2.pem;
		ssl_certificate_key $T/$2.key;
		location / { return 200 "ok"; }
		location /close { keepalive_timeout 0; return 200 "ok"; }
	}
	END
}
{
	cat <<-END
	daemon off;
	worker_processes 1;
	error_log $T/nginx.log;
	pid $T/nginx.pid;
	events { worker_connections 4096; }
	http {
		log_format test '\$http_webhook_id \$server_protocol '
			'\$ssl_session_reused \$connection';
		access_log $T/access test;
		ssl_session_cache shared:test:1m;
		client_body_temp_path $T;
		proxy_temp_path $T;
		fastcgi_temp_path $T;
		uwsgi_temp_path $T;
		scgi_temp_path $T;
	END
	server "$good" good http2
	server "$foreign" foreign
	server "$old" old
	echo '}'
} >"$T/nginx.conf"
chmod 777 "$T" # nginx's worker is another user
spawn nginx nginx -e "$T/nginx.log" -c "$T/nginx.conf" -p "$T"
listening() {
	curl -s --cacert "$T/ours.pem" "https://x.a.localhost:$good/" ||
		ended "${nginx_pid:?}"
}
wait_for listening
ended "$nginx_pid" && bail_out "nginx started" "$T/nginx.log"

# Sends an event with each id, one after the other, to all of its type.
send() { # TYPE ID...
	send_type=$1
	shift
	: >"$T/access"
	for id; do
		echo "{\"type\":\"$send_type\",\"id\":\"$id\",\"body\":1}"
	done >"$T/lines"
	run whk-send -j 1 <"$T/lines"
}
hook() { whk-add -e "$1" "$2" >"$T/added" 2>"$T/secret" ||
	bail_out "whk-add" "$T/secret"; }
got() { # COLUMN: of what the server saw, without repeats
	cut -d' ' -f"$1" "$T/access" | uniq | tr '\n' ' '
}
outcomes() { # TYPE
	sql "SELECT DISTINCT coalesce(error, outcome::text) FROM whk.attempt
		WHERE type = '$1'"
}

# --- reuse and resumption ---------------------------------------------------

hook keep "https://x.a.localhost:$good/"
send keep keep-1 keep-2 keep-3
status_is 0 "events over TLS"
is "$(outcomes keep)" delivered "are delivered"
is "$(got 2)" 'HTTP/1.1 ' "by HTTP/1.1, where HTTP/2 is offered too"
is "$(cut -d' ' -f4 "$T/access" | sort -u | wc -l)" 1 "over one connection"
is "$(sql "SELECT count(*) FROM whk.attempt WHERE type = 'keep'
	AND tls_us > 0 AND connect_us > 0 AND address = '127.0.0.1'")" 1 \
	"one attempt has a handshake on record"
is "$(sql "SELECT count(*) FROM whk.attempt WHERE type = 'keep'
	AND tls_us = 0 AND connect_us = 0 AND address = '127.0.0.1'")" 2 \
	"and the others have none"

hook close "https://x.a.localhost:$good/close"
send close close-1 close-2 close-3
is "$(cut -d' ' -f4 "$T/access" | sort -u | wc -l)" 3 \
	"a server that closes: a connection for each"
is "$(cut -d' ' -f3 "$T/access" | tr '\n' ' ')" '. r r ' \
	"and the session of the first is resumed"
is "$(outcomes close)" delivered "they are delivered"

# As many hosts as there are sessions to be kept.
for i in $(seq 40); do
	echo "{\"url\":\"https://h$i.a.localhost:$good/close\",
		\"events\":[\"many\"]}" | tr -d '\n\t'
	echo
done | whk-add - >"$T/added" 2>&1 || bail_out "whk-add" "$T/added"
send many many-1 many-2
is "$(outcomes many)" delivered "forty hosts"
is "$(grep -c '^many-1 [^ ]* \. ' "$T/access") \
$(grep -c '^many-2 [^ ]* r ' "$T/access")" "40 40" \
	"have a session each, which is resumed"

# --- verification -----------------------------------------------------------

# Each has had no session of its own; those of the same server do not serve.
for case in "name https://a.localhost:$good/" \
	"address https://127.0.0.1:$good/" \
	"foreign https://x.a.localhost:$foreign/" \
	"old https://x.a.localhost:$old/"; do
	hook "bad.${case%% *}" "${case#* }"
	send "bad.${case%% *}" "${case%% *}-1"
	is "$(outcomes "bad.${case%% *}") $(got 1)" 'tls ' \
		"${case%% *}: not accepted, and nothing is sent"
done
SSL_CERT_FILE=$T/theirs.pem
send keep keep-4
is "$(sql "SELECT error FROM whk.attempt WHERE event = 'keep-4'") $(got 1)" \
	'tls ' "other authorities: the same"
SSL_CERT_FILE=$T/ours.pem

# --- a server that restarts -------------------------------------------------

# Connections end all the time, each with attempts on them or about to be.
hook load "https://x.a.localhost:$good/"
: >"$T/access"
accepted() { sql "SELECT count(*) FROM whk.event WHERE type = 'load'"; }
rounds=20
[ -z "${WHK_TEST_SLOW:-}" ] || rounds=5
count=$((rounds * 100))
mkfifo "$T/in"
spawn send sh -c "exec whk-send <'$T/in'"
exec 3>"$T/in"
for round in $(seq "$rounds"); do
	seq "$((round * 100 - 99))" "$((round * 100))" |
		sed 's/.*/{"type":"load","id":"load-&","body":&}/' >&3
	kill -HUP "$nginx_pid"
	wait_for '[ "$(accepted)" = $((round * 100)) ]'
done
exec 3>&-
reap "${send_pid:?}"
status_is 0 "a server that restarts again and again"
told() { # OUTCOME
	sed -n "s/.*\"event\":\"\(load-[0-9]*\)\".*\"outcome\":\"$1\".*/\1/p" \
		"$T/send.out" | sort
}
received() { sed -n 's/^\(load-[0-9]*\) .*/\1/p' "$T/access" | sort; }
told delivered >"$T/delivered"
received >"$T/received"
is "$(comm -23 "$T/delivered" "$T/received" | wc -l)" 0 \
	"what is told as delivered was received"
diag "$(told retry | wc -l) of $count attempts to be made again"
again() { # as failures in a row have blocked it, perhaps
	sql "UPDATE whk.webhook SET blocked_until = NULL;
		UPDATE whk.pending SET next_at = now()"
	whk-due | whk-send >>"$T/send.out"
	[ "$(told delivered | uniq | wc -l)" = "$count" ]
}
ok "all are delivered in the end" wait_for again
is "$(received | uniq | wc -l)" "$count" "and have been received"

done_testing
