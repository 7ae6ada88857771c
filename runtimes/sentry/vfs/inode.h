/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inodes, and what a file system must offer.
 *
 * An inode is reached by dentries (names, vfs/dentry.h) and by open files (vfs/file.h); it lives
 * while one of them, or its file system, holds a reference.  Attributes that the sentry decides
 * with stand in the inode and are right while `lock` is held or when slightly stale ones do no
 * harm; a file system whose files others change (volumes) refreshes them in `revalidate`.
 */
#ifndef SENTRY_VFS_INODE_H
#define SENTRY_VFS_INODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "runtimes/sentry/kern/cred.h"
#include "runtimes/sentry/kern/lock.h"
#include "runtimes/sentry/kern/wait.h"

struct dentry;
struct file;
struct filesystem;
struct inode;
struct path;
struct pipe;
struct statfs;

/* Which attributes setattr changes. */
enum attr_mask {
	ATTR_MODE = 1 << 0,
	ATTR_UID = 1 << 1,
	ATTR_GID = 1 << 2,
	ATTR_SIZE = 1 << 3,
	ATTR_ATIME = 1 << 4,
	ATTR_MTIME = 1 << 5,
	ATTR_TOUCH = 1 << 6, /* the times are the present: who may write may set them */
};

struct attr {
	mode_t mode; /* with the type bits */
	uid_t uid;
	gid_t gid;
	uint64_t size;	 /* bytes */
	uint64_t blocks; /* of 512 bytes */
	uint32_t nlink, blksize;
	dev_t rdev;
	struct timespec atime, mtime, ctime, btime;
};

/*
 * Operations on names take the parent's inode and a name of 1-255 bytes without '/', never "."
 * or "..".  The vfs has checked permissions (search, write, sticky) and holds the mounts lock of
 * nothing: an implementation may make host calls.  Return: 0 or -errno; *ret gets a reference.
 * NULL operations: lookup -ENOTDIR, those that change -EPERM (-EROFS if the mount is read-only).
 */
struct inode_ops {
	int (*lookup)(struct inode *dir, const char *name, struct inode **ret);
	/* is_still: in a directory with volatile names: a cached @i is still what its name means */
	bool (*is_still)(struct inode *dir, struct inode *i);
	int (*create)(struct inode *dir, const char *name, mode_t mode, const struct cred *c,
		      struct inode **ret);
	int (*mkdir)(struct inode *dir, const char *name, mode_t mode, const struct cred *c,
		     struct inode **ret);
	int (*mknod)(struct inode *dir, const char *name, mode_t mode, dev_t dev,
		     const struct cred *c, struct inode **ret);
	int (*symlink)(struct inode *dir, const char *name, const char *target,
		       const struct cred *c, struct inode **ret);
	int (*link)(struct inode *dir, const char *name, struct inode *old);
	int (*unlink)(struct inode *dir, const char *name, struct inode *victim);
	int (*rmdir)(struct inode *dir, const char *name, struct inode *victim);
	/* @flags: RENAME_NOREPLACE, RENAME_EXCHANGE; @victim: what new_name is now, or NULL */
	int (*rename)(struct inode *old_dir, const char *old_name, struct inode *new_dir,
		      const char *new_name, struct inode *victim, unsigned int flags);
	/* tmpfile: a nameless file of this directory (O_TMPFILE) */
	int (*tmpfile)(struct inode *dir, mode_t mode, const struct cred *c, struct inode **ret);
	/* readlink: bytes written to @buf, not terminated */
	ssize_t (*readlink)(struct inode *i, char *buf, size_t size);
	/*
	 * follow: links of /proc that lead to an object and not to a name.  @ret gets references.
	 * NULL: an ordinary symlink.
	 */
	int (*follow)(struct inode *i, struct path *ret);
	/*
	 * open: fill in f->ops and f->object; access has been checked.  FIFOs and devices are left
	 * to inode_open_special().  NULL: -ENXIO.
	 */
	int (*open)(struct inode *i, struct file *f);
	/* revalidate: refresh i->attr; NULL: attr is always right */
	int (*revalidate)(struct inode *i);
	/* setattr: apply those of @mask; i->attr is brought up to date by it */
	int (*setattr)(struct inode *i, unsigned int mask, const struct attr *to);
	ssize_t (*getxattr)(struct inode *i, const char *name, void *buf, size_t size);
	int (*setxattr)(struct inode *i, const char *name, const void *buf, size_t size, int flags);
	ssize_t (*listxattr)(struct inode *i, char *buf, size_t size);
	int (*removexattr)(struct inode *i, const char *name);
	/* permission: replaces the mode check where it differs (/proc); NULL: by mode */
	int (*permission)(struct inode *i, int may, const struct cred *c);
	/* free: the last reference is gone */
	void (*free)(struct inode *i);
};

struct inode {
	const struct inode_ops *ops;
	struct filesystem *fs;
	uint32_t refs;
	uint64_t ino;
	struct lock lock;  /* LOCK_INODE: attr, data */
	struct lock names; /* LOCK_DIRECTORY, LOCK_SHOWN_NAMES: held by the vfs over operations on
			      names in it */
	struct attr attr;
	bool volatile_names; /* a directory whose names come and go by themselves (/proc) */
	void *data;	     /* the file system's */
	struct pipe *fifo;   /* S_IFIFO: made at the first open; under lock */
	void *socket;	     /* S_IFSOCK: who is bound here; under lock of ipc/unix */
	void *locks;	     /* POSIX and flock locks (vfs/locks.c); under lock */
	struct list watches; /* notify_watch.in_inode (vfs/notify.h); under lock */
};

/* A mounted or mountable file system. */
struct filesystem_ops {
	int (*statfs)(struct filesystem *fs, struct statfs *ret); /* of sys/statfs.h */
	int (*sync)(struct filesystem *fs);			  /* may be NULL */
	void (*free)(struct filesystem *fs);
};

struct filesystem {
	const struct filesystem_ops *ops;
	const char *type; /* as /proc/mounts says: "tmpfs" */
	char *source;	  /* as /proc/mounts says */
	char *options;	  /* its own, beyond ro, nosuid ..; may be NULL */
	uint32_t refs;	  /* of mounts and whoever made it */
	uint32_t inodes;  /* living ones, and one more while refs is not 0 */
	dev_t dev;
	bool volatile_names; /* others change it: names are looked up again each time */
	bool shows_tasks;    /* /proc: its locks come before those of what it shows */
	struct inode *root;
	struct dentry *root_dentry; /* shared by its mounts; made by the first */
	void *data;
};

/* inode_create() - with one reference; inherits nothing. */
struct inode *inode_create(struct filesystem *fs, const struct inode_ops *ops, uint64_t ino,
			   mode_t mode);
struct inode *inode_get(struct inode *i);
void inode_put(struct inode *i); /* i may be NULL */
/* inode_refresh() - attr is as right as the file system can tell. Return: 0 or -errno. */
int inode_refresh(struct inode *i);
/* inode_stat() - for stat(2); refreshes first. */
int inode_stat(struct inode *i, struct stat *ret);
/* inode_open_special() - inode_ops.open of what is more than its file system: FIFO, device. */
int inode_open_special(struct inode *i, struct file *f);
/* inode_permission() - @may: MAY_READ.. or-ed. Return: 0, -EACCES, -EROFS is the mount's to say. */
enum { MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4 };
int inode_permission(struct inode *i, int may, const struct cred *c);
/* inode_setattr() - checks what Linux checks (owner, capabilities, setgid clearing), then applies.
 */
int inode_setattr(struct inode *i, unsigned int mask, const struct attr *to, const struct cred *c);

/* inode_apply_attr() - what setattr of a file system in memory does with all but the size. */
void inode_apply_attr(struct inode *i, unsigned int mask, const struct attr *to);
/* inode_init_owner() - owner, group and mode of a new inode in @dir (setgid directories). */
void inode_init_owner(struct inode *i, const struct inode *dir, mode_t mode, const struct cred *c);
/* inode_touch() - times become the present; @mask: ATTR_ATIME, ATTR_MTIME (with ctime). */
void inode_touch(struct inode *i, unsigned int mask);
/* inode_owner_or_capable() - fsuid owns it, or CAP_FOWNER. */
bool inode_owner_or_capable(const struct inode *i, const struct cred *c);

/* filesystem_create() - allots a device number; root is set by the caller. */
struct filesystem *filesystem_create(const struct filesystem_ops *ops, const char *type,
				     const char *source, const char *options);
struct filesystem *filesystem_get(struct filesystem *fs);
/* filesystem_put() - the last one gives the root back; freed when no inode lives any more. */
void filesystem_put(struct filesystem *fs);

#endif
