/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters of the guest, for calls that it would be answered without the kernel's help.
 *
 * Each test installs a filter in a child. Most filters look for one number and let the rest go.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include "tests/syscalls/check.h"

#define LOAD(field)	 BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS(value, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (n))
#define UNLESS_BIT(v, n) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (v), 0, (n))
#define ANSWER(action)	 BPF_STMT(BPF_RET | BPF_K, (action))
#define ALLOW		 ANSWER(SECCOMP_RET_ALLOW)
#define DENY		 (SECCOMP_RET_ERRNO | EPERM)

static char **own_argv;

static int put(struct sock_filter *code, unsigned short n)
{
	struct sock_fprog p = { n, code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p);
}

/* answer() - for one number. */
static void answer(long nr, uint32_t action)
{
	struct sock_filter code[] = { LOAD(nr), UNLESS(nr, 1), ANSWER(action), ALLOW };

	if (put(code, ARRAY_LEN(code)))
		_exit(98);
}

/* answer_arg() - for one number and one value of the low half of an argument. */
static void answer_arg(long nr, int arg, uint32_t value, uint32_t action)
{
	struct sock_filter code[] = { LOAD(nr),		UNLESS(nr, 3),	LOAD(args[0]),
				      UNLESS(value, 1), ANSWER(action), ALLOW };

	code[2].k += (uint32_t)arg * 8;
	if (put(code, ARRAY_LEN(code)))
		_exit(98);
}

/* denied() - the call is refused, in a child that installs the filter and then makes it often. */
#define denied(nr, expr, what)                     \
	is(in_child({                              \
		   for (int i_ = 0; i_ < 40; i_++) \
			   (void)(expr);           \
		   answer(nr, DENY);               \
		   for (int i_ = 0; i_ < 40; i_++) \
			   if ((expr) != -EPERM)   \
				   _exit(1);       \
	   }),                                     \
	   0, what)

static void test_each(void)
{
	static volatile uint32_t word;
	struct timespec t = { 0, 1 };
	struct sched_param p = { 0 };
	sigset_t set;
	void *m = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char pages[2];

	sigemptyset(&set);
	denied(SYS_getpid, CALL(SYS_getpid), "getpid");
	denied(SYS_gettid, CALL(SYS_gettid), "gettid");
	denied(SYS_geteuid, CALL(SYS_geteuid), "geteuid");
	denied(SYS_rt_sigprocmask, CALL(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 8),
	       "sigprocmask");
	denied(SYS_rt_sigaction, CALL(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 8), "sigaction");
	denied(SYS_sigaltstack, CALL(SYS_sigaltstack, NULL, NULL), "sigaltstack");
	denied(SYS_sched_yield, CALL(SYS_sched_yield), "sched_yield");
	denied(SYS_clock_gettime, CALL(SYS_clock_gettime, CLOCK_MONOTONIC, &t), "clock_gettime");
	denied(SYS_nanosleep, (t = (struct timespec){ 0, 1 }, CALL(SYS_nanosleep, &t, NULL)),
	       "nanosleep");
	denied(SYS_futex, CALL(SYS_futex, &word, FUTEX_WAKE, 1, NULL), "futex, wake");
	denied(SYS_futex, CALL(SYS_futex, &word, FUTEX_WAIT, 1, NULL), "futex, wait");
	denied(SYS_madvise, CALL(SYS_madvise, m, 4096, MADV_NORMAL), "madvise");
	denied(SYS_mincore, CALL(SYS_mincore, m, 4096, pages), "mincore");
	denied(SYS_mprotect, CALL(SYS_mprotect, m, 4096, PROT_READ), "mprotect");
	denied(SYS_brk, CALL(SYS_brk, 0), "brk");
	denied(SYS_sched_getparam, CALL(SYS_sched_getparam, 0, &p), "one of the kernel's own");
	munmap(m, 8192);
}

static void test_arguments(void)
{
	static volatile uint32_t word;
	void *m;

	is(in_child({
		   answer_arg(SYS_futex, 1, FUTEX_WAKE, DENY);
		   if (CALL(SYS_futex, &word, FUTEX_WAKE, 1, NULL) != -EPERM)
			   _exit(1);
		   if (CALL(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL) != 0)
			   _exit(2);
		   if (CALL(SYS_futex, &word, FUTEX_WAIT, 1, NULL) != -EAGAIN)
			   _exit(3);
	   }),
	   0, "one operation of futex");
	is(in_child({
		   struct sock_filter code[] = { LOAD(nr),
						 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1,
							  0),
						 UNLESS(SYS_mprotect, 3),
						 LOAD(args[2]),
						 UNLESS_BIT(PROT_EXEC, 1),
						 ANSWER(SECCOMP_RET_ERRNO | EACCES),
						 ALLOW };

		   if (put(code, ARRAY_LEN(code)))
			   _exit(1);
		   m = mmap(NULL, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		   if (m == MAP_FAILED || mprotect(m, 4096, PROT_READ))
			   _exit(2);
		   if (CALL(SYS_mprotect, m, 4096, PROT_READ | PROT_EXEC) != -EACCES)
			   _exit(3);
		   if (CALL(SYS_mmap, NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
		       -EACCES)
			   _exit(4);
		   if (CALL(SYS_munmap, m, 4096) || CALL(SYS_sched_yield))
			   _exit(5);
	   }),
	   0, "no executable memory");
}

static volatile int seen_nr, seen_errno, seen_code, seen_arch;
static volatile long seen_rax, seen_place;
static volatile int answer_with;

static void on_sigsys(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	seen_nr = info->si_syscall;
	seen_errno = info->si_errno;
	seen_code = info->si_code;
	seen_arch = (int)info->si_arch;
	seen_rax = uc->uc_mcontext.gregs[REG_RAX];
	seen_place = uc->uc_mcontext.gregs[REG_RIP] - (long)info->si_call_addr;
	if (answer_with)
		uc->uc_mcontext.gregs[REG_RAX] = answer_with;
	(void)signo;
}

static void test_trap(void)
{
	is(in_child({
		   struct sigaction a = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };
		   struct timespec t;

		   sigaction(SIGSYS, &a, NULL);
		   for (int i = 0; i < 40; i++)
			   CALL(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
		   answer(SYS_clock_gettime, SECCOMP_RET_TRAP | 99);
		   if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t) != SYS_clock_gettime)
			   _exit(1);
		   if (seen_nr != SYS_clock_gettime || seen_errno != 99 || seen_code != 1)
			   _exit(2);
		   if (seen_rax != SYS_clock_gettime || seen_place != 0)
			   _exit(3);
		   if (seen_arch != (int)AUDIT_ARCH_X86_64)
			   _exit(4);
		   answer_with = 4711;
		   if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t) != 4711)
			   _exit(5);
	   }),
	   0, "SIGSYS for clock_gettime, whose handler gives the answer");
	is(in_child({
		   struct sigaction a = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

		   sigaction(SIGSYS, &a, NULL);
		   answer(SYS_sched_yield, SECCOMP_RET_TRAP);
		   if (syscall(SYS_sched_yield) != SYS_sched_yield)
			   _exit(1);
		   _exit(seen_nr != SYS_sched_yield || seen_place != 0);
	   }),
	   0, "for sched_yield");
	is(in_child({
		   answer(SYS_getpid, SECCOMP_RET_TRAP);
		   syscall(SYS_getpid);
	   }),
	   SIGSYS, "without a handler it is the end");
}

static void *yield(void *arg)
{
	syscall(SYS_sched_yield);
	return arg;
}

static void *try_getpid(void *arg)
{
	*(long *)arg = CALL(SYS_getpid);
	return NULL;
}

static void test_actions(void)
{
	is(in_child({
		   answer(SYS_sched_yield, SECCOMP_RET_KILL_PROCESS);
		   syscall(SYS_sched_yield);
	   }),
	   SIGSYS, "a forbidden call kills the process");
	is(in_child({
		   pthread_t t;

		   answer(SYS_sched_yield, SECCOMP_RET_KILL_THREAD);
		   pthread_create(&t, NULL, yield, NULL);
		   pthread_join(t, NULL);
		   _exit(5);
	   }),
	   5 << 8, "or the thread");
	is(in_child({
		   answer(SYS_getuid, SECCOMP_RET_LOG);
		   _exit(CALL(SYS_getuid) < 0);
	   }),
	   0, "what is logged is allowed");
	is(in_child({
		   answer(SYS_getgid, SECCOMP_RET_TRACE);
		   _exit(CALL(SYS_getgid) != -ENOSYS);
	   }),
	   0, "without a tracer a call to be traced is none");
	is(in_child({
		   answer(SYS_getgid, SECCOMP_RET_ERRNO);
		   _exit(CALL(SYS_getgid) != 0);
	   }),
	   0, "error 0 is success");
	is(in_child({
		   answer(SYS_getpid, SECCOMP_RET_ERRNO | 5);
		   answer(SYS_getpid, SECCOMP_RET_ERRNO | 6);
		   if (CALL(SYS_getpid) != -6)
			   _exit(1);
		   answer(SYS_getpid, SECCOMP_RET_TRACE);
		   if (CALL(SYS_getpid) != -6)
			   _exit(2);
	   }),
	   0, "of many filters the strictest, of those the last");
	is(in_child({
		   answer(SYS_rt_sigreturn, SECCOMP_RET_KILL_PROCESS);
		   on(SIGUSR1, check_noop, 0);
		   raise(SIGUSR1);
	   }),
	   SIGSYS, "the return from a handler is a call too");
	is(in_child({
		   answer(SYS_exit_group, DENY);
		   if (CALL(SYS_exit_group, 1) != -EPERM)
			   CALL(SYS_kill, CALL(SYS_getpid), SIGKILL);
		   CALL(SYS_exit, 6);
	   }),
	   6 << 8, "the end of the process as well");
}

static void test_inherited(void)
{
	char *argv[] = { own_argv[0], (char *)"again", NULL };

	is(in_child({
		   answer(SYS_sched_yield, DENY);
		   answer(SYS_getpid, DENY);
		   _exit(in_child({
				 if (CALL(SYS_getpid) != -EPERM || CALL(SYS_sched_yield) != -EPERM)
					 _exit(1);
			 }) >>
			 8);
	   }),
	   0, "a child has its parent's filters");
	is(in_child({
		   pthread_t t;
		   long rc = 0;

		   answer(SYS_getpid, DENY);
		   pthread_create(&t, NULL, try_getpid, &rc);
		   pthread_join(t, NULL);
		   _exit(rc != -EPERM);
	   }),
	   0, "a thread too");
	is(in_child({
		   answer(SYS_sched_yield, DENY);
		   answer(SYS_getpid, DENY);
		   if (vfork() == 0)
			   _exit(CALL(SYS_sched_yield) != -EPERM);
		   if (CALL(SYS_sched_yield) != -EPERM)
			   _exit(2);
		   execv("/proc/self/exe", argv);
		   _exit(3);
	   }),
	   0, "and the next program");
}

int main(int argc, char **argv)
{
	own_argv = argv;
	if (argc > 1)
		return CALL(SYS_getpid) != -EPERM || CALL(SYS_sched_yield) != -EPERM;
	test_each();
	test_arguments();
	test_trap();
	test_actions();
	test_inherited();
	return tap_done();
}
