#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A pod's life: run, create, start, exec, logs, stop, remove.

load helper

setup() { pull busybox:1; }

@test "a pod is ready, listed and inspectable" {
	id=$(pod life '{"labels": {"app": "x"}, "annotations": {"note": "y"}}')
	[ "${#id}" = 64 ]
	[ "$(pod_status "$id" state)" = SANDBOX_READY ]
	[ "$(pod_status "$id" labels.app)" = x ]
	[ "$(pod_status "$id" annotations.note)" = y ]
	[ "$(cri pods -q --label app=x)" = "$id" ]
	[ -z "$(cri pods -q --label app=z)" ]
}

@test "a container goes through created, running, exited with its code" {
	id=$(pod states)
	c=$(create "$id" states c busybox:1 '["sh", "-c", "exit 3"]')
	is_state "$c" CONTAINER_CREATED
	cri start "$c"
	eventually exited "$c"
	[ "$(status "$c" exitCode)" = 3 ]
	[ "$(status "$c" reason)" = Error ]
	c=$(start "$id" states d busybox:1 '["true"]')
	eventually exited "$c"
	[ "$(status "$c" exitCode)" = 0 ]
	[ "$(status "$c" reason)" = Completed ]
}

@test "logs hold both streams in the CRI format" {
	id=$(pod logs)
	c=$(start "$id" logs c busybox:1 '["sh", "-c", "echo out; echo err >&2; printf partial"]')
	eventually exited "$c"
	[ "$(cri logs "$c" 2>/dev/null)" = $'out\npartial' ]
	[ "$(cri logs "$c" 2>&1 >/dev/null)" = err ]
	[ "$(cri logs --stream stderr "$c" 2>&1)" = err ]
	[ "$(cri logs --tail 1 "$c" 2>/dev/null)" = partial ]
	grep -E '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+[Z+-][0-9:]* stdout F out$' "$NODE_DIR/logs/logs/c.log"
	grep -E ' stderr F err$' "$NODE_DIR/logs/logs/c.log"
	grep -E ' stdout P partial$' "$NODE_DIR/logs/logs/c.log"
}

@test "a log that was renamed away is opened anew" {
	id=$(pod rotate)
	c=$(start "$id" rotate c busybox:1 '["sh", "-c", "while :; do echo tick; sleep 0.1; done"]')
	log=$NODE_DIR/logs/rotate/c.log
	eventually grep -q tick "$log"
	mv "$log" "$log.1"
	[ ! -e "$log" ]
	cri logs -r "$c" >/dev/null
	eventually grep -q tick "$log"
	before=$(wc -l <"$log.1")
	grows() { [ "$(wc -l <"$log")" -gt 3 ]; }
	eventually grows
	[ "$before" = "$(wc -l <"$log.1")" ]
}

@test "a log is not written through a symlink, neither at a start nor when it is opened anew" {
	log=$NODE_DIR/logs/links/c.log
	id=$(pod links)
	echo untouched >"$NODE_DIR/victim"
	ln -s "$NODE_DIR/victim" "$log"
	c=$(create "$id" links c busybox:1 '["sh", "-c", "while :; do echo line; sleep 0.05; done"]')
	run cri start "$c"
	[ "$status" != 0 ]
	[[ $output == *"open log"* ]]
	rm "$log"
	cri rm "$c"
	c=$(start "$id" links c busybox:1 '["sh", "-c", "while :; do echo line; sleep 0.05; done"]')
	mv "$log" "$log.1"
	ln -s "$NODE_DIR/victim" "$log"
	run cri logs -r "$c"
	[ "$status" != 0 ]
	kept=$(wc -l <"$log.1")
	grows() { [ "$(wc -l <"$log.1")" -gt "$kept" ]; }
	eventually grows
	[ "$(cat "$NODE_DIR/victim")" = untouched ]
}

@test "exec gives output, streams apart, and the code" {
	id=$(pod exec)
	c=$(start "$id" exec c busybox:1 "$SLEEP")
	# crictl prints what is in the reply's stdout, then its stderr, each with a newline
	[ "$(cri exec -s "$c" sh -c 'echo err >&2; sleep 0.1; echo out')" = $'out\n\nerr' ]
	run cri exec -s "$c" sh -c 'exit 7'
	[ "$status" != 0 ]
	[[ $output == *"exited with 7"* ]]
	run cri exec -s "$c" /no/such/program
	[ "$status" != 0 ]
	[[ $output == *"/no/such/program"* ]]
}

@test "an exec that takes too long is ended, and the container runs on" {
	id=$(pod slow)
	c=$(start "$id" slow c busybox:1 "$SLEEP")
	run cri exec -s --timeout 1 "$c" sleep 100
	[ "$status" != 0 ]
	[[ $output == *[Dd]eadline* ]]
	is_state "$c" CONTAINER_RUNNING
	no_sleep() { ! cri exec -s "$c" ps | grep -q 'sleep 100$'; }
	eventually no_sleep
}

@test "an exec that writes without end is ended as well, and so is one that left a writer behind" {
	id=$(pod flood)
	c=$(start "$id" flood c busybox:1 "$SLEEP")
	run timeout 30 "$PEERS/bin/crictl" --config "$NODE_DIR/crictl.yaml" exec -s --timeout 1 "$c" \
		sh -c 'yes & yes & yes & yes' >/dev/null 2>&1
	[ "$status" != 0 ]
	[ "$status" != 124 ]
	timeout 30 "$PEERS/bin/crictl" --config "$NODE_DIR/crictl.yaml" exec -s "$c" \
		sh -c 'yes & yes & yes & yes & exit 0' >/dev/null
	cri exec -s "$c" sh -c 'pkill yes; true'
	is_state "$c" CONTAINER_RUNNING
}

@test "directories nested a thousand deep are removed with their container" {
	id=$(pod deep)
	c=$(start "$id" deep c busybox:1 "$SLEEP")
	cri exec -s "$c" sh -c 'cd /root; i=0
		while [ $i -lt 1500 ]; do mkdir d && cd d && i=$((i + 1)) || exit 1; done; echo x >bottom'
	cri rmp -f "$id"
	eventually no_leaks
}

@test "stop asks with SIGTERM first" {
	id=$(pod term)
	c=$(start "$id" term c busybox:1 '["sh", "-c", "trap \"echo bye; exit 5\" TERM; echo up; while :; do sleep 0.1; done"]')
	eventually grep -q up "$NODE_DIR/logs/term/c.log"
	cri stop --timeout 20 "$c"
	exited "$c"
	[ "$(status "$c" exitCode)" = 5 ]
	grep -q ' bye$' "$NODE_DIR/logs/term/c.log"
}

@test "stop kills what ignores SIGTERM" {
	id=$(pod kill)
	c=$(start "$id" kill c busybox:1 '["sh", "-c", "trap : TERM; echo up; while :; do sleep 0.1; done"]')
	eventually grep -q up "$NODE_DIR/logs/kill/c.log"
	cri stop --timeout 1 "$c"
	exited "$c"
	[ "$(status "$c" exitCode)" = 137 ]
}

@test "stopping and removing twice is fine, and so are unknown ids" {
	id=$(pod twice)
	c=$(start "$id" twice c busybox:1 "$SLEEP")
	cri stop "$c"
	cri stop "$c"
	cri rm "$c"
	cri stopp "$id"
	cri stopp "$id"
	[ "$(pod_status "$id" state)" = SANDBOX_NOTREADY ]
	cri rmp "$id"
	run cri inspectp "$id"
	[ "$status" != 0 ]
}

@test "removing a running pod's container needs force, and the pod takes all with it" {
	id=$(pod force)
	start "$id" force c busybox:1 "$SLEEP"
	cri rmp -f "$id"
	[ -z "$(cri ps -a -q --pod "$id")" ]
}

@test "environment, arguments, working directory and hostname reach the process" {
	id=$(pod env '{"hostname": "named"}')
	c=$(start "$id" env c busybox:1 '["sh", "-c"]' '{"args": ["echo $WORD; pwd; hostname"], "working_dir": "/var",
		"envs": [{"key": "WORD", "value": "a b"}]}')
	eventually exited "$c"
	[ "$(cri logs "$c")" = $'a b\n/var\nnamed' ]
}

@test "mounts: read-write, read-only, a file, and a missing source is an error" {
	mkdir -p "$NODE_DIR/vol" && echo host >"$NODE_DIR/vol/file"
	id=$(pod mounts)
	c=$(start "$id" mounts c busybox:1 "$SLEEP" "{\"mounts\": [
		{\"host_path\": \"$NODE_DIR/vol\", \"container_path\": \"/rw\"},
		{\"host_path\": \"$NODE_DIR/vol\", \"container_path\": \"/ro\", \"readonly\": true},
		{\"host_path\": \"$NODE_DIR/vol/file\", \"container_path\": \"/etc/one\"}]}")
	[ "$(cri exec -s "$c" cat /etc/one)" = host ]
	cri exec -s "$c" sh -c 'echo inside > /rw/new'
	[ "$(cat "$NODE_DIR/vol/new")" = inside ]
	run cri exec -s "$c" sh -c 'echo no > /ro/new'
	[ "$status" != 0 ]
	[[ $output == *"ead-only"* ]]
}

@test "a read-only root file system" {
	id=$(pod rofs)
	c=$(start "$id" rofs c busybox:1 "$SLEEP" '{"linux": {"security_context": {"readonly_rootfs": true}}}')
	run cri exec -s "$c" touch /x
	[ "$status" != 0 ]
	[[ $output == *"ead-only"* ]]
}

@test "users: by number, by the image's name, with groups" {
	id=$(pod users)
	c=$(start "$id" users c busybox:1 "$SLEEP" '{"linux": {"security_context": {
		"run_as_user": {"value": 1001}, "run_as_group": {"value": 1002}, "supplemental_groups": [7, 9]}}}')
	[ "$(cri exec -s "$c" id -u)" = 1001 ]
	[ "$(cri exec -s "$c" id -g)" = 1002 ]
	[[ " $(cri exec -s "$c" id -G) " == *" 7 9 "* ]]
	c=$(start "$id" users d busybox:1 "$SLEEP" '{"linux": {"security_context": {"run_as_username": "www-data"}}}')
	[ "$(cri exec -s "$c" id -u)" = 33 ]
}

@test "an ordinary container has few capabilities, a seccomp filter if asked, and no new privileges if asked" {
	id=$(pod caps)
	c=$(start "$id" caps c busybox:1 "$SLEEP" '{"linux": {"security_context": {"no_new_privs": true,
		"seccomp": {"profile_type": 0}, "capabilities": {"drop_capabilities": ["ALL"], "add_capabilities": ["NET_RAW"]}}}}')
	[ "$(cri exec -s "$c" sh -c "awk '/^CapEff/ { print \$2 }' /proc/self/status")" = 0000000000002000 ]
	[ "$(cri exec -s "$c" sh -c "awk '/^Seccomp:/ { print \$2 }' /proc/self/status")" = 2 ]
	[ "$(cri exec -s "$c" sh -c "awk '/^NoNewPrivs/ { print \$2 }' /proc/self/status")" = 1 ]
}

@test "a pod whose sandbox process dies is not ready, its containers end, and its name is free again" {
	id=$(pod ends '{"linux": {"security_context": {"namespace_options": {"pid": 0}}}}')
	c=$(start "$id" ends c busybox:1 "$SLEEP" '{"linux": {"security_context": {"namespace_options": {"pid": 0}}}}')
	kill -KILL "$(cri inspectp "$id" | jq .info.pid)"
	eventually exited "$c"
	not_ready() { [ "$(pod_status "$id" state)" = SANDBOX_NOTREADY ]; }
	eventually not_ready
	[ "$(status "$c" exitCode)" = 137 ]
	run cri exec -s "$c" true
	[ "$status" != 0 ]
	cri rmp -f "$id"
	again=$(pod ends)
	[ "$again" != "$id" ]
}

@test "containers of a pod share the network and see their own processes; shared pid shows all" {
	id=$(pod shared '{"linux": {"security_context": {"namespace_options": {"pid": 0}}}}')
	ns='{"linux": {"security_context": {"namespace_options": {"pid": 0}}}}'
	a=$(start "$id" shared a busybox:1 '["sh", "-c", "trap \"exit 0\" TERM; sleep 1234 & wait"]' "$ns")
	b=$(start "$id" shared b busybox:1 "$SLEEP" "$ns")
	cri exec -s "$b" ps | grep 'sleep 1234'
	[ "$(cri exec -s "$a" readlink /proc/self/ns/net)" = "$(cri exec -s "$b" readlink /proc/self/ns/net)" ]
	id=$(pod own '{"linux": {"security_context": {"namespace_options": {"pid": 1}}}}')
	c=$(start "$id" own c busybox:1 "$SLEEP" '{"linux": {"security_context": {"namespace_options": {"pid": 1}}}}')
	[ "$(cri exec -s "$c" sh -c 'grep -c . /proc/1/cmdline >/dev/null; cat /proc/1/comm')" = sh ]
	run cri exec -s "$c" sh -c 'ps | grep "[s]leep 1234"'
	[ "$status" != 0 ]
}

@test "an equal name joins the pod that is there; an unequal one is refused" {
	id=$(pod same)
	[ "$(pod same)" = "$id" ]
	run pod same '{"labels": {"other": "thing"}}'
	[ "$status" != 0 ]
}

@test "what cannot start says so, and can be removed" {
	id=$(pod wrong)
	c=$(create "$id" wrong c busybox:1 '["/no/such/program"]')
	run cri start "$c"
	[ "$status" != 0 ]
	[[ $output == *"/no/such/program"* ]]
	cri rm -f "$c"
	run create "$id" wrong d absent:9 '["true"]'
	[ "$status" != 0 ]
}

@test "statistics tell what a container uses" {
	id=$(pod stats)
	c=$(start "$id" stats c busybox:1 '["sh", "-c", "trap \"exit 0\" TERM; head -c 8000000 /dev/zero > /big; sleep 1000 & wait"]')
	cri stats -o json --id "$c" >"$NODE_DIR/stats.json"
	jq -e '.stats[0].cpu.usageCoreNanoSeconds.value | tonumber > 0' "$NODE_DIR/stats.json"
	jq -e '.stats[0].memory.workingSetBytes.value | tonumber > 0' "$NODE_DIR/stats.json"
	cri statsp -o json --id "$id" | jq -e '.stats[0].linux.memory.workingSetBytes.value | tonumber > 0'
}
