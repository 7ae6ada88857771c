/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gofer's confinement.
 *
 * Own mount, net and ipc namespaces; the root is an empty file system without a name in it, so
 * only descriptors lead anywhere; of the capabilities
 *   CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID
 * and a filter that answers EPERM to every system call not in the list, and to mapping memory
 * that can be executed.
 */
#include "runtimes/gofer/confine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/fd.h"
#include "base/mem.h"

static const struct allowed_call allowed[] = {
	/* requests in, replies out; trees from the launcher */
	ALLOW(recvmsg),
	ALLOW(sendmsg),
	ALLOW(accept4),
	ALLOW(poll),
	ALLOW(close),
	ALLOW(fcntl),
	ALLOW(write),
	/* names */
	ALLOW(openat2),
	ALLOW(openat),
	ALLOW(mkdirat),
	ALLOW(mknodat),
	ALLOW(symlinkat),
	ALLOW(linkat),
	ALLOW(unlinkat),
	ALLOW(renameat), /* what the C library makes of renameat2() without flags */
	ALLOW(renameat2),
	ALLOW(readlinkat),
	/* attributes */
	ALLOW(statx),
	ALLOW(fstat),
	ALLOW(newfstatat),
	ALLOW(fchownat),
	ALLOW(fchmodat),
	ALLOW(utimensat),
	ALLOW(ftruncate),
	ALLOW(getxattr),
	ALLOW(setxattr),
	ALLOW(listxattr),
	ALLOW(removexattr),
	ALLOW(fstatfs),
	ALLOW(syncfs),
	/* the C library: memory (never executable), threads, locks, the end */
	ALLOW_NO_EXEC(mmap),
	ALLOW_NO_EXEC(mprotect),
	ALLOW(brk),
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(madvise),
	ALLOW(futex),
	ALLOW(clone3),
	ALLOW(clone),
	ALLOW(set_robust_list),
	ALLOW(rseq),
	ALLOW(rt_sigprocmask),
	ALLOW(rt_sigreturn),
	ALLOW(restart_syscall),
	ALLOW(sched_getaffinity),
	ALLOW(sched_setaffinity), /* to the CPU of who asks */
	ALLOW(gettid),
	ALLOW(getpid),
	ALLOW(exit),
	ALLOW(exit_group),
};

/* enter_empty_root() - and keep /proc/self/fd, in a /proc of our own, as the working directory. */
static int enter_empty_root(bool no_network, struct error *err)
{
	int fds cleanup_close = -1;
	int rc;

	if (unshare(CLONE_NEWNS | CLONE_NEWIPC | (no_network ? 0 : CLONE_NEWNET)) < 0)
		return error_errno(err, errno, "make own namespaces (root is needed)");
	fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fds < 0)
		return error_errno(err, errno, "open /proc/self/fd");
	rc = confine_empty_root(err);
	if (rc < 0)
		return rc;
	return fchdir(fds) < 0 ? error_errno(err, errno, "enter /proc/self/fd") : 0;
}

int gofer_confine(bool no_network, struct error *err)
{
	const uint32_t keep = 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH |
			      1U << CAP_FOWNER | 1U << CAP_FSETID;
	int rc = enter_empty_root(no_network, err);

	if (rc == 0)
		rc = confine_rights(keep, err);
	if (rc < 0)
		return rc;
	umask(0);
	return confine_calls(SECCOMP_RET_ERRNO | EPERM, allowed, ARRAY_LEN(allowed), err);
}
