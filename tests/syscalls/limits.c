/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits, priorities, scheduling, prctl, system information.
 */
#include <sched.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "tests/syscalls/check.h"

static void test_rlimit(void)
{
	struct rlimit l, old;

	is(CALL(SYS_getrlimit, RLIMIT_NOFILE, &l), 0, "getrlimit");
	ok(l.rlim_cur > 0 && l.rlim_cur <= l.rlim_max, "is a limit");
	is(in_child({
		   l.rlim_cur = 20;
		   if (CALL(SYS_setrlimit, RLIMIT_NOFILE, &l))
			   _exit(1);
		   CALL(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &old);
		   if (old.rlim_cur != 20)
			   _exit(2);
		   for (int i = 0; i < 40; i++)
			   if (dup(1) < 0)
				   _exit(errno == EMFILE ? 0 : 3);
		   _exit(4);
	   }),
	   0, "descriptors are limited");
	is(in_child({
		   l.rlim_cur = l.rlim_max = 50;
		   CALL(SYS_prlimit64, 0, RLIMIT_NOFILE, &l, NULL);
		   setuid(5);
		   l.rlim_max = 60;
		   _exit(CALL(SYS_setrlimit, RLIMIT_NOFILE, &l) != -EPERM);
	   }),
	   0, "a hard limit stays");
	is(in_child({
		   l.rlim_cur = l.rlim_max = 64 << 20;
		   setrlimit(RLIMIT_AS, &l);
		   if (malloc(128 << 20))
			   _exit(1);
		   _exit(errno != ENOMEM);
	   }),
	   0, "memory is limited");
	l.rlim_cur = 5;
	l.rlim_max = 4;
	is(CALL(SYS_setrlimit, RLIMIT_CORE, &l), -EINVAL, "soft over hard");
	is(CALL(SYS_getrlimit, 99, &l), -EINVAL, "no such limit");
	is(CALL(SYS_getrlimit, RLIMIT_CORE, edge(8)), -EFAULT, "bad address");
	is(CALL(SYS_setrlimit, RLIMIT_CORE, edge(8)), -EFAULT, "bad address to read");
	is(CALL(SYS_prlimit64, 0x3ffffff, RLIMIT_CORE, NULL, &l), -ESRCH, "of nobody");
}

static void test_priority(void)
{
	is(CALL(SYS_getpriority, PRIO_PROCESS, 0), 20, "nice 0 is told as 20");
	is(in_child({
		   if (CALL(SYS_setpriority, PRIO_PROCESS, 0, 5) ||
		       CALL(SYS_getpriority, PRIO_PROCESS, 0) != 15)
			   _exit(1);
		   if (CALL(SYS_setpriority, PRIO_PROCESS, 0, 100) ||
		       CALL(SYS_getpriority, PRIO_PROCESS, 0) != 1)
			   _exit(2);
		   _exit(0);
	   }),
	   0, "nicer");
	is(CALL(SYS_getpriority, 9, 0), -EINVAL, "unknown kind");
	is(CALL(SYS_getpriority, PRIO_PROCESS, 0x3ffffff), -ESRCH, "of nobody");
	is(CALL(SYS_setpriority, PRIO_PROCESS, 0x3ffffff, 1), -ESRCH, "for nobody");
}

static void test_sched(void)
{
	struct sched_param p = { 0 };
	struct timespec ts;
	unsigned long mask[16] = { 0 };
	unsigned int cpu = 9999;

	is(CALL(SYS_sched_yield), 0, "sched_yield");
	is(CALL(SYS_sched_getscheduler, 0), SCHED_OTHER, "the usual class");
	is(CALL(SYS_sched_getparam, 0, &p), 0, "sched_getparam");
	is(p.sched_priority, 0, "without a priority");
	is(CALL(SYS_sched_setscheduler, 0, SCHED_BATCH, &p), 0, "batch");
	is(CALL(SYS_sched_getscheduler, 0), SCHED_BATCH, "is told");
	is(CALL(SYS_sched_setscheduler, 0, SCHED_OTHER, &p), 0, "and back");
	p.sched_priority = 5;
	is(CALL(SYS_sched_setscheduler, 0, SCHED_OTHER, &p), -EINVAL, "no priority there");
	is(CALL(SYS_sched_setscheduler, 0, 77, &p), -EINVAL, "no such class");
	is(CALL(SYS_sched_setscheduler, 0x3ffffff, SCHED_OTHER, &(struct sched_param){ 0 }), -ESRCH,
	   "for nobody");
	is(CALL(SYS_sched_getscheduler, -1), -EINVAL, "negative number");
	is(CALL(SYS_sched_getscheduler, 0x3ffffff), -ESRCH, "of nobody");
	is(CALL(SYS_sched_getparam, 0, edge(2)), -EFAULT, "bad address");
	is(CALL(SYS_sched_get_priority_max, SCHED_FIFO), 99, "highest priority");
	is(CALL(SYS_sched_get_priority_min, SCHED_FIFO), 1, "lowest");
	is(CALL(SYS_sched_get_priority_max, 77), -EINVAL, "of no class");
	is(CALL(SYS_sched_rr_get_interval, 0, &ts), 0, "a slice");
	ok(CALL(SYS_sched_getaffinity, 0, sizeof(mask), mask) >= 8, "affinity");
	ok(mask[0] != 0, "some CPU");
	is(CALL(SYS_sched_setaffinity, 0, sizeof(mask), mask), 0, "the same again");
	memset(mask, 0, sizeof(mask));
	is(CALL(SYS_sched_setaffinity, 0, sizeof(mask), mask), -EINVAL, "none");
	is(CALL(SYS_sched_getaffinity, 0, 3, mask), -EINVAL, "bad size");
	is(CALL(SYS_sched_getaffinity, 0x3ffffff, sizeof(mask), mask), -ESRCH, "of nobody");
	is(CALL(SYS_sched_getaffinity, 0, sizeof(mask), edge(2)), -EFAULT, "bad address");
	is(CALL(SYS_getcpu, &cpu, NULL, NULL), 0, "getcpu");
	ok(cpu < 1024, "is a CPU");
	is(CALL(SYS_getcpu, edge(2), NULL, NULL), -EFAULT, "bad address");
}

/* The child holds a pipe open for as long as it lives. */
static void test_parent_death(void)
{
	int p[2];
	char c;

	pipe(p);
	is(in_child({
		   if (fork() == 0) {
			   prctl(PR_SET_PDEATHSIG, SIGKILL);
			   write(p[1], "x", 1);
			   for (;;)
				   pause();
		   }
		   read(p[0], &c, 1);
	   }),
	   0, "a parent ends");
	close(p[1]);
	is(CALL(SYS_read, p[0], &c, 1), 0, "who asked for it goes with its parent");
	close(p[0]);
}

static void test_prctl(void)
{
	char name[17] = { 0 };
	int value = -1;

	is(CALL(SYS_prctl, PR_SET_NAME, "a-name-that-is-too-long"), 0, "a name");
	is(CALL(SYS_prctl, PR_GET_NAME, name), 0, "ask for it");
	ok(!strcmp(name, "a-name-that-is-"), "it is cut");
	is(CALL(SYS_prctl, PR_SET_NAME, BAD), -EFAULT, "bad name");
	is(CALL(SYS_prctl, PR_SET_PDEATHSIG, SIGTERM), 0, "death signal");
	is(CALL(SYS_prctl, PR_GET_PDEATHSIG, &value), 0, "ask for it");
	is(value, SIGTERM, "it is what was set");
	CALL(SYS_prctl, PR_SET_PDEATHSIG, 0);
	is(CALL(SYS_prctl, PR_SET_PDEATHSIG, 99), -EINVAL, "no such signal");
	is(CALL(SYS_prctl, PR_GET_DUMPABLE), 1, "dumpable");
	is(CALL(SYS_prctl, PR_SET_DUMPABLE, 9), -EINVAL, "only yes or no");
	is(CALL(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1), 0, "subreaper");
	is(CALL(SYS_prctl, PR_GET_CHILD_SUBREAPER, &value), 0, "ask for it");
	is(value, 1, "it is one");
	CALL(SYS_prctl, PR_SET_CHILD_SUBREAPER, 0);
	is(CALL(SYS_prctl, PR_SET_TIMERSLACK, 1000), 0, "timer slack");
	is(CALL(SYS_prctl, PR_GET_TIMERSLACK), 1000, "is kept");
	is(CALL(SYS_prctl, 0x7fffffff), -EINVAL, "no such option");
	is(in_child({
		   if (CALL(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) < 0)
			   _exit(1);
		   if (CALL(SYS_prctl, PR_SET_NO_NEW_PRIVS, 2, 0, 0, 0) != -EINVAL)
			   _exit(2);
		   CALL(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		   _exit(CALL(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1);
	   }),
	   0, "no new privileges");
	test_parent_death();
}

static void test_system(void)
{
	struct utsname u;
	struct sysinfo s;
	char random[64] = { 0 }, zeros[64] = { 0 };

	is(CALL(SYS_uname, &u), 0, "uname");
	ok(!strcmp(u.sysname, "Linux") && !strcmp(u.machine, "x86_64"), "is Linux");
	is(CALL(SYS_uname, edge(100)), -EFAULT, "bad address");
	is(CALL(SYS_sysinfo, &s), 0, "sysinfo");
	ok(s.totalram > 0 && s.uptime > 0 && s.procs > 0, "says something");
	is(CALL(SYS_sysinfo, edge(8)), -EFAULT, "bad address");
	is(CALL(SYS_getrandom, random, 64, 0), 64, "randomness");
	ok(memcmp(random, zeros, 64), "is not 0");
	is(CALL(SYS_getrandom, edge(0), 16, 0), -EFAULT, "bad address");
	is(CALL(SYS_getrandom, random, 8, 0x100), -EINVAL, "unknown flags");
	is(CALL(SYS_personality, 0xffffffff), 0, "personality");
	is(CALL(SYS_membarrier, 0, 0, 0) > 0, 1, "membarrier tells what it can");
	is(CALL(SYS_membarrier, 12345, 0, 0), -EINVAL, "and what not");
	ok(CALL(SYS_syslog, 10, NULL, 0) >= 0, "the size of the log");
	is(in_child({
		   setuid(5);
		   _exit(CALL(SYS_sethostname, "x", 1) != -EPERM);
	   }),
	   0, "names are not for users");
}

int main(void)
{
	test_rlimit();
	test_priority();
	test_sched();
	test_prctl();
	test_system();
	return tap_done();
}
