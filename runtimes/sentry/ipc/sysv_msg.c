/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V message queues.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "runtimes/sentry/ipc/sysv_internal.h"

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

struct message {
	struct list in_queue;
	long type;
	size_t len;
	void *data;
};

struct queue {
	struct sysv_object object;
	struct list messages;
	size_t n, bytes, limit_bytes;
	pid_t last_sender, last_receiver;
	int64_t sent, received; /* seconds */
};

void msg_free(struct sysv_object *o)
{
	struct queue *q = CONTAINER_OF(o, struct queue, object);

	while (!list_empty(&q->messages)) {
		struct message *m = list_first(&q->messages, struct message, in_queue);

		list_remove(&m->in_queue);
		free(m->data);
		free(m);
	}
	free(q);
}

static struct queue *find(const struct sysv_caller *c, int id)
{
	struct sysv_object *o = sysv_find(&c->ns->msg, id);

	return o ? CONTAINER_OF(o, struct queue, object) : NULL;
}

int msg_get(const struct sysv_caller *c, key_t key, int flags)
{
	struct sysv_object *o;
	struct queue *q;
	int rc;

	LOCKED(&c->ns->lock);
	rc = sysv_get(&c->ns->msg, c, key, flags, &o);
	if (o || rc < 0)
		return rc;
	q = xnew(struct queue);
	list_init(&q->messages);
	q->limit_bytes = SYSV_MSG_QUEUE;
	rc = sysv_add(&c->ns->msg, &q->object, c, key, flags);
	if (rc < 0)
		free(q);
	return rc;
}

/* wait_for() - until the queue may have changed. Caller holds the lock. Return: 0 or -errno. */
static int wait_for(const struct sysv_caller *c, struct queue *q)
{
	int rc;

	lock_release(&c->ns->lock);
	rc = wait_sleep(WAIT_FOREVER);
	lock_acquire(&c->ns->lock);
	if (q->object.removed)
		return -EIDRM;
	return rc == -ERESTARTSYS ? -ERESTARTNOHAND : rc;
}

static int make_room(const struct sysv_caller *c, struct queue *q, size_t len, int flags)
{
	int rc;

	/* Empty messages count too, or they would never end. */
	while (q->bytes + len > q->limit_bytes || q->n >= q->limit_bytes) {
		if (flags & IPC_NOWAIT)
			return -EAGAIN;
		rc = wait_for(c, q);
		if (rc)
			return rc;
	}
	return 0;
}

static void put(const struct sysv_caller *c, struct queue *q, long type, const void *data,
		size_t len)
{
	struct message *m = xnew(struct message);

	m->type = type;
	m->len = len;
	m->data = xmemdup(data, len ? len : 1);
	list_add(&q->messages, &m->in_queue);
	q->n++;
	q->bytes += len;
	q->last_sender = c->pid;
	q->sent = sysv_now();
	wait_wake(&q->object.queue, 0);
}

int msg_send(const struct sysv_caller *c, int id, long type, const void *data, size_t len,
	     int flags)
{
	struct wait_entry e;
	struct queue *q;
	int rc;

	if (type < 1 || len > SYSV_MSG_MAX)
		return -EINVAL;
	lock_acquire(&c->ns->lock);
	q = find(c, id);
	rc = q ? sysv_may(&q->object, c->cred, 2) : -EINVAL;
	if (!rc) {
		q->object.refs++;
		wait_begin(&q->object.queue, &e, 0);
		rc = make_room(c, q, len, flags);
		if (!rc)
			put(c, q, type, data, len);
		wait_end(&e);
		sysv_put(&c->ns->msg, &q->object);
	}
	lock_release(&c->ns->lock);
	return rc;
}

/* choose() - the message that @type asks for, or NULL. */
static struct message *choose(struct queue *q, long type, int flags)
{
	struct message *m, *best = NULL;
	long nth = 0;

	list_for_each(m, &q->messages, in_queue) {
		if (flags & MSG_COPY) {
			if (nth++ == type)
				return m;
		} else if (type < 0) {
			if (m->type <= -type && (!best || m->type < best->type))
				best = m;
		} else if (!type || ((m->type == type) != !!(flags & MSG_EXCEPT))) {
			return m;
		}
	}
	return best;
}

static ssize_t take(const struct sysv_caller *c, struct queue *q, struct message *m, size_t max,
		    int flags, long *ret_type, void **ret_data)
{
	size_t len = m->len;

	if (len > max && !(flags & MSG_NOERROR))
		return -E2BIG;
	*ret_type = m->type;
	if (flags & MSG_COPY) {
		*ret_data = xmemdup(m->data, len ? len : 1);
		return (ssize_t)MIN(len, max);
	}
	*ret_data = m->data;
	list_remove(&m->in_queue);
	free(m);
	q->n--;
	q->bytes -= len;
	q->last_receiver = c->pid;
	q->received = sysv_now();
	wait_wake(&q->object.queue, 0);
	return (ssize_t)MIN(len, max);
}

/* Caller holds the lock and a reference of @q. */
static ssize_t receive(const struct sysv_caller *c, struct queue *q, size_t max, long type,
		       int flags, long *ret_type, void **ret_data)
{
	struct message *m;
	int rc;

	while (!(m = choose(q, type, flags))) {
		if (flags & IPC_NOWAIT)
			return -ENOMSG;
		rc = wait_for(c, q);
		if (rc)
			return rc;
	}
	return take(c, q, m, max, flags, ret_type, ret_data);
}

ssize_t msg_receive(const struct sysv_caller *c, int id, size_t max, long type, int flags,
		    long *ret_type, void **ret_data)
{
	struct wait_entry e;
	struct queue *q;
	ssize_t rc;

	if ((flags & MSG_COPY) && (flags & MSG_EXCEPT || !(flags & IPC_NOWAIT)))
		return -EINVAL;
	lock_acquire(&c->ns->lock);
	q = find(c, id);
	rc = q ? sysv_may(&q->object, c->cred, 4) : -EINVAL;
	if (!rc) {
		q->object.refs++;
		wait_begin(&q->object.queue, &e, 0);
		rc = receive(c, q, max, type, flags, ret_type, ret_data);
		wait_end(&e);
		sysv_put(&c->ns->msg, &q->object);
	}
	lock_release(&c->ns->lock);
	return rc;
}

static int look(const struct sysv_caller *c, int id, int cmd, struct msqid_ds *ds)
{
	struct sysv_object *o =
		cmd == IPC_STAT ? sysv_find(&c->ns->msg, id) : sysv_by_index(&c->ns->msg, id);
	struct queue *q;
	int rc;

	if (!o)
		return -EINVAL;
	rc = cmd == MSG_STAT_ANY ? 0 : sysv_may(o, c->cred, 4);
	if (rc)
		return rc;
	q = CONTAINER_OF(o, struct queue, object);
	*ds = (struct msqid_ds){ .msg_qnum = q->n, .msg_qbytes = q->limit_bytes };
	sysv_stat(o, &ds->msg_perm);
	ds->msg_stime = q->sent;
	ds->msg_rtime = q->received;
	ds->msg_ctime = o->changed;
	ds->__msg_cbytes = q->bytes;
	ds->msg_lspid = q->last_sender;
	ds->msg_lrpid = q->last_receiver;
	return cmd == IPC_STAT ? 0 : o->id;
}

int msg_control(const struct sysv_caller *c, int id, int cmd, struct msqid_ds *ds)
{
	struct queue *q;
	int rc;

	LOCKED(&c->ns->lock);
	if (cmd == IPC_STAT || cmd == MSG_STAT || cmd == MSG_STAT_ANY)
		return look(c, id, cmd, ds);
	q = find(c, id);
	rc = q ? sysv_owns(&q->object, c->cred) : -EINVAL;
	if (rc)
		return rc;
	if (cmd == IPC_RMID) {
		sysv_remove(&c->ns->msg, &q->object);
		return 0;
	}
	if (cmd != IPC_SET)
		return -EINVAL;
	if (ds->msg_qbytes > SYSV_MSG_QUEUE && !cred_has(c->cred, 24 /* CAP_SYS_RESOURCE */))
		return -EPERM;
	q->limit_bytes = MIN(ds->msg_qbytes, (uint64_t)1 << 20);
	sysv_set(&q->object, &ds->msg_perm);
	wait_wake(&q->object.queue, 0);
	return 0;
}

int msg_info_fill(const struct sysv_caller *c, struct msginfo *ret)
{
	LOCKED(&c->ns->lock);
	*ret = (struct msginfo){ .msgmni = SYSV_OBJECTS_MAX,
				 .msgmax = SYSV_MSG_MAX,
				 .msgmnb = SYSV_MSG_QUEUE,
				 .msgpool = c->ns->msg.count };
	return sysv_highest(&c->ns->msg);
}
