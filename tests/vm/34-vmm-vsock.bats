#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The VMM's socket device with a real guest: streams both ways, windows, ends, floods.

load vmm

@test "vsock: streams both ways, refusals, floods, and nothing left" {
	configure "guest.modules=virtio_mmio,vsock,vmw_vsock_virtio_transport_common,vmw_vsock_virtio_transport guest.vsock" \
		"\"vsock\":{\"guest_cid\":3,\"uds_path\":\"$PWD/v\"},"
	python3 "$BATS_TEST_DIRNAME/vsock_host.py" "$PWD/v" >host.out 2>&1 &
	host=$!
	await grep -q serving host.out
	boot
	wait "$host" || { cat host.out out log && false; }
	cat host.out
	grep -q 'nothing is left open' host.out
	sum=$(python3 -c 'print(sum((i * 7 + (i >> 12)) & 255 for i in range(300000)))')
	said "GUEST vsock received 300000, sum $sum"
	said 'GUEST vsock to 61: Connection reset by peer'
	[ "$(grep -c 'stopped until' log)" = 0 ]
}

@test "vsock: its socket must be new, and goes with the machine" {
	configure "guest.off" "\"vsock\":{\"guest_cid\":3,\"uds_path\":\"$PWD/v\"},"
	touch v
	run "$BIN/bulkhead-vmm" --no-api --config-file config.json </dev/null
	[ "$status" = 152 ]
	[[ "$output" == *"Error binding to the host-side Unix socket: Address already in use"* ]]
	rm v
	"$BIN/bulkhead-vmm" --no-api --config-file config.json </dev/null >out
	[ ! -e v ]
}
