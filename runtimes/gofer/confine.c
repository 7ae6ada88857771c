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
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

/* enter_empty_root() - and keep /proc/self/fd, in a /proc of our own, as the working directory. */
static int enter_empty_root(bool no_network, struct error *err)
{
	int fds cleanup_close = -1;

	if (unshare(CLONE_NEWNS | CLONE_NEWIPC | (no_network ? 0 : CLONE_NEWNET)) < 0)
		return error_errno(err, errno, "make own namespaces (root is needed)");
	if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(err, errno, "make the mounts private");
	fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fds < 0)
		return error_errno(err, errno, "open /proc/self/fd");
	if (mount("none", "/tmp", "tmpfs", MS_NODEV | MS_NOSUID | MS_NOEXEC, "size=4k,mode=555") <
	    0)
		return error_errno(err, errno, "mount an empty root");
	if (chdir("/tmp") < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 ||
	    mount("", "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
		return error_errno(err, errno, "enter the empty root");
	return fchdir(fds) < 0 ? error_errno(err, errno, "enter /proc/self/fd") : 0;
}

static int drop_capabilities(struct error *err)
{
	const unsigned int keep = 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE |
				  1U << CAP_DAC_READ_SEARCH | 1U << CAP_FOWNER | 1U << CAP_FSETID;
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { keep, keep, 0 }, { 0, 0, 0 } };

	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if ((cap > 31 || !(keep >> cap & 1)) && prctl(PR_CAPBSET_DROP, cap) < 0)
			return error_errno(err, errno, "drop capability %d", cap);
	if (syscall(SYS_capset, &head, data) < 0)
		return error_errno(err, errno, "drop capabilities");
	return 0;
}

/* Sanitizers call more at exit than a filter should let through. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static int filter_calls(struct error *err)
{
	(void)err;
	return 0;
}
#else
static const int allowed[] = {
	/* requests in, replies out; trees from the launcher */
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(accept4),
	SCMP_SYS(poll),
	SCMP_SYS(close),
	SCMP_SYS(fcntl),
	SCMP_SYS(write),
	/* names */
	SCMP_SYS(openat2),
	SCMP_SYS(openat),
	SCMP_SYS(mkdirat),
	SCMP_SYS(mknodat),
	SCMP_SYS(symlinkat),
	SCMP_SYS(linkat),
	SCMP_SYS(unlinkat),
	SCMP_SYS(renameat), /* what the C library makes of renameat2() without flags */
	SCMP_SYS(renameat2),
	SCMP_SYS(readlinkat),
	/* attributes */
	SCMP_SYS(statx),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(fchownat),
	SCMP_SYS(fchmodat),
	SCMP_SYS(utimensat),
	SCMP_SYS(ftruncate),
	SCMP_SYS(getxattr),
	SCMP_SYS(setxattr),
	SCMP_SYS(listxattr),
	SCMP_SYS(removexattr),
	SCMP_SYS(fstatfs),
	SCMP_SYS(syncfs),
	/* the C library: memory, threads, locks, the end */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(clone3),
	SCMP_SYS(clone),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_setaffinity), /* to the CPU of who asks */
	SCMP_SYS(gettid),
	SCMP_SYS(getpid),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

static int add_rules(scmp_filter_ctx ctx)
{
	const int maps[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(allowed) && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; i < ARRAY_LEN(maps) && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, maps[i], 1,
				      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return rc;
}

static int filter_calls(struct error *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (!ctx)
		return error_set(err, ENOMEM, "system call filter: out of memory");
	rc = add_rules(ctx);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc < 0 ? error_errno(err, -rc, "load the system call filter") : 0;
}
#endif

int gofer_confine(bool no_network, struct error *err)
{
	struct rlimit no_core = { 0, 0 };
	int rc = enter_empty_root(no_network, err);

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
