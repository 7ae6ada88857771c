/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stopping containers.
 *
 * No lock is held while a container uses its grace period, so stops of one pod's containers run
 * side by side, and a second stop with a shorter timeout kills sooner.  The kill does not need
 * the monitor: it goes to every process in the container's cgroup.
 */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>

#include "base/spawn.h"
#include "cri/pods/objects.h"
#include "runtimes/cgroup/cgroup.h"
#include "runtimes/monitor/client.h"

#define KILL_WAIT_MS 10000
#define EXIT_WAIT_NS (2 * INT64_C(1000000000)) /* for the monitor to report, after the kill */
#define SECOND_NS    INT64_C(1000000000)

static bool is_running(const struct container *c)
{
	return c->state == CONTAINER_RUNNING || c->state == CONTAINER_STARTING;
}

/* wait_exit() - Return: whether it has ended by @deadline_ns. */
static bool wait_exit(struct container *c, int64_t deadline_ns)
{
	struct pods *pods = c->pod->pods;
	bool ended;

	pods_lock(pods);
	while (is_running(c) && pods_wait(pods, deadline_ns))
		;
	ended = !is_running(c);
	pods_unlock(pods);
	return ended;
}

/* The first process only; a pidfd cannot hit another that got its number. */
static void send_signal(struct container *c, int signo)
{
	pods_lock(c->pod->pods);
	if (c->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, c->pidfd, signo, NULL, 0);
	pods_unlock(c->pod->pods);
}

/*
 * The monitor reports an exit within milliseconds.  When it does not (it may be stopped), what it
 * wrote to disk counts, else the exit is unknown.
 */
static void settle(struct container *c)
{
	struct monitor_exit e;
	bool known;

	if (wait_exit(c, clock_monotonic_ns() + EXIT_WAIT_NS))
		return;
	known = monitor_read_exit(c->pod->dir, c->id, &e, NULL) == 0;
	pods_lock(c->pod->pods);
	if (known)
		exits_apply(c, &e);
	else
		exits_unknown(c);
	pods_unlock(c->pod->pods);
}

int container_kill(struct container *c, struct error *err)
{
	bool running;
	int rc = 0;

	pods_lock(c->pod->pods);
	running = is_running(c);
	pods_unlock(c->pod->pods);
	if (running || cgroup_exists(c->cgroup)) {
		send_signal(c, SIGKILL);
		if (cgroup_exists(c->cgroup))
			rc = cgroup_kill(c->cgroup, KILL_WAIT_MS, err);
	}
	if (rc < 0)
		return error_wrap(err, "kill container %.13s", c->id);
	if (running)
		settle(c);
	return 0;
}

int container_stop(struct pods *pods, const char *id, int64_t timeout_s, struct error *err)
{
	struct container *c;
	bool running;
	int rc = pods_find_container(pods, id, &c, err);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	pods_lock(pods);
	running = is_running(c);
	pods_unlock(pods);
	if (running && timeout_s > 0) {
		int64_t wait_ns = MIN(timeout_s, INT64_C(1) << 30) * SECOND_NS;

		send_signal(c, c->stop_signal);
		running = !wait_exit(c, clock_monotonic_ns() + wait_ns);
	}
	if (running)
		rc = container_kill(c, err);
	container_put(c);
	return rc;
}
