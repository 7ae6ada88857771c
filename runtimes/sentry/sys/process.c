/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on processes: clone, execve, exit, wait, groups, pidfds.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>

#include "runtimes/sentry/sys/calls.h"
#include "runtimes/sentry/task/exec.h"
#include "runtimes/sentry/task/pgroup.h"
#include "runtimes/sentry/task/pidfd.h"
#include "runtimes/sentry/task/signal.h"

#define CSIGNAL_MASK 0xff

long sys_clone(struct task *t, const uint64_t a[6])
{
	struct clone_args_in in = {
		.flags = a[0] & ~(uint64_t)CSIGNAL_MASK & 0xffffffff,
		.exit_signal = a[0] & CSIGNAL_MASK,
		.stack = a[1],
		.parent_tid = a[2],
		.child_tid = a[3],
		.tls = a[4],
		.pidfd = a[2],
	};

	/* One word cannot hold both. */
	if ((in.flags & CLONE_PIDFD) && (in.flags & CLONE_PARENT_SETTID))
		return -EINVAL;
	return task_clone(t, &in);
}

long sys_fork(struct task *t, const uint64_t a[6])
{
	struct clone_args_in in = { .exit_signal = SIGCHLD };

	(void)a;
	return task_clone(t, &in);
}

long sys_vfork(struct task *t, const uint64_t a[6])
{
	struct clone_args_in in = { .flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD };

	(void)a;
	return task_clone(t, &in);
}

long sys_clone3(struct task *t, const uint64_t a[6])
{
	struct clone_args c = { 0 };
	struct clone_args_in in;
	int rc;

	if (a[1] > 4096)
		return -E2BIG;
	if (a[1] < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	rc = sys_copy_sized(t, &c, sizeof(c), a[0], a[1]);
	if (rc)
		return rc;
	if ((c.flags & CSIGNAL_MASK) || c.exit_signal > N_SIGNALS || c.cgroup)
		return -EINVAL;
	if (c.set_tid || c.set_tid_size)
		return c.set_tid_size > 32 || !c.set_tid != !c.set_tid_size ? -EINVAL : -EPERM;
	if (!c.stack != !c.stack_size)
		return -EINVAL;
	if (c.flags & CLONE_INTO_CGROUP)
		return -EOPNOTSUPP;
	if ((c.flags & (CLONE_THREAD | CLONE_PARENT)) && c.exit_signal)
		return -EINVAL;
	in = (struct clone_args_in){
		.flags = c.flags,
		.exit_signal = c.exit_signal,
		.stack = c.stack + c.stack_size,
		.parent_tid = c.parent_tid,
		.child_tid = c.child_tid,
		.tls = c.tls,
		.pidfd = c.pidfd,
	};
	return task_clone(t, &in);
}

long sys_unshare(struct task *t, const uint64_t a[6])
{
	return task_unshare(t, a[0]);
}

/* --- execve ---------------------------------------------------------------------------------- */

static void free_vector(char **v)
{
	for (size_t i = 0; v && v[i]; i++)
		free(v[i]);
	free(v);
}

/* The rest of a page of the guest: strings stand close together, as do pointers to them. */
struct page {
	uint64_t from;
	size_t len; /* 0: none yet */
	char bytes[4096];
};

/* page_at() - what is known from @addr on. Return: how many bytes there are, -EFAULT. */
static ssize_t page_at(struct task *t, struct page *p, uint64_t addr, const char **ret)
{
	int rc;

	if (addr < p->from || addr - p->from >= p->len) {
		p->from = addr;
		p->len = sizeof(p->bytes) - addr % sizeof(p->bytes);
		rc = stub_read(t->stub, p->bytes, addr, p->len);
		if (rc) {
			p->len = 0;
			return rc;
		}
	}
	*ret = p->bytes + (addr - p->from);
	return (ssize_t)(p->len - (addr - p->from));
}

static int copy_pointer(struct task *t, struct page *p, uint64_t from, uint64_t *ret)
{
	const char *at;
	ssize_t n = page_at(t, p, from, &at);

	if (n < (ssize_t)sizeof(*ret)) /* it goes on in the next page */
		return n < 0 ? (int)n : sys_copy_in(t, ret, from, sizeof(*ret));
	memcpy(ret, at, sizeof(*ret));
	return 0;
}

static int copy_string(struct task *t, struct page *p, uint64_t from, char **ret, size_t *total)
{
	const char *at, *end = NULL;
	char *text = NULL;
	size_t len = 0;

	while (!end) {
		ssize_t n = page_at(t, p, from + len, &at);

		if (n < 0 || len > EXEC_STRING_MAX) {
			free(text);
			return n < 0 ? (int)n : -E2BIG;
		}
		end = memchr(at, 0, (size_t)n);
		if (end)
			n = end + 1 - at;
		text = xrealloc(text, 1, len + (size_t)n);
		memcpy(text + len, at, (size_t)n);
		len += (size_t)n;
	}
	*ret = text;
	*total += len + sizeof(uint64_t);
	return len > EXEC_STRING_MAX || *total > EXEC_STRINGS_MAX ? -E2BIG : 0;
}

/* copy_vector() - strings until the null pointer; a null vector is an empty one. */
static int copy_vector(struct task *t, uint64_t from, char ***ret, size_t *total)
{
	struct page pointers = { 0 }, strings = { 0 };
	size_t n = 0, cap = 16;
	char **v = xcalloc(cap, sizeof(*v));
	uint64_t addr;
	int rc = 0;

	while (from) {
		rc = copy_pointer(t, &pointers, from + n * sizeof(addr), &addr);
		if (rc || !addr)
			break;
		if (n + 2 > cap) {
			cap *= 2;
			v = xrealloc(v, cap, sizeof(*v));
		}
		v[n] = v[n + 1] = NULL;
		rc = copy_string(t, &strings, addr, &v[n], total);
		if (rc)
			break;
		n++;
	}
	if (rc) {
		free_vector(v);
		return rc;
	}
	*ret = v;
	return 0;
}

static long do_execve(struct task *t, int dirfd, const char *path, unsigned int walk_flags,
		      uint64_t argv_at, uint64_t envp_at)
{
	char **argv = NULL, **envp = NULL, *name;
	struct file *program = NULL;
	struct path start = { 0 };
	size_t total = 0;
	bool has = false;
	int rc = 0;

	if (path[0] != '/')
		rc = sys_start(t, dirfd, &start, &has);
	if (!rc)
		rc = exec_open(t->fs, has ? &start : NULL, path, walk_flags, t->cred, &program);
	if (has)
		path_put(&start);
	if (!rc)
		rc = copy_vector(t, argv_at, &argv, &total);
	if (!rc)
		rc = copy_vector(t, envp_at, &envp, &total);
	if (rc) {
		file_put(program);
		free_vector(argv);
		return rc;
	}
	/* Programs count on a name of their own. */
	if (!argv[0])
		argv[0] = xstrdup("");
	if (dirfd == AT_FDCWD || path[0] == '/')
		name = xstrdup(path);
	else
		name = path[0] ? xasprintf("/dev/fd/%d/%s", dirfd, path)
			       : xasprintf("/dev/fd/%d", dirfd);
	return task_execve(t, program, name, argv, envp);
}

long sys_execve(struct task *t, const uint64_t a[6])
{
	char path[4096];
	int rc = sys_path(t, a[0], path);

	return rc ? rc : do_execve(t, AT_FDCWD, path, 0, a[1], a[2]);
}

long sys_execveat(struct task *t, const uint64_t a[6])
{
	unsigned int flags = (unsigned int)a[4];
	char path[4096];
	int rc = sys_path(t, a[1], path);

	if (flags & ~(unsigned int)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	if (rc)
		return rc;
	return do_execve(t, (int)a[0], path,
			 (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0) |
				 (flags & AT_SYMLINK_NOFOLLOW ? WALK_NOFOLLOW : 0),
			 a[2], a[3]);
}

/* --- exit and wait --------------------------------------------------------------------------- */

long sys_exit(struct task *t, const uint64_t a[6])
{
	task_exit(t, (int)a[0]);
}

long sys_exit_group(struct task *t, const uint64_t a[6])
{
	task_exit_group(t, ((int)a[0] & 0xff) << 8);
}

long sys_wait4(struct task *t, const uint64_t a[6])
{
	pid_t pid = (pid_t)a[0];
	int options = (int)a[2], rc;
	struct wait_for w = { .options = options | WEXITED };
	struct wait_result r;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	w.which = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
	w.id = pid > 0 ? pid : pid < -1 ? -pid : 0;
	rc = task_wait(t, &w, &r);
	if (rc || !r.pid)
		return rc;
	if (a[1])
		rc = sys_copy_out(t, a[1], &r.wait_status, sizeof(int));
	if (!rc && a[3])
		rc = sys_copy_out(t, a[3], &r.usage, sizeof(r.usage));
	return rc ? rc : r.pid;
}

static int pidfd_target(struct task *t, int fd, struct process **ret)
{
	struct file *f = sys_file(t, fd);
	struct process *p = f ? pidfd_process(f) : NULL;

	if (p)
		*ret = process_get(p);
	file_put(f);
	return p ? 0 : -EBADF;
}

static int check_waitid(struct task *t, const uint64_t a[6], struct wait_for *w)
{
	w->which = (int)a[0];
	w->id = (pid_t)a[1];
	w->options = (int)a[3];
	if (w->options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD |
			   __WCLONE | __WALL))
		return -EINVAL;
	if (!(w->options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	switch (w->which) {
	case P_ALL:
		return 0;
	case P_PID:
		return w->id > 0 ? 0 : -EINVAL;
	case P_PGID:
		return w->id >= 0 ? 0 : -EINVAL;
	case P_PIDFD:
		return w->id < 0 ? -EINVAL : pidfd_target(t, w->id, &w->process);
	default:
		return -EINVAL;
	}
}

long sys_waitid(struct task *t, const uint64_t a[6])
{
	struct wait_for w = { 0 };
	struct wait_result r = { 0 };
	siginfo_t info = { 0 };
	int rc = check_waitid(t, a, &w);

	if (!rc)
		rc = task_wait(t, &w, &r);
	process_put(w.process);
	if (rc)
		return rc;
	if (r.pid) {
		info.si_signo = SIGCHLD;
		info.si_code = r.code;
		info.si_pid = r.pid;
		info.si_uid = r.uid;
		info.si_status = r.status;
	}
	if (a[2]) /* what waitid(2) fills in, and not a byte more */
		rc = sys_copy_out(t, a[2], &info, offsetof(siginfo_t, si_status) + sizeof(int));
	if (!rc && r.pid && a[4])
		rc = sys_copy_out(t, a[4], &r.usage, sizeof(r.usage));
	return rc;
}

/* --- numbers, groups and sessions ------------------------------------------------------------- */

long sys_getpid(struct task *t, const uint64_t a[6])
{
	(void)a;
	return t->process->pid;
}

long sys_gettid(struct task *t, const uint64_t a[6])
{
	(void)a;
	return t->tid;
}

long sys_getppid(struct task *t, const uint64_t a[6])
{
	(void)a;
	return process_ppid(t->process);
}

long sys_getpgrp(struct task *t, const uint64_t a[6])
{
	(void)a;
	return pgroup_getpgid(t, 0);
}

long sys_getpgid(struct task *t, const uint64_t a[6])
{
	return pgroup_getpgid(t, (pid_t)a[0]);
}

long sys_setpgid(struct task *t, const uint64_t a[6])
{
	return pgroup_setpgid(t, (pid_t)a[0], (pid_t)a[1]);
}

long sys_getsid(struct task *t, const uint64_t a[6])
{
	return pgroup_getsid(t, (pid_t)a[0]);
}

long sys_setsid(struct task *t, const uint64_t a[6])
{
	(void)a;
	return pgroup_setsid(t);
}

/* The stub keeps the word for the host, which clears it; only the answer is ours. */
long sys_set_tid_address(struct task *t, const uint64_t a[6])
{
	(void)a;
	return t->tid;
}

/* --- pidfds ----------------------------------------------------------------------------------- */

long sys_pidfd_open(struct task *t, const uint64_t a[6])
{
	struct process *p;
	struct task *thread;
	struct file *f;
	int fd;

	if ((unsigned int)a[1] & ~(unsigned int)O_NONBLOCK || (pid_t)a[0] <= 0)
		return -EINVAL;
	p = process_find(t->process->pids, (pid_t)a[0]);
	if (!p) {
		thread = task_find(t->process->pids, (pid_t)a[0]);
		task_put(thread);
		return thread ? -EINVAL : -ESRCH;
	}
	f = pidfd_create(p, (unsigned int)a[1], t->cred);
	process_put(p);
	fd = fdtable_install(t->fds, f, 0, task_limit(t, RLIMIT_NOFILE), true);
	if (fd < 0)
		file_put(f);
	return fd;
}

long sys_pidfd_send_signal(struct task *t, const uint64_t a[6])
{
	int signo = (int)a[1], rc;
	siginfo_t info = signal_from_task(t, signo, SI_USER);
	struct process *p;

	if ((unsigned int)a[3] || signo < 0 || signo > N_SIGNALS)
		return -EINVAL;
	rc = pidfd_target(t, (int)a[0], &p);
	if (rc)
		return rc;
	if (a[2])
		rc = sys_copy_in_siginfo(t, &info, a[2]);
	if (!rc && a[2] && info.si_signo != signo)
		rc = -EINVAL;
	if (!rc && a[2] && p != t->process && (info.si_code >= 0 || info.si_code == SI_TKILL))
		rc = -EPERM;
	if (!rc && p->state == PROCESS_DEAD)
		rc = -ESRCH;
	if (!rc)
		rc = signal_may_send(t, p, signo);
	if (!rc && signo)
		rc = signal_send_process(p, &info);
	process_put(p);
	return rc;
}

int sys_may_look_into(struct task *t, struct process *p)
{
	const struct cred *a = t->cred;
	struct cred *b;
	bool same;

	if (p == t->process || cred_has(a, 19 /* CAP_SYS_PTRACE */))
		return 0;
	b = process_cred(p);
	same = a->uid == b->euid && a->uid == b->suid && a->uid == b->uid && a->gid == b->egid &&
	       a->gid == b->sgid && a->gid == b->gid && !(b->permitted & ~a->permitted);
	cred_put(b);
	return same && p->dumpable ? 0 : -EPERM;
}

long sys_pidfd_getfd(struct task *t, const uint64_t a[6])
{
	struct process *p;
	struct task *leader;
	struct fdtable *fds;
	struct file *f;
	int rc;

	if ((unsigned int)a[2])
		return -EINVAL;
	rc = pidfd_target(t, (int)a[0], &p);
	if (rc)
		return rc;
	rc = sys_may_look_into(t, p);
	leader = rc ? NULL : process_leader(p);
	process_put(p);
	if (!leader)
		return rc ? rc : -ESRCH;
	fds = task_fds(leader);
	task_put(leader);
	f = fds ? fdtable_find(fds, (int)a[1]) : NULL;
	fdtable_put(fds);
	if (!f)
		return fds ? -EBADF : -ESRCH;
	rc = fdtable_install(t->fds, f, 0, task_limit(t, RLIMIT_NOFILE), true);
	if (rc < 0)
		file_put(f);
	return rc;
}

static int order(const void *a, const void *b)
{
	return a == b ? 0 : (uintptr_t)a < (uintptr_t)b ? 1 : 2;
}

static long compare_files(struct task *one, struct task *two, int fd1, int fd2)
{
	struct fdtable *t1 = task_fds(one), *t2 = task_fds(two);
	struct file *f1 = t1 ? fdtable_find(t1, fd1) : NULL;
	struct file *f2 = t2 ? fdtable_find(t2, fd2) : NULL;
	long rc = f1 && f2 ? order(f1, f2) : -EBADF;

	file_put(f1);
	file_put(f2);
	fdtable_put(t1);
	fdtable_put(t2);
	return rc;
}

static long compare(struct task *one, struct task *two, int type, const uint64_t a[6])
{
	switch (type) {
	case KCMP_FILE:
		return compare_files(one, two, (int)a[3], (int)a[4]);
	case KCMP_FILES:
		return order(one->fds, two->fds);
	case KCMP_FS:
		return order(one->fs, two->fs);
	case KCMP_VM:
	case KCMP_SIGHAND:
		return order(one->process, two->process);
	case KCMP_IO:
	case KCMP_SYSVSEM:
		return 0;
	default:
		return -EINVAL;
	}
}

long sys_kcmp(struct task *t, const uint64_t a[6])
{
	struct task *one = task_find(t->process->pids, (pid_t)a[0]);
	struct task *two = task_find(t->process->pids, (pid_t)a[1]);
	long rc = one && two ? 0 : -ESRCH;

	if (!rc)
		rc = sys_may_look_into(t, one->process);
	if (!rc)
		rc = sys_may_look_into(t, two->process);
	if (!rc)
		rc = compare(one, two, (int)a[2], a);
	task_put(one);
	task_put(two);
	return rc;
}
