#!/bin/sh
# SPDX-License-Identifier: ISC
# The units of systemd, as "make install" places them: systemd finds nothing
# wrong with them, each service is shut in, and they name what is there.
. "$(dirname "$0")/lib.sh"
need systemd-analyze

place() { make -C "$TOP" B="$T/build" install-etc DESTDIR="$T/root" "$@"; }
exits 0 "the units are placed" place prefix=/usr sysconfdir=/etc \
	systemdsystemunitdir=/units
cd "$T/root/units" || exit

is "$(ls)" "whk-api.service
whk-api.socket
whk-mq.service
whk-prune.service
whk-prune.timer
whk-retry.service
whk-worker.service
whk@.service" "all of them"

for unit in *.service; do
	exits 0 "$unit: an exposure of 2.0 at the most" \
		systemd-analyze security --no-pager --offline=true \
		--threshold=20 "./$unit"
	err_is '' "$unit: with nothing that is not understood"
	programs=$(grep '^ExecStart=' "$unit" | grep -o '/usr/bin/whk[a-z-]*')
	for program in $programs; do
		ok "$unit: $program is there" test -x "$BUILD/${program##*/}"
	done
	pages=$(grep '^Documentation=' "$unit" |
		grep -oE 'whk[a-z-]*\([0-9]\)' | sed 's/(\(.\))/.\1/')
	for page in $pages; do
		ok "$unit: $page is there" test -e "$TOP/man/$page"
	done
done

# That programs are not where the units say is no matter here.
run systemd-analyze verify --man=no ./*
is "$(cat "$T/out" "$T/err" | grep -v 'is not executable')" '' \
	"systemd-analyze verify has nothing to say"

# With other places than Debian's.
exits 0 "and elsewhere" place prefix=/opt/w sysconfdir=/opt/etc \
	systemdsystemunitdir=/elsewhere
cd "$T/root/elsewhere" || exit
is "$(cat ./* "$T/root/opt/etc/whk/whk.env" |
	grep -E '(^|[^a-z])/(usr/bin|etc)/whk')" '' "where they say other paths"
like "$(cat whk-api.service)" '^ExecStart=/opt/w/bin/whk-api ' "of programs"
like "$(cat whk-api.service)" '^EnvironmentFile=/opt/etc/whk/whk.env$' \
	"and of their configuration"

# The sample: nothing in it is set, and what it shows is there to be set.
sample=$T/root/etc/whk/whk.env
is "$(grep -v '^#' "$sample" | grep .)" '' "whk.env sets nothing"
names=$(sed -n 's/^#\(WHK_[A-Z_]*\)=.*/\1/p' "$sample" | sort -u)
for name in $names; do
	ok "$name is used" grep -rqw -- "$name" "$TOP/man" "$T/root/units"
done
like "$(stat -c %a "$sample")" '^600$' "whk.env is for root to read"

done_testing
