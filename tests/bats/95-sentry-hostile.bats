#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Guests that have taken over their stubs: what others see of it.

setup() {
	DIR=$(mktemp -d /tmp/bhhostile.XXXXXX)
	RT="$BIN/bulkhead-sentry --root $DIR/state"
	grep -q fsgsbase /proc/cpuinfo || skip "this processor has no rdgsbase"
	mkdir "$DIR/ro" "$DIR/two"
	echo "as it was" >"$DIR/ro/file"
	install -m 4755 "$BIN/../tests/guest/hostile" "$DIR/ro/hostile"
	jq -n --arg id "$(basename "$DIR")" --arg dir "$DIR" '{ociVersion: "1.0.2", root: {path: "/", readonly: true},
		process: {args: ["/bin/sleep", "100"], cwd: "/", env: ["PATH=/usr/bin:/bin"], user: {uid: 0, gid: 0}},
		mounts: [{destination: "/proc", type: "proc", source: "proc"},
			{destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"]},
			{destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "nodev", "mode=1777"]},
			{destination: "/mnt", type: "bind", source: ($dir + "/ro"), options: ["bind", "ro"]}],
		linux: {cgroupsPath: ("/" + $id), namespaces: [{type: "pid"}, {type: "mount"}, {type: "network"}, {type: "ipc"}]}}' >"$DIR/config.json"
	$RT run -d --bundle "$DIR" pod >"$DIR/out" 2>&1 3>&-
}

teardown() {
	local one
	for one in "$DIR"/state/*; do [ ! -d "$one" ] || $RT delete --force "${one##*/}"; done
	rm -rf "$DIR"
}

# member USER COMMAND - a second container of the pod, of that user; its output.
member() {
	jq --argjson user "$1" --arg command "$2" '.annotations = {"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-id": "pod"} |
		.linux.cgroupsPath += "-2" | .process.user.uid = $user |
		(["CAP_SETUID", "CAP_SETGID"] as $caps | .process.capabilities = {bounding: $caps, effective: $caps, permitted: $caps}) | .process.args = ["/bin/sh", "-c", $command]' "$DIR/config.json" >"$DIR/two/config.json"
	timeout 30 "$BIN/bulkhead-sentry" --root "$DIR/state" run --bundle "$DIR/two" member 3>&-
	$RT delete --force member
}

# The pod's first container and new ones are as they were.
others_live() {
	[ "$($RT exec pod /bin/cat /mnt/file 3>&-)" = "as it was" ]
	[ "$($RT exec pod /bin/sh -c 'echo $((6 * 7)) | cat' 3>&-)" = 42 ]
}

@test "descriptors that enter a stub: no mapping of them can be written" {
	sum=$(sha256sum <"$DIR/ro/hostile")
	run member 0 "/mnt/hostile files /mnt/file /mnt/hostile /usr/bin/env /etc/passwd"
	echo "$output"
	[ "$(grep -c 'tried, not written' <<<"$output")" = 8 ]
	[ "$(sha256sum <"$DIR/ro/hostile")" = "$sum" ]
	[ "$(cat "$DIR/ro/file")" = "as it was" ]
	others_live
}

@test "files in the sentry's memory are written by whoever may" {
	# what may not be written by its mode, and a segment that is only for reading
	run member 0 'echo mine >/dev/shm/f; dd if=/dev/zero bs=8192 count=1 >>/dev/shm/f 2>/dev/null; chmod 644 /dev/shm/f
		setpriv --reuid 1000 --clear-groups /mnt/hostile files /dev/shm/f; head -n 1 /dev/shm/f
		ipcmk -M 4096 -p 0644 >/dev/null; k=$(ipcs -m | awk "/^0x/ { print \$1 }")
		setpriv --reuid 1000 --clear-groups /mnt/hostile shm $((k))'
	echo "$output"
	[ "${lines[0]}" = "/dev/shm/f: tried, not written" ]
	[ "${lines[1]}" = "/dev/shm/f: tried, not written" ]
	[ "${lines[2]}" = mine ]
	[ "${lines[3]}" = "segment: tried, not written" ]
	others_live
}

@test "a stub that overwrites itself: only its process is gone" {
	run member 0 "/mnt/hostile stub; echo next: \$(echo fine)"
	echo "$output"
	[ "${lines[0]}" = "a child is gone: 1" ]
	[ "${lines[1]}" = "next: fine" ]
	others_live
}

@test "a poisoned stub executes a setuid program and gains nothing" {
	run member 1000 "/mnt/hostile whoami; exec /mnt/hostile poison /mnt/hostile"
	echo "$output"
	[ "${lines[*]}" = "user 0 user 0" ] # the program is setuid: no word of the old stub
	others_live
}
