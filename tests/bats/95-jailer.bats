#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bulkhead-jailer: what the program in it sees, and what is refused.

BIN=${BIN:-$BATS_TEST_DIRNAME/../../build/bin}

# The jailed program is busybox: it is static and can look around.
setup_file() {
	command -v busybox >/dev/null || skip "no busybox-static"
	[ "${BULKHEAD_BOX:-}" = net ] || { echo "run these tests by hack/run-bats" >&2 && return 1; }
}
setup() {
	base=$BATS_TEST_TMPDIR/base
	mkdir "$base"
	cp "$(command -v busybox)" "$BATS_TEST_TMPDIR/sh"
	id="t$BATS_TEST_NUMBER-$$"
}
teardown() {
	local d
	for d in /sys/fs/cgroup/jailtest/"$id" /sys/fs/cgroup/*/jailtest/"$id" /sys/fs/cgroup/jailtest /sys/fs/cgroup/*/jailtest; do
		[ ! -d "$d" ] || rmdir "$d" 2>/dev/null || true
	done
}

jailer() { "$BIN/bulkhead-jailer" --exec-file "$BATS_TEST_TMPDIR/sh" --chroot-base-dir "$base" --id "$id" --uid 12345 --gid 54321 "$@"; }
# jailed SCRIPT [OPTION...]
jailed() { jailer "${@:2}" -- -c "$1"; }
# The program is given "--id ID ..." before its own arguments: this one takes them away.
program() {
	printf '#include <unistd.h>\nint main(int c, char **v) { (void)c; char *a[] = {"sh", "-c", v[10], 0}; return execv("/busybox", a); }\n' |
		gcc -static -O1 -x c - -o "$BATS_TEST_TMPDIR/sh"
	mkdir -p "$base/sh/$id/root"
	cp "$(command -v busybox)" "$base/sh/$id/root/busybox"
}

@test "user, root, devices, limits, environment and open files are the jail's" {
	command -v gcc >/dev/null || skip "no compiler"
	program
	FOO=bar run jailed '
		set -- "$(/busybox id -u) $(/busybox id -g) $(/busybox id -G)"
		echo "ids $*"
		echo "root $(/busybox ls / | /busybox tr "\n" " ")"
		echo "dev $(/busybox ls /dev | /busybox tr "\n" " ")"
		echo "files $(ulimit -n) size $(ulimit -f)"
		echo "foo ${FOO:-none}"
		(: <&9) 2>/dev/null || echo closed
		/busybox ls -l /dev/kvm /dev/net/tun
		/busybox touch /own && echo writes' --resource-limit fsize=1048576 --resource-limit no-file=100 9</dev/null
	echo "$output"
	[ "$status" = 0 ]
	[[ "$output" == *"ids 12345 54321 54321"* ]]
	[[ "$output" == *"root busybox dev run sh sh.pid "* ]]
	[[ "$output" == *"dev kvm net "*"urandom "* ]]
	[[ "$output" == *"files 100 size 2048"* ]]
	[[ "$output" == *"foo none"* && "$output" == *closed* && "$output" == *writes* ]]
	[[ "$output" == *"crw-------"*"12345"*"54321"*"10, 232"* ]]
	[ "$(stat -c '%u:%g %a' "$base/sh/$id/root/sh")" = "12345:54321 500" ]
	[ ! "$BATS_TEST_TMPDIR/sh" -ef "$base/sh/$id/root/sh" ]
}

@test "a process and a network namespace of its own; the pid is told; a daemon has a session" {
	command -v gcc >/dev/null || skip "no compiler"
	program
	ip netns add jail-"$id" 2>/dev/null || { unshare -n sleep 60 & sleep 0.2; ns=/proc/$!/ns/net; }
	ns=${ns:-/run/netns/jail-$id}
	jailed 'echo $$ >/pid; /busybox ls /sys >/dev/null 2>&1; exec /busybox sleep 60' --new-pid-ns --daemonize --netns "$ns"
	for _ in {1..50}; do [ -s "$base/sh/$id/root/pid" ] && break; sleep 0.1; done
	pid=$(cat "$base/sh/$id/root/sh.pid")
	[ "$(cat "$base/sh/$id/root/pid")" = 1 ]
	[ "$(stat -Lc %i "/proc/$pid/ns/net")" = "$(stat -Lc %i "$ns")" ]
	[ "$(stat -Lc %i "/proc/$pid/ns/pid")" != "$(stat -Lc %i /proc/self/ns/pid)" ]
	[ "$(readlink "/proc/$pid/fd/1")" = /dev/null ] || [[ "$(readlink "/proc/$pid/fd/1")" == *"/dev/null (deleted)" ]]
	[ "$(ps -o sid= -p "$pid" | tr -d ' ')" != "$(ps -o sid= -p $$ | tr -d ' ')" ]
	kill -KILL "$pid"
	ip netns del jail-"$id" 2>/dev/null || true
}

@test "control groups: values are written and the program is in it" {
	command -v gcc >/dev/null || skip "no compiler"
	program
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		version=2 file=pids.max at=/sys/fs/cgroup/jailtest/$id
	else
		version=1 file=pids.max at=/sys/fs/cgroup/pids/jailtest/$id
		[ -w /sys/fs/cgroup/pids ] || skip "no controller pids"
	fi
	mkdir "$base/sh/$id/root/proc"
	jailed 'exec /busybox sleep 60' --daemonize --cgroup-version $version --parent-cgroup jailtest --cgroup $file=77
	for _ in {1..50}; do [ -s "$base/sh/$id/root/sh.pid" ] && break; sleep 0.1; done
	pid=$(cat "$base/sh/$id/root/sh.pid")
	[ "$(cat "$at/$file")" = 77 ]
	grep -qx "$pid" "$at/cgroup.procs"
	kill -KILL "$pid"
	for _ in {1..50}; do [ -s "$at/cgroup.procs" ] || break; sleep 0.1; done
	run jailed true --cgroup-version $((3 - version)) --cgroup pids.max=1
	[ "$status" = 1 ] && [[ "$output" == *"this host has control groups of version $version"* ]]
	run jailed true --cgroup nothing.max=1
	[ "$status" = 1 ] && [[ "$output" == *"no controller nothing"* ]]
	run jailed true --parent-cgroup jailtest --cgroup pids.max=many
	[ "$status" = 1 ] && [[ "$output" == *"--cgroup pids.max=many: write to"* ]]
}

@test "what is refused names its object" {
	refused() {
		run "$BIN/bulkhead-jailer" "${@:2}"
		echo "$output"
		[ "$status" = 1 ] && [[ "$output" == *"$1"* ]]
	}
	good=(--exec-file "$BATS_TEST_TMPDIR/sh" --chroot-base-dir "$base" --uid 1 --gid 1)
	refused "--id is missing" "${good[@]}"
	refused "invalid character '/'" "${good[@]}" --id a/b
	refused "--exec-file is missing" --id a --uid 1 --gid 1
	refused "--exec-file /nonexistent: No such file" --id a --uid 1 --gid 1 --exec-file /nonexistent
	refused "is no regular file" --id a --uid 1 --gid 1 --exec-file /tmp
	refused "--uid or --gid is missing" --id a --exec-file "$BATS_TEST_TMPDIR/sh" --uid 1
	refused "--uid x is no number" "${good[@]::4}" --id a --uid x --gid 1
	refused "--chroot-base-dir /nonexistent" --exec-file "$BATS_TEST_TMPDIR/sh" --id a --uid 1 --gid 1 --chroot-base-dir /nonexistent
	refused "--netns /nonexistent" "${good[@]}" --id a --netns /nonexistent
	refused "neither fsize nor no-file" "${good[@]}" --id a --resource-limit cpu=1
	refused "not NAME=VALUE" "${good[@]}" --id a --resource-limit fsize
	refused "not FILE=VALUE" "${good[@]}" --id a --cgroup pids.max
	refused "no file of a control group" "${good[@]}" --id a --cgroup ../x.y=1
	refused "not a relative path" "${good[@]}" --id a --cgroup pids.max=1 --parent-cgroup ../x
	refused "neither 1 nor 2" "${good[@]}" --id a --cgroup pids.max=1 --cgroup-version 3
	refused "unknown option '--exec-fil', did you mean --exec-file" --exec-fil x
	mkdir -p "$base/sh/b/root" && ln "$BATS_TEST_TMPDIR/sh" "$base/sh/b/root/sh"
	refused "another name elsewhere" "${good[@]}" --id b
}
