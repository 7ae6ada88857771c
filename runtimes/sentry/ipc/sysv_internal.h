/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kinds of System V objects have in common.
 */
#ifndef SENTRY_IPC_SYSV_INTERNAL_H
#define SENTRY_IPC_SYSV_INTERNAL_H

#include "runtimes/sentry/ipc/sysv.h"
#include "runtimes/sentry/kern/wait.h"

/* The head of each object; all under the namespace's lock. */
struct sysv_object {
	int id;
	key_t key;
	uid_t uid, cuid;
	gid_t gid, cgid;
	mode_t mode; /* nine bits */
	bool removed;
	uint32_t refs;	 /* the table's, and those of sleepers */
	int64_t changed; /* seconds */
	struct wait_queue queue;
};

struct sysv_table {
	struct sysv_object *slots[SYSV_OBJECTS_MAX];
	uint16_t sequence;
	int count;
	/* free: called with the lock held */
	void (*free)(struct sysv_object *o);
};

struct ipc_namespace {
	struct lock lock; /* LOCK_OBJECT */
	struct sysv_table shm, sem, msg;
	struct list dead; /* segments whose files are to be let go without the lock */
};

struct sysv_process {
	struct ipc_namespace *ns;
	struct list attaches; /* struct attach.in_process */
	struct list undos;    /* struct undo.in_process */
};

int64_t sysv_now(void);
/* sysv_process_of() - of the caller, made at the first use. */
struct sysv_process *sysv_process_of(const struct sysv_caller *c);
/* sysv_find() - by id. Return: NULL: -EINVAL or -EIDRM. Caller holds the lock. */
struct sysv_object *sysv_find(struct sysv_table *t, int id);
/* sysv_find_key() - the object of @key, or NULL. */
struct sysv_object *sysv_find_key(struct sysv_table *t, key_t key);
/* sysv_add() - number @o and own it. Return: its id or -ENOSPC. */
int sysv_add(struct sysv_table *t, struct sysv_object *o, const struct sysv_caller *c, key_t key,
	     int flags);
/* sysv_remove() - out of the table; freed with the last reference; sleepers are woken. */
void sysv_remove(struct sysv_table *t, struct sysv_object *o);
void sysv_put(struct sysv_table *t, struct sysv_object *o);
/* sysv_may() - @want: 4 read, 2 write, or both. Return: 0 or -EACCES. */
int sysv_may(const struct sysv_object *o, const struct cred *c, int want);
/* sysv_owns() - may change and remove it. Return: 0 or -EPERM. */
int sysv_owns(const struct sysv_object *o, const struct cred *c);
void sysv_stat(const struct sysv_object *o, struct ipc_perm *ret);
void sysv_set(struct sysv_object *o, const struct ipc_perm *to);
/* sysv_by_index() - for the STAT commands of ipcs(1). */
struct sysv_object *sysv_by_index(struct sysv_table *t, int index);
int sysv_highest(const struct sysv_table *t);
/* sysv_get() - the first half of each get: an object that there is. Return: its id, -ENOENT to make
 * one, or the error. @ret: the object. */
int sysv_get(struct sysv_table *t, const struct sysv_caller *c, key_t key, int flags,
	     struct sysv_object **ret);

/* sem_undo_all(), shm_detach_all() - at the end of @p. Caller holds the lock. */
void sem_undo_all(struct sysv_process *p);
void shm_detach_all(struct sysv_process *p);
void shm_copy_attaches(struct sysv_process *from, struct sysv_process *to);
/* shm_free() puts it on the dead list; shm_reap() lets go of those, no lock held. */
void shm_free(struct sysv_object *o);
void shm_reap(struct ipc_namespace *ns);
void sem_free(struct sysv_object *o);
void msg_free(struct sysv_object *o);

#endif
