#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Pods on control groups version 2 alone, with all controllers.
#
# Programs are slow to start where this runs, so tests share pods: what one makes lives until the
# last, which takes all away and looks for what is left.

load ../bats/helper

setup_file() {
	[ -e /sys/fs/cgroup/cgroup.controllers ] || skip "this host has cgroup version 1"
	make_node || return
	configure '.handlers += {crun: {runtime: "crun"}, "runc-itself": {runtime: "runc"}}'
	# shellcheck disable=SC2119
	node_start
	pull busybox:1
}
teardown() { no_findings; }

# cgroup CONTAINER - its directory.
cgroup() { echo "/sys/fs/cgroup$(awk -F: '$1 == 0 { print $3 }' "/proc/$(cri inspect "$1" | jq .info.pid)/cgroup")"; }
resources() { jq -nc --argjson r "$1" '{linux: {resources: $r}}'; }
ending() { cri inspect "$1" | jq -r '.status | "\(.exitCode) \(.reason)"'; }
# keep NAME VALUE, kept NAME - from one test to a later one.
keep() { echo "$2" >"$BATS_FILE_TMPDIR/$1"; }
kept() { cat "$BATS_FILE_TMPDIR/$1"; }
# key FILE KEY - of a file with "key value" lines
key() { awk -v key="$2" '$1 == key { print $2 }' "$1"; }
# has DIRECTORY FILE=TEXT...
has() {
	local at=$1 f
	for f in "${@:2}"; do
		[ "$(<"$at/${f%%=*}")" = "${f#*=}" ] || { echo "${f%%=*} is $(<"$at/${f%%=*}"), not ${f#*=}" && return 1; }
	done
}

LIMITS='{"memory_limit_in_bytes": 67108864, "cpu_quota": 50000, "cpu_period": 100000, "cpu_shares": 512,
	"cpuset_cpus": "0", "unified": {"pids.max": "50", "memory.low": "1048576"}}'
LIMIT_FILES=(memory.max=67108864 memory.low=1048576 "cpu.max=50000 100000" cpu.weight=20 cpuset.cpus=0 pids.max=50)

@test "the controllers that pods need are there, in one hierarchy" {
	for c in cpu cpuset memory pids io hugetlb; do
		grep -qw "$c" /sys/fs/cgroup/cgroup.controllers
	done
	[ "$(grep -c ' - cgroup' /proc/self/mountinfo)" = 1 ]
}

@test "crun runs nginx from the registry; its limits are in the files" {
	pull nginx:1
	id=$(pod nginx '' --runtime crun)
	c=$(start "$id" nginx nginx nginx:1 '["/usr/sbin/nginx", "-g", "daemon off;"]' "$(resources "$LIMITS")")
	eventually curl -fsS -o /dev/null "http://$(pod_ip "$id")/"
	has "$(cgroup "$c")" "${LIMIT_FILES[@]}"
}

@test "runc runs a container; its limits are in the files, and it cannot change them" {
	id=$(pod sleep '' --runtime runc-itself)
	c=$(start "$id" sleep sleep busybox:1 '["sleep", "1000"]' "$(resources "$LIMITS")")
	at=$(cgroup "$c")
	has "$at" "${LIMIT_FILES[@]}"
	[ "$(cri exec "$c" sh -c 'cat /proc/self/cgroup; echo max >/sys/fs/cgroup/memory.max || echo refused' 2>/dev/null)" = $'0::/\nrefused' ]
	keep container "$c"
	keep cgroup "$at"
}

@test "statistics are what the files say" {
	c=$(kept container) at=$(kept cgroup)
	cri stats -o json "$c" | jq '.stats[0]' >"$NODE_DIR/stats.json"
	of() { jq -r "$1" "$NODE_DIR/stats.json"; }
	[ "$(of .cpu.usageCoreNanoSeconds.value)" = "$(key "$at/cpu.stat" usage_usec)000" ]
	[ "$(of .memory.usageBytes.value)" = "$(cat "$at/memory.current")" ]
	[ "$(of .memory.rssBytes.value)" = "$(key "$at/memory.stat" anon)" ]
	[ "$(of .memory.pageFaults.value)" = "$(key "$at/memory.stat" pgfault)" ]
	set=$(($(cat "$at/memory.current") - $(key "$at/memory.stat" inactive_file)))
	[ "$(of .memory.workingSetBytes.value)" = "$set" ]
	[ "$(of .memory.availableBytes.value)" = $((67108864 - set)) ]
}

@test "an update changes the files; one that the kernel refuses changes none" {
	c=$(kept container) at=$(kept cgroup)
	cri update --memory 134217728 --cpu-quota 70000 --cpu-period 50000 --cpu-share 2048 "$c"
	has "$at" memory.max=134217728 "cpu.max=70000 50000" cpu.weight=79 pids.max=50
	run cri update --memory 67108864 --cpuset-cpus 9999 "$c"
	[ "$status" != 0 ]
	has "$at" memory.max=134217728 cpuset.cpus=0
	[ "$(status "$c" resources.linux.memoryLimitInBytes)" = 134217728 ]
}

@test "memory.oom.group: the container goes with the process that had too much, 137 and OOMKilled" {
	id=$(pod group)
	# the first process outlives its child unless the group goes
	c=$(start "$id" group group busybox:1 '["sh", "-c", "dd if=/dev/zero of=/dev/null bs=100M; sleep 1000"]' \
		"$(resources '{"memory_limit_in_bytes": 20971520, "unified": {"memory.oom.group": "1"}}')")
	eventually exited "$c"
	[ "$(ending "$c")" = "137 OOMKilled" ]
}

@test "without it only that process goes; the last one is OOMKilled too" {
	id=$(pod one)
	c=$(start "$id" one one busybox:1 '["sh", "-c", "dd if=/dev/zero of=/dev/null bs=100M; sleep 3; exec dd if=/dev/zero of=/dev/null bs=100M"]' \
		"$(resources '{"memory_limit_in_bytes": 20971520}')")
	eventually exited "$c"
	[ "$(ending "$c")" = "137 OOMKilled" ]
}

@test "pods outlive a server that was killed; removed, they leave nothing" {
	c=$(kept container) at=$(kept cgroup)
	node_kill
	[ -n "$(cat "$at/cgroup.procs")" ]
	node_start
	is_state "$c" CONTAINER_RUNNING
	cri rmp -f -a
	[ ! -e "$at" ]
	eventually no_leaks || { node_leaks && false; }
}
