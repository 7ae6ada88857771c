/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoll: a set of (file, descriptor) items and a list of those that may be ready.
 *
 *	file's wait queue --wake--> item_woken() --> ready list --> epoll_collect()
 *
 * An item on the ready list is only a hint: epoll_collect() polls the file and drops it, reports
 * it, or (level-triggered) reports it and leaves it on the list.
 *
 * Locks: ep->lock (LOCK_MOUNTS) guards the set; ep->ready_lock (LOCK_WAIT) the ready list, for it
 *is taken by wakers.  No lock is held while a file is polled: an item on its way is pinned by a
 * count, its file by a reference.  An item holds no reference of its file: when the file goes, it
 * leaves the sets (sets_lock, as a set may go at the same time).
 */
#include "runtimes/sentry/vfs/epoll.h"

#include <errno.h>

#include "base/mem.h"

#define MAX_NESTING 5 /* as Linux: sets of sets */
#define PRIVATE	    (EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE)
#define ALWAYS	    (EPOLLERR | EPOLLHUP)

struct epoll;

struct item {
	uint32_t refs;
	struct epoll *set;
	struct file *file; /* no reference */
	int fd;
	uint32_t events; /* with PRIVATE ones; 0 besides them: disabled by EPOLLONESHOT */
	uint64_t data;
	bool gone;			       /* removed from the set; under set->lock */
	struct wait_entry entry;	       /* in the file's queue */
	struct list in_file, in_set, in_ready; /* in_ready.next NULL: not on the list */
	struct item *next_in_bucket;
};

struct epoll {
	struct lock lock;	/* LOCK_MOUNTS: items */
	struct lock ready_lock; /* LOCK_WAIT: ready */
	struct list ready, items;
	struct wait_queue queue;
	struct item **buckets;
	uint32_t n_buckets, n_items;
};

static struct lock sets_lock = LOCK_INIT(LOCK_DIRECTORY);
static const struct file_ops epoll_ops;

bool epoll_is(const struct file *f)
{
	return f->ops == &epoll_ops;
}

static void item_put(struct item *it)
{
	if (__atomic_sub_fetch(&it->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(it);
}

static struct item **bucket(struct epoll *ep, const struct file *f, int fd)
{
	uint64_t h = ((uintptr_t)f ^ ((uint64_t)(uint32_t)fd << 4)) * 0x9e3779b97f4a7c15u;

	return &ep->buckets[(h >> 32) & (ep->n_buckets - 1)];
}

static struct item *find(struct epoll *ep, const struct file *f, int fd)
{
	struct item *it = *bucket(ep, f, fd);

	while (it && (it->file != f || it->fd != fd))
		it = it->next_in_bucket;
	return it;
}

static void rehash(struct epoll *ep)
{
	struct item *it;

	free(ep->buckets);
	ep->n_buckets *= 2;
	ep->buckets = xcalloc(ep->n_buckets, sizeof(*ep->buckets));
	list_for_each(it, &ep->items, in_set) {
		struct item **b = bucket(ep, it->file, it->fd);

		it->next_in_bucket = *b;
		*b = it;
	}
}

/* make_ready() - Return: whether it was not on the list. */
static bool make_ready(struct item *it)
{
	struct epoll *ep = it->set;

	LOCKED(&ep->ready_lock);
	if (it->in_ready.next)
		return false;
	list_add(&ep->ready, &it->in_ready);
	return true;
}

static void item_woken(struct wait_entry *e, uint32_t events)
{
	struct item *it = CONTAINER_OF(e, struct item, entry);
	uint32_t wanted = __atomic_load_n(&it->events, __ATOMIC_RELAXED);

	if (!(wanted & ~PRIVATE) || (events && !(events & (wanted | ALWAYS))))
		return;
	make_ready(it);
	wait_wake_one(&it->set->queue, EPOLLIN | EPOLLRDNORM);
}

/* --- changing the set --- */

/* depth() - how many sets @f is deep; -ELOOP beyond MAX_NESTING or when @forbidden is in it. */
static int depth(struct file *f, const struct file *forbidden, int level)
{
	struct epoll *ep = f->object;
	struct item *it;
	int deepest = 0;

	if (f == forbidden || level > MAX_NESTING)
		return -ELOOP;
	if (!epoll_is(f))
		return 0;
	/* Changes of sets in sets are made under sets_lock, so items of sets stay. */
	list_for_each(it, &ep->items, in_set) {
		int d = epoll_is(it->file) ? depth(it->file, forbidden, level + 1) : 0;

		if (d < 0)
			return d;
		deepest = MAX(deepest, d);
	}
	return deepest + 1;
}

static bool can_wait(struct file *f)
{
	return f->ops->poll != NULL && f->ops->queue != NULL;
}

static int add_locked(struct epoll *ep, struct file *f, int fd, const struct epoll_event *event)
{
	struct item *it, **b;

	if (find(ep, f, fd))
		return -EEXIST;
	it = xnew(struct item);
	*it = (struct item){ .refs = 1, .set = ep, .file = f, .fd = fd, .data = event->data.u64 };
	it->events = event->events | ALWAYS;
	if (++ep->n_items > ep->n_buckets)
		rehash(ep);
	b = bucket(ep, f, fd);
	it->next_in_bucket = *b;
	*b = it;
	list_add(&ep->items, &it->in_set);
	list_add(&f->epolls, &it->in_file);
	it->entry.fn = item_woken;
	it->entry.exclusive = event->events & EPOLLEXCLUSIVE;
	wait_add(file_queue(f), &it->entry, 0);
	return 0;
}

/* arm() - look at it once: it may be ready already. */
static void arm(struct epoll *ep, struct file *f, int fd, uint32_t events)
{
	struct item *it;

	if (!(file_poll(f) & events))
		return;
	lock_acquire(&ep->lock);
	it = find(ep, f, fd);
	if (it)
		make_ready(it);
	lock_release(&ep->lock);
	wait_wake_one(&ep->queue, EPOLLIN | EPOLLRDNORM);
}

/* remove_item() - Preconditions: holds ep->lock. The set's reference is given up by the caller. */
static void remove_item(struct epoll *ep, struct item *it)
{
	struct item **p = bucket(ep, it->file, it->fd);

	while (*p != it)
		p = &(*p)->next_in_bucket;
	*p = it->next_in_bucket;
	ep->n_items--;
	it->gone = true;
	list_remove(&it->in_set);
	wait_end(&it->entry);
	lock_acquire(&ep->ready_lock);
	list_remove(&it->in_ready);
	lock_release(&ep->ready_lock);
}

/* Preconditions: holds sets_lock. */
static void leave_file(struct item *it)
{
	list_remove(&it->in_file);
}

static int control_add(struct file *epf, struct file *f, int fd, const struct epoll_event *event)
{
	struct epoll *ep = epf->object;
	int rc;

	if ((event->events & EPOLLEXCLUSIVE) &&
	    (epoll_is(f) || (event->events & ~(EPOLLIN | EPOLLOUT | ALWAYS | PRIVATE))))
		return -EINVAL;
	LOCKED(&sets_lock);
	if (epoll_is(f)) {
		rc = depth(f, epf, 1);
		if (rc < 0 || rc >= MAX_NESTING)
			return -ELOOP;
	}
	lock_acquire(&ep->lock);
	rc = add_locked(ep, f, fd, event);
	lock_release(&ep->lock);
	return rc;
}

static int control_modify(struct epoll *ep, struct file *f, int fd, const struct epoll_event *event)
{
	struct item *it;

	LOCKED(&ep->lock);
	it = find(ep, f, fd);
	if (!it)
		return -ENOENT;
	if ((it->events | event->events) & EPOLLEXCLUSIVE)
		return -EINVAL;
	it->data = event->data.u64;
	__atomic_store_n(&it->events, event->events | ALWAYS, __ATOMIC_SEQ_CST);
	return 0;
}

static int control_delete(struct epoll *ep, struct file *f, int fd)
{
	struct item *it;

	LOCKED(&sets_lock);
	lock_acquire(&ep->lock);
	it = find(ep, f, fd);
	if (it)
		remove_item(ep, it);
	lock_release(&ep->lock);
	if (!it)
		return -ENOENT;
	leave_file(it);
	item_put(it);
	return 0;
}

int epoll_control(struct file *epf, int op, struct file *f, int fd, const struct epoll_event *event)
{
	struct epoll *ep = epf->object;
	int rc;

	if (!epoll_is(epf) || epf == f)
		return -EINVAL;
	if (!can_wait(f))
		return -EPERM;
	switch (op) {
	case EPOLL_CTL_ADD:
		rc = control_add(epf, f, fd, event);
		break;
	case EPOLL_CTL_MOD:
		rc = control_modify(ep, f, fd, event);
		break;
	case EPOLL_CTL_DEL:
		return control_delete(ep, f, fd);
	default:
		return -EINVAL;
	}
	if (rc == 0)
		arm(ep, f, fd, event->events | ALWAYS);
	return rc;
}

void epoll_file_gone(struct file *f)
{
	struct item *it;

	if (list_empty(&f->epolls))
		return;
	LOCKED(&sets_lock);
	while (!list_empty(&f->epolls)) {
		it = list_first(&f->epolls, struct item, in_file);
		lock_acquire(&it->set->lock);
		remove_item(it->set, it);
		lock_release(&it->set->lock);
		leave_file(it);
		item_put(it);
	}
}

/* --- collecting --- */

/* next_ready() - the first on the list, taken off it, with references of it and its file. */
static struct item *next_ready(struct epoll *ep)
{
	struct item *it;

	LOCKED(&ep->ready_lock);
	while (!list_empty(&ep->ready)) {
		it = list_first(&ep->ready, struct item, in_ready);
		list_remove(&it->in_ready);
		if (!file_get_living(it->file))
			continue;
		__atomic_fetch_add(&it->refs, 1, __ATOMIC_RELAXED);
		return it;
	}
	return NULL;
}

/* put_back() - on the list for the next time, unless it was removed meanwhile. */
static void put_back(struct epoll *ep, struct item **back, int n)
{
	for (int k = 0; k < n; k++) {
		struct file *f = back[k]->file;

		lock_acquire(&ep->lock);
		if (!back[k]->gone)
			make_ready(back[k]);
		lock_release(&ep->lock);
		item_put(back[k]);
		file_put(f);
	}
}

/* is_ready() - Return: whether @it is; *again: it stays on the list. */
static bool is_ready(struct item *it, struct epoll_event *out, bool *again)
{
	uint32_t events = __atomic_load_n(&it->events, __ATOMIC_SEQ_CST);
	uint32_t ready = 0;

	*again = false;
	if (events & ~PRIVATE)
		ready = file_poll(it->file) & events & ~PRIVATE;
	if (!ready)
		return false;
	out->events = ready;
	out->data.u64 = it->data;
	if (events & EPOLLONESHOT)
		__atomic_store_n(&it->events, events & PRIVATE, __ATOMIC_SEQ_CST);
	else
		*again = !(events & EPOLLET);
	return true;
}

#define BATCH 64 /* level-triggered ones that are put back in one go */

static int collect(struct epoll *ep, struct epoll_event *out, int max, epoll_report_fn *report,
		   void *data)
{
	struct item *back[BATCH], *it;
	int n = 0, n_back = 0;

	while (n < max && n_back < BATCH && (it = next_ready(ep))) {
		struct file *f = it->file;
		bool again;

		if (is_ready(it, &out[n], &again)) {
			if (report)
				report(data, f, it->fd, out[n].events);
			n++;
		} else {
			again = false;
		}
		if (again) {
			back[n_back++] = it;
			continue;
		}
		item_put(it);
		file_put(f);
	}
	put_back(ep, back, n_back);
	/* More may be ready than one waiter takes. */
	if (n_back || n == max)
		wait_wake_one(&ep->queue, EPOLLIN | EPOLLRDNORM);
	return n;
}

int epoll_collect(struct file *epf, struct epoll_event *out, int max, int64_t deadline_ns,
		  epoll_report_fn *report, void *data)
{
	struct epoll *ep = epf->object;
	struct wait_entry e = { .queue = NULL };
	int rc;

	if (!epoll_is(epf))
		return -EINVAL;
	wait_look(&ep->queue); /* who is always busy would never hear of others */
	rc = collect(ep, out, max, report, data);
	if (rc || deadline_ns == 0)
		return rc;
	wait_begin(&ep->queue, &e, EPOLLIN);
	e.exclusive = true;
	while (!(rc = collect(ep, out, max, report, data))) {
		rc = wait_sleep(deadline_ns);
		if (rc < 0)
			break;
	}
	wait_end(&e);
	return rc == -ETIMEDOUT ? 0 : rc;
}

void epoll_for_each(struct file *epf, epoll_item_fn *fn, void *data)
{
	struct epoll *ep = epf->object;
	struct item *it;

	LOCKED(&ep->lock);
	list_for_each(it, &ep->items, in_set)
		fn(data, it->fd, it->events, it->data, it->file);
}

/* --- as a file --- */

/* epoll_poll() - a set in a set, or in poll(2): is any of the ready ones really ready? */
static uint32_t epoll_poll(struct file *f)
{
	struct epoll *ep = f->object;
	uint32_t events = 0;
	struct item *it;

	while (!events && (it = next_ready(ep))) {
		struct file *member = it->file;
		uint32_t wanted = __atomic_load_n(&it->events, __ATOMIC_RELAXED) & ~PRIVATE;

		if (file_poll(member) & wanted) {
			events = EPOLLIN | EPOLLRDNORM;
			put_back(ep, &it, 1);
		} else {
			item_put(it);
			file_put(member);
		}
	}
	return events;
}

static struct wait_queue *epoll_queue(struct file *f)
{
	return &((struct epoll *)f->object)->queue;
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->object;
	struct item *it;

	lock_acquire(&sets_lock);
	while (!list_empty(&ep->items)) {
		it = list_first(&ep->items, struct item, in_set);
		lock_acquire(&ep->lock);
		remove_item(ep, it);
		lock_release(&ep->lock);
		leave_file(it);
		item_put(it);
	}
	lock_release(&sets_lock);
	free(ep->buckets);
	free(ep);
}

static const struct file_ops epoll_ops = {
	.poll = epoll_poll,
	.queue = epoll_queue,
	.release = epoll_release,
};

int epoll_create_file(struct cred *c, struct file **ret)
{
	struct epoll *ep = xnew(struct epoll);

	lock_init(&ep->lock, LOCK_MOUNTS);
	lock_init(&ep->ready_lock, LOCK_WAIT);
	list_init(&ep->ready);
	list_init(&ep->items);
	wait_queue_init(&ep->queue);
	ep->queue.host = true; /* files that the host wakes may come in at any time */
	ep->n_buckets = 4;
	ep->buckets = xcalloc(ep->n_buckets, sizeof(*ep->buckets));
	*ret = file_create_anonymous(&epoll_ops, "[eventpoll]", ep, 2 /* O_RDWR */, c);
	return 0;
}
