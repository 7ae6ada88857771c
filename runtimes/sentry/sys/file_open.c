/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing, and the numbers of open files.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/memfd.h>
#include <linux/openat2.h>
#include <sched.h>

#include "runtimes/sentry/fs/cgroup.h"
#include "runtimes/sentry/fs/tmpfs.h"
#include "runtimes/sentry/sys/file_at.h"
#include "runtimes/sentry/sys/files.h"
#include "runtimes/sentry/vfs/pipe.h"

/* install() - a new descriptor for @f, whose reference is taken over. */
static long install(struct task *t, struct file *f, unsigned int flags)
{
	int fd = fdtable_install(t->fds, f, 0, task_limit(t, RLIMIT_NOFILE), flags & O_CLOEXEC);

	if (fd < 0)
		file_put(f);
	return fd;
}

static long open_at(struct task *t, uint64_t dirfd, uint64_t name, unsigned int flags, mode_t mode,
		    unsigned int walk)
{
	struct at at AT_UNSET;
	struct file *f;
	int rc;

	if ((flags & O_TMPFILE & ~(unsigned int)O_DIRECTORY) &&
	    (!(flags & O_DIRECTORY) || !(flags & O_ACCMODE)))
		return -EINVAL;
	if (flags & (O_CREAT | O_TRUNC)) {
		rc = fdtable_room(t->fds, task_limit(t, RLIMIT_NOFILE));
		if (rc < 0)
			return rc;
	}
	rc = at_fetch(t, dirfd, name, &at);
	/* An absolute name begins at the descriptor, too, when that is the root. */
	if (rc == 0 && !at.has_start && (walk & (WALK_IN_ROOT | WALK_BENEATH)))
		rc = sys_start(t, (int)dirfd, &at.start, &at.has_start);
	if (rc < 0)
		return rc;
	rc = vfs_open(t->fs, at_start(&at), at.name, flags, mode & 07777, walk, t->cred, &f);
	at_end(&at);
	return rc < 0 ? rc : install(t, f, flags);
}

#define OPEN_FLAGS                                                                             \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC | \
	 O_ASYNC | O_DIRECT | 0100000 | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC |     \
	 O_SYNC | O_PATH | O_TMPFILE)

long sys_open(struct task *t, const uint64_t a[6])
{
	return open_at(t, (uint64_t)AT_FDCWD, a[0], (unsigned int)a[1] & OPEN_FLAGS, (mode_t)a[2],
		       0);
}

long sys_creat(struct task *t, const uint64_t a[6])
{
	return open_at(t, (uint64_t)AT_FDCWD, a[0], O_CREAT | O_WRONLY | O_TRUNC, (mode_t)a[1], 0);
}

long sys_openat(struct task *t, const uint64_t a[6])
{
	return open_at(t, a[0], a[1], (unsigned int)a[2] & OPEN_FLAGS, (mode_t)a[3], 0);
}

static int walk_of_resolve(uint64_t resolve, unsigned int *ret)
{
	static const struct {
		uint64_t resolve;
		unsigned int walk;
	} map[] = { { RESOLVE_NO_XDEV, WALK_NO_XDEV },
		    { RESOLVE_NO_MAGICLINKS, WALK_NO_MAGIC },
		    { RESOLVE_NO_SYMLINKS, WALK_NO_SYMLINKS | WALK_NO_MAGIC },
		    { RESOLVE_BENEATH, WALK_BENEATH },
		    { RESOLVE_IN_ROOT, WALK_IN_ROOT } };

	*ret = 0;
	for (size_t n = 0; n < ARRAY_LEN(map); n++) {
		if (resolve & map[n].resolve)
			*ret |= map[n].walk;
		resolve &= ~map[n].resolve;
	}
	if ((*ret & WALK_BENEATH) && (*ret & WALK_IN_ROOT))
		return -EINVAL;
	if (resolve & RESOLVE_CACHED)
		return -EAGAIN;
	return resolve ? -EINVAL : 0;
}

long sys_openat2(struct task *t, const uint64_t a[6])
{
	struct open_how how = { 0 };
	unsigned int walk;
	int rc;

	if (a[3] < sizeof(how))
		return -EINVAL;
	if (a[3] > 4096)
		return -E2BIG;
	rc = sys_copy_sized(t, &how, sizeof(how), a[2], a[3]);
	if (rc < 0)
		return rc;
	if (how.flags & ~(uint64_t)OPEN_FLAGS)
		return -EINVAL;
	if (how.mode & ~07777ull)
		return -EINVAL;
	if (how.mode && !(how.flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))))
		return -EINVAL;
	rc = walk_of_resolve(how.resolve, &walk);
	if (rc < 0)
		return rc;
	return open_at(t, a[0], a[1], (unsigned int)how.flags, (mode_t)how.mode, walk);
}

long sys_close(struct task *t, const uint64_t a[6])
{
	return fdtable_close(t->fds, (int)a[0]);
}

long sys_close_range(struct task *t, const uint64_t a[6])
{
	unsigned int flags = (unsigned int)a[2];

	if (flags & ~(unsigned int)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
		return -EINVAL;
	if ((unsigned int)a[0] > (unsigned int)a[1])
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE) {
		int rc = task_unshare(t, CLONE_FILES);

		if (rc < 0)
			return rc;
	}
	return fdtable_close_range(t->fds, (unsigned int)a[0], (unsigned int)a[1],
				   flags & CLOSE_RANGE_CLOEXEC);
}

long sys_dup(struct task *t, const uint64_t a[6])
{
	struct file *f = fdtable_find(t->fds, (int)a[0]);

	return f ? install(t, f, 0) : -EBADF;
}

static long dup_to(struct task *t, int from, int to, bool cloexec)
{
	struct file *f = fdtable_find(t->fds, from);

	if (!f)
		return -EBADF;
	if (to < 0 || (uint64_t)to >= task_limit(t, RLIMIT_NOFILE)) {
		file_put(f);
		return -EBADF;
	}
	return fdtable_replace(t->fds, to, f, cloexec);
}

long sys_dup2(struct task *t, const uint64_t a[6])
{
	if ((int)a[0] == (int)a[1])
		return fdtable_get_cloexec(t->fds, (int)a[0]) < 0 ? -EBADF : (int)a[0];
	return dup_to(t, (int)a[0], (int)a[1], false);
}

long sys_dup3(struct task *t, const uint64_t a[6])
{
	if ((a[2] & ~(uint64_t)O_CLOEXEC) || (int)a[0] == (int)a[1])
		return -EINVAL;
	return dup_to(t, (int)a[0], (int)a[1], a[2] & O_CLOEXEC);
}

/* install_pair() - two descriptors, written to the guest as two ints. */
static long install_pair(struct task *t, struct file *f, struct file *g, unsigned int flags,
			 uint64_t to)
{
	int fds[2], rc;

	fds[0] = (int)install(t, f, flags);
	if (fds[0] < 0) {
		file_put(g);
		return fds[0];
	}
	fds[1] = (int)install(t, g, flags);
	rc = fds[1] < 0 ? fds[1] : sys_copy_out(t, to, fds, sizeof(fds));
	if (rc < 0) {
		fdtable_close(t->fds, fds[0]);
		if (fds[1] >= 0)
			fdtable_close(t->fds, fds[1]);
	}
	return rc;
}

long sys_pipe2(struct task *t, const uint64_t a[6])
{
	unsigned int flags = (unsigned int)a[1];
	struct file *r, *w;
	int rc;

	if (flags & ~(unsigned int)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	rc = pipe_create(flags, t->cred, &r, &w);
	return rc < 0 ? rc : install_pair(t, r, w, flags, a[0]);
}

long sys_pipe(struct task *t, const uint64_t a[6])
{
	const uint64_t with_flags[6] = { a[0], 0 };

	return sys_pipe2(t, with_flags);
}

long sys_memfd_create(struct task *t, const uint64_t a[6])
{
	unsigned int flags = (unsigned int)a[1];
	char name[250];
	struct file *f;
	ssize_t len;
	int rc;

	if (flags & ~(unsigned int)(MFD_CLOEXEC | MFD_ALLOW_SEALING | 0x18))
		return -EINVAL;
	len = stub_read_string(t->stub, name, sizeof(name), a[0]);
	if (len < 0)
		return len == -ENAMETOOLONG ? -EINVAL : len;
	rc = tmpfs_memfd(name, flags, cgroup_memory(t->process->container->id), t->cred, &f);
	return rc < 0 ? rc : install(t, f, flags & MFD_CLOEXEC ? O_CLOEXEC : 0);
}

long sys_umask(struct task *t, const uint64_t a[6])
{
	mode_t old;

	LOCKED(&t->fs->lock);
	old = t->fs->umask;
	t->fs->umask = (mode_t)a[0] & 0777;
	return (long)old;
}
