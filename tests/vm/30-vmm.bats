#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bulkhead-vmm with a real guest: Debian's kernel and an init of ours (guest/init.c).

load vmm

@test "a vmlinux boots by PVH and has its drives" {
	head -c 4M /dev/urandom >disk && cp disk same && cp disk written
	configure "guest.modules=virtio_mmio,virtio_blk guest.read=/dev/vda guest.disk=/dev/vdb guest.off" \
		'"drives":[{"drive_id":"a","path_on_host":"same","is_root_device":false,"is_read_only":true},
		{"drive_id":"b","path_on_host":"written","is_root_device":false,"cache_type":"Writeback"}],'
	"$BIN/bulkhead-vmm" --no-api --config-file config.json --boot-timer </dev/null >out 2>log ||
		{ cat out log && false; }
	cat out log
	grep -q 'Guest-boot-time = ' log
	sum=$(python3 -c 'print(sum(open("disk", "rb").read(1 << 20)))')
	[ "$(grep -c "disk of 4194304 bytes, sum $sum" out)" = 2 ]
	grep -q 'pattern good' out
	cmp disk same
	run cmp -s disk written
	[ "$status" = 1 ]
	cmp -n 1048576 disk written
}
