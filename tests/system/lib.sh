# shellcheck shell=sh disable=SC2034 # variables are for the tests
# SPDX-License-Identifier: ISC
#
# lib.sh: what the tests in tests/system/*.t share: containers on a real
# engine. It adds to tests/lib.sh; a test begins
#
#	#!/bin/sh
#	. "$(dirname "$0")/lib.sh"
#	start_engine
#
# These tests run as root. "make check-system" runs all of them, one after the
# other: what they do to the machine's network they do once.
#
#	start_engine            the machine's own engine where one is running.
#	                        Else one that is the test's alone, with all that
#	                        it has in $T; it waits its turn where another
#	                        test has one. When the test ends it is stopped,
#	                        and the network is as it was
#	base_image              debian:bookworm-slim is there: pulled, or else
#	                        made by debootstrap from the machine's sources
#	image NAME DIRECTORY    the same for an image of that name, or else made
#	                        from the Dockerfile in DIRECTORY
#	build_image NAME DIRECTORY
#	                        the same, always made
#	add_address ADDRESS     this machine has the address until the test ends
#	compose2                "docker compose" is docker-compose 2, if there
#	                        is none that of Debian's next release; fails
#	                        where there is no network
#
# COMPOSE_PROJECT_NAME is the test's own. What was made is kept in $CACHE for a
# week, for the next run. What was pulled and what was made is said in lines of
# TAP's comments.

TMPDIR=${TMPDIR:-/var/tmp} # images are large
. "$(dirname "$0")/../lib.sh"

CACHE=${WHK_TEST_CACHE:-/var/tmp/whk-system}
SUITE=bookworm
engine_pid='' made_images='' addresses=''
export COMPOSE_PROJECT_NAME=whk-test-$$

say() { echo "# $*"; }

# --- the engine ------------------------------------------------------------

start_engine() {
	need docker
	mkdir -p "$CACHE"
	find "$CACHE" -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -rf {} +
	trap engine_cleanup EXIT
	if docker info >"$T/docker.info" 2>&1; then
		say "engine: the machine's own"
		return
	fi
	need dockerd iptables ip flock
	[ "$(id -u)" = 0 ] || skip_all "only root may start an engine"
	exec 9>"$CACHE/lock"
	flock 9
	network_before
	export DOCKER_HOST="unix://$T/docker.sock"
	mkdir "$T/engine"
	setpriv --pdeathsig TERM dockerd --host "$DOCKER_HOST" \
		--data-root "$T/engine/data" --exec-root "$T/engine/run" \
		--pidfile "$T/engine/pid" \
		</dev/null >"$T/dockerd.log" 2>&1 9>&- &
	engine_pid=$!
	wait_for "docker info || ended $engine_pid"
	docker info >"$T/docker.info" 2>&1 ||
		bail_out "an engine started" "$T/dockerd.log"
	say "engine: the test's own," \
		"$(docker info -f '{{.ServerVersion}}, {{.Driver}}')"
}

add_address() {
	ip address add "$1/32" dev lo || bail_out "the address $1"
	addresses="$addresses $1"
}

# An engine changes what the machine does with packets, and leaves it so.
network_before() {
	for table in filter nat; do
		iptables-save -t $table | grep . ||
			printf '*%s\nCOMMIT\n' $table
	done >"$T/iptables"
	forward_before=$(cat /proc/sys/net/ipv4/ip_forward)
	ip link show docker0 >"$T/docker0" 2>&1 || rm "$T/docker0"
}

network_after() {
	iptables-restore <"$T/iptables"
	echo "$forward_before" >/proc/sys/net/ipv4/ip_forward
	[ -e "$T/docker0" ] || ip link delete docker0
}

engine_cleanup() {
	engine_status=$?
	trap '' HUP INT TERM
	{
		for address in $addresses; do
			ip address delete "$address/32" dev lo
		done
		remove_project
		if [ -n "$engine_pid" ]; then
			stop_engine
		elif [ -n "$made_images" ]; then
			# No stand-in stays behind under another's name.
			# shellcheck disable=SC2086 # a list of names
			docker rmi $made_images
		fi
	} >"$T/ok.out" 2>&1
	(exit "$engine_status")
	cleanup
}

# What has the label that docker-compose gives to all that it makes.
remove_project() {
	set -- --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME"
	docker ps -aq "$@" | xargs -r docker rm -fv
	docker network ls -q "$@" | xargs -r docker network rm
	docker volume ls -q "$@" | xargs -r docker volume rm
}

stop_engine() {
	docker ps -aq | xargs -r docker rm -fv
	kill "$engine_pid"
	WAIT=60 wait_for "ended $engine_pid"
	wait "$engine_pid"
	awk -v t="$T/" 'index($2, t) == 1 { print $2 }' /proc/mounts |
		sort -r | xargs -r umount -l
	network_after
}

# --- images ----------------------------------------------------------------

made() {
	made_images="$made_images $1"
	say "$1: made here"
}

from_cache() {
	[ -e "$1" ] && docker load -q -i "$1" >"$T/load" 2>&1
}

# Two tests may be at it: the last to rename wins.
to_cache() {
	docker save -o "$2.$$" "$1" && mv "$2.$$" "$2"
}

# What is there is not asked for again, and what could not be pulled once is
# not tried again.
pulled() {
	if docker image inspect "$1" >"$T/pull" 2>&1; then
		say "$1: was there"
	elif [ -z "$made_images" ] &&
		timeout 300 docker pull -q "$1" >"$T/pull" 2>&1; then
		say "$1: pulled"
	else
		return 1
	fi
}

base_image() {
	pulled debian:bookworm-slim && return
	from_cache "$CACHE/base.tar" || make_base
	made debian:bookworm-slim
}

# An image to stand in for debian:bookworm-slim.
make_base() {
	need debootstrap
	root=$T/base
	# Without sources of this release, debootstrap knows some itself.
	apt-get indextargets 'Identifier: Packages' \
		--format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' |
		sort -u | grep -E " $SUITE(-updates|-security)? main$" \
		>"$T/sources"
	# shellcheck disable=SC2046 # one word or none
	debootstrap --variant=minbase --include=ca-certificates \
		"$SUITE" "$root" \
		$(sed -n "s/^deb \(.*\) $SUITE main/\1/p" "$T/sources") \
		>"$T/debootstrap.log" 2>&1 ||
		bail_out "debootstrap made a base" "$T/debootstrap.log"
	[ ! -s "$T/sources" ] || cp "$T/sources" "$root/etc/apt/sources.list"
	configure_base "$root"
	tar -C "$root" -c . | docker import -c 'CMD ["bash"]' - \
		debian:bookworm-slim >"$T/import" 2>&1 ||
		bail_out "the base is imported" "$T/import"
	to_cache debian:bookworm-slim "$CACHE/base.tar"
	rm -rf "$root"
}

# This machine's way to the packages; and what the real image has: no pages, no
# services, no packages that stay behind as files, no waiting for the disk.
configure_base() {
	apt-config dump | grep '^Acquire::' >"$1/etc/apt/apt.conf.d/10acquire"
	cp -a /usr/local/share/ca-certificates "$1/usr/local/share/"
	chroot "$1" update-ca-certificates >"$T/certificates" 2>&1
	cat >"$1/etc/apt/apt.conf.d/docker-clean" <<-'END'
	DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };
	Dir::Cache::pkgcache "";
	Dir::Cache::srcpkgcache "";
	END
	cat >"$1/etc/dpkg/dpkg.cfg.d/docker" <<-'END'
	force-unsafe-io
	path-exclude /usr/share/doc/*
	path-exclude /usr/share/info/*
	path-exclude /usr/share/locale/*
	path-exclude /usr/share/man/*
	path-include /usr/share/doc/*/copyright
	END
	printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
	chmod 755 "$1/usr/sbin/policy-rc.d"
	rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* \
		"$1"/var/log/*.log
}

image() {
	pulled "$1" || build_image "$1" "$2"
}

# The file's name knows what the image was made from.
build_image() {
	sum=$( (cd "$2" && find . -type f -exec sha256sum {} + | sort &&
		cat "$CACHE/base.tar") 2>"$T/ok.out" | sha256sum | cut -c1-16)
	file=$CACHE/$(echo "$1" | tr /: __)-$sum.tar
	from_cache "$file" || {
		docker build -q -t "$1" "$2" >"$T/build.log" 2>&1 ||
			bail_out "$1 is built" "$T/build.log"
		to_cache "$1" "$file"
	}
	made "$1"
}

# --- docker-compose 2 ------------------------------------------------------

compose2() {
	! docker compose version || return 0
	[ -x "$CACHE/docker-compose" ] || fetch_compose2 || return
	export DOCKER_CONFIG="$T/docker"
	mkdir -p "$DOCKER_CONFIG/cli-plugins"
	ln -s "$CACHE/docker-compose" "$DOCKER_CONFIG/cli-plugins"
	docker compose version
}

# One program out of one package of another release, which nothing installs:
# apt with lists of its own.
fetch_compose2() (
	mkdir -p "$T/apt/lists/partial" "$T/apt/archives/partial" &&
	cd "$T/apt" || exit
	key=/usr/share/keyrings/debian-archive-keyring.gpg
	apt-get indextargets 'Identifier: Packages' "Release: $SUITE" \
		--format "deb [signed-by=$key] \$(REPO_URI) trixie main" |
		head -n 1 >sources.list
	set -- -o Dir::Etc::SourceList="$PWD/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null -o Dir::Cache="$PWD" \
		-o Dir::State::Lists="$PWD/lists" -o APT::Sandbox::User=root
	apt-get "$@" update && apt-get "$@" download docker-compose &&
	dpkg-deb -x docker-compose_*.deb x &&
	cp x/usr/libexec/docker/cli-plugins/docker-compose "$CACHE"
)
