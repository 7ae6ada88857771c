/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/PID/fd and fdinfo.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtimes/sentry/fs/proc_node.h"
#include "runtimes/sentry/vfs/epoll.h"

/* table_of() - with a reference; NULL: has ended. */
static struct fdtable *table_of(const struct proc_target *t)
{
	return t->task ? task_fds(t->task) : NULL;
}

static struct file *file_of(const struct proc_target *t)
{
	struct fdtable *table = table_of(t);
	struct file *f = table ? fdtable_find(table, t->key.fd) : NULL;

	fdtable_put(table);
	return f;
}

static bool is_open(const struct proc_target *t, int fd)
{
	struct fdtable *table = table_of(t);
	bool open = table && fdtable_get_cloexec(table, fd) >= 0;

	fdtable_put(table);
	return open;
}

static int find(const struct proc_target *t, const char *name, struct proc_key *ret)
{
	uint64_t n;

	if (str_parse_u64(name, &n) < 0 || n > INT32_MAX || !is_open(t, (int)n))
		return -ENOENT;
	ret->fd = (int)n;
	return 0;
}

static int64_t next(const struct proc_target *t, int64_t from)
{
	struct fdtable *table = table_of(t);
	int64_t fd = table ? fdtable_next(table, (int)from) : -1;

	fdtable_put(table);
	return fd;
}

static bool is_there(const struct proc_target *t, const struct proc_key *k)
{
	return is_open(t, k->fd);
}

/* name_of() - as the reader's root has it. */
static void name_of(struct file *f, char *buf, size_t size)
{
	struct path root = { NULL, NULL };

	if (task_current())
		fs_context_root(task_current()->fs, &root);
	file_path(f, root.dentry ? &root : NULL, buf, size);
	if (root.dentry)
		path_put(&root);
}

static ssize_t fd_link(const struct proc_target *t, char *buf, size_t size)
{
	char name[4096];
	struct file *f = file_of(t);
	size_t len;

	if (!f)
		return -ENOENT;
	name_of(f, name, sizeof(name));
	file_put(f);
	len = MIN(strlen(name), size);
	memcpy(buf, name, len);
	return (ssize_t)len;
}

static int fd_follow(const struct proc_target *t, struct path *ret)
{
	char name[64];
	struct file *f = file_of(t);

	if (!f)
		return -ENOENT;
	if (f->dentry) {
		*ret = (struct path){ f->mount, f->dentry };
		path_get(ret);
	} else {
		name_of(f, name, sizeof(name));
		vfs_anonymous_path(f->inode, name, ret);
	}
	file_put(f);
	return 0;
}

static const struct proc_entry fd_entry = { .mode = S_IFLNK | 0700,
					    .link = fd_link,
					    .follow = fd_follow };

const struct proc_names proc_fd_names = {
	.find = find, .next = next, .is_there = is_there, .entry = &fd_entry
};

static void show_epoll(void *data, int fd, uint32_t events, uint64_t value, struct file *f)
{
	strbuf_printf(data, "tfd: %8d events: %8x data: %16llx  pos:%lli ino:%llx sdev:%llx\n", fd,
		      events, (unsigned long long)value, (long long)f->pos,
		      (unsigned long long)f->inode->ino, (unsigned long long)f->inode->fs->dev);
}

static int info_show(const struct proc_target *t, struct strbuf *out)
{
	struct file *f = file_of(t);
	struct fdtable *table = table_of(t);
	int cloexec = table ? fdtable_get_cloexec(table, t->key.fd) : -1;

	fdtable_put(table);
	if (!f || cloexec < 0) {
		file_put(f);
		return -ENOENT;
	}
	strbuf_printf(out, "pos:\t%lld\nflags:\t0%o\nmnt_id:\t%d\nino:\t%llu\n", (long long)f->pos,
		      f->flags | (cloexec ? O_CLOEXEC : 0u), f->mount ? f->mount->id : 15,
		      (unsigned long long)f->inode->ino);
	if (epoll_is(f))
		epoll_for_each(f, show_epoll, out);
	file_put(f);
	return 0;
}

static const struct proc_entry info_entry = { .mode = S_IFREG | 0444, .show = info_show };

const struct proc_names proc_fdinfo_names = {
	.find = find, .next = next, .is_there = is_there, .entry = &info_entry
};
