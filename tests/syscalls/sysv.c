/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V IPC: shared memory, semaphores, message queues.
 */
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "tests/syscalls/check.h"

/* A key of this run: one that was left by another is not in the way. */
static key_t key;

static void test_shm(void)
{
	int id = (int)CALL(SYS_shmget, key, 8192, IPC_CREAT | IPC_EXCL | 0600), other;
	struct shmid_ds ds;
	char *p, *q;

	ok(id >= 0, "a segment");
	is(CALL(SYS_shmget, key, 8192, IPC_CREAT | IPC_EXCL | 0600), -EEXIST, "is there");
	is(CALL(SYS_shmget, key, 0, 0), id, "by its key");
	is(CALL(SYS_shmget, key, 100000, 0), -EINVAL, "it is not that large");
	is(CALL(SYS_shmget, key + 9, 4096, 0), -ENOENT, "another key");
	is(CALL(SYS_shmget, key + 9, 0, IPC_CREAT), -EINVAL, "no empty one");
	p = (char *)CALL(SYS_shmat, id, NULL, 0);
	ok(p > (char *)4096 && p[0] == 0 && p[8191] == 0, "attached it is zero");
	q = (char *)CALL(SYS_shmat, id, NULL, SHM_RDONLY);
	p[5000] = 7;
	is(q[5000], 7, "attached twice it is the same");
	is(in_child(p[1] = 9), 0, "a child has it");
	is(p[1], 9, "too");
	is(CALL(SYS_mprotect, q, 4096, PROT_READ | PROT_WRITE), -EACCES, "read-only it stays");
	is(CALL(SYS_shmctl, id, IPC_STAT, &ds), 0, "ask");
	ok(ds.shm_segsz == 8192 && ds.shm_nattch == 2 && ds.shm_cpid == getpid(), "it says so");
	is(ds.shm_perm.mode & 0777, 0600, "with its mode");
	is(CALL(SYS_shmctl, id, IPC_STAT, edge(8)), -EFAULT, "bad address");
	ds.shm_perm.mode = 0640;
	is(CALL(SYS_shmctl, id, IPC_SET, &ds), 0, "another mode");
	is(in_child({
		   setgid(5);
		   setuid(5);
		   _exit(CALL(SYS_shmat, id, NULL, 0) != -EACCES ||
			 CALL(SYS_shmctl, id, IPC_RMID, NULL) != -EPERM);
	   }),
	   0, "others may not");
	is(CALL(SYS_shmat, id, p + 1, 0), -EINVAL, "a bent place");
	is(CALL(SYS_shmat, 0x7ffffff, NULL, 0), -EINVAL, "no such segment");
	is(CALL(SYS_shmdt, q), 0, "detach one");
	is(CALL(SYS_shmdt, q), -EINVAL, "once");
	is(CALL(SYS_shmctl, id, IPC_RMID, NULL), 0, "remove it");
	is(p[5000], 7, "it is still attached");
	is(CALL(SYS_shmget, key, 0, 0), -ENOENT, "but not found");
	is(CALL(SYS_shmctl, id, IPC_STAT, &ds), 0, "by id it is");
	ok(ds.shm_perm.mode & SHM_DEST, "about to go");
	is(CALL(SYS_shmdt, p), 0, "with the last who has it");
	is(CALL(SYS_shmctl, id, IPC_STAT, &ds), -EINVAL, "it is gone");
	other = (int)CALL(SYS_shmget, IPC_PRIVATE, 4096, 0600);
	ok(other >= 0 && other != id, "a private one has another id");
	is(CALL(SYS_shmctl, other, 999, NULL), -EINVAL, "unknown command");
	is(CALL(SYS_shmctl, other, IPC_RMID, NULL), 0, "gone at once");
}

static long op(int id, int number, int value, int flags)
{
	struct sembuf b = { (unsigned short)number, (short)value, (short)flags };

	return CALL(SYS_semop, id, &b, 1);
}

static void test_sem(void)
{
	int id = (int)CALL(SYS_semget, key, 3, IPC_CREAT | IPC_EXCL | 0600);
	struct timespec ts = { 0, 20000000 };
	unsigned short all[3] = { 1, 2, 3 };
	struct sembuf two[2] = { { 0, -1, IPC_NOWAIT }, { 1, -9, IPC_NOWAIT } };
	struct sembuf take = { 0, -1, 0 };
	struct semid_ds ds;
	int64_t start;
	pid_t pid;

	ok(id >= 0, "a set");
	is(CALL(SYS_semget, key, 4, 0), -EINVAL, "it is not that large");
	is(CALL(SYS_semget, key + 9, 3, 0), -ENOENT, "another key");
	is(CALL(SYS_semget, IPC_PRIVATE, 0, 0600), -EINVAL, "no empty set");
	is(CALL(SYS_semctl, id, 0, GETVAL), 0, "values begin at 0");
	is(CALL(SYS_semctl, id, 0, SETVAL, 5), 0, "set one");
	is(CALL(SYS_semctl, id, 0, GETVAL), 5, "it is set");
	is(CALL(SYS_semctl, id, 0, SETVAL, 40000), -ERANGE, "too large");
	is(CALL(SYS_semctl, id, 9, GETVAL), -EINVAL, "no such semaphore");
	is(CALL(SYS_semctl, id, 0, SETALL, all), 0, "set all");
	memset(all, 0, sizeof(all));
	is(CALL(SYS_semctl, id, 0, GETALL, all), 0, "get all");
	ok(all[0] == 1 && all[1] == 2 && all[2] == 3, "they are set");
	is(CALL(SYS_semctl, id, 0, GETALL, edge(2)), -EFAULT, "bad address");
	is(op(id, 0, -1, 0), 0, "take one");
	is(CALL(SYS_semctl, id, 0, GETPID), getpid(), "it knows who");
	is(op(id, 0, -1, IPC_NOWAIT), -EAGAIN, "there is no more");
	is(op(id, 0, 0, 0), 0, "wait for 0");
	is(op(id, 1, 0, IPC_NOWAIT), -EAGAIN, "another is not");
	op(id, 0, 1, 0);
	is(CALL(SYS_semop, id, two, 2), -EAGAIN, "two at once, one too many");
	is(CALL(SYS_semctl, id, 0, GETVAL), 1, "then none");
	is(op(id, 9, 1, 0), -EFBIG, "no such semaphore to take");
	is(op(id, 0, 32767, 0), -ERANGE, "over the top");
	is(CALL(SYS_semop, id, two, 0), -EINVAL, "no operation");
	is(CALL(SYS_semop, id, two, 5000), -E2BIG, "too many");
	is(CALL(SYS_semop, id, edge(2), 1), -EFAULT, "bad operations");
	op(id, 0, -1, 0);
	start = now_ms();
	is(CALL(SYS_semtimedop, id, &take, 1, &ts), -EAGAIN, "none comes in time");
	ok(now_ms() - start >= 19, "it has waited");
	pid = fork();
	if (!pid) {
		usleep(30000);
		op(id, 0, 1, 0);
		_exit(0);
	}
	is(op(id, 0, -1, 0), 0, "one that comes later");
	waitpid(pid, NULL, 0);
	interrupted(op(id, 0, -1, 0), -EINTR, "a signal ends the wait");
	is(killed_while(op(id, 0, -1, 0)), SIGKILL, "so does death");
	is(in_child(op(id, 1, -1, SEM_UNDO)), 0, "take with SEM_UNDO");
	is(CALL(SYS_semctl, id, 1, GETVAL), 2, "the end of the process gives it back");
	pid = fork();
	if (!pid)
		_exit(op(id, 0, -1, 0) == -EIDRM ? 0 : 1);
	usleep(30000);
	is(CALL(SYS_semctl, id, 0, GETNCNT), 1, "somebody waits");
	is(CALL(SYS_semctl, id, 0, IPC_STAT, &ds), 0, "ask");
	is(ds.sem_nsems, 3, "for the size");
	is(CALL(SYS_semctl, id, 0, IPC_RMID), 0, "remove the set");
	is(({
		   int status;

		   waitpid(pid, &status, 0);
		   status;
	   }),
	   0, "who waited hears of it");
	is(op(id, 0, 1, 0), -EINVAL, "it is gone");
}

struct message {
	long type;
	char text[64];
};

static void test_msg(void)
{
	int id = (int)CALL(SYS_msgget, key, IPC_CREAT | IPC_EXCL | 0600), n = 0;
	struct message m = { 1, "first" };
	struct msqid_ds ds;
	pid_t pid;

	ok(id >= 0, "a queue");
	is(CALL(SYS_msgget, key + 9, 0), -ENOENT, "another key");
	is(CALL(SYS_msgsnd, id, &m, 6, 0), 0, "send");
	m = (struct message){ 3, "third" };
	CALL(SYS_msgsnd, id, &m, 6, 0);
	m = (struct message){ 2, "second" };
	CALL(SYS_msgsnd, id, &m, 7, 0);
	is(CALL(SYS_msgctl, id, IPC_STAT, &ds), 0, "ask");
	ok(ds.msg_qnum == 3 && ds.msg_lspid == getpid(), "three are there");
	is(CALL(SYS_msgrcv, id, &m, 64, 3, 0), 6, "by type");
	ok(m.type == 3 && !strcmp(m.text, "third"), "it is that one");
	is(CALL(SYS_msgrcv, id, &m, 3, 0, 0), -E2BIG, "too long");
	is(CALL(SYS_msgrcv, id, &m, 3, -2L, MSG_NOERROR), 3,
	   "unless it may be cut; the lowest type");
	is(m.type, 1, "was the first");
	is(CALL(SYS_msgrcv, id, &m, 64, 2, MSG_EXCEPT | IPC_NOWAIT), -ENOMSG, "none but that type");
	is(CALL(SYS_msgrcv, id, edge(4), 64, 0, 0), -EFAULT, "bad address");
	is(CALL(SYS_msgrcv, id, &m, 64, 0, IPC_NOWAIT), -ENOMSG, "costs the message");
	is(CALL(SYS_msgsnd, id, edge(4), 6, 0), -EFAULT, "bad message");
	m.type = 0;
	is(CALL(SYS_msgsnd, id, &m, 6, 0), -EINVAL, "no type");
	is(CALL(SYS_msgsnd, id, &m, 100000, 0), -EINVAL, "too long to send");
	is(CALL(SYS_msgsnd, 0x7ffffff, &(struct message){ 1, "" }, 1, 0), -EINVAL, "no such queue");
	m.type = 1;
	while (CALL(SYS_msgsnd, id, &m, 64, IPC_NOWAIT) == 0)
		n++;
	is(n, 16384 / 64, "a queue is full some time");
	is(CALL(SYS_msgsnd, id, &m, 64, IPC_NOWAIT), -EAGAIN, "and says so");
	interrupted(CALL(SYS_msgsnd, id, &m, 64, 0), -EINTR, "a signal ends the wait");
	while (CALL(SYS_msgrcv, id, &m, 64, 0, IPC_NOWAIT) >= 0)
		;
	interrupted(CALL(SYS_msgrcv, id, &m, 64, 0, 0), -EINTR, "also for a message");
	is(killed_while(CALL(SYS_msgrcv, id, &m, 64, 0, 0)), SIGKILL, "so does death");
	pid = fork();
	if (!pid) {
		usleep(30000);
		CALL(SYS_msgsnd, id, &m, 5, 0);
		_exit(0);
	}
	is(CALL(SYS_msgrcv, id, &m, 64, 0, 0), 5, "one that comes later");
	waitpid(pid, NULL, 0);
	is(CALL(SYS_msgctl, id, 999, NULL), -EINVAL, "unknown command");
	is(CALL(SYS_msgctl, id, IPC_RMID, NULL), 0, "remove it");
	is(CALL(SYS_msgctl, id, IPC_STAT, &ds), -EINVAL, "it is gone");
}

int main(void)
{
	key = 0x42570000 | (getpid() & 0xffff);
	test_shm();
	test_sem();
	test_msg();
	return tap_done();
}
