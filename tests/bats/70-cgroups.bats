#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Limits: memory, processes, CPU; what the kernel kills is reported so.

load helper

PARENT=/bhtest$$

setup() { pull busybox:1; }

# limit CONTAINER FILE_V1 FILE_V2 - what the container's control file says.
limit() {
	local pid path
	pid=$(cri inspect "$1" | jq .info.pid)
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		cat "/sys/fs/cgroup$(awk -F: '$1 == 0 { print $3 }' "/proc/$pid/cgroup")/$3"
	else
		path=$(awk -F: -v c="${2%%.*}" '$2 ~ "(^|,)" c "(,|$)" { print $3 }' "/proc/$pid/cgroup")
		cat "/sys/fs/cgroup/${2%%.*}$path/$2"
	fi
}

@test "memory, CPU and process limits reach the container's cgroup" {
	id=$(pod limits)
	c=$(start "$id" limits c busybox:1 "$SLEEP" '{"linux": {"resources": {"memory_limit_in_bytes": 67108864,
		"cpu_shares": 512, "cpu_quota": 50000, "cpu_period": 100000}}}')
	[ "$(limit "$c" memory.limit_in_bytes memory.max)" = 67108864 ]
	[[ "$(limit "$c" cpu.cfs_quota_us cpu.max)" == 50000* ]]
}

@test "what exceeds its memory is killed: 137 and OOMKilled" {
	id=$(pod oom)
	c=$(start "$id" oom c busybox:1 '["sh", "-c", "dd if=/dev/zero of=/dev/null bs=200M"]' \
		'{"linux": {"resources": {"memory_limit_in_bytes": 20971520}}}')
	eventually exited "$c"
	[ "$(status "$c" exitCode)" = 137 ]
	[ "$(status "$c" reason)" = OOMKilled ]
}

@test "an update changes limits of what runs" {
	id=$(pod update)
	c=$(start "$id" update c busybox:1 "$SLEEP" '{"linux": {"resources": {"memory_limit_in_bytes": 67108864}}}')
	cri update --memory 134217728 "$c"
	[ "$(limit "$c" memory.limit_in_bytes memory.max)" = 134217728 ]
}

@test "a pod below a given parent lives there, and leaves the parent clean" {
	id=$(pod parent "{\"linux\": {\"cgroup_parent\": \"$PARENT\"}}")
	c=$(start "$id" parent c busybox:1 "$SLEEP")
	pid=$(cri inspect "$c" | jq .info.pid)
	grep -q ":$PARENT/" "/proc/$pid/cgroup"
	cri rmp -f "$id"
	[ -z "$(find /sys/fs/cgroup/*"$PARENT" /sys/fs/cgroup"$PARENT" -mindepth 1 -type d 2>/dev/null)" ]
	find /sys/fs/cgroup/*"$PARENT" /sys/fs/cgroup"$PARENT" -maxdepth 0 -exec rmdir {} + 2>/dev/null
}
