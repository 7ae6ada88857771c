/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a monitor.
 *
 * The listening socket is made here, so calls made right after cannot be refused; a pipe tells
 * whether the monitor came up.  Nothing that ends the server ends it: it has a session of its own
 * and its output goes to <dir>/monitor.log.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "runtimes/monitor/client.h"

#define READY_MS 5000

static const char *const level_names[] = { "error", "warn", "info", "debug" };

static void put_argv(const struct monitor_spawn *s, struct strlist *argv)
{
	strlist_add(argv, s->program);
	strlist_add(argv, "--id");
	strlist_add(argv, s->id);
	strlist_add(argv, "--dir");
	strlist_add(argv, s->dir);
	strlist_add(argv, "--runtime");
	strlist_add(argv, s->runtime);
	strlist_add(argv, "--root");
	strlist_add(argv, s->runtime_root);
	strlist_add(argv, "--log-level");
	strlist_add(argv, level_names[s->log_level]);
	strlist_add(argv, "--");
	for (const char *const *a = s->runtime_args; a && *a; a++)
		strlist_add(argv, *a);
}

static int start(const struct monitor_spawn *s, int listen_fd, int ready_fd, pid_t *ret_pid,
		 struct error *err)
{
	char *log cleanup_free = xasprintf("%s/monitor.log", s->dir);
	struct strlist argv cleanup_strlist = { 0 };
	int out cleanup_close = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	const int extra[] = { listen_fd, ready_fd };
	struct spawn p = SPAWN_INIT;

	put_argv(s, &argv);
	p.program = s->program;
	p.argv = (const char *const *)argv.items;
	p.stdio[1] = p.stdio[2] = out;
	p.extra_fds = extra;
	p.n_extra_fds = ARRAY_LEN(extra);
	p.ns_fds = &s->netns_fd;
	p.n_ns_fds = s->netns_fd >= 0;
	p.cgroups = s->cgroups;
	p.new_session = true;
	p.cwd = "/";
	return spawn_start(&p, ret_pid, NULL, err);
}

/* wait_ready() - it says "ok", or why not. */
static int wait_ready(int fd, struct error *err)
{
	char text[1024];
	ssize_t n = fd_wait(fd, POLLIN, READY_MS);

	if (n == 0)
		return error_set(err, ETIMEDOUT, "the monitor does not come up");
	if (n > 0)
		n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return error_set(err, EIO, "the monitor ended at once: see its monitor.log");
	text[n] = '\0';
	return str_eq(text, "ok") ? 0 : error_set(err, EIO, "%s", text);
}

int monitor_spawn(const struct monitor_spawn *s, pid_t *ret_pid, struct error *err)
{
	char *path cleanup_free = xasprintf("%s/monitor.sock", s->dir);
	int sock cleanup_close = fd_listen_unix(path, SOCK_SEQPACKET, 0600, err);
	int ready[2] = { -1, -1 };
	pid_t pid = 0;
	int rc;

	if (sock < 0)
		return error_wrap(err, "start monitor of pod %s", s->id);
	if (pipe2(ready, O_CLOEXEC) < 0)
		rc = error_errno(err, errno, "pipe");
	else
		rc = start(s, sock, ready[1], &pid, err);
	close_fd(&ready[1]);
	if (rc == 0) {
		rc = wait_ready(ready[0], err);
		if (rc < 0) {
			process_kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
	}
	close_fd(&ready[0]);
	if (rc < 0) {
		unlink(path);
		return error_wrap(err, "start monitor of pod %s", s->id);
	}
	*ret_pid = pid;
	return 0;
}
