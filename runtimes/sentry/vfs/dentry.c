/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of names.
 *
 * Who holds a bucket's lock may take a reference of what is in it, also the first one; whoever
 * gives up the last reference of a dentry does that under the bucket's lock too.  So a dentry
 * without references belongs to the holder of the lock, who may free it.  A dentry that is in no
 * bucket (root, unlinked) is freed by whoever gives up the last reference.
 */
#include "runtimes/sentry/vfs/dentry.h"

#include <errno.h>

#include "runtimes/sentry/vfs/names.h"

#define BUCKET_BITS 11
#define BUCKETS	    (1u << BUCKET_BITS)

struct lock names_lock = LOCK_INIT(LOCK_MOUNTS);

static struct bucket {
	struct lock lock;
	struct dentry *first;
} buckets[BUCKETS] = { [0 ... BUCKETS - 1] = { .lock = LOCK_INIT(LOCK_NAME) } };

static uint32_t n_dentries;
static uint32_t hand; /* the bucket that is swept next */

static struct bucket *bucket_of(uint32_t hash)
{
	return &buckets[hash >> (32 - BUCKET_BITS)];
}

static void bucket_acquire(struct bucket *b)
{
	lock_acquire(&b->lock);
}

static void bucket_release(struct bucket *b)
{
	lock_release(&b->lock);
}

struct qname qname_of(const struct dentry *parent, const char *name, size_t len)
{
	uint64_t h = (uintptr_t)parent * 0x9e3779b97f4a7c15u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 0x100000001b3u;
	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9u;
	return (struct qname){ .name = name, .len = len, .hash = (uint32_t)(h >> 32) };
}

uint32_t names_count(void)
{
	return __atomic_load_n(&n_dentries, __ATOMIC_RELAXED);
}

static void set_name(struct dentry *d, const char *name, size_t len)
{
	char *to = d->inline_name;

	if (d->name && d->name != d->inline_name)
		free((char *)d->name);
	if (len >= sizeof(d->inline_name))
		to = xmalloc(len + 1);
	memcpy(to, name, len);
	to[len] = 0;
	d->name = to;
	d->name_len = (uint16_t)len;
}

static struct dentry *dentry_create(struct inode *i, const char *name, size_t len)
{
	struct dentry *d = xnew(struct dentry);

	d->refs = 1;
	d->parent = d;
	d->inode = i;
	lock_init(&d->lock, LOCK_DENTRY);
	list_init(&d->children);
	set_name(d, name, len);
	__atomic_fetch_add(&n_dentries, 1, __ATOMIC_RELAXED);
	return d;
}

struct dentry *dentry_create_root(struct inode *i)
{
	return dentry_create(inode_get(i), "/", 1);
}

struct dentry *dentry_create_detached(struct inode *i, const char *name)
{
	struct dentry *d = dentry_create(inode_get(i), name, strlen(name));

	d->unlinked = true;
	return d;
}

struct dentry *dentry_get(struct dentry *d)
{
	__atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
	return d;
}

/* leave_parent() - Return: the parent, whose reference the caller gives up. */
static struct dentry *leave_parent(struct dentry *d)
{
	struct dentry *parent = d->parent;

	if (parent == d)
		return NULL;
	LOCKED(&parent->lock);
	list_remove(&d->in_parent);
	return parent;
}

/* destroy() - @d, which is in no bucket and has no reference. Return: its parent, to be put. */
static struct dentry *destroy(struct dentry *d)
{
	struct dentry *parent = leave_parent(d);

	inode_put(d->inode);
	if (d->name != d->inline_name)
		free((char *)d->name);
	free(d);
	__atomic_fetch_sub(&n_dentries, 1, __ATOMIC_RELAXED);
	return parent;
}

/* unhash() - Preconditions: holds the bucket's lock. */
static void unhash(struct bucket *b, struct dentry *d)
{
	struct dentry **p = &b->first;

	while (*p != d)
		p = &(*p)->next_in_bucket;
	*p = d->next_in_bucket;
	d->hashed = false;
}

static void hash(struct bucket *b, struct dentry *d)
{
	d->next_in_bucket = b->first;
	b->first = d;
	d->hashed = true;
}

/* lock_bucket_of() - that of @d, which may move meanwhile. */
static struct bucket *lock_bucket_of(struct dentry *d)
{
	for (;;) {
		uint32_t h = __atomic_load_n(&d->hash, __ATOMIC_RELAXED);
		struct bucket *b = bucket_of(h);

		bucket_acquire(b);
		if (bucket_of(__atomic_load_n(&d->hash, __ATOMIC_RELAXED)) == b)
			return b;
		bucket_release(b);
	}
}

/* put_shared() - give up a reference that is not the last. Return: whether it was not. */
static bool put_shared(struct dentry *d)
{
	uint32_t refs = __atomic_load_n(&d->refs, __ATOMIC_RELAXED);

	while (refs > 1)
		if (__atomic_compare_exchange_n(&d->refs, &refs, refs - 1, true, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

/* put_one() - Return: whether @d is the caller's to destroy. */
static bool put_one(struct dentry *d)
{
	struct bucket *b;
	bool gone;

	if (put_shared(d))
		return false;
	b = lock_bucket_of(d);
	gone = __atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL) == 0 && !d->hashed;
	bucket_release(b);
	return gone;
}

void dentry_put(struct dentry *d)
{
	while (d && put_one(d))
		d = destroy(d);
}

/*
 * sweep_bucket() - take those that nobody references out of @b; @all: also recently used ones;
 * @fs: only those below it.  Return: a chain by next_in_bucket.
 */
static struct dentry *sweep_bucket(struct bucket *b, bool all, const struct filesystem *fs,
				   const struct dentry *parent)
{
	struct dentry **p, *d, *out = NULL;

	bucket_acquire(b);
	for (p = &b->first; (d = *p);) {
		bool wanted =
			(!fs || d->parent->inode->fs == fs) && (!parent || d->parent == parent);

		if (!wanted || __atomic_load_n(&d->refs, __ATOMIC_RELAXED) || (d->used && !all)) {
			d->used = false;
			p = &d->next_in_bucket;
			continue;
		}
		*p = d->next_in_bucket;
		d->hashed = false;
		d->next_in_bucket = out;
		out = d;
	}
	bucket_release(b);
	return out;
}

static bool destroy_chain(struct dentry *d)
{
	bool any = d != NULL;

	while (d) {
		struct dentry *next = d->next_in_bucket;

		dentry_put(destroy(d));
		d = next;
	}
	return any;
}

/* make_room() - at most one round over the buckets, mostly two or three of them. */
static void make_room(void)
{
	for (uint32_t n = 0; n < 2 * BUCKETS && names_count() > NAMES_CACHED; n++) {
		uint32_t at = __atomic_fetch_add(&hand, 1, __ATOMIC_RELAXED) % BUCKETS;

		destroy_chain(sweep_bucket(&buckets[at], false, NULL, NULL));
	}
}

void dentry_prune_filesystem(struct filesystem *fs)
{
	bool any = true;

	/* A directory can go once its children have. */
	while (any) {
		any = false;
		for (uint32_t n = 0; n < BUCKETS; n++)
			any |= destroy_chain(sweep_bucket(&buckets[n], true, fs, NULL));
	}
}

/* first_child_hash() - Return: whether there is a child; its bucket in *ret. */
static bool child_hash(struct dentry *d, size_t skip, uint32_t *ret)
{
	struct dentry *child;

	LOCKED(&d->lock);
	list_for_each(child, &d->children, in_parent) {
		if (skip--)
			continue;
		*ret = child->hash;
		return true;
	}
	return false;
}

void names_prune(struct dentry *d)
{
	size_t skip = 0; /* children that somebody still holds */
	uint32_t h;

	while (child_hash(d, skip, &h))
		if (!destroy_chain(sweep_bucket(bucket_of(h), true, NULL, d)))
			skip++;
}

struct dentry *names_find(struct dentry *parent, const struct qname *q)
{
	struct bucket *b = bucket_of(q->hash);
	struct dentry *d;

	bucket_acquire(b);
	for (d = b->first; d; d = d->next_in_bucket) {
		if (d->hash != q->hash || d->parent != parent || d->name_len != q->len ||
		    memcmp(d->name, q->name, q->len) != 0)
			continue;
		dentry_get(d);
		d->used = true;
		break;
	}
	bucket_release(b);
	return d;
}

/* insert() - @d (new, in no bucket) as @q of @parent. */
static void insert(struct dentry *d, struct dentry *parent, const struct qname *q)
{
	struct bucket *b = bucket_of(q->hash);

	d->parent = dentry_get(parent);
	lock_acquire(&parent->lock);
	list_add(&parent->children, &d->in_parent);
	lock_release(&parent->lock);
	bucket_acquire(b);
	d->hash = q->hash;
	d->used = true;
	hash(b, d);
	bucket_release(b);
}

static struct dentry *add(struct dentry *parent, const struct qname *q, struct inode *i)
{
	struct dentry *d = dentry_create(i, q->name, q->len);

	insert(d, parent, q);
	if (names_count() > NAMES_CACHED)
		make_room();
	return d;
}

static bool is_volatile(const struct inode *dir)
{
	return dir->fs->volatile_names || dir->volatile_names;
}

/* ask() - the file system; a name that is not there is no error. */
static int ask(struct inode *dir, const struct qname *q, struct inode **ret)
{
	char name[256];
	int rc;

	if (!dir->ops->lookup)
		return -ENOTDIR;
	memcpy(name, q->name, q->len);
	name[q->len] = 0;
	*ret = NULL;
	rc = dir->ops->lookup(dir, name, ret);
	return rc == -ENOENT ? 0 : rc;
}

/* renew() - @d was cached for a name that others may have changed to @i (reference taken over). */
static struct dentry *renew(struct dentry *d, struct dentry *parent, const struct qname *q,
			    struct inode *i)
{
	struct inode *old = __atomic_load_n(&d->inode, __ATOMIC_ACQUIRE);

	if (old == i) {
		inode_put(i);
		return d;
	}
	if (!old) {
		names_set(d, i);
		return d;
	}
	names_forget(d, false);
	dentry_put(d);
	return add(parent, q, i);
}

/* is_right() - what is cached needs no question to the file system. */
static bool is_right(const struct dentry *parent, struct dentry *d)
{
	struct inode *dir = parent->inode, *i = __atomic_load_n(&d->inode, __ATOMIC_ACQUIRE);

	if (!is_volatile(dir))
		return true;
	return i && dir->ops->is_still && dir->ops->is_still(dir, i);
}

int names_lookup_locked(struct dentry *parent, const struct qname *q, struct dentry **ret)
{
	struct dentry *d = names_find(parent, q);
	struct inode *i;
	int rc;

	if (d && is_right(parent, d)) {
		*ret = d;
		return 0;
	}
	rc = ask(parent->inode, q, &i);
	if (rc < 0) {
		dentry_put(d);
		return rc;
	}
	*ret = d ? renew(d, parent, q, i) : add(parent, q, i);
	return 0;
}

int names_lookup(struct dentry *parent, const struct qname *q, struct dentry **ret)
{
	struct dentry *d = names_find(parent, q);

	if (d && is_right(parent, d)) {
		*ret = d;
		return 0;
	}
	dentry_put(d);
	LOCKED(&parent->inode->names);
	return names_lookup_locked(parent, q, ret);
}

void names_set(struct dentry *d, struct inode *i)
{
	__atomic_store_n(&d->inode, i, __ATOMIC_RELEASE);
}

void names_forget(struct dentry *d, bool negative)
{
	struct dentry *parent = d->parent;
	struct bucket *b = lock_bucket_of(d);

	if (d->hashed)
		unhash(b, d);
	d->unlinked = true;
	bucket_release(b);
	if (negative)
		names_absent(parent, &(struct qname){ d->name, d->name_len, d->hash });
}

void names_absent(struct dentry *parent, const struct qname *q)
{
	if (!is_volatile(parent->inode))
		dentry_put(add(parent, q, NULL));
}

/* take_out() - of its bucket, for a move. Preconditions: holds names_lock. */
static void take_out(struct dentry *d)
{
	struct bucket *b = lock_bucket_of(d);

	if (d->hashed)
		unhash(b, d);
	bucket_release(b);
}

/* put_in() - @d, taken out, as @q of @parent. Return: the old parent, to be put. */
static struct dentry *put_in(struct dentry *d, struct dentry *parent, const struct qname *q)
{
	struct dentry *old = leave_parent(d);

	set_name(d, q->name, q->len);
	insert(d, parent, q);
	return old;
}

void names_move(struct dentry *d, struct dentry *parent, const struct qname *q)
{
	struct dentry *old;

	lock_acquire(&names_lock);
	take_out(d);
	old = put_in(d, parent, q);
	lock_release(&names_lock);
	dentry_put(old);
}

void names_swap(struct dentry *a, struct dentry *b)
{
	struct dentry *old_a, *old_b, *parent_a = a->parent, *parent_b = b->parent;
	char name_a[256], name_b[256];
	struct qname to_a, to_b;

	lock_acquire(&names_lock);
	memcpy(name_a, a->name, a->name_len);
	memcpy(name_b, b->name, b->name_len);
	to_a = qname_of(parent_b, name_b, b->name_len);
	to_b = qname_of(parent_a, name_a, a->name_len);
	take_out(a);
	take_out(b);
	old_a = put_in(a, parent_b, &to_a);
	old_b = put_in(b, parent_a, &to_b);
	lock_release(&names_lock);
	dentry_put(old_a);
	dentry_put(old_b);
}

struct dentry *dentry_parent(struct dentry *d, char name[256])
{
	LOCKED(&names_lock);
	if (d->unlinked || d->parent == d)
		return NULL;
	memcpy(name, d->name, d->name_len + 1u);
	return dentry_get(d->parent);
}
