#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bulkhead-vmm's API with a guest that runs: Firecracker's documented calls, states, log, metrics,
# filters of system calls.

load vmm

# The calls of Firecracker's guide, with its names of files and its arguments of the kernel.
@test "the calls of Firecracker's getting-started guide boot a guest with its root file system and network" {
	API_SOCKET=$PWD/firecracker.socket TAP_DEV=tap0 LOGFILE=./firecracker.log FC_MAC=06:00:AC:10:00:02
	cp "$GUEST/rootfs.ext4" .
	KERNEL_BOOT_ARGS="console=ttyS0 reboot=k panic=1" INITRD=
	if [ -e "$GUEST/own-vmlinux" ]; then
		cp "$GUEST/own-vmlinux" vmlinux
	else # Debian's kernel has its drivers in an initrd, which does what the root file system would
		cp "$GUEST/vmlinux" .
		INITRD=", \"initrd_path\": \"$GUEST/initrd\""
		KERNEL_BOOT_ARGS+=" guest.modules=virtio_mmio,failover,net_failover,virtio_net guest.net=172.16.0.2,172.16.0.1 guest.off"
	fi
	ip tuntap add dev "$TAP_DEV" mode tap
	ip addr add 172.16.0.1/30 dev "$TAP_DEV"
	ip link set dev "$TAP_DEV" up
	head -c 1M /dev/zero | tr '\0' a >sent
	socat -u TCP4-LISTEN:5000 /dev/null >socat.log 2>&1 3>&- &
	VMM_PIDS=$!
	socat -u FILE:sent TCP4-LISTEN:5001 >>socat.log 2>&1 3>&- &
	VMM_PIDS+=" $!"

	"$BIN/bulkhead-vmm" --api-sock "${API_SOCKET}" --enable-pci </dev/null >vmm.out 2>vmm.log 3>&- &
	pid=$! VMM_PIDS+=" $!"
	eventually [ -S "$API_SOCKET" ]
	curl -fsS -X PUT --unix-socket "${API_SOCKET}" \
		--data "{
        \"log_path\": \"${LOGFILE}\",
        \"level\": \"Debug\",
        \"show_level\": true,
        \"show_log_origin\": true
    }" "http://localhost/logger"
	KERNEL="./$(ls vmlinux* | tail -1)"
	curl -fsS -X PUT --unix-socket "${API_SOCKET}" \
		--data "{
        \"kernel_image_path\": \"${KERNEL}\",
        \"boot_args\": \"${KERNEL_BOOT_ARGS}\"$INITRD
    }" "http://localhost/boot-source"
	ROOTFS="$(ls ./*.ext4 | tail -1)"
	curl -fsS -X PUT --unix-socket "${API_SOCKET}" \
		--data "{
        \"drive_id\": \"rootfs\",
        \"path_on_host\": \"${ROOTFS}\",
        \"is_root_device\": true,
        \"is_read_only\": false
    }" "http://localhost/drives/rootfs"
	curl -fsS -X PUT --unix-socket "${API_SOCKET}" \
		--data "{
        \"iface_id\": \"net1\",
        \"guest_mac\": \"$FC_MAC\",
        \"host_dev_name\": \"$TAP_DEV\"
    }" "http://localhost/network-interfaces/net1"
	curl -fsS -X PUT --unix-socket "${API_SOCKET}" \
		--data "{
        \"action_type\": \"InstanceStart\"
    }" "http://localhost/actions"
	ends_with 0 $pid
	grep -q "GUEST sent 4194304, received 1048576, sum $((97 * 1048576))" vmm.out
	grep -q 'enable-pci has no effect' vmm.log
	grep -qE '^20[0-9-]+T[0-9:.]+ \[anonymous-instance:bulkhead-vmm:WARN\] show_log_origin has no effect' firecracker.log
	ip link del "$TAP_DEV"
}

@test "states: what is allowed before the start, while it runs, and paused; log, metrics, filters" {
	vmm a --metrics-path a.metrics --show-level --level Info
	ask a <<-END
		200 GET / => "state":"Not started"
		200 GET /version => firecracker_version
		204 PUT /logger {"log_path": "a.log2", "level": "info"}
		204 PUT /serial {"serial_out_path": "a.serial"}
		400 PUT /metrics {"metrics_path": "b"} => Reinitialization of metrics not allowed
		400 PUT /boot-source {"kernel_image_path": "$GUEST/vmlinux", "kernel": 1} => unknown field \`kernel\`
		204 PUT /boot-source {"kernel_image_path": "$GUEST/vmlinux", "initrd_path": "$GUEST/initrd", "boot_args": "$ARGS guest.tick"}
		204 PUT /machine-config {"vcpu_count": 2, "mem_size_mib": 192}
		204 PATCH /machine-config {"vcpu_count": 1}
		400 PUT /machine-config {"vcpu_count": 1, "mem_size_mib": 192, "cpu_template": "T2"} => T2
		204 PUT /entropy {}
		204 PUT /cpu-config {}
		400 PUT /pmem/p {"id": "p", "path_on_host": "x"} => not supported
		400 PUT /actions {"action_type": "FlushMetrics"} => before starting
		400 PUT /actions {"action_type": "SendCtrlAltDel"} => before starting
		400 PATCH /vm {"state": "Paused"} => before starting
		400 DELETE /drives/a => before starting
		400 POST /actions => Invalid HTTP Method
	END
	ask a <<-END
		204 PUT /actions {"action_type": "InstanceStart"}
		200 GET / => "state":"Running"
		400 PUT /actions {"action_type": "InstanceStart"} => after starting
		400 PUT /boot-source {"kernel_image_path": "x"} => after starting
		400 PATCH /machine-config {"vcpu_count": 1} => after starting
		400 PUT /logger {"level": "Debug"} => after starting
		400 PUT /drives/a {"drive_id": "a", "is_root_device": false, "path_on_host": "/dev/null"} => PCI is not enabled
		400 DELETE /drives/a => PCI is not enabled
		200 GET /vm/config => "serial_out_path":"a.serial"
	END
	says a.serial 'GUEST tick'
	ask a <<-END
		204 PATCH /vm {"state": "Paused"}
		204 PATCH /vm {"state": "Paused"}
		200 GET / => "state":"Paused"
	END
	before=$(wc -l <a.serial)
	sleep 1
	[ "$(wc -l <a.serial)" = "$before" ]
	ask a <<-END
		204 PATCH /vm {"state": "Resumed"}
		204 PUT /actions {"action_type": "FlushMetrics"}
	END
	says a.serial 'GUEST tick'
	eventually [ "$(wc -l <a.serial)" -gt "$before" ]
	# counts are since the line before: one a minute, and this
	sum() { jq -s "map($1) | add" a.metrics; }
	[ "$(sum .put_api_requests.actions_count) $(sum .put_api_requests.actions_fails)" = "4 3" ]
	[ "$(sum .put_api_requests.machine_cfg_fails)" = 1 ]
	[ "$(sum .vcpu.exit_io_out)" -gt 0 ] && [ "$(sum .uart.write_count)" -gt 0 ]
	[ "$(jq -s 'last | .latencies_us.pause_vm' a.metrics)" -gt 0 ]
	grep -qE '^20[0-9-]+T[0-9:.]+ \[a:bulkhead-vmm:ERROR\] PUT /actions refused' a.log2
	# every thread has a filter, a vCPU's thread (and one that KVM makes for it) two
	for t in /proc/"$VMM"/task/*; do
		grep -qx $'Seccomp:\t2' "$t/status"
		case $(<"$t/comm") in
		vcpu* | kvm-*) grep -qx $'Seccomp_filters:\t2' "$t/status" ;;
		*) grep -qx $'Seccomp_filters:\t1' "$t/status" ;;
		esac
	done
	kill -SYS "$VMM"
	ends_with 148 "$VMM"
	grep -q 'after intercepting a bad syscall' a.log2
}

@test "without filters by --no-seccomp; Ctrl-Alt-Del ends the guest; flags that are wrong are named" {
	printf '{"boot-source":{"kernel_image_path":"%s","initrd_path":"%s","boot_args":"%s"},"serial":{"serial_out_path":"s"}}' \
		"$GUEST/vmlinux" "$GUEST/initrd" "$ARGS" >config.json
	vmm b --no-seccomp --config-file config.json
	grep -qx $'Seccomp:\t0' "/proc/$VMM/status"
	says s 'GUEST done'
	ask b <<-END
		204 PUT /actions {"action_type": "SendCtrlAltDel"}
	END
	ends_with 0 "$VMM"
	run "$BIN/bulkhead-vmm" --api-sok x
	[ "$status" = 153 ] && [[ "$output" == *"did you mean --api-sock"* ]]
	run "$BIN/bulkhead-vmm" --no-api
	[ "$status" = 153 ] && [[ "$output" == *"needs --config-file"* ]]
	run "$BIN/bulkhead-vmm" --id 'a b'
	[ "$status" = 153 ] && [[ "$output" == *"invalid character ' '"* ]]
	run "$BIN/bulkhead-vmm" --seccomp-filter x
	[ "$status" = 153 ] && [[ "$output" == *"built in"* ]]
	echo '{"boot-source":{"kernel_image_path":"/nonexistent"}}' >config.json
	run "$BIN/bulkhead-vmm" --no-api --config-file config.json
	[ "$status" = 152 ] && [[ "$output" == *"boot-source: Boot source error"* ]]
}
