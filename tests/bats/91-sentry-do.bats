#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# bulkhead-sentry alone: commands on a directory, with its own kernel below them.

. "$BATS_TEST_DIRNAME/../../hack/node.sh"

setup() {
	DIR=$(mktemp -d /tmp/bhsentry.XXXXXX)
	ROOT=$DIR/state
}

# Nothing of a pod may stay: its processes name the state directory or hold its files.
teardown() {
	[ -z "$(ls "$ROOT" 2>/dev/null)" ] || { ls "$ROOT" && false; }
	rm -rf "$DIR"
}


# guest COMMAND... - on the host's own files, read-only.
guest() { timeout 30 "$BIN/bulkhead-sentry" --root "$ROOT" do --ro --rootfs / -- "$@" 3>&-; }


@test "a command's output and exit code" {
	run guest /bin/echo hello
	[ "$status" = 0 ]
	[ "$output" = hello ]
	run guest /bin/sh -c 'exit 7'
	[ "$status" = 7 ]
}

@test "a program that is not there is said so" {
	run guest /no/such/program
	[ "$status" != 0 ]
	[[ $output == *"/no/such/program"* ]]
	run guest no-such-program
	[ "$status" != 0 ]
	[[ $output == *"not found in \$PATH"* ]]
}

@test "pipes, subshells and background jobs of bash" {
	run guest /bin/bash --norc -c 'for i in 3 1 2; do echo $i; done | sort | tr "\n" " "; (exit 5); echo $?; sleep 0.1 & wait; echo done'
	[ "$status" = 0 ]
	[ "${lines[0]}" = "1 2 3 5" ]
	[ "${lines[1]}" = done ]
}

@test "standard input is the caller's" {
	run bash -c "printf 'a\nb\n' | '$BIN/bulkhead-sentry' --root '$ROOT' do --ro --rootfs / -- /usr/bin/wc -l"
	[ "$output" = 2 ]
}

@test "output to a file goes on where the file is" {
	(
		echo before
		guest /bin/echo one
		guest /bin/echo two
	) >"$DIR/out"
	[ "$(tr '\n' ' ' <"$DIR/out")" = "before one two " ]
}

@test "the read-only root cannot be written, /dev and a tmpfs can" {
	run guest /bin/sh -c '(echo x >/usr/x) 2>/dev/null || echo refused; echo y >/dev/shm/y && cat /dev/shm/y; echo z >/dev/null'
	[ "${lines[0]}" = refused ]
	[ "${lines[1]}" = y ]
	[ ! -e /usr/x ]
}

@test "files that a guest makes are on the host, with owner and mode" {
	mkdir -p "$DIR/root"/{usr,lib64,proc,dev,sys}
	for d in bin lib lib64; do ln -s "usr/$d" "$DIR/root/$d" 2>/dev/null || true; done
	run timeout 30 "$BIN/bulkhead-sentry" --root "$ROOT" do --rootfs "$DIR/root" -- /bin/true 3>&-
	[ "$status" != 0 ] # there is no program in it
	mkdir "$DIR/root/work"
	cat >"$DIR/config.json" <<-J
		{"ociVersion": "1.0.2", "root": {"path": "/", "readonly": true},
		 "process": {"args": ["/bin/bash", "--norc", "-c",
		   "cd /mnt; echo text >f; chmod 4711 f; mkdir d; ln -s f l; ln f h; mkfifo p; mv d e; stat -c '%h %a' f; chown 12:34 f; ls"],
		   "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/usr/bin:/bin"],
		   "capabilities": {"bounding": ["CAP_CHOWN", "CAP_DAC_OVERRIDE"], "effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"]}},
		 "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
		   {"destination": "/mnt", "type": "bind", "source": "$DIR/root/work", "options": ["rbind", "rw"]}],
		 "linux": {"cgroupsPath": "/bhsentry-$$", "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "network"}]}}
	J
	run timeout 30 "$BIN/bulkhead-sentry" --root "$ROOT" run --bundle "$DIR" files 3>&-
	echo "$output"
	[ "$status" = 0 ]
	[ "${lines[0]}" = "2 4711" ]
	[ "$(cat "$DIR/root/work/f")" = text ]
	[ "$(stat -c '%u:%g' "$DIR/root/work/f")" = 12:34 ]
	[ "$(readlink "$DIR/root/work/l")" = f ]
	[ -p "$DIR/root/work/p" ]
	[ -d "$DIR/root/work/e" ]
}

@test "what others change in a volume is seen" {
	mkdir "$DIR/vol"
	jq -n --arg vol "$DIR/vol" '{ociVersion: "1.0.2", root: {path: "/", readonly: true},
		process: {args: ["/bin/bash", "--norc", "-c", "echo ready >/mnt/a; until [ -e /mnt/b ]; do sleep 0.05; done; cat /mnt/b"],
			cwd: "/", env: ["PATH=/usr/bin:/bin"]},
		mounts: [{destination: "/mnt", type: "bind", source: $vol, options: ["bind"]}],
		linux: {cgroupsPath: "/bhsentry-vol", namespaces: [{type: "pid"}, {type: "mount"}]}}' >"$DIR/config.json"
	timeout 30 "$BIN/bulkhead-sentry" --root "$ROOT" run --bundle "$DIR" vol >"$DIR/out" 3>&- &
	for _ in $(seq 100); do
		[ -e "$DIR/vol/a" ] && break
		sleep 0.1
	done
	echo from outside >"$DIR/vol/b"
	wait $!
	[ "$(cat "$DIR/out")" = "from outside" ]
}

@test "python: threads, subprocesses, sockets" {
	command -v /usr/bin/python3 >/dev/null || skip "no python3 on this host"
	run guest /usr/bin/python3 -c '
import socket, subprocess, threading
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(1)
def serve():
    c, _ = s.accept(); c.sendall(c.recv(9).upper()); c.close()
t = threading.Thread(target=serve); t.start()
c = socket.create_connection(s.getsockname()); c.sendall(b"tcp"); print(c.recv(9).decode()); t.join()
a, b = socket.socketpair(); a.send(b"unix"); print(b.recv(9).decode())
print(subprocess.check_output(["echo", "child"]).decode().strip())'
	[ "$status" = 0 ]
	[ "${lines[*]}" = "TCP unix child" ]
}

# within NETWORK COMMAND...
within() {
	local network=$1
	shift
	timeout 30 "$BIN/bulkhead-sentry" --network "$network" --root "$ROOT" "do" --ro --rootfs / -- "$@" 3>&-
}

@test "network none: a loopback that works, and nothing else" {
	run within none ip -o addr
	[ "$status" = 0 ]
	[[ $output == *" lo "*"127.0.0.1/8"* ]]
	[ "$(cut -d: -f1 <<<"$output" | sort -u)" = 1 ]
	run within none python3 -c '
import socket
for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    s = socket.create_server((host, 0), family=family)
    c = socket.create_connection(s.getsockname()[:2])
    d, _ = s.accept()
    c.sendall(b"over " + host.encode())
    c.close()
    print(d.makefile().read())
try:
    socket.create_connection(("192.0.2.1", 80), 2)
except OSError as e:
    print(e.strerror)'
	[ "$output" = "over 127.0.0.1
over ::1
Network is unreachable" ]
}

@test "network host: the caller's interfaces and routes, to look at" {
	run within host ip -o link
	[ "$status" = 0 ]
	[ "$(cut -d: -f2 <<<"$output")" = "$(ip -o link | cut -d: -f2)" ]
	run within host ip route
	[ "$output" = "$(ip route)" ]
	run within host ip link set lo down
	[ "$status" != 0 ]
	[[ $output == *"not permitted"* ]]
	ip -o link show lo | grep -q UP
}

@test "a terminal with job control" {
	cat >"$DIR/type" <<-'E'
		import os, pty, select, sys, time
		pid, fd = pty.fork()
		if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
		def until(text):
		    out = b""
		    for _ in range(200):
		        if select.select([fd], [], [], 0.1)[0]:
		            try: out += os.read(fd, 4096)
		            except OSError: break
		        if text in out: return True
		    sys.exit(f"no {text!r} in {out!r}")
		until(b"# ")
		os.write(fd, b"sleep 100\n"); until(b"100"); time.sleep(0.3)
		os.write(fd, b"\x1a"); until(b"Stopped")
		os.write(fd, b"kill -9 %1; sleep 100\n"); until(b"sleep 100"); time.sleep(0.3)
		os.write(fd, b"\x03"); until(b"# ")
		os.write(fd, b"tty; exit 6\n"); until(b"/dev/pts/0")
		sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	E
	run timeout 60 python3 "$DIR/type" "$BIN/bulkhead-sentry" --root "$ROOT" do -t --ro --env PS1='# ' --rootfs / -- /bin/bash --norc --noprofile -i 3>&-
	echo "$output"
	[ "$status" = 6 ]
}

@test "the sentry has no rights, and a filter" {
	! grep -q __asan_init "$BIN/bulkhead-sentry" || skip "a build with sanitizers has no filter"
	guest /bin/sleep 5 &
	for _ in $(seq 50); do
		pid=$(pgrep -f "bulkhead-sentry boot --id do-" | tail -1) && [ -n "$pid" ] && grep -q 'Seccomp:.2' "/proc/$pid/status" && break
		sleep 0.05
	done
	grep -q '^CapEff:.0000000000000000$' "/proc/$pid/status"
	grep -q '^CapBnd:.0000000000000000$' "/proc/$pid/status"
	grep -q '^NoNewPrivs:.1$' "/proc/$pid/status"
	grep -q '^Seccomp:.2$' "/proc/$pid/status"
	[ "$(ls "/proc/$pid/root/" | wc -l)" = 0 ]
	[ "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")" -ge 1879048192 ]
	wait
}

@test "trace prints the calls of a pod" {
	run bash -c "'$BIN/bulkhead-sentry' --root '$ROOT' do --trace --ro --rootfs / -- /bin/true 2>&1 3>&-"
	[[ $output == *"exit_group(0)"* ]]
}

@test "features and syscalls say what there is" {
	run bash -c "'$BIN/bulkhead-sentry' features | jq -r '.bulkhead.configFields[] | select(.path == \"linux.seccomp.*\") | .state'"
	[ "$output" = enforced ]
	run bash -c "'$BIN/bulkhead-sentry' syscalls | awk -F'\t' '\$2 == \"read\" { print \$1, \$3 }'"
	[ "$output" = "0 full" ]
	[ "$("$BIN/bulkhead-sentry" syscalls | wc -l)" = 468 ]
}

# sites COMMAND... - of its busy call sites, how many there are and how many are patched.
sites() {
	timeout 60 "$BIN/bulkhead-sentry" --root "$ROOT" do --trace --ro --rootfs / -- "$@" 2>&1 3>&- |
		sed -n 's/.*of \([0-9]*\) busy call sites \([0-9]*\) are patched.*/\1 \2/p' | tail -1
}

@test "the strict mode runs programs, and asks the sentry about memory" {
	run timeout 60 "$BIN/bulkhead-sentry" --strict --root "$ROOT" do --trace --ro --rootfs / -- /bin/bash --norc -c 'for i in 3 1 2; do echo $i; done | sort | tr "\n" " "; sleep 0.01' 3>&-
	[ "$status" = 0 ]
	[[ $output == *"1 2 3 "* ]]
	[[ $output == *"mprotect("*" by the stub"* ]]
	[[ $output == *"nanosleep("*" = 0"* ]]
	# without it they are not seen at all
	run timeout 60 "$BIN/bulkhead-sentry" --root "$ROOT" do --trace --ro --rootfs / -- /bin/true 3>&-
	[[ $output != *"mprotect("* ]]
}

@test "the table of host calls is what the filter is made of" {
	"$BATS_TEST_DIRNAME/../../hack/stub-calls" --check
	run "$BIN/bulkhead-sentry" features
	[ "$(jq '[.bulkhead.stubHostCalls[] | select(.strict and .from == "anywhere")] | length' <<<"$output")" = 0 ]
	[ "$(jq '.bulkhead.stubHostCalls | length' <<<"$output")" -gt 20 ]
}

@test "busy call sites are patched: glibc, and Go with its threads" {
	grep -q fsgsbase /proc/cpuinfo || skip "this processor has no rdgsbase"
	read -r busy patched < <(sites /bin/bash --norc -c 'while read -r x; do [ -e "$x" ]; done </etc/services')
	echo "bash: $patched of $busy"
	[ "$busy" -gt 1 ] && [ $((patched * 10)) -ge $((busy * 9)) ]
	command -v go >/dev/null || skip "no Go on this host"
	read -r busy patched < <(sites "$(go env GOROOT)/bin/gofmt" -l "$(go env GOROOT)/src/net/http")
	echo "gofmt: $patched of $busy"
	[ "$busy" -gt 3 ] && [ $((patched * 10)) -ge $((busy * 9)) ]
}
