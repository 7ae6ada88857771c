#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A guest in a jail on control groups version 2: bulkhead-jailer starts bulkhead-vmm.

load vmm

@test "in a jail the VMM is an unprivileged user in an empty root and its own control group, and boots a guest" {
	[ -e /sys/fs/cgroup/cgroup.controllers ] || skip "this host has cgroup version 1"
	jail=$PWD/base/bulkhead-vmm/j1/root
	mkdir -p "$jail/guest"
	mount --bind "$GUEST" "$jail/guest"
	"$BIN/bulkhead-jailer" --id j1 --exec-file "$BIN/bulkhead-vmm" --uid 1234 --gid 1235 --chroot-base-dir base \
		--cgroup-version 2 --cgroup pids.max=20 --cgroup memory.max=400M --resource-limit no-file=100 \
		-- --api-sock /run/j1.sock --log-path /log </dev/null >j1.out 2>j1.log 3>&- &
	VMM=$! VMM_PIDS=$!
	eventually [ -S "$jail/run/j1.sock" ]
	at=/sys/fs/cgroup/bulkhead-vmm/j1
	[ "$(cat "$at/pids.max" "$at/memory.max" "$at/cgroup.procs" | tr '\n' ' ')" = "20 419430400 $VMM " ]
	[ "$(cat "$jail/bulkhead-vmm.pid")" = "$VMM" ]
	grep -qP '^Uid:\t1234\t1234\t1234\t1234$' "/proc/$VMM/status"
	grep -qP '^CapEff:\t0+$' "/proc/$VMM/status"
	grep -qP '^CapBnd|^Groups:\t? ?$' "/proc/$VMM/status"
	[ "$(ls "/proc/$VMM/root" | tr '\n' ' ')" = "bulkhead-vmm bulkhead-vmm.pid dev guest log run " ]
	ln -s "$jail/run/j1.sock" j1.sock
	ask j1 <<-END
		200 GET / => "id":"j1"
		204 PUT /boot-source {"kernel_image_path": "/guest/vmlinux", "initrd_path": "/guest/initrd", "boot_args": "$ARGS guest.off"}
		204 PUT /actions {"action_type": "InstanceStart"}
	END
	ends_with 0 "$VMM"
	grep -q 'GUEST done' j1.out
	umount "$jail/guest"
}
