/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory calls that the stub cannot make alone.
 *
 * Private memory is the host's and never comes here.  What comes: mappings of files, where the
 * file gives the descriptor that the stub maps, and shared anonymous memory, a memfd of the host
 * that lives as long as it is mapped (its pages are paid for by who touches them first).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "runtimes/sentry/sys/calls.h"
#include "runtimes/sentry/task/signal.h"
#include "runtimes/sentry/vfs/mapped.h"

#define PAGE 4096ull
/* What the stub may pass on; others are hints that cost nothing to leave out. */
#define FLAGS_PASSED \
	(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_NORESERVE | MAP_POPULATE)
#define FLAGS_KNOWN                                                                             \
	(FLAGS_PASSED | MAP_ANONYMOUS | MAP_32BIT | MAP_GROWSDOWN | MAP_DENYWRITE |             \
	 MAP_EXECUTABLE | MAP_LOCKED | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_SYNC | 3u | \
	 0xfc000000u)

static int64_t map(struct task *t, const uint64_t a[6], int fd, uint64_t offset)
{
	struct stub_map m = {
		.addr = a[0],
		.length = (a[1] + PAGE - 1) & ~(PAGE - 1),
		.offset = offset,
		.prot = (int)a[2] & (PROT_READ | PROT_WRITE | PROT_EXEC),
		.flags = (int)a[3] & FLAGS_PASSED,
		.fd = fd,
	};

	if (((int)a[3] & MAP_TYPE) == MAP_SHARED_VALIDATE)
		m.flags = (m.flags & ~MAP_TYPE) | MAP_SHARED;
	if (fd < 0)
		m.flags |= MAP_ANONYMOUS;
	return stub_mmap(t->stub, &m);
}

static int64_t map_shared_anonymous(struct task *t, const uint64_t a[6])
{
	cleanup_close int fd = memfd_create("dev/zero", MFD_CLOEXEC);

	if (fd < 0)
		return -ENOMEM;
	if (ftruncate(fd, (off_t)((a[1] + PAGE - 1) & ~(PAGE - 1))))
		return -ENOMEM;
	return map(t, a, fd, 0);
}

static int check_file_map(const struct file *f, const uint64_t a[6], bool shared)
{
	int prot = (int)a[2];

	if (!file_readable(f) || (shared && (prot & PROT_WRITE) && !file_writable(f)))
		return -EACCES;
	if ((prot & PROT_EXEC) && f->mount && (f->mount->flags & MS_NOEXEC))
		return -EPERM;
	return f->ops->mmap ? 0 : -ENODEV;
}

/* /dev/zero is anonymous memory by another name. */
static bool is_zero_device(const struct file *f)
{
	return S_ISCHR(f->inode->attr.mode) && f->inode->attr.rdev == makedev(1, 5);
}

static int64_t map_file(struct task *t, const uint64_t a[6])
{
	int type = (int)a[3] & MAP_TYPE;
	bool shared = type == MAP_SHARED || type == MAP_SHARED_VALIDATE;
	struct file *f = sys_file(t, (int)a[4]);
	int64_t offset = (int64_t)a[5], rc;
	int fd;

	if (!f)
		return -EBADF;
	rc = check_file_map(f, a, shared);
	if (rc == -ENODEV && is_zero_device(f)) {
		rc = shared ? map_shared_anonymous(t, a) : map(t, a, -1, 0);
	} else if (!rc) {
		/* A shared mapping of a writable file may be made writable later by mprotect. */
		fd = f->ops->mmap(f, shared, shared && file_writable(f), &offset);
		rc = fd < 0 ? fd : map(t, a, fd, (uint64_t)offset);
		if (rc >= 0)
			mapped_note(f, fd);
	}
	file_put(f);
	return rc;
}

static int check_map(const uint64_t a[6])
{
	int flags = (int)a[3], type = flags & MAP_TYPE;

	if (!a[1] || (a[5] & (PAGE - 1)))
		return -EINVAL;
	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (type == MAP_SHARED_VALIDATE && ((unsigned int)flags & ~FLAGS_KNOWN || flags & MAP_SYNC))
		return -EOPNOTSUPP;
	if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) && (a[0] & (PAGE - 1)))
		return -EINVAL;
	if (a[1] > STUB_GUEST_TOP || a[0] > STUB_GUEST_TOP)
		return -ENOMEM;
	return a[5] + a[1] < a[5] ? -EOVERFLOW : 0;
}

long sys_mmap(struct task *t, const uint64_t a[6])
{
	int flags = (int)a[3], rc = check_map(a);

	if (rc)
		return rc;
	if (!(flags & MAP_ANONYMOUS))
		return map_file(t, a);
	if ((flags & MAP_TYPE) != MAP_PRIVATE)
		return map_shared_anonymous(t, a);
	/* No huge pages are set aside for pods; everything else that comes here is a hint. */
	return flags & MAP_HUGETLB ? -ENOMEM : map(t, a, -1, 0);
}

/* Pages of files are the host's page cache: what is written is seen by all at once. */
long sys_msync(struct task *t, const uint64_t a[6])
{
	unsigned int flags = (unsigned int)a[2];
	char byte;

	if (flags & ~(unsigned int)(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || (a[0] & (PAGE - 1)) ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	if (a[0] + a[1] < a[0])
		return -ENOMEM;
	return a[1] && stub_read(t->stub, &byte, a[0], 1) ? -ENOMEM : 0;
}

/* --- locking: pages of a pod are not pinned, as its limit would be the host's to pay ---------- */

static long check_lock(struct task *t, uint64_t len)
{
	uint64_t limit = task_limit(t, RLIMIT_MEMLOCK);

	if (cred_has(t->cred, CAP_IPC_LOCK))
		return 0;
	if (!limit)
		return -EPERM;
	return len > limit ? -ENOMEM : 0;
}

long sys_mlock(struct task *t, const uint64_t a[6])
{
	char byte;

	if (a[1] && stub_read(t->stub, &byte, a[0], 1))
		return -ENOMEM;
	return check_lock(t, a[1]);
}

long sys_mlock2(struct task *t, const uint64_t a[6])
{
	return (unsigned int)a[2] & ~1u ? -EINVAL : sys_mlock(t, a);
}

long sys_munlock(struct task *t, const uint64_t a[6])
{
	(void)t;
	(void)a;
	return 0;
}

long sys_munlockall(struct task *t, const uint64_t a[6])
{
	(void)t;
	(void)a;
	return 0;
}

long sys_mlockall(struct task *t, const uint64_t a[6])
{
	if (!(unsigned int)a[0] || (unsigned int)a[0] & ~7u || (unsigned int)a[0] == 4)
		return -EINVAL;
	return check_lock(t, 0);
}

/* --- NUMA: one node ----------------------------------------------------------------------------
 */

#define MPOL_LAST      6
#define MPOL_F_NODE    1u
#define MPOL_F_ADDR    2u
#define MPOL_F_ALLOWED 4u

long sys_get_mempolicy(struct task *t, const uint64_t a[6])
{
	unsigned int flags = (unsigned int)a[4];
	uint64_t nodes = flags & MPOL_F_ALLOWED ? 1 : 0;
	int mode = 0, rc = 0;

	if (flags & ~(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_ALLOWED))
		return -EINVAL;
	if (a[1] && a[2] < 1)
		return -EINVAL;
	if (a[0])
		rc = sys_copy_out(t, a[0], &mode, sizeof(mode));
	if (!rc && a[1])
		rc = sys_copy_out(t, a[1], &nodes, sizeof(nodes));
	return rc;
}

static long check_policy(struct task *t, uint64_t mode, uint64_t mask_at, uint64_t max)
{
	uint64_t nodes = 0;
	int rc;

	mode &= ~0xe000ull;
	if (mode > MPOL_LAST)
		return -EINVAL;
	if (!mask_at || max < 2)
		return 0;
	rc = sys_copy_in(t, &nodes, mask_at, sizeof(nodes));
	return rc ? rc : nodes & ~1ull ? -EINVAL : 0;
}

long sys_set_mempolicy(struct task *t, const uint64_t a[6])
{
	return check_policy(t, a[0], a[1], a[2]);
}

long sys_mbind(struct task *t, const uint64_t a[6])
{
	return a[0] & (PAGE - 1) ? -EINVAL : check_policy(t, a[2], a[3], a[4]);
}

/* --- another process's memory --------------------------------------------------------------------
 */

#define VECTORS_MAX 1024

/* move() - one run of bytes between two guests. Return: 0 or -EFAULT. */
static int move(struct task *t, struct task *other, uint64_t mine, uint64_t theirs, size_t len,
		bool write)
{
	char buf[16384];

	while (len) {
		size_t n = MIN(len, sizeof(buf));
		int rc =
			write ? stub_read(t->stub, buf, mine, n) : task_read(other, buf, theirs, n);

		if (!rc)
			rc = write ? task_write(other, theirs, buf, n)
				   : stub_write(t->stub, mine, buf, n);
		if (rc)
			return rc;
		mine += n;
		theirs += n;
		len -= n;
	}
	return 0;
}

/* Both vectors are walked side by side; what was moved before a fault counts. */
static long move_vectors(struct task *t, struct task *other, const struct iovec *mine,
			 size_t n_mine, const struct iovec *theirs, size_t n_theirs, bool write)
{
	size_t i = 0, j = 0, at_i = 0, at_j = 0;
	long done = 0;

	while (i < n_mine && j < n_theirs) {
		size_t n = MIN(mine[i].iov_len - at_i, theirs[j].iov_len - at_j);
		int rc = move(t, other, (uint64_t)(uintptr_t)mine[i].iov_base + at_i,
			      (uint64_t)(uintptr_t)theirs[j].iov_base + at_j, n, write);

		if (rc)
			return done ? done : rc;
		done += (long)n;
		at_i += n;
		at_j += n;
		if (at_i == mine[i].iov_len)
			i++, at_i = 0;
		if (at_j == theirs[j].iov_len)
			j++, at_j = 0;
	}
	return done;
}

static long process_vm(struct task *t, const uint64_t a[6], bool write)
{
	cleanup_free struct iovec *v = NULL;
	struct process *p;
	struct task *other;
	int rc;

	if (a[5] || a[2] > VECTORS_MAX || a[4] > VECTORS_MAX)
		return -EINVAL;
	v = xcalloc(a[2] + a[4] + 1, sizeof(*v));
	rc = sys_copy_in(t, v, a[1], a[2] * sizeof(*v));
	if (!rc)
		rc = sys_copy_in(t, v + a[2], a[3], a[4] * sizeof(*v));
	if (rc)
		return rc;
	p = process_find(t->process->pids, (pid_t)a[0]);
	if (!p)
		return -ESRCH;
	rc = sys_may_look_into(t, p);
	other = rc ? NULL : process_leader(p);
	process_put(p);
	if (!other)
		return rc ? rc : -ESRCH;
	rc = (int)move_vectors(t, other, v, a[2], v + a[2], a[4], write);
	task_put(other);
	return rc;
}

long sys_process_vm_readv(struct task *t, const uint64_t a[6])
{
	return process_vm(t, a, false);
}

long sys_process_vm_writev(struct task *t, const uint64_t a[6])
{
	return process_vm(t, a, true);
}
