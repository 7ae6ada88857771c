/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names: the cache of directory entries, mounts, and walking a path.
 *
 *   struct path = (mount, dentry): a place in the tree that a container sees.
 *
 * A dentry with inode NULL is negative: the name is known not to exist.  Names of file systems
 * that only the sentry changes are never asked for again; those with volatile_names each time.
 *
 * A walk over known names takes the lock of one bucket a name and nothing else.  Where a name is
 * not known, or changes, the directory's `names` lock is held over the file system's work.  The
 * mounts lock guards the mount tree, and the name and parent of every dentry (rename).
 */
#ifndef SENTRY_VFS_DENTRY_H
#define SENTRY_VFS_DENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "runtimes/sentry/vfs/file.h"
#include "runtimes/sentry/vfs/inode.h"

#define DENTRY_INLINE_NAME 32

struct dentry {
	uint32_t refs; /* 0: only the cache holds it */
	uint32_t hash;
	struct dentry *parent; /* itself for a root; holds a reference */
	struct inode *inode;   /* NULL: negative; set once */
	const char *name;      /* "/" for a root */
	uint16_t name_len;
	bool hashed;	    /* a walk finds it; under the bucket's lock */
	bool unlinked;	    /* no name leads here any more: "(deleted)" */
	bool used;	    /* since the cache was last swept */
	bool is_mountpoint; /* some mount may cover it: set under the mounts lock, and stays */
	struct lock lock;   /* LOCK_DENTRY: children */
	struct list children, in_parent;
	struct dentry *next_in_bucket;
	char inline_name[DENTRY_INLINE_NAME];
};

struct mount {
	uint32_t refs;
	int id, parent_id;    /* as /proc/self/mountinfo says */
	struct mount *parent; /* NULL: the root of its namespace */
	struct dentry *at;    /* mount point in the parent */
	struct dentry *root;
	struct filesystem *fs;
	struct mount_namespace *ns;
	unsigned long flags; /* MS_RDONLY MS_NOSUID MS_NODEV MS_NOEXEC MS_NOATIME .. */
	struct list in_namespace;
};

/* The mounts that the processes of a container see. */
struct mount_namespace {
	uint32_t refs;
	struct mount *root;
	struct list mounts; /* in mount order; under the mounts lock */
	uint64_t changes;   /* counts them, for poll on /proc/mounts */
	struct wait_queue changed;
};

struct path {
	struct mount *mount;
	struct dentry *dentry;
};

/* Root, working directory and umask: shared by threads (CLONE_FS). */
struct fs_context {
	uint32_t refs;
	struct lock lock; /* LOCK_FDTABLE */
	struct path root, cwd;
	mode_t umask;
};

struct fs_context *fs_context_create(const struct path *root);
struct fs_context *fs_context_copy(struct fs_context *c);
struct fs_context *fs_context_get(struct fs_context *c);
void fs_context_put(struct fs_context *c);
void fs_context_set_cwd(struct fs_context *c, const struct path *p);
void fs_context_set_root(struct fs_context *c, const struct path *p);
/* fs_context_cwd(), fs_context_root() - with references. */
void fs_context_cwd(struct fs_context *c, struct path *ret);
void fs_context_root(struct fs_context *c, struct path *ret);

/* dentry_create_root() - takes its own reference of @i; in no cache. */
struct dentry *dentry_create_root(struct inode *i);
/* dentry_create_detached() - a name that leads nowhere (memfd, pipe): shown as it is. */
struct dentry *dentry_create_detached(struct inode *i, const char *name);
struct dentry *dentry_get(struct dentry *d);
void dentry_put(struct dentry *d); /* d may be NULL */
/* dentry_parent() - with a reference, and the name in it; NULL: a root, or unlinked. */
struct dentry *dentry_parent(struct dentry *d, char name[256]);
/* dentry_prune_filesystem() - forget unused names of @fs, whose last mount has gone. */
void dentry_prune_filesystem(struct filesystem *fs);
void path_get(const struct path *p);
void path_put(struct path *p); /* and clears it */

/* mount_namespace_create() - with @fs as "/". */
struct mount_namespace *mount_namespace_create(struct filesystem *fs, unsigned long flags);
struct mount_namespace *mount_namespace_copy(struct mount_namespace *ns);
/* mount_translate() - @p, of the namespace that @copy was copied from, becomes a place in it. */
void mount_translate(struct mount_namespace *copy, struct path *p);
void mount_namespace_put(struct mount_namespace *ns);
struct mount_namespace *mount_namespace_get(struct mount_namespace *ns);
/* mount_anonymous() - of files that no name leads to; never goes away. */
struct mount *mount_anonymous(void);
struct mount *mount_get(struct mount *m);
void mount_put(struct mount *m); /* may be NULL */
/* mount_add() - @fs (or its subtree @root, NULL: all) over @at. */
int mount_add(const struct path *at, struct filesystem *fs, struct dentry *root,
	      unsigned long flags, struct mount **ret /* may be NULL */);
/* mount_bind() - what is seen at @from also at @at; @recursive: with the mounts below. */
int mount_bind(const struct path *at, const struct path *from, bool recursive, unsigned long flags);
/* mount_move() - MS_MOVE. */
int mount_move(const struct path *from, const struct path *at);
/* mount_remove() - -EBUSY while in use, unless MNT_DETACH. */
int mount_remove(const struct path *at, int flags);
/* mount_change() - MS_REMOUNT|MS_BIND: new flags for the mount at @at. */
int mount_change(const struct path *at, unsigned long flags);
/* mount_root() - "/" of @ns, with references. */
void mount_root(struct mount_namespace *ns, struct path *ret);
/* mount_changed() - for poll on /proc/mounts: woken at each change. */
struct wait_queue *mount_changed(struct mount_namespace *ns);
/*
 * mount_for_each() - calls @fn for each mount that @root sees, parents first, under the mounts
 * lock: it may only write to memory.  Stops when @fn returns not 0, and returns that.
 */
struct mount_info {
	int id, parent_id;
	const struct mount *mount;
	const char *root, *point; /* path in its file system; where it is seen */
};
typedef int mount_fn(void *data, const struct mount_info *info);
int mount_for_each(struct mount_namespace *ns, const struct path *root, mount_fn *fn, void *data);
int mount_pivot(const struct path *new_root, const struct path *put_old);

/* How a walk behaves. */
enum walk_flags {
	WALK_NOFOLLOW = 1 << 0,	   /* the last component is not followed if a symlink */
	WALK_DIRECTORY = 1 << 1,   /* -ENOTDIR unless it is one */
	WALK_PARENT = 1 << 2,	   /* stop at the parent: ret->last is the name */
	WALK_EMPTY = 1 << 3,	   /* "" is the starting point (AT_EMPTY_PATH) */
	WALK_NO_MAGIC = 1 << 4,	   /* RESOLVE_NO_MAGICLINKS */
	WALK_NO_SYMLINKS = 1 << 5, /* RESOLVE_NO_SYMLINKS */
	WALK_BENEATH = 1 << 6,	   /* RESOLVE_BENEATH */
	WALK_IN_ROOT = 1 << 7,	   /* RESOLVE_IN_ROOT */
	WALK_NO_XDEV = 1 << 8,	   /* RESOLVE_NO_XDEV */
};

struct walk {
	struct path path; /* references; of the parent with WALK_PARENT */
	char last[256];	  /* WALK_PARENT: the last name, "." and ".." included, "" for "/" */
	bool trailing_slash;
};

/*
 * path_walk() - @start: where a relative path begins (NULL: cwd).  Checks search permission with
 * @c on the way; at most 40 symlinks.  Return: 0, -ENOENT, -ENOTDIR, -EACCES, -ELOOP,
 * -ENAMETOOLONG.
 */
int path_walk(struct fs_context *fs, const struct path *start, const char *name, unsigned int flags,
	      const struct cred *c, struct walk *ret);

/* The calls on names; each is the Linux call of that name with a starting point. */
int vfs_open(struct fs_context *fs, const struct path *start, const char *name, unsigned int flags,
	     mode_t mode, unsigned int walk_flags, struct cred *c, struct file **ret);
/* vfs_open_path() - a place that has been walked to already (O_PATH descriptors, exec). */
int vfs_open_path(const struct path *p, unsigned int flags, struct cred *c, struct file **ret);
int vfs_mkdir(struct fs_context *fs, const struct path *start, const char *name, mode_t mode,
	      const struct cred *c);
int vfs_mknod(struct fs_context *fs, const struct path *start, const char *name, mode_t mode,
	      dev_t dev, const struct cred *c, struct inode **ret /* may be NULL */);
int vfs_symlink(struct fs_context *fs, const struct path *start, const char *name,
		const char *target, const struct cred *c);
int vfs_link(struct fs_context *fs, const struct path *old, const struct path *start,
	     const char *name, const struct cred *c);
int vfs_unlink(struct fs_context *fs, const struct path *start, const char *name, bool directory,
	       const struct cred *c);
int vfs_rename(struct fs_context *fs, const struct path *old_start, const char *old_name,
	       const struct path *new_start, const char *new_name, unsigned int flags,
	       const struct cred *c);
/* vfs_path_string() - absolute name of @p below @root; " (deleted)" when unlinked. Return: length
 * or -ENAMETOOLONG. */
ssize_t vfs_path_string(const struct path *p, const struct path *root, char *buf, size_t size);
/* vfs_path_reachable() - @p is below @root. */
bool vfs_path_reachable(const struct path *p, const struct path *root);
/* vfs_anonymous_path() - a place for a file that no name leads to (/proc/self/fd). */
void vfs_anonymous_path(struct inode *i, const char *name, struct path *ret);
/* vfs_truncate() - truncate(2) of a place that has been walked to. */
int vfs_truncate(const struct path *p, int64_t length, const struct cred *c);
/* mount_may_write() - 0 or -EROFS. */
int mount_may_write(const struct mount *m);

#endif
