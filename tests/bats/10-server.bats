#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The server itself: flags, configuration, what it tells of itself.

load helper

@test "every program has --version and --help" {
	for program in bulkheadd bulkhead bulkhead-monitor bulkhead-pause bulkhead-fetch bulkhead-unpack; do
		run "$BIN/$program" --version
		[ "$status" = 0 ]
		[[ $output == "$program "[0-9]* ]]
		run "$BIN/$program" --help
		[ "$status" = 0 ]
		[[ $output == *"usage: $program"* ]]
	done
}

@test "a wrong flag prints the usage and ends with 2" {
	run "$BIN/bulkheadd" --no-such-flag
	[ "$status" = 2 ]
	[[ $output == *"usage: bulkheadd"* ]]
	run "$BIN/bulkheadd" surplus
	[ "$status" = 2 ]
	[[ $output == *"'surplus'"* ]]
}

@test "a relative path in a flag is refused" {
	run "$BIN/bulkheadd" --root relative
	[ "$status" = 1 ]
	[[ $output == *"--root 'relative' is not an absolute path"* ]]
}

@test "an unknown key names its line and the nearest known one" {
	printf '{\n  // a comment\n  "lisetn": "/x"\n}\n' >"$NODE_DIR/bad.json"
	run "$BIN/bulkheadd" --config "$NODE_DIR/bad.json"
	[ "$status" = 1 ]
	[[ $output == *"bad.json:3: unknown key 'lisetn' (did you mean 'listen'?)"* ]]
}

@test "a wrong type, an absent default handler and broken JSON are refused" {
	echo '{"cni": {"conf_dir": 3}}' >"$NODE_DIR/bad.json"
	run "$BIN/bulkheadd" --config "$NODE_DIR/bad.json"
	[ "$status" = 1 ]
	[[ $output == *"'conf_dir' must be an absolute path, not"* ]]
	echo '{"default_handler": "nobody"}' >"$NODE_DIR/bad.json"
	run "$BIN/bulkheadd" --config "$NODE_DIR/bad.json"
	[ "$status" = 1 ]
	[[ $output == *"'nobody' is not one of the handlers"* ]]
	echo '{"listen": ' >"$NODE_DIR/bad.json"
	run "$BIN/bulkheadd" --config "$NODE_DIR/bad.json"
	[ "$status" = 1 ]
	[[ $output == *"bad.json"* ]]
}

@test "a configuration that is named must exist" {
	run "$BIN/bulkheadd" --config "$NODE_DIR/absent.json"
	[ "$status" = 1 ]
	[[ $output == *"absent.json"* ]]
}

@test "Version names runtime and API" {
	run cri version
	[ "$status" = 0 ]
	[[ $output == *"RuntimeName:  bulkhead"* ]]
	[[ $output == *"RuntimeApiVersion:  v1"* ]]
}

@test "Status is ready, lists the handlers and shows the configuration" {
	cri info >"$NODE_DIR/info.json"
	[ "$(jq -r '.status.conditions[] | select(.status) | .type' "$NODE_DIR/info.json" | sort | xargs)" = "NetworkReady RuntimeReady" ]
	jq -e '[.runtimeHandlers[] | .name // ""] | (any(. == "runc") and any(. == ""))' "$NODE_DIR/info.json"
	jq -e --arg state "$NODE_DIR/state" '.config.stateDir == $state' "$NODE_DIR/info.json"
}

@test "the socket is for root and its group" {
	[ "$(stat -c %a "$NODE_SOCKET")" = 660 ]
}

@test "a second server on the same directories is refused, and the first serves on" {
	run timeout 20 "$BIN/bulkheadd" --config "$NODE_DIR/config.json"
	[ "$status" = 1 ]
	[[ $output == *"another server uses $NODE_DIR/"* ]]
	cri version
	# one that shares only one of the directories, or only the socket
	for other in root state; do
		jq --arg dir "$NODE_DIR" --arg other "$other" \
			'.[$other] = $dir + "/other" | .listen = $dir + "/other.sock"' <(sed 's,[[:space:]]//.*,,' "$NODE_DIR/config.json") >"$NODE_DIR/second.json"
		run timeout 20 "$BIN/bulkheadd" --config "$NODE_DIR/second.json"
		[ "$status" = 1 ]
		[[ $output == *"another server uses $NODE_DIR/"* ]]
	done
	run timeout 20 "$BIN/bulkheadd" --root "$NODE_DIR/other" --state "$NODE_DIR/other-state" --listen "$NODE_SOCKET"
	[ "$status" = 1 ]
	[[ $output == *"$NODE_SOCKET"* ]]
	cri version
}

@test "without a CNI configuration NetworkReady is false and says why; it is picked up when it comes" {
	network_is() { [ "$(cri info | jq -r '.status.conditions[] | select(.type == "NetworkReady") | .status')" = "$1" ]; }
	mv "$NODE_DIR"/cni/*.conflist "$NODE_DIR/aside"
	eventually network_is false
	cri info | jq -e '.status.conditions[] | select(.type == "NetworkReady") | .message | length > 0'
	mv "$NODE_DIR/aside" "$NODE_DIR/cni/10-$NODE_BRIDGE.conflist"
	eventually network_is true
}

@test "a server that was stopped leaves its socket usable for the next" {
	node_stop
	node_start
	cri version
}
