/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each kind of thread of the VMM may call, with the reason.
 *
 * Files are opened by the main thread at any time: drives change and snapshots are written while
 * the guest runs.  No thread may map memory that can be executed, start a program, or open a
 * socket but UNIX ones.
 */
#include "runtimes/microvm/jail/confine.h"

#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/prctl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/confine.h"
#include "base/mem.h"

#define IOCTL(command) ALLOW_IF(ioctl, ARG_IS(1, (uint32_t)(command)))
/* All commands of KVM have this type; who has the descriptors makes the machine anyway. */
#define IOCTL_KVM      ALLOW_IF(ioctl, ARG_MASKED(1, 0xff00, KVMIO << 8))
#define FCNTL(command) ALLOW_IF(fcntl, ARG_IS(1, command))

/* clang-format off */
/* The C library's allocator, locks, signal handlers, the end; a line of the log. */
#define COMMON                                                                      \
	ALLOW(futex), ALLOW(brk), ALLOW(munmap), ALLOW(mremap), ALLOW(madvise),     \
	ALLOW_NO_EXEC(mmap), ALLOW_NO_EXEC(mprotect), ALLOW(rt_sigprocmask),        \
	ALLOW(rt_sigreturn), ALLOW(restart_syscall), ALLOW(getpid), ALLOW(gettid),  \
	ALLOW(tgkill), ALLOW(clock_gettime), ALLOW(exit), ALLOW(exit_group),        \
	ALLOW_IF(prctl, ARG_IS(0, PR_GET_NAME)), ALLOW(write)

static const struct allowed_call vcpu_calls[] = {
	IOCTL(KVM_RUN),
	/* what a device does at once: the serial port's byte, interrupts, the loop's wake-up */
	ALLOW(poll), ALLOW(writev), ALLOW(read),
	/* a drive whose driver resets it: what io_uring has under way is waited for */
	ALLOW(io_uring_enter), ALLOW(preadv), ALLOW(pwritev),
	/* a network device that its driver has made ready */
	IOCTL(TUNSETOFFLOAD),
	COMMON,
};

static const struct allowed_call vmm_calls[] = {
	IOCTL_KVM,
	/* the event loop */
	ALLOW(epoll_wait), ALLOW(epoll_pwait), ALLOW(epoll_ctl), ALLOW(eventfd2), ALLOW(read),
	ALLOW(poll), ALLOW(ppoll), ALLOW(clock_nanosleep),
	/* queues: drives, taps, random numbers */
	ALLOW(preadv), ALLOW(pwritev), ALLOW(pread64), ALLOW(pwrite64), ALLOW(readv),
	ALLOW(writev), ALLOW(fdatasync), ALLOW(fsync), ALLOW(fallocate), ALLOW(getrandom),
	ALLOW(io_uring_setup), ALLOW(io_uring_enter), ALLOW(io_uring_register),
	/* the API's socket, the vsock device's, that of a handler of page faults */
	ALLOW_IF(socket, ARG_IS(0, AF_UNIX)), ALLOW(bind), ALLOW(listen), ALLOW(accept4),
	ALLOW(connect), ALLOW(recvfrom), ALLOW(sendto), ALLOW(recvmsg), ALLOW(sendmsg),
	ALLOW(shutdown), ALLOW(getsockopt),
	/* files: kernels, drives, snapshots, the log; sockets' files go at the end */
	ALLOW(openat), ALLOW(close), ALLOW(fstat), ALLOW(newfstatat), ALLOW(lseek),
	ALLOW(ftruncate), ALLOW(unlink), ALLOW(mincore), ALLOW(sysinfo),
	FCNTL(F_GETFL), FCNTL(F_SETFL), FCNTL(F_GETFD), FCNTL(F_SETFD), FCNTL(F_DUPFD_CLOEXEC),
	IOCTL(TCGETS), IOCTL(TCSETS), IOCTL(BLKGETSIZE64), IOCTL(FIONREAD),
	IOCTL(TUNSETIFF), IOCTL(TUNSETVNETHDRSZ), IOCTL(TUNSETOFFLOAD),
	/* threads: vCPUs and whom devices start; each confines itself further */
	ALLOW(clone3), ALLOW(set_robust_list), ALLOW(rseq), ALLOW(rt_sigaction),
	ALLOW(sched_yield), ALLOW_IF(prctl, ARG_IS(0, PR_SET_NAME)),
	ALLOW_IF(prctl, ARG_IS(0, PR_SET_NO_NEW_PRIVS)), ALLOW(seccomp),
	/* page faults that another process answers */
	ALLOW(userfaultfd), IOCTL(UFFDIO_API), IOCTL(UFFDIO_REGISTER),
	IOCTL(USERFAULTFD_IOC_NEW),
	COMMON,
};
/* clang-format on */

static const struct {
	const struct allowed_call *calls;
	size_t n;
} kinds[CONFINE_KINDS] = {
	[CONFINE_VMM] = { vmm_calls, ARRAY_LEN(vmm_calls) },
	[CONFINE_VCPU] = { vcpu_calls, ARRAY_LEN(vcpu_calls) },
};

int confine_thread(enum confine_kind kind, struct error *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return error_errno(err, errno, "no new privileges");
	return confine_calls(SECCOMP_RET_TRAP, kinds[kind].calls, kinds[kind].n, err);
}
