#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Full disks: what does not fit is refused with that reason, what runs goes on, nothing half made
# stays, and everything works again once there is room.

load helper

setup_file() {
	make_node || return
	mkdir -p "$NODE_DIR/root" "$NODE_DIR/state"
	mount -t tmpfs -o size=32m,mode=711 tmpfs "$NODE_DIR/root"
	mount -t tmpfs -o size=4m,mode=711 tmpfs "$NODE_DIR/state"
	# shellcheck disable=SC2119
	node_start
}

setup() { pull busybox:1; }

teardown() {
	rm -f "$NODE_DIR"/{root,state,logs}/filler
	clean_node
}

# fill DIR - to the last byte and the last inode's worth of small files.
fill() { dd if=/dev/zero of="$1/filler" bs=4k 2>/dev/null || true; }
no_room() { [[ $output == *"No space left on device"* || $output == *"full"* ]]; }

@test "no room for a pod's state: refused, and nothing stays" {
	fill "$NODE_DIR/state"
	run pod full
	[ "$status" != 0 ]
	no_room
	[ -z "$(cri pods -q)" ]
	eventually no_leaks
	rm "$NODE_DIR/state/filler"
	id=$(pod full)
	c=$(start "$id" full c busybox:1 "$SLEEP")
	[ "$(cri exec -s "$c" echo works)" = works ]
}

@test "the state directory becomes full under a running pod: no exec, no container; it ends as usual" {
	id=$(pod runs)
	c=$(start "$id" runs c busybox:1 "$SLEEP")
	d=$(start "$id" runs d busybox:1 '["sh", "-c", "trap \"exit 3\" TERM; echo ready; while :; do sleep 0.1; done"]')
	eventually grep -q ready "$NODE_DIR/logs/runs/d.log"
	fill "$NODE_DIR/state"
	run cri exec -s "$c" true
	[ "$status" != 0 ]
	no_room
	run create "$id" runs e busybox:1 "$SLEEP"
	[ "$status" != 0 ]
	no_room
	cri stop --timeout 20 "$d"
	[ "$(status "$d" exitCode)" = 3 ]
	cri stopp "$id"
	cri rmp "$id"
	eventually no_leaks
}

@test "a container that fills its pod's files takes no room from others, and stays known by its name" {
	id=$(pod greedy '{"hostname": "greedy-0"}')
	c=$(start "$id" greedy c busybox:1 "$SLEEP")
	cri exec -s "$c" sh -c 'for f in hostname hosts resolv.conf; do
		dd if=/dev/zero of=/etc/$f bs=64k; done; true' || true
	[ "$(df --output=pcent "$NODE_DIR/state" | tail -1 | tr -dc 0-9)" -lt 50 ]
	d=$(start "$(pod other)" other d busybox:1 "$SLEEP")
	[ "$(cri exec -s "$d" echo works)" = works ]
	e=$(start "$id" greedy e busybox:1 "$SLEEP")
	[ "$(cri exec -s "$e" sh -c 'echo $HOSTNAME')" = greedy-0 ]
}

@test "no room for writable layers: containers see that, the server lives and recovers" {
	id=$(pod before)
	c=$(start "$id" before c busybox:1 "$SLEEP")
	fill "$NODE_DIR/root"
	run cri exec -s "$c" sh -c 'echo text >/file'
	[ "$status" != 0 ]
	no_room
	[ "$(cri exec -s "$c" echo works)" = works ]
	cri pods -q | grep "$id"
	rm "$NODE_DIR/root/filler"
	d=$(start "$id" before d busybox:1 "$SLEEP")
	[ "$(cri exec -s "$d" echo works)" = works ]
}

@test "pods can be removed while the disk with the records is full" {
	id=$(pod leaves)
	start "$id" leaves c busybox:1 "$SLEEP"
	fill "$NODE_DIR/root"
	cri stopp "$id"
	cri rmp "$id"
	eventually no_leaks
	for i in $(seq 10); do # as the kubelet does: pods come and fail, and go
		run pod tries
		cri rmp -f -a
	done
	eventually no_leaks
}

@test "a server starts on full disks, and takes over what runs" {
	id=$(pod stays)
	c=$(start "$id" stays c busybox:1 "$SLEEP")
	fill "$NODE_DIR/root"
	fill "$NODE_DIR/state"
	node_kill
	node_start
	is_state "$c" CONTAINER_RUNNING
	cri rmp -f "$id"
	eventually no_leaks
}

@test "an image that does not fit is refused with the reason and leaves nothing" {
	before=$(du -s "$NODE_DIR/root/layers" | cut -f1)
	fill "$NODE_DIR/root"
	truncate -s -2M "$NODE_DIR/root/filler"
	run cri pull "$(image python:3)"
	[ "$status" != 0 ]
	no_room
	[[ $(cri images -o json) != *python* ]]
	same() { [ "$(du -s "$NODE_DIR/root/layers" | cut -f1)" = "$before" ]; }
	eventually same
}

@test "a full disk for logs drops output and ends no container" {
	mkdir -p "$NODE_DIR/logs"
	mount -t tmpfs -o size=64k tmpfs "$NODE_DIR/logs"
	id=$(pod talks)
	c=$(start "$id" talks c busybox:1 '["sh", "-c", "i=0; while [ $i -lt 4000 ]; do i=$((i+1)); echo line $i of many that fill the disk; done; exit 5"]')
	eventually exited "$c"
	[ "$(status "$c" exitCode)" = 5 ]
	grep -q ' line 1 of' "$NODE_DIR/logs/talks/c.log"
	umount "$NODE_DIR/logs"
}
