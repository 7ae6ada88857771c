#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Streaming: exec, attach and port-forward as kubectl and crictl do them.

load helper

setup() { pull busybox:1 && pull nginx:1; }

@test "exec streams both ways and gives the code" {
	id=$(pod stream)
	c=$(start "$id" stream c busybox:1 "$SLEEP")
	[ "$(echo through | cri exec -i "$c" cat)" = through ]
	[ "$(cri exec "$c" sh -c 'echo out; echo err >&2' 2>/dev/null)" = out ]
	run cri exec "$c" sh -c 'exit 12'
	[ "$status" != 0 ]
	[[ $output == *12* ]]
}

@test "exec carries megabytes unharmed" {
	id=$(pod bulk)
	c=$(start "$id" bulk c busybox:1 "$SLEEP")
	head -c 5000000 /dev/urandom >"$NODE_DIR/bytes"
	cri exec -i "$c" cat <"$NODE_DIR/bytes" >"$NODE_DIR/back"
	cmp "$NODE_DIR/bytes" "$NODE_DIR/back"
}

@test "exec with a terminal is a terminal" {
	id=$(pod tty)
	c=$(start "$id" tty c busybox:1 "$SLEEP")
	script -qec "$(declare -f cri); cri exec -it $c sh -c 'test -t 0 && test -t 1 && echo is-a-tty'" /dev/null </dev/null >"$NODE_DIR/tty"
	grep -q is-a-tty "$NODE_DIR/tty"
}

@test "attach gives input to the process and brings its output" {
	id=$(pod attach)
	c=$(start "$id" attach c busybox:1 '["sh", "-c", "read line; echo got $line; sleep 1000"]' '{"stdin": true}')
	(echo words; sleep 2) | timeout 10 "$PEERS/bin/crictl" --runtime-endpoint "unix://$NODE_SOCKET" attach -i "$c" >"$NODE_DIR/attached" || true
	grep -q 'got words' "$NODE_DIR/attached"
	grep -q 'stdout F got words' "$NODE_DIR/logs/attach/c.log"
}

@test "port-forward reaches a server inside the pod" {
	id=$(pod forward)
	start "$id" forward c nginx:1 '["/usr/sbin/nginx", "-g", "daemon off;"]'
	"$PEERS/bin/crictl" --runtime-endpoint "unix://$NODE_SOCKET" port-forward "$id" 18077:80 >/dev/null 2>&1 3>&- &
	forward=$!
	answers() { curl -fsS --max-time 2 http://127.0.0.1:18077/ 2>/dev/null | grep -q nginx; }
	eventually answers
	for i in 1 2 3 4 5; do answers; done
	kill "$forward"
}

@test "an unknown token is refused" {
	id=$(pod token)
	c=$(start "$id" token c busybox:1 "$SLEEP")
	url=$(cri exec "$c" true 2>&1 && ss -Hltnp | awk -v pid="$(node_pid)" '$0 ~ "pid=" pid "," { print $4 }' | head -1)
	run curl -sS -o /dev/null -w '%{http_code}' --max-time 5 "http://$url/exec/AAAAAAAA"
	[ "$output" = 404 ]
}
