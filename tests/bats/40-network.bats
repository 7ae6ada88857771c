#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The pod's network: addresses, host ports, the host's own network.

load helper

setup() { pull nginx:1 && pull busybox:1; }

NGINX='["/usr/sbin/nginx", "-g", "daemon off;"]'

answers() { curl -fsS --max-time 2 "$@" 2>/dev/null | grep -q '<h1>nginx</h1>'; }

@test "a web server answers on its pod's address" {
	id=$(pod web)
	start "$id" web c nginx:1 "$NGINX"
	ip=$(pod_ip "$id")
	[[ $ip == "${NODE_SUBNET%0/24}"* ]]
	eventually answers "http://$ip/"
}

@test "a host port reaches the pod, and is free again after it" {
	id=$(pod port '{"port_mappings": [{"protocol": 0, "container_port": 80, "host_port": 18080}]}')
	start "$id" port c nginx:1 "$NGINX"
	eventually answers http://127.0.0.1:18080/
	cri rmp -f "$id"
	run curl -fsS --max-time 1 http://127.0.0.1:18080/
	[ "$status" != 0 ]
}

@test "two pods have two addresses and reach each other" {
	a=$(pod first) b=$(pod second)
	start "$a" first c nginx:1 "$NGINX"
	c=$(start "$b" second d busybox:1 "$SLEEP")
	[ "$(pod_ip "$a")" != "$(pod_ip "$b")" ]
	fetch() { cri exec -s "$c" wget -q -O - "http://$(pod_ip "$a")/" | grep -q nginx; }
	eventually fetch
}

@test "loopback is up inside" {
	id=$(pod lo)
	c=$(start "$id" lo c nginx:1 "$NGINX")
	fetch() { cri exec -s "$c" wget -q -O - http://127.0.0.1/ | grep -q nginx; }
	eventually fetch
}

@test "a pod on the host network sees the host's interfaces" {
	id=$(pod host '{"linux": {"security_context": {"namespace_options": {"network": 2}}}}')
	c=$(start "$id" host c busybox:1 "$SLEEP" '{"linux": {"security_context": {"namespace_options": {"network": 2}}}}')
	[ "$(cri exec -s "$c" readlink /proc/self/ns/net)" = "$(readlink /proc/self/ns/net)" ]
}

@test "DNS settings become resolv.conf" {
	id=$(pod dns '{"dns_config": {"servers": ["10.96.0.10"], "searches": ["svc.local"], "options": ["ndots:5"]}}')
	c=$(start "$id" dns c busybox:1 "$SLEEP")
	conf=$(cri exec -s "$c" cat /etc/resolv.conf)
	[[ $conf == *"nameserver 10.96.0.10"* && $conf == *"search svc.local"* && $conf == *"options ndots:5"* ]]
}

@test "the network namespace is where CNI daemons look, until the pod stops" {
	id=$(pod netns)
	[ -e "$NODE_DIR/netns/bh-$id" ]
	cri stopp "$id"
	[ ! -e "$NODE_DIR/netns/bh-$id" ]
}

@test "a plugin that fails makes an error with its text, and nothing stays" {
	mkdir -p "$NODE_DIR/good" && mv "$NODE_DIR"/cni/* "$NODE_DIR/good/"
	sed 's/"type": "portmap"/"type": "no-such-plugin"/' "$NODE_DIR"/good/* >"$NODE_DIR/cni/10-bad.conflist"
	sleep 1
	run pod bad
	rm "$NODE_DIR/cni/10-bad.conflist"
	mv "$NODE_DIR"/good/* "$NODE_DIR/cni/"
	[ "$status" != 0 ]
	[[ $output == *no-such-plugin* ]]
	runs() { pod again >/dev/null; }
	eventually runs
}
