#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A server that is stopped, or killed at any step: pods run on, the next server takes all over,
# what was half made is finished or undone, and a retry works.

load helper

setup() { pull busybox:1 && pull nginx:1; }

# life NAME - all of a pod, run to removal; fails at the first step that does.
life() {
	local id c
	id=$(pod "$1" '{"port_mappings": [{"protocol": 0, "container_port": 80, "host_port": 18099}]}') || return
	c=$(start "$id" "$1" c busybox:1 "$SLEEP") || return
	[ "$(cri exec -s "$c" echo works)" = works ] || return
	cri stopp "$id" >/dev/null && cri rmp "$id" >/dev/null
}

# survives STEP - the server ends there; the next one leaves nothing, and the same pod runs.
survives() {
	node_stop
	node_start BULKHEAD_FAULT="$1"
	run life "fault-$1"
	[ "$status" != 0 ]
	node_wait
	grep -q "ending at step $1" "$NODE_LOG"
	node_start
	for id in $(cri pods -q); do
		cri rmp -f "$id"
	done
	eventually no_leaks || { node_leaks && return 1; }
	life "fault-$1"
	no_leaks
}

@test "killed when the sandbox is recorded" { survives sandbox-recorded; }
@test "killed when the namespaces are pinned" { survives namespaces-pinned; }
@test "killed when the network is added" { survives cni-added; }
@test "killed when the monitor runs" { survives monitor-started; }
@test "killed when the sandbox is ready" { survives sandbox-ready; }
@test "killed when the container is recorded" { survives container-recorded; }
@test "killed when the root file system is mounted" { survives rootfs-mounted; }
@test "killed when the container has started" { survives container-started; }
@test "killed when stopping has killed the containers" { survives stop-killed; }
@test "killed when the network is deleted" { survives cni-deleted; }
@test "killed when the pod's parts are removed" { survives pod-removed; }

@test "SIGTERM stops the server and no pod" {
	id=$(pod term)
	c=$(start "$id" term c busybox:1 "$SLEEP")
	pid=$(cri inspect "$c" | jq .info.pid)
	node_stop
	kill -0 "$pid"
	node_start
	is_state "$c" CONTAINER_RUNNING
	[ "$(cri inspect "$c" | jq .info.pid)" = "$pid" ]
	[ "$(cri exec -s "$c" echo works)" = works ]
}

@test "while no server runs, a pod serves, logs and is recorded when it ends" {
	id=$(pod web)
	c=$(start "$id" web web nginx:1 '["/usr/sbin/nginx", "-g", "daemon off;"]')
	d=$(start "$id" web ends busybox:1 '["sh", "-c", "sleep 1; echo late; exit 9"]')
	ip=$(pod_ip "$id")
	node_kill
	curl -fsS --max-time 2 --retry 5 --retry-connrefused "http://$ip/" | grep -q nginx
	eventually grep -q ' late$' "$NODE_DIR/logs/web/ends.log"
	sleep 0.5
	before=$(date +%s)
	node_start
	[ "$(status "$d" state)" = CONTAINER_EXITED ]
	[ "$(status "$d" exitCode)" = 9 ]
	[ "$(date -d "$(status "$d" finishedAt)" +%s)" -le "$before" ]
	is_state "$c" CONTAINER_RUNNING
}

@test "stop and remove work on pods of an earlier server" {
	id=$(pod earlier)
	c=$(start "$id" earlier c busybox:1 "$SLEEP")
	node_kill
	node_start
	cri stop "$c"
	[ "$(status "$c" exitCode)" = 0 ]
	cri rm "$c"
	cri stopp "$id"
	cri rmp "$id"
	no_leaks
}

@test "the list of pods and containers is the same before and after" {
	for n in one two three; do
		id=$(pod "$n")
		start "$id" "$n" "$n" busybox:1 "$SLEEP"
	done
	create "$id" three created busybox:1 "$SLEEP"
	pods=$(cri pods -o json | jq -S .)
	containers=$(cri ps -a -o json | jq -S .)
	node_kill
	node_start
	[ "$pods" = "$(cri pods -o json | jq -S .)" ]
	[ "$containers" = "$(cri ps -a -o json | jq -S .)" ]
}
