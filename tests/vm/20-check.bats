#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `bulkhead check` where a machine can run machines, and where control groups are of version 2.

load ../bats/helper

setup_file() { "$BIN/bulkhead" check --json >"$BATS_FILE_TMPDIR/found" || true; }
teardown_file() { :; }
teardown() { :; }

# found NAME KEY
found() { jq -r --arg name "$1" --arg key "$2" '.checks[] | select(.name == $name) | .[$key]' "$BATS_FILE_TMPDIR/found"; }

@test "KVM is usable, and how the processor does it" {
	[ -c /dev/kvm ] || skip "no /dev/kvm"
	[ "$(found kvm level)" = ok ]
	[[ "$(found kvm text)" =~ ^usable\ \((vmx|svm)\) ]]
}

@test "control groups are of version 2, with their controllers" {
	[ -e /sys/fs/cgroup/cgroup.controllers ] || skip "this host has cgroup version 1"
	[ "$(found cgroups text)" = "version 2" ]
	[ "$(found controllers level)" = ok ]
}

@test "a handler's cure is about its own runtime" {
	[ "$(found runc level)" = ok ]
	[[ "$(found runc text)" == *crun* ]]
	[ "$(found kata-fc level)" = ok ] || [[ "$(found kata-fc cure)" == *Bulkhead* ]]
}
