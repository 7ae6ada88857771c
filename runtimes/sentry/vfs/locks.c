/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Advisory locks.
 *
 * An inode's locks stand in one list without order: there are few.  Locks of one owner never
 * overlap, for setting one first takes its bytes out of those that the owner has.
 */
#include "runtimes/sentry/vfs/locks.h"

#include <errno.h>
#include <fcntl.h>

#include "base/mem.h"

#define MAX_LOCKS 4096 /* of one inode: more is -ENOLCK */

struct held {
	struct list in_locks;
	struct lock_request r;
};

struct locks {
	struct list held;
	size_t count;
	struct wait_queue freed;
};

/*
 * Who waits for whom, to find rings (EDEADLK): one entry a sleeping POSIX lock.  Entries are made
 * and voided under the inode's lock, so that none names an owner that has let go.
 */
struct blocked {
	struct list in_blocked;
	const struct inode *inode;
	const void *owner, *by; /* by NULL: woken, and about to look again */
};

static struct lock blocked_lock = LOCK_INIT(LOCK_OBJECT);
static struct list all_blocked = { &all_blocked, &all_blocked };

static struct locks *locks_of(struct inode *i)
{
	struct locks *l = i->locks;

	if (l)
		return l;
	l = xnew(struct locks);
	list_init(&l->held);
	wait_queue_init(&l->freed);
	i->locks = l;
	return l;
}

static bool overlaps(const struct lock_request *a, const struct lock_request *b)
{
	return a->kind == b->kind && a->start <= b->end && b->start <= a->end;
}

static struct held *conflicting(struct locks *l, const struct lock_request *r)
{
	struct held *h;

	list_for_each(h, &l->held, in_locks)
		if (h->r.owner != r->owner && overlaps(&h->r, r) &&
		    (h->r.type == F_WRLCK || r->type == F_WRLCK))
			return h;
	return NULL;
}

static void add(struct locks *l, const struct lock_request *r, int64_t start, int64_t end)
{
	struct held *h = xnew(struct held);

	h->r = *r;
	h->r.start = start;
	h->r.end = end;
	list_add(&l->held, &h->in_locks);
	l->count++;
}

static void drop(struct locks *l, struct held *h)
{
	list_remove(&h->in_locks);
	l->count--;
	free(h);
}

/* carve() - take the bytes of @r out of what its owner holds. Return: whether anything changed. */
static bool carve(struct locks *l, const struct lock_request *r)
{
	struct held *h, *next;
	bool any = false;

	list_for_each_safe(h, next, &l->held, in_locks) {
		if (h->r.owner != r->owner || !overlaps(&h->r, r))
			continue;
		if (h->r.start < r->start)
			add(l, &h->r, h->r.start, r->start - 1);
		if (h->r.end > r->end)
			add(l, &h->r, r->end + 1, h->r.end);
		drop(l, h);
		any = true;
	}
	return any;
}

/* join() - neighbours of the same owner and type become one lock, as F_GETLK shows. */
static void join(struct locks *l, struct lock_request *r)
{
	struct held *h, *next;

	list_for_each_safe(h, next, &l->held, in_locks) {
		if (h->r.owner != r->owner || h->r.kind != r->kind || h->r.type != r->type)
			continue;
		if (h->r.end != INT64_MAX && h->r.end + 1 == r->start)
			r->start = h->r.start;
		else if (r->end != INT64_MAX && r->end + 1 == h->r.start)
			r->end = h->r.end;
		else
			continue;
		drop(l, h);
	}
}

/* waits_for() - following who waits for whom from @from leads to @to. Holds blocked_lock. */
static bool waits_for(const void *from, const void *to)
{
	struct blocked *b;

	for (int depth = 0; depth < 32; depth++) {
		const void *next = NULL;

		list_for_each(b, &all_blocked, in_blocked)
			if (b->owner == from)
				next = b->by;
		if (!next || next == to)
			return next == to;
		from = next;
	}
	return false;
}

/* block() - @b waits for @by. Return: -EAGAIN or -EDEADLK. Preconditions: holds the inode's lock.
 */
static int block(struct blocked *b, const void *by, const struct lock_request *r)
{
	LOCKED(&blocked_lock);
	list_remove(&b->in_blocked);
	b->by = by;
	if (r->kind == LOCKS_RANGE && r->pid >= 0 && waits_for(b->by, b->owner))
		return -EDEADLK;
	list_add(&all_blocked, &b->in_blocked);
	return -EAGAIN;
}

/* let_go() - @owner holds less of @i: who waits for it looks again. Holds the inode's lock. */
static void let_go(struct inode *i, struct locks *l, const void *owner)
{
	struct blocked *b;

	lock_acquire(&blocked_lock);
	list_for_each(b, &all_blocked, in_blocked)
		if (b->inode == i && b->by == owner)
			b->by = NULL;
	lock_release(&blocked_lock);
	wait_wake(&l->freed, 0);
}

/* try_set() - @b: who waits if it must; NULL: nobody. Return: 0, -ENOLCK, -EAGAIN, -EDEADLK. */
static int try_set(struct inode *i, const struct lock_request *r, struct blocked *b)
{
	struct lock_request wanted = *r;
	struct locks *l;
	struct held *h;

	LOCKED(&i->lock);
	if (r->type == F_UNLCK && !i->locks)
		return 0;
	l = locks_of(i);
	if (r->type != F_UNLCK && (h = conflicting(l, r)))
		return b ? block(b, h->r.owner, r) : -EAGAIN;
	if (l->count >= MAX_LOCKS)
		return -ENOLCK;
	if (carve(l, r))
		let_go(i, l, r->owner);
	if (r->type != F_UNLCK) {
		join(l, &wanted);
		add(l, &wanted, wanted.start, wanted.end);
	}
	return 0;
}

static void unblock(struct blocked *b)
{
	LOCKED(&blocked_lock);
	list_remove(&b->in_blocked);
}

int locks_set(struct inode *i, const struct lock_request *r, bool wait)
{
	struct blocked b = { .inode = i, .owner = r->owner };
	struct wait_entry e = { .queue = NULL };
	int rc = try_set(i, r, NULL);

	if (rc != -EAGAIN || !wait)
		return rc;
	wait_begin(&((struct locks *)i->locks)->freed, &e, 0);
	while ((rc = try_set(i, r, &b)) == -EAGAIN) {
		rc = wait_sleep(WAIT_FOREVER);
		if (rc < 0)
			break;
	}
	unblock(&b);
	wait_end(&e);
	return rc;
}

void locks_test(struct inode *i, const struct lock_request *r, struct lock_request *conflict)
{
	struct held *h;

	*conflict = *r;
	conflict->type = F_UNLCK;
	LOCKED(&i->lock);
	if (i->locks && (h = conflicting(i->locks, r)))
		*conflict = h->r;
}

/* release() - all locks of @owner. */
static void release(struct inode *i, const void *owner)
{
	struct held *h, *next;
	struct locks *l;
	bool any = false;

	LOCKED(&i->lock);
	l = i->locks;
	if (!l)
		return;
	list_for_each_safe(h, next, &l->held, in_locks) {
		if (h->r.owner != owner)
			continue;
		drop(l, h);
		any = true;
	}
	if (any)
		let_go(i, l, owner);
}

void locks_release_owner(struct inode *i, const void *owner)
{
	release(i, owner);
}

void locks_release_file(struct inode *i, const struct file *f)
{
	release(i, f);
}

void locks_free(struct inode *i)
{
	struct locks *l = i->locks;

	if (!l)
		return;
	while (!list_empty(&l->held))
		drop(l, list_first(&l->held, struct held, in_locks));
	free(l);
	i->locks = NULL;
}
