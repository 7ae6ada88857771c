/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroups of this host, whatever version it has, below /bh-test-<pid>.
 *
 * What kills runs in a pid namespace of its own.
 */
#include "runtimes/cgroup/cgroup.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/fork.h"
#include "base/mem.h"
#include "base/path.h"
#include "runtimes/cgroup/hierarchy.h"
#include "tests/unit/tap.h"

static char top[64], leaf[128], nested[160], other[160];

static pid_t fork_in(const char *path)
{
	struct fork_cgroups g cleanup(fork_cgroups_close) = FORK_CGROUPS_INIT;
	pid_t pid = cgroup_open(path, &g, NULL) < 0 ? -1 : fork_into(&g, 0);

	if (pid == 0 && fork_join(&g) < 0)
		_exit(1);
	return pid;
}

/* join() - this process moves there. */
static bool join(const char *path)
{
	const struct hierarchies *all = hierarchies_get();
	bool good = all->count > 0;

	for (size_t i = 0; i < all->count; i++) {
		char *procs cleanup_free = hierarchy_path(&all->list[i], path, "cgroup.procs");

		good &= fd_write_file(AT_FDCWD, procs, "0", NULL) == 0;
	}
	return good;
}

static void sleeper(const char *path)
{
	if (fork_in(path) == 0)
		for (;;)
			pause();
}

/* A chain of short-lived processes: each is gone soon after its pid was read. */
static void forker(const char *path)
{
	if (fork_in(path) == 0) {
		while (fork() == 0)
			;
		_exit(0);
	}
}

static size_t wait_for(const char *path, size_t want)
{
	size_t n = 0;

	for (int i = 0; i < 1000 && n != want; i++) {
		pid_t *pids = NULL;

		if (cgroup_pids(path, &pids, &n, NULL) < 0)
			n = 0;
		free(pids);
		usleep(2000);
	}
	return n;
}

static void test_make(void)
{
	struct strlist names cleanup_strlist = { 0 };
	struct error err = ERROR_INIT;

	ok(cgroup_version() == 1 || cgroup_version() == 2, "version %d", cgroup_version());
	cgroup_controllers(&names);
	ok(names.count > 0, "%zu controllers", names.count);
	ok(!cgroup_exists(leaf), "not there yet");
	is_int(cgroup_create(leaf, &err), 0, "made, parents too");
	is_int(cgroup_create(leaf, &err), 0, "twice");
	ok(cgroup_exists(leaf) && cgroup_exists(top), "there");
	is_int(cgroup_create("/../x", &err), -EINVAL, "no way out of the root");
	is_int(cgroup_create("/", &err), -EINVAL, "nor the root itself");
	is_int(cgroup_remove("/", &err), -EINVAL, "which is never removed");
}

static char *read_file(const char *controller, const char *file)
{
	const struct hierarchy *h = hierarchy_with(controller);
	char *path cleanup_free = h ? hierarchy_path(h, leaf, file) : NULL;
	struct strbuf text = { 0 };

	if (path)
		fd_read_file(AT_FDCWD, path, 65536, &text, NULL);
	if (text.len > 0 && text.data[text.len - 1] == '\n')
		text.data[text.len - 1] = '\0';
	return strbuf_steal(&text);
}

static void file_is(const char *controller, const char *file, const char *want)
{
	char *text cleanup_free = read_file(controller, file);

	is_str(text, want, file);
}

static void test_limits_v1(void)
{
	struct cgroup_limits l = { .cpu_period_us = 50000,
				   .cpu_quota_us = 20000,
				   .cpu_shares = 512,
				   .memory_limit_bytes = 64 << 20,
				   .memory_swap_limit_bytes = 64 << 20,
				   .pids_limit = 77,
				   .cpuset_cpus = "0" };
	struct cgroup_unified key = { "memory.high", "1" };
	struct cgroup_hugepage page = { "2MB", 0 };
	struct error err = ERROR_INIT;
	char *all_cpus cleanup_free = read_file("cpuset", "cpuset.cpus");

	ok(strlen(all_cpus) > 0, "a new cpuset has its parent's cpus: %s", all_cpus);
	if (!is_int(cgroup_update(leaf, &l, &err), 0, "limits"))
		printf("# %s\n", err.text);
	file_is("cpu", "cpu.cfs_period_us", "50000");
	file_is("cpu", "cpu.cfs_quota_us", "20000");
	file_is("cpu", "cpu.shares", "512");
	file_is("memory", "memory.limit_in_bytes", "67108864");
	file_is("memory", "memory.memsw.limit_in_bytes", "67108864");
	file_is("pids", "pids.max", "77");
	file_is("cpuset", "cpuset.cpus", "0");

	l = (struct cgroup_limits){ .memory_limit_bytes = 128 << 20 };
	is_int(cgroup_update(leaf, &l, &err), 0, "memory raised alone");
	file_is("memory", "memory.memsw.limit_in_bytes", "134217728");
	l.memory_limit_bytes = 32 << 20;
	is_int(cgroup_update(leaf, &l, &err), 0, "and lowered");
	file_is("memory", "memory.limit_in_bytes", "33554432");
	file_is("memory", "memory.memsw.limit_in_bytes", "33554432");

	l = (struct cgroup_limits){ .cpu_shares = 2048,
				    .memory_limit_bytes = 256 << 20,
				    .pids_limit = 5,
				    .cpuset_cpus = "4000" };
	ok(cgroup_update(leaf, &l, &err) < 0 && strstr(err.text, "cpuset.cpus"), "%s", err.text);
	l = (struct cgroup_limits){ .cpu_shares = 2048,
				    .memory_limit_bytes = 256 << 20,
				    .pids_limit = INT64_MAX };
	ok(cgroup_update(leaf, &l, &err) < 0 && strstr(err.text, "pids.max"), "%s", err.text);
	file_is("cpu", "cpu.shares", "512");
	file_is("memory", "memory.limit_in_bytes", "33554432");
	file_is("memory", "memory.memsw.limit_in_bytes", "33554432");

	l = (struct cgroup_limits){ .cpu_shares = 2048, .unified = &key, .n_unified = 1 };
	ok(cgroup_update(leaf, &l, &err) == -EINVAL && strstr(err.text, "memory.high"), "%s",
	   err.text);
	l = (struct cgroup_limits){ .cpu_shares = 9, .hugepages = &page, .n_hugepages = 1 };
	is_int(cgroup_update(leaf, &l, &err), 0, "no huge pages on a host without them");
	page.size = "../x";
	is_int(cgroup_update(leaf, &l, &err), -EINVAL, "a page size that is a path");
	l = (struct cgroup_limits){ .memory_limit_bytes = -1,
				    .pids_limit = -1,
				    .cpu_quota_us = -1,
				    .cpu_shares = 1 << 30 };
	is_int(cgroup_update(leaf, &l, &err), 0, "all lifted");
	file_is("pids", "pids.max", "max");
	file_is("cpu", "cpu.cfs_quota_us", "-1");
	file_is("cpu", "cpu.shares", "262144");
	l.memory_limit_bytes = 64 << 20;
	l.memory_swap_limit_bytes = 32 << 20;
	is_int(cgroup_update(leaf, &l, &err), -EINVAL, "memory+swap below memory");
	is_int(cgroup_update("/bh-test-none", &l, &err), -ENOENT, "no such cgroup");
}

static void test_stats(void)
{
	struct cgroup_stats s;
	struct error err = ERROR_INIT;

	is_int(cgroup_stats_read(leaf, &s, &err), 0, "statistics");
	ok(s.time_ns > 0, "have a time");
	ok(s.cpu_usage_ns != UINT64_MAX && s.cpu_usage_ns < 3600000000000ULL, "cpu time");
	ok(s.memory_working_set <= s.memory_usage, "working set");
	ok(s.memory_limit == UINT64_MAX, "no limit");
	is_int(cgroup_process_count(leaf), 0, "no processes");
	ok(cgroup_process_count("/bh-test-none") == UINT64_MAX,
	   "where there is no cgroup it is unknown");
	is_int(cgroup_oom_kills(leaf), 0, "no kills");
	is_int(cgroup_oom_kills("/bh-test-none"), 0, "none where there is no cgroup");
	is_int(cgroup_stats_read("/bh-test-none", &s, &err), -ENOENT, "gone");
}

static void freeze(const char *path)
{
	const struct hierarchy *h = hierarchy_with("freezer");
	char *file cleanup_free = h ? hierarchy_path(h, path, "freezer.state") : NULL;

	if (file)
		fd_write_file(AT_FDCWD, file, "FROZEN", NULL);
}

/* Pid 1 of a pid namespace: whoever is forked here is adopted and reaped here. */
static int kill_tests(void)
{
	struct error err = ERROR_INIT;

	signal(SIGCHLD, SIG_IGN);
	is_int(cgroup_kill(leaf, 1000, &err), 0, "nobody to kill");
	for (int i = 0; i < 5; i++)
		sleeper(i % 2 ? other : nested);
	is_int(wait_for(leaf, 5), 5, "five processes, three of them far below");
	is_int(cgroup_process_count(leaf), 5, "are counted");
	ok(cgroup_remove(leaf, &err) == -EBUSY, "%s", err.text);
	freeze(nested);
	if (!is_int(cgroup_kill(leaf, 20000, &err), 0, "all are killed, frozen ones too"))
		printf("# %s\n", err.text);
	is_int(wait_for(leaf, 0), 0, "none is left");
	for (int i = 0; i < 4; i++)
		forker(other);
	usleep(20000);
	if (!is_int(cgroup_kill(leaf, 20000, &err), 0, "those that fork and end are caught"))
		printf("# %s\n", err.text);
	is_int(wait_for(leaf, 0), 0, "none of them is left");
	ok(join(other), "this process joins");
	is_int(cgroup_kill(leaf, 1000, &err), -EBUSY, "and does not kill itself");
	ok(join("/"), "it leaves");
	return tap_failed;
}

/* kill_apart() - kill_tests() in a pid namespace.  Return: the test count so far, 255: failed. */
static int kill_apart(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare(CLONE_NEWPID) < 0)
			_exit(255);
		pid = fork();
		if (pid == 0)
			_exit(kill_tests() || tap_count > 254 ? 255 : tap_count);
		waitpid(pid, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 255);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

int main(void)
{
	struct error err = ERROR_INIT;
	int status;

	if (geteuid() != 0) {
		skip("cgroups", "needs root");
		return tap_done();
	}
	snprintf(top, sizeof(top), "/bh-test-%d", getpid());
	snprintf(leaf, sizeof(leaf), "%s/pod", top);
	/* v2 has no processes beside cgroups, so none are put into the leaf itself */
	snprintf(other, sizeof(other), "%s/other", leaf);
	snprintf(nested, sizeof(nested), "%s/in/side", leaf);
	test_make();
	if (cgroup_version() == 1)
		test_limits_v1();
	is_int(cgroup_create(nested, &err), 0, "a nested one");
	is_int(cgroup_create(other, &err), 0, "and another");
	test_stats();
	fflush(stdout);
	status = kill_apart();
	if (status != 255)
		tap_count = status;
	ok(status != 255, "kill tests");
	if (!is_int(cgroup_remove(leaf, &err), 0, "removed, with those below"))
		printf("# %s\n", err.text);
	is_int(cgroup_remove(leaf, &err), 0, "again is fine");
	is_int(cgroup_remove(top, &err), 0, "the parent");
	ok(!cgroup_exists(top), "nothing is left");
	return tap_done();
}
