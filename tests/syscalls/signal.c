/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals: actions, masks, queues, kill and its kin, sigsuspend, sigtimedwait, alternate stacks.
 */
#include <setjmp.h>
#include <ucontext.h>

#include "tests/syscalls/check.h"

static volatile int calls, last_signo, last_code, last_value, last_pid;
static volatile uint64_t mask_inside;

static void note(int signo, siginfo_t *info, void *context)
{
	(void)context;
	calls++;
	last_signo = signo;
	last_code = info->si_code;
	last_value = info->si_int;
	last_pid = info->si_pid;
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask_inside, 8);
}

static void handle(int signo, int flags, int also_mask)
{
	struct sigaction a = { .sa_sigaction = note, .sa_flags = SA_SIGINFO | flags };

	if (also_mask)
		sigaddset(&a.sa_mask, also_mask);
	sigaction(signo, &a, NULL);
	calls = 0;
}

static uint64_t bit(int signo)
{
	return 1ull << (signo - 1);
}

static void set_mask(uint64_t mask)
{
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8);
}

static void test_kill(void)
{
	handle(SIGUSR1, 0, 0);
	is(CALL(SYS_kill, getpid(), SIGUSR1), 0, "kill oneself");
	is(calls, 1, "the handler has run");
	ok(last_signo == SIGUSR1 && last_code == SI_USER && last_pid == getpid(), "and knows who");
	is(CALL(SYS_kill, getpid(), 0), 0, "signal 0 only asks");
	is(CALL(SYS_kill, getpid(), 65), -EINVAL, "no such signal");
	is(CALL(SYS_kill, getpid(), -1), -EINVAL, "nor a negative one");
	is(CALL(SYS_kill, 0x3ffffff, SIGUSR1), -ESRCH, "no such process");
	is(CALL(SYS_kill, -0x3ffffff, SIGUSR1), -ESRCH, "no such group");
	is(CALL(SYS_tkill, CALL(SYS_gettid), SIGUSR1), 0, "tkill");
	is(last_code, SI_TKILL, "which says so");
	is(CALL(SYS_tgkill, getpid(), CALL(SYS_gettid), SIGUSR1), 0, "tgkill");
	is(calls, 3, "each ran the handler");
	is(CALL(SYS_tgkill, getpid(), 0x3ffffff, SIGUSR1), -ESRCH, "no such thread");
	is(CALL(SYS_tgkill, getpid() + 1, CALL(SYS_gettid), SIGUSR1), -ESRCH,
	   "not of that process");
	is(CALL(SYS_tgkill, 0, CALL(SYS_gettid), SIGUSR1), -EINVAL, "number 0");
	is(CALL(SYS_tkill, -1, SIGUSR1), -EINVAL, "negative number");
}

static void test_mask(void)
{
	uint64_t set = bit(SIGUSR1), old = 0, pending = 0;

	handle(SIGUSR1, 0, SIGUSR2);
	handle(SIGUSR2, 0, 0);
	is(CALL(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 8), 0, "block one");
	kill(getpid(), SIGUSR1);
	is(calls, 0, "it waits");
	is(CALL(SYS_rt_sigpending, &pending, 8), 0, "sigpending");
	is(pending, bit(SIGUSR1), "shows it");
	is(CALL(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, &old, 8), 0, "unblock it");
	is(calls, 1, "and it is there before the call returns");
	is(old, bit(SIGUSR1), "the old mask");
	is(mask_inside, bit(SIGUSR1) | bit(SIGUSR2), "inside, the signal and sa_mask are blocked");
	CALL(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &old, 8);
	is(old, 0, "afterwards not");
	handle(SIGUSR1, SA_NODEFER, 0);
	kill(getpid(), SIGUSR1);
	is(mask_inside, 0, "SA_NODEFER blocks nothing");
	handle(SIGUSR1, SA_RESETHAND, 0);
	kill(getpid(), SIGUSR1);
	is(in_child(kill(getpid(), SIGUSR1)), SIGUSR1, "SA_RESETHAND: the second one is deadly");
	set = ~0ull;
	CALL(SYS_rt_sigprocmask, SIG_SETMASK, &set, NULL, 8);
	CALL(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &old, 8);
	is(old, ~(bit(SIGKILL) | bit(SIGSTOP)), "SIGKILL and SIGSTOP are never blocked");
	set_mask(0);
	is(CALL(SYS_rt_sigprocmask, 9, &set, NULL, 8), -EINVAL, "unknown how");
	is(CALL(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4), -EINVAL, "wrong size");
	is(CALL(SYS_rt_sigprocmask, SIG_BLOCK, edge(4), NULL, 8), -EFAULT, "bad set");
	is(CALL(SYS_rt_sigprocmask, SIG_BLOCK, NULL, edge(4), 8), -EFAULT, "bad old set");
	is(CALL(SYS_rt_sigpending, edge(4), 8), -EFAULT, "bad pending set");
	is(CALL(SYS_rt_sigpending, &old, 16), -EINVAL, "pending set too large");
}

static void test_actions(void)
{
	struct {
		void *handler;
		uint64_t flags;
		void *restorer;
		uint64_t mask;
	} a = { 0 }, old;

	handle(SIGUSR1, SA_RESTART, 0);
	is(CALL(SYS_rt_sigaction, SIGUSR1, NULL, &old, 8), 0, "ask for an action");
	ok(old.handler == (void *)note && (old.flags & SA_RESTART), "it is what was set");
	a.handler = SIG_IGN;
	is(CALL(SYS_rt_sigaction, SIGKILL, &a, NULL, 8), -EINVAL, "SIGKILL cannot be ignored");
	is(CALL(SYS_rt_sigaction, SIGSTOP, &a, NULL, 8), -EINVAL, "nor SIGSTOP");
	is(CALL(SYS_rt_sigaction, SIGKILL, NULL, &old, 8), 0, "but asked for");
	is(CALL(SYS_rt_sigaction, 0, &a, NULL, 8), -EINVAL, "no signal 0");
	is(CALL(SYS_rt_sigaction, 65, &a, NULL, 8), -EINVAL, "no signal 65");
	is(CALL(SYS_rt_sigaction, SIGUSR1, &a, NULL, 4), -EINVAL, "wrong size");
	is(CALL(SYS_rt_sigaction, SIGUSR1, edge(8), NULL, 8), -EFAULT, "bad action");
	is(CALL(SYS_rt_sigaction, SIGUSR1, NULL, edge(8), 8), -EFAULT, "bad old action");
	is(CALL(SYS_rt_sigaction, SIGUSR1, &a, NULL, 8), 0, "ignore one");
	kill(getpid(), SIGUSR1);
	ok(true, "it does nothing");
}

static void test_queue(void)
{
	siginfo_t info = { .si_signo = SIGRTMIN, .si_code = SI_QUEUE };
	sigset_t set;

	handle(SIGRTMIN, 0, 0);
	set_mask(bit(SIGRTMIN));
	for (int i = 1; i <= 3; i++) {
		info.si_int = i;
		is(CALL(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, &info), 0, "queue one");
	}
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	is(CALL(SYS_rt_sigtimedwait, &set, &info, NULL, 8), SIGRTMIN, "take one");
	is(info.si_int, 1, "the oldest");
	is(info.si_code, SI_QUEUE, "as it was sent");
	set_mask(0);
	is(calls, 2, "the others run the handler");
	is(last_value, 3, "in order");
	info.si_code = SI_USER;
	is(CALL(SYS_rt_sigqueueinfo, getppid(), SIGRTMIN, &info) == 0, 0,
	   "nobody may look like kill to others");
	is(CALL(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, edge(8)), -EFAULT, "bad siginfo");
	info.si_code = SI_QUEUE;
	is(CALL(SYS_rt_tgsigqueueinfo, getpid(), CALL(SYS_gettid), SIGRTMIN, &info), 0,
	   "to a thread");
	is(CALL(SYS_rt_tgsigqueueinfo, 0, CALL(SYS_gettid), SIGRTMIN, &info), -EINVAL, "number 0");
}

static void test_timedwait(void)
{
	uint64_t set = bit(SIGUSR1);
	struct timespec ts = { 0, 20000000 };
	siginfo_t info;
	int64_t start = now_ms();

	set_mask(bit(SIGUSR1));
	is(CALL(SYS_rt_sigtimedwait, &set, &info, &ts, 8), -EAGAIN, "none comes in time");
	ok(now_ms() - start >= 19, "it has waited");
	kill(getpid(), SIGUSR1);
	is(CALL(SYS_rt_sigtimedwait, &set, edge(16), &ts, 8), -EFAULT, "bad siginfo");
	kill(getpid(), SIGUSR1);
	ts.tv_nsec = 2000000000;
	is(CALL(SYS_rt_sigtimedwait, &set, &info, &ts, 8), -EINVAL, "bad time");
	is(CALL(SYS_rt_sigtimedwait, &set, &info, NULL, 4), -EINVAL, "bad size");
	is(CALL(SYS_rt_sigtimedwait, edge(4), &info, NULL, 8), -EFAULT, "bad set");
	is(CALL(SYS_rt_sigtimedwait, &set, &info, NULL, 8), SIGUSR1, "one that waits already");
	is(info.si_code, SI_USER, "from kill");
	interrupted(CALL(SYS_rt_sigtimedwait, &set, &info, NULL, 8), -EINTR, "another interrupts");
	if (!fork()) {
		usleep(30000);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	is(CALL(SYS_rt_sigtimedwait, &set, &info, NULL, 8), SIGUSR1, "one that comes later");
	wait(NULL);
	is(killed_while(CALL(SYS_rt_sigtimedwait, &set, &info, NULL, 8)), SIGKILL, "killed in it");
	set_mask(0);
}

static void test_suspend(void)
{
	uint64_t none = 0, old;

	handle(SIGUSR1, 0, 0);
	set_mask(bit(SIGUSR1));
	kill(getpid(), SIGUSR1);
	is(CALL(SYS_rt_sigsuspend, &none, 8), -EINTR, "sigsuspend ends by what waited");
	is(calls, 1, "whose handler has run");
	CALL(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &old, 8);
	is(old, bit(SIGUSR1), "the old mask is back");
	is(CALL(SYS_rt_sigsuspend, &none, 4), -EINVAL, "wrong size");
	is(CALL(SYS_rt_sigsuspend, edge(4), 8), -EFAULT, "bad mask");
	interrupted(CALL(SYS_rt_sigsuspend, &none, 8), -EINTR, "by what comes");
	set_mask(0);
	interrupted(CALL(SYS_pause), -EINTR, "pause too");
	on(SIGALRM, check_noop, SA_RESTART);
	after_ms(20);
	is(CALL(SYS_pause), -EINTR, "even with SA_RESTART");
	is(killed_while(pause()), SIGKILL, "a paused process can be killed");
}

static volatile uintptr_t stack_seen;

static void see_stack(int signo)
{
	(void)signo;
	stack_seen = (uintptr_t)__builtin_frame_address(0);
}

static void test_altstack(void)
{
	static char space[65536];
	stack_t s = { .ss_sp = space, .ss_size = sizeof(space) }, old;
	struct sigaction a = { .sa_handler = see_stack, .sa_flags = SA_ONSTACK };

	is(CALL(SYS_sigaltstack, &s, NULL), 0, "set an alternate stack");
	sigaction(SIGUSR2, &a, NULL);
	kill(getpid(), SIGUSR2);
	ok(stack_seen >= (uintptr_t)space && stack_seen < (uintptr_t)space + sizeof(space),
	   "handlers run on it");
	is(CALL(SYS_sigaltstack, NULL, &old), 0, "ask for it");
	ok(old.ss_sp == space && old.ss_size == sizeof(space), "it is what was set");
	s.ss_size = 100;
	is(CALL(SYS_sigaltstack, &s, NULL), -ENOMEM, "too small");
	s.ss_flags = 77;
	is(CALL(SYS_sigaltstack, &s, NULL), -EINVAL, "unknown flags");
	is(CALL(SYS_sigaltstack, edge(8), NULL), -EFAULT, "bad stack");
	s = (stack_t){ .ss_flags = SS_DISABLE };
	is(CALL(SYS_sigaltstack, &s, NULL), 0, "none again");
	kill(getpid(), SIGUSR2);
	ok(stack_seen < (uintptr_t)space || stack_seen >= (uintptr_t)space + sizeof(space),
	   "handlers run on the thread's own");
}

static sigjmp_buf jump;
static volatile uintptr_t fault_at;
static volatile int fault_code;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	(void)context;
	last_signo = signo;
	fault_at = (uintptr_t)info->si_addr;
	fault_code = info->si_code;
	siglongjmp(jump, 1);
}

static void test_faults(void)
{
	struct sigaction a = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	static volatile int zero;
	char *hole = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	     *text = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(hole, 4096);
	sigaction(SIGSEGV, &a, NULL);
	sigaction(SIGFPE, &a, NULL);
	sigaction(SIGILL, &a, NULL);
	if (!sigsetjmp(jump, 1))
		*(volatile char *)hole = 1;
	ok(last_signo == SIGSEGV && fault_at == (uintptr_t)hole && fault_code == SEGV_MAPERR,
	   "a hole is SIGSEGV with its address");
	if (!sigsetjmp(jump, 1))
		*(volatile char *)text = 1;
	ok(fault_at == (uintptr_t)text && fault_code == SEGV_ACCERR,
	   "so is what may not be written");
	if (!sigsetjmp(jump, 1))
		zero = 7 / zero;
	ok(last_signo == SIGFPE && fault_code == FPE_INTDIV, "division by 0 is SIGFPE");
	if (!sigsetjmp(jump, 1))
		asm volatile("ud2");
	is(last_signo, SIGILL, "a bad instruction is SIGILL");
	on(SIGSEGV, SIG_DFL, 0);
	is(in_child(*(volatile char *)hole = 1) & 0x7f, SIGSEGV, "without a handler it is deadly");
	on(SIGSEGV, SIG_IGN, 0);
	is(in_child(*(volatile char *)hole = 1) & 0x7f, SIGSEGV, "ignored too");
	on(SIGSEGV, SIG_DFL, 0);
}

static void test_stop_signals(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		on(SIGCONT, check_noop, 0);
		pause();
		_exit(5);
	}
	usleep(20000);
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGUSR2);
	usleep(20000);
	is(waitpid(pid, &status, WNOHANG), 0, "a stopped process takes no signals");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	pid = fork();
	if (!pid) {
		on(SIGCONT, check_noop, 0);
		pause();
		_exit(5);
	}
	usleep(20000);
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	is(status, 5 << 8, "continued, it runs its handler for SIGCONT");
}

static void test_restart(void)
{
	int fds[2];
	char c = 0;

	pipe(fds);
	on(SIGALRM, check_noop, 0);
	after_ms(30);
	is(CALL(SYS_read, fds[0], &c, 1), -EINTR, "read is interrupted");
	if (!fork()) {
		usleep(80000);
		write(fds[1], "x", 1);
		_exit(0);
	}
	on(SIGALRM, check_noop, SA_RESTART);
	after_ms(30);
	is(CALL(SYS_read, fds[0], &c, 1), 1, "with SA_RESTART it goes on");
	is(c, 'x', "to the byte");
	wait(NULL);
	is(killed_while(read(fds[0], &c, 1)), SIGKILL, "a reading process can be killed");
}

int main(void)
{
	test_kill();
	test_mask();
	test_actions();
	test_queue();
	test_timedwait();
	test_suspend();
	test_altstack();
	test_faults();
	test_stop_signals();
	test_restart();
	return tap_done();
}
