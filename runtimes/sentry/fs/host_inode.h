/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inodes of host files: what host.c and host_file.c share.
 */
#ifndef SENTRY_FS_HOST_INODE_H
#define SENTRY_FS_HOST_INODE_H

#include "base/list.h"
#include "runtimes/gofer/client.h"
#include "runtimes/sentry/vfs/file.h"
#include "runtimes/sentry/vfs/inode.h"

#define HOST_BUCKETS 512

struct host_fs {
	struct gofer *gofer;
	uint32_t tree;
	bool shared;
	struct lock lock; /* last of all: the table */
	struct host_inode *buckets[HOST_BUCKETS];
};

/* inode->data */
struct host_inode {
	struct inode *inode;
	uint32_t handle;	 /* of the gofer */
	uint64_t dev, ino;	 /* on the host: two names of one file are one inode */
	struct host_inode *next; /* in its bucket */
	/* under inode->lock */
	int fd_read, fd_both; /* -1: not open; kept for the next open */
	uint32_t opens;	      /* open descriptions */
	bool stale;	      /* the host knows newer times or a newer size */
	/* under the lock of host_file.c */
	struct list in_idle; /* open descriptors, but nobody uses the file */
};

static inline struct host_inode *host_inode_of(const struct inode *i)
{
	return i->data;
}

static inline struct host_fs *host_fs_of(const struct inode *i)
{
	return i->fs->data;
}

/* host_attr_take() - what the gofer says becomes i->attr. Preconditions: holds i->lock. */
void host_attr_take(struct inode *i, const struct gofer_attr *a);
/* host_attr_fetch() - the same from an open descriptor of ours. */
int host_attr_fetch(struct inode *i, int fd);
/* host_stale() - attributes have changed in a way that only the host knows. */
void host_stale(struct inode *i);

/* host_file.c */
int host_open(struct inode *i, struct file *f);
/* host_give_descriptor() - @fd (taken over) is open for both: the next open needs no gofer. */
void host_give_descriptor(struct inode *i, int fd);
/* host_resize() - Preconditions: none. Return: 0, -errno, or 1: no descriptor is open for it. */
int host_resize(struct inode *i, int64_t length);
/* host_close_descriptors() - the inode goes away. */
void host_close_descriptors(struct inode *i);

#endif
