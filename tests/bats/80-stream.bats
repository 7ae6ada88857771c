#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Streaming: exec, attach and port-forward as kubectl and crictl do them.

load helper

setup() { pull busybox:1 && pull nginx:1; }

CRICTL_LINE="${CRICTL:-$PEERS/bin/crictl} --config $NODE_DIR/crictl.yaml"

# on_terminal LINE - a shell runs it on a pty of 33 rows and 111 columns; stdin is the keyboard.
on_terminal() { SHELL=/bin/sh timeout -s KILL 20 script -qec "stty rows 33 cols 111; $1" /dev/null; }

# with_input TEXT SECONDS COMMAND... - TEXT is its input, which then stays open for that long.
with_input() { { printf '%s' "$1" && sleep "$2"; } | "${@:3}"; }

# crictl ends an attach only when the container ends, and does not hear SIGTERM
attach_for() { timeout -s KILL "$1" "${CRICTL:-$PEERS/bin/crictl}" --config "$NODE_DIR/crictl.yaml" attach "${@:2}" || true; }

@test "exec streams both ways and gives the code" {
	id=$(pod stream)
	c=$(start "$id" stream c busybox:1 "$SLEEP")
	[ "$(echo through | cri exec -i "$c" cat)" = through ]
	[ "$(cri exec "$c" sh -c 'echo out; echo err >&2' 2>/dev/null)" = out ]
	[ "$(cri exec "$c" sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)" = err ]
	run cri exec "$c" sh -c 'exit 12'
	[ "$status" != 0 ]
	[[ $output == *"exit code 12"* ]]
	run cri exec "$c" /no/such/program
	[ "$status" != 0 ]
	[[ $output == *"/no/such/program"* ]]
}

@test "exec carries megabytes unharmed" {
	id=$(pod bulk)
	c=$(start "$id" bulk c busybox:1 "$SLEEP")
	head -c 5000000 /dev/urandom >"$NODE_DIR/bytes"
	cri exec -i "$c" cat <"$NODE_DIR/bytes" >"$NODE_DIR/back"
	cmp "$NODE_DIR/bytes" "$NODE_DIR/back"
}

@test "exec with a terminal is a terminal, of the size of the user's" {
	id=$(pod tty)
	c=$(start "$id" tty c busybox:1 "$SLEEP")
	with_input '' 3 on_terminal "$CRICTL_LINE exec -it $c sh -c 'tty; sleep 1; stty size'" >"$NODE_DIR/tty"
	grep '^/dev/pts/' "$NODE_DIR/tty"
	grep '^33 111' "$NODE_DIR/tty"
}

@test "what is typed reaches a shell on a terminal, Ctrl-C too, and its code comes back" {
	id=$(pod keys)
	c=$(start "$id" keys c busybox:1 "$SLEEP")
	screen=$NODE_DIR/screen
	: >"$screen"
	type_keys() {
		eventually grep -q '[#$] ' "$screen" && echo 'echo $((40+2))'
		eventually grep -q '^42' "$screen" && echo 'sleep 99'
		eventually asleep && printf '\003'
		eventually no_sleep && echo 'exit 9'
		sleep 2
	}
	asleep() { cri exec -s "$c" ps | grep -q 'sleep 99$'; }
	no_sleep() { ! asleep; }
	type_keys | on_terminal "$CRICTL_LINE exec -it $c sh" >"$screen" || true
	grep '^42' "$screen"
	grep 'exit code 9' "$screen"
	[ "$(grep -c 'sleep 99' "$screen")" = 1 ]
}

@test "attach gives input to the process and brings its output" {
	id=$(pod attach)
	c=$(start "$id" attach c busybox:1 '["sh", "-c", "while read line; do echo got $line; done"]' '{"stdin": true}')
	with_input $'words\n' 2 attach_for 4 -i "$c" >"$NODE_DIR/attached"
	[ "$(cat "$NODE_DIR/attached")" = "got words" ]
	grep -q 'stdout F got words' "$NODE_DIR/logs/attach/c.log"
	# the end of the first client's input was not the end of the container's
	is_state "$c" CONTAINER_RUNNING
	with_input $'more\n' 2 attach_for 4 -i "$c" >"$NODE_DIR/attached"
	[ "$(cat "$NODE_DIR/attached")" = "got more" ]
}

@test "with stdin_once the end of the first client's input ends the container's" {
	id=$(pod once)
	c=$(start "$id" once c busybox:1 '["sh", "-c", "cat; echo end; exit 4"]' '{"stdin": true, "stdin_once": true}')
	with_input $'words\n' 0 attach_for 8 -i "$c" >"$NODE_DIR/attached"
	eventually exited "$c"
	[ "$(status "$c" exitCode)" = 4 ]
	[ "$(cat "$NODE_DIR/attached")" = $'words\nend' ]
}

@test "attach to a container with a terminal" {
	id=$(pod console)
	c=$(start "$id" console c busybox:1 '["sh"]' '{"stdin": true, "tty": true}')
	with_input $'tty\nexit 6\n' 3 on_terminal "$CRICTL_LINE attach -it $c" >"$NODE_DIR/attached"
	grep '^/dev/' "$NODE_DIR/attached"
	eventually exited "$c"
	[ "$(status "$c" exitCode)" = 6 ]
	grep -E 'stdout F /dev/' "$NODE_DIR/logs/console/c.log"
}

@test "two clients attached see the same output" {
	id=$(pod two)
	c=$(start "$id" two c busybox:1 '["sh", "-c", "while :; do echo tick; sleep 0.1; done"]')
	attach_for 3 "$c" >"$NODE_DIR/first" 3>&- &
	attach_for 3 "$c" >"$NODE_DIR/second" 3>&-
	wait $!
	[ "$(grep -c tick "$NODE_DIR/first")" -gt 5 ]
	[ "$(grep -c tick "$NODE_DIR/second")" -gt 5 ]
}

@test "port-forward reaches a server inside the pod" {
	id=$(pod forward)
	start "$id" forward c nginx:1 '["/usr/sbin/nginx", "-g", "daemon off;"]'
	"${CRICTL:-$PEERS/bin/crictl}" --config "$NODE_DIR/crictl.yaml" port-forward "$id" 18077:80 18078:81 >/dev/null 2>&1 3>&- &
	forward=$!
	answers() { curl -fsS --max-time 2 http://127.0.0.1:18077/ 2>/dev/null | grep -q nginx; }
	eventually answers
	for i in 1 2 3 4 5; do answers; done
	# nobody listens on 81: that connection ends at once (and so does crictl's session)
	run curl -fsS --max-time 5 http://127.0.0.1:18078/
	[ "$status" != 0 ]
	[ "$status" != 28 ]
	kill -KILL "$forward" 2>/dev/null || true
}

@test "port-forward carries megabytes unharmed" {
	id=$(pod wide)
	c=$(start "$id" wide c nginx:1 '["/usr/sbin/nginx", "-g", "daemon off;"]')
	root=$(cri exec -s "$c" sh -c 'set -- $(find / -xdev -name "index*.html" -path "*www*" 2>/dev/null); dirname $1')
	cri exec -s "$c" sh -c "head -c 8000000 /dev/urandom > $root/big"
	"${CRICTL:-$PEERS/bin/crictl}" --config "$NODE_DIR/crictl.yaml" port-forward "$id" 18079:80 >/dev/null 2>&1 3>&- &
	forward=$!
	fetch() { curl -fsS --max-time 10 -o "$NODE_DIR/big" http://127.0.0.1:18079/big 2>/dev/null; }
	eventually fetch
	kill -KILL "$forward" 2>/dev/null || true
	[ "$(sha256sum <"$NODE_DIR/big")" = "$(cri exec -i "$c" cat "$root/big" </dev/null | sha256sum)" ]
}

@test "a port-forward to a pod that stops ends" {
	id=$(pod ends)
	start "$id" ends c nginx:1 '["/usr/sbin/nginx", "-g", "daemon off;"]'
	"${CRICTL:-$PEERS/bin/crictl}" --config "$NODE_DIR/crictl.yaml" port-forward "$id" 18076:80 >/dev/null 2>&1 3>&- &
	forward=$!
	answers() { curl -fsS --max-time 2 http://127.0.0.1:18076/ 2>/dev/null | grep -q nginx; }
	eventually answers
	cri rmp -f "$id"
	run curl -fsS --max-time 2 http://127.0.0.1:18076/
	[ "$status" != 0 ]
	kill -KILL "$forward" 2>/dev/null || true
}

@test "streams to what does not run are refused" {
	id=$(pod refused)
	c=$(create "$id" refused c busybox:1 "$SLEEP")
	run cri exec "$c" true
	[ "$status" != 0 ]
	run timeout -s KILL 10 "${CRICTL:-$PEERS/bin/crictl}" --config "$NODE_DIR/crictl.yaml" attach "$c"
	[ "$status" != 0 ]
	[ "$status" != 137 ]
	cri stopp "$id"
	run timeout -s KILL 10 "${CRICTL:-$PEERS/bin/crictl}" --config "$NODE_DIR/crictl.yaml" port-forward "$id" 18075:80
	[ "$status" != 0 ]
	[ "$status" != 137 ]
}

@test "an unknown token is refused" {
	port=$(ss -Hltnp | awk -v pid="$(node_pid)" '$0 ~ "pid=" pid "," { print $4 }' | head -1)
	[ -n "$port" ]
	for what in exec attach portforward; do
		run curl -sS -o /dev/null -w '%{http_code}' --max-time 5 -X POST \
			-H 'Connection: Upgrade' -H 'Upgrade: SPDY/3.1' -H 'X-Stream-Protocol-Version: v4.channel.k8s.io' "http://$port/$what/AAAAAAAA"
		[ "$output" = 404 ]
	done
}
