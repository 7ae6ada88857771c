/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes of a file in memory.
 */
#include "runtimes/sentry/fs/xattrs.h"

#include <errno.h>
#include <sys/xattr.h>

#include "base/mem.h"

struct xattr {
	struct list in_list;
	size_t size;
	char *name, *value;
};

static struct xattr *find(struct xattrs *x, const char *name)
{
	struct xattr *a;

	if (!x->list.next)
		return NULL;
	list_for_each(a, &x->list, in_list)
		if (strcmp(a->name, name) == 0)
			return a;
	return NULL;
}

ssize_t xattrs_get(struct xattrs *x, const char *name, void *buf, size_t size)
{
	struct xattr *a = find(x, name);

	if (!a)
		return -ENODATA;
	if (size && size < a->size)
		return -ERANGE;
	if (size)
		memcpy(buf, a->value, a->size);
	return (ssize_t)a->size;
}

static void drop(struct xattrs *x, struct xattr *a)
{
	x->bytes -= strlen(a->name) + a->size;
	list_remove(&a->in_list);
	free(a->name);
	free(a->value);
	free(a);
}

int xattrs_set(struct xattrs *x, const char *name, const void *buf, size_t size, int flags)
{
	struct xattr *a = find(x, name);

	if (a && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!a && (flags & XATTR_REPLACE))
		return -ENODATA;
	if (x->bytes + strlen(name) + size > XATTRS_MAX_BYTES)
		return -ENOSPC;
	if (a)
		drop(x, a);
	if (!x->list.next)
		list_init(&x->list);
	a = xnew(struct xattr);
	a->name = xstrdup(name);
	a->value = size ? xmemdup(buf, size) : NULL;
	a->size = size;
	x->bytes += strlen(name) + size;
	list_add(&x->list, &a->in_list);
	return 0;
}

ssize_t xattrs_list(struct xattrs *x, char *buf, size_t size)
{
	struct xattr *a;
	size_t len = 0;

	if (!x->list.next)
		return 0;
	list_for_each(a, &x->list, in_list) {
		size_t n = strlen(a->name) + 1;

		if (size) {
			if (len + n > size)
				return -ERANGE;
			memcpy(buf + len, a->name, n);
		}
		len += n;
	}
	return (ssize_t)len;
}

int xattrs_remove(struct xattrs *x, const char *name)
{
	struct xattr *a = find(x, name);

	if (!a)
		return -ENODATA;
	drop(x, a);
	return 0;
}

void xattrs_finish(struct xattrs *x)
{
	while (x->list.next && !list_empty(&x->list))
		drop(x, list_first(&x->list, struct xattr, in_list));
}
