/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking a path name.
 *
 * Each step looks one component up in w->at, enters what is mounted there, or goes on with the
 * text of a symlink put in front of what is left of the name.
 */
#include "runtimes/sentry/vfs/walk.h"

#include <errno.h>
#include <limits.h>

#include "base/mem.h"

#define MAX_LINKS 40
#define HALF	  (2 * PATH_MAX) /* the text of a link and what is left after it */

static void set_at(struct walker *w, const struct path *p)
{
	struct path old = w->at;

	path_get(p);
	w->at = *p;
	path_put(&old);
}

/* begin_at() - @absolute: the name begins with '/', which only a confined walk heeds elsewhere. */
static void begin_at(struct walker *w, struct fs_context *fs, const struct path *start,
		     bool absolute)
{
	bool confined = w->flags & (WALK_BENEATH | WALK_IN_ROOT);

	lock_acquire(&fs->lock);
	w->at = start ? *start : fs->cwd;
	w->first = w->at.mount;
	w->root = confined ? w->at : fs->root;
	if (absolute)
		w->at = w->root;
	path_get(&w->at);
	path_get(&w->root);
	lock_release(&fs->lock);
}

/* may_go_to_root() - by a name or link that begins with '/'. */
static int may_go_to_root(const struct walker *w)
{
	if (w->flags & WALK_BENEATH)
		return -EXDEV;
	return (w->flags & WALK_NO_XDEV) && w->root.mount != w->first ? -EXDEV : 0;
}

static int go_to_root(struct walker *w)
{
	int rc = may_go_to_root(w);

	if (rc == 0)
		set_at(w, &w->root);
	return rc;
}

int walker_begin(struct walker *w, struct fs_context *fs, const struct path *start,
		 const char *name, unsigned int flags, const struct cred *c)
{
	bool absolute = *name == '/';

	*w = (struct walker){ .cred = c, .flags = flags, .rest = name };
	if (!*name && !(flags & WALK_EMPTY))
		return -ENOENT;
	begin_at(w, fs, start, absolute);
	if (absolute && may_go_to_root(w) < 0) {
		walker_end(w);
		return -EXDEV;
	}
	return 0;
}

void walker_end(struct walker *w)
{
	path_put(&w->at);
	path_put(&w->root);
	free(w->links_buf);
	w->links_buf = NULL;
}

static int cross(struct walker *w, struct mount *to, struct dentry *d)
{
	struct path p = { to, d };

	if ((w->flags & WALK_NO_XDEV) && to != w->first)
		return -EXDEV;
	set_at(w, &p);
	return 0;
}

/* enter_mounts() - what covers w->at, if anything. */
static int enter_mounts(struct walker *w)
{
	while (w->at.dentry->is_mountpoint) {
		struct mount *m = mount_covering(w->at.mount, w->at.dentry);
		int rc;

		if (!m)
			break;
		rc = cross(w, m, m->root);
		mount_put(m);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int walker_enter(struct walker *w, struct dentry *d)
{
	struct dentry *old = w->at.dentry;

	w->at.dentry = d;
	dentry_put(old);
	return d->is_mountpoint ? enter_mounts(w) : 0;
}

static bool is_root(const struct walker *w)
{
	return w->at.mount == w->root.mount && w->at.dentry == w->root.dentry;
}

/* parent_of() - one step up, over mount points. Return: whether there is one. */
static bool parent_of(const struct walker *w, struct path *ret)
{
	struct path p = w->at;

	LOCKED(&names_lock);
	while (p.dentry == p.mount->root) {
		if (!p.mount->parent || !p.mount->ns)
			return false;
		p = (struct path){ p.mount->parent, p.mount->at };
		if (p.mount == w->root.mount && p.dentry == w->root.dentry)
			break;
	}
	if (p.dentry != p.mount->root)
		p.dentry = p.dentry->parent;
	path_get(&p);
	*ret = p;
	return true;
}

static int go_up(struct walker *w)
{
	struct path up;
	int rc;

	if (is_root(w))
		return w->flags & WALK_BENEATH ? -EXDEV : 0;
	if (!parent_of(w, &up))
		return 0;
	rc = cross(w, up.mount, up.dentry);
	path_put(&up);
	return rc < 0 ? rc : enter_mounts(w);
}

/* push() - go on with @len bytes of link text at @text, then with what is left of the name. */
static int push(struct walker *w, char *text, ssize_t len)
{
	size_t left = strlen(w->rest);

	if (len == 0)
		return -ENOENT;
	if ((size_t)len + left + 2 > HALF)
		return -ENAMETOOLONG;
	text[len] = '/';
	memcpy(text + len + (left ? 1 : 0), w->rest, left + 1);
	w->in_second_half = !w->in_second_half;
	w->rest = text;
	return *text == '/' ? go_to_root(w) : 0;
}

static int follow_magic(struct walker *w, struct inode *i)
{
	struct path to;
	int rc;

	if (w->flags & (WALK_NO_MAGIC | WALK_BENEATH | WALK_IN_ROOT))
		return w->flags & WALK_NO_MAGIC ? -ELOOP : -EXDEV;
	rc = i->ops->follow(i, &to);
	if (rc < 0)
		return rc;
	rc = cross(w, to.mount, to.dentry);
	path_put(&to);
	return rc;
}

int walker_link(struct walker *w, struct dentry *d)
{
	struct inode *i = d->inode;
	ssize_t len;
	char *text;
	int rc;

	if (++w->links > MAX_LINKS || (w->flags & WALK_NO_SYMLINKS))
		return -ELOOP;
	if (i->ops->follow)
		return follow_magic(w, i);
	if (!i->ops->readlink)
		return -EINVAL;
	if (!w->links_buf)
		w->links_buf = xmalloc(2 * HALF);
	text = w->links_buf + (w->in_second_half ? 0 : HALF);
	len = i->ops->readlink(i, text, PATH_MAX);
	if (len < 0)
		return (int)len;
	rc = push(w, text, len);
	return rc < 0 ? rc : 1;
}

static int may_search(const struct walker *w)
{
	struct inode *i = w->at.dentry->inode;

	if (!S_ISDIR(i->attr.mode))
		return -ENOTDIR;
	return inode_permission(i, MAY_EXEC, w->cred);
}

static bool is_dot(const char *name, size_t len)
{
	return len == 1 && name[0] == '.';
}

static bool is_dotdot(const char *name, size_t len)
{
	return len == 2 && name[0] == '.' && name[1] == '.';
}

/* step() - one component. Return: 0, 1 a link was pushed, -errno. */
static int step(struct walker *w, const char *name, size_t len, bool follow)
{
	struct dentry *d;
	struct qname q;
	int rc = may_search(w);

	if (rc < 0 || is_dot(name, len))
		return rc;
	if (is_dotdot(name, len))
		return go_up(w);
	q = qname_of(w->at.dentry, name, len);
	rc = names_lookup(w->at.dentry, &q, &d);
	if (rc < 0)
		return rc;
	if (!__atomic_load_n(&d->inode, __ATOMIC_ACQUIRE)) {
		dentry_put(d);
		return -ENOENT;
	}
	if (!follow || !S_ISLNK(d->inode->attr.mode))
		return walker_enter(w, d);
	rc = walker_link(w, d);
	dentry_put(d);
	return rc;
}

int walker_parents(struct walker *w)
{
	for (;;) {
		const char *name = w->rest, *end;
		size_t len;
		int rc;

		while (*name == '/')
			name++;
		len = strcspn(name, "/");
		if (len > NAME_MAX)
			return -ENAMETOOLONG;
		end = name + len;
		while (*end == '/')
			end++;
		if (!*end) {
			w->last = name;
			w->last_len = len;
			w->last_slash = len && name[len] == '/';
			w->must_be_directory |= w->last_slash;
			return 0;
		}
		w->rest = end;
		rc = step(w, name, len, true);
		if (rc < 0)
			return rc;
	}
}

int walker_last(struct walker *w, bool follow)
{
	w->rest = "";
	if (!w->last_len)
		return 0;
	return step(w, w->last, w->last_len, follow || w->must_be_directory);
}

struct qname walker_last_q(const struct walker *w)
{
	return qname_of(w->at.dentry, w->last, w->last_len);
}

bool walker_last_is_dots(const struct walker *w)
{
	return is_dot(w->last, w->last_len) || is_dotdot(w->last, w->last_len);
}

/* walk_parent() - WALK_PARENT: hand out the parent and the last name. */
static int walk_parent(struct walker *w, struct walk *ret)
{
	int rc = walker_parents(w);

	if (rc == 0)
		rc = may_search(w);
	if (rc < 0)
		return rc;
	memcpy(ret->last, w->last, w->last_len);
	ret->last[w->last_len] = 0;
	return 0;
}

static int walk_whole(struct walker *w, unsigned int flags)
{
	int rc;

	do {
		rc = walker_parents(w);
		if (rc == 0)
			rc = walker_last(w, !(flags & WALK_NOFOLLOW));
	} while (rc == 1);
	if (rc == 0 && (w->must_be_directory || (flags & WALK_DIRECTORY)) &&
	    !S_ISDIR(w->at.dentry->inode->attr.mode))
		return -ENOTDIR;
	return rc;
}

int path_walk(struct fs_context *fs, const struct path *start, const char *name, unsigned int flags,
	      const struct cred *c, struct walk *ret)
{
	struct walker w;
	int rc = walker_begin(&w, fs, start, name, flags, c);

	if (rc < 0)
		return rc;
	rc = flags & WALK_PARENT ? walk_parent(&w, ret) : walk_whole(&w, flags);
	if (rc == 0) {
		ret->path = w.at;
		ret->trailing_slash = w.must_be_directory;
		w.at = (struct path){ NULL, NULL };
	}
	walker_end(&w);
	return rc;
}
