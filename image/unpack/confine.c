/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the unpacker gives up before it reads a byte.
 *
 * Own mount, net and ipc namespaces; root is the layer's directory on a nodev nosuid noexec
 * mount; of the capabilities those that making files of any owner needs:
 *   CHOWN DAC_OVERRIDE FOWNER FSETID SETFCAP MKNOD
 * and a filter that answers ENOSYS to every system call not in the list, to mapping memory that
 * can be executed and to starting processes.  (Not EPERM: the C library is to fall back from
 * clone3, whose flags no filter can read.)
 */
#include "image/unpack/confine.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/mem.h"

static int enter_dir(const char *dir, struct error *err)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) < 0)
		return error_errno(err, errno, "make own namespaces (root is needed)");
	if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(err, errno, "make the mounts private");
	if (mount(dir, dir, NULL, MS_BIND, NULL) < 0 ||
	    mount("", dir, NULL, MS_REMOUNT | MS_BIND | MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL) < 0)
		return error_errno(err, errno, "bind %s", dir);
	if (chdir(dir) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return error_errno(err, errno, "make %s the root", dir);
	return 0;
}

static const struct allowed_call allowed[] = {
	/* the layer in, its files out */
	ALLOW(read),
	ALLOW(poll),
	ALLOW(write),
	ALLOW(pwrite64),
	ALLOW(close),
	ALLOW(openat),
	ALLOW(openat2),
	ALLOW(ftruncate),
	ALLOW(lseek),
	ALLOW(fcntl),
	ALLOW(syncfs),
	/* entries */
	ALLOW(mkdirat),
	ALLOW(mknodat),
	ALLOW(symlinkat),
	ALLOW(linkat),
	ALLOW(unlinkat),
	ALLOW(getdents64),
	ALLOW(fstat),
	ALLOW(newfstatat),
	/* attributes */
	ALLOW(fchown),
	ALLOW(fchownat),
	ALLOW(fchmod),
	ALLOW(fchmodat),
	ALLOW(fsetxattr),
	ALLOW(fgetxattr),
	ALLOW(utimensat),
	/* a thread */
	ALLOW_IF(clone, ARG_MASKED(0, CLONE_THREAD | CLONE_NEWUSER, CLONE_THREAD)),
	ALLOW(set_robust_list),
	ALLOW(rseq),
	ALLOW(rt_sigprocmask),
	ALLOW(sched_getaffinity),
	/* the C library: memory (never executable), locks, the end */
	ALLOW_NO_EXEC(mmap),
	ALLOW_NO_EXEC(mprotect),
	ALLOW(brk),
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(madvise),
	ALLOW(futex),
	ALLOW(geteuid),
	ALLOW(getegid),
	ALLOW(getrandom),
	ALLOW(rt_sigreturn),
	ALLOW(exit),
	ALLOW(exit_group),
};

int confine(const char *dir, struct error *err)
{
	const uint32_t keep = 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_FOWNER |
			      1U << CAP_FSETID | 1U << CAP_SETFCAP | 1U << CAP_MKNOD;
	int rc = enter_dir(dir, err);

	if (rc == 0)
		rc = confine_rights(keep, err);
	return rc < 0 ? rc
		      : confine_calls(SECCOMP_RET_ERRNO | ENOSYS, allowed, ARRAY_LEN(allowed), err);
}
