# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What every bats file here loads: a private node per file, short names for what a kubelet does,
# and a check after each test that nothing of a pod is left.

# shellcheck source=hack/node.sh
. "$BATS_TEST_DIRNAME/../../hack/node.sh"

# make_node - without its server.  Tests unmount, kill and change the network's settings.
make_node() {
	[ "${BULKHEAD_BOX:-}" = net ] || { echo "run these tests by hack/run-bats" >&2 && return 1; }
	[ -x "${CRICTL:-$PEERS/bin/crictl}" ] || skip "no crictl: run hack/setup-peers"
	# shellcheck disable=SC2086
	node_init "$(mktemp -d /tmp/bhtest.XXXXXX)" ${NODE_SETS:-demo} || return
	# builds with sanitizers write here what they find; see no_findings
	export ASAN_OPTIONS=log_path=$NODE_DIR/found UBSAN_OPTIONS=log_path=$NODE_DIR/found:print_stacktrace=1
}

# no_findings - of sanitizers so far, in whatever program; prints them.  (A child that borrows its
# parent's stack makes them warn, which is none.)
no_findings() { ! grep -hsE -A 30 'ERROR: |runtime error:' "$NODE_DIR"/found.*; }

# configure FILTER [jq flags...] - changes the server's configuration.
configure() {
	sed 's,[[:space:]]//.*,,' "$NODE_DIR/config.json" | jq "${@:2}" "$1" >"$NODE_DIR/config.new" &&
		mv "$NODE_DIR/config.new" "$NODE_DIR/config.json"
}

# shellcheck disable=SC2119
setup_file() { make_node && node_start; }

teardown_file() {
	local code=0
	node_made || return 0
	node_stop || code=1 # leaks are found when it ends
	no_findings || code=1
	node_finish
	return $code
}

teardown() { clean_node; }

# end_jobs - what a test that failed left in the background; bats would wait for it.
end_jobs() {
	local job
	for job in $(jobs -p); do
		[ "$job" != "$(node_pid)" ] || continue
		pkill -KILL -P "$job"
		kill -KILL "$job" 2>/dev/null
	done || true
}

# clean_node - takes all pods away; fails when something of them stays.  A test that left the
# server dead, or in a fault, gets it back first.
clean_node() {
	node_made || return 0 # setup failed
	end_jobs
	# shellcheck disable=SC2119
	[ -n "$(node_pid)" ] || node_start
	cri rmp -f -a >/dev/null 2>&1 || true
	no_findings
	eventually no_leaks || { echo "left behind:" && node_leaks && tail -5 "$NODE_LOG" && false; }
}

no_leaks() { [ -z "$(node_leaks)" ]; }

# eventually COMMAND... - becomes true (within 20 s).
eventually() {
	local end=$((SECONDS + 20))
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
	return 0
}

image() { echo "$NODE_REGISTRY/demo/$1"; }

# pull NAME:TAG - of the demo images, unless it is there.
pull() { cri inspecti "$(image "$1")" >/dev/null 2>&1 || cri pull "$(image "$1")" >/dev/null; }

# pod_json NAME [JSON] - a pod's configuration with JSON merged into it.
pod_json() {
	local extra=${2:-}
	jq -n --arg name "$1" --arg logs "$NODE_DIR/logs/$1" --arg cgroup "$NODE_CGROUP" --argjson extra "${extra:-null}" '{
		metadata: {name: $name, namespace: "default", uid: ("uid-" + $name), attempt: 0},
		log_directory: $logs, linux: {cgroup_parent: $cgroup}} * ($extra // {})'
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

# It ends with 0 on SIGTERM once it has said "ready".
# shellcheck disable=SC2034 # for the tests
SLEEP='["sh", "-c", "trap \"exit 0\" TERM; echo ready; sleep 1000 & wait"]'

# status ID JQ_PATH - of a container.
status() { cri inspect "$1" | jq -r ".status.$2"; }
pod_status() { cri inspectp "$1" | jq -r ".status.$2"; }
pod_ip() { pod_status "$1" network.ip; }
is_state() { [ "$(status "$1" state)" = "$2" ]; }
exited() { is_state "$1" CONTAINER_EXITED; }
