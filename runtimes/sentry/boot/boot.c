/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start of the sentry.
 *
 * The launcher starts it as root with descriptors and nothing to open.  It makes namespaces of its
 * own, becomes a user that owns nothing, gives up every right, and only then reads a byte that a
 * bundle's author wrote.
 */
#include "runtimes/sentry/boot/boot.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtimes/sentry/boot/pod.h"
#include "runtimes/sentry/net/helper.h"
#include "runtimes/sentry/net/host.h"
#include "runtimes/sentry/net/inet.h"
#include "runtimes/sentry/sys/sys.h"
#include "runtimes/sentry/task/signal.h"

static int tell(char what)
{
	return fd_write_all(BOOT_FD_SYNC, &what, 1);
}

static int hear(char what, struct error *err)
{
	char got;
	ssize_t n;

	do
		n = read(BOOT_FD_SYNC, &got, 1);
	while (n < 0 && errno == EINTR);
	return n == 1 && got == what ? 0 : error_set(err, EPROTO, "the launcher has gone");
}

/* Every open file of a guest may be one of ours. */
static void raise_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

/* Idle memory counts: one arena, and freed pages go back. */
static void tune_memory(void)
{
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_TRIM_THRESHOLD, 256 << 10);
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
}

/* start_kernel() - the upcalls of the platform go to task/ and sys/. */
static int start_kernel(void)
{
	static struct platform_ops ops;

	ops.call = sys_call;
	ops.check = sys_check;
	task_upcalls(&ops);
	return platform_init(&ops);
}

static void launcher_gone(struct poller_watch *w, uint32_t events)
{
	if (!(events & (EPOLLHUP | EPOLLERR)))
		return;
	if (pod_is_empty())
		_exit(1);
	poller_remove(w);
	close(w->fd);
}

static struct poller_watch launcher = { .fn = launcher_gone };

static int start(struct error *err)
{
	int socks[GOFER_CONNECTIONS], rc;

	for (int i = BOOT_FD_CONTROL; i < BOOT_FD_GOFER + GOFER_CONNECTIONS; i++)
		fd_set_cloexec(i, true);
	for (int i = 0; i < GOFER_CONNECTIONS; i++)
		socks[i] = BOOT_FD_GOFER + i;
	rc = boot_enter_namespaces(err);
	if (rc == 0)
		rc = tell(BOOT_SYNC_NAMESPACE);
	if (rc == 0)
		rc = hear(BOOT_SYNC_MAPPED, err);
	if (rc == 0)
		rc = boot_confine(err);
	if (rc < 0)
		return rc;
	rc = poller_init();
	if (rc == 0)
		rc = start_kernel();
	if (rc < 0)
		return error_errno(err, -rc, "start the kernel");
	helper_use(BOOT_FD_HELPER);
	inet_use(&host_stack);
	pod_init(gofer_create(socks, GOFER_CONNECTIONS));
	launcher.fd = BOOT_FD_SYNC;
	rc = poller_add(&launcher);
	return rc < 0 ? error_errno(err, -rc, "watch the launcher") : tell(BOOT_SYNC_READY);
}

int boot_main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	int rc;

	log_init("bulkhead-sentry", LOG_LEVEL_INFO);
	if (argc > 2 && strcmp(argv[1], "--id") == 0)
		log_debug("boot pod=%s", argv[2]);
	signal(SIGPIPE, SIG_IGN);
	tune_memory();
	raise_limit();
	rc = start(&err);
	if (rc < 0) {
		log_error("%s", err.text);
		return 1;
	}
	rc = control_serve(BOOT_FD_CONTROL);
	log_error("control socket: %s", strerror(-rc));
	return 1;
}
