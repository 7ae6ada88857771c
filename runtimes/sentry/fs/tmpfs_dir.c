/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tmpfs: the entries of a directory.
 *
 * A directory has its entries twice: in an array in the order they were made, each with a number
 * that only grows (what getdents goes on from), and in a hash.  A removed entry leaves a hole in
 * the array until half of it is holes.
 */
#include "runtimes/sentry/fs/tmpfs_internal.h"

#include <dirent.h>
#include <errno.h>

#include "base/mem.h"

#define FIRST_COOKIE 2 /* after "." and ".." */

void tmpfs_dir_init(struct inode *dir, struct inode *parent)
{
	tmpfs_node_of(dir)->parent = parent;
	tmpfs_node_of(dir)->last_cookie = FIRST_COOKIE - 1;
	dir->attr.nlink = 2;
}

/* take_all() - the entries of @n, put before the chain @next. Return: the longer chain. */
static struct tmpfs_entry *take_all(struct tmpfs_inode *n, struct tmpfs_entry *next)
{
	for (size_t k = 0; k < n->n_order; k++) {
		if (!n->order[k])
			continue;
		n->order[k]->next_in_bucket = next;
		next = n->order[k];
	}
	free(n->order);
	free(n->buckets);
	n->order = n->buckets = NULL;
	n->n_order = n->n_buckets = n->live = 0;
	return next;
}

/* Not by recursion: how deep a tree is, is the guest's choice. */
void tmpfs_dir_finish(struct tmpfs_inode *n)
{
	struct tmpfs_entry *chain = take_all(n, NULL);

	while (chain) {
		struct tmpfs_entry *e = chain;
		struct inode *i = e->inode;

		chain = e->next_in_bucket;
		free(e);
		if (S_ISDIR(i->attr.mode) && __atomic_load_n(&i->refs, __ATOMIC_ACQUIRE) == 1)
			chain = take_all(tmpfs_node_of(i), chain);
		inode_put(i);
	}
}

static uint32_t hash_of(const char *name)
{
	uint32_t h = 2166136261u;

	while (*name)
		h = (h ^ (unsigned char)*name++) * 16777619u;
	return h ^ h >> 15;
}

struct tmpfs_entry **tmpfs_entry_slot(struct tmpfs_inode *n, const char *name)
{
	uint32_t h = hash_of(name);
	struct tmpfs_entry **p;

	if (!n->n_buckets)
		return NULL;
	for (p = &n->buckets[h & (n->n_buckets - 1)]; *p; p = &(*p)->next_in_bucket)
		if ((*p)->hash == h && strcmp((*p)->name, name) == 0)
			return p;
	return NULL;
}

static void rehash(struct tmpfs_inode *n)
{
	n->n_buckets = MAX(8, n->n_buckets * 2);
	free(n->buckets);
	n->buckets = xcalloc(n->n_buckets, sizeof(*n->buckets));
	for (size_t k = 0; k < n->n_order; k++) {
		struct tmpfs_entry *e = n->order[k];

		if (!e)
			continue;
		e->next_in_bucket = n->buckets[e->hash & (n->n_buckets - 1)];
		n->buckets[e->hash & (n->n_buckets - 1)] = e;
	}
}

void tmpfs_entry_add(struct inode *dir, const char *name, struct inode *i)
{
	struct tmpfs_inode *n = tmpfs_node_of(dir);
	size_t len = strlen(name) + 1;
	struct tmpfs_entry *e = xmalloc(sizeof(*e) + len), **bucket;

	*e = (struct tmpfs_entry){ .hash = hash_of(name), .cookie = ++n->last_cookie };
	e->inode = inode_get(i);
	memcpy(e->name, name, len);
	if (n->n_order == n->cap) {
		n->cap = MAX(8, n->cap * 2);
		n->order = xrealloc(n->order, n->cap, sizeof(*n->order));
	}
	if (++n->live > n->n_buckets)
		rehash(n);
	n->order[n->n_order++] = e;
	bucket = &n->buckets[e->hash & (n->n_buckets - 1)];
	e->next_in_bucket = *bucket;
	*bucket = e;
	dir->attr.size = n->live * 20;
	inode_touch(dir, ATTR_MTIME);
}

/* position() - of the first entry whose number is at least @cookie. */
static size_t position(const struct tmpfs_inode *n, int64_t cookie)
{
	size_t low = 0, high = n->n_order;

	while (low < high) {
		size_t middle = low + (high - low) / 2, k = middle;

		while (k < high && !n->order[k])
			k++;
		if (k == high || n->order[k]->cookie >= cookie)
			high = middle;
		else
			low = k + 1;
	}
	while (low < n->n_order && !n->order[low])
		low++;
	return low;
}

static void compact(struct tmpfs_inode *n)
{
	size_t to = 0;

	for (size_t k = 0; k < n->n_order; k++)
		if (n->order[k])
			n->order[to++] = n->order[k];
	n->n_order = to;
}

struct inode *tmpfs_entry_remove(struct inode *dir, const char *name)
{
	struct tmpfs_inode *n = tmpfs_node_of(dir);
	struct tmpfs_entry **p = tmpfs_entry_slot(n, name), *e;
	struct inode *i;

	if (!p)
		return NULL;
	e = *p;
	*p = e->next_in_bucket;
	n->order[position(n, e->cookie)] = NULL;
	if (--n->live * 2 < n->n_order)
		compact(n);
	dir->attr.size = n->live * 20;
	inode_touch(dir, ATTR_MTIME);
	i = e->inode;
	free(e);
	return i;
}

/* --- open directories --- */

static int64_t dir_seek(struct file *f, int64_t offset, int whence)
{
	return file_seek_sized(f, offset, whence, tmpfs_node_of(f->inode)->last_cookie + 1);
}

static int dots(struct inode *dir, int64_t *pos, dirent_fn *fn, void *data)
{
	if (*pos == 0) {
		if (fn(data, ".", dir->ino, DT_DIR, 1))
			return 1;
		*pos = 1;
	}
	if (*pos == 1) {
		if (fn(data, "..", tmpfs_node_of(dir)->parent->ino, DT_DIR, 2))
			return 1;
		*pos = FIRST_COOKIE;
	}
	return 0;
}

static int dir_read(struct file *f, int64_t *pos, dirent_fn *fn, void *data)
{
	struct inode *dir = f->inode;
	struct tmpfs_inode *n = tmpfs_node_of(dir);

	LOCKED(&dir->lock);
	if (n->dead)
		return -ENOENT;
	if (dots(dir, pos, fn, data))
		return 0;
	for (size_t k = position(n, *pos); k < n->n_order; k++) {
		struct tmpfs_entry *e = n->order[k];

		if (!e)
			continue;
		if (fn(data, e->name, e->inode->ino, IFTODT(e->inode->attr.mode), e->cookie + 1))
			break;
		*pos = e->cookie + 1;
	}
	return 0;
}

const struct file_ops tmpfs_dir_ops = {
	.seek = dir_seek,
	.readdir = dir_read,
	.sync = tmpfs_no_sync,
};
