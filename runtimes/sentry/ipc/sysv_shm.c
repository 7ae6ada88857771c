/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V shared memory.
 *
 * A segment is a file of the sentry's memory; who attaches it maps the file.  Each attachment is
 * noted with its address, for shmdt and to count: a process's go when it ends or starts another
 * program, a fork has its parent's.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "runtimes/sentry/ipc/sysv_internal.h"

#define PAGE 4096ull

struct segment {
	struct sysv_object object;
	struct list in_dead;
	struct file *file;
	uint64_t size;
	bool doomed; /* removed while attached */
	pid_t creator, last;
	int64_t attached, detached; /* seconds */
	uint64_t n_attached;
};

struct attach {
	struct list in_process;
	struct segment *segment;
	uint64_t addr;
};

void shm_free(struct sysv_object *o)
{
	struct segment *s = CONTAINER_OF(o, struct segment, object);

	list_add(&ipc_namespace_pod()->dead, &s->in_dead);
}

static struct segment *next_dead(struct ipc_namespace *ns)
{
	struct segment *s;

	LOCKED(&ns->lock);
	if (list_empty(&ns->dead))
		return NULL;
	s = list_first(&ns->dead, struct segment, in_dead);
	list_remove(&s->in_dead);
	return s;
}

void shm_reap(struct ipc_namespace *ns)
{
	struct segment *s;

	while ((s = next_dead(ns))) {
		file_put(s->file);
		free(s);
	}
}

static struct segment *find(const struct sysv_caller *c, int id)
{
	struct sysv_object *o = sysv_find(&c->ns->shm, id);

	return o ? CONTAINER_OF(o, struct segment, object) : NULL;
}

int shm_get(const struct sysv_caller *c, key_t key, uint64_t size, int flags,
	    int (*make)(void *data, uint64_t size, struct file **ret), void *data)
{
	struct sysv_object *o;
	struct segment *s;
	struct file *f;
	int rc;

	lock_acquire(&c->ns->lock);
	rc = sysv_get(&c->ns->shm, c, key, flags, &o);
	if (o && rc >= 0 && size > CONTAINER_OF(o, struct segment, object)->size)
		rc = -EINVAL;
	lock_release(&c->ns->lock);
	if (o || rc < 0)
		return rc;
	if (!size || size > SYSV_SHM_MAX)
		return -EINVAL;
	rc = make(data, (size + PAGE - 1) & ~(PAGE - 1), &f);
	if (rc)
		return rc;
	s = xnew(struct segment);
	s->file = f;
	s->size = size;
	s->creator = c->pid;
	lock_acquire(&c->ns->lock);
	/* Another may have been quicker with the key. */
	rc = sysv_find_key(&c->ns->shm, key) ? -EEXIST
					     : sysv_add(&c->ns->shm, &s->object, c, key, flags);
	lock_release(&c->ns->lock);
	if (rc < 0) {
		file_put(f);
		free(s);
	}
	return rc;
}

int shm_begin_attach(const struct sysv_caller *c, int id, bool write, struct file **ret,
		     uint64_t *ret_size, struct sysv_object **ret_segment)
{
	struct segment *s;
	int rc;

	LOCKED(&c->ns->lock);
	s = find(c, id);
	if (!s)
		return -EINVAL;
	rc = sysv_may(&s->object, c->cred, write ? 6 : 4);
	if (rc)
		return rc;
	s->object.refs++;
	s->n_attached++;
	*ret = file_get(s->file);
	*ret_size = s->size;
	*ret_segment = &s->object;
	return 0;
}

/* let_go() - one attachment less. Caller holds the lock. */
static void let_go(struct ipc_namespace *ns, struct segment *s)
{
	s->n_attached--;
	s->detached = sysv_now();
	if (!s->n_attached && s->doomed && !s->object.removed)
		sysv_remove(&ns->shm, &s->object);
	sysv_put(&ns->shm, &s->object);
}

void shm_end_attach(const struct sysv_caller *c, struct sysv_object *o, uint64_t addr)
{
	struct sysv_process *p = sysv_process_of(c);
	struct attach *a;
	struct segment *s;

	lock_acquire(&c->ns->lock);
	s = CONTAINER_OF(o, struct segment, object);
	if (!addr) {
		let_go(c->ns, s);
	} else {
		a = xnew(struct attach);
		a->segment = s;
		a->addr = addr;
		s->attached = sysv_now();
		s->last = c->pid;
		list_add(&p->attaches, &a->in_process);
	}
	lock_release(&c->ns->lock);
	shm_reap(c->ns);
}

static void drop(struct ipc_namespace *ns, struct attach *a)
{
	list_remove(&a->in_process);
	let_go(ns, a->segment);
	free(a);
}

/* detach() - Caller holds the lock. */
static int detach(const struct sysv_caller *c, uint64_t addr, uint64_t *ret_size)
{
	struct sysv_process *p = sysv_process_of(c);
	struct attach *a;

	list_for_each(a, &p->attaches, in_process) {
		if (a->addr != addr)
			continue;
		*ret_size = a->segment->size;
		a->segment->last = c->pid;
		drop(c->ns, a);
		return 0;
	}
	return -EINVAL;
}

int shm_detach(const struct sysv_caller *c, uint64_t addr, uint64_t *ret_size)
{
	int rc;

	lock_acquire(&c->ns->lock);
	rc = detach(c, addr, ret_size);
	lock_release(&c->ns->lock);
	shm_reap(c->ns);
	return rc;
}

void shm_detach_all(struct sysv_process *p)
{
	while (!list_empty(&p->attaches))
		drop(p->ns, list_first(&p->attaches, struct attach, in_process));
}

void shm_copy_attaches(struct sysv_process *from, struct sysv_process *to)
{
	struct attach *a, *copy;

	list_for_each(a, &from->attaches, in_process) {
		copy = xnew(struct attach);
		copy->segment = a->segment;
		copy->addr = a->addr;
		a->segment->object.refs++;
		a->segment->n_attached++;
		list_add(&to->attaches, &copy->in_process);
	}
}

static void fill_in(const struct segment *s, struct shmid_ds *ret)
{
	*ret = (struct shmid_ds){ .shm_segsz = s->size };
	sysv_stat(&s->object, &ret->shm_perm);
	ret->shm_perm.mode |= s->doomed ? SHM_DEST : 0;
	ret->shm_atime = s->attached;
	ret->shm_dtime = s->detached;
	ret->shm_ctime = s->object.changed;
	ret->shm_cpid = s->creator;
	ret->shm_lpid = s->last;
	ret->shm_nattch = s->n_attached;
}

static int remove_segment(struct ipc_namespace *ns, struct segment *s)
{
	s->doomed = true;
	s->object.key = IPC_PRIVATE; /* nobody finds it any more */
	if (!s->n_attached)
		sysv_remove(&ns->shm, &s->object);
	return 0;
}

static int look(const struct sysv_caller *c, int id, int cmd, struct shmid_ds *ds)
{
	struct sysv_object *o =
		cmd == IPC_STAT ? sysv_find(&c->ns->shm, id) : sysv_by_index(&c->ns->shm, id);
	int rc;

	if (!o)
		return -EINVAL;
	rc = cmd == SHM_STAT_ANY ? 0 : sysv_may(o, c->cred, 4);
	if (rc)
		return rc;
	fill_in(CONTAINER_OF(o, struct segment, object), ds);
	return cmd == IPC_STAT ? 0 : o->id;
}

/* control() - Caller holds the lock. */
static int control(const struct sysv_caller *c, int id, int cmd, struct shmid_ds *ds)
{
	struct segment *s;
	int rc;

	if (cmd == IPC_STAT || cmd == SHM_STAT || cmd == SHM_STAT_ANY)
		return look(c, id, cmd, ds);
	s = find(c, id);
	rc = s ? sysv_owns(&s->object, c->cred) : -EINVAL;
	if (rc)
		return rc;
	switch (cmd) {
	case IPC_SET:
		sysv_set(&s->object, &ds->shm_perm);
		return 0;
	case IPC_RMID:
		return remove_segment(c->ns, s);
	case SHM_LOCK:
	case SHM_UNLOCK:
		return 0; /* a pod's pages are never pinned */
	default:
		return -EINVAL;
	}
}

int shm_control(const struct sysv_caller *c, int id, int cmd, struct shmid_ds *ds)
{
	int rc;

	lock_acquire(&c->ns->lock);
	rc = control(c, id, cmd, ds);
	lock_release(&c->ns->lock);
	shm_reap(c->ns);
	return rc;
}

int shm_info_fill(const struct sysv_caller *c, struct shm_info *ret)
{
	LOCKED(&c->ns->lock);
	*ret = (struct shm_info){ .used_ids = c->ns->shm.count };
	for (int i = 0; i < SYSV_OBJECTS_MAX; i++) {
		struct sysv_object *o = c->ns->shm.slots[i];

		if (o)
			ret->shm_tot +=
				(CONTAINER_OF(o, struct segment, object)->size + PAGE - 1) / PAGE;
	}
	return sysv_highest(&c->ns->shm);
}
