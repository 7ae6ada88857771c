/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a place back to its name: getcwd, /proc/self/fd, mountinfo.
 *
 * A name is built from its end: the last component first, up to the root that the reader has.
 */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "runtimes/sentry/vfs/names.h"

#define DELETED " (deleted)"

/* prepend() - Return: the new begin, NULL: no room. */
static char *prepend(char *begin, const char *buf, const char *text, size_t len)
{
	if (!begin || (size_t)(begin - buf) < len)
		return NULL;
	return memcpy(begin - len, text, len);
}

/*
 * build() - the name of @p below @root at the end of @buf; *ret_reached: @root was met on the way.
 * Return: where it begins, NULL: no room.  Preconditions: holds names_lock.
 */
static char *build(const struct path *p, const struct path *root, char *buf, size_t size,
		   bool *ret_reached)
{
	const struct mount *m = p->mount;
	const struct dentry *d = p->dentry;
	char *begin = prepend(buf + size, buf, "", 1);
	bool any = false;

	if (d->unlinked)
		begin = prepend(begin, buf, DELETED, strlen(DELETED));
	for (;;) {
		if (root && m == root->mount && d == root->dentry) {
			*ret_reached = true;
			break;
		}
		if (m && d == m->root) {
			if (!m->parent || !m->ns)
				break;
			d = m->at;
			m = m->parent;
			continue;
		}
		if (d->parent == d)
			break;
		begin = prepend(begin, buf, d->name, d->name_len);
		begin = prepend(begin, buf, "/", 1);
		any = true;
		d = d->parent;
	}
	return any ? begin : prepend(begin, buf, "/", 1);
}

static bool is_detached(const struct dentry *d)
{
	return d->unlinked && d->parent == d;
}

ssize_t mount_path_locked(const struct path *p, const struct path *root, char *buf, size_t size)
{
	bool reached = false;
	char *begin;

	if (is_detached(p->dentry)) {
		int n = snprintf(buf, size, "%s", p->dentry->name);

		return (size_t)n < size ? n : -ENAMETOOLONG;
	}
	begin = build(p, root, buf, size, &reached);
	if (!begin)
		return -ENAMETOOLONG;
	memmove(buf, begin, (size_t)(buf + size - begin));
	return buf + size - begin - 1;
}

ssize_t vfs_path_string(const struct path *p, const struct path *root, char *buf, size_t size)
{
	LOCKED(&names_lock);
	return mount_path_locked(p, root, buf, size);
}

bool vfs_path_reachable(const struct path *p, const struct path *root)
{
	bool reached = false;
	char buf[4096];

	LOCKED(&names_lock);
	build(p, root, buf, sizeof(buf), &reached);
	return reached;
}

int mount_for_each(struct mount_namespace *ns, const struct path *root, mount_fn *fn, void *data)
{
	/* Two whole names are too much for the stack of a serving thread; the lock guards them. */
	static char point[4096], inside[4096];
	struct mount *it;
	int rc = 0;

	LOCKED(&names_lock);
	list_for_each(it, &ns->mounts, in_namespace) {
		struct path at = { it, it->root };
		struct path whole = { NULL, it->root };
		struct mount_info info = { .id = it->id, .parent_id = it->parent_id, .mount = it };
		bool reached = false, unused;
		char *begin;

		begin = build(&at, root, point, sizeof(point), &reached);
		if (!begin || !reached)
			continue;
		info.point = begin;
		info.root = build(&whole, NULL, inside, sizeof(inside), &unused);
		if (info.root && (rc = fn(data, &info)) != 0)
			break;
	}
	return rc;
}

void vfs_anonymous_path(struct inode *i, const char *name, struct path *ret)
{
	ret->mount = mount_get(mount_anonymous());
	ret->dentry = dentry_create_detached(i, name);
}
