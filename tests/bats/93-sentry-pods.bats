#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Pods whose handler is the sentry: what a kubelet does with them.

load helper

setup_file() {
	[ -x "${CRICTL:-$PEERS/bin/crictl}" ] || skip "no crictl: run hack/setup-peers"
	node_init "$(mktemp -d /tmp/bhtest.XXXXXX)" demo || return 1
	# the node's configuration, and one handler more
	sed -i 's|"handlers": {|"handlers": { "runsc": { "runtime": "bulkhead-sentry", "args": [], "sandbox": "container" },|' \
		"$NODE_DIR/config.json"
	node_start
}

setup() { pull busybox:1; }

sandbox() { pod "$1" "${2:-}" --runtime runsc; }

# log POD NAME - what a container has said.
log() { cut -d' ' -f4- "$NODE_DIR/logs/$1/$2.log"; }

@test "a container's output, exit code and kernel" {
	id=$(sandbox p)
	c=$(start "$id" p c busybox:1 '["sh", "-c", "echo out; echo err >&2; id -u; hostname; exit 5"]')
	eventually exited "$c"
	[ "$(status "$c" exitCode)" = 5 ]
	[ "$(log p c | sort | tr '\n' ' ')" = "0 err out p " ] || [ "$(log p c | grep -cE '^(out|err|0)$')" = 3 ]
	[ "$(pod_status "$id" runtimeHandler)" = runsc ]
}

@test "exec: output, code, a process list of its own" {
	id=$(sandbox p '{"linux": {"security_context": {"namespace_options": {"pid": 1}}}}')
	c=$(start "$id" p c busybox:1 "$SLEEP" '{"linux": {"security_context": {"namespace_options": {"pid": 1}}}}')
	run cri exec --sync "$c" sh -c 'echo hi; exit 3'
	[[ $output == *hi* ]]
	[[ $output == *3* ]]
	run cri exec --sync "$c" ps
	[[ $output != *pause* ]]
	run cri exec --sync "$c" /no/such/program
	[ "$status" != 0 ]
}

@test "SIGTERM ends it in time, SIGKILL after that" {
	id=$(sandbox p)
	c=$(start "$id" p c busybox:1 "$SLEEP")
	eventually log p c | grep -q ready || true
	cri stop -t 5 "$c" >/dev/null
	[ "$(status "$c" exitCode)" = 0 ]
	d=$(start "$id" p d busybox:1 '["sh", "-c", "trap : TERM; while :; do sleep 0.1; done"]')
	cri stop -t 1 "$d" >/dev/null
	[ "$(status "$d" exitCode)" = 137 ]
}

@test "two containers of a pod: one network, one /dev/shm, one name" {
	id=$(sandbox p)
	a=$(start "$id" p a busybox:1 '["sh", "-c", "echo shared >/dev/shm/f; while :; do echo over tcp | nc -l -p 7000; done"]')
	b=$(start "$id" p b busybox:1 "$SLEEP")
	eventually bash -c "true" && sleep 0.5
	run cri exec --sync "$b" sh -c 'cat /dev/shm/f; nc 127.0.0.1 7000 </dev/null'
	[[ $output == *shared* ]]
	[[ $output == *"over tcp"* ]]
}

@test "nginx answers from outside of the pod" {
	pull nginx:1
	id=$(sandbox web)
	c=$(create "$id" web n nginx:1 null) && cri start "$c" >/dev/null
	ip=$(pod_ip "$id")
	eventually curl -sf -m 2 -o "$NODE_DIR/page" "http://$ip/"
	grep -q nginx "$NODE_DIR/page"
}

@test "redis sets and gets" {
	pull redis:1
	id=$(sandbox r)
	c=$(create "$id" r n redis:1 null) && cri start "$c" >/dev/null
	ip=$(pod_ip "$id")
	eventually bash -c "exec 3<>/dev/tcp/$ip/6379; printf 'SET a 41\r\nINCR a\r\n' >&3; read -r -t 2 x <&3; read -r -t 2 y <&3; [[ \$y == :42* ]]" 2>/dev/null
}

@test "python3: threads, subprocess, asyncio" {
	pull python:3
	id=$(sandbox py)
	c=$(start "$id" py c python:3 "$(jq -n '["python3", "-c", "import asyncio, subprocess, threading\nt = threading.Thread(target=print, args=(\"thread\",)); t.start(); t.join()\nprint(subprocess.check_output([\"python3\", \"-c\", \"print(6 * 7)\"]).decode().strip())\nasyncio.run(asyncio.sleep(0.01)); print(\"async\")"]')")
	eventually exited "$c"
	[ "$(log py c | tr '\n' ' ')" = "thread 42 async " ]
}

@test "the memory limit ends the process that grows, as OOMKilled, and the pod goes on" {
	id=$(sandbox p)
	b=$(start "$id" p b busybox:1 "$SLEEP")
	c=$(start "$id" p c busybox:1 '["sh", "-c", "a=x; while :; do a=$a$a; done"]' \
		'{"linux": {"resources": {"memory_limit_in_bytes": 33554432}}}')
	eventually exited "$c"
	[ "$(status "$c" exitCode)" = 137 ]
	[ "$(status "$c" reason)" = OOMKilled ]
	is_state "$b" CONTAINER_RUNNING
}

@test "pods outlive the server" {
	id=$(sandbox p)
	c=$(start "$id" p c busybox:1 '["sh", "-c", "sleep 2; exit 9"]')
	node_kill
	node_start
	eventually exited "$c"
	[ "$(status "$c" exitCode)" = 9 ]
}
