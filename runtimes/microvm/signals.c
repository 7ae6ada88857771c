/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals that end the VMM.
 *
 * A handler may interrupt anything: it formats on the stack, writes one line and leaves.
 */
#include "runtimes/microvm/signals.h"

#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

static const struct {
	int signo, status;
	const char *name;
} fatal[] = {
	{ SIGSYS, EXIT_BAD_SYSCALL, "SIGSYS" }, { SIGBUS, EXIT_SIGBUS, "SIGBUS" },
	{ SIGSEGV, EXIT_SIGSEGV, "SIGSEGV" },	{ SIGXFSZ, EXIT_SIGXFSZ, "SIGXFSZ" },
	{ SIGXCPU, EXIT_SIGXCPU, "SIGXCPU" },	{ SIGHUP, EXIT_SIGHUP, "SIGHUP" },
	{ SIGILL, EXIT_SIGILL, "SIGILL" },
};

static void on_fatal(int signo, siginfo_t *info, void *context)
{
	(void)context;
	for (size_t i = 0; i < ARRAY_LEN(fatal); i++) {
		if (fatal[i].signo != signo)
			continue;
		if (signo == SIGSYS)
			log_error("Shutting down VM after intercepting a bad syscall (%d).",
				  info->si_syscall);
		else
			log_error("Shutting down VM after intercepting signal %d (%s), code %d.",
				  signo, fatal[i].name, info->si_code);
		_exit(fatal[i].status);
	}
}

void signals_init(void)
{
	struct sigaction action = { .sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigfillset(&action.sa_mask);
	for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
		sigaction(fatal[i].signo, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}
