/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulkhead-stand-in: the host's name for a process of a guest.
 *
 * Container tools wait for the pid of --pid-file; the guest's process has none on the host that
 * lives as long.  So this one stands for it: it holds its stdio, passes signals on, and ends as it
 * ended.  Killed with SIGKILL, the sentry sees the socket close and kills the guest process.
 * Descriptor 3 is the socket to the sentry: signal numbers one way, the wait status the other.
 * With "tty" it leads a session of its own with descriptor 0 as terminal, to hear of its size.
 */
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "runtimes/sentry/standin/bare.h"

#define SOCKET	    3
#define N_SIGNALS   64
#define SA_RESTORER 0x04000000
#define CORE_LIMIT  4

enum { ILL = 4, TRAP = 5, BUS = 7, FPE = 8, KILL = 9, SEGV = 11, CHLD = 17, STOP = 19 };

/* As the host has it, not libc. */
struct action {
	void (*handler)(int signo); /* NULL: the usual */
	uint64_t flags;
	void (*restorer)(void);
	uint64_t mask;
};

int stand_in(uint64_t argc, char **argv);
void restorer(void);

BARE_START(stand_in);
/* clang-format off */
__asm__(".globl restorer\n"
	".hidden restorer\n"
	"restorer:\n"
	"	mov $15, %eax\n" /* rt_sigreturn */
	"	syscall\n");
/* clang-format on */

static void forward(int signo)
{
	uint32_t message = (uint32_t)signo;

	while (bare_call(__NR_write, SOCKET, (uint64_t)&message, sizeof(message), 0, 0) == -EINTR)
		;
}

static void set_action(int signo, const struct action *a)
{
	bare_call(__NR_rt_sigaction, (uint64_t)signo, (uint64_t)a, 0, sizeof(a->mask), 0);
}

/* Those that a program would not get from outside stay as they are. */
static void catch_signals(void)
{
	const uint64_t left = 1ull << ILL | 1ull << TRAP | 1ull << BUS | 1ull << FPE |
			      1ull << KILL | 1ull << SEGV | 1ull << CHLD | 1ull << STOP;
	struct action a = {
		.handler = forward, .flags = SA_RESTORER, .restorer = restorer, .mask = ~0ull
	};

	for (int signo = 1; signo <= N_SIGNALS; signo++)
		if (signo == N_SIGNALS || !(left >> signo & 1))
			set_action(signo, &a);
}

/* end_as() - by the same signal, or with the same code. */
static int end_as(int status)
{
	const uint64_t no_core[2] = { 0, 0 };
	struct action usual = { .handler = NULL };
	int signo = WTERMSIG(status);
	uint64_t pid = (uint64_t)bare_call(__NR_getpid, 0, 0, 0, 0, 0);

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	bare_call(__NR_setrlimit, CORE_LIMIT, (uint64_t)no_core, 0, 0, 0);
	set_action(signo, &usual);
	bare_call(__NR_tgkill, pid, pid, (uint64_t)signo, 0, 0);
	return 128 + signo;
}

int stand_in(uint64_t argc, char **argv)
{
	const char *word = argc == 2 ? argv[1] : "";
	bool help = bare_same(word, "--help");
	int32_t status;
	long n;

	if (bare_same(word, "--version")) {
		bare_print(1, "bulkhead-stand-in " BULKHEAD_VERSION "\n");
		return 0;
	}
	if (argc > 2 || (argc == 2 && !bare_same(word, "tty"))) {
		bare_print(help ? 1 : 2, "usage: bulkhead-stand-in [tty]\n"
					 "Started by bulkhead-sentry; of no use by hand.\n");
		return help ? 0 : 2;
	}
	catch_signals();
	if (argc == 2)
		bare_call(__NR_ioctl, 0, TIOCSCTTY, 0, 0, 0);
	do
		n = bare_call(__NR_read, SOCKET, (uint64_t)&status, sizeof(status), 0, 0);
	while (n == -EINTR);
	if (n != sizeof(status))
		status = KILL; /* the sentry is gone, and every guest with it */
	return end_as(status);
}
