#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# RuntimeClass handlers: which runtime runs a pod, and what is said of one that cannot.

load helper

# leave_hybrid - crun refuses a tree of cgroup v1 with v2 in it; this box then has one without.
leave_hybrid() {
	local at tree=$NODE_DIR/cgroup
	umount /sys/fs/cgroup/unified && mkdir "$tree" && mount -t tmpfs -o mode=755 tmpfs "$tree" || return
	for at in /sys/fs/cgroup/*; do
		mountpoint -q "$at" || continue
		mkdir "$tree/${at##*/}" && mount --bind "$at" "$tree/${at##*/}"
	done
	mount --move "$tree" /sys/fs/cgroup && rmdir "$tree"
}

setup_file() {
	make_node || return
	! mountpoint -q /sys/fs/cgroup/unified || leave_hybrid
	cat >"$NODE_DIR/noted" <<-EOF
		#!/bin/sh
		echo "\$*" >>"$NODE_DIR/noted.calls"
		exec runc "\$@"
	EOF
	printf '#!/bin/sh\necho "it is broken" >&2\nexit 3\n' >"$NODE_DIR/broken"
	chmod +x "$NODE_DIR/noted" "$NODE_DIR/broken"
	configure '.handlers += {
		runc: {runtime: ["no-such-first", "runc"]},
		crun: {runtime: "crun"},
		noted: {runtime: ($dir + "/noted"), args: ["--debug"]},
		broken: {runtime: ($dir + "/broken")},
		runsc: {runtime: "bulkhead-sentry", sandbox: "container"},
		"kata-fc": {runtime: "bulkhead-microvm", sandbox: "container"},
		gvisor: {runtime: ($runsc | if . == "" then "runsc" else . end), sandbox: "container",
			args: ["--platform=ptrace", "--network=none"]}}' \
		--arg dir "$NODE_DIR" --arg runsc "${RUNSC:-}"
	# shellcheck disable=SC2119
	node_start
}

setup() { pull busybox:1; }

# runtime_of NAME HANDLER - runs the pod under that handler; prints the runtime that its status
# names and the files that the runtime keeps of its container.
runtime_of() {
	local id c
	id=$(pod "$1" '' --runtime "$2") && c=$(start "$id" "$1" c busybox:1 "$SLEEP") || return
	[ "$(cri exec -s "$c" echo works)" = works ] || return
	[ "$(pod_status "$id" runtimeHandler)" = "$2" ] || return
	echo "$(basename "$(cri inspectp "$id" | jq -r .info.runtime)"):" \
		"$(cd "$NODE_DIR/state/runtimes" && ls "$c" | xargs)"
	cri rmp -f "$id" >/dev/null
}

handler_names() { cri info | jq -r '.runtimeHandlers[] | .name // ""'; }

@test "a handler by name runs the pod and is shown" {
	id=$(pod named '' --runtime runc)
	c=$(start "$id" named c busybox:1 '["true"]')
	eventually exited "$c"
	[ "$(status "$c" exitCode)" = 0 ]
	[ "$(pod_status "$id" runtimeHandler)" = runc ]
	"$BIN/bulkhead" --socket "$NODE_SOCKET" ps | grep -E 'default/named .* runc$'
}

@test "the same pod under two handlers runs under two runtimes" {
	handler_names | grep -x crun || skip "crun does not run here"
	[[ $(runtime_of same runc) == "runc: "*"state.json"* ]]
	[[ $(runtime_of same crun) == "crun: "*"status"* ]]
}

@test "a handler's program and arguments are what is run, and the default handler does not use it" {
	runtime_of noted noted
	grep -e '--debug .* run ' "$NODE_DIR/noted.calls"
	rm "$NODE_DIR/noted.calls"
	runtime_of plain runc
	id=$(pod default)
	[ "$(cri inspectp "$id" | jq -r .info.runtime)" = "$(command -v runc)" ]
	[ ! -e "$NODE_DIR/noted.calls" ]
}

@test "the same name under another handler is another pod's, and refused while that is there" {
	id=$(pod taken '' --runtime runc)
	run pod taken '' --runtime noted
	[ "$status" != 0 ]
	[[ $output == *"handler"* ]]
	[ "$(pod taken '' --runtime runc)" = "$id" ]
}

@test "pods of two handlers outlive a killed server, each with its runtime" {
	a=$(pod first '' --runtime runc)
	c=$(start "$a" first c busybox:1 "$SLEEP")
	b=$(pod second '' --runtime noted)
	d=$(start "$b" second d busybox:1 "$SLEEP")
	node_kill
	rm "$NODE_DIR/noted.calls"
	node_start
	[ "$(cri exec -s "$c" echo works)" = works ]
	[ ! -e "$NODE_DIR/noted.calls" ] || ! grep ' exec ' "$NODE_DIR/noted.calls"
	[ "$(cri exec -s "$d" echo works)" = works ]
	grep ' exec ' "$NODE_DIR/noted.calls"
}

@test "an unknown handler is refused, with the names there are" {
	run pod unknown '' --runtime no-such-handler
	[ "$status" != 0 ]
	[[ $output == *"no-such-handler"* ]]
	[[ $output == *"configured: "*"runc"* ]]
}

@test "a handler whose runtime is not installed is refused with the reason" {
	run pod absent '' --runtime absent
	[ "$status" != 0 ]
	[[ $output == *"no-such-runtime is not installed"* ]]
}

@test "a handler whose runtime does not work is refused with what it said" {
	run pod broken '' --runtime broken
	[ "$status" != 0 ]
	[[ $output == *"it is broken"* ]]
	[ -z "$(cri pods -q)" ]
}

@test "our own runtimes that are not installed say so, with the cure" {
	for handler in runsc:bulkhead-sentry kata-fc:bulkhead-microvm; do
		program=${handler#*:} handler=${handler%:*}
		[ ! -e "$BIN/$program" ] || continue
		run pod "own-$handler" '' --runtime "$handler"
		[ "$status" != 0 ]
		[[ $output == *"'$handler'"* ]]
		[[ $output == *"$program is not installed"*"install it"* ]]
		! handler_names | grep -x -e "$handler"
	done
}

@test "Status lists the handlers that work, and only those" {
	names=$(handler_names | sort | xargs)
	[[ " $names " == *" noted runc "* ]]
	[[ $names != *absent* && $names != *broken* ]]
	handler_names | grep -x ''
}

@test "check says which runtime a handler has and why others were passed over" {
	run "$BIN/bulkhead" check --config "$NODE_DIR/config.json"
	[[ $output == *"ok"*"runc"*"$(command -v runc)"*"the default"*"no-such-first is not installed"* ]]
	[[ $output == *"broken"*"it is broken"* ]]
	[[ $output == *"absent"*"no-such-runtime is not installed"*"cure:"* ]]
}

@test "a third-party runtime as handler: gVisor's runsc" {
	# without a network: releases of before 2025 take every namespace of a newer kernel for the host's
	handler_names | grep -x gvisor || skip "$(pod why '' --runtime gvisor 2>&1 | grep -o 'cannot be used: .*' | head -1)"
	id=$(pod third '' --runtime gvisor)
	c=$(start "$id" third c busybox:1 "$SLEEP")
	[ "$(cri exec -s "$c" echo works)" = works ]
	cri exec -s "$c" dmesg | grep -i gvisor
	run cri exec -s "$c" sh -c 'exit 6'
	[[ $output == *"exited with 6"* ]]
	eventually grep -q ' stdout F ready' "$NODE_DIR/logs/third/c.log"
	node_kill
	node_start
	[ "$(cri exec -s "$c" echo works)" = works ]
	cri stop --timeout 10 "$c"
	exited "$c"
	cri rmp -f "$id"
}
