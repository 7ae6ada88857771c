/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetching arguments: guest memory, paths, vectors, descriptors, times, masks.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "runtimes/sentry/sys/sys.h"
#include "runtimes/sentry/task/alarm.h"
#include "runtimes/sentry/task/signal.h"

#define PAGE	    4096ull
#define ADDRESS_END 0x7ffffffff000ull /* of every program, by the architecture */

int sys_copy_in(struct task *t, void *to, uint64_t from, size_t len)
{
	return len ? stub_read(t->stub, to, from, len) : 0;
}

int sys_copy_sized(struct task *t, void *to, size_t known, uint64_t from, uint64_t size)
{
	char rest[64];
	int rc = sys_copy_in(t, to, from, MIN(size, known));

	for (uint64_t at = known; !rc && at < size;) {
		size_t n = MIN(sizeof(rest), size - at);

		rc = sys_copy_in(t, rest, from + at, n);
		for (size_t i = 0; !rc && i < n; i++)
			if (rest[i])
				return -E2BIG;
		at += n;
	}
	return rc;
}

int sys_copy_out(struct task *t, uint64_t to, const void *from, size_t len)
{
	return len ? stub_write(t->stub, to, from, len) : 0;
}

int sys_path(struct task *t, uint64_t from, char buf[4096])
{
	ssize_t len = stub_read_string(t->stub, buf, PATH_MAX, from);

	return len < 0 ? (int)len : 0;
}

/* --- vectors --------------------------------------------------------------------------------
 *
 * Guest addresses in an iovec are numbers; nothing here follows one.
 */

/* part_at() - where offset @at of the whole lies. Return: bytes from there in that part. */
static size_t part_at(const struct uio *u, size_t at, uint64_t *ret_addr)
{
	for (size_t i = 0; i < u->n_iov; i++) {
		if (at < u->iov[i].iov_len) {
			*ret_addr = (uint64_t)(uintptr_t)u->iov[i].iov_base + at;
			return u->iov[i].iov_len - at;
		}
		at -= u->iov[i].iov_len;
	}
	return 0;
}

static int guest_put(struct uio *u, size_t at, const void *from, size_t len)
{
	while (len) {
		uint64_t addr;
		size_t n = part_at(u, at, &addr);
		int rc;

		if (!n)
			return -EFAULT;
		n = MIN(n, len);
		rc = stub_write(u->owner, addr, from, n);
		if (rc)
			return rc;
		from = (const char *)from + n;
		at += n;
		len -= n;
	}
	return 0;
}

static int guest_get(struct uio *u, size_t at, void *to, size_t len)
{
	while (len) {
		uint64_t addr;
		size_t n = part_at(u, at, &addr);
		int rc;

		if (!n)
			return -EFAULT;
		n = MIN(n, len);
		rc = stub_read(u->owner, to, addr, n);
		if (rc)
			return rc;
		to = (char *)to + n;
		at += n;
		len -= n;
	}
	return 0;
}

static size_t guest_direct(struct uio *u, size_t at, bool to_write, void **ret)
{
	uint64_t addr;
	size_t n = part_at(u, at, &addr);

	*ret = n ? stub_window(u->owner, addr, n, to_write) : NULL;
	return *ret ? n : 0;
}

static const struct uio_ops guest_ops = {
	.put = guest_put,
	.get = guest_get,
	.direct = guest_direct,
};

static int check_vector(struct sys_iov *v, size_t count)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++) {
		size_t len = v->iov[i].iov_len;

		if (len > SSIZE_MAX)
			return -EINVAL;
		/* Linux cuts what goes beyond MAX_RW_COUNT. */
		if (len > INT_MAX - 4095 - total)
			v->iov[i].iov_len = INT_MAX - 4095 - total;
		total += v->iov[i].iov_len;
	}
	v->uio.len = total;
	return 0;
}

int sys_iov(struct task *t, uint64_t iov, uint64_t count, struct sys_iov *ret)
{
	int rc;

	*ret = (struct sys_iov){ .iov = NULL };
	if (count > IOV_MAX)
		return -EINVAL;
	ret->iov = ret->fast;
	if (count > ARRAY_LEN(ret->fast))
		ret->iov = xcalloc(count, sizeof(*ret->iov));
	rc = sys_copy_in(t, ret->iov, iov, count * sizeof(*ret->iov));
	if (!rc)
		rc = check_vector(ret, count);
	if (rc) {
		sys_iov_free(ret);
		return rc;
	}
	ret->uio.ops = &guest_ops;
	ret->uio.owner = t->stub;
	ret->uio.iov = ret->iov;
	ret->uio.n_iov = count;
	return 0;
}

void sys_iov_one(struct task *t, uint64_t addr, uint64_t len, struct sys_iov *ret)
{
	/* What no address space can hold is nowhere, wherever it begins. */
	if (addr > ADDRESS_END || len > ADDRESS_END - addr)
		addr = ADDRESS_END;
	ret->iov = ret->fast;
	ret->fast[0].iov_base = (void *)(uintptr_t)addr;
	ret->fast[0].iov_len = MIN(len, (uint64_t)INT_MAX - 4095);
	ret->uio = (struct uio){
		.ops = &guest_ops,
		.owner = t->stub,
		.iov = ret->iov,
		.n_iov = 1,
		.len = ret->fast[0].iov_len,
	};
}

size_t sys_iov_readable(struct uio *u)
{
	size_t at = 0, left;
	uint64_t addr;
	char byte;

	while (at < u->len && (left = part_at(u, at, &addr)) > 0) {
		if (stub_read(u->owner, &byte, addr, 1))
			return at;
		at += MIN(left, PAGE - addr % PAGE);
	}
	return MIN(at, u->len);
}

void sys_iov_free(struct sys_iov *v)
{
	if (v->iov != v->fast)
		free(v->iov);
	v->iov = NULL;
}

/* --- descriptors and times ------------------------------------------------------------------ */

struct file *sys_file(struct task *t, int fd)
{
	struct file *f = fdtable_find(t->fds, fd);

	if (f && (f->flags & O_PATH)) {
		file_put(f);
		return NULL;
	}
	return f;
}

int sys_start(struct task *t, int dirfd, struct path *ret, bool *ret_has)
{
	struct file *f;

	*ret_has = false;
	if (dirfd == AT_FDCWD)
		return 0;
	f = fdtable_find(t->fds, dirfd);
	if (!f)
		return -EBADF;
	if (!f->dentry) {
		file_put(f);
		return -ENOTDIR;
	}
	*ret = (struct path){ .mount = f->mount, .dentry = f->dentry };
	path_get(ret);
	*ret_has = true;
	file_put(f);
	return 0;
}

int sys_deadline(struct task *t, uint64_t timespec, int64_t *ret_ns)
{
	struct timespec ts;
	int64_t ns;
	int rc;

	*ret_ns = WAIT_FOREVER;
	if (!timespec)
		return 0;
	rc = sys_copy_in(t, &ts, timespec, sizeof(ts));
	if (rc)
		return rc;
	if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= 1000000000)
		return -EINVAL;
	if (__builtin_mul_overflow(ts.tv_sec, 1000000000LL, &ns) ||
	    __builtin_add_overflow(ns, ts.tv_nsec, &ns) ||
	    __builtin_add_overflow(ns, alarm_now_ns(), &ns))
		ns = WAIT_FOREVER;
	*ret_ns = ns;
	return 0;
}

int sys_deadline_or_now(struct task *t, uint64_t timespec, int64_t *ret_ns)
{
	struct timespec ts = { 1, 0 };
	int rc = sys_deadline(t, timespec, ret_ns);

	if (rc == 0 && timespec)
		rc = sys_copy_in(t, &ts, timespec, sizeof(ts));
	if (rc == 0 && !ts.tv_sec && !ts.tv_nsec)
		*ret_ns = 0;
	return rc;
}

int64_t sys_deadline_of_ms(int ms)
{
	if (ms <= 0)
		return ms ? WAIT_FOREVER : 0;
	return alarm_now_ns() + ms * 1000000LL;
}

int sys_mask_for_call(struct task *t, uint64_t mask, uint64_t size)
{
	uint64_t set;
	int rc;

	if (!mask)
		return 0;
	if (size != sizeof(set))
		return -EINVAL;
	rc = sys_copy_in(t, &set, mask, sizeof(set));
	if (rc == 0)
		signal_mask_temporarily(t, set);
	return rc;
}
