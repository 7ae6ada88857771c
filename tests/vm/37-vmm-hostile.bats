#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A guest that means ill: rings that break the rules, a console that is flooded.

load vmm

@test "hostile rings stop their device, the machine goes on and its devices work afterwards" {
	head -c 4M /dev/urandom >disk && cp disk same
	ip tuntap add dev tap8 mode tap && ip link set dev tap8 up
	configure "guest.hostile=6 guest.flood=64 guest.modules=virtio_mmio,virtio_blk guest.read=/dev/vdb guest.off" \
		"\"drives\":[{\"drive_id\":\"a\",\"path_on_host\":\"disk\",\"is_root_device\":false,\"io_engine\":\"Async\",\"cache_type\":\"Writeback\"},
		{\"drive_id\":\"b\",\"path_on_host\":\"same\",\"is_root_device\":false,\"is_read_only\":true}],
		\"network-interfaces\":[{\"iface_id\":\"n\",\"host_dev_name\":\"tap8\"}],
		\"mmds-config\":{\"network_interfaces\":[\"n\"]},\"entropy\":{},
		\"vsock\":{\"guest_cid\":3,\"uds_path\":\"$PWD/v\"},
		\"serial\":{\"rate_limiter\":{\"size\":8192,\"one_time_burst\":16384,\"refill_time\":36000000}},
		\"balloon\":{\"amount_mib\":0,\"deflate_on_oom\":true,\"stats_polling_interval_s\":1,\"free_page_hinting\":true,\"free_page_reporting\":true},"
	"$BIN/bulkhead-vmm" --no-api --config-file config.json </dev/null >out 2>log ||
		{ tail -c 3000 out && tail log && false; }
	for type in 2 2 1 4 19 5; do # drives, network, entropy, sockets, balloon
		grep -aE "GUEST hostile: device of type $type stopped [1-9]" out
	done
	[ "$(grep -ac 'GUEST hostile: a reset does not help' out)" = 0 ]
	grep -c 'stopped until its driver resets it' log
	grep -a 'GUEST disk of 4194304 bytes, sum' out
	# the guest wrote 64 KiB more than that: what is beyond its limit was dropped
	[ "$(stat -c %s out)" -le 26000 ]
}
