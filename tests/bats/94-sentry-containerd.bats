#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bulkhead-sentry under containerd's stock shim, which knows nothing of us.

. "$BATS_TEST_DIRNAME/../../hack/node.sh"

setup_file() {
	[ -x "$PEERS/bin/containerd" ] || skip "no containerd: run hack/setup-peers"
	export DIR PATH="$PEERS/bin:$PATH"
	DIR=$(mktemp -d /tmp/bhctrd.XXXXXX)
	cat >"$DIR/config.toml" <<-T
		version = 2
		root = "$DIR/root"
		state = "$DIR/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		  address = "$DIR/c.sock"
		[ttrpc]
		  address = "$DIR/t.sock"
	T
	containerd -c "$DIR/config.toml" >"$DIR/log" 2>&1 3>&- &
	echo $! >"$DIR/pid"
	for _ in $(seq 300); do
		[ -S "$DIR/c.sock" ] && return
		sleep 0.1
	done
	cat "$DIR/log"
	return 1
}

teardown_file() {
	[ -z "${DIR:-}" ] || kill "$(cat "$DIR/pid")"
	rm -rf "${DIR:-/nonexistent}"
}

ctr() { timeout 60 "$PEERS/bin/ctr" -a "$DIR/c.sock" "$@" 3>&-; }

# run_ctr ARGUMENTS - a container on the host's files, by our runtime.
run_ctr() { ctr run --rootfs --read-only --runc-binary "$BIN/bulkhead-sentry" --runtime io.containerd.runc.v2 "$@"; }

@test "a task's output and exit code" {
	run run_ctr --rm / one /bin/sh -c 'echo in containerd; exit 6'
	[ "$status" = 6 ]
	[[ $output == *"in containerd"* ]]
}

@test "exec, list, metrics, pause, resume, kill, remove" {
	run_ctr -d / two /bin/sleep 100
	ctr task ls | grep -q '^two .*RUNNING'
	run ctr task exec --exec-id e two /bin/sh -c 'echo exec; exit 3'
	[ "$status" = 3 ]
	[ "${lines[0]}" = exec ]
	ctr task metrics two | grep -q memory
	ctr task pause two
	ctr task ls | grep -q '^two .*PAUSED'
	ctr task resume two
	ctr task kill -s KILL two
	for _ in $(seq 100); do
		ctr task ls | grep -q '^two .*STOPPED' && break
		sleep 0.05
	done
	run ctr task rm two
	ctr container rm two
	[ "$(grep -c 'failed to drain' "$DIR/log")" = 0 ]
	[ -z "$(ctr task ls -q)" ]
}
