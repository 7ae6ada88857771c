/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the unpacker gives up before it reads a byte.
 *
 * Own mount, net and ipc namespaces; root is the layer's directory on a nodev nosuid noexec
 * mount; of the capabilities those that making files of any owner needs:
 *   CHOWN DAC_OVERRIDE FOWNER FSETID SETFCAP MKNOD
 * and a filter that answers EPERM to every system call not in the list, and to mapping memory
 * that can be executed.
 */
#include "image/unpack/confine.h"

#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static int drop_capabilities(struct error *err)
{
	const unsigned int keep = 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_FOWNER |
				  1U << CAP_FSETID | 1U << CAP_SETFCAP | 1U << CAP_MKNOD;
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
	/* the layer in, its files out */
	SCMP_SYS(read),
	SCMP_SYS(poll),
	SCMP_SYS(write),
	SCMP_SYS(pwrite64),
	SCMP_SYS(close),
	SCMP_SYS(openat),
	SCMP_SYS(openat2),
	SCMP_SYS(ftruncate),
	SCMP_SYS(lseek),
	SCMP_SYS(fcntl),
	SCMP_SYS(syncfs),
	/* entries */
	SCMP_SYS(mkdirat),
	SCMP_SYS(mknodat),
	SCMP_SYS(symlinkat),
	SCMP_SYS(linkat),
	SCMP_SYS(unlinkat),
	SCMP_SYS(getdents64),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	/* attributes */
	SCMP_SYS(fchown),
	SCMP_SYS(fchownat),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat),
	SCMP_SYS(fsetxattr),
	SCMP_SYS(fgetxattr),
	SCMP_SYS(utimensat),
	/* the C library: memory, locks, the end */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(getrandom),
	SCMP_SYS(rt_sigreturn),
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

int confine(const char *dir, struct error *err)
{
	struct rlimit no_core = { 0, 0 };
	int rc = enter_dir(dir, err);

	if (rc == 0)
		rc = drop_capabilities(err);
	if (rc < 0)
		return rc;
	setrlimit(RLIMIT_CORE, &no_core);
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, errno, "set no_new_privs");
	return filter_calls(err);
}
