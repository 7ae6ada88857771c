/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V IPC: shared memory, semaphores, message queues of a pod.
 *
 * One lock (LOCK_OBJECT) guards all objects of a namespace; sleepers wait on queues of the
 * object, which a reference keeps while they do.  Times are seconds, as the structures of the ABI
 * have them; those are the host headers' (struct shmid_ds ..), filled in whole.
 */
#ifndef SENTRY_IPC_SYSV_H
#define SENTRY_IPC_SYSV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "base/list.h"
#include "runtimes/sentry/kern/cred.h"
#include "runtimes/sentry/kern/lock.h"
#include "runtimes/sentry/vfs/file.h"

#define SYSV_OBJECTS_MAX 1024 /* of each kind */
#define SYSV_SEMS_MAX	 1024 /* in a set */
#define SYSV_SEM_OPS_MAX 500  /* in a call */
#define SYSV_SEM_VALUE	 32767
#define SYSV_MSG_MAX	 8192	      /* bytes of a message */
#define SYSV_MSG_QUEUE	 16384	      /* bytes of a queue */
#define SYSV_SHM_MAX	 (1ull << 40) /* bytes of a segment */

struct ipc_namespace;
struct sysv_object;
struct sysv_process; /* what a process has attached, and what it undoes at its end */

/* ipc_namespace_pod() - the one that all containers of the pod share; made at the first use. */
struct ipc_namespace *ipc_namespace_pod(void);

/* What a call is made by. */
struct sysv_caller {
	struct ipc_namespace *ns;
	const struct cred *cred;
	pid_t pid;
	struct sysv_process **process; /* where the process keeps its own; may point to NULL */
};

/* sysv_process_fork() - the child has the parent's attachments, and nothing to undo. */
struct sysv_process *sysv_process_fork(struct sysv_process *p /* may be NULL */);
/* sysv_process_end() - at exit (undo, detach) and at execve (detach only). @p may be NULL. */
void sysv_process_exec(struct sysv_process *p);
void sysv_process_end(struct sysv_process *p);

/* --- sysv_shm.c --- each is the call of that name; Return: value or -errno. */

/* shm_get() - @make gives a file of @size bytes for a new segment, which it then owns. */
int shm_get(const struct sysv_caller *c, key_t key, uint64_t size, int flags,
	    int (*make)(void *data, uint64_t size, struct file **ret), void *data);
/* shm_begin_attach() - the file to map, with a reference, and its length; -EACCES, -EINVAL. */
int shm_begin_attach(const struct sysv_caller *c, int id, bool write, struct file **ret,
		     uint64_t *ret_size, struct sysv_object **ret_segment);
/* shm_end_attach() - it is mapped at @addr; @addr 0: it could not be. */
void shm_end_attach(const struct sysv_caller *c, struct sysv_object *segment, uint64_t addr);
/* shm_detach() - what is at @addr. Return: 0 with the length to unmap, -EINVAL. */
int shm_detach(const struct sysv_caller *c, uint64_t addr, uint64_t *ret_size);
/* shm_control() - @cmd: IPC_STAT, SHM_STAT, SHM_STAT_ANY, IPC_SET, IPC_RMID, SHM_LOCK,
 * SHM_UNLOCK. */
int shm_control(const struct sysv_caller *c, int id, int cmd, struct shmid_ds *ds);
/* shm_info() - highest index in use. */
int shm_info_fill(const struct sysv_caller *c, struct shm_info *ret);

/* --- sysv_sem.c --- */

int sem_get(const struct sysv_caller *c, key_t key, int n, int flags);
/* sem_operate() - @deadline_ns: CLOCK_MONOTONIC. */
int sem_operate(const struct sysv_caller *c, int id, const struct sembuf *ops, size_t n,
		int64_t deadline_ns);
/* sem_control() - IPC_STAT.. with @ds, SETVAL with @value, GETVAL GETPID GETNCNT GETZCNT. */
int sem_control(const struct sysv_caller *c, int id, int number, int cmd, int value,
		struct semid_ds *ds);
/* sem_count() - how many semaphores the set has. */
int sem_count(const struct sysv_caller *c, int id);
/* sem_all() - GETALL into, SETALL from @values, of which there are @n. */
int sem_all(const struct sysv_caller *c, int id, int cmd, uint16_t *values, size_t n);
int sem_info_fill(const struct sysv_caller *c, struct seminfo *ret);

/* --- sysv_msg.c --- */

int msg_get(const struct sysv_caller *c, key_t key, int flags);
/* msg_send() - @data is copied. */
int msg_send(const struct sysv_caller *c, int id, long type, const void *data, size_t len,
	     int flags);
/* msg_receive() - Return: length; the message is the caller's to free. */
ssize_t msg_receive(const struct sysv_caller *c, int id, size_t max, long type, int flags,
		    long *ret_type, void **ret_data);
int msg_control(const struct sysv_caller *c, int id, int cmd, struct msqid_ds *ds);
int msg_info_fill(const struct sysv_caller *c, struct msginfo *ret);

#endif
