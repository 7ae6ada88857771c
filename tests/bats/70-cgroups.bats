#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Limits: memory, processors, what the kernel kills; cgroups come and go with their pods.

load helper

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

# below PARENT - cgroups there.
below() { find /sys/fs/cgroup/*"$1" /sys/fs/cgroup"$1" -mindepth 1 -type d 2>/dev/null; }
is_v2() { [ -e /sys/fs/cgroup/cgroup.controllers ]; }
resources() { jq -nc --argjson r "$1" '{linux: {resources: $r}}'; }

@test "memory and CPU limits reach the container's cgroup, and are shown" {
	id=$(pod limits)
	c=$(start "$id" limits c busybox:1 "$SLEEP" "$(resources '{"memory_limit_in_bytes": 67108864,
		"cpu_shares": 512, "cpu_quota": 50000, "cpu_period": 100000, "cpuset_cpus": "0"}')")
	[ "$(limit "$c" memory.limit_in_bytes memory.max)" = 67108864 ]
	[[ "$(limit "$c" cpu.cfs_quota_us cpu.max)" == 50000* ]]
	is_v2 || [ "$(limit "$c" cpu.shares -)" = 512 ]
	[ "$(limit "$c" cpuset.cpus cpuset.cpus)" = 0 ]
	[ "$(status "$c" resources.linux.memoryLimitInBytes)" = 67108864 ]
	[ "$(status "$c" resources.linux.cpuQuota)" = 50000 ]
}

@test "the out-of-memory score reaches the process" {
	id=$(pod score)
	c=$(start "$id" score c busybox:1 "$SLEEP" "$(resources '{"oom_score_adj": 987}')")
	[ "$(cat "/proc/$(cri inspect "$c" | jq .info.pid)/oom_score_adj")" = 987 ]
}

@test "limits of 0 for huge pages, as a kubelet sends them, are fine on any host" {
	id=$(pod huge)
	c=$(start "$id" huge c busybox:1 "$SLEEP" "$(resources '{"hugepage_limits": [
		{"page_size": "2MB", "limit": 0}, {"page_size": "1GB", "limit": 0}]}')")
	is_state "$c" CONTAINER_RUNNING
}

@test "what exceeds its memory is killed: 137 and OOMKilled" {
	id=$(pod oom)
	c=$(start "$id" oom c busybox:1 '["sh", "-c", "dd if=/dev/zero of=/dev/null bs=200M"]' \
		"$(resources '{"memory_limit_in_bytes": 20971520}')")
	eventually exited "$c"
	[ "$(status "$c" exitCode)" = 137 ]
	[ "$(status "$c" reason)" = OOMKilled ]
}

@test "killed for want of memory while no server runs is known to the next one" {
	id=$(pod oom)
	c=$(start "$id" oom c busybox:1 '["sh", "-c", "sleep 1; exec dd if=/dev/zero of=/dev/null bs=200M"]' \
		"$(resources '{"memory_limit_in_bytes": 20971520}')")
	pid=$(cri inspect "$c" | jq .info.pid)
	gone() { ! kill -0 "$pid" 2>/dev/null; }
	node_kill
	eventually gone
	node_start
	eventually exited "$c"
	[ "$(status "$c" exitCode)" = 137 ]
	[ "$(status "$c" reason)" = OOMKilled ]
}

@test "who is killed by hand was not out of memory" {
	id=$(pod hand)
	c=$(start "$id" hand c busybox:1 "$SLEEP" "$(resources '{"memory_limit_in_bytes": 67108864}')")
	kill -KILL "$(cri inspect "$c" | jq .info.pid)"
	eventually exited "$c"
	[ "$(status "$c" exitCode)" = 137 ]
	[ "$(status "$c" reason)" = Error ]
}

@test "an update changes limits of what runs, and is remembered" {
	id=$(pod update)
	c=$(start "$id" update c busybox:1 "$SLEEP" "$(resources '{"memory_limit_in_bytes": 67108864}')")
	cri update --memory 134217728 --cpu-quota 70000 --cpu-period 100000 "$c"
	[ "$(limit "$c" memory.limit_in_bytes memory.max)" = 134217728 ]
	[[ "$(limit "$c" cpu.cfs_quota_us cpu.max)" == 70000* ]]
	node_kill
	node_start
	[ "$(status "$c" resources.linux.memoryLimitInBytes)" = 134217728 ]
	cri stop "$c"
	run cri update --memory 67108864 "$c"
	[ "$status" != 0 ]
}

@test "an update that the kernel refuses changes nothing" {
	id=$(pod refused)
	c=$(start "$id" refused c busybox:1 "$SLEEP" "$(resources '{"memory_limit_in_bytes": 67108864}')")
	run cri update --memory 134217728 --cpuset-cpus 9999 "$c"
	[ "$status" != 0 ]
	[ "$(limit "$c" memory.limit_in_bytes memory.max)" = 67108864 ]
	[ "$(status "$c" resources.linux.memoryLimitInBytes)" = 67108864 ]
}

@test "a pod lives below the parent it is given, and leaves that clean" {
	id=$(pod parent)
	c=$(start "$id" parent c busybox:1 "$SLEEP")
	pid=$(cri inspect "$c" | jq .info.pid)
	grep -q ":$NODE_CGROUP/" "/proc/$pid/cgroup"
	cri rmp -f "$id"
	[ -z "$(below "$NODE_CGROUP")" ]
}

@test "a pod without a parent has a cgroup of its own, which goes with it" {
	id=$(pod alone '{"linux": {"cgroup_parent": ""}}')
	c=$(start "$id" alone c busybox:1 "$SLEEP")
	at=$(cri inspectp "$id" | jq -r .info.cgroup)
	grep -q ":$at/" "/proc/$(cri inspect "$c" | jq .info.pid)/cgroup"
	cri rmp -f "$id"
	[ -z "$(below "$at")" ]
	[ -z "$(find /sys/fs/cgroup/*"$at" /sys/fs/cgroup"$at" -maxdepth 0 2>/dev/null)" ]
}

@test "all processes of a container end with it, also those that left its session" {
	id=$(pod rest)
	c=$(start "$id" rest c busybox:1 '["sh", "-c", "setsid sleep 4321 & echo ready; exec sleep 1"]')
	eventually exited "$c"
	none() { ! pgrep -x -f 'sleep 4321'; }
	eventually none
}

# limited_parent NAME - as a kubelet makes one for a pod with a hundredth of a CPU and 8 MiB.
limited_parent() {
	local at=/sys/fs/cgroup dir
	if [ -e $at/cgroup.controllers ]; then
		mkdir -p "$at$NODE_CGROUP/$1"
		for dir in "$at" "$at${NODE_CGROUP%/*}" "$at$NODE_CGROUP"; do
			echo '+cpu +memory' >"$dir/cgroup.subtree_control"
		done
		echo '1000 100000' >"$at$NODE_CGROUP/$1/cpu.max"
		echo 8M >"$at$NODE_CGROUP/$1/memory.max"
	else
		mkdir -p $at/{cpu,memory}"$NODE_CGROUP/$1"
		echo 1000 >"$at/cpu$NODE_CGROUP/$1/cpu.cfs_quota_us"
		echo 8M >"$at/memory$NODE_CGROUP/$1/memory.limit_in_bytes"
	fi
}

@test "what starts and execs in a pod with a hundredth of a CPU and little memory is not held to them" {
	limited_parent tiny
	id=$(pod tiny "{\"linux\": {\"cgroup_parent\": \"$NODE_CGROUP/tiny\"}}")
	c=$(start "$id" tiny c busybox:1 "$SLEEP")
	monitor=$(cri inspectp "$id" | jq .info.monitorPid)
	run grep ":.*$NODE_CGROUP/tiny" "/proc/$monitor/cgroup"
	[ "$status" = 1 ]
	grep -q ":$NODE_CGROUP-monitors/$id$" "/proc/$monitor/cgroup"
	[ "$(cri exec -s "$c" echo hi)" = hi ]
	cri rmp -f "$id"
	rmdir /sys/fs/cgroup{/*,}"$NODE_CGROUP/tiny" 2>/dev/null || true
	[ -z "$(find /sys/fs/cgroup -type d -path "*-monitors/$id")" ]
}
