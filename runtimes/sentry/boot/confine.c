/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sentry gives up before it reads a byte of a container's.
 *
 * Own user, mount, ipc, uts and cgroup namespaces, a network without anything in it; an empty root;
 * a user that owns nothing on the host; no capability, also not in its own user namespace; no way
 * to gain one; a list of the calls that it needs, each with its reason.  No call in it opens a name
 * of the host, starts a program, or makes a socket: the sentry works on descriptors that others
 * opened for it.
 */
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/mem.h"
#include "runtimes/sentry/boot/boot.h"

int boot_enter_namespaces(struct error *err)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) <
	    0)
		return error_errno(err, errno, "make own namespaces");
	return 0;
}

static int become_nobody(struct error *err)
{
	if (setgroups(0, NULL) < 0 ||
	    setresgid(BOOT_SENTRY_ID, BOOT_SENTRY_ID, BOOT_SENTRY_ID) < 0 ||
	    setresuid(BOOT_SENTRY_ID, BOOT_SENTRY_ID, BOOT_SENTRY_ID) < 0)
		return error_errno(err, errno, "become a user of its own");
	return 0;
}

static const struct allowed_call allowed[] = {
	/* contents of files that the gofer opened, stdio, tmpfs */
	ALLOW(read),
	ALLOW(write),
	ALLOW(pread64),
	ALLOW(pwrite64),
	ALLOW(preadv),
	ALLOW(pwritev2),
	ALLOW(lseek),
	ALLOW(fstat),
	ALLOW(ftruncate),
	ALLOW(fallocate),
	ALLOW(fsync),
	ALLOW(fdatasync),
	ALLOW(getdents64),
	ALLOW(close),
	ALLOW(fcntl),
	ALLOW(ioctl),	     /* terminals; the listener of the stubs */
	ALLOW(memfd_create), /* tmpfs, shared memory, channels */
	/* /proc/<stub>: below a descriptor of a /proc that leads nowhere else */
	ALLOW(openat),
	ALLOW(readlinkat),
	ALLOW(newfstatat),
	ALLOW(statfs),
	/* waiting */
	ALLOW(futex),
	ALLOW(poll),
	ALLOW(epoll_create1),
	ALLOW(epoll_ctl),
	ALLOW(epoll_wait),
	ALLOW(epoll_pwait2),
	ALLOW(eventfd2),
	ALLOW(timerfd_create),
	ALLOW(timerfd_settime),
	ALLOW(clock_nanosleep),
	ALLOW(clock_gettime), /* clocks that the vDSO does not know */
	ALLOW(clock_getres),
	ALLOW(restart_syscall),
	/* guests: their memory, their threads, their end */
	ALLOW(process_vm_readv),
	ALLOW(process_vm_writev),
	ALLOW(pidfd_open),
	ALLOW(pidfd_send_signal),
	ALLOW(pidfd_getfd),
	ALLOW(tgkill),
	ALLOW(prlimit64),
	ALLOW(getrusage),
	ALLOW(sched_setaffinity),
	ALLOW(sched_getaffinity),
	ALLOW(sched_yield),
	ALLOW(getcpu),
	ALLOW(sysinfo),
	/* gofer, control socket, stand-ins, stdio that is a socket */
	ALLOW(sendmsg),
	ALLOW(recvmsg),
	ALLOW(sendto),
	ALLOW(recvfrom),
	ALLOW(accept4),
	ALLOW(shutdown),
	/* sockets of the pod's network, which the helper made */
	ALLOW(bind),
	ALLOW(connect),
	ALLOW(listen),
	ALLOW(getsockname),
	ALLOW(getpeername),
	ALLOW(getsockopt),
	ALLOW(setsockopt),
	/* memory (never executable), threads, locks, the end */
	ALLOW_NO_EXEC(mmap),
	ALLOW_NO_EXEC(mprotect),
	ALLOW(brk),
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(madvise),
	ALLOW(clone3),
	ALLOW(clone),
	ALLOW(set_robust_list),
	ALLOW(rseq),
	ALLOW(rt_sigprocmask),
	ALLOW(rt_sigaction),
	ALLOW(rt_sigreturn),
	ALLOW(gettid),
	ALLOW(getpid),
	ALLOW(getrandom),
	ALLOW(exit),
	ALLOW(exit_group),
};

const char *boot_filter_name(size_t i)
{
	return i < ARRAY_LEN(allowed) ? allowed[i].name : NULL;
}

/* refused() - a call that is not in the list is a bug, or somebody else's code: say it and end. */
static void refused(int signo, siginfo_t *info, void *context)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "bulkhead-sentry: host call %d is not allowed\n",
			 info->si_syscall);

	(void)signo;
	(void)context;
	if (write(2, text, (size_t)n) != n)
		_exit(2);
	_exit(1);
}

int boot_confine(struct error *err)
{
	struct sigaction report = { .sa_sigaction = refused, .sa_flags = SA_SIGINFO };
	int rc = become_nobody(err);

	if (rc == 0)
		rc = confine_empty_root(err);
	if (rc == 0)
		rc = confine_rights(0, err);
	if (rc < 0)
		return rc;
	umask(0);
	sigaction(SIGSYS, &report, NULL);
	return confine_calls(SECCOMP_RET_TRAP, allowed, ARRAY_LEN(allowed), err);
}
