/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fcntl(2), flock(2), ioctl(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "runtimes/sentry/fs/tmpfs.h"
#include "runtimes/sentry/sys/file_at.h"
#include "runtimes/sentry/sys/files.h"
#include "runtimes/sentry/task/pgroup.h"
#include "runtimes/sentry/vfs/locks.h"
#include "runtimes/sentry/vfs/pipe.h"

/* --- locks --- */

static int range_of(struct file *f, const struct flock *l, struct lock_request *r)
{
	int64_t base = 0, start, end;

	if (l->l_whence == SEEK_CUR)
		base = f->pos;
	else if (l->l_whence == SEEK_END)
		base = (int64_t)f->inode->attr.size;
	else if (l->l_whence != SEEK_SET)
		return -EINVAL;
	if (__builtin_add_overflow(base, l->l_start, &start))
		return -EOVERFLOW;
	end = INT64_MAX;
	if (l->l_len > 0 && __builtin_add_overflow(start, l->l_len - 1, &end))
		return -EOVERFLOW;
	if (l->l_len < 0) {
		end = start - 1;
		start += l->l_len;
	}
	if (start < 0)
		return -EINVAL;
	r->start = start;
	r->end = end;
	return 0;
}

static int request_of(struct task *t, struct file *f, const struct flock *l, bool ofd,
		      struct lock_request *r)
{
	int type = l->l_type;

	if (type != F_RDLCK && type != F_WRLCK && type != F_UNLCK)
		return -EINVAL;
	if (ofd && l->l_pid)
		return -EINVAL;
	*r = (struct lock_request){
		.kind = LOCKS_RANGE,
		.owner = ofd ? (const void *)f : (const void *)t->fds,
		.type = type,
		.pid = ofd ? -1 : t->process->pid,
	};
	return range_of(f, l, r);
}

static int may_lock(const struct file *f, int type)
{
	if ((type == F_RDLCK && !file_readable(f)) || (type == F_WRLCK && !file_writable(f)))
		return -EBADF;
	return 0;
}

static long set_lock(struct task *t, struct file *f, uint64_t arg, bool ofd, bool wait)
{
	struct lock_request r;
	struct flock l;
	int rc = sys_copy_in(t, &l, arg, sizeof(l));

	if (rc == 0)
		rc = request_of(t, f, &l, ofd, &r);
	if (rc == 0)
		rc = may_lock(f, l.l_type);
	return rc < 0 ? rc : locks_set(f->inode, &r, wait);
}

static long get_lock(struct task *t, struct file *f, uint64_t arg, bool ofd)
{
	struct lock_request r, found;
	struct flock l;
	int rc = sys_copy_in(t, &l, arg, sizeof(l));

	if (rc == 0)
		rc = request_of(t, f, &l, ofd, &r);
	if (rc == 0 && l.l_type == F_UNLCK)
		rc = -EINVAL;
	if (rc < 0)
		return rc;
	locks_test(f->inode, &r, &found);
	l.l_type = (short)found.type;
	if (found.type != F_UNLCK) {
		l.l_whence = SEEK_SET;
		l.l_start = found.start;
		l.l_len = found.end == INT64_MAX ? 0 : found.end - found.start + 1;
		l.l_pid = found.pid;
	}
	return sys_copy_out(t, arg, &l, sizeof(l));
}

long sys_flock(struct task *t, const uint64_t a[6])
{
	struct lock_request r = { .kind = LOCKS_FLOCK, .end = INT64_MAX, .pid = t->process->pid };
	struct file *f;
	long rc;

	switch (a[1] & ~(uint64_t)LOCK_NB) {
	case LOCK_SH:
		r.type = F_RDLCK;
		break;
	case LOCK_EX:
		r.type = F_WRLCK;
		break;
	case LOCK_UN:
		r.type = F_UNLCK;
		break;
	default:
		return -EINVAL;
	}
	f = sys_file(t, (int)a[0]);
	if (!f)
		return -EBADF;
	r.owner = f;
	rc = locks_set(f->inode, &r, !(a[1] & LOCK_NB));
	file_put(f);
	return rc;
}

/* --- seals --- */

/* seals() - of a file of memory: the host keeps and enforces them. */
static long seals(struct file *f, int cmd, uint64_t arg)
{
	struct memfile *m = tmpfs_memfile(f->inode);
	int rc;

	if (!m)
		return -EINVAL;
	if (cmd == F_ADD_SEALS && !file_writable(f))
		return -EPERM;
	LOCKED(&f->inode->lock);
	if (!m->sealable)
		return cmd == F_ADD_SEALS ? -EPERM : F_SEAL_SEAL;
	rc = memfile_to_fd(m);
	if (rc < 0)
		return rc;
	rc = cmd == F_ADD_SEALS ? fcntl(m->fd, F_ADD_SEALS, (int)arg) : fcntl(m->fd, F_GET_SEALS);
	return rc < 0 ? -errno : rc;
}

/* --- flags and owners --- */

#define MAY_SET (O_APPEND | O_ASYNC | O_DIRECT | O_NOATIME | O_NONBLOCK)

static long set_flags(struct task *t, struct file *f, unsigned int flags)
{
	int rc = 0;

	if ((flags & O_NOATIME) && !(f->flags & O_NOATIME) &&
	    !inode_owner_or_capable(f->inode, t->cred))
		return -EPERM;
	if (f->ops->set_flags)
		rc = f->ops->set_flags(f, flags & MAY_SET);
	if (rc < 0)
		return rc;
	LOCKED(&f->lock);
	f->flags = (f->flags & ~(unsigned int)MAY_SET) | (flags & MAY_SET);
	return 0;
}

static long set_owner(struct task *t, struct file *f, uint64_t arg)
{
	struct f_owner_ex o;
	int rc = sys_copy_in(t, &o, arg, sizeof(o));

	if (rc < 0)
		return rc;
	if (o.type != F_OWNER_TID && o.type != F_OWNER_PID && o.type != F_OWNER_PGRP)
		return -EINVAL;
	f->owner = o.type == F_OWNER_PGRP ? -o.pid : o.pid;
	return 0;
}

static long get_owner(struct task *t, struct file *f, uint64_t arg)
{
	struct f_owner_ex o = { .type = f->owner < 0 ? F_OWNER_PGRP : F_OWNER_PID,
				.pid = f->owner < 0 ? -f->owner : f->owner };

	return sys_copy_out(t, arg, &o, sizeof(o));
}

static long duplicate(struct task *t, struct file *f, uint64_t from, bool cloexec)
{
	uint64_t limit = task_limit(t, RLIMIT_NOFILE);
	int fd;

	if (from >= limit)
		return -EINVAL;
	fd = fdtable_install(t->fds, file_get(f), (int)from, limit, cloexec);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* any_control() - what also descriptors of O_PATH can be told. -ENOSYS: something else. */
static long any_control(struct task *t, int fd, struct file *f, int cmd, uint64_t arg)
{
	int rc;

	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return duplicate(t, f, arg, cmd == F_DUPFD_CLOEXEC);
	case F_GETFD:
		rc = fdtable_get_cloexec(t->fds, fd);
		return rc > 0 ? FD_CLOEXEC : rc;
	case F_SETFD:
		return fdtable_set_cloexec(t->fds, fd, arg & FD_CLOEXEC);
	case F_GETFL:
		return f->flags;
	default:
		return f->flags & O_PATH ? -EBADF : -ENOSYS;
	}
}

static long lock_control(struct task *t, struct file *f, int cmd, uint64_t arg)
{
	switch (cmd) {
	case F_GETLK:
	case F_OFD_GETLK:
		return get_lock(t, f, arg, cmd == F_OFD_GETLK);
	case F_SETLK:
	case F_SETLKW:
		return set_lock(t, f, arg, false, cmd == F_SETLKW);
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return set_lock(t, f, arg, true, cmd == F_OFD_SETLKW);
	case F_GETLEASE:
		return F_UNLCK;
	case F_SETLEASE:
		/* Nobody could break one that the host does not know of. */
		return arg == F_UNLCK ? -EAGAIN : -EINVAL;
	default:
		return -ENOSYS;
	}
}

static long control(struct task *t, struct file *f, int cmd, uint64_t arg)
{
	switch (cmd) {
	case F_SETFL:
		return set_flags(t, f, (unsigned int)arg);
	case F_SETOWN:
		if ((int)arg == INT32_MIN)
			return -EINVAL;
		f->owner = (int)arg;
		return 0;
	case F_GETOWN:
		return f->owner;
	case F_SETOWN_EX:
		return set_owner(t, f, arg);
	case F_GETOWN_EX:
		return get_owner(t, f, arg);
	case F_SETSIG:
		if (arg > N_SIGNALS)
			return -EINVAL;
		f->owner_signal = (int)arg;
		return 0;
	case F_GETSIG:
		return f->owner_signal;
	case F_GETPIPE_SZ:
		return pipe_get_capacity(f);
	case F_SETPIPE_SZ:
		return pipe_set_capacity(f, arg, cred_has(t->cred, CAP_SYS_RESOURCE));
	case F_ADD_SEALS:
	case F_GET_SEALS:
		return seals(f, cmd, arg);
	default:
		return -EINVAL;
	}
}

long sys_fcntl(struct task *t, const uint64_t a[6])
{
	struct file *f = fdtable_find(t->fds, (int)a[0]);
	int cmd = (int)a[1];
	long rc;

	if (!f)
		return -EBADF;
	rc = any_control(t, (int)a[0], f, cmd, a[2]);
	if (rc == -ENOSYS)
		rc = lock_control(t, f, cmd, a[2]);
	if (rc == -ENOSYS)
		rc = control(t, f, cmd, a[2]);
	file_put(f);
	return rc;
}

/* --- ioctl --- */

struct guest_memory {
	struct ioctl_memory m;
	struct task *t;
};

static int memory_in(struct ioctl_memory *m, void *to, uint64_t guest, size_t len)
{
	return sys_copy_in(CONTAINER_OF(m, struct guest_memory, m)->t, to, guest, len);
}

static int memory_out(struct ioctl_memory *m, uint64_t guest, const void *from, size_t len)
{
	return sys_copy_out(CONTAINER_OF(m, struct guest_memory, m)->t, guest, from, len);
}

static long set_nonblock(struct task *t, struct file *f, uint64_t arg, unsigned int flag)
{
	int on;
	int rc = sys_copy_in(t, &on, arg, sizeof(on));

	if (rc < 0)
		return rc;
	return set_flags(t, f, on ? f->flags | flag : f->flags & ~flag);
}

static long bytes_left(struct task *t, struct file *f, uint64_t arg)
{
	int64_t left = (int64_t)f->inode->attr.size - f->pos;
	int n = (int)MAX(MIN(left, INT32_MAX), 0);

	return sys_copy_out(t, arg, &n, sizeof(n));
}

/* any_ioctl() - what files of all kinds know. -ENOTTY: something else. */
static long any_ioctl(struct task *t, int fd, struct file *f, unsigned int cmd, uint64_t arg)
{
	int block_size = 4096;

	switch (cmd) {
	case FIOCLEX:
	case FIONCLEX:
		return fdtable_set_cloexec(t->fds, fd, cmd == FIOCLEX);
	case FIONBIO:
		return set_nonblock(t, f, arg, O_NONBLOCK);
	case FIOASYNC:
		return set_nonblock(t, f, arg, O_ASYNC);
	case FIONREAD:
		return S_ISREG(f->inode->attr.mode) ? bytes_left(t, f, arg) : -ENOTTY;
	case 2: /* FIGETBSZ */
		return sys_copy_out(t, arg, &block_size, sizeof(block_size));
	default:
		return -ENOTTY;
	}
}

long sys_ioctl(struct task *t, const uint64_t a[6])
{
	struct guest_memory g = { .m = { memory_in, memory_out }, .t = t };
	struct file *f = sys_file(t, (int)a[0]);
	long rc;

	if (!f)
		return -EBADF;
	rc = any_ioctl(t, (int)a[0], f, (unsigned int)a[1], a[2]);
	if (rc == -ENOTTY && f->ops->ioctl)
		rc = f->ops->ioctl(f, (unsigned int)a[1], a[2], &g.m);
	file_put(f);
	return rc;
}
