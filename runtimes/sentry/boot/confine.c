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
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static int enter_empty_root(struct error *err)
{
	if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(err, errno, "make the mounts private");
	if (mount("none", "/tmp", "tmpfs", MS_NODEV | MS_NOSUID | MS_NOEXEC, "size=4k,mode=555") <
	    0)
		return error_errno(err, errno, "mount an empty root");
	if (chdir("/tmp") < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return error_errno(err, errno, "enter the empty root");
	return 0;
}

static int drop_capabilities(struct error *err)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { 0 };

	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap) < 0)
			return error_errno(err, errno, "drop capability %d", cap);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &head, data) < 0)
		return error_errno(err, errno, "drop capabilities");
	return 0;
}

/* --- the filter ------------------------------------------------------------------------------- */

static const struct {
	int nr;
	const char *name;
} allowed[] = {
#define CALL(name)                    \
	{                             \
		SCMP_SYS(name), #name \
	}
	/* contents of files that the gofer opened, stdio, tmpfs */
	CALL(read),
	CALL(write),
	CALL(pread64),
	CALL(pwrite64),
	CALL(preadv),
	CALL(pwritev2),
	CALL(lseek),
	CALL(fstat),
	CALL(ftruncate),
	CALL(fallocate),
	CALL(fsync),
	CALL(fdatasync),
	CALL(getdents64),
	CALL(close),
	CALL(fcntl),
	CALL(ioctl),	    /* terminals; the listener of the stubs */
	CALL(memfd_create), /* tmpfs, shared memory, channels */
	/* /proc/<stub>: below a descriptor of a /proc that leads nowhere else */
	CALL(openat),
	CALL(readlinkat),
	CALL(newfstatat),
	CALL(statfs),
	/* waiting */
	CALL(futex),
	CALL(poll),
	CALL(epoll_create1),
	CALL(epoll_ctl),
	CALL(epoll_wait),
	CALL(epoll_pwait2),
	CALL(eventfd2),
	CALL(timerfd_create),
	CALL(timerfd_settime),
	CALL(clock_nanosleep),
	CALL(clock_gettime), /* clocks that the vDSO does not know */
	CALL(clock_getres),
	CALL(restart_syscall),
	/* guests: their memory, their threads, their end */
	CALL(process_vm_readv),
	CALL(process_vm_writev),
	CALL(pidfd_open),
	CALL(pidfd_send_signal),
	CALL(pidfd_getfd),
	CALL(tgkill),
	CALL(prlimit64),
	CALL(getrusage),
	CALL(sched_setaffinity),
	CALL(sched_getaffinity),
	CALL(sched_yield),
	CALL(getcpu),
	CALL(sysinfo),
	/* gofer, control socket, stand-ins, stdio that is a socket */
	CALL(sendmsg),
	CALL(recvmsg),
	CALL(sendto),
	CALL(recvfrom),
	CALL(accept4),
	CALL(shutdown),
	/* sockets of the pod's network, which the helper made */
	CALL(bind),
	CALL(connect),
	CALL(listen),
	CALL(getsockname),
	CALL(getpeername),
	CALL(getsockopt),
	CALL(setsockopt),
	/* memory (never executable), threads, locks, the end */
	CALL(brk),
	CALL(munmap),
	CALL(mremap),
	CALL(madvise),
	CALL(clone3),
	CALL(clone),
	CALL(set_robust_list),
	CALL(rseq),
	CALL(rt_sigprocmask),
	CALL(rt_sigaction),
	CALL(rt_sigreturn),
	CALL(gettid),
	CALL(getpid),
	CALL(getrandom),
	CALL(exit),
	CALL(exit_group),
#undef CALL
};

const char *boot_filter_name(size_t i)
{
	return i < ARRAY_LEN(allowed) ? allowed[i].name : NULL;
}

/* Sanitizers call more than a filter should let through. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static int filter_calls(struct error *err)
{
	(void)err;
	return 0;
}
#else
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

static int add_rules(scmp_filter_ctx ctx)
{
	const int maps[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(allowed) && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i].nr, 0);
	for (size_t i = 0; i < ARRAY_LEN(maps) && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, maps[i], 1,
				      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return rc;
}

static int filter_calls(struct error *err)
{
	struct sigaction a = { .sa_sigaction = refused, .sa_flags = SA_SIGINFO };
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	int rc;

	if (!ctx)
		return error_set(err, ENOMEM, "system call filter: out of memory");
	sigaction(SIGSYS, &a, NULL);
	rc = add_rules(ctx);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc < 0 ? error_errno(err, -rc, "load the system call filter") : 0;
}
#endif

int boot_confine(struct error *err)
{
	struct rlimit no_core = { 0, 0 };
	int rc = become_nobody(err);

	if (rc == 0)
		rc = enter_empty_root(err);
	if (rc == 0)
		rc = drop_capabilities(err);
	if (rc < 0)
		return rc;
	umask(0);
	setrlimit(RLIMIT_CORE, &no_core);
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, errno, "set no_new_privs");
	return filter_calls(err);
}
