/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads: clone, join, thread-directed signals, futexes between threads and processes, robust
 * mutexes, exit of the first thread.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/prctl.h>

#include "tests/syscalls/check.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *count(void *unused)
{
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return unused;
}

static void test_join(void)
{
	pthread_t t[8];
	int good = 0;

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		good += pthread_create(&t[i], NULL, count, NULL) == 0;
	is(good, 8, "eight threads begin");
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		pthread_join(t[i], NULL);
	is(counter, 16000, "and count under one mutex");
	for (int i = 0; i < 200; i++) {
		pthread_create(&t[0], NULL, count, NULL);
		pthread_join(t[0], NULL);
	}
	is(counter, 416000, "two hundred, one after another");
}

static volatile pid_t tid, handler_tid;
static volatile int go;

static void who(int signo)
{
	(void)signo;
	handler_tid = (pid_t)CALL(SYS_gettid);
}

static void *wait_for_signal(void *unused)
{
	tid = (pid_t)CALL(SYS_gettid);
	__atomic_store_n(&go, 1, __ATOMIC_SEQ_CST);
	pause();
	return unused;
}

static void test_ids(void)
{
	pthread_t t;

	go = 0;
	on(SIGUSR1, who, 0);
	pthread_create(&t, NULL, wait_for_signal, NULL);
	while (!go)
		usleep(1000);
	ok(tid != getpid() && tid > 0, "a thread has a number of its own");
	is(CALL(SYS_gettid), getpid(), "the first one has the process's");
	usleep(20000);
	is(CALL(SYS_tgkill, getpid(), tid, SIGUSR1), 0, "a signal for it");
	pthread_join(t, NULL);
	is(handler_tid, tid, "is taken by it");
	is(CALL(SYS_tgkill, getpid(), tid, 0), -ESRCH, "then its number is nobody's");
}

static void *block_all(void *unused)
{
	sigset_t set;

	sigfillset(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	tid = (pid_t)CALL(SYS_gettid);
	__atomic_store_n(&go, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&go, __ATOMIC_SEQ_CST) == 1)
		usleep(1000);
	return unused;
}

static void test_process_signals(void)
{
	sigset_t set;
	pthread_t t;

	go = 0;
	pthread_create(&t, NULL, block_all, NULL);
	while (!go)
		usleep(1000);
	handler_tid = 0;
	kill(getpid(), SIGUSR1);
	is(handler_tid, getpid(), "a signal for the process finds a thread that takes it");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGUSR1);
	handler_tid = 0;
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	is(handler_tid, getpid(), "or waits until one does");
	go = 2;
	pthread_join(t, NULL);
}

static void *leave(void *unused)
{
	usleep(30000);
	exit(5);
	return unused;
}

static void *outlive(void *unused)
{
	usleep(50000);
	syscall(SYS_exit, 7);
	return unused;
}

static void *pause_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void test_exit(void)
{
	pthread_t t;

	is(in_child({
		   pthread_create(&t, NULL, leave, NULL);
		   for (;;)
			   pause();
	   }),
	   5 << 8, "exit_group by one thread ends all");
	is(in_child({
		   pthread_create(&t, NULL, outlive, NULL);
		   syscall(SYS_exit, 3);
	   }),
	   7 << 8, "a process ends with its last thread");
	is(killed_while({
		   pthread_create(&t, NULL, pause_for_ever, NULL);
		   pause_for_ever(NULL);
	   }),
	   SIGKILL, "SIGKILL ends all threads");
	is(in_child({
		   pthread_create(&t, NULL, pause_for_ever, NULL);
		   usleep(10000);
		   raise(SIGTERM);
	   }),
	   SIGTERM, "a deadly signal to one ends all");
}

/* --- futexes ------------------------------------------------------------------------------------
 */

static long futex(uint32_t *word, int op, uint32_t value, const struct timespec *ts)
{
	return CALL(SYS_futex, word, op, value, ts, NULL, 0);
}

static void test_futex(void)
{
	uint32_t word = 5, *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec ts = { 0, 20000000 }, bad = { 0, 2000000000 };
	int64_t start = now_ms();
	int status;

	is(futex(&word, FUTEX_WAIT, 4, NULL), -EAGAIN, "another value");
	is(futex(&word, FUTEX_WAIT, 5, &ts), -ETIMEDOUT, "a timeout");
	ok(now_ms() - start >= 19, "not before its time");
	is(futex(&word, FUTEX_WAIT, 5, &bad), -EINVAL, "a bad time");
	is(futex((uint32_t *)((char *)&word + 1), FUTEX_WAIT, 5, NULL), -EINVAL, "an odd address");
	is(futex(BAD, FUTEX_WAIT, 5, NULL), -EFAULT, "a bad address");
	is(futex(&word, FUTEX_WAKE, 1, NULL), 0, "nobody to wake");
	is(futex(&word, 99, 1, NULL), -ENOSYS, "an unknown operation");
	interrupted(futex(&word, FUTEX_WAIT, 5, NULL), -EINTR, "a signal");
	*shared = 1;
	if (!fork()) {
		usleep(30000);
		*shared = 2;
		_exit(futex(shared, FUTEX_WAKE, 1, NULL) == 1 ? 0 : 1);
	}
	while (*shared == 1)
		is(futex(shared, FUTEX_WAIT, 1, NULL), 0,
		   "a shared one is woken by another process");
	wait(&status);
	is(status, 0, "who knows how many");
	is(killed_while(futex(&word, FUTEX_WAIT, 5, NULL)), SIGKILL, "a waiter can be killed");
	munmap(shared, 4096);
}

static void test_process_shared(void)
{
	struct {
		sem_t a, b;
	} *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	sem_init(&s->a, 1, 0);
	sem_init(&s->b, 1, 0);
	if (!fork()) {
		for (int i = 0; i < 500; i++) {
			sem_wait(&s->a);
			sem_post(&s->b);
		}
		_exit(0);
	}
	for (int i = 0; i < 500; i++) {
		sem_post(&s->a);
		sem_wait(&s->b);
	}
	wait(&status);
	is(status, 0, "two processes pass a ball five hundred times");
	munmap(s, 4096);
}

static void *lock_and_leave(void *robust)
{
	pthread_mutex_lock(robust);
	return NULL;
}

static void test_robust(void)
{
	pthread_mutex_t *m =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t a;
	pthread_t t;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(m, &a);
	pthread_create(&t, NULL, lock_and_leave, m);
	pthread_join(t, NULL);
	is(pthread_mutex_lock(m), EOWNERDEAD,
	   "a robust mutex tells of a thread that ended with it");
	pthread_mutex_consistent(m);
	pthread_mutex_unlock(m);
	in_child({
		pthread_mutex_lock(m);
		_exit(0);
	});
	is(pthread_mutex_lock(m), EOWNERDEAD, "and of a process");
	pthread_mutex_consistent(m);
	pthread_mutex_unlock(m);
	munmap(m, 4096);
}

static void test_pi(void)
{
	pthread_mutexattr_t a;
	pthread_mutex_t m;
	pthread_t t[4];

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	is(pthread_mutex_init(&m, &a), 0, "a mutex with priority inheritance");
	mutex = m;
	counter = 0;
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		pthread_create(&t[i], NULL, count, NULL);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		pthread_join(t[i], NULL);
	is(counter, 8000, "excludes as others do");
}

static void test_clone_errors(void)
{
	is(CALL(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, NULL, NULL, 0), -EINVAL,
	   "shared handlers without shared memory");
	is(CALL(SYS_clone, CLONE_THREAD | CLONE_VM | SIGCHLD, 0, NULL, NULL, 0), -EINVAL,
	   "a thread without shared handlers");
	is(CALL(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, 0, NULL, NULL, 0), -EINVAL,
	   "mounts of one's own and a shared root");
	is(CALL(SYS_clone3, NULL, 64), -EFAULT, "clone3 without arguments");
	is(CALL(SYS_clone3, NULL, 8), -EINVAL, "or with too few");
	is(CALL(SYS_set_robust_list, NULL, 5), -EINVAL, "a robust list of another size");
	is(CALL(SYS_set_tid_address, NULL), CALL(SYS_gettid), "set_tid_address answers the number");
	is(CALL(SYS_unshare, 0x1), -EINVAL, "unknown flags of unshare");
	is(CALL(SYS_unshare, CLONE_FS | CLONE_FILES), 0, "own directories and descriptors");
}

int main(void)
{
	test_join();
	test_ids();
	test_process_signals();
	test_exit();
	test_futex();
	test_process_shared();
	test_robust();
	test_pi();
	test_clone_errors();
	return tap_done();
}
