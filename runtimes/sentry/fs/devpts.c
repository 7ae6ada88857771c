/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devpts: pseudo-terminals, their masters, and their names.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtimes/sentry/fs/options.h"
#include "runtimes/sentry/fs/tty_internal.h"
#include "runtimes/sentry/task/signal.h"
#include "runtimes/sentry/vfs/dentry.h"

#define MAX_TTYS  4096 /* kernel.pty.max */
#define PTS_MAJOR 136
#define PTMX_INO  2
#define FIRST_INO 3
#define PTMX_POS  2
#define FIRST_POS 3
#define PIECE	  512

struct devpts {
	struct lock lock; /* LOCK_INODE: slots */
	struct tty *ttys[MAX_TTYS];
	struct inode *inodes[MAX_TTYS]; /* referenced while the terminal is there */
	int used;
	mode_t mode, ptmx_mode;
	uid_t uid;
	gid_t gid;
	bool has_uid, has_gid;
};

/* The other end of a pseudo-terminal. */
struct master {
	struct filesystem *fs;
	struct wait_queue queue;
	bool packets, slave_closed;
};

static const struct inode_ops pts_ops, ptmx_ops, root_ops;

static struct devpts *devpts_of(const struct filesystem *fs)
{
	return fs->data;
}

/* --- numbers --- */

static struct inode *pts_inode(struct filesystem *fs, int index)
{
	struct devpts *d = devpts_of(fs);
	struct inode *i =
		inode_create(fs, &pts_ops, (uint64_t)(FIRST_INO + index), S_IFCHR | d->mode);
	struct task *me = task_current();

	i->attr.rdev = makedev(PTS_MAJOR, (unsigned int)index);
	i->attr.uid = d->has_uid || !me ? d->uid : me->cred->fsuid;
	i->attr.gid = d->has_gid || !me ? d->gid : me->cred->fsgid;
	return i;
}

int devpts_add(struct filesystem *fs, struct tty *t)
{
	struct devpts *d = devpts_of(fs);

	LOCKED(&d->lock);
	for (int n = 0; n < MAX_TTYS; n++) {
		if (d->ttys[n])
			continue;
		d->ttys[n] = tty_get(t);
		d->inodes[n] = pts_inode(fs, n);
		d->used++;
		return t->index = n;
	}
	return -ENOSPC;
}

void devpts_remove(struct filesystem *fs, struct tty *t)
{
	struct devpts *d = devpts_of(fs);
	struct inode *i = NULL;

	lock_acquire(&d->lock);
	if (t->index >= 0 && d->ttys[t->index] == t) {
		i = d->inodes[t->index];
		d->ttys[t->index] = NULL;
		d->inodes[t->index] = NULL;
		d->used--;
	}
	lock_release(&d->lock);
	if (!i)
		return;
	inode_put(i);
	tty_put(t);
}

static struct tty *find_tty(const struct inode *i)
{
	struct devpts *d = devpts_of(i->fs);
	int n = (int)(i->ino - FIRST_INO);
	struct tty *t;

	LOCKED(&d->lock);
	t = d->inodes[n] == i ? d->ttys[n] : NULL;
	return t ? tty_get(t) : NULL;
}

/* --- the master --- */

static void master_flush(struct tty *t)
{
	struct master *m = t->object;

	wait_wake(&m->queue, EPOLLIN | EPOLLRDNORM);
}

static void master_closed(struct tty *t)
{
	struct master *m = t->object;

	m->slave_closed = true;
	wait_wake(&m->queue, 0);
}

static void master_more(struct tty *t)
{
	struct master *m = t->object;

	wait_wake(&m->queue, EPOLLOUT | EPOLLWRNORM);
}

static void master_free(struct tty *t)
{
	free(t->object);
}

static const struct tty_backend master_backend = {
	.flush = master_flush,
	.more = master_more,
	.closed = master_closed,
	.free = master_free,
};

static ssize_t take_out(struct tty *t, struct uio *to)
{
	struct master *m = t->object;
	uint8_t buf[PIECE];
	size_t done = 0, n, limit;
	int rc;

	if (m->packets && uio_left(to)) {
		rc = uio_put(to, "", 1); /* TIOCPKT_DATA */
		if (rc < 0)
			return rc;
		done = 1;
	}
	while ((limit = MIN(sizeof(buf), uio_left(to)))) {
		lock_acquire(&t->lock);
		n = tty_out_take(t, buf, limit);
		lock_release(&t->lock);
		if (!n)
			break;
		rc = uio_put(to, buf, n);
		if (rc < 0)
			return done ? (ssize_t)done : rc;
		done += n;
	}
	return (ssize_t)done;
}

static ssize_t master_read(struct file *f, struct uio *to, int64_t *pos)
{
	struct tty *t = f->object;
	struct master *m = t->object;
	bool any, closed;
	ssize_t n;

	(void)pos;
	lock_acquire(&t->lock);
	any = t->out_used;
	closed = t->was_open && !t->opens;
	lock_release(&t->lock);
	if (!any)
		return closed && m->slave_closed ? -EIO : -EAGAIN;
	n = take_out(t, to);
	if (n > 0)
		wait_wake(&t->queue, EPOLLOUT | EPOLLWRNORM);
	return n;
}

static ssize_t master_write(struct file *f, struct uio *from, int64_t *pos)
{
	struct tty *t = f->object;
	uint8_t buf[PIECE];
	size_t done = 0;
	int rc = 0;

	(void)pos;
	while (uio_left(from)) {
		size_t n = MIN(sizeof(buf), uio_left(from)), before = from->done, taken;
		uint64_t signals = 0;

		rc = uio_get(from, buf, n);
		if (rc < 0)
			break;
		lock_acquire(&t->lock);
		taken = tty_input(t, buf, n, &signals);
		lock_release(&t->lock);
		from->done = before + taken;
		done += taken;
		tty_send_signals(t, signals);
		wait_wake(&t->queue, 0);
		master_flush(t);
		if (taken < n)
			break;
	}
	if (done)
		return (ssize_t)done;
	return rc < 0 ? rc : uio_left(from) ? -EAGAIN : 0;
}

static uint32_t master_poll(struct file *f)
{
	struct tty *t = f->object;
	uint32_t events = 0;

	LOCKED(&t->lock);
	if (t->out_used)
		events |= EPOLLIN | EPOLLRDNORM;
	if (t->was_open && !t->opens)
		events |= EPOLLHUP;
	if (t->in_used < TTY_IN_BYTES - 1)
		events |= EPOLLOUT | EPOLLWRNORM;
	return events;
}

static struct wait_queue *master_queue(struct file *f)
{
	struct master *m = ((struct tty *)f->object)->object;

	return &m->queue;
}

static long get_lock(struct tty *t, uint64_t arg, struct ioctl_memory *m)
{
	int on = t->locked;

	return m->out(m, arg, &on, sizeof(on));
}

static long set_word(bool *word, uint64_t arg, struct ioctl_memory *m)
{
	int on;
	long rc = m->in(m, &on, arg, sizeof(on));

	if (rc == 0)
		*word = on;
	return rc;
}

/* open_peer() - TIOCGPTPEER: a descriptor of the guest's side, whatever is mounted where. */
static long open_peer(struct tty *t, struct filesystem *fs, uint64_t flags)
{
	struct devpts *d = devpts_of(fs);
	struct task *me = task_current();
	struct inode *i;
	struct file *f;
	int fd, rc;

	lock_acquire(&d->lock);
	i = d->ttys[t->index] == t ? inode_get(d->inodes[t->index]) : NULL;
	lock_release(&d->lock);
	if (!i)
		return -EIO;
	f = file_create(i, (unsigned int)flags & (O_ACCMODE | O_NONBLOCK | O_NOCTTY), me->cred);
	inode_put(i);
	rc = tty_open(t, f);
	f->flags &= ~(unsigned int)O_NOCTTY;
	fd = rc < 0 ? rc
		    : fdtable_install(me->fds, f, 0, task_limit(me, RLIMIT_NOFILE),
				      flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

static long master_ioctl(struct file *f, unsigned int cmd, uint64_t arg, struct ioctl_memory *mem)
{
	struct tty *t = f->object;
	struct master *m = t->object;
	int n;

	switch (cmd) {
	case TIOCGPTN:
		return mem->out(mem, arg, &t->index, sizeof(t->index));
	case TIOCSPTLCK:
		return set_word(&t->locked, arg, mem);
	case TIOCGPTLCK:
		return get_lock(t, arg, mem);
	case TIOCGPTPEER:
		return open_peer(t, m->fs, arg);
	case TIOCPKT:
		return set_word(&m->packets, arg, mem);
	case TIOCGPKT:
		n = m->packets;
		return mem->out(mem, arg, &n, sizeof(n));
	case FIONREAD:
		lock_acquire(&t->lock);
		n = (int)t->out_used;
		lock_release(&t->lock);
		return mem->out(mem, arg, &n, sizeof(n));
	case TIOCSIG:
		if (arg != SIGINT && arg != SIGQUIT && arg != SIGTSTP)
			return -EINVAL;
		tty_control_signal(&t->control, (int)arg);
		return 0;
	case TIOCGPGRP:
		lock_acquire(&tasks_lock);
		n = t->control.foreground ? t->control.foreground->pgid : 0;
		lock_release(&tasks_lock);
		return mem->out(mem, arg, &n, sizeof(n));
	default:
		return tty_ioctl(t, cmd, arg, mem);
	}
}

static void master_release(struct file *f)
{
	struct tty *t = f->object;
	struct master *m;
	struct filesystem *fs;

	if (!t)
		return;
	m = t->object;
	fs = m->fs;
	tty_hangup(t);
	devpts_remove(fs, t);
	tty_put(t);
	filesystem_put(fs);
}

static const struct file_ops master_ops = {
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.queue = master_queue,
	.ioctl = master_ioctl,
	.release = master_release,
};

/* The instance that a ptmx outside of any devpts means: the last one made. */
static struct filesystem *last_instance;

int ptmx_open(struct inode *i, struct file *f)
{
	struct filesystem *fs = i->ops == &ptmx_ops ? i->fs : last_instance;
	struct master *m;
	struct tty *t;
	int rc;

	if (!fs)
		return -ENODEV;
	m = xnew(struct master);
	wait_queue_init(&m->queue);
	t = tty_create(&master_backend, m);
	t->locked = true;
	rc = devpts_add(fs, t);
	if (rc < 0) {
		tty_put(t);
		return rc;
	}
	m->fs = filesystem_get(fs);
	f->ops = &master_ops;
	f->object = t;
	return 0;
}

/* --- names --- */

int pts_open(struct inode *i, struct file *f)
{
	struct tty *t = i->ops == &pts_ops ? find_tty(i) : NULL;
	int rc = t ? tty_open(t, f) : -ENXIO;

	tty_put(t);
	return rc;
}

static int simple_setattr(struct inode *i, unsigned int mask, const struct attr *to)
{
	inode_apply_attr(i, mask, to);
	return 0;
}

static int number_of(const char *name)
{
	uint64_t n;

	return str_parse_u64(name, &n) < 0 || n >= MAX_TTYS ? -1 : (int)n;
}

/* ptmx_inode() - of its names alone: held by the file system it would keep that for ever. */
static struct inode *ptmx_inode(struct filesystem *fs)
{
	struct inode *i = inode_create(fs, &ptmx_ops, PTMX_INO, S_IFCHR | devpts_of(fs)->ptmx_mode);

	i->attr.rdev = makedev(5, 2);
	return i;
}

static int root_lookup(struct inode *dir, const char *name, struct inode **ret)
{
	struct devpts *d = devpts_of(dir->fs);
	int n = number_of(name);

	if (str_eq(name, "ptmx")) {
		*ret = ptmx_inode(dir->fs);
		return 0;
	}
	LOCKED(&d->lock);
	if (n < 0 || !d->inodes[n])
		return -ENOENT;
	*ret = inode_get(d->inodes[n]);
	return 0;
}

static bool root_is_still(struct inode *dir, struct inode *i)
{
	struct devpts *d = devpts_of(dir->fs);

	LOCKED(&d->lock);
	return i->ino == PTMX_INO || d->inodes[i->ino - FIRST_INO] == i;
}

static int root_read(struct file *f, int64_t *pos, dirent_fn *fn, void *data)
{
	struct devpts *d = devpts_of(f->inode->fs);
	char name[16];

	for (; *pos < PTMX_POS; ++*pos)
		if (fn(data, *pos ? ".." : ".", f->inode->ino, DT_DIR, *pos + 1))
			return 0;
	if (*pos == PTMX_POS) {
		if (fn(data, "ptmx", PTMX_INO, DT_CHR, FIRST_POS))
			return 0;
		*pos = FIRST_POS;
	}
	LOCKED(&d->lock);
	for (int n = (int)(*pos - FIRST_POS); n < MAX_TTYS; n++) {
		if (!d->ttys[n])
			continue;
		snprintf(name, sizeof(name), "%d", n);
		if (fn(data, name, (uint64_t)(FIRST_INO + n), DT_CHR, FIRST_POS + n + 1))
			return 0;
		*pos = FIRST_POS + n + 1;
	}
	return 0;
}

static int64_t root_seek(struct file *f, int64_t offset, int whence)
{
	return file_seek_sized(f, offset, whence, MAX_TTYS);
}

static const struct file_ops root_file_ops = { .readdir = root_read, .seek = root_seek };

static int root_open(struct inode *i, struct file *f)
{
	(void)i;
	f->ops = &root_file_ops;
	return 0;
}

static const struct inode_ops pts_ops = { .open = inode_open_special, .setattr = simple_setattr };
static const struct inode_ops ptmx_ops = { .open = inode_open_special, .setattr = simple_setattr };
static const struct inode_ops root_ops = {
	.lookup = root_lookup,
	.is_still = root_is_still,
	.open = root_open,
	.setattr = simple_setattr,
};

/* --- the file system --- */

static int devpts_statfs(struct filesystem *fs, struct statfs *ret)
{
	(void)fs;
	*ret = (struct statfs){ .f_type = DEVPTS_SUPER_MAGIC, .f_bsize = 4096, .f_frsize = 4096 };
	ret->f_namelen = 255;
	return 0;
}

static void devpts_free(struct filesystem *fs)
{
	struct filesystem *expected = fs;

	__atomic_compare_exchange_n(&last_instance, &expected, NULL, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	free(fs->data);
}

static const struct filesystem_ops devpts_fs_ops = { .statfs = devpts_statfs, .free = devpts_free };

static int parse(const char *options, struct devpts *d)
{
	struct option o;
	int rc = 0;

	while (rc == 0 && option_next(&options, &o)) {
		uint64_t n = 0;

		if (str_eq(o.name, "mode"))
			rc = option_octal(&o, &d->mode);
		else if (str_eq(o.name, "ptmxmode"))
			rc = option_octal(&o, &d->ptmx_mode);
		else if (str_eq(o.name, "uid"))
			rc = option_number(&o, &n), d->uid = (uid_t)n, d->has_uid = true;
		else if (str_eq(o.name, "gid"))
			rc = option_number(&o, &n), d->gid = (gid_t)n, d->has_gid = true;
		else if (!str_eq(o.name, "newinstance") && !str_eq(o.name, "max"))
			rc = -EINVAL;
	}
	return rc;
}

int devpts_create(const char *source, const char *options, struct container *c,
		  struct filesystem **ret)
{
	struct devpts *d = xnew(struct devpts);
	struct filesystem *fs;
	int rc;

	(void)c;
	d->mode = 0600;
	d->ptmx_mode = 0666;
	lock_init(&d->lock, LOCK_INODE);
	rc = parse(options ? options : "", d);
	if (rc < 0) {
		free(d);
		return rc;
	}
	fs = filesystem_create(&devpts_fs_ops, "devpts", source,
			       str_empty(options) ? NULL : options);
	fs->data = d;
	fs->root = inode_create(fs, &root_ops, 1, S_IFDIR | 0755);
	fs->root->volatile_names = true;
	fs->root->attr.nlink = 2;
	__atomic_store_n(&last_instance, fs, __ATOMIC_SEQ_CST);
	*ret = fs;
	return 0;
}
