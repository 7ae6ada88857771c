/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount(2), umount2(2), pivot_root(2).
 *
 * Mounts are private: to ask for that is granted, to ask for propagation is not.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mount.h>

#include "runtimes/sentry/fs/types.h"
#include "runtimes/sentry/sys/file_at.h"
#include "runtimes/sentry/sys/files.h"

#define CWD ((uint64_t)AT_FDCWD)
#define KEPT_FLAGS \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME)
#define PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)

static unsigned long kept(uint64_t flags)
{
	unsigned long k = flags & KEPT_FLAGS;

	return k & MS_NOATIME ? k : k | MS_RELATIME;
}

static long mount_from(struct task *t, const uint64_t a[6], const struct path *at)
{
	struct place from;
	int rc = place_find(t, CWD, a[0], true, false, &from);

	if (rc < 0)
		return rc;
	rc = a[3] & MS_MOVE ? mount_move(&from.path, at)
			    : mount_bind(at, &from.path, a[3] & MS_REC, 0);
	place_end(&from);
	return rc;
}

/* fetch_text() - an argument that may be a null pointer: then "". */
static int fetch_text(struct task *t, uint64_t from, char *to, size_t size)
{
	ssize_t len;

	to[0] = 0;
	if (!from)
		return 0;
	len = stub_read_string(t->stub, to, size, from);
	return len == -ENAMETOOLONG ? -EINVAL : len < 0 ? (int)len : 0;
}

static long mount_new(struct task *t, const uint64_t a[6], const struct path *at)
{
	char type[32], source[256], options[1024];
	struct filesystem *fs;
	int rc = fetch_text(t, a[2], type, sizeof(type));

	if (rc == 0 && !a[2])
		rc = -EINVAL;
	if (rc == 0)
		rc = fetch_text(t, a[0], source, sizeof(source));
	if (rc == 0)
		rc = fetch_text(t, a[4], options, sizeof(options));
	if (rc == 0)
		rc = filesystem_make(type, source[0] ? source : "none", options,
				     t->process->container, &fs);
	if (rc < 0)
		return rc;
	rc = mount_add(at, fs, NULL, kept(a[3]), NULL);
	filesystem_put(fs);
	return rc;
}

static long mount_at(struct task *t, const uint64_t a[6], const struct path *at)
{
	uint64_t flags = a[3];

	if (flags & MS_REMOUNT)
		return mount_change(at, kept(flags));
	if (flags & PROPAGATION)
		return flags & MS_SHARED || at->dentry != at->mount->root ? -EINVAL : 0;
	if (flags & (MS_BIND | MS_MOVE))
		return mount_from(t, a, at);
	return mount_new(t, a, at);
}

long sys_mount(struct task *t, const uint64_t a[6])
{
	struct place at;
	long rc;

	if (!cred_has(t->cred, CAP_SYS_ADMIN))
		return -EPERM;
	rc = place_find(t, CWD, a[1], true, false, &at);
	if (rc < 0)
		return rc;
	rc = mount_at(t, a, &at.path);
	place_end(&at);
	return rc;
}

long sys_umount2(struct task *t, const uint64_t a[6])
{
	int flags = (int)a[1];
	struct place at;
	int rc;

	if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
		return -EINVAL;
	if ((flags & MNT_EXPIRE) && (flags & (MNT_FORCE | MNT_DETACH)))
		return -EINVAL;
	if (!cred_has(t->cred, CAP_SYS_ADMIN))
		return -EPERM;
	rc = place_find(t, CWD, a[0], !(flags & UMOUNT_NOFOLLOW), false, &at);
	if (rc < 0)
		return rc;
	/* A mount that was just looked up is in use by us: expire it at the second call only. */
	rc = flags & MNT_EXPIRE ? -EAGAIN : mount_remove(&at.path, flags);
	place_end(&at);
	return rc;
}

/* follow_root() - who stood in the old root stands in the new one. */
static void follow_root(struct fs_context *fs, const struct path *old, const struct path *new)
{
	struct path p;

	fs_context_root(fs, &p);
	if (p.mount == old->mount && p.dentry == old->dentry)
		fs_context_set_root(fs, new);
	path_put(&p);
	fs_context_cwd(fs, &p);
	if (p.mount == old->mount && p.dentry == old->dentry)
		fs_context_set_cwd(fs, new);
	path_put(&p);
}

long sys_pivot_root(struct task *t, const uint64_t a[6])
{
	struct place new, old;
	struct path root;
	long rc;

	if (!cred_has(t->cred, CAP_SYS_ADMIN))
		return -EPERM;
	rc = place_find(t, CWD, a[0], true, false, &new);
	if (rc < 0)
		return rc;
	rc = place_find(t, CWD, a[1], true, false, &old);
	if (rc == 0) {
		fs_context_root(t->fs, &root);
		rc = mount_pivot(&new.path, &old.path);
		if (rc == 0)
			follow_root(t->fs, &root, &new.path);
		path_put(&root);
		place_end(&old);
	}
	place_end(&new);
	return rc;
}
