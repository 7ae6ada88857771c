/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open file descriptions, and what kinds of files must offer.
 */
#ifndef SENTRY_VFS_FILE_H
#define SENTRY_VFS_FILE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtimes/sentry/kern/cred.h"
#include "runtimes/sentry/kern/lock.h"
#include "runtimes/sentry/kern/wait.h"
#include "runtimes/sentry/vfs/inode.h"
#include "runtimes/sentry/vfs/uio.h"

struct file;
struct ioctl_memory;
struct mount;
struct path;

/* getdents calls it for each entry. Return: 0 go on, else stop (no room). */
typedef int dirent_fn(void *data, const char *name, uint64_t ino, unsigned int type,
		      int64_t next_pos);

/*
 * read, write: -EAGAIN when they would block: the vfs then waits on file_queue() with poll(), or
 * returns it for O_NONBLOCK.  @pos: where, and advanced; NULL for streams (no seek operation).
 * Where file_appends() write chooses the end itself and stores where it ended.  A stream may write
 * less than all: the vfs waits and goes on.  Return: bytes or -errno. NULL operations: read and
 * write -EINVAL, others -ENOTTY, -ESPIPE, -ENODEV, -EINVAL as Linux.
 */
struct file_ops {
	ssize_t (*read)(struct file *f, struct uio *to, int64_t *pos);
	ssize_t (*write)(struct file *f, struct uio *from, int64_t *pos);
	/* poll: EPOLL* that hold now */
	uint32_t (*poll)(struct file *f);
	/* queue: who is woken when poll changes; NULL: always ready */
	struct wait_queue *(*queue)(struct file *f);
	int64_t (*seek)(struct file *f, int64_t offset, int whence);
	/* readdir: entries from *pos on, "." and ".." included */
	int (*readdir)(struct file *f, int64_t *pos, dirent_fn *fn, void *data);
	long (*ioctl)(struct file *f, unsigned int cmd, uint64_t arg, struct ioctl_memory *m);
	/*
	 * mmap: a host descriptor to map with exactly this description's access mode, kept by the
	 * file.  @shared, @writable: what is asked.  Return: the descriptor or -errno.
	 */
	int (*mmap)(struct file *f, bool shared, bool writable, int64_t *offset);
	int (*truncate)(struct file *f, int64_t length);
	int (*allocate)(struct file *f, int mode, int64_t offset, int64_t length);
	int (*sync)(struct file *f, bool data_only);
	/* set_flags: O_NONBLOCK, O_APPEND, O_ASYNC changed; may be NULL */
	int (*set_flags)(struct file *f, unsigned int flags);
	/* flush: a descriptor of it is closed (close(2) returns it); may be NULL */
	int (*flush)(struct file *f);
	void (*release)(struct file *f); /* the last reference is gone */
};

/* Guest memory for ioctl arguments: a struct so that vfs/ needs to know no task. */
struct ioctl_memory {
	int (*in)(struct ioctl_memory *m, void *to, uint64_t guest, size_t len);
	int (*out)(struct ioctl_memory *m, uint64_t guest, const void *from, size_t len);
};

struct file {
	const struct file_ops *ops;
	uint32_t refs;
	unsigned int flags; /* O_* as fcntl(F_GETFL) tells, without O_CREAT and such */
	struct lock lock;   /* LOCK_FILE: pos */
	int64_t pos;
	struct inode *inode;   /* never NULL: anonymous files have one of their own */
	struct dentry *dentry; /* as opened; NULL: anonymous */
	struct mount *mount;   /* NULL: anonymous */
	struct cred *cred;     /* who opened it */
	void *object;	       /* what ops work on */
	int owner;	       /* F_SETOWN: pid, or negative group */
	int owner_signal;      /* F_SETSIG */
	struct list epolls;    /* epoll's items for it: under a lock of epoll.c */
};

/* FILES_MAX - open files of a pod: they are the sentry's memory. More are -ENFILE. */
#define FILES_MAX (1u << 18)
uint32_t file_count(void);
/* file_create() - on @i (takes its own reference), ops unset. */
struct file *file_create(struct inode *i, unsigned int flags, struct cred *c);
/* file_create_anonymous() - shown as anon_inode: and @name, "[eventfd]"; a string that stays. */
struct file *file_create_anonymous(const struct file_ops *ops, const char *name, void *object,
				   unsigned int flags, struct cred *c);
struct file *file_get(struct file *f);
/* file_get_living() - NULL when the last reference has gone already (epoll). */
struct file *file_get_living(struct file *f);
void file_put(struct file *f); /* f may be NULL */

static inline bool file_readable(const struct file *f)
{
	return (f->flags & 3) != 1;
}
static inline bool file_writable(const struct file *f)
{
	return (f->flags & 3) != 0;
}

/* file_appends() - whether what is written from @u goes to the end. */
static inline bool file_appends(const struct file *f, const struct uio *u)
{
	return (f->flags & O_APPEND) || u->append;
}

/*
 * file_read(), file_write() - as read(2) and write(2): position, O_APPEND, blocking, RLIMIT_FSIZE
 * is the caller's.  file_pread(), file_pwrite(): at @pos.
 */
ssize_t file_read(struct file *f, struct uio *to);
ssize_t file_write(struct file *f, struct uio *from);
ssize_t file_pread(struct file *f, struct uio *to, int64_t pos);
ssize_t file_pwrite(struct file *f, struct uio *from, int64_t pos);
int64_t file_seek(struct file *f, int64_t offset, int whence);
/* file_seek_sized() - what seek of an ordinary file does; without holes. Holds f->lock. */
int64_t file_seek_sized(struct file *f, int64_t offset, int whence, int64_t size);
uint32_t file_poll(struct file *f);
struct wait_queue *file_queue(struct file *f); /* may be NULL */
/* file_wait() - a file is not ready for @events: until it may be. Return: as wait_sleep(). */
int file_wait(struct file *f, uint32_t events, int64_t deadline_ns);
/* file_path() - its name as /proc/self/fd shows it, below @root (a struct path). */
void file_path(struct file *f, const struct path *root, char *buf, size_t size);
/* anonymous_inode() - an inode of the file system of files without names; @mode with type. */
struct inode *anonymous_inode(const char *name, mode_t mode);

#endif
