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

@test "killed when the container has started, and not only once" {
	for i in 1 2 3; do survives container-started; done
}

@test "killed at any moment while pods come and go" {
	for i in 1 2 3 4 5 6; do
		for n in a b; do life "any-$n" >/dev/null 2>&1 3>&- & done
		sleep "0.$((RANDOM % 5))$((RANDOM % 10))"
		node_kill
		wait
		node_start
		for id in $(cri pods -q); do cri rmp -f "$id" >/dev/null; done
		eventually no_leaks
		life any-a
	done
}

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

@test "a log goes on without a gap while the server is killed and started" {
	id=$(pod counts)
	c=$(start "$id" counts c busybox:1 '["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"]')
	log=$NODE_DIR/logs/counts/c.log
	more() { [ "$(wc -l <"$log")" -gt $((seen + 20)) ]; }
	for i in 1 2 3; do
		seen=$(wc -l <"$log")
		node_kill
		eventually more
		seen=$(wc -l <"$log")
		node_start
		eventually more
	done
	cri stop "$c"
	awk '{ print $4 }' "$log" >"$NODE_DIR/numbers"
	seq "$(wc -l <"$log")" | cmp - "$NODE_DIR/numbers"
}

@test "an exec whose server is killed is ended; its container runs on" {
	id=$(pod orphan)
	c=$(start "$id" orphan c busybox:1 "$SLEEP")
	cri exec -s "$c" sleep 777 >/dev/null 2>&1 3>&- &
	cri exec -i "$c" sleep 778 </dev/null >/dev/null 2>&1 3>&- &
	both() { [ "$(pgrep -c -x -f 'sleep 77[78]')" = 2 ]; }
	none() { ! pgrep -x -f 'sleep 77[78]'; }
	eventually both
	node_kill
	eventually none
	node_start
	is_state "$c" CONTAINER_RUNNING
	[ "$(cri exec -s "$c" echo works)" = works ]
}

@test "a container that was only created outlives the server and starts" {
	id=$(pod waits)
	c=$(create "$id" waits c busybox:1 "$SLEEP")
	node_kill
	node_start
	is_state "$c" CONTAINER_CREATED
	cri start "$c"
	[ "$(cri exec -s "$c" echo works)" = works ]
}

monitor_of() { cri inspectp "$1" | jq .info.monitorPid; }

# dead_without_monitor POD CONTAINER PID - what is said of a pod whose monitor is gone.
dead_without_monitor() {
	eventually exited "$2"
	[ "$(status "$2" exitCode)" = 255 ]
	[ "$(status "$2" reason)" = Unknown ]
	[ "$(pod_status "$1" state)" = SANDBOX_NOTREADY ]
	run cri exec -s "$2" true
	[ "$status" != 0 ]
	gone() { ! kill -0 "$1" 2>/dev/null; }
	eventually gone "$3"
	cri rmp -f "$1"
	no_sign() { ! node_leaks | grep -e "$1" -e "$2"; }
	eventually no_sign "$1" "$2"
}

@test "a monitor that is killed: its containers are ended and reported, the pod is not ready" {
	id=$(pod lost)
	c=$(start "$id" lost c busybox:1 "$SLEEP")
	other=$(pod kept)
	d=$(start "$other" kept d busybox:1 "$SLEEP")
	pid=$(cri inspect "$c" | jq .info.pid)
	kill -KILL "$(monitor_of "$id")"
	dead_without_monitor "$id" "$c" "$pid"
	is_state "$d" CONTAINER_RUNNING
	[ "$(pod_status "$other" state)" = SANDBOX_READY ]
}

@test "a monitor that is killed while no server runs" {
	id=$(pod lost)
	c=$(start "$id" lost c busybox:1 "$SLEEP")
	pid=$(cri inspect "$c" | jq .info.pid)
	monitor=$(monitor_of "$id")
	node_kill
	kill -KILL "$monitor"
	node_start
	dead_without_monitor "$id" "$c" "$pid"
}

@test "a monitor that hangs holds nothing up: lists, stop and remove work, also after a restart" {
	id=$(pod hangs)
	c=$(start "$id" hangs c busybox:1 "$SLEEP")
	kill -STOP "$(monitor_of "$id")"
	cri ps -q | grep "$c"
	run cri exec -s "$c" true
	[ "$status" != 0 ]
	node_kill
	node_start
	cri ps -q | grep "$c"
	cri stop --timeout 1 "$c"
	exited "$c"
	cri rmp -f "$id"
	no_leaks
}

@test "a monitor that hung while the server started is taken over once it goes on" {
	id=$(pod naps)
	c=$(start "$id" naps c busybox:1 "$SLEEP")
	d=$(start "$id" naps d busybox:1 '["sh", "-c", "sleep 1; exit 8"]')
	monitor=$(monitor_of "$id")
	kill -STOP "$monitor"
	node_kill
	node_start
	is_state "$c" CONTAINER_RUNNING
	[ "$(pod_status "$id" state)" = SANDBOX_READY ]
	kill -CONT "$monitor"
	eventually exited "$d"
	[ "$(status "$d" exitCode)" = 8 ]
	[ "$(cri exec -s "$c" echo works)" = works ]
	is_state "$c" CONTAINER_RUNNING
	cri stop --timeout 20 "$c"
	[ "$(status "$c" exitCode)" = 0 ]
}

@test "stop and remove work on pods of an earlier server" {
	id=$(pod earlier)
	c=$(start "$id" earlier c busybox:1 "$SLEEP")
	node_kill
	node_start
	eventually grep -q ready "$NODE_DIR/logs/earlier/c.log"
	cri stop --timeout 20 "$c"
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
