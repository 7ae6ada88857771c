#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Unit tests of what depends on the kernel: its control groups, its overlays.

BIN=${BIN:-$BATS_TEST_DIRNAME/../../build/bin}

# units PROGRAM...
units() {
	local programs=("${@/#/"$BIN/../tests/unit/"}")
	[ -x "${programs[0]}" ] || skip "they are not built"
	"$BATS_TEST_DIRNAME/../../hack/run-units" "${programs[@]}"
}

@test "control groups" { units runtimes/cgroup/cgroup_test runtimes/cgroup/unified_test; }
@test "overlays" { units storage/overlay_test; }
