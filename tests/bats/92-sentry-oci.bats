#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bulkhead-sentry as an OCI runtime: what a shim does with it, and what it is told.

setup() {
	DIR=$(mktemp -d /tmp/bhoci.XXXXXX)
	RT="$BIN/bulkhead-sentry --root $DIR/state --log $DIR/log --log-format json"
	cat >"$DIR/reap" <<-'E'
		# A subreaper that runs commands and waits for pids: "pid FILE CODE" and shell lines.
		import ctypes, os, shlex, subprocess, sys, time
		ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
		for line in sys.stdin:
		    words = shlex.split(line)
		    if words[0] == "reap":
		        pid = int(open(words[1]).read())
		        for _ in range(1000):
		            got, st = os.waitpid(pid, os.WNOHANG)
		            if got: break
		            time.sleep(0.01)
		        code = os.waitstatus_to_exitcode(st) if got else "never"
		        print("reaped", code, flush=True)
		    else:
		        subprocess.run(line, shell=True, stdin=subprocess.DEVNULL)
	E
}

teardown() {
	local one
	for one in "$DIR"/state/*; do [ ! -d "$one" ] || $RT delete --force "${one##*/}"; done
	rm -rf "$DIR"
}

# bundle JQ - a config.json on the host's files, read-only, with JQ applied.
bundle() {
	jq -n --arg id "$(basename "$DIR")" '{ociVersion: "1.0.2", root: {path: "/", readonly: true},
		process: {args: ["/bin/sh", "-c", "true"], cwd: "/", env: ["PATH=/usr/bin:/bin"], user: {uid: 0, gid: 0}},
		mounts: [{destination: "/proc", type: "proc", source: "proc"},
			{destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"]}],
		linux: {cgroupsPath: ("/" + $id), namespaces: [{type: "pid"}, {type: "mount"}, {type: "network"}]}}' |
		jq "${1:-.}" >"$DIR/config.json"
}

run_all() { run timeout 60 python3 "$DIR/reap" 3>&-; echo "$output"; }

@test "create, start, kill: the pid of --pid-file carries the guest's end" {
	bundle '.process.args[2] = "trap \"exit 3\" TERM; echo up >&2; while :; do sleep 0.05; done"'
	run_all <<-S
		$RT create --bundle $DIR --pid-file $DIR/pid c >$DIR/out 2>&1
		$RT state c | jq -r .status
		$RT start c
		$RT state c | jq -r .status
		sleep 0.3
		$RT kill c TERM
		reap $DIR/pid
		$RT state c | jq -r .status
		$RT delete c
		$RT state c 2>&1
	S
	[ "${lines[0]}" = created ]
	[ "${lines[1]}" = running ]
	[ "${lines[2]}" = "reaped 3" ]
	[ "${lines[3]}" = stopped ]
	[[ ${lines[4]} == *"does not exist"* ]]
}

@test "a signal that kills is told as such; SIGKILL on the stand-in kills the guest" {
	bundle '.process.args = ["/bin/sleep", "100"]'
	run_all <<-S
		$RT run -d --bundle $DIR --pid-file $DIR/pid a >$DIR/out 2>&1
		$RT kill a KILL
		reap $DIR/pid
		$RT delete a
		$RT run -d --bundle $DIR --pid-file $DIR/pid b >$DIR/out 2>&1
		kill -9 \$(cat $DIR/pid)
		reap $DIR/pid
		for i in 1 2 3 4 5 6 7 8 9; do sleep 0.05; done; $RT state b | jq -r .status
		$RT delete b && echo deleted
	S
	[ "${lines[0]}" = "reaped -9" ]
	[ "${lines[1]}" = "reaped -9" ]
	[ "${lines[2]}" = stopped ]
	[ "${lines[3]}" = deleted ]
}

@test "exec: output, code, environment, directory, user, detached" {
	bundle '.process.args = ["/bin/sleep", "100"]'
	run_all <<-S
		$RT run -d --bundle $DIR --pid-file $DIR/pid c >$DIR/out 2>&1
		$RT exec -e A=b --cwd /usr c /bin/sh -c 'echo \$A; pwd; exit 42'; echo \$?
		$RT exec --user 12:34 c /bin/sh -c 'id -u; id -g'
		$RT exec -d --pid-file $DIR/pid2 c /bin/sh -c 'exit 9' >$DIR/out 2>&1
		reap $DIR/pid2
		$RT exec c /no/such 2>/dev/null; echo \$?
		$RT ps --format json c | jq length
		$RT delete --force c
	S
	[ "${lines[*]}" = "b /usr 42 12 34 reaped 9 1 1" ]
}

@test "exec: groups, capabilities, no_new_privs" {
	bundle '.process += {args: ["/bin/sleep", "100"], user: {uid: 0, gid: 0, additionalGids: [7]},
		capabilities: {bounding: ["CAP_KILL"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"]}}'
	$RT run --detach --bundle "$DIR" c </dev/null >/dev/null 2>&1 3>&-
	run $RT exec -g 1234 --cap CAP_CHOWN --no-new-privs c cat /proc/self/status
	[[ $output == *Groups:*"7 1234"* ]]
	[[ $output == *CapEff:*0000000000000021* ]]
	[[ $output == *NoNewPrivs:*1* ]]
	run $RT exec --user 5 c id
	[[ $output == *uid=5*gid=0*groups=*7* ]]
	run $RT exec --cap CAP_NO_SUCH c true
	[ "$status" = 1 ]
	[[ $output == *"--cap: 'CAP_NO_SUCH' is no capability"* ]]
}

@test "a bundle of umoci" {
	images=$("$BATS_TEST_DIRNAME/../../hack/make-images" path)
	manifest=$(awk -F '\t' '/^demo\/busybox:/ { split($4, of, ","); print of[1]; exit }' "$images/demo.tsv")
	blobs=$DIR/layout/blobs/sha256
	mkdir -p "$blobs"
	echo '{"imageLayoutVersion": "1.0.0"}' >"$DIR/layout/oci-layout"
	take() { cp "$images/blobs/${1/:/-}" "$blobs/${1#sha256:}"; }
	take "$manifest"
	for digest in $(jq -r '.config.digest, .layers[].digest' "$blobs/${manifest#sha256:}"); do take "$digest"; done
	jq -n --arg d "$manifest" --argjson size "$(stat -c %s "$blobs/${manifest#sha256:}")" '{schemaVersion: 2,
		manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $d, size: $size,
			annotations: {"org.opencontainers.image.ref.name": "it"}}]}' >"$DIR/layout/index.json"
	umoci unpack --image "$DIR/layout:it" "$DIR/bundle"
	jq --arg id "/$(basename "$DIR")" '.process.terminal = false | .linux.cgroupsPath = $id |
		.process.args = ["sh", "-c", "busybox | head -n1; hostname; exit 4"]' "$DIR/bundle/config.json" >"$DIR/new"
	mv "$DIR/new" "$DIR/bundle/config.json"
	run $RT run --bundle "$DIR/bundle" u </dev/null 3>&-
	[ "$status" = 4 ]
	[[ $output == *BusyBox* ]]
	[[ $output == *umoci-default* ]]
}

@test "what cannot be had is refused by name, in the log too" {
	bundle '.linux.intelRdt = {closID: "x"}'
	run $RT create --bundle "$DIR" c
	[ "$status" = 1 ]
	[[ $output == *"linux.intelRdt.closID: refused"* ]] || [[ $output == *"linux.intelRdt: refused"* ]]
	grep -q '"level":"error"' "$DIR/log"
	bundle '.linux.noSuchField = 1'
	run $RT create --bundle "$DIR" c
	[[ $output == *"linux.noSuchField: unknown field"* ]]
	refused() { # JQ TEXT
		bundle "$1"
		run $RT create --bundle "$DIR" c
		echo "$output"
		[ "$status" = 1 ] && [[ $output == *"$2"* ]]
	}
	refused '.linux.namespaces += [{type: "user"}]' "linux.namespaces: 'user' is refused"
	refused '.linux.namespaces += [{type: "time"}]' "linux.namespaces: 'time' is refused"
	refused '.linux.namespaces += [{type: "nosuch"}]' "linux.namespaces: 'nosuch' is refused"
	refused '.linux.uidMappings = [{containerID: 0, hostID: 1000, size: 1}]' "linux.uidMappings[].containerID: refused"
	refused '.mounts[0].uidMappings = [{containerID: 0, hostID: 1000, size: 1}]' "mounts[].uidMappings[]: refused"
	refused '.mounts += [{destination: "/m", type: "bind", source: "/tmp", options: ["bind", "ridmap"]}]' \
		"mounts: /m: option 'ridmap': refused"
	refused '.linux.resources.memory.limit = "64M"' "linux.resources.memory.limit: not a whole number"
	refused '.linux.resources.hugepageLimits = [{pageSize: "2MB", limit: "x"}]' "2MB: its limit is not a whole number"
	[ -z "$(ls "$DIR/state")" ]
	bundle '.process.apparmorProfile = "x"'
	run $RT run --bundle "$DIR" c 3>&-
	[ "$status" = 0 ]
	grep -q 'apparmorProfile: no effect' "$DIR/log"
	bundle '.mounts += [{destination: "/dev/mqueue", type: "mqueue", source: "mqueue"}]'
	run $RT run --bundle "$DIR" c 3>&-
	grep -q 'mqueue is not done yet' "$DIR/log"
}

@test "a missing program fails create, and nothing stays" {
	bundle '.process.args = ["/no/such"]'
	run $RT create --bundle "$DIR" --pid-file "$DIR/pid" c 3>&-
	[ "$status" = 1 ]
	[[ $output == *"/no/such"* ]]
	[ -z "$(ls "$DIR/state")" ]
}

@test "user, groups, capabilities, limits, no_new_privs are the bundle's" {
	bundle '.process.user = {uid: 1000, gid: 1001, additionalGids: [5, 7]} | .process.noNewPrivileges = true |
		.process.capabilities = {bounding: ["CAP_CHOWN"], effective: [], permitted: [], inheritable: [], ambient: []} |
		.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 77, hard: 88}] |
		.process.args[2] = "id -u; id -g; id -G; ulimit -n; grep -E \"NoNewPrivs|CapBnd|CapEff\" /proc/self/status"'
	run $RT run --bundle "$DIR" c 3>&-
	echo "$output"
	[ "${lines[0]}" = 1000 ]
	[ "${lines[1]}" = 1001 ]
	[[ ${lines[2]} == *5* && ${lines[2]} == *7* ]]
	[ "${lines[3]}" = 77 ]
	[[ $output == *"CapEff:"*"0000000000000000"* ]]
	[[ $output == *"CapBnd:"*"0000000000000001"* ]]
	[[ $output == *"NoNewPrivs:"*1* ]]
}

@test "seccomp profiles, masked and read-only paths, host name" {
	bundle '.hostname = "guest" | .linux.namespaces += [{type: "uts"}] |
		.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 38}]} |
		.mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid"]}] |
		.linux.maskedPaths = ["/etc/passwd", "/usr/share"] | .linux.readonlyPaths = ["/tmp"] |
		.process.args[2] = "hostname; wc -c </etc/passwd; ls /usr/share | wc -l; mkdir /dev/x 2>&1; (echo >/tmp/x) 2>&1"'
	run $RT run --bundle "$DIR" c 3>&-
	echo "$output"
	[ "${lines[0]}" = guest ]
	[ "${lines[1]}" = 0 ]
	[ "${lines[2]}" = 0 ]
	[[ ${lines[3]} == *"not implemented"* ]]
	[[ ${lines[4]} == *"Read-only"* ]]
}

@test "a seccomp profile binds calls that need no kernel" {
	[ -x /usr/bin/python3 ] || skip "no python3 on this host"
	bundle '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [
			{names: ["getppid", "sched_yield"], action: "SCMP_ACT_ERRNO", errnoRet: 1},
			{names: ["madvise"], action: "SCMP_ACT_ERRNO", errnoRet: 13, args: [{index: 2, value: 3, op: "SCMP_CMP_EQ"}]}]} |
		.process.args = ["/usr/bin/python3", "-c", "
import mmap, os
def call(f, *a):
    try: return f(*a) or 0
    except OSError as e: return e.errno
m = mmap.mmap(-1, 4096)
print(call(os.sched_yield), call(m.madvise, 3), call(m.madvise, 0), os.getpid() > 0, flush=True)
if os.fork() == 0: print(call(os.sched_yield), flush=True); os._exit(0)
os.wait()"]'
	run $RT run --bundle "$DIR" c 3>&-
	echo "$output"
	[ "${lines[0]}" = "1 13 0 True" ]
	[ "${lines[1]}" = 1 ]
}

@test "hooks run on the host, in order" {
	printf '#!/bin/sh\njq -r ".status + \\" \\" + .id" >>%s/hooks; echo "$1" >>%s/hooks\n' "$DIR" "$DIR" >"$DIR/hook"
	chmod 755 "$DIR/hook"
	bundle ".hooks = {prestart: [{path: \"$DIR/hook\", args: [\"hook\", \"pre\"], env: [\"PATH=/usr/bin:/bin\"]}],
		poststop: [{path: \"$DIR/hook\", args: [\"hook\", \"post\"], env: [\"PATH=/usr/bin:/bin\"]}]}"
	$RT run --bundle "$DIR" c 3>&-
	[ "$(tr '\n' ' ' <"$DIR/hooks")" = "created c pre stopped c post " ]
}

@test "containers of one pod share a sentry, and end apart" {
	bundle '.process.args = ["/bin/sleep", "100"]'
	mkdir "$DIR/two"
	run_all <<-S
		$RT run -d --bundle $DIR --pid-file $DIR/pid1 pod >$DIR/out 2>&1
		jq '.annotations = {"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-id": "pod"} | .linux.cgroupsPath += "-2" | .process.args = ["/bin/sh", "-c", "exit 11"]' $DIR/config.json >$DIR/two/config.json
		$RT run -d --bundle $DIR/two --pid-file $DIR/pid2 member >$DIR/out 2>&1
		reap $DIR/pid2
		$RT state pod | jq -r .status
		$RT state member | jq -r .status
		$RT delete member && $RT list -q
		$RT delete --force pod
	S
	[ "${lines[*]}" = "reaped 11 running stopped pod" ]
}

@test "pause and resume, events, list" {
	bundle '.process.args = ["/bin/sh", "-c", "while :; do sleep 0.05; done"]'
	$RT run -d --bundle "$DIR" c >/dev/null 2>&1 3>&-
	run $RT events --stats c
	[ "$(jq .data.pids.current <<<"$output")" -ge 1 ]
	$RT list | grep -q '^c .*running'
	$RT pause c
	[ "$($RT state c | jq -r .status)" = paused ]
	run $RT kill c TERM
	[[ $output == *paused* ]]
	$RT resume c
	[ "$($RT state c | jq -r .status)" = running ]
	$RT pause c
	$RT delete --force c
}

# zygote - the first process made of the stub's program.
zygote() {
	local exe
	for exe in /proc/[0-9]*/exe; do
		[[ $(readlink "$exe") != *memfd:bulkhead-stub* ]] || basename "${exe%/exe}"
	done | sort -n | head -1
}

# left - processes of ours, and cgroups and records of this test's containers.
left() {
	local exe
	for exe in /proc/[0-9]*/exe; do
		case $(readlink "$exe" 2>/dev/null) in
		"$BIN"/* | *memfd:bulkhead-stub*) tr '\0' ' ' <"${exe%exe}cmdline" && echo ;;
		esac
	done
	find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -name "$(basename "$DIR")*"
	ls "$DIR/state"
}

nothing_left() {
	for _ in $(seq 100); do
		[ -n "$(left)" ] || return 0
		sleep 0.05
	done
	left
	return 1
}

@test "what a create that was killed at any point leaves goes with delete --force" {
	bundle '.process.args = ["/bin/sleep", "100"]'
	for ms in $(seq -w 002 3 080); do
		# shellcheck disable=SC2086 # a command with flags
		timeout -s KILL "0.$ms" $RT create --bundle "$DIR" "k$ms" >/dev/null 2>&1 3>&- || true
		$RT delete --force "k$ms"
		nothing_left
	done
}

@test "a pod that loses one of its processes ends, or goes with delete --force" {
	bundle '.process.args = ["/bin/sleep", "100"]'
	for who in standin sentry gofer 'socket-helper' 'bulkhead-stub'; do
		$RT run --detach --bundle "$DIR" c </dev/null >/dev/null 2>&1 3>&-
		case $who in
		standin | sentry | gofer) pid=$(jq ".$who.pid" "$DIR/state/c/state.json") ;;
		socket-helper) pid=$(pgrep -f '^bulkhead-socket-helper') ;;
		bulkhead-stub) pid=$(zygote) ;;
		esac
		kill -KILL "$pid"
		$RT delete --force c
		nothing_left
	done
}

@test "a hundred containers come and go, and nothing stays" {
	bundle
	mounts=$(wc -l </proc/self/mountinfo)
	for i in $(seq 100); do
		if [ $((i % 2)) = 0 ]; then
			$RT run --bundle "$DIR" "c$i" </dev/null 3>&-
		else
			$RT create --bundle "$DIR" "c$i" </dev/null >/dev/null 2>&1 3>&-
			$RT start "c$i"
			$RT delete --force "c$i"
		fi
	done
	nothing_left
	[ "$(wc -l </proc/self/mountinfo)" = "$mounts" ]
	find /sys/fs/cgroup -name "$(basename "$DIR")*" | grep . && false
	[ -z "$(ls "$DIR/state")" ]
}
