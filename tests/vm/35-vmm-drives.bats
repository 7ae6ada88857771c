#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The VMM's drives with a real guest: io_uring, rate limits, changes while it runs, a full disk.

load vmm

sum() { head -c 1M "$1" | python3 -c 'import sys; print(sum(sys.stdin.buffer.read()))'; }

@test "drives: io_uring, limits, another file, discard, a full disk" {
	head -c 4M /dev/urandom >disk
	head -c 3M /dev/urandom >other
	mount -t tmpfs -o size=64k small /mnt
	truncate -s 4M /mnt/disk
	configure "guest.modules=virtio_mmio,virtio_blk guest.disk=/dev/vda guest.more" '"drives":[
		{"drive_id":"a","path_on_host":"disk","is_root_device":false,"io_engine":"Async","cache_type":"Writeback",
			"rate_limiter":{"ops":{"size":2,"refill_time":100},"bandwidth":{"size":131072,"one_time_burst":1000,"refill_time":50}}},
		{"drive_id":"b","path_on_host":"/mnt/disk","is_root_device":false}],'
	boot
	said "GUEST disk of 4194304 bytes, sum $(sum disk)"
	said 'GUEST pattern good'
	said 'GUEST done'
	call GET /vm/config | grep -F '"rate_limiter":{"bandwidth":{"size":131072,"one_time_burst":1000,"refill_time":50},"ops":{"size":2,"one_time_burst":null,"refill_time":100}},"io_engine":"Async"'

	# a disk behind the drive that is full: an error for the guest, once in the log
	tell guest.disk=/dev/vdb
	grep 'GUEST write: Input/output error' out
	[ "$(grep -c 'drive b: write: No space left on device' log)" = 1 ]

	# another file, and no limits any more
	call PATCH /drives/a '{"drive_id":"a","path_on_host":"other","rate_limiter":{"ops":{"size":0,"refill_time":0},"bandwidth":{"size":0,"refill_time":0}}}' | grep 204
	tell guest.read=/dev/vda
	grep "GUEST disk of 3145728 bytes, sum $(sum other)" out
	call GET /vm/config | grep -F '"path_on_host":"other","rate_limiter":null'
	tell guest.discard=/dev/vda
	grep 'GUEST discard good, zero good' out
	cmp -n 2097152 <(head -c 3M other | tail -c 2M) /dev/zero
	[ "$(stat -c %b other)" -le 4200 ] # 512 bytes each: a hole of 2 MiB or of one

	call PATCH /drives/c '{"drive_id":"c"}' | grep 'Drive config error: Unable to patch the block device: Failed perform action on device: Device not found Please verify the request arguments.'
	call PATCH /drives/a '{"drive_id":"a","path_on_host":"/none"}' | grep 'No such file or directory (os error 2) /none'
	tell guest.read=/dev/vda
	[ "$(grep -c "GUEST disk of 3145728" out)" = 2 ]
}
