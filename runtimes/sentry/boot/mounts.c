/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container sees: its root, the mounts of its bundle, and what is hidden or read-only.
 *
 * All of it is made in the sentry; the host has none of these mounts.  Mount points that are
 * missing are made, as other runtimes do, in the container's own root.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtimes/sentry/boot/pod.h"
#include "runtimes/sentry/fs/host.h"
#include "runtimes/sentry/fs/tmpfs.h"
#include "runtimes/sentry/fs/types.h"

/* What is at hand while mounts are made. */
struct maker {
	const struct spec *spec;
	const struct control_tree *trees;
	size_t n_trees, next_tree;
	struct container *container;
	struct fs_context *fs;
	struct cred *root;
};

/* make_nothing() - a file system that this kernel lacks: an empty directory, and a word of it. */
static int make_nothing(const struct spec_mount *m, struct filesystem **ret)
{
	log_warn("mount %s: type %s is not done yet: an empty directory", m->target, m->type);
	return tmpfs_create(m->source, "mode=555", NULL, ret);
}

/* Names of bundles for what this kernel calls otherwise, or lacks (NULL). */
static const struct {
	const char *type, *ours;
} others[] = {
	{ "cgroup", "cgroup2" },
	{ "mqueue", NULL },
};

static int make_filesystem(struct maker *k, const struct spec_mount *m, struct filesystem **ret)
{
	const char *type = m->type;

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strcmp(others[i].type, m->type) == 0)
			type = others[i].ours;
	if (!type)
		return make_nothing(m, ret);
	return filesystem_make(type, m->source, m->options.data, k->container, ret);
}

/* --- mount points ----------------------------------------------------------------------------- */

int mounts_make_directory(struct fs_context *fs, const char *path, const struct cred *c)
{
	char *part cleanup_free = xstrdup(path);
	int rc = 0;

	for (char *p = part + 1; rc == 0 && *p; p++) {
		p += strcspn(p, "/");
		bool last = *p == '\0';

		*p = '\0';
		rc = vfs_mkdir(fs, NULL, part, 0755, c);
		if (rc == -EEXIST)
			rc = 0;
		if (last)
			break;
		*p = '/';
	}
	return rc;
}

static int make_file(struct maker *k, const char *path)
{
	char *dir cleanup_free = xstrdup(path);
	char *slash = strrchr(dir, '/');
	struct file *f;
	int rc = 0;

	*slash = '\0';
	if (*dir)
		rc = mounts_make_directory(k->fs, dir, k->root);
	if (rc == 0)
		rc = vfs_open(k->fs, NULL, path, O_CREAT | O_WRONLY, 0644, 0, k->root, &f);
	if (rc == 0)
		file_put(f);
	return rc;
}

/* walk_to() - @path in the container. */
static int walk_to(struct maker *k, const char *path, struct path *ret)
{
	struct walk w;
	int rc = path_walk(k->fs, NULL, path, 0, k->root, &w);

	if (rc == 0)
		*ret = w.path;
	return rc;
}

static int mount_point(struct maker *k, const char *path, bool directory, struct path *ret)
{
	int rc = walk_to(k, path, ret);

	if (rc != -ENOENT)
		return rc;
	rc = directory ? mounts_make_directory(k->fs, path, k->root) : make_file(k, path);
	return rc < 0 ? rc : walk_to(k, path, ret);
}

/* attach() - @fs (reference taken over) at @path. */
static int attach(struct maker *k, struct filesystem *fs, const char *path, unsigned long flags)
{
	struct path at;
	int rc = mount_point(k, path, S_ISDIR(fs->root->attr.mode), &at);

	if (rc == 0) {
		rc = mount_add(&at, fs, NULL, flags, NULL);
		path_put(&at);
	}
	filesystem_put(fs);
	return rc;
}

/* --- /dev ------------------------------------------------------------------------------------- */

/* populate_dev() - the devices that every container has (runtime-spec, "Default Devices"). */
static int populate_dev(struct maker *k, const char *dev)
{
	static const struct {
		const char *name;
		unsigned int major, minor;
	} nodes[] = {
		{ "null", 1, 3 },   { "zero", 1, 5 },	 { "full", 1, 7 },
		{ "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
	};
	static const struct {
		const char *name, *target;
	} links[] = {
		{ "fd", "/proc/self/fd" },	 { "stdin", "/proc/self/fd/0" },
		{ "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
		{ "ptmx", "pts/ptmx" },
	};
	struct path at;
	int rc = walk_to(k, dev, &at);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(nodes) && rc == 0; i++)
		rc = tmpfs_node(at.mount->fs, at.dentry->inode, nodes[i].name, S_IFCHR | 0666,
				makedev(nodes[i].major, nodes[i].minor), NULL);
	for (size_t i = 0; i < ARRAY_LEN(links) && rc == 0; i++)
		rc = tmpfs_symlink(at.mount->fs, at.dentry->inode, links[i].name, links[i].target);
	path_put(&at);
	return rc;
}

static bool has_dev(const struct spec *s)
{
	for (size_t i = 0; i < s->n_mounts; i++)
		if (strcmp(s->mounts[i].target, "/dev") == 0)
			return true;
	return false;
}

/* --- mounts of the bundle --------------------------------------------------------------------- */

static int add_bind(struct maker *k, const struct spec_mount *m)
{
	const struct control_tree *t;
	struct filesystem *fs;
	int rc;

	if (k->next_tree == k->n_trees)
		return -EINVAL;
	t = &k->trees[k->next_tree++];
	rc = host_filesystem_create(pod_gofer(), t->handle, "bind", m->target, t->shared, &fs);
	return rc < 0 ? rc : attach(k, fs, m->target, m->options.flags);
}

static int add_mount(struct maker *k, const struct spec_mount *m)
{
	struct filesystem *fs;
	int rc;

	if (m->options.bind)
		return add_bind(k, m);
	rc = make_filesystem(k, m, &fs);
	if (rc == 0)
		rc = attach(k, fs, m->target, m->options.flags);
	if (rc == 0 && strcmp(m->target, "/dev") == 0)
		rc = populate_dev(k, m->target);
	return rc;
}

static int add_mounts(struct maker *k, struct error *err)
{
	static const struct spec_mount dev = { .target = "/dev",
					       .type = "tmpfs",
					       .source = "tmpfs",
					       .options = { .flags = MS_NOSUID,
							    .data = "mode=755" } };
	const struct spec *s = k->spec;
	int rc = has_dev(s) ? 0 : add_mount(k, &dev);

	if (rc < 0)
		return error_errno(err, -rc, "mount /dev");
	for (size_t i = 0; i < s->n_mounts; i++) {
		rc = add_mount(k, &s->mounts[i]);
		if (rc < 0)
			return error_errno(err, -rc, "mount %s (%s)", s->mounts[i].target,
					   s->mounts[i].type);
	}
	return 0;
}

/* ensure_devpts() - a process with a terminal finds it in /dev/pts. */
static int ensure_devpts(struct maker *k, struct error *err)
{
	static const struct spec_mount pts = { .target = "/dev/pts",
					       .type = "devpts",
					       .source = "devpts",
					       .options = { .flags = MS_NOSUID | MS_NOEXEC } };
	struct path at;
	bool there = walk_to(k, "/dev/pts", &at) == 0;
	int rc = 0;

	if (there) {
		there = strcmp(at.mount->fs->type, "devpts") == 0;
		path_put(&at);
	}
	if (!there && k->spec->process.terminal)
		rc = add_mount(k, &pts);
	return rc < 0 ? error_errno(err, -rc, "mount /dev/pts") : 0;
}

/* --- what is hidden, what is read-only -------------------------------------------------------- */

/* mask() - an empty directory over a directory, /dev/null over a file; absent is fine. */
static int mask(struct maker *k, const char *path)
{
	struct filesystem *empty;
	struct path at, null;
	int rc = walk_to(k, path, &at);

	if (rc == -ENOENT || rc == -ENOTDIR)
		return 0;
	if (rc < 0)
		return rc;
	if (S_ISDIR(at.dentry->inode->attr.mode)) {
		rc = tmpfs_create("tmpfs", "size=0k,mode=555", NULL, &empty);
		if (rc == 0) {
			rc = mount_add(&at, empty, NULL,
				       MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
			filesystem_put(empty);
		}
	} else {
		rc = walk_to(k, "/dev/null", &null);
		if (rc == 0) {
			rc = mount_bind(&at, &null, false, MS_NOSUID | MS_NOEXEC);
			path_put(&null);
		}
	}
	path_put(&at);
	return rc;
}

static int make_readonly(struct maker *k, const char *path)
{
	struct path at, over;
	int rc = walk_to(k, path, &at);

	if (rc == -ENOENT || rc == -ENOTDIR)
		return 0;
	if (rc < 0)
		return rc;
	rc = mount_bind(&at, &at, true, at.mount->flags);
	if (rc == 0)
		rc = walk_to(k, path, &over);
	if (rc == 0) {
		rc = mount_change(&over, over.mount->flags | MS_RDONLY);
		path_put(&over);
	}
	path_put(&at);
	return rc;
}

static int restrict_paths(struct maker *k, struct error *err)
{
	const struct spec *s = k->spec;
	int rc;

	for (char **p = s->readonly; p && *p; p++) {
		rc = make_readonly(k, *p);
		if (rc < 0)
			return error_errno(err, -rc, "linux.readonlyPaths: %s", *p);
	}
	for (char **p = s->masked; p && *p; p++) {
		rc = mask(k, *p);
		if (rc < 0)
			return error_errno(err, -rc, "linux.maskedPaths: %s", *p);
	}
	return 0;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int make_all(struct maker *k, struct mount_namespace *ns, struct error *err)
{
	struct path root;
	int rc;

	mount_root(ns, &root);
	k->fs = fs_context_create(&root);
	rc = add_mounts(k, err);
	if (rc == 0)
		rc = ensure_devpts(k, err);
	if (rc == 0)
		rc = restrict_paths(k, err);
	if (rc == 0 && k->spec->root_readonly) {
		rc = mount_change(&root, MS_RDONLY);
		if (rc < 0)
			error_errno(err, -rc, "root.readonly");
	}
	fs_context_put(k->fs);
	path_put(&root);
	return rc;
}

int mounts_create(const struct spec *s, const struct control_tree *trees, size_t n_trees,
		  struct container *c, struct mount_namespace **ret, struct error *err)
{
	struct maker k = {
		.spec = s,
		.trees = trees,
		.n_trees = n_trees,
		.next_tree = 1,
		.container = c,
	};
	struct mount_namespace *ns;
	struct filesystem *fs;
	int rc = host_filesystem_create(pod_gofer(), trees[0].handle, "overlay", "none",
					trees[0].shared, &fs);

	if (rc < 0)
		return error_errno(err, -rc, "root.path: look at it");
	ns = mount_namespace_create(fs, 0);
	filesystem_put(fs);
	k.root = cred_create();
	k.root->effective = ~UINT64_C(0);
	rc = make_all(&k, ns, err);
	cred_put(k.root);
	if (rc < 0)
		mount_namespace_put(ns);
	else
		*ret = ns;
	return rc;
}
