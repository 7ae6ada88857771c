/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V IPC calls: arguments and structures of the ABI.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "runtimes/sentry/fs/tmpfs.h"
#include "runtimes/sentry/ipc/sysv.h"
#include "runtimes/sentry/sys/calls.h"

#define PAGE	    4096ull
#define INFO_ANY(c) ((c) & ~IPC_OLD_VERSION)
/* x86-64 has one version of the structures; the bit that asks for it means nothing. */
#define IPC_OLD_VERSION 0x100

static struct sysv_caller caller(struct task *t)
{
	struct sysv_caller c = {
		.ns = ipc_namespace_pod(),
		.cred = t->cred,
		.pid = t->process->pid,
		.process = &t->process->sysv,
	};

	return c;
}

/* answer() - @rc, and what a call that went well tells besides. */
static long answer(struct task *t, long rc, uint64_t at, const void *from, size_t len)
{
	int fault = rc < 0 ? 0 : sys_copy_out(t, at, from, len);

	return fault ? fault : rc;
}

/* settings() - what IPC_SET brings, the only command that brings a structure. */
static int settings(struct task *t, int cmd, void *to, uint64_t at, size_t len)
{
	return cmd == IPC_SET ? sys_copy_in(t, to, at, len) : 0;
}

/* --- shared memory -------------------------------------------------------------------------- */

static int make_segment(void *data, uint64_t size, struct file **ret)
{
	struct task *t = data;
	int rc = tmpfs_memfd("SYSV00000000", 0, NULL, t->cred, ret);

	if (rc)
		return rc;
	rc = (*ret)->ops->truncate(*ret, (int64_t)size);
	if (rc)
		file_put(*ret);
	return rc;
}

long sys_shmget(struct task *t, const uint64_t a[6])
{
	struct sysv_caller c = caller(t);

	return shm_get(&c, (key_t)a[0], a[1], (int)a[2], make_segment, t);
}

/* host_fd() - what is mapped; a read-only one cannot be made writable by mprotect. */
static int host_fd(struct file *f, bool read_only)
{
	LOCKED(&f->inode->lock);
	return memfile_map_fd(tmpfs_memfile(f->inode), read_only);
}

static int64_t map_segment(struct task *t, struct file *f, uint64_t size, uint64_t addr, int flags)
{
	int fd = host_fd(f, flags & SHM_RDONLY);
	struct stub_map m = {
		.addr = addr,
		.length = (size + PAGE - 1) & ~(PAGE - 1),
		.prot = PROT_READ | (flags & SHM_RDONLY ? 0 : PROT_WRITE) |
			(flags & SHM_EXEC ? PROT_EXEC : 0),
		.flags = MAP_SHARED,
		.fd = fd,
	};

	if (addr)
		m.flags |= flags & SHM_REMAP ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	return fd < 0 ? fd : stub_mmap(t->stub, &m);
}

long sys_shmat(struct task *t, const uint64_t a[6])
{
	struct sysv_caller c = caller(t);
	struct sysv_object *segment;
	uint64_t addr = a[1], size;
	int flags = (int)a[2], rc;
	struct file *f;
	int64_t at;

	if (addr & (PAGE - 1)) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		addr &= ~(PAGE - 1);
	}
	if (!addr && (flags & SHM_REMAP))
		return -EINVAL;
	rc = shm_begin_attach(&c, (int)a[0], !(flags & SHM_RDONLY), &f, &size, &segment);
	if (rc)
		return rc;
	at = map_segment(t, f, size, addr, flags);
	file_put(f);
	shm_end_attach(&c, segment, at < 0 ? 0 : (uint64_t)at);
	return at == -EEXIST ? -EINVAL : at;
}

long sys_shmdt(struct task *t, const uint64_t a[6])
{
	struct sysv_caller c = caller(t);
	uint64_t size;
	int rc;

	if (a[0] & (PAGE - 1))
		return -EINVAL;
	rc = shm_detach(&c, a[0], &size);
	if (!rc)
		stub_munmap(t->stub, a[0], (size + PAGE - 1) & ~(PAGE - 1));
	return rc;
}

static long shm_infos(struct task *t, const struct sysv_caller *c, int cmd, uint64_t at)
{
	struct shminfo limits = { .shmmax = SYSV_SHM_MAX,
				  .shmmin = 1,
				  .shmmni = SYSV_OBJECTS_MAX,
				  .shmseg = SYSV_OBJECTS_MAX,
				  .shmall = SYSV_SHM_MAX / PAGE };
	struct shm_info info;
	int highest = shm_info_fill(c, &info);

	if (cmd == IPC_INFO)
		return answer(t, highest, at, &limits, sizeof(limits));
	return answer(t, highest, at, &info, sizeof(info));
}

long sys_shmctl(struct task *t, const uint64_t a[6])
{
	struct sysv_caller c = caller(t);
	int cmd = INFO_ANY((int)a[1]);
	struct shmid_ds ds;
	long rc;

	if (cmd == IPC_INFO || cmd == SHM_INFO)
		return shm_infos(t, &c, cmd, a[2]);
	rc = settings(t, cmd, &ds, a[2], sizeof(ds));
	if (!rc)
		rc = shm_control(&c, (int)a[0], cmd, &ds);
	if (cmd != IPC_STAT && cmd != SHM_STAT && cmd != SHM_STAT_ANY)
		return rc;
	return answer(t, rc, a[2], &ds, sizeof(ds));
}

/* --- semaphores ----------------------------------------------------------------------------- */

long sys_semget(struct task *t, const uint64_t a[6])
{
	struct sysv_caller c = caller(t);

	return sem_get(&c, (key_t)a[0], (int)a[1], (int)a[2]);
}

static long operate(struct task *t, const uint64_t a[6], int64_t deadline)
{
	struct sysv_caller c = caller(t);
	struct sembuf fast[16];
	cleanup_free struct sembuf *many = NULL;
	struct sembuf *ops = fast;
	size_t n = (uint32_t)a[2];
	int rc;

	if (!n)
		return -EINVAL;
	if (n > SYSV_SEM_OPS_MAX)
		return -E2BIG;
	if (n > ARRAY_LEN(fast))
		ops = many = xcalloc(n, sizeof(*many));
	rc = sys_copy_in(t, ops, a[1], n * sizeof(*ops));
	return rc ? rc : sem_operate(&c, (int)a[0], ops, n, deadline);
}

long sys_semop(struct task *t, const uint64_t a[6])
{
	return operate(t, a, WAIT_FOREVER);
}

long sys_semtimedop(struct task *t, const uint64_t a[6])
{
	int64_t deadline;
	int rc = sys_deadline(t, a[3], &deadline);

	return rc ? rc : operate(t, a, deadline);
}

static long sem_arrays(struct task *t, const struct sysv_caller *c, int id, int cmd, uint64_t at)
{
	cleanup_free uint16_t *values = NULL;
	int n = sem_count(c, id), rc = 0;

	if (n < 0)
		return n;
	values = xcalloc((size_t)n, sizeof(*values));
	if (cmd == SETALL)
		rc = sys_copy_in(t, values, at, (size_t)n * sizeof(*values));
	if (!rc)
		rc = sem_all(c, id, cmd, values, (size_t)n);
	if (!rc && cmd == GETALL)
		rc = sys_copy_out(t, at, values, (size_t)n * sizeof(*values));
	return rc;
}

static long sem_infos(struct task *t, const struct sysv_caller *c, uint64_t at)
{
	struct seminfo info;
	int highest = sem_info_fill(c, &info);

	return answer(t, highest, at, &info, sizeof(info));
}

long sys_semctl(struct task *t, const uint64_t a[6])
{
	struct sysv_caller c = caller(t);
	int cmd = INFO_ANY((int)a[2]);
	struct semid_ds ds;
	long rc;

	if (cmd == GETALL || cmd == SETALL)
		return sem_arrays(t, &c, (int)a[0], cmd, a[3]);
	if (cmd == IPC_INFO || cmd == SEM_INFO)
		return sem_infos(t, &c, a[3]);
	rc = settings(t, cmd, &ds, a[3], sizeof(ds));
	if (!rc)
		rc = sem_control(&c, (int)a[0], (int)a[1], cmd, (int)a[3], &ds);
	if (cmd != IPC_STAT && cmd != SEM_STAT && cmd != SEM_STAT_ANY)
		return rc;
	return answer(t, rc, a[3], &ds, sizeof(ds));
}

/* --- message queues ------------------------------------------------------------------------- */

long sys_msgget(struct task *t, const uint64_t a[6])
{
	struct sysv_caller c = caller(t);

	return msg_get(&c, (key_t)a[0], (int)a[1]);
}

long sys_msgsnd(struct task *t, const uint64_t a[6])
{
	struct sysv_caller c = caller(t);
	cleanup_free void *data = NULL;
	long type;
	int rc;

	if (a[2] > SYSV_MSG_MAX || (int)a[0] < 0)
		return -EINVAL;
	rc = sys_copy_in(t, &type, a[1], sizeof(type));
	data = xmalloc(a[2] + 1);
	if (!rc)
		rc = sys_copy_in(t, data, a[1] + sizeof(type), a[2]);
	return rc ? rc : msg_send(&c, (int)a[0], type, data, a[2], (int)a[3]);
}

long sys_msgrcv(struct task *t, const uint64_t a[6])
{
	struct sysv_caller c = caller(t);
	cleanup_free void *data = NULL;
	long type;
	ssize_t n;
	int rc;

	if ((ssize_t)a[2] < 0 || (int)a[0] < 0)
		return -EINVAL;
	n = msg_receive(&c, (int)a[0], a[2], (long)a[3], (int)a[4], &type, &data);
	if (n < 0)
		return n;
	rc = sys_copy_out(t, a[1], &type, sizeof(type));
	if (!rc)
		rc = sys_copy_out(t, a[1] + sizeof(type), data, (size_t)n);
	return rc ? rc : n;
}

static long msg_infos(struct task *t, const struct sysv_caller *c, uint64_t at)
{
	struct msginfo info;
	int highest = msg_info_fill(c, &info);

	return answer(t, highest, at, &info, sizeof(info));
}

long sys_msgctl(struct task *t, const uint64_t a[6])
{
	struct sysv_caller c = caller(t);
	int cmd = INFO_ANY((int)a[1]);
	struct msqid_ds ds;
	long rc;

	if (cmd == IPC_INFO || cmd == MSG_INFO)
		return msg_infos(t, &c, a[2]);
	rc = settings(t, cmd, &ds, a[2], sizeof(ds));
	if (!rc)
		rc = msg_control(&c, (int)a[0], cmd, &ds);
	if (cmd != IPC_STAT && cmd != MSG_STAT && cmd != MSG_STAT_ANY)
		return rc;
	return answer(t, rc, a[2], &ds, sizeof(ds));
}
