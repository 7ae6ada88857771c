#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The pod's network: addresses, host ports, IPv6, the host's own network, plugins that fail.

load helper

setup_file() {
	make_node || return
	cp "$NODE_DIR"/cni/*.conflist "$NODE_DIR/standard.conflist"
	# a plugin that notes its calls, and hangs or fails when a file says so
	mkdir "$NODE_DIR/cni-bin"
	cat >"$NODE_DIR/cni-bin/noting" <<-EOF
		#!/bin/bash
		conf=\$(cat)
		[ "\$CNI_COMMAND" = VERSION ] && echo '{"cniVersion": "1.0.0", "supportedVersions": ["0.4.0", "1.0.0"]}' && exit
		[ -z "\$CNI_NETNS" ] || [ -e "\$CNI_NETNS" ] || gone=" without netns"
		echo "\$CNI_COMMAND \$CNI_CONTAINERID\$gone" >>"$NODE_DIR/cni-calls"
		while [ -e "$NODE_DIR/hang-\$CNI_COMMAND" ]; do sleep 0.05; done
		if [ -e "$NODE_DIR/fail-\$CNI_COMMAND" ]; then
			echo '{"cniVersion": "1.0.0", "code": 100, "msg": "told to fail", "details": "by the test"}'
			exit 1
		fi
		[ "\$CNI_COMMAND" != ADD ] || jq .prevResult <<<"\$conf"
	EOF
	chmod +x "$NODE_DIR/cni-bin/noting"
	configure '.cni.bin_dirs = [$dir] + .cni.bin_dirs' --arg dir "$NODE_DIR/cni-bin"
	# shellcheck disable=SC2119
	node_start
}

setup() {
	rm -f "$NODE_DIR"/hang-* "$NODE_DIR"/fail-* "$NODE_DIR/cni-calls"
	rm -f "$NODE_DIR"/cni/*
	cp "$NODE_DIR/standard.conflist" "$NODE_DIR/cni/10-$NODE_BRIDGE.conflist"
	pull nginx:1 && pull busybox:1
}

teardown() {
	rm -f "$NODE_DIR"/hang-* "$NODE_DIR"/fail-*
	clean_node
}

# network FILTER - changes the network's configuration, as an add-on would.
network() {
	jq "$1" "$NODE_DIR/standard.conflist" >"$NODE_DIR/cni.new"
	mv "$NODE_DIR/cni.new" "$NODE_DIR/cni/10-$NODE_BRIDGE.conflist"
}

NGINX='["/usr/sbin/nginx", "-g", "daemon off;"]'
NOTING='.plugins += [{type: "noting"}]'

answers() { curl -fsS --max-time 2 "$@" 2>/dev/null | grep -q '<h1>nginx</h1>'; }
addresses() { find "$NODE_DIR/ipam" -name '[0-9]*.*' | wc -l; }

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

@test "ports as the kubelet gives them: several, of UDP, on one address, and without a host port" {
	id=$(pod ports '{"port_mappings": [
		{"protocol": 0, "container_port": 80, "host_port": 18080},
		{"protocol": 0, "container_port": 80, "host_port": 18081, "host_ip": "127.0.0.1"},
		{"protocol": 1, "container_port": 5300, "host_port": 18082},
		{"protocol": 0, "container_port": 8443, "host_port": 0}]}')
	start "$id" ports c nginx:1 "$NGINX"
	bridge=${NODE_SUBNET%0/24}1
	eventually answers http://127.0.0.1:18080/
	answers "http://$bridge:18080/"
	answers http://127.0.0.1:18081/
	run curl -fsS --max-time 2 "http://$bridge:18081/"
	[ "$status" != 0 ]
	iptables-save -t nat | grep -E -- '-p udp .*--dport 18082 .*-j DNAT --to-destination '"$(pod_ip "$id"):5300"
	run bash -c 'iptables-save -t nat | grep 8443'
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

@test "with a network of both families the pod has both addresses" {
	[ -e /proc/net/if_inet6 ] || skip "this kernel has no IPv6"
	network '.plugins[0].ipam.ranges += [[{"subnet": "fd00:b41c::/64"}]] | .plugins[0].ipam.routes += [{"dst": "::/0"}]'
	id=$(pod both)
	c=$(start "$id" both c busybox:1 "$SLEEP")
	[[ $(pod_ip "$id") == "${NODE_SUBNET%0/24}"* ]]
	six=$(pod_status "$id" 'network.additionalIps[0].ip')
	[[ $six == fd00:b41c::* ]]
	nsenter --net="$NODE_DIR/netns/bh-$id" ip -6 -o addr show eth0 | grep -F "$six/64"
	cri exec -s "$c" cat /etc/hosts >/dev/null
	# the connection arrives: nobody listens, and says so
	run curl -sS --max-time 5 -g "http://[$six]:81/"
	[ "$status" = 7 ]
}

@test "on a host without IPv6 pods have addresses and host ports" {
	sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	id=$(pod four '{"port_mappings": [{"protocol": 0, "container_port": 80, "host_port": 18084}]}')
	start "$id" four c nginx:1 "$NGINX"
	eventually answers http://127.0.0.1:18084/
	cri port-forward "$id" 18085:80 >/dev/null 2>&1 3>&- &
	forward=$!
	eventually answers http://127.0.0.1:18085/
	pkill -KILL -P $forward || kill -KILL $forward
	sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0
}

@test "a pod on the host network sees the host's interfaces, name and resolv.conf" {
	host='{"linux": {"security_context": {"namespace_options": {"network": 2}}}}'
	id=$(pod host "$host")
	c=$(start "$id" host c busybox:1 "$SLEEP" "$host")
	[ "$(cri exec -s "$c" readlink /proc/self/ns/net)" = "$(readlink /proc/self/ns/net)" ]
	[ "$(cri exec -s "$c" hostname)" = "$(hostname)" ]
	[ "$(cri exec -s "$c" cat /etc/resolv.conf)" = "$(cat /etc/resolv.conf)" ]
	[ "$(pod_ip "$id")" = "" ] || [ "$(pod_ip "$id")" = null ]
}

# A kubelet that has its figures from the CRI looks into the default interface unasked.
@test "figures have an interface of the pod's own, or no network" {
	own=$(pod own)
	host=$(pod host '{"linux": {"security_context": {"namespace_options": {"network": 2}}}}')
	[ "$(cri statsp -o json --id "$own" | jq -r '.stats[0].linux.network.defaultInterface.name')" = eth0 ]
	[ "$(cri statsp -o json --id "$host" | jq -r '.stats[0].linux.network')" = null ]
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

@test "a plugin that is not installed makes an error with its name, and nothing stays" {
	network '.plugins += [{type: "no-such-plugin"}]'
	run pod bad
	[ "$status" != 0 ]
	[[ $output == *no-such-plugin* ]]
	cri info | jq -e '.status.conditions[] | select(.type == "NetworkReady") | (.status | not) and (.message | contains("no-such-plugin"))'
	eventually no_leaks
	network .
	pod again
}

@test "a plugin that fails makes an error with its text, and nothing stays" {
	network "$NOTING"
	touch "$NODE_DIR/fail-ADD"
	run pod bad
	[ "$status" != 0 ]
	[[ $output == *noting*"told to fail"*"by the test"* ]]
	eventually no_leaks
	grep '^DEL' "$NODE_DIR/cni-calls"
	rm "$NODE_DIR/fail-ADD"
	pod bad
}

@test "a DEL that fails keeps no pod from going; the next server tries it again" {
	network "$NOTING"
	id=$(pod stuck)
	touch "$NODE_DIR/fail-DEL"
	cri stopp "$id"
	cri rmp "$id"
	[ -z "$(cri pods -q)" ]
	[ "$(grep -c "^DEL $id" "$NODE_DIR/cni-calls")" -ge 1 ]
	node_leaks | grep "record cni $id"
	node_kill
	rm "$NODE_DIR/fail-DEL"
	node_start
	eventually no_leaks
	[ "$(addresses)" = 0 ]
}

@test "a DEL that fails does not keep the same pod from running again" {
	network "$NOTING"
	id=$(pod again)
	touch "$NODE_DIR/fail-DEL"
	cri rmp -f "$id"
	other=$(pod again)
	[ "$other" != "$id" ]
	rm "$NODE_DIR/fail-DEL"
	cri rmp -f "$other"
	node_stop
	node_start
	eventually no_leaks
}

@test "killed while a plugin adds the network: the next server deletes it" {
	network "$NOTING"
	touch "$NODE_DIR/hang-ADD"
	pod half >/dev/null 2>&1 3>&- &
	eventually grep -qs '^ADD' "$NODE_DIR/cni-calls"
	[ "$(addresses)" = 1 ]
	node_kill
	wait $! || true
	rm "$NODE_DIR/hang-ADD"
	node_start
	eventually no_leaks
	grep '^DEL' "$NODE_DIR/cni-calls"
	pod half
}

@test "killed while a plugin deletes the network: the next server deletes it again" {
	network "$NOTING"
	id=$(pod half)
	touch "$NODE_DIR/hang-DEL"
	cri stopp "$id" >/dev/null 2>&1 3>&- &
	eventually grep -qs '^DEL' "$NODE_DIR/cni-calls"
	node_kill
	wait $! || true
	rm "$NODE_DIR/hang-DEL"
	node_start
	cri stopp "$id"
	cri rmp "$id"
	eventually no_leaks
}

@test "a namespace that is gone, as after a reboot, is no obstacle to DEL" {
	network "$NOTING"
	id=$(pod lost)
	monitor=$(cri inspectp "$id" | jq .info.monitorPid)
	node_kill
	kill -KILL "$monitor"
	umount "$NODE_DIR/netns/bh-$id"
	rm "$NODE_DIR/netns/bh-$id"
	iptables -t nat -F && iptables -t nat -X # gone with a reboot too; this network is the box's
	node_start
	cri rmp -f "$id"
	eventually no_leaks
	grep "^DEL $id" "$NODE_DIR/cni-calls"
	[ "$(addresses)" = 0 ]
}

@test "DEL has the configuration that ADD had, whatever came since" {
	network "$NOTING"
	id=$(pod older)
	rm "$NODE_DIR"/cni/*
	jq '.name = "other" | .plugins[0].ipam.dataDir += "-other"' "$NODE_DIR/standard.conflist" >"$NODE_DIR/cni/05-other.conflist"
	new=$(pod newer)
	node_kill
	node_start
	cri rmp -f "$id" "$new"
	grep "^DEL $id" "$NODE_DIR/cni-calls"
	run grep "$new" "$NODE_DIR/cni-calls"
	[ "$status" != 0 ]
	[ "$(addresses)" = 0 ]
	[ -z "$(find "$NODE_DIR/ipam-other" -name '[0-9]*.*')" ]
}
