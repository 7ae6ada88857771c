/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are made up when they are read: inodes, names, contents.
 *
 * Contents are made at a read from the beginning and kept by the open file until the next one, so
 * that what is read in parts fits together.
 */
#include "runtimes/sentry/fs/proc_node.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/statfs.h>

#include "base/fd.h"
#include "base/mem.h"

#define FIRST_NAMED 1024 /* position of number 0 of the names that come and go */
#define STORE_BYTES 4096 /* of one write */

struct node {
	const struct proc_entry *entry;
	const struct proc_names *via; /* the names it was found by; NULL: a static one */
	struct proc_key key;
};

struct proc_fs {
	struct pid_namespace *pids;
	uint64_t last_ino;
	long magic;
};

static const struct inode_ops node_ops, link_ops, magic_ops;

static struct node *node_of(const struct inode *i)
{
	return i->data;
}

static struct proc_fs *proc_of(const struct inode *i)
{
	return i->fs->data;
}

/* --- what an inode is about --- */

static void target_end(struct proc_target *t)
{
	task_put(t->task);
	process_put(t->process);
}

/* target_begin() - Return: 0, or -ESRCH when it has ended. */
static int target_begin(struct pid_namespace *pids, const struct proc_key *key,
			struct proc_target *ret)
{
	*ret = (struct proc_target){ .pids = pids, .key = *key };
	if (!key->pid)
		return 0;
	ret->process = process_find(pids, key->pid);
	if (ret->process && ret->process->start_ns == key->start_ns)
		ret->task = key->tid ? task_find(pids, key->tid) : process_leader(ret->process);
	if (!ret->process || ret->process->start_ns != key->start_ns ||
	    (key->tid && (!ret->task || ret->task->process != ret->process))) {
		target_end(ret);
		return -ESRCH;
	}
	return 0;
}

static int target_of(const struct inode *i, struct proc_target *ret)
{
	return target_begin(proc_of(i)->pids, &node_of(i)->key, ret);
}

bool proc_may_look(const struct proc_target *t)
{
	struct task *me = task_current();
	struct cred *c;
	bool may;

	if (!me || !t->process || me->process == t->process)
		return true;
	c = process_cred(t->process);
	may = cred_has(me->cred, CAP_SYS_PTRACE) ||
	      (c && me->cred->fsuid == c->uid && c->uid == c->euid && c->uid == c->suid &&
	       me->cred->fsgid == c->gid && c->gid == c->egid && t->process->dumpable);
	cred_put(c);
	return may;
}

int proc_host_open(const struct proc_target *t, const char *file)
{
	struct process *p = t->process	     ? t->process
			    : task_current() ? task_current()->process
					     : NULL;
	char name[64];
	int fd = -1, dir;
	pid_t pid;

	if (!p)
		return -ESRCH;
	lock_acquire(&p->signal_lock);
	dir = p->stub ? stub_proc_dir(p->stub) : -1;
	pid = p->stub ? stub_host_pid(p->stub) : 0;
	lock_release(&p->signal_lock);
	if (dir < 0)
		return -ESRCH;
	snprintf(name, sizeof(name), t->process ? "%d/%s" : "%.0d%s", t->process ? pid : 0, file);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

#define HOST_TEXT_MAX (16u << 20)

int proc_host_text(const struct proc_target *t, const char *file, struct strbuf *out)
{
	cleanup_close int fd = proc_host_open(t, file);

	if (fd < 0)
		return fd;
	return fd_read_all(fd, HOST_TEXT_MAX, out);
}

/* --- inodes --- */

/* own() - files about a process belong to its user. */
static void own(struct inode *i, const struct proc_target *t)
{
	struct cred *c = t->process ? process_cred(t->process) : NULL;

	if (!c)
		return;
	i->attr.uid = c->euid;
	i->attr.gid = c->egid;
	cred_put(c);
}

static const struct inode_ops *ops_of(const struct proc_entry *e)
{
	if (!S_ISLNK(e->mode))
		return &node_ops;
	return e->follow ? &magic_ops : &link_ops;
}

static struct inode *node_inode(struct filesystem *fs, const struct proc_entry *e,
				const struct proc_names *via, const struct proc_target *t)
{
	struct proc_fs *p = fs->data;
	struct node *n = xnew(struct node);
	struct inode *i;

	i = inode_create(fs, ops_of(e), __atomic_add_fetch(&p->last_ino, 1, __ATOMIC_RELAXED),
			 e->mode);
	n->entry = e;
	n->via = via;
	n->key = t->key;
	i->data = n;
	i->attr.blksize = 1024;
	i->volatile_names = e->names != NULL;
	if (S_ISDIR(e->mode))
		i->attr.nlink = 2;
	own(i, t);
	return i;
}

static void node_free(struct inode *i)
{
	free(i->data);
}

static int node_revalidate(struct inode *i)
{
	struct proc_target t;
	int rc = target_of(i, &t);

	if (rc < 0)
		return rc;
	own(i, &t);
	target_end(&t);
	return 0;
}

static const struct proc_entry *static_child(const struct proc_entry *e, const char *name)
{
	for (const struct proc_entry *c = e->children; c && c->name; c++)
		if (str_eq(c->name, name))
			return c;
	return NULL;
}

static int node_lookup(struct inode *dir, const char *name, struct inode **ret)
{
	const struct proc_entry *e = node_of(dir)->entry, *child = static_child(e, name);
	const struct proc_names *via = child ? NULL : e->names;
	struct proc_target t;
	struct proc_key key;
	int rc = target_of(dir, &t);

	if (rc < 0)
		return -ENOENT;
	key = t.key;
	if (!child && !via)
		rc = -ENOENT;
	else if (!child)
		rc = via->find(&t, name, &key);
	target_end(&t);
	if (rc == 0)
		rc = target_begin(proc_of(dir)->pids, &key, &t);
	if (rc < 0)
		return -ENOENT;
	*ret = node_inode(dir->fs, child ? child : via->entry, via, &t);
	target_end(&t);
	return 0;
}

static bool node_is_still(struct inode *dir, struct inode *i)
{
	const struct node *n = node_of(i);
	struct proc_target t;
	bool there;

	if (!n->via)
		return true;
	if (target_of(dir, &t) < 0)
		return false;
	there = n->via->is_there(&t, &n->key);
	target_end(&t);
	return there;
}

static ssize_t node_readlink(struct inode *i, char *buf, size_t size)
{
	const struct proc_entry *e = node_of(i)->entry;
	struct proc_target t;
	ssize_t n = target_of(i, &t);

	if (n < 0)
		return n;
	if (e->follow && !proc_may_look(&t))
		n = -EACCES;
	else
		n = e->link(&t, buf, size);
	target_end(&t);
	return n;
}

static int node_follow(struct inode *i, struct path *ret)
{
	struct proc_target t;
	int rc = target_of(i, &t);

	if (rc < 0)
		return rc;
	rc = proc_may_look(&t) ? node_of(i)->entry->follow(&t, ret) : -EACCES;
	target_end(&t);
	return rc;
}

/* --- open files --- */

struct text {
	struct lock lock; /* LOCK_SHOWN_TEXT */
	struct strbuf buf;
	bool made;
	uint64_t seen; /* state of what can be waited for, at the last look */
};

static int make_text(const struct inode *i, struct strbuf *out)
{
	const struct proc_entry *e = node_of(i)->entry;
	struct proc_target t;
	int rc = target_of(i, &t);

	if (rc < 0)
		return rc;
	if (e->text)
		strbuf_puts(out, e->text);
	else if (e->show_data)
		rc = e->show_data(e->data, out);
	else if (e->show)
		rc = e->show(&t, out);
	else
		rc = -EINVAL;
	target_end(&t);
	return rc;
}

static ssize_t text_read(struct file *f, struct uio *to, int64_t *pos)
{
	struct text *x = f->object;
	ssize_t n;
	int rc = 0;

	LOCKED(&x->lock);
	if (*pos == 0 || !x->made) {
		strbuf_reset(&x->buf);
		rc = make_text(f->inode, &x->buf);
		x->made = rc >= 0;
	}
	if (rc < 0)
		return rc;
	if ((uint64_t)*pos >= x->buf.len)
		return 0;
	n = (ssize_t)MIN(x->buf.len - (size_t)*pos, uio_left(to));
	rc = uio_put(to, x->buf.data + *pos, (size_t)n);
	if (rc < 0)
		return rc;
	*pos += n;
	return n;
}

static ssize_t text_write(struct file *f, struct uio *from, int64_t *pos)
{
	const struct proc_entry *e = node_of(f->inode)->entry;
	size_t len = MIN(uio_left(from), STORE_BYTES - 1);
	char text[STORE_BYTES];
	struct proc_target t;
	int rc = uio_get(from, text, len);

	if (rc < 0)
		return rc;
	text[len] = 0;
	rc = target_of(f->inode, &t);
	if (rc < 0)
		return rc;
	rc = e->store_data ? e->store_data(e->data, text, len)
	     : e->store	   ? e->store(&t, text, len)
			   : -EACCES;
	target_end(&t);
	if (rc < 0)
		return rc;
	*pos += (int64_t)len;
	return (ssize_t)len;
}

static int64_t text_seek(struct file *f, int64_t offset, int whence)
{
	return whence == SEEK_END ? -EINVAL : file_seek_sized(f, offset, whence, 0);
}

static void text_release(struct file *f)
{
	struct text *x = f->object;

	strbuf_finish(&x->buf);
	free(x);
}

static int no_sync(struct file *f, bool data_only)
{
	(void)f, (void)data_only;
	return -EINVAL;
}

static int ignore_truncate(struct file *f, int64_t length)
{
	(void)f, (void)length;
	return 0;
}

static const struct file_ops text_ops = {
	.read = text_read,
	.write = text_write,
	.seek = text_seek,
	.sync = no_sync,
	.truncate = ignore_truncate,
	.release = text_release,
};

/* --- files whose changes can be waited for --- */

static uint32_t watched_poll(struct file *f)
{
	/* As Linux: an error and a priority event tell of a change since the last look. */
	uint64_t now = node_of(f->inode)->entry->changes();
	struct text *x = f->object;
	bool changed = __atomic_exchange_n(&x->seen, now, __ATOMIC_RELAXED) != now;

	return EPOLLIN | EPOLLRDNORM | (changed ? EPOLLERR | EPOLLPRI : 0);
}

static struct wait_queue *watched_queue(struct file *f)
{
	return node_of(f->inode)->entry->queue();
}

static const struct file_ops watched_ops = {
	.read = text_read,
	.write = text_write,
	.seek = text_seek,
	.sync = no_sync,
	.truncate = ignore_truncate,
	.poll = watched_poll,
	.queue = watched_queue,
	.release = text_release,
};

static const struct file_ops dir_ops;

static int node_open(struct inode *i, struct file *f)
{
	const struct proc_entry *e = node_of(i)->entry;
	struct text *x;

	if (S_ISDIR(e->mode)) {
		f->ops = &dir_ops;
		return 0;
	}
	x = xnew(struct text);
	lock_init(&x->lock, LOCK_SHOWN_TEXT);
	f->object = x;
	f->ops = e->queue ? &watched_ops : &text_ops;
	if (e->queue)
		x->seen = e->changes();
	return 0;
}

static int node_setattr(struct inode *i, unsigned int mask, const struct attr *to)
{
	(void)i, (void)to;
	return mask & ~(unsigned int)(ATTR_SIZE | ATTR_ATIME | ATTR_MTIME) ? -EPERM : 0;
}

/* --- directories --- */

static int list_static(const struct inode *dir, int64_t *pos, dirent_fn *fn, void *data)
{
	const struct proc_entry *e = node_of(dir)->entry;
	int64_t at = 2;

	for (const struct proc_entry *c = e->children; c && c->name; c++, at++) {
		if (at < *pos)
			continue;
		if (fn(data, c->name, (dir->ino << 10) + (uint64_t)at, IFTODT(c->mode), at + 1))
			return 1;
		*pos = at + 1;
	}
	return 0;
}

static int list_names(const struct inode *dir, const struct proc_target *t, int64_t *pos,
		      dirent_fn *fn, void *data)
{
	const struct proc_names *names = node_of(dir)->entry->names;
	int64_t n = MAX(*pos - FIRST_NAMED, 0);
	char name[24];

	while (names && (n = names->next(t, n)) >= 0) {
		snprintf(name, sizeof(name), "%lld", (long long)n);
		if (fn(data, name, (dir->ino << 24) + FIRST_NAMED + (uint64_t)n,
		       IFTODT(names->entry->mode), n + 1 + FIRST_NAMED))
			return 1;
		n++;
		*pos = n + FIRST_NAMED;
	}
	return 0;
}

static int dir_read(struct file *f, int64_t *pos, dirent_fn *fn, void *data)
{
	struct inode *dir = f->inode;
	struct proc_target t;
	int rc = target_of(dir, &t);

	if (rc < 0)
		return -ENOENT;
	for (; *pos < 2; ++*pos)
		if (fn(data, *pos ? ".." : ".", dir->ino, DT_DIR, *pos + 1)) {
			target_end(&t);
			return 0;
		}
	if (!list_static(dir, pos, fn, data))
		list_names(dir, &t, pos, fn, data);
	target_end(&t);
	return 0;
}

static int64_t dir_seek(struct file *f, int64_t offset, int whence)
{
	return file_seek_sized(f, offset, whence, INT32_MAX);
}

static const struct file_ops dir_ops = { .readdir = dir_read, .seek = dir_seek };

static const struct inode_ops link_ops = {
	.readlink = node_readlink,
	.revalidate = node_revalidate,
	.setattr = node_setattr,
	.free = node_free,
};

static const struct inode_ops magic_ops = {
	.readlink = node_readlink,
	.follow = node_follow,
	.revalidate = node_revalidate,
	.setattr = node_setattr,
	.free = node_free,
};

static const struct inode_ops node_ops = {
	.lookup = node_lookup,
	.is_still = node_is_still,
	.open = node_open,
	.revalidate = node_revalidate,
	.setattr = node_setattr,
	.free = node_free,
};

/* --- the file system --- */

static int proc_statfs(struct filesystem *fs, struct statfs *ret)
{
	*ret = (struct statfs){ .f_type = ((struct proc_fs *)fs->data)->magic,
				.f_bsize = 4096,
				.f_frsize = 4096,
				.f_namelen = 255 };
	return 0;
}

static void proc_free(struct filesystem *fs)
{
	struct proc_fs *p = fs->data;

	pid_namespace_put(p->pids);
	free(p);
}

static const struct filesystem_ops proc_fs_ops = { .statfs = proc_statfs, .free = proc_free };

struct filesystem *proc_filesystem(const char *type, const char *source,
				   const struct proc_entry *root, struct pid_namespace *pids,
				   long magic)
{
	struct filesystem *fs = filesystem_create(&proc_fs_ops, type, source, NULL);
	struct proc_fs *p = xnew(struct proc_fs);
	struct proc_target nothing = { .pids = pids };

	p->pids = pids ? pid_namespace_get(pids) : NULL;
	p->magic = magic;
	fs->data = p;
	fs->shows_tasks = true;
	fs->root = node_inode(fs, root, NULL, &nothing);
	return fs;
}
