/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Benchmark guest: signals and faults.
 */
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/guest/guest.h"

#define PAGE 4096

static volatile sig_atomic_t got;
static char *page;
static pid_t other;

static void send(pid_t pid, int sig)
{
	guest_must(syscall(SYS_kill, pid, sig), "kill");
}

static void handle(int sig, void (*fn)(int))
{
	struct sigaction sa = { .sa_handler = fn };

	sigemptyset(&sa.sa_mask);
	guest_must(sigaction(sig, &sa, NULL), "sigaction");
}

static void note(int sig)
{
	(void)sig;
	got = 1;
}

static void self_begin(void)
{
	handle(SIGUSR1, note);
}

static void do_self(long n)
{
	while (n--)
		raise(SIGUSR1);
}

/* One turn is a signal to the other process and one back: two. */
static void answer(int sig)
{
	(void)sig;
	send(getppid(), SIGUSR2);
}

static void other_begin(void)
{
	sigset_t set, old;

	handle(SIGUSR1, answer);
	handle(SIGUSR2, note);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	guest_must(sigprocmask(SIG_BLOCK, &set, &old), "sigprocmask");
	other = (pid_t)guest_must(fork(), "fork");
	if (other == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			sigsuspend(&old);
	}
}

static void do_other(long n)
{
	sigset_t none;

	sigemptyset(&none);
	while (n--) {
		got = 0;
		send(other, SIGUSR1);
		while (!got)
			sigsuspend(&none);
	}
}

static void other_end(void)
{
	sigset_t none;

	send(other, SIGKILL);
	guest_must(waitpid(other, NULL, 0), "waitpid");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void open_page(int sig)
{
	(void)sig;
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

static void fault_begin(void)
{
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	guest_must(page == MAP_FAILED ? -1 : 0, "mmap");
	*page = 1;
	handle(SIGSEGV, open_page);
}

/* A write barrier as garbage collectors have it: the handler opens the page. */
static void do_fault(long n)
{
	while (n--) {
		mprotect(page, PAGE, PROT_NONE);
		*(volatile char *)page = 1;
	}
}

static void fault_end(void)
{
	handle(SIGSEGV, SIG_DFL);
	munmap(page, PAGE);
}

const struct measure measures_signal[] = {
	{ "signal_self", do_self, self_begin, NULL },
	{ "signal_pair", do_other, other_begin, other_end },
	{ "segv_handler", do_fault, fault_begin, fault_end },
	{ NULL, NULL, NULL, NULL },
};
