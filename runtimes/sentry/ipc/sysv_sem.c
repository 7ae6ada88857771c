/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V semaphores.
 *
 * All operations of a call happen at once or not at all: they are tried one after another, and
 * taken back when one would block.  Whoever changes a value wakes all sleepers of the set, which
 * try again.  What SEM_UNDO asks for is kept for each process and set.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "runtimes/sentry/ipc/sysv_internal.h"

struct semaphore {
	uint16_t value;
	pid_t last;
	uint32_t wait_more, wait_zero;
};

struct set {
	struct sysv_object object;
	int64_t operated; /* seconds */
	int n;
	struct list undos; /* struct undo.in_set */
	struct semaphore sems[];
};

/* What a process adds to the semaphores of a set when it ends. */
struct undo {
	struct list in_process, in_set;
	struct set *set;
	int16_t adjust[];
};

void sem_free(struct sysv_object *o)
{
	free(CONTAINER_OF(o, struct set, object));
}

static struct set *find(const struct sysv_caller *c, int id)
{
	struct sysv_object *o = sysv_find(&c->ns->sem, id);

	return o ? CONTAINER_OF(o, struct set, object) : NULL;
}

int sem_get(const struct sysv_caller *c, key_t key, int n, int flags)
{
	struct sysv_object *o;
	struct set *s;
	int rc;

	if (n < 0 || n > SYSV_SEMS_MAX)
		return -EINVAL;
	LOCKED(&c->ns->lock);
	rc = sysv_get(&c->ns->sem, c, key, flags, &o);
	if (rc < 0)
		return rc;
	if (o)
		return n > CONTAINER_OF(o, struct set, object)->n ? -EINVAL : rc;
	if (!n)
		return -EINVAL;
	s = xcalloc(1, sizeof(*s) + (size_t)n * sizeof(s->sems[0]));
	s->n = n;
	list_init(&s->undos);
	rc = sysv_add(&c->ns->sem, &s->object, c, key, flags);
	if (rc < 0)
		free(s);
	return rc;
}

/* --- operations ---------------------------------------------------------------------------------
 */

static void take_back(struct set *s, const struct sembuf *ops, size_t n)
{
	while (n--)
		s->sems[ops[n].sem_num].value =
			(uint16_t)(s->sems[ops[n].sem_num].value - ops[n].sem_op);
}

/* try() - Return: 0 done; -EAGAIN with the operation that blocks; -ERANGE. */
static int try(struct set *s, const struct sembuf *ops, size_t n, const struct sembuf **ret_blocks)
{
	for (size_t i = 0; i < n; i++) {
		struct semaphore *sem = &s->sems[ops[i].sem_num];
		int value = sem->value + ops[i].sem_op;

		if (value > SYSV_SEM_VALUE) {
			take_back(s, ops, i);
			return -ERANGE;
		}
		if (value < 0 || (!ops[i].sem_op && sem->value)) {
			take_back(s, ops, i);
			*ret_blocks = &ops[i];
			return -EAGAIN;
		}
		sem->value = (uint16_t)value;
	}
	return 0;
}

static struct undo *undo_of(const struct sysv_caller *c, struct set *s)
{
	struct sysv_process *p = sysv_process_of(c);
	struct undo *u;

	list_for_each(u, &p->undos, in_process)
		if (u->set == s)
			return u;
	u = xcalloc(1, sizeof(*u) + (size_t)s->n * sizeof(u->adjust[0]));
	u->set = s;
	list_add(&p->undos, &u->in_process);
	list_add(&s->undos, &u->in_set);
	return u;
}

static void note(const struct sysv_caller *c, struct set *s, const struct sembuf *ops, size_t n)
{
	bool changed = false;

	for (size_t i = 0; i < n; i++) {
		s->sems[ops[i].sem_num].last = c->pid;
		changed |= ops[i].sem_op != 0;
		if (ops[i].sem_flg & SEM_UNDO)
			undo_of(c, s)->adjust[ops[i].sem_num] -= ops[i].sem_op;
	}
	s->operated = sysv_now();
	if (changed)
		wait_wake(&s->object.queue, 0);
}

static int check(const struct sysv_caller *c, const struct set *s, const struct sembuf *ops,
		 size_t n)
{
	bool writes = false;

	for (size_t i = 0; i < n; i++) {
		if (ops[i].sem_num >= s->n)
			return -EFBIG;
		writes |= ops[i].sem_op != 0;
	}
	return sysv_may(&s->object, c->cred, writes ? 2 : 4);
}

/* sleep_for() - Return: as wait_sleep(). Caller holds the lock, which is released meanwhile. */
static int sleep_for(const struct sysv_caller *c, struct set *s, const struct sembuf *op,
		     int64_t deadline_ns)
{
	struct semaphore *sem = &s->sems[op->sem_num];
	uint32_t *waiting = op->sem_op ? &sem->wait_more : &sem->wait_zero;
	int rc;

	++*waiting;
	lock_release(&c->ns->lock);
	rc = wait_sleep(deadline_ns);
	lock_acquire(&c->ns->lock);
	--*waiting;
	return rc;
}

/* Caller holds the lock and a reference of @s. */
static int operate(const struct sysv_caller *c, struct set *s, const struct sembuf *ops, size_t n,
		   int64_t deadline_ns)
{
	const struct sembuf *blocks;
	int rc;

	for (;;) {
		if (s->object.removed)
			return -EIDRM;
		rc = try(s, ops, n, &blocks);
		if (rc != -EAGAIN)
			break;
		if (blocks->sem_flg & IPC_NOWAIT)
			return -EAGAIN;
		rc = sleep_for(c, s, blocks, deadline_ns);
		if (rc && s->object.removed)
			return -EIDRM;
		if (rc)
			return rc == -ETIMEDOUT ? -EAGAIN : rc == -ERESTARTSYS ? -EINTR : rc;
	}
	if (!rc)
		note(c, s, ops, n);
	return rc;
}

int sem_operate(const struct sysv_caller *c, int id, const struct sembuf *ops, size_t n,
		int64_t deadline_ns)
{
	struct wait_entry e;
	struct set *s;
	int rc;

	if (!n)
		return -EINVAL;
	if (n > SYSV_SEM_OPS_MAX)
		return -E2BIG;
	lock_acquire(&c->ns->lock);
	s = find(c, id);
	rc = s ? check(c, s, ops, n) : -EINVAL;
	if (!rc) {
		s->object.refs++;
		wait_begin(&s->object.queue, &e, 0);
		rc = operate(c, s, ops, n, deadline_ns);
		wait_end(&e);
		sysv_put(&c->ns->sem, &s->object);
	}
	lock_release(&c->ns->lock);
	return rc;
}

static void drop_undo(struct undo *u)
{
	list_remove(&u->in_process);
	list_remove(&u->in_set);
	free(u);
}

void sem_undo_all(struct sysv_process *p)
{
	while (!list_empty(&p->undos)) {
		struct undo *u = list_first(&p->undos, struct undo, in_process);
		struct set *s = u->set;

		for (int i = 0; i < s->n; i++) {
			int value = s->sems[i].value + u->adjust[i];

			s->sems[i].value = (uint16_t)MAX(0, MIN(value, SYSV_SEM_VALUE));
		}
		wait_wake(&s->object.queue, 0);
		drop_undo(u);
	}
}

/* --- control
 * -------------------------------------------------------------------------------------- */

static int look(const struct sysv_caller *c, int id, int cmd, struct semid_ds *ds)
{
	struct sysv_object *o =
		cmd == IPC_STAT ? sysv_find(&c->ns->sem, id) : sysv_by_index(&c->ns->sem, id);
	struct set *s;
	int rc;

	if (!o)
		return -EINVAL;
	rc = cmd == SEM_STAT_ANY ? 0 : sysv_may(o, c->cred, 4);
	if (rc)
		return rc;
	s = CONTAINER_OF(o, struct set, object);
	*ds = (struct semid_ds){ .sem_nsems = (unsigned long)s->n };
	sysv_stat(o, &ds->sem_perm);
	ds->sem_otime = s->operated;
	ds->sem_ctime = o->changed;
	return cmd == IPC_STAT ? 0 : o->id;
}

/* forget_undos() - values that are set anew have nothing to be undone. @number -1: all. */
static void forget_undos(struct set *s, int number)
{
	struct undo *u;

	list_for_each(u, &s->undos, in_set)
		for (int i = 0; i < s->n; i++)
			if (number < 0 || i == number)
				u->adjust[i] = 0;
}

static int set_value(const struct sysv_caller *c, struct set *s, int number, int value)
{
	if (value < 0 || value > SYSV_SEM_VALUE)
		return -ERANGE;
	s->sems[number].value = (uint16_t)value;
	s->sems[number].last = c->pid;
	forget_undos(s, number);
	s->object.changed = sysv_now();
	wait_wake(&s->object.queue, 0);
	return 0;
}

static int one(const struct sysv_caller *c, struct set *s, int number, int cmd, int value)
{
	int rc = sysv_may(&s->object, c->cred, cmd == SETVAL ? 2 : 4);

	if (rc)
		return rc;
	if (number < 0 || number >= s->n)
		return -EINVAL;
	switch (cmd) {
	case SETVAL:
		return set_value(c, s, number, value);
	case GETVAL:
		return s->sems[number].value;
	case GETPID:
		return s->sems[number].last;
	case GETNCNT:
		return (int)s->sems[number].wait_more;
	default:
		return (int)s->sems[number].wait_zero;
	}
}

static int remove_set(struct ipc_namespace *ns, struct set *s)
{
	while (!list_empty(&s->undos))
		drop_undo(list_first(&s->undos, struct undo, in_set));
	sysv_remove(&ns->sem, &s->object);
	return 0;
}

int sem_control(const struct sysv_caller *c, int id, int number, int cmd, int value,
		struct semid_ds *ds)
{
	struct set *s;
	int rc;

	LOCKED(&c->ns->lock);
	if (cmd == IPC_STAT || cmd == SEM_STAT || cmd == SEM_STAT_ANY)
		return look(c, id, cmd, ds);
	s = find(c, id);
	if (!s)
		return -EINVAL;
	if (cmd == SETVAL || cmd == GETVAL || cmd == GETPID || cmd == GETNCNT || cmd == GETZCNT)
		return one(c, s, number, cmd, value);
	rc = sysv_owns(&s->object, c->cred);
	if (rc)
		return rc;
	if (cmd == IPC_RMID)
		return remove_set(c->ns, s);
	if (cmd != IPC_SET)
		return -EINVAL;
	sysv_set(&s->object, &ds->sem_perm);
	return 0;
}

int sem_count(const struct sysv_caller *c, int id)
{
	struct set *s;

	LOCKED(&c->ns->lock);
	s = find(c, id);
	return s ? s->n : -EINVAL;
}

int sem_all(const struct sysv_caller *c, int id, int cmd, uint16_t *values, size_t n)
{
	struct set *s;
	int rc;

	LOCKED(&c->ns->lock);
	s = find(c, id);
	if (!s || (size_t)s->n != n)
		return -EINVAL;
	rc = sysv_may(&s->object, c->cred, cmd == SETALL ? 2 : 4);
	for (size_t i = 0; !rc && cmd == SETALL && i < n; i++)
		if (values[i] > SYSV_SEM_VALUE)
			rc = -ERANGE;
	if (rc)
		return rc;
	for (size_t i = 0; i < n; i++) {
		if (cmd == GETALL) {
			values[i] = s->sems[i].value;
			continue;
		}
		s->sems[i].value = values[i];
		s->sems[i].last = c->pid;
	}
	if (cmd == GETALL)
		return 0;
	forget_undos(s, -1);
	s->object.changed = sysv_now();
	wait_wake(&s->object.queue, 0);
	return 0;
}

int sem_info_fill(const struct sysv_caller *c, struct seminfo *ret)
{
	LOCKED(&c->ns->lock);
	*ret = (struct seminfo){ .semmni = SYSV_OBJECTS_MAX,
				 .semmsl = SYSV_SEMS_MAX,
				 .semmns = SYSV_OBJECTS_MAX * SYSV_SEMS_MAX,
				 .semopm = SYSV_SEM_OPS_MAX,
				 .semvmx = SYSV_SEM_VALUE,
				 .semaem = SYSV_SEM_VALUE,
				 .semusz = c->ns->sem.count };
	return sysv_highest(&c->ns->sem);
}
