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
	SELECT 'e' || n, now(), t, now()
	FROM unnest(ARRAY['order.sent', 'x.y', '\$(touch bad)', '-x', 'a b'])
		WITH ORDINALITY AS x(t, n)"

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
gives 'order.paid order.sent x.y' type
gives 'order.sent' type order.s
gives '' type user
gives 'user.*' pattern us
gives 'order.paid order.sent user.* x.y' pattern
gives '' type -- -
gives '' type 'a '
exits 2 "no such kind" whk-list --complete tenant
err_like "'tenant' is none of webhook, type, pattern" "it is named"
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
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_${1//-/_} "$1"
printf '%s\n' "${COMPREPLY[@]}"
END

# The line that zsh makes of PROGRAM WORD... and a Tab, at a terminal.
mkdir "$T/functions"
cat >"$T/zsh" <<'END'
zmodload zsh/zpty
zpty -b z "TERM=dumb zsh -f -i"
zpty -w z 'PS1=; fpath=(functions $fpath); autoload -Uz compinit
	compinit -u -D; show() { print -r -- "$BUFFER" >new; mv new line }
	zle -N show; bindkey "^X" show; print >ready'
wait() { until [[ -e $1 ]] || ((i++ > 500)) { zpty -r -t z x; sleep 0.02 } }
wait ready
zpty -w -n z "$*"$'\t\x18'
wait line
cat line
END

# completes LINE PROGRAM WORD...: in zsh.
completes() {
	completes_wanted=$1
	shift
	command -v zsh >/dev/null || {
		skip "no zsh" "zsh: $*"
		return
	}
	"$1" --completion zsh >"$T/functions/_$1"
	rm -f "$T/ready" "$T/line"
	is "$(zsh -f "$T/zsh" "$@" 2>&1)" "$completes_wanted" "zsh: $*"
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
offers 'user.*' whk-log --type us
offers 'user.*' whk-replay -t us
offers 'user.*' whk-add -e us
offers 'user.*' whk-set 1 --event us
offers '' whk-log --event 1
offers '' whk-add --content-type or
is "$(bash_words whk-add -e us)" 'user.\*' "bash: no word that matches files"
offers '--dry-run' whk-rm --dr
completes 'whk-set 12 ' whk-set 12
completes 'whk-set 13' whk-set 13
completes 'whk-log --type user.\* ' whk-log --type us
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
	for kind in webhook type pattern; do
		for prefix in '' 1 t; do
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
