/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulkhead-pause: PID 1 of a sandbox container.
 *
 * It reaps what is reparented to it and ends on SIGTERM or SIGINT.  Nothing else: it holds a
 * pod's shared pid namespace open.  Linked statically; the rootfs holds only this program.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int usage(FILE *to, int code)
{
	fputs("usage: bulkhead-pause [--version | --help]\n"
	      "Waits for SIGTERM or SIGINT and reaps children: the first process of a pod.\n",
	      to);
	return code;
}

static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* The kernel drops signals without a handler that are sent to PID 1: they are waited for. */
static int wait_for_end(void)
{
	sigset_t set;
	int signo;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return 1;
	reap();
	for (;;) {
		if (sigwait(&set, &signo) != 0)
			continue;
		if (signo != SIGCHLD)
			return 0;
		reap();
	}
}

int main(int argc, char **argv)
{
	if (argc == 1)
		return wait_for_end();
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("bulkhead-pause " BULKHEAD_VERSION);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage(stdout, 0);
	return usage(stderr, 2);
}
