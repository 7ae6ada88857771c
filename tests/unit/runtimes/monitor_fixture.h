/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod directory, bundles and a real runtime for monitor_test.c.
 *
 * Everything runs in a pid and mount namespace of its own: when the test ends, all that it started
 * ends with it.  The containers' rootfs is a read-only clone of the host's, handed over as the
 * server hands over overlays: as a detached mount.
 */
#ifndef TESTS_UNIT_RUNTIMES_MONITOR_FIXTURE_H
#define TESTS_UNIT_RUNTIMES_MONITOR_FIXTURE_H

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "runtimes/cgroup/cgroup.h"
#include "runtimes/monitor/client.h"
#include "tests/unit/tap.h"

#define LONG_NAME "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char top[64], dir[256], cgroup_top[96];

/* enter_namespaces() - Return in the first process of a new pid namespace; others never return. */
static inline void enter_namespaces(void)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
		return;
	pid = fork();
	if (pid > 0) {
		waitpid(pid, &status, 0);
		_exit(process_exit_code(status));
	}
	mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
}

static inline void make_pod(void)
{
	snprintf(top, sizeof(top), "/tmp/monitor-test-XXXXXX");
	if (!mkdtemp(top))
		exit(99);
	snprintf(dir, sizeof(dir), "%s/pods/%s", top, LONG_NAME);
	snprintf(cgroup_top, sizeof(cgroup_top), "/bulkhead-%s", top + 5);
	path_mkdirs(dir, 0755, NULL);
}

/* spawn_monitor() - for the pod in `dir`. */
static inline pid_t spawn_monitor(const char *runtime, struct error *err)
{
	const char *bin = getenv("BIN");
	char *program cleanup_free =
		bin ? path_join(bin, "bulkhead-monitor") : path_sibling_program("bulkhead-monitor");
	char *root cleanup_free = path_join(top, "runc");
	struct monitor_spawn s = { .program = program,
				   .id = LONG_NAME,
				   .dir = dir,
				   .netns_fd = -1,
				   .runtime = runtime,
				   .runtime_root = root,
				   .log_level = LOG_LEVEL_DEBUG };
	pid_t pid = 0;

	return monitor_spawn(&s, &pid, err) < 0 ? -1 : pid;
}

static inline char *in_pod(const char *format, const char *id)
{
	char *name cleanup_free = xasprintf("%s/%s", dir, format);
	char *at = strstr(name, "%s");

	return at ? xasprintf("%.*s%s%s", (int)(at - name), name, id, at + 2) : xstrdup(name);
}

static inline void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		exit(98);
	close(fd);
}

static inline void make_bundle(const char *id, const char *script, bool tty, long memory_bytes)
{
	char *bundle cleanup_free = in_pod("containers/%s", id);
	char *path cleanup_free = path_join(bundle, "config.json");
	char *memory cleanup_free =
		memory_bytes ? xasprintf("\"resources\":{\"memory\":{\"limit\":%ld,\"swap\":%ld}},",
					 memory_bytes, memory_bytes)
			     : xstrdup("");
	char *text cleanup_free = xasprintf(
		"{\"ociVersion\":\"1.0.2\",\"process\":{\"terminal\":%s,"
		"\"user\":{\"uid\":0,\"gid\":0},\"args\":%s,"
		"\"env\":[\"PATH=/usr/sbin:/usr/bin:/sbin:/bin\",\"TERM=xterm\"],\"cwd\":\"/\"},"
		"\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"mounts\":["
		"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
		"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"},"
		"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","
		"\"options\":[\"newinstance\",\"ptmxmode=0666\"]}],"
		"\"linux\":{%s\"cgroupsPath\":\"%s/%s\",\"namespaces\":[{\"type\":\"pid\"},"
		"{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"}]}}",
		tty ? "true" : "false", script, memory, cgroup_top, id);

	path_mkdirs(bundle, 0755, NULL);
	write_text(path, text);
}

#define SH(script) "[\"/bin/sh\",\"-c\",\"" script "\"]"

/* run_with() - @c has the flags and, if wanted, a log path. */
static inline int run_with(struct monitor_container *c, const char *args, long memory_bytes,
			   struct error *err)
{
	char *bundle cleanup_free = in_pod("containers/%s", c->id);
	char *target cleanup_free = xasprintf("containers/%s/rootfs", c->id);
	char *cgroup cleanup_free = xasprintf("%s/%s", cgroup_top, c->id);
	int fd cleanup_close = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	struct monitor_mount m = { fd, target };
	int64_t started_ns;
	pid_t pid;

	make_bundle(c->id, args, c->terminal, memory_bytes);
	c->bundle = bundle;
	c->cgroup = cgroup;
	c->mounts = &m;
	c->n_mounts = 1;
	return monitor_run(dir, c, 60000, &pid, &started_ns, err);
}

/* next_exit() - waits; the exit code, or -1. */
static inline int next_exit(int watch, struct monitor_exit *e)
{
	int rc;

	while ((rc = monitor_next_exit(watch, e)) == -EAGAIN)
		if (fd_wait(watch, POLLIN, 60000) != 1)
			return -1;
	return rc == 1 ? e->exit_code : -1;
}

static inline char *read_text(const char *path)
{
	struct strbuf b = { 0 };

	fd_read_file(AT_FDCWD, path, 4 << 20, &b, NULL);
	return strbuf_steal(&b);
}

/* read_end() - all of @fd until its end. */
static inline char *read_end(int fd)
{
	struct strbuf b = { 0 };
	char c[4096];
	ssize_t n;

	while (fd_wait(fd, POLLIN, 60000) == 1 && (n = read(fd, c, sizeof(c))) > 0)
		strbuf_append(&b, c, (size_t)n);
	return strbuf_steal(&b);
}

/* read_until() - until @text was seen. */
static inline bool read_until(int fd, const char *text)
{
	struct strbuf b cleanup_strbuf = { 0 };
	char c[4096];
	ssize_t n;

	while (!b.data || !strstr(b.data, text)) {
		if (fd_wait(fd, POLLIN, 60000) != 1 || (n = read(fd, c, sizeof(c))) <= 0)
			return false;
		strbuf_append(&b, c, (size_t)n);
	}
	return true;
}

/* gone() - waits until @pid is no more, or only a zombie. */
static inline bool gone(pid_t pid)
{
	for (int i = 0; i < 1000; i++) {
		char *path cleanup_free = xasprintf("/proc/%d/stat", pid);
		char *text cleanup_free = read_text(path);
		const char *p = strrchr(text, ')');

		if (!p || p[2] == 'Z')
			return true;
		usleep(20000);
	}
	return false;
}

#define PROCESS(args)                                                      \
	"{\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\",\"args\":" args "," \
	"\"env\":[\"PATH=/usr/sbin:/usr/bin:/sbin:/bin\"]}"
#define TTY_PROCESS(args)                                                                    \
	"{\"terminal\":true,\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\",\"args\":" args "," \
	"\"env\":[\"PATH=/usr/sbin:/usr/bin:/sbin:/bin\"]}"

/* exec_in() - output and errors in one pipe, *ret_out its read end. */
static inline int exec_in(const char *id, const char *process, struct monitor_exec_handle *h,
			  int *ret_out, struct error *err)
{
	int p[2];
	struct monitor_exec e = { .container_id = id, .process_json = process };
	int rc;

	if (pipe2(p, O_CLOEXEC) < 0)
		exit(97);
	e.stdio[0] = -1;
	e.stdio[1] = e.stdio[2] = p[1];
	*h = (struct monitor_exec_handle){ -1, -1, 0 };
	rc = monitor_exec_start(dir, &e, 60000, h, err);
	close(p[1]);
	*ret_out = p[0];
	return rc;
}

#endif
