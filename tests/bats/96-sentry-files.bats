#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What happens to a container's files from outside: the host changes them, has no room, or the
# process that reaches them is gone.

setup() {
	DIR=$(mktemp -d /tmp/bhfiles.XXXXXX)
	RT="$BIN/bulkhead-sentry --root $DIR/state --log $DIR/log --log-format json"
	mkdir "$DIR/volume"
}

teardown() {
	local one
	for one in "$DIR"/state/*; do [ ! -d "$one" ] || $RT delete --force "${one##*/}"; done
	! mountpoint -q "$DIR/volume" || umount "$DIR/volume"
	rm -rf "$DIR"
}

# bundle SCRIPT - a config.json on the host's files, read-only, with a volume at /mnt.
bundle() {
	jq -n --arg id "$(basename "$DIR")" --arg script "$1" --arg volume "$DIR/volume" '{ociVersion: "1.0.2",
		root: {path: "/", readonly: true},
		process: {args: ["/bin/sh", "-c", $script], cwd: "/", env: ["PATH=/usr/bin:/bin"], user: {uid: 0, gid: 0}},
		mounts: [{destination: "/proc", type: "proc", source: "proc"},
			{destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"]},
			{destination: "/mnt", type: "bind", source: $volume, options: ["bind", "rw"]}],
		linux: {cgroupsPath: ("/" + $id), namespaces: [{type: "pid"}, {type: "mount"}, {type: "network"}]}}' \
		>"$DIR/config.json"
}

start() { $RT run --detach --bundle "$DIR" c </dev/null >"$DIR/out" 2>&1 3>&-; }

# eventually COMMAND... - it succeeds within ten seconds.
eventually() {
	local i
	for i in $(seq 100); do
		if "$@"; then return; fi
		sleep 0.1
	done
	echo "never: $*"
	false
}

is_stopped() { [ "$($RT state c | jq -r .status)" = stopped ]; }
says() { grep -qx "$1" "$DIR/out"; }

@test "a gofer that is killed ends the container, and the log says why" {
	bundle 'while sleep 0.1; do ls /; done'
	start
	kill -KILL "$(jq .gofer.pid "$DIR/state/c/state.json")"
	eventually is_stopped
	kill -0 "$(jq .sentry.pid "$DIR/state/c/state.json")"
	grep 'the gofer has ended' "$DIR/state/c/sentry.log"
	$RT delete c
}

@test "what the host changes in a volume the container sees" {
	echo first >"$DIR/volume/f"
	bundle 'cat /mnt/f; while [ ! -e /mnt/go ]; do sleep 0.05; done; cat /mnt/f; ls /mnt; stat -c %s /mnt/f
		while [ -e /mnt/f ]; do sleep 0.05; done; cat /mnt/f 2>/dev/null || echo gone
		echo mine >/mnt/mine; echo end'
	start
	eventually says first
	echo 'second, and longer' >"$DIR/volume/new"
	mv "$DIR/volume/new" "$DIR/volume/f"
	mkdir "$DIR/volume/dir"
	touch "$DIR/volume/go"
	eventually says 'second, and longer'
	eventually says dir
	eventually says 19
	rm "$DIR/volume/f"
	eventually says gone
	eventually says end
	[ "$(cat "$DIR/volume/mine")" = mine ]
}

@test "a file grows and shrinks under a reader and a mapping" {
	head -c 8192 /dev/zero | tr '\0' a >"$DIR/volume/f"
	bundle 'exec 3</mnt/f; head -c 4 <&3; echo; while [ ! -e /mnt/go ]; do sleep 0.05; done
		stat -L -c %s /proc/self/fd/3; tail -c 4 /mnt/f; echo; echo end'
	start
	eventually says aaaa
	truncate -s 100 "$DIR/volume/f"
	printf bbbb >>"$DIR/volume/f"
	touch "$DIR/volume/go"
	eventually says end
	says 104
	says bbbb
}

@test "a full disk is the container's to hear of, and no more" {
	mount -t tmpfs -o size=1m none "$DIR/volume"
	bundle 'dd if=/dev/zero of=/mnt/big bs=64k count=100 2>&1 | grep -o "No space left on device"
		echo x >/mnt/small 2>/dev/null || echo refused; rm /mnt/big; echo again >/mnt/small; cat /mnt/small; echo end'
	start
	eventually says end
	says 'No space left on device'
	says again
}

@test "odd names: newlines, 255 bytes, and none that is longer" {
	bundle 'n=$(printf "%0255d" 7); touch "/mnt/$n" "/mnt/a
b"; touch "/mnt/${n}8" 2>&1 | grep -o "File name too long"; ls /mnt | wc -l; echo end'
	start
	eventually says end
	says 'File name too long'
	[ -e "$DIR/volume/$(printf '%0255d' 7)" ]
	[ -e "$DIR/volume/a"$'\n'b ]
}
