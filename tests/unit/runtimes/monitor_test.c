/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor with a real runtime: run, logs, exits, exec, attach, ends.
 */
#include "tests/unit/runtimes/monitor_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "runtimes/oci/oci.h"

static int watch = -1;

/* --- oci -------------------------------------------------------------------------------------- */

static void test_oci(void)
{
	struct oci o = { "/r", (const char *const[]){ "--debug", NULL }, "/root" };
	struct oci_start s = { "id", "/l", "/p", NULL };
	struct strlist argv cleanup_strlist = { 0 };
	struct strbuf text cleanup_strbuf = { 0 };
	char *log cleanup_free = path_join(top, "oci.log");
	static const char *const want[] = { "/r",	    "--debug",	  "--root",
					    "/root",	    "--log",	  "/l",
					    "--log-format", "json",	  "run",
					    "--detach",	    "--pid-file", "/p",
					    "--bundle",	    "/b",	  "id" };
	bool same;

	oci_argv_run(&o, &s, "/b", &argv);
	same = argv.count == ARRAY_LEN(want);
	for (size_t i = 0; same && i < ARRAY_LEN(want); i++)
		same = str_eq(argv.items[i], want[i]);
	ok(same, "oci: run's command line");
	write_text(log,
		   "{\"level\":\"error\",\"msg\":\"first\"}\n"
		   "{\"level\":\"error\",\"msg\":\"say \\\"x\\\": \\u00e9\\n\",\"time\":\"t\"}\n"
		   "{\"level\":\"warning\",\"msg\":\"later\"}\n");
	oci_read_error(log, "stderr", &text);
	is_str(text.data, "say \"x\": \xc3\xa9", "oci: the last error of the log, unescaped");
	strbuf_reset(&text);
	oci_read_error("/nowhere", "one\ntwo\n", &text);
	is_str(text.data, "two", "oci: without a log, the last line of stderr");
}

/* --- run -------------------------------------------------------------------------------------- */

static const char *after_time(const char *line)
{
	return strlen(line) > 31 && line[30] == ' ' ? line + 31 : "(no time)";
}

/* vanishes() - waits until @name below `top` is gone. */
static bool vanishes(const char *name)
{
	char *path cleanup_free = path_join(top, name);

	for (int i = 0; i < 1000 && path_exists(path); i++)
		usleep(20000);
	return !path_exists(path);
}

static void test_log(void)
{
	char *log cleanup_free = path_join(top, "logs/deep/c1.log");
	struct monitor_container c = { .id = "c1", .log_path = log };
	struct monitor_exit e = { 0 }, again = { 0 };
	struct error err = ERROR_INIT;
	char *text cleanup_free = NULL;
	char *line[6] = { 0 };
	size_t n = 0;
	struct stat st;
	int rc = run_with(&c,
			  SH("echo err >&2; sleep 0.1; echo out; printf '%020000d\\\\n' 1; "
			     "printf partial; exit 7"),
			  0, &err);

	ok(rc == 0, "run: c1 (%s)", err.text);
	is_int(next_exit(watch, &e), 7, "run: its exit code arrives at the watcher");
	is_str(e.container_id, "c1", "run: with its id");
	ok(!e.oom_killed && e.finished_ns > 0, "run: with a time, not OOM");
	ok(monitor_read_exit(dir, "c1", &again, &err) == 0 && again.exit_code == 7 &&
		   again.finished_ns == e.finished_ns,
	   "run: the exit is on disk");
	text = read_text(log);
	for (char *l = strtok(text, "\n"); l && n < 6; l = strtok(NULL, "\n"))
		line[n++] = l;
	is_int(n, 5, "log: five lines");
	if (n != 5)
		return;
	is_str(after_time(line[0]), "stderr F err", "log: stderr");
	is_str(after_time(line[1]), "stdout F out", "log: stdout");
	is_int(strlen(after_time(line[2])), 9 + 16384, "log: a long line is cut at 16 KiB");
	ok(str_has_prefix(after_time(line[2]), "stdout P 000"), "log: its beginning is partial");
	is_int(strlen(after_time(line[3])), 9 + 20000 - 16384, "log: the rest follows");
	ok(str_has_prefix(after_time(line[3]), "stdout F 0"), "log: and is the end");
	is_str(after_time(line[4]), "stdout P partial", "log: the last line without a newline");
	ok(stat(log, &st) == 0 && (st.st_mode & 0777) == 0640, "log: mode 0640");
	ok(vanishes("runc/c1"), "exit: the runtime forgets what has ended without being asked");
	ok(monitor_read_exit(dir, "c1", &again, &err) == 0, "exit: it stays on disk all the same");
	is_int(monitor_delete(dir, "c1", &err), 0, "delete: c1");
	is_int(monitor_delete(dir, "c1", &err), 0, "delete: again is fine");
	is_int(monitor_read_exit(dir, "c1", &again, NULL), -ENOENT,
	       "delete: its exit is forgotten");
}

static void test_failures(void)
{
	struct monitor_container c = { .id = "bad" };
	struct strlist list cleanup_strlist = { 0 };
	struct error err = ERROR_INIT;
	char *mark cleanup_free = in_pod("containers/%s/rootfs/etc", "bad");
	int rc = run_with(&c, "[\"/no/such/program\"]", 0, &err);

	is_int(rc, -ENOENT, "run: a missing program is -ENOENT");
	ok(strstr(err.text, "/no/such/program"), "run: the runtime's own text: %s", err.text);
	ok(monitor_list(dir, &list, &err) == 0 && list.count == 0, "run: nothing is left of it");
	rc = run_with(&c, SH("exit 0"), 0, &err);
	is_int(rc, 0, "run: the same id can be used again");
	is_int(next_exit(watch, &(struct monitor_exit){ 0 }), 0, "run: and ends with 0");
	ok(!path_exists(mark), "mounts: not seen outside the monitor");
	is_int(run_with(&c, SH("exit 0"), 0, &err), -EEXIST, "run: twice the same id is refused");
	is_int(monitor_delete(dir, "bad", &err), 0, "delete: bad");
	c.id = "../x";
	is_int(run_with(&c, SH("exit 0"), 0, &err), -EINVAL, "run: an id with a slash is refused");
}

static void test_oom(void)
{
	struct monitor_container c = { .id = "oom" };
	struct monitor_exit e = { 0 };
	struct error err = ERROR_INIT;
	int rc = run_with(&c, SH("x=aaaaaaaa; while :; do x=$x$x; done"), 16 << 20, &err);

	ok(rc == 0, "oom: runs (%s)", err.text);
	is_int(next_exit(watch, &e), 137, "oom: killed");
	ok(e.oom_killed, "oom: told from other kills");
	is_int(monitor_delete(dir, "oom", &err), 0, "delete: oom");
}

static void test_full_disk(void)
{
	char *logs cleanup_free = path_join(top, "full");
	char *log cleanup_free = path_join(logs, "x.log");
	struct monitor_container c = { .id = "full", .log_path = log };
	struct monitor_exit e = { 0 };
	struct error err = ERROR_INIT;
	struct stat st = { 0 };

	path_mkdirs(logs, 0755, NULL);
	/* the monitor has a copy of our mounts: this one must be in it, so by itself */
	is_int(run_with(&c, SH("head -c 3000000 /dev/zero | tr '\\\\000' 'x'; exit 4"), 0, &err), 0,
	       "full disk: runs");
	is_int(next_exit(watch, &e), 4, "full disk: the container is not blocked");
	stat(log, &st);
	ok(st.st_size > 0 && st.st_size <= 65536, "full disk: the log holds what fits");
	is_int(monitor_delete(dir, "full", &err), 0, "delete: full");
}

/* --- stdio ------------------------------------------------------------------------------------ */

static void test_attach(void)
{
	struct monitor_container c = { .id = "at", .stdin_open = true, .stdin_once = true };
	struct monitor_attach a, b;
	struct monitor_exit e;
	struct error err = ERROR_INIT;
	char *out cleanup_free = NULL;
	char *errs cleanup_free = NULL;
	int rc =
		run_with(&c, SH("while read l; do echo got $l; echo E >&2; done; echo bye; exit 3"),
			 0, &err);

	ok(rc == 0, "attach: runs (%s)", err.text);
	is_int(monitor_attach(dir, "at", true, true, true, &a, &err), 0, "attach: all streams");
	is_int(monitor_attach(dir, "at", false, true, false, &b, &err), 0, "attach: a second one");
	is_int(fd_write_all(a.stdin_fd, "hello\n", 6), 0, "attach: write");
	ok(read_until(a.stdout_fd, "got hello\n"), "attach: its answer");
	close(b.stdout_fd);
	close(b.fd);
	fd_write_all(a.stdin_fd, "more\n", 5);
	close(a.stdin_fd); /* stdin_once: the container sees the end */
	out = read_end(a.stdout_fd);
	errs = read_end(a.stderr_fd);
	is_str(out, "got more\nbye\n", "attach: the rest arrives, nothing is echoed");
	is_str(errs, "E\nE\n", "attach: stderr apart");
	is_int(fd_wait(a.fd, POLLIN, 60000), 1, "attach: control readable at the end");
	is_int(next_exit(watch, &e), 3, "attach: exit code after stdin's end");
	close(a.stdout_fd);
	close(a.stderr_fd);
	close(a.fd);
	is_int(monitor_attach(dir, "at", false, true, false, &a, &err), -EBUSY,
	       "attach: not after its end");
	is_int(monitor_delete(dir, "at", &err), 0, "delete: at");
}

/* A reader that does not read, and much input at once. */
static void test_flow(void)
{
	struct monitor_container c = { .id = "fl", .stdin_open = true, .stdin_once = true };
	struct monitor_attach slow, a;
	struct monitor_exit e;
	struct error err = ERROR_INIT;
	char *block cleanup_free = xcalloc(1, 1 << 20);
	char *out cleanup_free = NULL;
	int rc = run_with(&c, SH("sleep 0.2; cat >/dev/null; head -c 4000000 /dev/zero; exit 9"), 0,
			  &err);

	ok(rc == 0, "flow: runs (%s)", err.text);
	is_int(monitor_attach(dir, "fl", false, true, false, &slow, &err), 0, "flow: slow client");
	is_int(monitor_attach(dir, "fl", true, false, false, &a, &err), 0, "flow: writing client");
	is_int(fd_write_all(a.stdin_fd, block, 1 << 20), 0, "flow: 1 MiB of input");
	close(a.stdin_fd);
	is_int(next_exit(watch, &e), 9, "flow: a slow client does not stop the container");
	out = read_end(slow.stdout_fd);
	ok(true, "flow: the slow client's stream ends");
	close(slow.stdout_fd);
	close(slow.fd);
	close(a.fd);
	is_int(monitor_delete(dir, "fl", &err), 0, "delete: fl");
}

static void test_tty(void)
{
	char *log cleanup_free = path_join(top, "tty.log");
	struct monitor_container c = {
		.id = "tty", .terminal = true, .stdin_open = true, .log_path = log
	};
	struct monitor_attach a;
	struct monitor_exit e;
	struct error err = ERROR_INIT;
	char *out cleanup_free = NULL;
	char *text cleanup_free = NULL;
	int rc = run_with(&c, SH("test -t 0 && read x && stty size && echo t-$x; exit 5"), 0, &err);

	ok(rc == 0, "tty: runs (%s)", err.text);
	is_int(monitor_resize(dir, "tty", 91, 37, &err), 0, "tty: resize");
	is_int(monitor_attach(dir, "tty", true, true, true, &a, &err), 0, "tty: attach");
	ok(a.stderr_fd < 0, "tty: no stderr");
	fd_write_all(a.stdin_fd, "y\n", 2);
	out = read_end(a.stdout_fd);
	ok(strstr(out, "37 91\r\n") && strstr(out, "t-y\r\n"), "tty: size and output");
	is_int(next_exit(watch, &e), 5, "tty: exit code");
	text = read_text(log);
	ok(strstr(text, "stdout F t-y"), "tty: logged as stdout");
	close(a.stdin_fd);
	close(a.stdout_fd);
	close(a.fd);
	is_int(monitor_delete(dir, "tty", &err), 0, "delete: tty");
}

/* --- a container that goes on ----------------------------------------------------------------- */

static void test_exec(void)
{
	struct monitor_exec_handle h;
	struct error err = ERROR_INIT;
	int out, code = -1;
	char *text = NULL;

	is_int(exec_in("ex", PROCESS(SH("echo hi; exit 42")), &h, &out, &err), 0, "exec: starts");
	text = read_end(out);
	is_str(text, "hi\n", "exec: output comes by the caller's pipe");
	free(text);
	close(out);
	is_int(monitor_exec_wait(&h, &code, &err), 0, "exec: wait");
	is_int(code, 42, "exec: exit code");
	monitor_exec_close(&h);

	is_int(exec_in("ex", PROCESS("[\"no-such-command\"]"), &h, &out, &err), -ENOENT,
	       "exec: a missing command is -ENOENT");
	ok(strstr(err.text, "no-such-command"), "exec: the runtime's text: %s", err.text);
	close(out);
	is_int(exec_in("nobody", PROCESS(SH("exit 0")), &h, &out, &err), -ENOENT,
	       "exec: in an unknown container");
	close(out);
}

static void test_exec_tty(void)
{
	struct monitor_exec e = { .container_id = "ex",
				  .process_json = TTY_PROCESS(SH("test -t 1 && echo tty; exit 6")),
				  .terminal = true,
				  .stdio = { -1, -1, -1 } };
	struct monitor_exec_handle h = { -1, -1, 0 };
	struct error err = ERROR_INIT;
	int code = -1;

	ok(monitor_exec_start(dir, &e, 60000, &h, &err) == 0, "exec tty: starts (%s)", err.text);
	ok(h.console >= 0 && read_until(h.console, "tty\r\n"), "exec tty: by the master");
	is_int(monitor_exec_wait(&h, &code, &err), 0, "exec tty: wait");
	is_int(code, 6, "exec tty: exit code");
	monitor_exec_close(&h);
}

/* Process numbers are those of the container; what counts is that the pipe's writers are gone. */
static void test_exec_left(void)
{
	struct monitor_exec_handle h;
	struct strlist list cleanup_strlist = { 0 };
	struct error err = ERROR_INIT;
	char *rest cleanup_free = NULL;
	int out;

	is_int(exec_in("ex",
		       PROCESS(SH("(sleep 1000 & sleep 1000) & setsid sleep 1000 & "
				  "echo up; sleep 1000")),
		       &h, &out, &err),
	       0, "exec left: starts");
	ok(read_until(out, "up\n"), "exec left: runs");
	monitor_exec_close(&h);
	ok(gone(h.pid), "exec left: its process is killed");
	rest = read_end(out);
	is_str(rest, "", "exec left: and all it started: the pipe has no writer");
	close(out);
	ok(monitor_list(dir, &list, &err) == 0 && list.count == 1, "exec left: container lives");
}

static void test_client_killed(void)
{
	struct monitor_exec_handle h;
	struct error err = ERROR_INIT;
	char *rest cleanup_free = NULL;
	int tell[2], out;
	pid_t pid, exec_pid = 0;

	if (pipe2(tell, O_CLOEXEC) < 0)
		exit(97);
	pid = fork();
	if (pid == 0) {
		exec_in("ex", PROCESS(SH("sleep 1000")), &h, &out, &err);
		(void)!write(tell[1], &h.pid, sizeof(h.pid));
		pause();
	}
	(void)!read(tell[0], &exec_pid, sizeof(exec_pid));
	ok(exec_pid > 1, "client killed: its exec runs");
	process_kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ok(exec_pid > 1 && gone(exec_pid), "client killed: its exec is killed too");
	close(tell[0]);
	close(tell[1]);
}

static void test_reopen(const char *log)
{
	char *old cleanup_free = xasprintf("%s.1", log);
	struct monitor_exec_handle h;
	struct error err = ERROR_INIT;
	int out, code;
	char *text cleanup_free = NULL;

	ok(rename(log, old) == 0, "reopen: the log is moved away");
	is_int(monitor_reopen_log(dir, "ex", &err), 0, "reopen: done");
	exec_in("ex", PROCESS(SH("echo after >/proc/1/fd/1")), &h, &out, &err);
	monitor_exec_wait(&h, &code, &err);
	monitor_exec_close(&h);
	close(out);
	for (int i = 0; i < 1000; i++) {
		free(text);
		text = read_text(log);
		if (strstr(text, "after"))
			break;
		usleep(20000);
	}
	ok(strstr(text, "stdout F after"), "reopen: the new file gets what comes");
}

static void test_dial(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 b = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	socklen_t len = sizeof(a), len6 = sizeof(b);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int s6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct error err = ERROR_INIT;
	int fd = -1, peer;
	char c = 0;

	bind(s, (struct sockaddr *)&a, len);
	listen(s, 1);
	getsockname(s, (struct sockaddr *)&a, &len);
	is_int(monitor_dial(dir, ntohs(a.sin_port), &fd, &err), 0, "dial: 127.0.0.1");
	peer = accept(s, NULL, NULL);
	(void)!write(peer, "x", 1);
	ok(read(fd, &c, 1) == 1 && c == 'x', "dial: the socket is connected and blocks");
	close(fd);
	close(peer);
	close(s);
	is_int(monitor_dial(dir, ntohs(a.sin_port), &fd, &err), -ECONNREFUSED, "dial: refused");
	is_int(monitor_dial(dir, 0, &fd, &err), -EINVAL, "dial: port 0");
	if (s6 < 0 || bind(s6, (struct sockaddr *)&b, len6) < 0) {
		skip("dial: ::1", "no IPv6 here");
	} else {
		listen(s6, 1);
		getsockname(s6, (struct sockaddr *)&b, &len6);
		is_int(monitor_dial(dir, ntohs(b.sin6_port), &fd, &err), 0, "dial: then ::1");
		close_fd(&fd);
	}
	close(s6);
}

/* What is not the protocol costs its sender the connection, and nobody else anything. */
static void test_garbage(void)
{
	static const char *const messages[] = { "", "\xff\xff\xff\xff\xff", "\x08\x00", "x" };
	char *path cleanup_free = path_join(dir, "monitor.sock");
	struct strlist list cleanup_strlist = { 0 };
	struct error err = ERROR_INIT;
	char *big cleanup_free = xcalloc(1, 100000);
	int null cleanup_close = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fds[16];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = null;
	for (size_t i = 0; i <= ARRAY_LEN(messages); i++) {
		int s = fd_connect_unix(path, SOCK_SEQPACKET, &err);
		char answer[4096];

		if (i < ARRAY_LEN(messages))
			fd_send(s, messages[i], strlen(messages[i]), fds, ARRAY_LEN(fds));
		else
			fd_send(s, big, 100000, NULL, 0);
		while (fd_wait(s, POLLIN, 60000) == 1 && read(s, answer, sizeof(answer)) > 0)
			;
		ok(fd_wait(s, POLLIN, 0) == 1, "garbage %zu: hung up on", i);
		close(s);
	}
	ok(monitor_list(dir, &list, &err) == 0 && list.count == 1, "garbage: the monitor lives");
}

static void test_long_lived(void)
{
	char *log cleanup_free = path_join(top, "logs/ex.log");
	struct monitor_container c = { .id = "ex", .log_path = log };
	struct monitor_exit e;
	struct strlist list cleanup_strlist = { 0 };
	struct error err = ERROR_INIT;
	int second = -1;

	ok(run_with(&c, SH("echo start; exec sleep 1000"), 0, &err) == 0, "long: runs (%s)",
	   err.text);
	test_exec();
	test_exec_tty();
	test_exec_left();
	test_client_killed();
	test_reopen(log);
	test_dial();
	test_garbage();
	monitor_list(dir, &list, &err);
	ok(list.count == 1 && str_has_prefix(list.items[0], "ex "), "list: ex");
	is_int(monitor_stop(dir, &err), -EBUSY, "stop: not while a container runs");
	process_kill(atoi(list.items[0] + 3), SIGKILL);
	is_int(next_exit(watch, &e), 137, "long: killed");
	ok(!e.oom_killed, "long: not by OOM");
	is_int(monitor_watch(dir, &second, &err), 0, "watch: a later one");
	is_int(next_exit(second, &e), 137, "watch: hears of exits of the past");
	close(second);
	is_int(monitor_delete(dir, "ex", &err), 0, "delete: ex");
}

/* --- the monitor itself ----------------------------------------------------------------------- */

static void print_memory(pid_t pid)
{
	char *path cleanup_free = xasprintf("/proc/%d/smaps_rollup", pid);
	char *text cleanup_free = read_text(path);

	for (char *l = strtok(text, "\n"); l; l = strtok(NULL, "\n"))
		if (str_has_prefix(l, "Pss:") || str_has_prefix(l, "Private") ||
		    str_has_prefix(l, "Rss"))
			printf("# %s\n", l);
}

static void test_stop(pid_t pid)
{
	struct strlist list cleanup_strlist = { 0 };
	struct monitor_exit e;
	struct error err = ERROR_INIT;
	int status = -1, rc;

	is_int(monitor_stop(dir, &err), 0, "stop: answers");
	ok(waitpid(pid, &status, 0) == pid && status == 0, "stop: it ends with 0");
	ok(fd_wait(watch, POLLIN, 60000) == 1 && monitor_next_exit(watch, &e) == 0,
	   "stop: watchers see it go");
	rc = monitor_list(dir, &list, &err);
	ok(rc == -ENOENT || rc == -ECONNREFUSED, "stop: calls are refused");
}

/* --- runtimes that misbehave ------------------------------------------------------------------ */

/* fake_runtime() - what `run` does; only delete --force works. */
static char *fake_runtime(const char *name, const char *run)
{
	char *path = path_join(top, name);
	char *text cleanup_free =
		xasprintf("#!/bin/sh\n"
			  "while [ \"$1\" != run ] && [ \"$1\" != delete ]; do\n"
			  "  [ \"$1\" = --log ] && log=$2; shift; done\n"
			  "[ \"$1\" = delete ] && { [ \"$2\" = --force ]; exit; }\n"
			  "pidfile=$4\n%s\n",
			  run);

	write_text(path, text);
	chmod(path, 0755);
	return path;
}

static void test_misbehaving(const char *name, const char *script, int timeout_ms, int want)
{
	char *runtime cleanup_free = fake_runtime(name, script);
	struct monitor_container c = { .id = "x", .bundle = top };
	struct strlist list cleanup_strlist = { 0 };
	struct error err = ERROR_INIT;
	int64_t started_ns;
	pid_t monitor, pid;
	int rc;

	snprintf(dir, sizeof(dir), "%s/pods/%s", top, name);
	path_mkdirs(dir, 0755, NULL);
	monitor = spawn_monitor(runtime, &err);
	rc = monitor_run(dir, &c, timeout_ms, &pid, &started_ns, &err);
	ok(rc == want, "runtime that %s: %d %s", name, rc, err.text);
	ok(monitor_list(dir, &list, &err) == 0 && list.count == 0, "runtime that %s: no trace",
	   name);
	ok(monitor_stop(dir, &err) == 0 && waitpid(monitor, NULL, 0) == monitor,
	   "runtime that %s: the monitor ends", name);
}

static void test_stubborn_delete(void)
{
	char *runtime cleanup_free =
		fake_runtime("stubborn", "sleep 0.1 & echo $! >$pidfile; exit 0");
	struct monitor_container c = { .id = "x", .bundle = top };
	struct monitor_exit e = { 0 };
	struct error err = ERROR_INIT;
	int64_t started_ns;
	pid_t monitor, pid;
	int exits;

	snprintf(dir, sizeof(dir), "%s/pods/stubborn", top);
	path_mkdirs(dir, 0755, NULL);
	monitor = spawn_monitor(runtime, &err);
	is_int(monitor_watch(dir, &exits, &err), 0, "stubborn: watched");
	ok(monitor_run(dir, &c, 60000, &pid, &started_ns, &err) == 0, "stubborn: runs (%s)",
	   err.text);
	is_int(next_exit(exits, &e), 0, "stubborn: ends, and its delete after that fails");
	ok(monitor_delete(dir, "x", &err) == 0, "stubborn: delete uses force (%s)", err.text);
	ok(monitor_stop(dir, &err) == 0 && waitpid(monitor, NULL, 0) == monitor,
	   "stubborn: the monitor ends");
	close(exits);
}

static void test_stopped_monitor(void)
{
	struct strlist list cleanup_strlist = { 0 };
	struct error err = ERROR_INIT;
	int64_t started_ns;
	pid_t monitor, pid;
	struct monitor_container c = { .id = "x", .bundle = top };

	snprintf(dir, sizeof(dir), "%s/pods/stopped", top);
	path_mkdirs(dir, 0755, NULL);
	monitor = spawn_monitor("/bin/false", &err);
	process_kill(monitor, SIGSTOP);
	is_int(monitor_list(dir, &list, &err), -ETIMEDOUT, "stopped: list does not wait for ever");
	is_int(monitor_run(dir, &c, 600000, &pid, &started_ns, &err), -ETIMEDOUT,
	       "stopped: nor does run with a long timeout");
	process_kill(monitor, SIGKILL);
	waitpid(monitor, NULL, 0);
	is_int(monitor_list(dir, &list, &err), -ECONNREFUSED, "killed: calls are refused");
	monitor = spawn_monitor("/bin/false", &err);
	ok(monitor > 1, "killed: another can be started in its place (%s)", err.text);
	ok(monitor_stop(dir, &err) == 0 && waitpid(monitor, NULL, 0) == monitor,
	   "killed: and be stopped");
	snprintf(dir, sizeof(dir), "%s/nowhere", top);
	ok(spawn_monitor("/bin/false", &err) < 0 && strstr(err.text, "nowhere"),
	   "spawn: no directory: %s", err.text);
}

static void test_odd_runtimes(void)
{
	test_misbehaving("hangs", "sleep 1000", 200, -ETIMEDOUT);
	test_misbehaving("writes no pid", "exit 0", 60000, -ENOENT);
	test_misbehaving("writes pid -1", "echo -1 >$pidfile", 60000, -EBADMSG);
	test_misbehaving("writes pid 1", "echo 1 >$pidfile", 60000, -EBADMSG);
	test_misbehaving("fails silently", "exit 3", 60000, -EIO);
	test_misbehaving("fails in words", "echo nonsense >&2; exit 3", 60000, -EIO);
	test_misbehaving("logs garbage", "printf '\\377\\376{\"msg\":\"' >$log; exit 3", 60000,
			 -EIO);
}

/* Where the log must not fit: made before the monitor copies our mounts. */
static void mount_full_disk(void)
{
	char *logs cleanup_free = path_join(top, "full");

	path_mkdirs(logs, 0755, NULL);
	mount("full", logs, "tmpfs", 0, "size=64k");
}

int main(void)
{
	struct error err = ERROR_INIT;
	char *full cleanup_free = NULL;
	pid_t pid;

	enter_namespaces();
	if (getpid() != 1 || !path_exists("/usr/sbin/runc")) {
		skip("monitor", "needs root and runc");
		return tap_done();
	}
	make_pod();
	test_oci();
	full = path_join(top, "full");
	mount_full_disk();
	pid = spawn_monitor("/usr/sbin/runc", &err);
	if (!ok(pid > 1, "spawn: the monitor comes up (%s)", err.text))
		return tap_done();
	is_int(monitor_watch(dir, &watch, &err), 0, "watch: answers");
	print_memory(pid);
	test_log();
	test_failures();
	test_oom();
	test_full_disk();
	test_attach();
	test_flow();
	test_tty();
	test_long_lived();
	print_memory(pid);
	test_stop(pid);
	test_odd_runtimes();
	test_stubborn_delete();
	test_stopped_monitor();
	cgroup_remove(cgroup_top, NULL);
	umount2(full, MNT_DETACH);
	path_remove_tree(AT_FDCWD, top, NULL);
	return tap_done();
}
