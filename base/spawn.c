/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting other programs.
 *
 * The child is made as posix_spawn(3) does: it shares our memory on a stack of its own while the
 * calling thread waits for its exec, so starting a program costs the same in a small and in a
 * large server, and an error is passed back in memory.  All it does are system calls.
 */
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/fork.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/path.h"

#define STACK_BYTES   (64 << 10)
#define OUTPUT_MAX    (1 << 20)
#define MAX_EXTRA_FDS 32
#define FD_BASE	      200 /* where descriptors wait while 0, 1, 2, 3.. are laid */

struct child {
	const struct spawn *s;
	const sigset_t *mask; /* what it gets */
	int errnum;	      /* set by the child */
	const char *step;     /* what failed there */
};

extern char **environ;

/* --- in the child: system calls only ---------------------------------------------------------- */

static int fail(struct child *c, const char *step)
{
	c->errnum = errno ? errno : EIO;
	c->step = step;
	_exit(127);
}

static void reset_signals(void)
{
	struct sigaction a = { .sa_handler = SIG_DFL };

	for (int i = 1; i < NSIG; i++)
		if (i != SIGKILL && i != SIGSTOP)
			sigaction(i, &a, NULL);
}

/*
 * Lay descriptors out as 0, 1, 2 (stdio) and 3.. (extra).  They are first duplicated above
 * FD_BASE, so that laying one never overwrites another that is still needed.
 */
static void lay_fds(struct child *c)
{
	int high[3 + MAX_EXTRA_FDS];
	size_t n = 3 + c->s->n_extra_fds;

	for (size_t i = 0; i < n; i++) {
		int fd = i < 3 ? c->s->stdio[i] : c->s->extra_fds[i - 3];

		if (fd < 0)
			fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		high[i] = fcntl(fd, F_DUPFD_CLOEXEC, FD_BASE);
		if (high[i] < 0)
			fail(c, "duplicate descriptor");
	}
	for (size_t i = 0; i < n; i++)
		if (dup2(high[i], (int)i) < 0)
			fail(c, "lay descriptor");
	syscall(SYS_close_range, (unsigned int)n, ~0U, CLOSE_RANGE_CLOEXEC);
}

static void attach_mounts(struct child *c)
{
	for (size_t i = 0; i < c->s->n_mounts; i++) {
		const struct spawn_mount *m = &c->s->mounts[i];
		int target = path_open_below(AT_FDCWD, m->target, O_PATH | O_DIRECTORY, 0);

		if (target < 0) {
			errno = -target;
			fail(c, "open a mount's target");
		}
		if (syscall(SYS_move_mount, m->fd, "", target, "",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
			fail(c, "attach a mount");
		close(target);
	}
}

static int in_child(void *data)
{
	struct child *c = data;
	const struct spawn *s = c->s;

	reset_signals();
	if (s->new_session && setsid() < 0)
		fail(c, "setsid");
	if (s->death_signal && prctl(PR_SET_PDEATHSIG, s->death_signal) < 0)
		fail(c, "set death signal");
	if (fork_join(c->s->cgroups) < 0)
		fail(c, "join cgroup");
	for (size_t i = 0; i < s->n_ns_fds; i++)
		if (setns(s->ns_fds[i], 0) < 0)
			fail(c, "enter namespace");
	if (s->own_mounts && unshare(CLONE_NEWNS) < 0)
		fail(c, "make a mount namespace");
	if (s->cwd && chdir(s->cwd) < 0)
		fail(c, "chdir");
	attach_mounts(c);
	lay_fds(c);
	sigprocmask(SIG_SETMASK, c->mask, NULL);
	execve(s->program, (char *const *)s->argv, s->envp ? (char *const *)s->envp : environ);
	return fail(c, "exec");
}

/* --- in the parent ---------------------------------------------------------------------------- */

static pid_t clone_child(struct child *c)
{
	sigset_t all, before, none;
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	pid_t pid;

	if (stack == MAP_FAILED)
		return -1;
	spawn_unpoison(stack, STACK_BYTES);
	sigfillset(&all);
	sigemptyset(&none);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	c->mask = &none;
	pid = fork_call_into(c->s->cgroups, CLONE_VM | CLONE_VFORK, stack, STACK_BYTES, in_child,
			     c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	spawn_unpoison(stack, STACK_BYTES); /* whoever maps this next finds it clean */
	munmap(stack, STACK_BYTES);
	return pid;
}

int spawn_start(const struct spawn *s, pid_t *ret_pid, int *ret_pidfd, struct error *err)
{
	struct child c = { .s = s };
	pid_t pid;

	if (s->n_extra_fds > MAX_EXTRA_FDS)
		return error_set(err, EINVAL, "%s: more than %d descriptors", s->program,
				 MAX_EXTRA_FDS);
	pid = clone_child(&c);
	if (pid < 0)
		return error_errno(err, errno, "start %s", s->program);
	if (c.errnum) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return error_errno(err, c.errnum, "start %s: %s", s->program, c.step);
	}
	if (ret_pidfd)
		*ret_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	*ret_pid = pid;
	return 0;
}

/* --- run to the end --------------------------------------------------------------------------- */

struct run {
	int in, out, err; /* our ends; -1 when closed */
	const char *input;
	size_t input_len;
	int pidfd;
};

void spawn_result_finish(struct spawn_result *r)
{
	strbuf_finish(&r->out);
	strbuf_finish(&r->err);
}

static void feed(struct run *r)
{
	ssize_t n = write(r->in, r->input, r->input_len);

	if (n > 0) {
		r->input += n;
		r->input_len -= (size_t)n;
	}
	if (r->input_len == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_fd(&r->in);
}

static void collect(int *fd, struct strbuf *buf, bool *truncated)
{
	char chunk[16384];
	ssize_t n = read(*fd, chunk, sizeof(chunk));

	if (n > 0) {
		size_t room = OUTPUT_MAX - MIN(OUTPUT_MAX, buf->len);

		strbuf_append(buf, chunk, MIN((size_t)n, room));
		*truncated |= (size_t)n > room;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close_fd(fd);
	}
}

static int left_ms(int64_t deadline_ns)
{
	int64_t left;

	if (deadline_ns == 0)
		return -1;
	left = (deadline_ns - clock_monotonic_ns() + 999999) / 1000000;
	return left < 0 ? 0 : (int)MIN(left, INT32_MAX);
}

/*
 * pump() - move bytes until the child has ended and its pipes are empty.  A grandchild that keeps
 * a pipe open is not waited for beyond a short moment.
 */
static void pump(struct run *r, int64_t deadline_ns, int cancel_fd, struct spawn_result *ret)
{
	bool ended = false;

	while (!ended || r->out >= 0 || r->err >= 0) {
		struct pollfd p[] = {
			{ r->in, POLLOUT, 0 },	  { r->out, POLLIN, 0 },
			{ r->err, POLLIN, 0 },	  { ended ? -1 : r->pidfd, POLLIN, 0 },
			{ cancel_fd, POLLIN, 0 },
		};
		int n = poll(p, ARRAY_LEN(p), ended ? 100 : left_ms(deadline_ns));

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0) {
			ret->timed_out = !ended;
			return;
		}
		if (p[4].revents) {
			ret->cancelled = true;
			return;
		}
		if (p[0].revents)
			feed(r);
		if (p[1].revents)
			collect(&r->out, &ret->out, &ret->truncated);
		if (p[2].revents)
			collect(&r->err, &ret->err, &ret->truncated);
		if (p[3].revents)
			ended = true;
	}
}

static int finish(struct run *r, pid_t pid, const struct spawn *s, struct spawn_result *ret,
		  struct error *err)
{
	int status = 0;

	if (ret->timed_out || ret->cancelled)
		process_kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	close_fd(&r->in);
	close_fd(&r->out);
	close_fd(&r->err);
	close_fd(&r->pidfd);
	ret->exit_code = process_exit_code(status);
	if (ret->timed_out)
		return error_set(err, ETIMEDOUT, "%s did not end in time", s->program);
	if (ret->cancelled)
		return error_set(err, ECANCELED, "%s: cancelled", s->program);
	return 0;
}

int spawn_run(const struct spawn *s, const char *input, size_t input_len, int timeout_ms,
	      int cancel_fd, struct spawn_result *ret, struct error *err)
{
	struct spawn child = *s;
	int pipes[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	struct run r = { .input = input, .input_len = input_len };
	int64_t deadline_ns =
		timeout_ms < 0 ? 0 : clock_monotonic_ns() + timeout_ms * INT64_C(1000000);
	pid_t pid;
	int rc = 0;

	*ret = (struct spawn_result){ 0 };
	for (int i = 0; i < 3 && rc == 0; i++)
		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			rc = error_errno(err, errno, "pipe");
	for (int i = 0; i < 3; i++)
		child.stdio[i] = pipes[i][i > 0];
	if (rc == 0)
		rc = spawn_start(&child, &pid, &r.pidfd, err);
	for (int i = 0; i < 3; i++)
		close_fd(&pipes[i][i > 0]);
	if (rc < 0) {
		for (int i = 0; i < 3; i++)
			close_fd(&pipes[i][i == 0]);
		return rc;
	}
	r.in = pipes[0][1];
	r.out = pipes[1][0];
	r.err = pipes[2][0];
	fd_set_nonblock(r.in, true);
	if (input_len == 0)
		close_fd(&r.in);
	pump(&r, deadline_ns, cancel_fd, ret);
	return finish(&r, pid, s, ret, err);
}
