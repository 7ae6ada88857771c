/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of descriptors.
 *
 * Chunks of 64 numbers, made when one of them is used: a single high number costs one chunk and
 * not a table.  The lowest free number is found from `lowest`, below which all are used.  Files
 * are put after the lock is given back: the last reference may do much.
 */
#include "runtimes/sentry/vfs/fdtable.h"

#include <errno.h>

#include "base/mem.h"
#include "runtimes/sentry/vfs/locks.h"

#define CHUNK 64 /* a word of a bitmap */

struct chunk {
	uint64_t used, cloexec;
	struct file *files[CHUNK];
};

struct fdtable {
	uint32_t refs;
	struct lock lock; /* LOCK_FDTABLE */
	struct chunk **chunks;
	int n_chunks; /* NULL ones included */
	int lowest;
};

static struct chunk *chunk_of(const struct fdtable *t, int fd)
{
	return fd >= 0 && fd / CHUNK < t->n_chunks ? t->chunks[fd / CHUNK] : NULL;
}

static struct file *file_at(const struct fdtable *t, int fd)
{
	struct chunk *c = chunk_of(t, fd);

	return c ? c->files[fd % CHUNK] : NULL;
}

static uint64_t bit_of(int fd)
{
	return (uint64_t)1 << (fd % CHUNK);
}

static void set_cloexec(struct chunk *c, int fd, bool on)
{
	c->cloexec = on ? c->cloexec | bit_of(fd) : c->cloexec & ~bit_of(fd);
}

/* make_chunk() - that of @fd. Preconditions: holds the lock, or nobody knows the table. */
static struct chunk *make_chunk(struct fdtable *t, int fd)
{
	int n = t->n_chunks ? t->n_chunks : 1;
	struct chunk **c;

	while (n <= fd / CHUNK)
		n *= 2;
	if (n > t->n_chunks) {
		t->chunks = xrealloc(t->chunks, (size_t)n, sizeof(struct chunk *));
		memset(t->chunks + t->n_chunks, 0,
		       (size_t)(n - t->n_chunks) * sizeof(struct chunk *));
		t->n_chunks = n;
	}
	c = &t->chunks[fd / CHUNK];
	if (!*c)
		*c = xnew(struct chunk);
	return *c;
}

struct fdtable *fdtable_create(void)
{
	struct fdtable *t = xnew(struct fdtable);

	t->refs = 1;
	lock_init(&t->lock, LOCK_FDTABLE);
	make_chunk(t, 0);
	return t;
}

static void copy_chunk(struct chunk *to, const struct chunk *from)
{
	*to = *from;
	for (int n = 0; n < CHUNK; n++)
		if (to->files[n])
			file_get(to->files[n]);
}

struct fdtable *fdtable_copy(struct fdtable *t)
{
	struct fdtable *copy = fdtable_create();

	LOCKED(&t->lock);
	for (int n = 0; n < t->n_chunks; n++)
		if (t->chunks[n] && t->chunks[n]->used)
			copy_chunk(make_chunk(copy, n * CHUNK), t->chunks[n]);
	copy->lowest = t->lowest;
	return copy;
}

struct fdtable *fdtable_get(struct fdtable *t)
{
	__atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

/* let_go() - @f was closed in @t: what close(2) does besides. Return: what flush says. */
static int let_go(struct fdtable *t, struct file *f)
{
	int rc = f->ops && f->ops->flush ? f->ops->flush(f) : 0;

	if (f->inode->locks)
		locks_release_owner(f->inode, t);
	file_put(f);
	return rc;
}

void fdtable_put(struct fdtable *t)
{
	if (!t || __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (int n = 0; n < t->n_chunks; n++) {
		for (int k = 0; t->chunks[n] && k < CHUNK; k++)
			if (t->chunks[n]->files[k])
				let_go(t, t->chunks[n]->files[k]);
		free(t->chunks[n]);
	}
	free(t->chunks);
	free(t);
}

struct file *fdtable_find(struct fdtable *t, int fd)
{
	struct file *f;

	LOCKED(&t->lock);
	f = file_at(t, fd);
	return f ? file_get(f) : NULL;
}

/* lowest_free() - from @from on. */
static int lowest_free(const struct fdtable *t, int from)
{
	for (int fd = from; fd / CHUNK < t->n_chunks; fd = (fd / CHUNK + 1) * CHUNK) {
		struct chunk *c = t->chunks[fd / CHUNK];
		uint64_t free_bits = (c ? ~c->used : ~(uint64_t)0) & ~(bit_of(fd) - 1);

		if (free_bits)
			return fd / CHUNK * CHUNK + __builtin_ctzll(free_bits);
	}
	return MAX(from, t->n_chunks * CHUNK);
}

/* put_in() - Preconditions: holds the lock, @fd is free. */
static void put_in(struct fdtable *t, int fd, struct file *f, bool cloexec)
{
	struct chunk *c = make_chunk(t, fd);

	c->files[fd % CHUNK] = f;
	c->used |= bit_of(fd);
	set_cloexec(c, fd, cloexec);
}

/* next_free() - Return: a number from @from on, -EMFILE. Preconditions: holds the lock. */
static int next_free(const struct fdtable *t, int from, uint64_t limit)
{
	int fd = lowest_free(t, MAX(from, t->lowest));

	return (uint64_t)fd >= limit || fd >= FDTABLE_MAX ? -EMFILE : fd;
}

int fdtable_room(struct fdtable *t, uint64_t limit)
{
	int fd;

	if (file_count() > FILES_MAX)
		return -ENFILE;
	LOCKED(&t->lock);
	fd = next_free(t, 0, limit);
	return fd < 0 ? fd : 0;
}

int fdtable_install(struct fdtable *t, struct file *f, int from, uint64_t limit, bool cloexec)
{
	int fd;

	if (file_count() > FILES_MAX)
		return -ENFILE;
	LOCKED(&t->lock);
	fd = next_free(t, from, limit);
	if (fd < 0)
		return fd;
	put_in(t, fd, f, cloexec);
	if (from <= t->lowest)
		t->lowest = fd + 1;
	return fd;
}

/* take_out() - Preconditions: holds the lock. Return: what was there, or NULL. */
static struct file *take_out(struct fdtable *t, int fd)
{
	struct chunk *c = chunk_of(t, fd);
	struct file *f = c ? c->files[fd % CHUNK] : NULL;

	if (!f)
		return NULL;
	c->files[fd % CHUNK] = NULL;
	c->used &= ~bit_of(fd);
	set_cloexec(c, fd, false);
	t->lowest = MIN(t->lowest, fd);
	return f;
}

int fdtable_replace(struct fdtable *t, int fd, struct file *f, bool cloexec)
{
	struct file *old;

	if (fd < 0 || fd >= FDTABLE_MAX)
		return -EBADF;
	lock_acquire(&t->lock);
	old = take_out(t, fd);
	put_in(t, fd, f, cloexec);
	lock_release(&t->lock);
	if (old)
		let_go(t, old);
	return fd;
}

int fdtable_close(struct fdtable *t, int fd)
{
	struct file *f;

	lock_acquire(&t->lock);
	f = take_out(t, fd);
	lock_release(&t->lock);
	return f ? let_go(t, f) : -EBADF;
}

/* next_used() - the lowest number >= @fd in use; -1: none. Preconditions: holds the lock. */
static int next_used(const struct fdtable *t, int fd)
{
	for (fd = MAX(fd, 0); fd / CHUNK < t->n_chunks; fd = (fd / CHUNK + 1) * CHUNK) {
		struct chunk *c = t->chunks[fd / CHUNK];
		uint64_t used = (c ? c->used : 0) & ~(bit_of(fd) - 1);

		if (used)
			return fd / CHUNK * CHUNK + __builtin_ctzll(used);
	}
	return -1;
}

int fdtable_close_range(struct fdtable *t, unsigned int first, unsigned int last, bool cloexec_only)
{
	unsigned int fd = first;

	if (first > last)
		return -EINVAL;
	while (fd <= last && fd < FDTABLE_MAX) {
		struct file *f = NULL;
		struct chunk *c;
		int next;

		lock_acquire(&t->lock);
		next = next_used(t, (int)fd);
		c = chunk_of(t, next);
		if (c && (unsigned int)next <= last) {
			if (cloexec_only)
				set_cloexec(c, next, true);
			else
				f = take_out(t, next);
		}
		lock_release(&t->lock);
		if (next < 0)
			break;
		if (f)
			let_go(t, f);
		fd = (unsigned int)next + 1;
	}
	return 0;
}

int fdtable_get_cloexec(struct fdtable *t, int fd)
{
	struct chunk *c;

	LOCKED(&t->lock);
	c = chunk_of(t, fd);
	if (!c || !(c->used & bit_of(fd)))
		return -EBADF;
	return (c->cloexec & bit_of(fd)) != 0;
}

int fdtable_set_cloexec(struct fdtable *t, int fd, bool on)
{
	struct chunk *c;

	LOCKED(&t->lock);
	c = chunk_of(t, fd);
	if (!c || !(c->used & bit_of(fd)))
		return -EBADF;
	set_cloexec(c, fd, on);
	return 0;
}

void fdtable_close_on_exec(struct fdtable *t)
{
	int fd = 0;

	while (fd >= 0) {
		struct file *f = NULL;
		struct chunk *c;

		lock_acquire(&t->lock);
		fd = next_used(t, fd);
		c = chunk_of(t, fd);
		if (c && (c->cloexec & bit_of(fd)))
			f = take_out(t, fd);
		lock_release(&t->lock);
		if (f)
			let_go(t, f);
		fd = fd < 0 ? fd : fd + 1;
	}
}

int fdtable_next(struct fdtable *t, int fd)
{
	LOCKED(&t->lock);
	return next_used(t, fd);
}

int fdtable_slots(struct fdtable *t)
{
	LOCKED(&t->lock);
	return t->n_chunks * CHUNK;
}
