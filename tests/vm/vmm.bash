# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For checks of bulkhead-vmm with a real guest: an API server in the background, requests to it.

# shellcheck source=tests/bats/helper.bash
. "$BATS_TEST_DIRNAME/../bats/helper.bash"

# shellcheck disable=SC2034 # for the tests
ARGS="console=ttyS0 reboot=k panic=-1 quiet nokaslr i8042.noaux i8042.nomux i8042.dumbkbd random.trust_cpu=on"

setup_file() {
	[ -w /dev/kvm ] || skip "no KVM"
	export GUEST=${GUEST:-/guest}
	[ -d "$GUEST" ] || { GUEST=$BATS_FILE_TMPDIR/guest && "$BATS_TEST_DIRNAME/guest/build" "$GUEST"; }
}
teardown_file() { :; }
setup() { cd "$BATS_TEST_TMPDIR" || return; }
teardown() {
	local pid
	for pid in ${VMM_PIDS:-}; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	[ -n "${BATS_TEST_COMPLETED:-}" ] || tail -v -n 40 ./*.out ./*.log 2>/dev/null
}

# vmm NAME [OPTION...] - starts one with its API at ./NAME.sock, output in NAME.out, log in NAME.log;
# its pid is in VMM
vmm() {
	"$BIN/bulkhead-vmm" --api-sock "$1.sock" --id "$1" "${@:2}" </dev/null >"$1.out" 2>"$1.log" 3>&- &
	VMM=$!
	VMM_PIDS="${VMM_PIDS:-} $VMM"
	eventually [ -S "$1.sock" ]
}

# ask NAME - requests from standard input
ask() { "$BATS_TEST_DIRNAME/requests" "$1.sock"; }

# says FILE TEXT, in the end
says() {
	local end=$((SECONDS + 400))
	until grep -q -- "$2" "$1"; do
		[ $SECONDS -lt $end ] || { echo "no '$2' in $1" && return 1; }
		sleep 0.2
	done
}

# ends_with STATUS PID - waits for it.  (Not in a subshell: it is no child of that.)
ends_with() {
	local status=0
	wait "$2" || status=$?
	[ "$status" = "$1" ] || { echo "ended with $status, not $1" && return 1; }
}

# configure ARGUMENTS SECTIONS - the kernel's arguments, and more sections with a comma behind each.
configure() {
	printf '{"boot-source":{"kernel_image_path":"%s","initrd_path":"%s","boot_args":"%s %s"},%s
		"machine-config":{"vcpu_count":1,"mem_size_mib":192}}' \
		"$GUEST/vmlinux" "$GUEST/initrd" "$ARGS" "$1" "${2:-}" >config.json
}

# boot [OPTION...] - by config.json, in the background: out, log, pid; the API at api; the console's
# input is descriptor 9.
boot() {
	mkfifo in
	exec 9<>in
	"$BIN/bulkhead-vmm" --api-sock api --config-file config.json "$@" <in >out 2>log 9<&- &
	echo $! >pid
	VMM_PIDS="${VMM_PIDS:-} $!"
	said 'GUEST ready' || { cat out log && false; }
}

# await COMMAND... - becomes true; emulated machines take their time.
await() {
	local end=$((SECONDS + 400))
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		[ ! -e pid ] || kill -0 "$(cat pid)" || return 1
		sleep 0.1
	done
}

# said TEXT - by the guest.
said() { says out "$1"; }

# tell ARGUMENTS - to a guest with guest.more; waits until it is done.
tell() {
	local before
	before=$(grep -c 'GUEST done' out)
	echo "$1" >&9
	await eval "[ \$(grep -c 'GUEST done' out) -gt $before ]"
}

# call METHOD PATH [BODY] - one request; prints the status, then the body.
call() {
	curl -sS --unix-socket api -X "$1" "http://localhost$2" ${3:+-d "$3"} -w '\n%{http_code}\n' | sort -r
}
