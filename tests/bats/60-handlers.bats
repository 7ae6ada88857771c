#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# RuntimeClass handlers: which runtime runs a pod.

load helper

setup() { pull busybox:1; }

@test "a handler by name runs the pod and is shown" {
	id=$(pod named '' --runtime runc)
	c=$(start "$id" named c busybox:1 '["true"]')
	eventually exited "$c"
	[ "$(status "$c" exitCode)" = 0 ]
	[ "$(pod_status "$id" runtimeHandler)" = runc ]
}

@test "an unknown handler is refused, with the names there are" {
	run pod unknown '' --runtime no-such-handler
	[ "$status" != 0 ]
	[[ $output == *"no-such-handler"* ]]
	[[ $output == *"runc"* ]]
}

@test "a handler whose runtime is not installed is refused with the reason" {
	run pod absent '' --runtime absent
	[ "$status" != 0 ]
	[[ $output == *"no-such-runtime"* ]]
}

@test "check says which runtime a handler has and why others were passed over" {
	run "$BIN/bulkhead" --socket "$NODE_SOCKET" check
	[[ $output == *runc* ]]
}
