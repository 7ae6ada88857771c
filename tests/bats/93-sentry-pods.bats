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

@test "containers see each other's processes where their pod says so, and not otherwise" {
	shared='{"linux": {"security_context": {"namespace_options": {"pid": 0}}}}'
	id=$(sandbox p "$shared")
	a=$(start "$id" p a busybox:1 '["sh", "-c", "sleep 4321"]' "$shared")
	b=$(start "$id" p b busybox:1 "$SLEEP" "$shared")
	run cri exec --sync "$b" ps
	echo "$output"
	[[ $output == *"sleep 4321"* ]]
	run cri exec --sync "$b" sh -c 'kill -9 $(pidof sleep)'
	eventually exited "$a"
	own='{"linux": {"security_context": {"namespace_options": {"pid": 1}}}}'
	id=$(sandbox q "$own")
	a=$(start "$id" q c busybox:1 '["sh", "-c", "sleep 4321"]' "$own")
	b=$(start "$id" q d busybox:1 "$SLEEP" "$own")
	run cri exec --sync "$b" ps
	[[ $output != *4321* ]]
}

@test "a terminal with job control" {
	cat >"$NODE_DIR/type" <<-'E'
		import os, pty, select, sys, time
		pid, fd = pty.fork()
		if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
		def until(text):
		    out = b""
		    for _ in range(300):
		        if select.select([fd], [], [], 0.1)[0]:
		            try: out += os.read(fd, 4096)
		            except OSError: break
		        if text in out: return
		    sys.exit(f"no {text!r} in {out!r}")
		def type(text): os.write(fd, text)
		until(b"# ")
		type(b"echo first; sleep 100\n"); until(b"first\r\n"); time.sleep(0.5)
		type(b"\x1a"); until(b"Stopped")
		type(b"jobs -p; bg; kill -9 %1; echo a''gain; sleep 100\n"); until(b"again\r\n"); time.sleep(0.5)
		type(b"\x03"); until(b"# ")
		type(b"tty; exit 6\n"); until(b"/dev/pts/")
		os.waitpid(pid, 0)
	E
	id=$(sandbox p)
	c=$(start "$id" p c busybox:1 "$SLEEP")
	run timeout 100 python3 "$NODE_DIR/type" "${CRICTL:-$PEERS/bin/crictl}" --config "$NODE_DIR/crictl.yaml" exec -it "$c" sh 3>&-
	echo "$output"
	[ "$status" = 0 ]
}

@test "bash with pipes and coreutils" {
	id=$(sandbox bash)
	# the host's, by a volume: no demo image has them
	c=$(start "$id" bash c busybox:1 "$(jq -n '["/usr/bin/bash", "-c", "PATH=/usr/bin; seq 1000 | sort -rn | head -n 3 | paste -sd,; mkdir -p /tmp/d/{a,b}; for i in {1..20}; do echo $i >/tmp/d/a/$i; done; cp -r /tmp/d/a /tmp/d/b/; find /tmp/d -type f | wc -l; sha256sum /tmp/d/a/7 | cut -c1-8; diff -r /tmp/d/a /tmp/d/b/a && echo same; (exit 7) & wait $!; echo $?"]')" \
		'{"mounts": [{"host_path": "/usr", "container_path": "/usr", "readonly": true}]}')
	eventually exited "$c"
	log bash c
	[ "$(log bash c | tr '\n' ' ')" = "1000,999,998 40 10159baf same 7 " ]
}

@test "a Go program with its threads" {
	id=$(sandbox p)
	c=$(start "$id" p c busybox:1 '["/peers/crictl", "--version"]' \
		"{\"mounts\": [{\"host_path\": \"$(dirname "${CRICTL:-$PEERS/bin/crictl}")\", \"container_path\": \"/peers\", \"readonly\": true}]}")
	eventually exited "$c"
	log p c
	[ "$(status "$c" exitCode)" = 0 ]
	log p c | grep -q 'crictl version'
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

@test "redis bears many connections, from inside and outside" {
	pull redis:1
	id=$(sandbox r)
	c=$(create "$id" r n redis:1 '["redis-server", "--protected-mode", "no", "--save", ""]') && cri start "$c" >/dev/null
	ip=$(pod_ip "$id")
	eventually bash -c ": </dev/tcp/$ip/6379" 2>/dev/null
	run cri exec --sync "$c" redis-benchmark -t set,get -n 2000 -c 50 --csv
	echo "$output"
	[ "$(grep -cE '^"(SET|GET)"' <<<"$output")" = 2 ]
	if command -v redis-benchmark >/dev/null; then
		[ "$(redis-benchmark -h "$ip" -t set,get -n 2000 -c 50 --csv | grep -cE '^"(SET|GET)"')" = 2 ]
	fi
}

@test "statistics of containers" {
	id=$(sandbox p)
	c=$(start "$id" p c busybox:1 '["sh", "-c", "a=$(head -c 3000000 /dev/zero | tr \"\\0\" x); while :; do :; done"]')
	busy() {
		cri stats --output json "$c" >"$NODE_DIR/stats"
		cat "$NODE_DIR/stats"
		jq -e '.stats[0] | (.cpu.usageCoreNanoSeconds.value | tonumber) > 300000000 and
			(.memory.workingSetBytes.value | tonumber) > 3000000' "$NODE_DIR/stats"
	}
	eventually busy
	run cri statsp --output json "$id"
	[[ $output == *cpu* ]]
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

@test "ten pods at once" {
	for i in $(seq 10); do
		(
			id=$(sandbox "p$i")
			c=$(start "$id" "p$i" "c$i" busybox:1 "[\"sh\", \"-c\", \"echo this is p$i; exit 3\"]")
			eventually exited "$c"
			[ "$(status "$c" exitCode)" = 3 ] && touch "$NODE_DIR/done.$i"
		) 3>&- &
		jobs[i]=$!
	done
	for i in $(seq 10); do wait "${jobs[i]}" || true; done
	[ "$(ls "$NODE_DIR"/done.* | wc -l)" = 10 ]
	for i in $(seq 10); do grep -q "this is p$i" "$NODE_DIR/logs/p$i/c$i.log"; done
}
