/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contents of files that live in the sentry's memory.
 *
 * Pages are charged when they are first written: a file that is written from its beginning needs
 * one comparison (`dense_bytes`), for others too much may be charged, which is put right by asking
 * the host when the pool seems to be full.
 */
#include "runtimes/sentry/fs/memfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtimes/sentry/fs/hostio.h"

#define PAGE	4096u
#define UP(n)	(((n) + PAGE - 1) & ~(uint64_t)(PAGE - 1))
#define MAX_POS INT64_MAX

static int self_dir = -1;

void memfile_set_self(int dirfd)
{
	self_dir = dirfd;
}

int host_reopen(int fd, int flags)
{
	char name[32];
	int got;

	snprintf(name, sizeof(name), self_dir >= 0 ? "%d" : "/proc/self/fd/%d", fd);
	got = openat(self_dir >= 0 ? self_dir : AT_FDCWD, name, flags | O_CLOEXEC);
	return got < 0 ? -errno : got;
}

int memfile_charge(struct memfile_pool *p, uint64_t bytes)
{
	uint64_t used;

	if (!p || !bytes)
		return 0;
	if (memfile_charge(p->parent, bytes) < 0)
		return -ENOSPC;
	used = __atomic_add_fetch(&p->used_bytes, bytes, __ATOMIC_RELAXED);
	if (!p->limit_bytes || used <= p->limit_bytes)
		return 0;
	memfile_uncharge(p, bytes);
	return -ENOSPC;
}

void memfile_uncharge(struct memfile_pool *p, uint64_t bytes)
{
	for (; p; p = p->parent)
		__atomic_sub_fetch(&p->used_bytes, bytes, __ATOMIC_RELAXED);
}

void memfile_init(struct memfile *m, struct memfile_pool *pool)
{
	*m = (struct memfile){ .pool = pool, .fd = -1, .read_only_fd = -1 };
}

void memfile_finish(struct memfile *m)
{
	memfile_uncharge(m->pool, m->charged_bytes);
	free(m->small);
	close_fd(&m->fd);
	close_fd(&m->read_only_fd);
}

/* recount() - charge what the host says that the file takes. */
static void recount(struct memfile *m)
{
	struct stat st;
	uint64_t real;

	if (m->fd < 0 || fstat(m->fd, &st) < 0)
		return;
	real = (uint64_t)st.st_blocks * 512;
	if (real < m->charged_bytes) {
		memfile_uncharge(m->pool, m->charged_bytes - real);
		m->charged_bytes = real;
	}
	m->dense_bytes = 0;
}

/* charge_range() - bytes @pos to @end are about to be written. */
static int charge_range(struct memfile *m, uint64_t pos, uint64_t end)
{
	uint64_t from = MAX(pos & ~(uint64_t)(PAGE - 1), m->dense_bytes), to = UP(end), n;

	if (to <= from)
		return 0;
	n = to - from;
	if (memfile_charge(m->pool, n) < 0) {
		recount(m);
		if (memfile_charge(m->pool, n) < 0)
			return -ENOSPC;
	}
	m->charged_bytes += n;
	if (pos <= m->dense_bytes)
		m->dense_bytes = to;
	return 0;
}

int memfile_to_fd(struct memfile *m)
{
	int fd, rc = 0;

	if (m->fd >= 0)
		return 0;
	fd = memfd_create("file", MFD_CLOEXEC | (m->sealable ? MFD_ALLOW_SEALING : 0));
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? -ENFILE : -ENOSPC;
	if (m->size && ftruncate(fd, (off_t)m->size) < 0)
		rc = -errno;
	if (rc == 0 && m->small && pwrite(fd, m->small, m->size, 0) != (ssize_t)m->size)
		rc = -ENOSPC;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	free(steal_ptr(m->small));
	m->fd = fd;
	return 0;
}

int memfile_map_fd(struct memfile *m, bool read_only)
{
	int rc = memfile_to_fd(m);

	if (rc < 0 || !read_only)
		return rc < 0 ? rc : m->fd;
	if (m->read_only_fd < 0) {
		rc = host_reopen(m->fd, O_RDONLY);
		if (rc < 0)
			return rc;
		m->read_only_fd = rc;
	}
	return m->read_only_fd;
}

ssize_t memfile_read(struct memfile *m, struct uio *to, int64_t pos)
{
	size_t n;
	int rc;

	if ((uint64_t)pos >= m->size || !uio_left(to))
		return 0;
	n = MIN(m->size - (uint64_t)pos, uio_left(to));
	if (m->fd >= 0)
		return host_pread(m->fd, to, n, pos);
	rc = uio_put(to, m->small + pos, n);
	return rc < 0 ? rc : (ssize_t)n;
}

/* write_small() - the whole of it lies within MEMFILE_SMALL bytes. */
static ssize_t write_small(struct memfile *m, struct uio *from, uint64_t pos, size_t n)
{
	int rc;

	if (!m->small)
		m->small = xcalloc(1, MEMFILE_SMALL);
	rc = uio_get(from, m->small + pos, n);
	if (rc < 0)
		return rc;
	m->size = MAX(m->size, pos + n);
	return (ssize_t)n;
}

ssize_t memfile_write(struct memfile *m, struct uio *from, int64_t at)
{
	uint64_t pos = (uint64_t)at;
	size_t n = MIN(uio_left(from), (uint64_t)(MAX_POS - at));
	ssize_t done;
	int rc;

	if (!n)
		return uio_left(from) ? -EFBIG : 0;
	rc = charge_range(m, pos, pos + n);
	if (rc < 0) {
		/* As much as there is room for: to the end of the page that is there. */
		n = MIN(n, (size_t)(UP(pos + 1) - pos));
		if (UP(pos) == pos || charge_range(m, pos, pos + n) < 0)
			return rc;
	}
	if (m->fd < 0 && pos + n <= MEMFILE_SMALL)
		return write_small(m, from, pos, n);
	rc = memfile_to_fd(m);
	if (rc < 0)
		return rc;
	done = host_pwrite(m->fd, from, n, at);
	if (done > 0)
		m->size = MAX(m->size, pos + (uint64_t)done);
	return done;
}

int memfile_truncate(struct memfile *m, uint64_t size)
{
	int rc;

	if (m->fd < 0 && size <= MEMFILE_SMALL) {
		if (m->small && size < m->size)
			memset(m->small + size, 0, m->size - size);
		if (size && !m->small)
			m->small = xcalloc(1, MEMFILE_SMALL);
		m->size = size;
		return charge_range(m, 0, size) < 0 ? -ENOSPC : 0;
	}
	rc = memfile_to_fd(m);
	if (rc < 0)
		return rc;
	if (ftruncate(m->fd, (off_t)size) < 0)
		return -errno;
	if (size < m->size)
		recount(m);
	m->size = size;
	return 0;
}

int memfile_allocate(struct memfile *m, int mode, int64_t offset, int64_t length)
{
	bool takes = !(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE));
	uint64_t end = (uint64_t)offset + (uint64_t)length;
	int rc = memfile_to_fd(m);

	if (rc == 0 && takes)
		rc = charge_range(m, (uint64_t)offset, end);
	if (rc < 0)
		return rc;
	if (fallocate(m->fd, mode, offset, length) < 0)
		return -errno;
	if (!takes)
		recount(m);
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		m->size = MAX(m->size, end);
	return 0;
}
