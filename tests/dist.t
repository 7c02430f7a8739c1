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
exits 0 "make install" make -C "$TOP" install DESTDIR="$root" prefix=/usr
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
is "$(find "$root" -type f -perm /022)" '' "nobody else may write them"
exits 0 "make uninstall" make -C "$TOP" uninstall DESTDIR="$root" prefix=/usr
is "$(find "$root" -type f)" '' "takes all of it away"

done_testing
