/* SPDX-License-Identifier: Apache-2.0 */
/*
 * execve: a process goes on in a fresh stub.
 *
 * Up to the point of no return every error goes back to the old image.  Then the other threads
 * end, the guest's process changes hands from the old stub to the new one, and the old host
 * process is killed, which also releases a vfork parent.
 */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "runtimes/sentry/ipc/sysv.h"
#include "runtimes/sentry/task/exec.h"
#include "runtimes/sentry/task/internal.h"
#include "runtimes/sentry/task/itimer.h"
#include "runtimes/sentry/task/pgroup.h"
#include "runtimes/sentry/task/seccomp.h"
#include "runtimes/sentry/task/signal.h"

static const int host_resources[] = { RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK, RLIMIT_STACK };

/*
 * host_limits() - of a fresh stub: all of a container have those of its zygote. Return: whether
 * they are known.
 */
static bool host_limits(struct container *c, pid_t pid)
{
	if (__atomic_load_n(&c->host_limits_known, __ATOMIC_ACQUIRE))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(host_resources); i++)
		if (prlimit(pid, host_resources[i], NULL, &c->host_limits[host_resources[i]]))
			return false;
	__atomic_store_n(&c->host_limits_known, true, __ATOMIC_RELEASE);
	return true;
}

void exec_limits(struct process *p, bool fresh)
{
	struct rlimit limits[RLIM_NLIMITS];
	pid_t pid;

	lock_acquire(&p->lock);
	memcpy(limits, p->limits, sizeof(limits));
	lock_release(&p->lock);
	LOCKED(&p->signal_lock);
	pid = p->stub ? stub_host_pid(p->stub) : 0;
	if (pid <= 0 || !host_limits(p->container, pid))
		return;
	for (size_t i = 0; i < ARRAY_LEN(host_resources); i++) {
		int resource = host_resources[i];
		struct rlimit now = p->container->host_limits[resource], to = limits[resource];

		/* Without rights on the host only what lowers the hard limit can be had. */
		to.rlim_max = now.rlim_max;
		to.rlim_cur = MIN(to.rlim_cur, MIN(limits[resource].rlim_max, now.rlim_max));
		if (!fresh || to.rlim_cur != now.rlim_cur)
			prlimit(pid, resource, &to, NULL);
	}
}

static char *join_argv(char **argv, size_t *ret_len)
{
	size_t len = 0, at = 0;
	char *joined;

	for (size_t i = 0; argv[i]; i++)
		len += strlen(argv[i]) + 1;
	joined = xmalloc(len + 1);
	for (size_t i = 0; argv[i]; i++) {
		size_t n = strlen(argv[i]) + 1;

		memcpy(joined + at, argv[i], n);
		at += n;
	}
	*ret_len = len;
	return joined;
}

void exec_publish(struct exec *e, struct process *p, struct task *t)
{
	const char *base = strrchr(e->name, '/');
	struct file *old_exe = p->exe;
	char *old_line = p->command_line;

	lock_acquire(&p->lock);
	strncpy(t->name, base ? base + 1 : e->name, TASK_NAME_BYTES - 1);
	p->exe = file_get(e->program);
	p->command_line = join_argv(e->argv, &p->command_line_len);
	p->arg_start = e->arg_start;
	p->arg_end = e->arg_end;
	p->env_start = e->env_start;
	p->env_end = e->env_end;
	p->stack_start = e->stack_start;
	p->brk_start = e->image.brk_start;
	memcpy(p->auxv, e->auxv, sizeof(p->auxv));
	p->auxv_len = e->auxv_len;
	p->dumpable = !e->secure;
	lock_release(&p->lock);
	file_put(old_exe);
	free(old_line);
}

/* only_thread() - all others end. Return: 0, or -EINTR when the process itself is ending. */
static int only_thread(struct task *me)
{
	struct process *p = me->process;
	struct wait_entry e;
	struct task *t;
	int rc = 0;

	lock_acquire(&p->signal_lock);
	if (p->exec_by || p->exiting) {
		lock_release(&p->signal_lock);
		return -EAGAIN;
	}
	if (p->n_tasks == 1) {
		lock_release(&p->signal_lock);
		return 0;
	}
	p->exec_by = me;
	list_for_each(t, &p->tasks, in_process)
		if (t != me)
			sleeper_kill(&t->sleeper);
	if (p->stub)
		stub_kill(p->stub);
	lock_release(&p->signal_lock);
	wait_begin(&p->child_events, &e, 0);
	while (!rc && __atomic_load_n(&p->n_tasks, __ATOMIC_SEQ_CST) > 1)
		rc = wait_sleep_killable(WAIT_FOREVER);
	wait_end(&e);
	lock_acquire(&tasks_lock);
	if (!rc && me->tid != p->pid)
		task_renumber(me);
	lock_release(&tasks_lock);
	return rc;
}

/* The guest's process and thread belong to the fresh stub from here on. */
static void change_hands(struct task *t, struct stub_process *sp, struct stub_thread *st)
{
	struct process *p = t->process;
	uint64_t mask = t->restore_mask ? t->saved_mask : stub_signal_mask(t->stub);

	stub_set_signal_mask(st, mask);
	t->restore_mask = false;
	stub_set_owner(t->stub, NULL);
	LOCKED(&p->signal_lock);
	process_count_cpu(p);
	process_attach(p, sp);
	t->stub = st;
	p->exec_by = NULL;
	stub_set_pending(st, p->pending.set | t->pending.set);
	if (p->exiting)
		stub_kill(sp);
}

static void forget_old_image(struct task *t)
{
	struct process *p = t->process;
	struct fdtable *fds = fdtable_copy(t->fds), *old;

	/* A table that a vfork parent shares must keep what this program does not want. */
	fdtable_close_on_exec(fds);
	lock_acquire(&p->lock);
	old = t->fds;
	t->fds = fds;
	lock_release(&p->lock);
	fdtable_put(old);
	itimers_exec(p);
	sysv_process_exec(p->sysv);
	t->robust_list = 0;
	t->restart.fn = NULL;
	lock_acquire(&tasks_lock);
	p->has_execed = true;
	p->exit_signal = SIGCHLD;
	lock_release(&tasks_lock);
}

/* The old host thread has nobody to come back to. */
static void __attribute__((noreturn)) die_in_exec(struct task *t)
{
	struct process *p = t->process;

	if (p->exec_by && p->exec_by != t)
		stub_exit_thread(t->stub);
	process_begin_exit(p, SIGKILL);
	lock_acquire(&tasks_lock);
	lock_acquire(&p->signal_lock);
	/* Its death, if it was reported, was taken for execve's doing. */
	p->stub = NULL;
	p->life = NULL;
	p->host_gone = true;
	lock_release(&p->signal_lock);
	lock_release(&tasks_lock);
	stub_exit_thread(t->stub);
}

static void __attribute__((noreturn))
go_on(struct task *t, struct exec *e, struct stub_process *sp, struct stub_thread *st)
{
	struct stub_thread *old_thread = t->stub;
	struct stub_process *old_process = t->process->stub;
	int rc;

	forget_old_image(t);
	if (e->secure)
		t->death_signal = 0;
	task_set_cred(t, cred_get(e->new_cred));
	exec_publish(e, t->process, t);
	change_hands(t, sp, st);
	task_show_ids(t);
	exec_limits(t->process, true);
	/* Another thread is the task's from here on: this one must wake it as anybody else. */
	sleeper_set_current(NULL);
	rc = stub_start(st, &e->image);
	exec_finish(e);
	free(e);
	if (old_process)
		stub_kill(old_process);
	if (rc)
		process_begin_exit(t->process, SIGKILL);
	stub_exit_thread(old_thread);
}

long task_execve(struct task *t, struct file *program, char *name, char **argv, char **envp)
{
	struct process *p = t->process;
	struct exec *e = xnew(struct exec);
	struct stub_process *sp = NULL;
	struct stub_thread *st;
	int rc;

	e->fs = t->fs;
	e->cred = t->cred;
	e->program = program;
	e->stack_limit = task_limit(t, RLIMIT_STACK);
	e->name = name;
	e->argv = argv;
	e->envp = envp;
	rc = exec_load(e);
	if (!rc)
		rc = stub_create(p->container->zygote, t, &sp, &st);
	if (!rc)
		exec_set_vdso(e, stub_vdso(st));
	if (rc) {
		exec_finish(e);
		free(e);
		return rc;
	}
	signal_exec(p, sp);
	rc = only_thread(t);
	if (!rc)
		go_on(t, e, sp, st);
	stub_set_owner(st, NULL);
	stub_kill(sp);
	exec_finish(e);
	free(e);
	die_in_exec(t);
}

/* --- processes that are started from outside ------------------------------------------------- */

static char **copy_vector(char **v)
{
	size_t n = 0;
	char **copy;

	while (v && v[n])
		n++;
	copy = xcalloc(n + 1, sizeof(*copy));
	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(v[i]);
	return copy;
}

static const char *path_of(char **envp)
{
	for (; envp && *envp; envp++)
		if (!strncmp(*envp, "PATH=", 5))
			return *envp + 5;
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/* open_program() - as execvp(3) looks for it. */
static int open_program(const struct process_start *s, char **ret_name, struct file **ret)
{
	int rc = -ENOENT, one;

	if (strchr(s->path, '/')) {
		*ret_name = xstrdup(s->path);
		return exec_open(s->fs, NULL, s->path, 0, s->cred, ret);
	}
	*ret_name = NULL;
	for (const char *p = path_of(s->envp), *end; *p; p = *end ? end + 1 : end) {
		end = p + strcspn(p, ":");
		free(*ret_name);
		*ret_name = xasprintf("%.*s/%s", (int)(end - p), p, s->path);
		one = exec_open(s->fs, NULL, *ret_name, 0, s->cred, ret);
		if (!one)
			return 0;
		if (one != -ENOENT && one != -ENOTDIR)
			rc = one;
	}
	return rc;
}

void process_default_limits(struct rlimit l[RLIM_NLIMITS])
{
	for (int i = 0; i < RLIM_NLIMITS; i++)
		l[i].rlim_cur = l[i].rlim_max = RLIM_INFINITY;
	l[RLIMIT_STACK].rlim_cur = 8 << 20;
	l[RLIMIT_CORE].rlim_cur = 0;
	l[RLIMIT_NOFILE] = (struct rlimit){ 1024, 1 << 20 };
	l[RLIMIT_MEMLOCK] = (struct rlimit){ 8 << 20, 8 << 20 };
	l[RLIMIT_SIGPENDING] = (struct rlimit){ 32768, 32768 };
	l[RLIMIT_MSGQUEUE] = (struct rlimit){ 819200, 819200 };
	l[RLIMIT_NICE] = (struct rlimit){ 0, 0 };
	l[RLIMIT_RTPRIO] = (struct rlimit){ 0, 0 };
}

static int number(struct task *t)
{
	struct process *p = t->process;
	int rc;

	LOCKED(&tasks_lock);
	rc = task_publish(t);
	if (rc)
		return rc;
	pgroup_start(p);
	if (!p->pids->init) {
		p->pids->init = p;
		p->init_protected = true;
	}
	return 0;
}

static void unnumber(struct task *t)
{
	LOCKED(&tasks_lock);
	if (t->process->pids->init == t->process)
		t->process->pids->init = NULL;
	task_unpublish(t);
	t->process->state = PROCESS_DEAD;
	process_unpublish(t->process);
}

static struct task *make_task(const struct process_start *s)
{
	struct process *p = process_create(s->container);
	struct task *t = task_create(p, s->cred);

	if (s->limits)
		memcpy(p->limits, s->limits, sizeof(p->limits));
	else
		process_default_limits(p->limits);
	p->exit_signal = SIGCHLD;
	p->on_exit = s->exited;
	p->on_exit_data = s->data;
	t->fs = fs_context_get(s->fs);
	t->fds = fdtable_get(s->fds);
	t->seccomp = seccomp_get(s->container->seccomp);
	return t;
}

static int run(const struct process_start *s, struct task *t, struct exec *e)
{
	struct process *p = t->process;
	struct stub_process *sp;
	int rc = stub_create(s->container->zygote, t, &sp, &t->stub);

	if (rc)
		return rc;
	exec_set_vdso(e, stub_vdso(t->stub));
	task_set_cred(t, cred_get(e->new_cred));
	exec_publish(e, p, t);
	lock_acquire(&p->signal_lock);
	process_attach(p, sp);
	lock_release(&p->signal_lock);
	exec_limits(p, true);
	task_show_ids(t);
	if (s->tty)
		tty_control_acquire(s->tty, t, true);
	task_get(t);	/* the stub thread's */
	process_get(p); /* that of being alive */
	rc = stub_start(t->stub, &e->image);
	if (!rc)
		return 0;
	process_detach(p);
	stub_set_owner(t->stub, NULL);
	stub_kill(sp);
	process_put(p);
	task_put(t);
	return rc;
}

int process_start(const struct process_start *s, struct process **ret)
{
	struct exec *e = xnew(struct exec);
	struct task *t = NULL;
	int rc = open_program(s, &e->name, &e->program);

	e->fs = s->fs;
	e->cred = s->cred;
	e->stack_limit = s->limits ? s->limits[RLIMIT_STACK].rlim_cur : 8 << 20;
	e->argv = copy_vector(s->argv);
	e->envp = copy_vector(s->envp);
	if (!rc)
		rc = exec_load(e);
	if (!rc) {
		t = make_task(s);
		rc = number(t);
	}
	if (!rc) {
		*ret = process_get(t->process);
		rc = run(s, t, e);
		if (rc) {
			unnumber(t);
			process_put(*ret);
		}
	}
	if (rc && t) {
		fdtable_put(steal_ptr(t->fds));
		fs_context_put(steal_ptr(t->fs));
	}
	task_put(t);
	exec_finish(e);
	free(e);
	return rc;
}
