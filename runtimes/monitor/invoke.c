/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running the OCI runtime without waiting for it.
 *
 * The console socket is reached as /proc/<our pid>/cwd/tmp/N.sock: a pod's directory may be
 * deeper than the 107 bytes of a socket's name, and runtimes connect by name.  The runtime's init
 * sends the pty master and goes on, so it is taken from the queue once the runtime has ended.
 */
#include "runtimes/monitor/invoke.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <termios.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"

int invoke_init(struct invoke *v, struct monitor *m, bool terminal, struct error *err)
{
	unsigned int n = ++m->sequence;

	*v = (struct invoke){ .m = m, .socket = -1, .used = true };
	v->log = xasprintf("%s/tmp/%u.log", m->dir, n);
	v->pid_file = xasprintf("%s/tmp/%u.pid", m->dir, n);
	children_hold();
	if (!terminal)
		return 0;
	v->socket_file = xasprintf("tmp/%u.sock", n);
	v->socket_name = xasprintf("/proc/%d/cwd/%s", getpid(), v->socket_file);
	v->socket = fd_listen_unix(v->socket_file, SOCK_STREAM | SOCK_NONBLOCK, 0600, err);
	return v->socket < 0 ? error_wrap(err, "console socket") : 0;
}

struct oci_start invoke_names(const struct invoke *v, const char *id)
{
	return (struct oci_start){
		.id = id,
		.log = v->log,
		.pid_file = v->pid_file,
		.console_socket = v->socket_name,
	};
}

static void on_end(void *data, int status)
{
	struct invoke *v = data;

	v->child = NULL;
	loop_timer_remove(v->timer);
	v->timer = NULL;
	v->fn(v->data, process_exit_code(status));
}

/* on_late() - its helpers are children of ours then, and reaped as such. */
static void on_late(void *data)
{
	struct invoke *v = data;

	v->timed_out = true;
	process_kill(v->pid, SIGKILL);
}

int invoke_start(struct invoke *v, const struct strlist *argv, const int stdio[3],
		 const struct run_mounts *mounts, int timeout_ms, invoke_fn *fn, void *data,
		 struct error *err)
{
	struct spawn s = SPAWN_INIT;
	int rc;

	s.program = argv->items[0];
	s.argv = (const char *const *)argv->items;
	memcpy(s.stdio, stdio, sizeof(s.stdio));
	if (mounts) {
		s.ns_fds = &v->m->host_mounts;
		s.n_ns_fds = 1;
		s.own_mounts = true;
		s.mounts = mounts->list;
		s.n_mounts = mounts->count;
		s.cwd = v->m->dir;
	}
	rc = spawn_start(&s, &v->pid, NULL, err);
	if (rc < 0)
		return rc;
	v->fn = fn;
	v->data = data;
	v->timed_out = false;
	v->child = children_watch(v->pid, on_end, v);
	v->timer = loop_add_timer(v->m->loop, on_late, v);
	loop_timer_arm(v->timer, timeout_ms);
	return 0;
}

int invoke_pid(const struct invoke *v, pid_t *ret_pid, struct error *err)
{
	return oci_read_pid(v->pid_file, ret_pid, err);
}

int invoke_console(const struct invoke *v, int *ret_master, struct error *err)
{
	int sock cleanup_close = accept4(v->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	char name[256];
	int master = -1;
	ssize_t n;

	if (sock < 0)
		return error_errno(err, errno, "the runtime sent no terminal");
	n = fd_recv(sock, name, sizeof(name), &master, 1);
	if (n < 0 || master < 0)
		return error_set(err, EPROTO, "the runtime sent no terminal");
	if (!isatty(master)) {
		close(master);
		return error_set(err, EPROTO, "the runtime sent something else than a terminal");
	}
	*ret_master = master;
	return 0;
}

/* A command that is not there is the one failure that callers tell apart. */
static int code_of(const char *text)
{
	static const char *const missing[] = { "executable file not found",
					       "no such file or directory", "not found in $PATH",
					       "No such file or directory" };

	for (size_t i = 0; i < ARRAY_LEN(missing); i++)
		if (strstr(text, missing[i]))
			return ENOENT;
	return EIO;
}

int invoke_failed(const struct invoke *v, int exit_code, const char *stderr_text, struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };
	const char *program = v->m->oci.program;
	const char *slash = strrchr(program, '/');
	const char *name = slash ? slash + 1 : program;

	if (v->timed_out)
		return error_set(err, ETIMEDOUT, "%s did not end in time and was killed", program);
	oci_read_error(v->log, stderr_text, &text);
	if (text.len == 0)
		return error_set(err, EIO, "%s ended with code %d without saying why", program,
				 exit_code);
	if (str_has_prefix(text.data, name)) /* as runc does: "runc run failed: .." */
		return error_set(err, code_of(text.data), "%s", text.data);
	return error_set(err, code_of(text.data), "%s: %s", name, text.data);
}

void invoke_finish(struct invoke *v)
{
	if (!v->used)
		return;
	children_unwatch(v->child);
	loop_timer_remove(v->timer);
	close_fd(&v->socket);
	unlink(v->log);
	unlink(v->pid_file);
	if (v->socket_file)
		unlink(v->socket_file);
	free(v->log);
	free(v->pid_file);
	free(v->socket_file);
	free(v->socket_name);
	*v = (struct invoke){ .socket = -1 };
	children_release();
}
