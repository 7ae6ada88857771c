/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contents of files that live in the sentry's memory (tmpfs, memfd, shared memory).
 *
 * A small file is a buffer; one that grows or is mapped becomes a memfd of the host.  What files
 * take is charged to a pool, which is bounded: -ENOSPC, never the sentry's own memory.
 */
#ifndef SENTRY_FS_MEMFILE_H
#define SENTRY_FS_MEMFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtimes/sentry/kern/lock.h"
#include "runtimes/sentry/vfs/uio.h"

struct memfile_pool {
	uint64_t limit_bytes;	     /* 0: none */
	uint64_t used_bytes;	     /* atomic */
	struct memfile_pool *parent; /* also charged: the container; may be NULL */
};

/* memfile_charge() - Return: 0 or -ENOSPC. */
int memfile_charge(struct memfile_pool *p, uint64_t bytes);
void memfile_uncharge(struct memfile_pool *p, uint64_t bytes);

/* Guarded by the lock of the inode it belongs to. */
struct memfile {
	struct memfile_pool *pool;
	uint64_t size;
	uint64_t charged_bytes;
	uint64_t dense_bytes; /* all pages before it are charged */
	char *small;	      /* contents while fd is -1; NULL while size is 0 */
	int fd, read_only_fd; /* -1: none yet */
	bool sealable;
};

#define MEMFILE_SMALL 4096u

void memfile_init(struct memfile *m, struct memfile_pool *pool);
void memfile_finish(struct memfile *m);
ssize_t memfile_read(struct memfile *m, struct uio *to, int64_t pos);
ssize_t memfile_write(struct memfile *m, struct uio *from, int64_t pos);
int memfile_truncate(struct memfile *m, uint64_t size);
int memfile_allocate(struct memfile *m, int mode, int64_t offset, int64_t length);
/* memfile_map_fd() - a descriptor to map; @read_only: one that no mapping can write through. */
int memfile_map_fd(struct memfile *m, bool read_only);
/* memfile_to_fd() - it is a memfd from now on. Return: 0 or -errno. */
int memfile_to_fd(struct memfile *m);
/* memfile_set_self() - directory descriptor of the sentry's own /proc/self/fd, kept. */
void memfile_set_self(int dirfd);
/* host_reopen() - the same file by a new description (O_RDONLY, O_NONBLOCK ..). fd or -errno. */
int host_reopen(int fd, int flags);

#endif
