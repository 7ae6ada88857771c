#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bulkhead-vmm's snapshots: full and changed pages, loaded from a file and by page faults that another
# process answers.

load vmm

# what a snapshot of guest @1 with a disk needs: the guest counts, and sums what it reads from it
start() {
	head -c 2M /dev/urandom >disk
	vmm "$1" --level Debug
	ask "$1" <<-END
		204 PUT /serial {"serial_out_path": "$1.serial"}
		204 PUT /boot-source {"kernel_image_path": "$GUEST/vmlinux", "initrd_path": "$GUEST/initrd", "boot_args": "$ARGS loglevel=6 guest.modules=virtio_mmio,virtio_blk,virtio_rng guest.count=/dev/vda"}
		204 PUT /machine-config {"vcpu_count": 1, "mem_size_mib": 128, "track_dirty_pages": true}
		204 PUT /drives/d {"drive_id": "d", "path_on_host": "disk", "is_root_device": false}
		204 PUT /entropy {}
		400 PUT /snapshot/create {"snapshot_path": "s", "mem_file_path": "m"} => before starting
		204 PUT /actions {"action_type": "InstanceStart"}
		400 PUT /snapshot/create {"snapshot_path": "s", "mem_file_path": "m"} => not paused
	END
	says "$1.serial" 'GUEST count 3 '
}

# count FILE - the last number
count() { grep -o 'GUEST count [0-9]*' "$1" | tail -1 | cut -d' ' -f3; }

# goes_on NAME NUMBER - the restored guest counts on from there, and its disk reads as before
goes_on() {
	local want=$(($2 + 3))
	says "$1.serial" "GUEST count $want "
	[ "$(grep -o 'sum [0-9]*' "$1.serial" | sort -u | wc -l)" = 1 ]
	! grep -q "GUEST count $(($2 - 3)) " "$1.serial"
}

load_file() { # NAME STATE MEMORY [FIELDS]
	ask "$1" <<-END
		204 PUT /serial {"serial_out_path": "$1.serial"}
		204 PUT /snapshot/load {"snapshot_path": "$2", "mem_backend": {"backend_type": "File", "backend_path": "$3"}, "resume_vm": true${4:-}}
		200 GET / => "state":"Running"
	END
}

@test "snapshots: full, and what has changed over it; loaded from a file the guest goes on with its disk" {
	start a
	ask a <<-END
		204 PATCH /vm {"state": "Paused"}
		204 PUT /snapshot/create {"snapshot_path": "s1", "mem_file_path": "m1"}
		204 PATCH /vm {"state": "Resumed"}
	END
	first=$(count a.serial)
	[ "$(stat -c %s m1)" = $((128 << 20)) ]
	[ "$(stat -c %b m1)" -lt $((100 << 11)) ] # holes
	says a.serial "GUEST count $((first + 3)) "
	ask a <<-END
		204 PATCH /vm {"state": "Paused"}
		204 PUT /snapshot/create {"snapshot_type": "Diff", "snapshot_path": "s2", "mem_file_path": "m2"}
		204 PUT /snapshot/create {"snapshot_type": "Full", "snapshot_path": "s4", "mem_file_path": "m4"}
		400 PUT /snapshot/create {"snapshot_type": "Full", "snapshot_path": "/nonexistent/s", "mem_file_path": "m"} => /nonexistent/s
	END
	second=$(count a.serial)
	kill -KILL "$VMM"
	[ "$(stat -c %b m2)" -lt "$(stat -c %b m1)" ]
	# the changed pages over the first snapshot's are the second one
	python3 - m1 m2 m4 <<-'END'
		import os, sys
		base, changed, whole = (open(n, "r+b" if n == "m1" else "rb") for n in sys.argv[1:])
		at, end = 0, os.fstat(changed.fileno()).st_size
		while at < end:
		    try:
		        at = os.lseek(changed.fileno(), at, os.SEEK_DATA)
		    except OSError:
		        break
		    stop = os.lseek(changed.fileno(), at, os.SEEK_HOLE)
		    os.pwrite(base.fileno(), os.pread(changed.fileno(), stop - at, at), at)
		    at = stop
	END
	cmp m1 m4

	vmm b
	load_file b s4 m4 ', "clock_realtime": true'
	goes_on b "$second"
	ask b <<-END
		400 PUT /snapshot/load {"snapshot_path": "s4", "mem_file_path": "m4"} => after starting
		204 PATCH /vm {"state": "Paused"}
		400 PUT /snapshot/create {"snapshot_path": "s5", "mem_file_path": "m4"} => runs from
		204 PUT /snapshot/create {"snapshot_path": "s5", "mem_file_path": "m5"}
	END
}

@test "snapshots: damaged and foreign files are refused; pages come from another process; the guest hears of its new generation" {
	start a
	ask a <<-END
		204 PATCH /vm {"state": "Paused"}
		204 PUT /snapshot/create {"snapshot_path": "s5", "mem_file_path": "m5"}
	END
	third=$(count a.serial)
	kill -KILL "$VMM"
	head -c 3000 s5 >short-state
	cp s5 bad && printf x | dd of=bad bs=1 seek=2000 conv=notrunc status=none
	cp s5 old && printf '\x7f' | dd of=old bs=1 seek=8 conv=notrunc status=none
	truncate -s 64M short
	"$BIN/bulkhead-vmm" --describe-snapshot s5 | grep -qx "$("$BIN/bulkhead-vmm" --snapshot-version)"
	[ "$("$BIN/bulkhead-vmm" --describe-snapshot old)" = v127 ]
	"$BATS_TEST_DIRNAME/pager" pager.sock m5 >pager.log 2>&1 3>&- &
	VMM_PIDS+=" $!"
	eventually [ -S pager.sock ]
	vmm c
	ask c <<-END
		400 PUT /snapshot/load {"snapshot_path": "short-state", "mem_file_path": "m5"} => cut off
		400 PUT /snapshot/load {"snapshot_path": "bad", "mem_file_path": "m5"} => checksum
		400 PUT /snapshot/load {"snapshot_path": "old", "mem_file_path": "m5"} => format version 127
		400 PUT /snapshot/load {"snapshot_path": "disk", "mem_file_path": "m5"} => not a snapshot
		400 PUT /snapshot/load {"snapshot_path": "s5", "mem_file_path": "short"} => 67108864 bytes
		400 PUT /snapshot/load {"snapshot_path": "s5"} => missing field
		400 PUT /snapshot/load {"snapshot_path": "s5", "mem_file_path": "m5", "network_overrides": [{"iface_id": "e", "host_dev_name": "t"}]} => unknown network interface e
		400 PUT /snapshot/load {"snapshot_path": "s5", "mem_file_path": "m5", "huge_pages": "2M"} => use uffd
		204 PUT /serial {"serial_out_path": "c.serial"}
		204 PUT /snapshot/load {"snapshot_path": "s5", "mem_backend": {"backend_type": "Uffd", "backend_path": "pager.sock"}}
		200 GET / => "state":"Paused"
		204 PATCH /vm {"state": "Resumed"}
	END
	goes_on c "$third"
	says c.serial 'crng reseeded due to virtual machine fork'
	vmm d
	ask d <<-END
		204 PUT /machine-config {"vcpu_count": 1, "mem_size_mib": 128}
		400 PUT /snapshot/load {"snapshot_path": "s5", "mem_file_path": "m5"} => not allowed after configuring
	END
}
