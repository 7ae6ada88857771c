/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Advisory locks: flock(2), and those of fcntl(2), of processes and of descriptions.
 *
 * flock locks cover a whole file and belong to the open file description; POSIX locks cover bytes
 * and belong to a process, which is known by its table of descriptors; OFD locks cover bytes and
 * belong to the description.
 */
#ifndef SENTRY_VFS_LOCKS_H
#define SENTRY_VFS_LOCKS_H

#include "runtimes/sentry/vfs/file.h"

enum lock_kind { LOCKS_FLOCK, LOCKS_RANGE };

/* A lock that is asked for. */
struct lock_request {
	enum lock_kind kind;
	const void *owner; /* struct file, or struct fdtable of a process */
	int type;	   /* F_RDLCK, F_WRLCK, F_UNLCK */
	int pid;	   /* for F_GETLK; -1 for OFD locks */
	int64_t start;
	int64_t end; /* the last byte, INT64_MAX: to the end of the file */
};

/*
 * locks_set() - set or clear it; @wait: until it is free.
 * Return: 0, -EAGAIN, -EDEADLK, -ENOLCK, or as wait_sleep().
 */
int locks_set(struct inode *i, const struct lock_request *r, bool wait);
/* locks_test() - F_GETLK: what stands in its way; *conflict.type F_UNLCK: nothing. */
void locks_test(struct inode *i, const struct lock_request *r, struct lock_request *conflict);
/* locks_release_owner() - POSIX locks of a table that closes a descriptor of @i. */
void locks_release_owner(struct inode *i, const void *owner);
/* locks_release_file() - flock and OFD locks of a description that is gone. */
void locks_release_file(struct inode *i, const struct file *f);
/* locks_free() - with the inode. */
void locks_free(struct inode *i);

#endif
