/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V objects: ids, keys, permissions, lives.
 *
 * An id is the slot plus a sequence number, so that an old id does not find a new object.
 */
#include <errno.h>
#include <time.h>

#include "base/mem.h"
#include "runtimes/sentry/ipc/sysv_internal.h"

#define CAP_IPC_OWNER_NUMBER 15
#define CAP_SYS_ADMIN_NUMBER 21

int64_t sysv_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec;
}

struct ipc_namespace *ipc_namespace_pod(void)
{
	static struct ipc_namespace pod = {
		.lock = LOCK_INIT(LOCK_OBJECT),
		.dead = { &pod.dead, &pod.dead },
		.shm.free = shm_free,
		.sem.free = sem_free,
		.msg.free = msg_free,
	};

	return &pod;
}

struct sysv_process *sysv_process_of(const struct sysv_caller *c)
{
	struct sysv_process *p = *c->process;

	if (p)
		return p;
	p = xnew(struct sysv_process);
	p->ns = c->ns;
	list_init(&p->attaches);
	list_init(&p->undos);
	*c->process = p;
	return p;
}

struct sysv_process *sysv_process_fork(struct sysv_process *p)
{
	struct sysv_process *child;

	if (!p)
		return NULL;
	child = xnew(struct sysv_process);
	child->ns = p->ns;
	list_init(&child->attaches);
	list_init(&child->undos);
	LOCKED(&p->ns->lock);
	shm_copy_attaches(p, child);
	return child;
}

void sysv_process_exec(struct sysv_process *p)
{
	if (!p)
		return;
	lock_acquire(&p->ns->lock);
	shm_detach_all(p);
	lock_release(&p->ns->lock);
	shm_reap(p->ns);
}

void sysv_process_end(struct sysv_process *p)
{
	if (!p)
		return;
	lock_acquire(&p->ns->lock);
	sem_undo_all(p);
	shm_detach_all(p);
	lock_release(&p->ns->lock);
	shm_reap(p->ns);
	free(p);
}

struct sysv_object *sysv_by_index(struct sysv_table *t, int index)
{
	return index >= 0 && index < SYSV_OBJECTS_MAX ? t->slots[index] : NULL;
}

struct sysv_object *sysv_find(struct sysv_table *t, int id)
{
	struct sysv_object *o = id < 0 ? NULL : t->slots[id % SYSV_OBJECTS_MAX];

	return o && o->id == id ? o : NULL;
}

struct sysv_object *sysv_find_key(struct sysv_table *t, key_t key)
{
	if (key == IPC_PRIVATE)
		return NULL;
	for (int i = 0; i < SYSV_OBJECTS_MAX; i++)
		if (t->slots[i] && t->slots[i]->key == key)
			return t->slots[i];
	return NULL;
}

int sysv_add(struct sysv_table *t, struct sysv_object *o, const struct sysv_caller *c, key_t key,
	     int flags)
{
	for (int i = 0; i < SYSV_OBJECTS_MAX; i++) {
		if (t->slots[i])
			continue;
		o->id = i + SYSV_OBJECTS_MAX * (t->sequence++ % 2048);
		o->key = key;
		o->uid = o->cuid = c->cred->euid;
		o->gid = o->cgid = c->cred->egid;
		o->mode = (mode_t)flags & 0777;
		o->refs = 1;
		o->changed = sysv_now();
		wait_queue_init(&o->queue);
		t->slots[i] = o;
		t->count++;
		return o->id;
	}
	return -ENOSPC;
}

void sysv_put(struct sysv_table *t, struct sysv_object *o)
{
	if (--o->refs == 0)
		t->free(o);
}

void sysv_remove(struct sysv_table *t, struct sysv_object *o)
{
	t->slots[o->id % SYSV_OBJECTS_MAX] = NULL;
	t->count--;
	o->removed = true;
	wait_wake(&o->queue, 0);
	sysv_put(t, o);
}

int sysv_may(const struct sysv_object *o, const struct cred *c, int want)
{
	int granted = (int)o->mode & 7;

	if (c->euid == o->uid || c->euid == o->cuid)
		granted = (int)(o->mode >> 6) & 7;
	else if (c->egid == o->gid || c->egid == o->cgid || cred_in_group(c, o->gid) ||
		 cred_in_group(c, o->cgid))
		granted = (int)(o->mode >> 3) & 7;
	return !(want & ~granted) || cred_has(c, CAP_IPC_OWNER_NUMBER) ? 0 : -EACCES;
}

int sysv_owns(const struct sysv_object *o, const struct cred *c)
{
	return c->euid == o->uid || c->euid == o->cuid || cred_has(c, CAP_SYS_ADMIN_NUMBER)
		       ? 0
		       : -EPERM;
}

void sysv_stat(const struct sysv_object *o, struct ipc_perm *ret)
{
	*ret = (struct ipc_perm){ .__key = o->key, .uid = o->uid, .gid = o->gid };
	ret->cuid = o->cuid;
	ret->cgid = o->cgid;
	ret->mode = o->mode;
	ret->__seq = (unsigned short)(o->id / SYSV_OBJECTS_MAX);
}

void sysv_set(struct sysv_object *o, const struct ipc_perm *to)
{
	o->uid = to->uid;
	o->gid = to->gid;
	o->mode = (o->mode & ~0777u) | (to->mode & 0777);
	o->changed = sysv_now();
}

int sysv_highest(const struct sysv_table *t)
{
	int highest = 0;

	for (int i = 0; i < SYSV_OBJECTS_MAX; i++)
		if (t->slots[i])
			highest = i;
	return highest;
}

/* Which rights the mode bits of a get ask for, of whatever class they are written. */
static int wanted(int flags)
{
	return ((flags >> 6) | (flags >> 3) | flags) & 6;
}

int sysv_get(struct sysv_table *t, const struct sysv_caller *c, key_t key, int flags,
	     struct sysv_object **ret)
{
	int rc;

	*ret = sysv_find_key(t, key);
	if (!*ret)
		return key == IPC_PRIVATE || (flags & IPC_CREAT) ? 0 : -ENOENT;
	if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
		return -EEXIST;
	rc = sysv_may(*ret, c->cred, wanted(flags));
	return rc ? rc : (*ret)->id;
}
