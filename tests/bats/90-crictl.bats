#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every command of crictl, as a person at a node uses them, on one web server.

# shellcheck disable=SC2086 # CRICTL_LINE is several words
load helper

CRICTL_LINE="${CRICTL:-$PEERS/bin/crictl} --config $NODE_DIR/crictl.yaml"

@test "a web server by crictl: pull, runp, create, start, ask, look, enter, stop, remove" {
	cri pull "$(image nginx:1)"
	cri images | grep -E 'demo/nginx +1 '
	pod_json web '{"hostname": "web-0", "labels": {"app": "web"}, "port_mappings": [{"protocol": 0, "container_port": 80, "host_port": 18090}]}' \
		>"$NODE_DIR/web.pod.json"
	mkdir -p "$NODE_DIR/logs/web"
	id=$(cri runp --runtime runc "$NODE_DIR/web.pod.json")
	cri pods | grep -E "^${id:0:13} .* Ready +web +default +0 +runc"
	c=$(create "$id" web nginx nginx:1 '["/usr/sbin/nginx", "-g", "daemon off;"]' '{"labels": {"tier": "front"}}')
	cri ps -a | grep -E "^${c:0:13} .* Created +nginx +0 +${id:0:13}"
	cri start "$c"
	cri ps | grep -E "^${c:0:13} .* Running +nginx"
	cri ps --label tier=front -q | grep "$c"

	ip=$(pod_ip "$id")
	eventually curl -fsS --max-time 2 -o /dev/null "http://$ip/"
	curl -fsS "http://$ip/" | grep nginx
	curl -fsS http://127.0.0.1:18090/ | grep nginx

	# logs -f: what comes after it began, until the container ends
	cri logs -f "$c" >"$NODE_DIR/followed" 2>&1 3>&- &
	follow=$!
	curl -sS --max-time 5 -o /dev/null "http://$ip/asked-while-followed"
	eventually grep -q asked-while-followed "$NODE_DIR/followed"
	cri logs --tail 1 "$c" 2>&1 | grep asked-while-followed
	cri logs -t "$c" 2>&1 | grep -E '^[0-9]{4}-[0-9]{2}-[0-9]{2}T'

	cri exec -s "$c" cat /etc/hostname | grep web-0
	{ sleep 2; } | SHELL=/bin/sh timeout -s KILL 20 script -qec "$CRICTL_LINE exec -it $c sh -c 'tty; echo in the container'" /dev/null >"$NODE_DIR/tty"
	grep '^/dev/pts/' "$NODE_DIR/tty"
	grep 'in the container' "$NODE_DIR/tty"
	curl -sS --max-time 5 -o /dev/null "http://$ip/" # attach shows what comes now
	timeout -s KILL 4 $CRICTL_LINE attach "$c" >"$NODE_DIR/attached" 2>&1 3>&- &
	attach=$!
	for i in $(seq 20); do curl -sS --max-time 5 -o /dev/null "http://$ip/asked-while-attached" && sleep 0.1; done
	wait $attach || true
	grep asked-while-attached "$NODE_DIR/attached"

	$CRICTL_LINE port-forward "$id" 18091:80 >/dev/null 2>&1 3>&- &
	forward=$!
	eventually curl -fsS --max-time 2 -o /dev/null http://127.0.0.1:18091/
	kill -KILL $forward

	cri stats "$c" | grep -E "^${c:0:13} +nginx +[0-9]"
	cri stats -o json --id "$c" | jq -e '.stats[0].writableLayer.usedBytes.value | tonumber > 0'
	cri statsp --id "$id" | grep -E "web +${id:0:13} +[0-9]"
	cri inspect "$c" | jq -e --arg id "$c" '.status.id == $id and .status.state == "CONTAINER_RUNNING" and .info.pid > 1'
	cri inspectp "$id" | jq -e '.status.state == "SANDBOX_READY"'
	cri inspecti "$(image nginx:1)" | jq -e '.status.id != "" and (.info.imageSpec.config.Cmd // .info.imageSpec.config.Entrypoint | length > 0)'
	cri update --memory 134217728 "$c"

	cri stop "$c"
	wait $follow # the log has ended
	cri ps -a | grep -E "^${c:0:13} .* Exited +nginx"
	cri rm "$c"
	[ -z "$(cri ps -a -q)" ]
	cri stopp "$id"
	cri pods | grep -E "^${id:0:13} .* NotReady +web"
	cri rmp "$id"
	[ -z "$(cri pods -q)" ]
	no_leaks
	cri rmi "$(image nginx:1)"
	[ -z "$(cri images -q)" ]
}

@test "crictl run makes pod and container in one step" {
	mkdir -p "$NODE_DIR/logs/one"
	pod_json one >"$NODE_DIR/one.pod.json"
	jq -n --arg image "$(image busybox:1)" --argjson cmd "$SLEEP" '{metadata: {name: "c"}, image: {image: $image}, command: $cmd, log_path: "c.log"}' >"$NODE_DIR/c.json"
	cri run "$NODE_DIR/c.json" "$NODE_DIR/one.pod.json"
	[ "$(cri exec -s "$(cri ps -q)" echo works)" = works ]
}

@test "ids may be cut, as crictl shows them; what fits two is refused" {
	pull busybox:1
	id=$(pod cut)
	c=$(start "$id" cut c busybox:1 "$SLEEP")
	[ "$(cri exec -s "${c:0:13}" echo works)" = works ]
	[ "$(cri inspectp "${id:0:6}" | jq -r .status.id)" = "$id" ]
	run cri inspect ""
	[ "$status" != 0 ]
	run cri inspect 0000000000000
	[ "$status" != 0 ]
	[[ $output == *"not found"* || $output == *"NotFound"* ]]
	cri rm -f "${c:0:13}"
}

@test "the node: version, info, runtime-config, imagefsinfo" {
	cri version | grep -E '^RuntimeApiVersion: +v1$'
	cri info | jq -e '.status.conditions | map(.status) | all'
	cri runtime-config | grep -i 'cgroup driver: *CGROUPFS'
	cri update-runtime-config --pod-cidr 10.9.0.0/16
	at=$(cri imagefsinfo -o json | jq -r '(.status.imageFilesystems // .imageFilesystems)[0].fsId.mountpoint')
	[ -d "$at" ]
}

@test "what later versions bring is refused as unimplemented, not half done" {
	pull busybox:1
	id=$(pod later)
	c=$(start "$id" later c busybox:1 "$SLEEP")
	for command in "checkpoint --export $NODE_DIR/c.tar $c" metricdescs metricsp events; do
		# shellcheck disable=SC2086
		run timeout -s KILL 20 $CRICTL_LINE $command
		[ "$status" != 0 ]
		[[ $output == *Unimplemented* ]]
	done
	is_state "$c" CONTAINER_RUNNING
}
