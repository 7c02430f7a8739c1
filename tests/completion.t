#!/bin/sh
# SPDX-License-Identifier: ISC
# What shells complete from the database: ids of webhooks, types of events.
. "$(dirname "$0")/lib.sh"

start_postgres
sql "SELECT FROM whk.partitions()"
for i in $(seq 12); do
	echo "{\"url\":\"http://h/$i\",\"events\":[\"order.paid\",\"user.*\"]}"
done | whk-add - >"$T/out" 2>"$T/err"
sql "INSERT INTO whk.event (id, time, type, accepted_at)
	SELECT id, now() - d * interval '1 day', t, now()
	FROM (VALUES ('e1', 'order.sent', 0), ('e2', 'x.y', 0),
		('msg_a1', '\$(touch bad)', 0), ('msg_b2', '-x', 400),
		('-x', 'a b', 0), ('f_1', 'user:new', 0)) x(id, t, d)"

# --- the provider ------------------------------------------------------------

# gives WORDS KIND [PREFIX]
gives() {
	gives_wanted=$1
	shift
	is "$(whk-list --complete "$@" | paste -sd ' ')" "$gives_wanted" \
		"whk-list --complete $*"
}

gives '1 2 3 4 5 6 7 8 9 10 11 12' webhook
gives '1 10 11 12' webhook 1
gives '12' webhook 12
for none in 13 0 01 x '1 ' ' 1' -1 99999999999999999999; do
	gives '' webhook -- "$none"
done
gives 'order.paid order.sent user:new x.y' type
gives 'order.sent' type order.s
gives 'user:new' type user
gives 'user.* user:new' pattern us
gives 'order.paid order.sent user.* user:new x.y' pattern
gives 'e1 e2 f_1 msg_a1 msg_b2' event
gives 'e1 e2' event e
gives 'msg_a1 msg_b2' event msg
gives 'msg_b2' event msg_b2
gives '' event -- -
gives '' event 'e '
gives '' type -- -
gives '' type 'a '
exits 2 "no such kind" whk-list --complete tenant
err_like "'tenant' is none of webhook, type, pattern, event" "it is named"
exits 2 "two words" whk-list --complete webhook 1 2

sql "INSERT INTO whk.webhook (id, url) VALUES (9223372036854775807, 'http://h'),
	(922, 'http://h'), (1000000000000000000, 'http://h')"
gives '9 922 9223372036854775807' webhook 9
gives '9223372036854775807' webhook 9223372036854775807
gives '1000000000000000000' webhook 100
sql "INSERT INTO whk.webhook (id, url)
	SELECT n, 'http://h' FROM generate_series(50000, 59999) n"
is "$(whk-list --complete webhook 5 | wc -l)" 100 "a hundred at the most"

# --- the shells --------------------------------------------------------------

# The words that bash offers behind these.
cat >"$T/bash" <<'END'
compopt() { :; }
. <("$1" --completion bash)
COMP_LINE=$* COMP_POINT=${#COMP_LINE} COMP_WORDBREAKS=$' \t\n"\'@><=;|&(:'
_${1//-/_} "$1"
printf '%s\n' "${COMPREPLY[@]}"
END

# The line that a shell makes of PROGRAM WORD... and a Tab, at a terminal.
mkdir "$T/functions"
cat >"$T/bashrc" <<'END'
PS1=
show() { printf '%s\n' "$READLINE_LINE" >new; mv new line; }
bind -x '"\C-t": show'
END
cat >"$T/type" <<'END'
zmodload zsh/zpty
shell=$1
shift
if [[ $shell = zsh ]] {
	zpty -b t "TERM=dumb zsh -f -i"
	zpty -w t 'PS1=; fpath=(functions $fpath); autoload -Uz compinit
		compinit -u -D; show() { print -r -- "$BUFFER" >new; mv new line }
		zle -N show; bindkey "^T" show; print >ready'
} else {
	zpty -b t "TERM=dumb bash --noprofile --rcfile bashrc -i"
	zpty -w t ". functions/$1.bash; echo >ready"
}
wait() { until [[ -e $1 ]] || ((i++ > 500)) { zpty -r -t t x; sleep 0.02 } }
wait ready
zpty -w -n t "$*"$'\t\x14'
wait line
cat line
END

# completes LINE PROGRAM WORD...: in bash and in zsh.
completes() {
	completes_wanted=$1
	shift
	command -v zsh >/dev/null || {
		skip "no zsh" "zsh, and bash by it: $*"
		return
	}
	"$1" --completion zsh >"$T/functions/_$1"
	"$1" --completion bash >"$T/functions/$1.bash"
	for shell in zsh bash; do
		rm -f "$T/ready" "$T/line"
		is "$(zsh -f "$T/type" $shell "$@" 2>&1)" "$completes_wanted" \
			"$shell: $*"
	done
}

bash_words() { bash "$T/bash" "$@" 2>"$T/err" | sort | paste -sd ' '; }

# shellcheck disable=SC2016 # for fish
fish_words() {
	HOME=$T fish --no-config -c '$argv[1] --completion fish | source
		complete -C "$argv"' "$@" 2>"$T/err" | cut -f 1 |
		sort | paste -sd ' '
}

# offers WORDS PROGRAM WORD...: in each shell.
offers() {
	offers_wanted=$1
	shift
	for shell in bash fish; do
		command -v $shell >/dev/null || {
			skip "no $shell" "$shell: $*"
			continue
		}
		is "$("${shell}_words" "$@" | sed 's/\\//g')" "$offers_wanted" \
			"$shell: $*"
		is "$(cat "$T/err")" '' "$shell: without a word besides"
	done
}

offers '1 10 1000000000000000000 11 12' whk-set 1
offers '11' whk-rm -n 11
offers '12' whk-list 1 12
offers '11' whk-log --webhook 11
offers '11' whk-log --why 11
offers '11' whk-replay -w 11
offers '11' whk-stat --webhook 11
offers 'order.paid order.sent' whk-emit --type or
offers 'order.sent' whk-list -t order.s
offers 'user.* user:new' whk-log --type us
offers 'user.* user:new' whk-replay -t us
offers 'e1 e2' whk-log e
offers 'e1 e2' whk-log --event e
offers 'e1 e2' whk-replay -n -e e
offers 'msg_a1 msg_b2' whk-log --raw msg
offers 'user.* user:new' whk-add -e us
offers 'user.* user:new' whk-set 1 --event us
offers '' whk-log --event 1
offers '' whk-add --content-type or
is "$(bash_words whk-add -e user.)" 'user.\*' "bash: no word that matches files"
offers '--dry-run' whk-rm --dr
completes 'whk-set 12 ' whk-set 12
completes 'whk-set 13' whk-set 13
completes 'whk-log --type user.\* ' whk-log --type user.
completes 'whk-log --webhook=12 ' whk-log --webhook=12
completes 'whk-log --type=order.sent ' whk-log --type=order.s
completes 'whk-log --why=9223372036854775807 ' whk-log --why=92233
completes 'whk-log msg_a1 ' whk-log msg_a
completes 'whk-log --event=msg_a1 ' whk-log --event=msg_a
completes 'whk-log --type user:new ' whk-log --type user:
completes 'whk-log --type=user:new ' whk-log --type=user:n
completes 'whk-log --as-sent ' whk-log --as
completes 'whk-list -t order.sent ' whk-list -t order.s

# --- the time it takes -------------------------------------------------------

[ -n "${WHK_TEST_SLOW:-}" ] || {
	sql "INSERT INTO whk.webhook (url, events, tenant)
		SELECT 'http://h', ARRAY['t' || n % 300, '*'], 'n' || n % 30000
		FROM generate_series(1, 100000) n;
	INSERT INTO whk.event (id, time, type, body, accepted_at)
		SELECT 'm' || n, now(), 't' || n % 500, repeat('b', 500), now()
		FROM generate_series(1, 100000) n;
	ANALYZE" 2>"$T/err"
	for kind in webhook type pattern event; do
		for prefix in '' 1 t m; do
			for i in 1 2 3; do
				command time -f %e whk-list --complete $kind \
					-- $prefix 2>&1 >"$T/out"
			done | sort >"$T/time"
			best=$(head -n 1 "$T/time")
			ok "$kind '$prefix' in time ($best s)" \
				awk 'NR == 1 { exit !($1 < 0.1) }' "$T/time"
		done
	done
}

# --- without the database ----------------------------------------------------

stop_postgres
offers '' whk-set 1
offers '' whk-log --type or
completes 'whk-set 1' whk-set 1

# One that takes connections and says nothing.
spawn deaf perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(Listen => 9,
	Local => "$ARGV[0]/.s.PGSQL.5432") or die; print "up\n"; $|= 1; sleep' \
	"$T/pg/socket"
wait_for '[ -S "$T/pg/socket/.s.PGSQL.5432" ]'
began=$(date +%s%N)
exits 75 "a server that says nothing" whk-list --complete webhook 1
err_is '' "it is not waited for"
ok "for more than about a second" \
	test $((($(date +%s%N) - began) / 1000000)) -lt 1800

done_testing
