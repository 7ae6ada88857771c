/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends all processes of a cgroup.
 *
 * v2 does it in one write to cgroup.kill.  On v1 the members are listed and signalled; if some
 * are left after that (they fork), they are frozen while this is done.  A frozen process of v1
 * does not die before it is thawed, so each round ends with thawing, nested cgroups included.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "runtimes/cgroup/cgroup.h"
#include "runtimes/cgroup/file.h"

#define DEPTH_MAX    64
#define PAUSE_MIN_US 300
#define PAUSE_MAX_US 10000

/* thaw() - @dirfd and all below; each has a state of its own.  Takes @dirfd. */
static void thaw(int dirfd, unsigned int depth)
{
	DIR *dir = dirfd < 0 ? NULL : fdopendir(dirfd);
	struct dirent *e;
	int fd;

	if (!dir) {
		if (dirfd >= 0)
			close(dirfd);
		return;
	}
	fd = openat(dirfd, "freezer.state", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, "THAWED", 6) < 0)
			depth = DEPTH_MAX; /* going away */
		close(fd);
	}
	while (depth < DEPTH_MAX && (e = readdir(dir)))
		if (e->d_type == DT_DIR && !str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			thaw(openat(dirfd, e->d_name,
				    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
			     depth + 1);
	closedir(dir);
}

static void thaw_all(const char *path)
{
	const struct hierarchy *h = hierarchy_with("freezer");
	char *dir cleanup_free = h ? hierarchy_path(h, path, NULL) : NULL;

	if (dir)
		thaw(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
}

/*
 * kill_newborn() - of a hybrid host: processes are born in the cgroup of version 2, and may not
 * have joined the others yet.
 */
static size_t kill_newborn(const struct hierarchies *all, const char *path)
{
	pid_t *pids cleanup_free = NULL;
	size_t n = 0;

	if (!all->unified || all->unified == all->primary ||
	    cgroup_file_pids(all->unified, path, &pids, &n, NULL) < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (pids[i] != getpid())
			process_kill(pids[i], SIGKILL); /* refused for what it cannot see */
	return n;
}

/*
 * signal_members() - one round.  Return: how many are left to wait for, or an error; this process
 * and what it cannot see (pid 0: another pid namespace) are errors before anything is signalled.
 */
static int signal_members(const char *path, bool freeze, size_t *ret_count, pid_t *ret_one,
			  struct error *err)
{
	const struct hierarchies *all = hierarchies_get();
	const struct hierarchy *freezer = freeze ? hierarchy_with("freezer") : NULL;
	pid_t *pids cleanup_free = NULL;
	int rc;

	if (freezer && !freezer->unified)
		cgroup_file_write(freezer, path, "freezer.state", "FROZEN");
	rc = cgroup_pids(path, &pids, ret_count, err);
	for (size_t i = 0; i < *ret_count && rc == 0; i++) {
		if (pids[i] == getpid())
			rc = error_set(err, EBUSY, "cgroup %s: this process is in it", path);
		else if (pids[i] <= 1)
			rc = error_set(err, EPERM,
				       "cgroup %s: has a process that cannot be "
				       "signalled from here",
				       path);
	}
	if (rc == 0 && *ret_count > 0 &&
	    (all->version == 1 || cgroup_file_write(all->unified, path, "cgroup.kill", "1") < 0))
		for (size_t i = 0; i < *ret_count; i++)
			process_kill(pids[i], SIGKILL);
	if (all->version == 1 && (freeze || *ret_count > 0))
		thaw_all(path);
	*ret_one = rc == 0 && *ret_count > 0 ? pids[*ret_count - 1] : 0;
	if (rc == 0 && *ret_count == 0)
		*ret_count = kill_newborn(all, path);
	return rc;
}

/* wait_for() - until @pid (0: nobody known) has ended, but for @pause_us at most. */
static void wait_for(pid_t pid, useconds_t pause_us)
{
	int fd cleanup_close = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (fd < 0)
		usleep(MIN(pause_us, (useconds_t)PAUSE_MIN_US));
	else
		poll(&p, 1, (int)(pause_us / 1000) + 1);
}

int cgroup_kill(const char *path, int timeout_ms, struct error *err)
{
	int64_t deadline_ns = clock_monotonic_ns() + timeout_ms * INT64_C(1000000);
	useconds_t pause_us = PAUSE_MIN_US;
	size_t left = 0;

	for (int round = 0;; round++) {
		struct error why = ERROR_INIT;
		pid_t one = 0;
		int rc = signal_members(path, round % 4 == 3, &left, &one, &why);

		if (rc == -ENOENT)
			return 0; /* gone, and its processes before it */
		if (rc < 0)
			return error_copy(err, &why);
		if (left == 0)
			return 0;
		if (clock_monotonic_ns() >= deadline_ns)
			return error_set(
				err, ETIMEDOUT,
				"cgroup %s: %zu processes did not end in %d ms after "
				"SIGKILL; they may hang in the kernel (see /proc/PID/stack)",
				path, left, timeout_ms);
		wait_for(one, pause_us);
		pause_us = MIN(pause_us * 2, (useconds_t)PAUSE_MAX_US);
	}
}
