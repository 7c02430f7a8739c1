#!/bin/sh
# SPDX-License-Identifier: ISC
# What every program has in common, and what "make install" puts where.
. "$(dirname "$0")/lib.sh"

version=$(sed -n 's/^VERSION = //p' "$TOP/Makefile")
programs=$(cd "$TOP/cmd" && for f in whk-*.c; do echo "${f%.c}"; done)
real=${WHK_TEST_BIN:-$BUILD} # under valgrind, those in $BUILD are scripts

dotted=$(printf '%s' "$version" | sed 's/\./\\./g')

like "$version" '^[0-9]+\.[0-9]+\.[0-9]+$' "there is a version"
is "$(cd "$TOP" && git ls-files 2>/dev/null | grep -vE '^(Makefile|tests/fuzz/corpus/.*)$' |
	tr '\n' '\0' | xargs -0r grep -lE "(^|[^0-9.])$dotted([^0-9.]|$)")" '' \
	"and one place that knows it"

# Bad usage: 2, a word on stderr, nothing on stdout.
usage() {
	what=$1
	shift
	run timeout 10 "$@" </dev/null
	if [ "$status" = 2 ] && [ ! -s "$T/out" ] &&
		grep -q "^$1: " "$T/err"; then
		pass "$1: $what"
	else
		fail "$1: $what"
		run_diag
	fi
}

for p in $programs; do
	exits 0 "$p --version" "$p" --version
	out_is "$p $version" "$p: which is $version"
	exits 0 "$p --help" "$p" --help
	cp "$T/out" "$T/help"
	like "$(head -n 1 "$T/help")" "^[Uu]sage: $p" "$p: help shows usage"
	is "$(awk 'length > 80' "$T/help")" '' "$p: in 80 columns"
	is "$(cat "$T/err")" '' "$p: on stdout only"
	exits 0 "$p -h" "$p" -h
	same "$T/out" "$T/help" "$p: and -h the same"
	run sh -c "$p --help >/dev/full"
	status_is 1 "$p: help that cannot be written"
	usage "an unknown option" "$p" --no-such-option
	usage "an unknown letter" "$p" -:
	usage "no such shell" "$p" --completion tcsh

	ok "$p has a page" test -e "$TOP/man/$p.1"
	mandoc -T utf8 "$TOP/man/$p.1" 2>/dev/null | col -b >"$T/page"
	grep -oE '^ +(-., )?--[a-z-]+' "$T/help" |
		grep -vE -e '--(help|version|completion)$' | tr -d , >"$T/options"
	is "$(while read -r one other; do
		grep -qE -e "(^|[^-])($one|${other:-$one})\\>" "$T/page" ||
			echo "$one $other"
	done <"$T/options")" '' "$p: which has all its options"
	for section in ENVIRONMENT 'EXIT STATUS' EXAMPLES; do
		ok "$p: and $section" grep -q "^$section" "$T/page"
	done
done

for p in $programs; do
	for shell in bash zsh fish; do
		exits 0 "$p --completion $shell" "$p" --completion $shell
		cp "$T/out" "$T/completion"
		if command -v $shell >/dev/null; then
			ok "$p: which $shell reads" $shell -n "$T/completion"
		else
			skip "no $shell" "$p: which $shell reads"
		fi
	done
done

# Built as the distributions want it, and small.
for p in $programs; do
	like "$(readelf -h "$real/$p")" 'Type: +DYN' "$p is relocatable"
	like "$(readelf -d "$real/$p")" '\(FLAGS_1\).*NOW' \
		"$p: relocations are read-only"
	unlike "$(readelf -lW "$real/$p" | grep GNU_STACK)" 'RWE' \
		"$p: no code on the stack"
	if [ -n "${WHK_TEST_SLOW:-}" ]; then
		continue
	fi
	strip -o "$T/stripped" "$real/$p"
	size=$(stat -c %s "$T/stripped")
	ok "$p: $size bytes stripped, under 200 KiB" test "$size" -lt 204800
done

# Installing touches nothing but DESTDIR, and uninstalling leaves nothing.
root=$T/root
put() { make -C "$TOP" DESTDIR="$root" prefix=/usr sysconfdir=/etc "$@"; }
exits 0 "make install" put install
for p in $programs; do
	ok "$p is there" "$root/usr/bin/$p" --version
	for f in man/man1/"$p".1 bash-completion/completions/"$p" \
		zsh/site-functions/_"$p" fish/vendor_completions.d/"$p".fish; do
		ok "$f is there" test -s "$root/usr/share/$f"
	done
done
for page in "$TOP"/man/*; do
	page=$(basename "$page")
	ok "$page is there" test -s "$root/usr/share/man/man${page##*.}/$page"
done
ok "README is there" test -s "$root/usr/share/doc/whk/README"
for unit in "$TOP"/etc/*.service "$TOP"/etc/*.socket "$TOP"/etc/*.timer; do
	unit=$(basename "$unit")
	ok "$unit is there" test -s "$root/usr/lib/systemd/system/$unit"
done
ok "the user is there" test -s "$root/usr/lib/sysusers.d/whk.conf"
is "$(stat -c %a "$root/etc/whk/whk.env")" 600 "whk.env is for root to read"
is "$(find "$root" -type f -perm /022)" '' "nobody else may write them"
exits 0 "make uninstall" put uninstall
is "$(find "$root" -type f)" '' "takes all of it away"
ok "and no directory of its own stays" test ! -e "$root/usr/share/doc/whk" \
	-a ! -e "$root/etc/whk"

# What others put there stays, and so does a configuration that was changed.
put install >"$T/out" 2>&1
find "$root" -type d -exec touch {}/other \;
echo WHK_LEASE=1m >>"$root/etc/whk/whk.env"
cp "$root/etc/whk/whk.env" "$T/whk.env"
exits 0 "make install over it" put install
same "$root/etc/whk/whk.env" "$T/whk.env" "leaves a changed whk.env as it is"
exits 0 "and make uninstall" put uninstall
same "$root/etc/whk/whk.env" "$T/whk.env" "too"
is "$(find "$root" -type f ! -name other)" "$root/etc/whk/whk.env" \
	"nothing else of it stays"
is "$(find "$root" -type f -name other | wc -l)" \
	"$(find "$root" -type d | wc -l)" "and all that is not of it"

# Each directory may be another.
rm -rf "$root"
dirs='bashcompletiondir bindir docdir fishcompletiondir mandir sysconfdir
systemdsystemunitdir sysusersdir zshcompletiondir'
elsewhere=$(for dir in $dirs; do printf '%s=/d/%s ' "$dir" "$dir"; done)
# shellcheck disable=SC2086 # a list of words
{
	exits 0 "make install, each directory elsewhere" put install $elsewhere
	is "$(cd "$root" && find . -type f | cut -d/ -f2-3 | sort -u)" \
		"$(printf 'd/%s\n' $dirs)" "they are all there, and no other"
	exits 0 "make uninstall" put uninstall $elsewhere
}
is "$(find "$root" -type f)" '' "takes it away from there"

done_testing
