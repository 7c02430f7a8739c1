#!/bin/sh
# SPDX-License-Identifier: ISC
# The crontab of whk(7), taken from the page and run as cron(8) runs it: each
# command by /bin/sh -c at home, with the few variables that cron sets, "%" made
# a line break, and whatever is printed sent by mail.
# shellcheck disable=SC2119 # start_postgres without an argument
. "$(dirname "$0")/lib.sh"
need flock

# The lines are those of the page but for what is an example in them: where the
# programs are, the database and the queue.
page_crontab() {
	sed -n '/^\.Ss From cron/,/^\.Ed/ { /^\.Bd/,/^\.Ed/p; }' \
		"$TOP/man/whk.7" | sed "/^\\./d; s/\\\\e/\\\\/g
			s|^PATH=/usr/local/bin:|PATH=$BUILD:|
			s|^WHK_DATABASE_URL=.*|WHK_DATABASE_URL=$database|
			s|^WHK_QUEUE_URL=.*|WHK_QUEUE_URL=$WHK_QUEUE_URL|"
}

# cron N [EDIT]: runs the Nth command of the crontab, changed by EDIT of sed;
# what would be mailed is in ./mail. crontab(5): the command reaches to the
# first "%" that no backslash protects, what follows is its standard input.
cron() {
	cron_line=$(sed -n '/^[*0-9]/p' table | sed -n "$1p" |
		sed -E 's/^([^ ]+ ){5}//' | sed "${2:-}")
	cron_command=$(printf '%s' "$cron_line" |
		sed -E 's/([^\\])%.*/\1/; s/\\%/%/g')
	(
		cd home || exit
		# shellcheck disable=SC2046 # the variables have no spaces
		env -i HOME="$T/home" LOGNAME=whk SHELL=/bin/sh \
			PATH=/usr/bin:/bin $(grep -E '^[A-Z_]+=' ../table) \
			WHK_ALLOW=127.0.0.0/8 \
			/bin/sh -c "$cron_command" </dev/null
	) >"$T/mail" 2>&1
}

emit() { # FROM TO
	seq "$1" "$2" | sed 's/.*/{"type":"a.b","body":{"n":&}}/' | whk-emit -l
}

came() { sort "$T/recv.out" | uniq -c | awk '{ print $1 }' | sort -u | xargs; }

start_postgres
start_mq
start_recv
database="postgres://whk@/whk?host=$(printf %s "$PGHOST" | sed 's,/,%2F,g')"
mkdir home
page_crontab >table
is "$(grep -c '^[*0-9]' table)" 3 "the page has a crontab"
whk-add "$recv_url" >/dev/null 2>&1

# --- each of them ---

emit 1 20
cron 1
is "$(cat mail)" '' "no mail of what went well"
is "$(wc -l <recv.out) $(came)" '20 1' "the queue's events arrive"
sql "SELECT whk.emit('{\"n\":21}', 'a.b')" >/dev/null
cron 2
is "$(cat mail)" '' "no mail of what was due"
is "$(tail -n 1 recv.out)" '{"n":21}' "what is due arrives"
cron 1 && cron 2 && cron 3
is "$(cat mail)" '' "no mail where there is nothing to do"
is "$(find home -name '.whk-*' | sort | xargs)" 'home/.whk-due home/.whk-poll' \
	"a lock for each is at home"

# --- what is mailed ---

whk-add "$recv_url/?status=500" >/dev/null 2>&1
emit 31 34
cron 1
is "$(cat mail)" '' "no mail of a webhook that fails"
cron 3
like "$(cat mail)" '^success>99%: ' "but of many that do"
sqs SendMessage "{\"QueueUrl\":\"$WHK_QUEUE_URL\",\"MessageBody\":\"x\",
	\"MessageAttributes\":{\"id\":{\"DataType\":\"String\",
	\"StringValue\":\"no id\"}}}" >/dev/null
cron 1
like "$(cat mail)" '^whk-poll: .*id' "mail of a bad message"
whk-rm 2 >/dev/null 2>&1
sqs PurgeQueue "{\"QueueUrl\":\"$WHK_QUEUE_URL\"}" >/dev/null

# --- two at once ---

# at_once N EDIT: twice the same command, the second while the first is busy.
at_once() {
	: >"$T/recv.out"
	(cron "$1" "$2") &
	at_once_first=$!
	wait_for '[ -s "$T/recv.out" ]'
	cron "$1" "$2"
	wait "$at_once_first"
}

stop "$recv_pid"
start_recv -d 2s
whk-set --url "$recv_url" 1 >/dev/null 2>&1
emit 41 60
at_once 1 ''
is "$(wc -l <recv.out) $(came)" '20 1' "two at once: nothing is sent twice"
emit 61 80
at_once 1 's/flock -n [^ ]* -c/sh -c/'
is "$(wc -l <recv.out) $(came)" '20 1' "nor without a lock"
for n in 81 82 83 84 85 86; do
	sql "SELECT whk.emit('{\"n\":$n}', 'a.b')" >/dev/null
done
at_once 2 's/flock -n [^ ]* -c/sh -c/'
is "$(wc -l <recv.out) $(came)" '6 1' "nor what is due"

# The lock does what it is there for.
: >recv.out
emit 91 92
(cron 1) &
first=$!
wait_for '[ -s "$T/recv.out" ]'
not_ok "the lock is held while one is at it" flock -n home/.whk-poll true
wait "$first"
: >recv.out
emit 93 94
exec 9>home/.whk-poll
flock 9
cron 1 9>&-
is "$(cat mail recv.out)" '' "a second does nothing, and says nothing"
exec 9>&-
cron 1
is "$(wc -l <recv.out) $(came)" '2 1' "the next does it"

# --- what is away ---

stop "$mq_pid"
cron 1
like "$(cat mail)" '^whk-poll: ' "mail of a queue that is away"
cron 2
is "$(cat mail)" '' "which what is due does not need"
stop_postgres
cron 2
like "$(cat mail)" '^whk-due: database: ' "mail of a database that is away"

done_testing
