/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places that calls name.
 */
#include "runtimes/sentry/sys/file_at.h"

#include <errno.h>
#include <fcntl.h>

int at_fetch(struct task *t, uint64_t dirfd, uint64_t name, struct at *ret)
{
	int rc = sys_path(t, name, ret->name);

	ret->has_start = false;
	if (rc < 0 || ret->name[0] == '/')
		return rc;
	return sys_start(t, (int)dirfd, &ret->start, &ret->has_start);
}

void at_end(struct at *a)
{
	if (a->has_start)
		path_put(&a->start);
	a->has_start = false;
}

int place_of_fd(struct task *t, uint64_t fd, bool path_too, struct place *ret)
{
	struct file *f = path_too ? fdtable_find(t->fds, (int)fd) : sys_file(t, (int)fd);

	*ret = (struct place){ .inode = NULL };
	if (!f)
		return -EBADF;
	ret->inode = f->inode;
	if (f->dentry) {
		ret->path = (struct path){ f->mount, f->dentry };
		path_get(&ret->path);
	} else {
		inode_get(f->inode);
	}
	file_put(f);
	return 0;
}

static int of_cwd(struct task *t, struct place *ret)
{
	fs_context_cwd(t->fs, &ret->path);
	ret->inode = ret->path.dentry->inode;
	return 0;
}

int place_find(struct task *t, uint64_t dirfd, uint64_t name, bool follow, bool empty,
	       struct place *ret)
{
	struct at at AT_UNSET;
	struct walk w;
	int rc;

	if (empty && !name)
		at.name[0] = 0;
	else if ((rc = sys_path(t, name, at.name)) < 0)
		return rc;
	*ret = (struct place){ .inode = NULL };
	if (empty && !at.name[0])
		return (int)dirfd == AT_FDCWD ? of_cwd(t, ret) : place_of_fd(t, dirfd, true, ret);
	at.has_start = false;
	if (at.name[0] != '/' && (rc = sys_start(t, (int)dirfd, &at.start, &at.has_start)) < 0)
		return rc;
	rc = path_walk(t->fs, at_start(&at), at.name, follow ? 0 : WALK_NOFOLLOW, t->cred, &w);
	at_end(&at);
	if (rc < 0)
		return rc;
	ret->path = w.path;
	ret->inode = w.path.dentry->inode;
	return 0;
}

void place_end(struct place *p)
{
	if (p->path.dentry)
		path_put(&p->path);
	else
		inode_put(p->inode);
	p->inode = NULL;
}

int place_may_write(const struct place *p)
{
	return p->path.mount ? mount_may_write(p->path.mount) : 0;
}
