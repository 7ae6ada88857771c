# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A private node for the demo, the tests and the benchmarks: a directory with its own
# configuration, registry, CNI list and server, which touches nothing of another's.
#
# Source it, then:
#   node_init DIR SET...   directories, a registry filled with those image sets, configuration
#   node_start [ENV=VAL..] start bulkheadd and wait until it is ready
#   node_stop, node_kill   SIGTERM, SIGKILL and wait
#   node_leaks             print what is left of pods; nothing when clean
#   node_finish            stop all of it, take away what it made
#   cri ARGUMENTS          crictl on this node
# Variables: BIN (programs under test), NODE_DIR, NODE_SOCKET, NODE_REGISTRY, NODE_SUBNET,
# NODE_BRIDGE, NODE_LOG, NODE_CGROUP (for pods whose cgroups node_leaks is to look for), PEERS
# (what hack/setup-peers made), NODE_MONITORS (the cgroup that holds monitors'), NODE_IMAGES (a registry's storage that has the images already;
# nothing is pushed then), NODE_RUNC (the OCI runtime of handler runc, as JSON).  All are exported, and the server's
# pid stands in NODE_DIR/pid, so that another shell may go on with the node.  Every registry is
# the node's own one, unless NODE_OWN_REGISTRIES is set.

NODE_HACK=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BIN=${BIN:-$(dirname "$NODE_HACK")/build/bin}
PEERS=${BULKHEAD_PEERS:-/opt/bulkhead-peers}

cri() {
	"${CRICTL:-$PEERS/bin/crictl}" --config "$NODE_DIR/crictl.yaml" "$@"
}

# A bridge and a /24 that nobody here uses.
node_pick_network() {
	local i n
	for i in $(seq 200); do
		n=$(((RANDOM + i) % 250 + 1))
		ip link show "bh$n" >/dev/null 2>&1 && continue
		ip -4 route | grep -q "10\.217\.$n\." && continue
		NODE_BRIDGE=bh$n NODE_SUBNET=10.217.$n.0/24
		return
	done
	echo "node: no free bridge name" >&2 && return 1
}

node_write_config() {
	local runc='["crun", "runc"]'
	[ -z "${NODE_RUNC:-}" ] || runc=$NODE_RUNC
	cat >"$NODE_DIR/cni/10-$NODE_BRIDGE.conflist" <<-EOF
		{"cniVersion": "1.0.0", "name": "$NODE_BRIDGE", "plugins": [
		 {"type": "bridge", "bridge": "$NODE_BRIDGE", "isGateway": true, "ipMasq": true, "hairpinMode": true,
		  "ipam": {"type": "host-local", "dataDir": "$NODE_DIR/ipam", "ranges": [[{"subnet": "$NODE_SUBNET"}]],
		           "routes": [{"dst": "0.0.0.0/0"}]}},
		 {"type": "portmap", "capabilities": {"portMappings": true}}]}
	EOF
	cat >"$NODE_DIR/crictl.yaml" <<-EOF
		runtime-endpoint: unix://$NODE_SOCKET
		image-endpoint: unix://$NODE_SOCKET
		timeout: 120
	EOF
	[ -n "${NODE_OWN_REGISTRIES:-}" ] || cat >"$NODE_DIR/certs.d/_default/hosts.toml" <<-EOF
		[host."http://$NODE_REGISTRY"]
		  capabilities = ["pull", "resolve"]
	EOF
	cat >"$NODE_DIR/config.json" <<-EOF
		{
		  "listen": "$NODE_SOCKET", "root": "$NODE_DIR/root", "state": "$NODE_DIR/state",
		  "netns_dir": "$NODE_DIR/netns", "monitor_cgroup": "${NODE_MONITORS:-$NODE_CGROUP-monitors}", "log_level": "${NODE_LOG_LEVEL:-info}",
		  "registry": { "config_path": "$NODE_DIR/certs.d" },  // every registry is the local one
		  "cni": { "bin_dirs": ["/opt/cni/bin", "/usr/lib/cni"], "conf_dir": "$NODE_DIR/cni" },
		  "default_handler": "runc",
		  "handlers": {
		    "runc": { "runtime": $runc },
		    "absent": { "runtime": "no-such-runtime" }
		  }
		}
	EOF
}

# node_cgroups - directories of cgroups of pods and monitors, the deepest first.
node_cgroups() {
	find /sys/fs/cgroup{/*,}"$NODE_CGROUP"{,-monitors} -mindepth 1 -depth -type d \
		2>/dev/null
}

# node_made - whether NODE_DIR is a node's directory that node_init made.  Nothing is killed,
# unmounted or removed by a match on NODE_DIR before this holds: an empty one matches all.
node_made() {
	case ${NODE_DIR:-} in /?*/?*) [ -e "$NODE_DIR/.bulkhead-node" ] && return 0 ;; esac
	echo "node: '${NODE_DIR:-}' is not a node's directory" >&2
	return 1
}

# node_mounts - mount points below NODE_DIR, the deepest first.
node_mounts() {
	awk -v dir="$NODE_DIR/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r
}

node_init() {
	case $1 in /?*/?*) ;; *) echo "node: '$1' is no directory for a node" >&2 && return 1 ;; esac
	NODE_DIR=$1 NODE_SOCKET=$1/bulkhead.sock NODE_LOG=$1/bulkheadd.log
	shift
	NODE_CGROUP=/bulkhead-node/${NODE_DIR##*/}
	export NODE_DIR NODE_SOCKET NODE_LOG NODE_CGROUP NODE_REGISTRY NODE_REGISTRY_PID NODE_BRIDGE NODE_SUBNET
	mkdir -p "$NODE_DIR/cni" "$NODE_DIR/certs.d/_default" "$NODE_DIR/netns"
	chmod 711 "$NODE_DIR" # a root of a user namespace passes through
	touch "$NODE_DIR/.bulkhead-node"
	[ -z "${NODE_IMAGES:-}" ] || { mkdir "$NODE_DIR/registry" && ln -s "$NODE_IMAGES" "$NODE_DIR/registry/registry"; }
	read -r NODE_REGISTRY_PID NODE_REGISTRY < <("$NODE_HACK/registry" "$NODE_DIR/registry")
	[ -n "$NODE_REGISTRY_PID" ] || return 1
	NODE_REGISTRY=127.0.0.1:$NODE_REGISTRY
	[ $# = 0 ] || [ -n "${NODE_IMAGES:-}" ] || "$NODE_HACK/make-images" push "$NODE_REGISTRY" "$@" || return 1
	node_pick_network && node_write_config
}

# node_pid - of the server, or nothing.  A zombie that nobody has reaped yet is no server.
node_pid() {
	local pid
	pid=$(cat "$NODE_DIR/pid" 2>/dev/null) || return 1
	grep -qs '^State:[[:space:]]*[^Z[:space:]]' "/proc/$pid/status" && echo "$pid"
}

node_ready() { tail -n "+$1" "$NODE_LOG" | grep -q 'ready on '; }

# Variables given as ENV=VAL are the server's alone.
node_start() {
	touch "$NODE_LOG"
	local i from=$(($(wc -l <"$NODE_LOG") + 1))
	env "$@" setsid "$BIN/bulkheadd" --config "$NODE_DIR/config.json" </dev/null >>"$NODE_LOG" 2>&1 3>&- &
	echo $! >"$NODE_DIR/pid"
	disown $! || true # or the shell reports how it ended
	for i in $(seq 400); do
		node_ready "$from" && return
		node_pid >/dev/null || break
		sleep 0.05
	done
	echo "node: bulkheadd is not ready:" >&2
	tail -n "+$from" "$NODE_LOG" >&2
	return 1
}

# node_wait - until the server has ended, however (at most 30 s).
node_wait() {
	local i
	for i in $(seq 600); do
		node_pid >/dev/null || return 0
		sleep 0.05
	done
	echo "node: bulkheadd ($(node_pid)) does not end" >&2
	return 1
}

node_signal() {
	local pid
	pid=$(node_pid) || return 0
	kill "-$1" "$pid" && node_wait
}
node_stop() { node_signal TERM; }
node_kill() { node_signal KILL; }

# node_processes - of pods: their command lines name this node's directory, or its server's child.
node_processes() {
	local p pid argv args
	node_made || return
	pid=$(node_pid)
	for p in /proc/[0-9]*; do
		{ mapfile -d '' -t argv <"$p/cmdline"; } 2>/dev/null || continue
		args="${argv[*]} "
		case ${p#/proc/} in "$pid" | "$NODE_REGISTRY_PID" | "$$" | "$BASHPID") continue ;; esac
		case $args in *"$NODE_DIR/state"* | *"$NODE_DIR/root"*) echo "${p#/proc/} $args" ;; esac
	done
}

node_leaks() {
	local x -
	set +e # most of these find nothing
	node_made || return
	node_processes | sed 's/^/process /'
	node_mounts | sed 's/^/mount /' |
		grep -vE "^mount $NODE_DIR/(state|state/pods|netns|root[a-z/]*)$"
	node_cgroups | sed 's/^/cgroup /'
	for x in "$NODE_DIR"/netns/* "$NODE_DIR"/state/pods/* "$NODE_DIR"/state/runtimes/* \
		"$NODE_DIR"/root/containers/*; do
		[ ! -e "$x" ] || echo "file $x"
	done
	find "$NODE_DIR/ipam" -name '[0-9]*.*' 2>/dev/null | sed 's/^/address /'
	iptables-save 2>/dev/null | grep -E "name: \\\\?\"$NODE_BRIDGE\\\\?\"" | sed 's/^/rule /'
	ip -o link show master "$NODE_BRIDGE" 2>/dev/null | sed 's/^/link /'
	if [ -e "$NODE_DIR/root/state.db" ] && command -v sqlite3 >/dev/null; then
		sqlite3 -readonly "$NODE_DIR/root/state.db" \
			"select 'record ' || kind || ' ' || id from record where kind in ('pod', 'container', 'cni')" 2>&1
	fi
}

node_finish() {
	local p at
	node_made || return
	node_stop || node_kill
	for p in $(node_processes | awk '{ print $1 }'); do kill -KILL "$p" 2>/dev/null; done
	[ -z "$NODE_REGISTRY_PID" ] || kill "$NODE_REGISTRY_PID" 2>/dev/null
	node_mounts | while read -r at; do umount -l "$at"; done
	ip link del "$NODE_BRIDGE" 2>/dev/null
	node_cgroups | xargs -r rmdir 2>/dev/null
	rmdir /sys/fs/cgroup{/*,}"$NODE_CGROUP"{,-monitors} 2>/dev/null
	rm -rf "$NODE_DIR"
}
