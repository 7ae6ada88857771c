# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What every bats file here loads: a private node per file, short names for what a kubelet does,
# and a check after each test that nothing of a pod is left.

# shellcheck source=hack/node.sh
. "$BATS_TEST_DIRNAME/../../hack/node.sh"

setup_file() {
	[ -x "${CRICTL:-$PEERS/bin/crictl}" ] || skip "no crictl: run hack/setup-peers"
	# shellcheck disable=SC2119
	# shellcheck disable=SC2015,SC2086
	node_init "$(mktemp -d /tmp/bhtest.XXXXXX)" ${NODE_SETS:-demo} && node_start
}

teardown_file() { node_finish; }

# A test that left the server dead or in a fault brings it back first.
teardown() {
	# shellcheck disable=SC2119
	[ -n "$(node_pid)" ] || node_start
	cri rmp -f -a >/dev/null 2>&1 || true
	eventually no_leaks || { echo "left behind:" && node_leaks && tail -5 "$NODE_LOG" && false; }
}

no_leaks() { [ -z "$(node_leaks)" ]; }

# eventually COMMAND... - true within 10 s.
eventually() {
	local i
	for i in $(seq 100); do
		"$@" && return
		sleep 0.1
	done
	return 1
}

image() { echo "$NODE_REGISTRY/demo/$1"; }

# pull NAME:TAG - of the demo images, unless it is there.
pull() { cri inspecti "$(image "$1")" >/dev/null 2>&1 || cri pull "$(image "$1")" >/dev/null; }

# pod_json NAME [JSON] - a pod's configuration with JSON merged into it.
pod_json() {
	local extra=${2:-}
	jq -n --arg name "$1" --arg logs "$NODE_DIR/logs/$1" --argjson extra "${extra:-null}" '{
		metadata: {name: $name, namespace: "default", uid: ("uid-" + $name), attempt: 0},
		log_directory: $logs, linux: {}} * ($extra // {})'
}

# pod NAME [JSON [crictl flags...]] - runs it and prints its id.
pod() {
	local name=$1 json=${2:-}
	shift $(($# < 2 ? 1 : 2))
	mkdir -p "$NODE_DIR/logs/$name"
	pod_json "$name" "$json" >"$NODE_DIR/$name.pod.json"
	cri runp "$@" "$NODE_DIR/$name.pod.json"
}

# create POD_ID POD_NAME NAME IMAGE COMMAND_JSON [JSON] - prints the container's id.
create() {
	local extra=${6:-}
	jq -n --arg name "$3" --arg image "$(image "$4")" --argjson cmd "$5" \
		--argjson extra "${extra:-null}" '{
		metadata: {name: $name, attempt: 0}, image: {image: $image}, command: $cmd,
		log_path: ($name + ".log"), linux: {}} * ($extra // {})' >"$NODE_DIR/$3.json"
	cri create "$1" "$NODE_DIR/$3.json" "$NODE_DIR/$2.pod.json"
}

# start - as create, and started.
start() {
	local id
	id=$(create "$@") && cri start "$id" >/dev/null && echo "$id"
}

# shellcheck disable=SC2034 # for the tests
SLEEP='["sh", "-c", "trap \"exit 0\" TERM; sleep 1000 & wait"]'

# status ID JQ_PATH - of a container.
status() { cri inspect "$1" | jq -r ".status.$2"; }
pod_status() { cri inspectp "$1" | jq -r ".status.$2"; }
pod_ip() { pod_status "$1" network.ip; }
is_state() { [ "$(status "$1" state)" = "$2" ]; }
exited() { is_state "$1" CONTAINER_EXITED; }
