/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Life of processes: numbers, fork, exit, wait, orphans, signals, job control.
 *
 * No stub runs: handlers are called as if guests had, on a platform of plain fields.
 */
#include <sched.h>
#include <sys/wait.h>

#include "runtimes/sentry/task/itimer.h"
#include "runtimes/sentry/task/pgroup.h"
#include "runtimes/sentry/task/signal.h"
#include "tests/unit/runtimes/sentry/task/fake_platform.h"
#include "tests/unit/tap.h"

static struct container *container;
static struct task *init;

/* start_init() - as process_start() does it. */
static void start_init(void)
{
	struct stub_process *sp;
	struct process *p;

	container = guest_container_create("test", NULL, pid_namespace_create(),
					   uts_namespace_create("test"), NULL);
	init = fake_init(container);
	p = init->process;
	lock_acquire(&tasks_lock);
	task_publish(init);
	pgroup_start(p);
	p->pids->init = p;
	lock_release(&tasks_lock);
	stub_create(NULL, init, &sp, &init->stub);
	process_attach(p, sp);
	task_get(init);
	process_get(p);
	sleeper_set_current(&init->sleeper);
}

static struct task *do_fork(struct task *t, uint64_t flags)
{
	struct clone_args_in a = { .flags = flags,
				   .exit_signal = flags & CLONE_THREAD ? 0 : SIGCHLD };
	long tid = task_clone(t, &a);

	return tid > 0 ? task_find(t->process->pids, (pid_t)tid) : NULL;
}

/* be() - the calls that follow are those of @t. */
static void be(struct task *t)
{
	sleeper_set_current(&t->sleeper);
}

/* end() - @t calls exit_group(@code), and its host process ends. The reference is given back. */
static void end(struct task *t, int code)
{
	struct stub_process *sp = t->process->stub;

	be(t);
	fake_call(task_exit_group(t, code << 8));
	fake_reap(sp);
	task_put(t);
	be(init);
}

static int wait_any(struct task *t, int options, struct wait_result *r)
{
	struct wait_for w = { .which = P_ALL, .options = options | WEXITED };

	return task_wait(t, &w, r);
}

static void handle(struct task *t, int signo, uint64_t handler, uint64_t flags)
{
	struct stub_action a = { .handler = handler, .flags = flags };

	stub_action_set(t->process->stub, signo, &a);
}

static int take(struct task *t, siginfo_t *info)
{
	struct stub_action a;
	uint64_t mask;

	return signal_take(t->stub, info, &a, &mask);
}

static void send_process(struct task *t, int signo)
{
	siginfo_t info = signal_from_kernel(signo);

	signal_send_process(t->process, &info);
}

static void test_fork_and_wait(void)
{
	struct task *child = do_fork(init, 0);
	struct wait_result r;
	siginfo_t info;

	ok(child && child->tid == 2 && child->process->pid == 2, "a child has the next number");
	is_int(process_ppid(child->process), 1, "its parent is init");
	ok(child->fds != init->fds, "it has descriptors of its own");
	is_int(wait_any(init, WNOHANG, &r), 0, "it has not ended");
	is_int(r.pid, 0, "which WNOHANG tells by 0");
	handle(init, SIGCHLD, 0x1000, 0);
	end(child, 7);
	ok(init->process->pending.set & SIGNAL_BIT(SIGCHLD), "its end sends SIGCHLD");
	ok(init->stub->kicks && (init->stub->pending & SIGNAL_BIT(SIGCHLD)),
	   "and the stub is told");
	is_int(take(init, &info), SIGCHLD, "which has a handler");
	ok(info.si_pid == 2 && info.si_code == CLD_EXITED && info.si_status == 7, "and says who");
	is_int(wait_any(init, WNOWAIT, &r), 0, "WNOWAIT looks");
	is_int(wait_any(init, 0, &r), 0, "and leaves it for another");
	ok(r.pid == 2 && r.wait_status == 7 << 8, "who gets its status");
	is_int(wait_any(init, 0, &r), -ECHILD, "then there is none");
	ok(!process_find(init->process->pids, 2), "and its number is free");
	handle(init, SIGCHLD, 0, 0);
}

static void test_ignored_children(void)
{
	struct wait_result r;

	handle(init, SIGCHLD, 1 /* SIG_IGN */, 0);
	end(do_fork(init, 0), 1);
	is_int(wait_any(init, 0, &r), -ECHILD, "who ignores SIGCHLD gets no zombies");
	handle(init, SIGCHLD, 0x1000, SA_NOCLDWAIT);
	end(do_fork(init, 0), 1);
	is_int(wait_any(init, 0, &r), -ECHILD, "nor who sets SA_NOCLDWAIT");
	handle(init, SIGCHLD, 0, 0);
	signal_take_set(init, ~0ull, &(siginfo_t){ 0 });
}

static void test_orphans(void)
{
	struct task *child = do_fork(init, 0), *grand = do_fork(child, 0),
		    *dead = do_fork(child, 0);
	struct wait_result r;
	pid_t grand_pid = grand->tid, dead_pid = dead->tid, child_pid = child->tid;

	grand->death_signal = SIGUSR1;
	handle(grand, SIGUSR1, 0x1000, 0);
	end(dead, 3);
	end(child, 0);
	is_int(process_ppid(grand->process), 1, "an orphan is init's");
	ok(grand->process->pending.set & SIGNAL_BIT(SIGUSR1), "its death signal is sent");
	is_int(wait_any(init, 0, &r), 0, "init reaps");
	is_int(wait_any(init, 0, &r), 0, "the child and the zombie it left");
	ok(r.pid == dead_pid || r.pid == child_pid, "both have numbers");
	end(grand, 0);
	is_int(wait_any(init, 0, &r), 0, "later the orphan");
	is_int(r.pid, grand_pid, "of that number");
}

static void test_subreaper(void)
{
	struct task *reaper = do_fork(init, 0), *child = do_fork(reaper, 0);
	struct task *grand = do_fork(child, 0);
	struct wait_result r;

	reaper->process->is_subreaper = true;
	end(child, 0);
	is_int(process_ppid(grand->process), reaper->process->pid, "a subreaper takes orphans");
	end(grand, 4);
	be(reaper);
	wait_any(reaper, 0, &r);
	is_int(wait_any(reaper, 0, &r), 0, "and waits for them");
	end(reaper, 0);
	wait_any(init, 0, &r);
}

static void test_threads(void)
{
	const uint64_t flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
	struct task *leader = do_fork(init, 0), *thread = do_fork(leader, flags);
	struct stub_process *sp = leader->process->stub;
	struct process *p = process_get(leader->process);
	struct wait_result r;

	ok(thread && thread->process == p && p->n_tasks == 2, "a thread joins its process");
	ok(thread->fds == leader->fds, "and shares its descriptors");
	be(leader);
	ok(fake_call(task_exit(leader, 5)), "the leader ends first");
	is_int(p->n_tasks, 1, "the process goes on");
	be(init);
	is_int(wait_any(init, WNOHANG, &r), 0, "it is no zombie");
	is_int(r.pid, 0, "for anybody");
	be(thread);
	ok(fake_call(task_exit(thread, 6)), "the last thread ends");
	be(init);
	is_int(wait_any(init, WNOHANG, &r), 0, "now it is one");
	is_int(r.wait_status, 6 << 8, "with the last one's status");
	fake_reap(sp);
	task_put(leader);
	task_put(thread);
	process_put(p);
}

static void test_kill_of_many_threads(void)
{
	const uint64_t flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
	struct task *leader = do_fork(init, 0), *thread = do_fork(leader, flags);
	struct stub_process *sp = leader->process->stub;
	struct wait_result r;

	send_process(leader, SIGKILL);
	ok(sp->kills == 1 && leader->sleeper.dying && thread->sleeper.dying,
	   "SIGKILL kills at once");
	fake_reap(sp);
	fake_call(stub_exit_thread(leader->stub));
	be(init);
	is_int(wait_any(init, WNOHANG, &r), 0, "while a thread is in a handler");
	is_int(r.pid, 0, "there is no zombie");
	fake_call(stub_exit_thread(thread->stub));
	be(init);
	is_int(wait_any(init, 0, &r), 0, "after it there is");
	is_int(r.wait_status, SIGKILL, "killed");
	is_int(r.code, CLD_KILLED, "as waitid says too");
	task_put(leader);
	task_put(thread);
}

static void test_host_kill(void)
{
	struct task *child = do_fork(init, 0);
	struct stub_process *sp = child->process->stub;
	struct wait_result r;

	fake_reap(sp);
	fake_call(stub_exit_thread(child->stub));
	be(init);
	is_int(wait_any(init, 0, &r), 0, "a host process that the host ends");
	is_int(r.wait_status, SIGKILL, "was killed");
	task_put(child);
}

static void test_clone_fails(void)
{
	struct task *child;
	struct wait_result r;
	pid_t pid;

	fake_clone_error = -EAGAIN;
	ok(!do_fork(init, 0), "no room for a stub");
	fake_clone_error = 0;
	is_int(wait_any(init, 0, &r), -ECHILD, "no child");
	child = do_fork(init, 0);
	pid = child->tid;
	task_clone_failed(child);
	task_put(child);
	ok(!task_find(init->process->pids, pid) && !process_find(init->process->pids, pid),
	   "a host that cannot clone leaves nothing behind");
	is_int(wait_any(init, 0, &r), -ECHILD, "no child of it");
	is_int(init->process->pids->count, 1, "nor in the count");
}

static void test_queues(void)
{
	struct task *t = do_fork(init, 0);
	siginfo_t info = { .si_signo = SIGRTMIN, .si_code = SI_QUEUE };
	struct wait_result r;

	handle(t, SIGUSR1, 0x1000, 0);
	handle(t, SIGRTMIN, 0x1000, 0);
	t->stub->mask = ~0ull;
	be(t);
	send_process(t, SIGUSR1);
	send_process(t, SIGUSR1);
	for (int i = 0; i < 3; i++) {
		info.si_int = i;
		is_int(signal_send_process(t->process, &info), 0, "a real-time signal is queued");
	}
	ok(!signal_pending(t), "blocked signals do not interrupt");
	is_int(t->process->n_pending, 4, "standard ones wait once, real-time ones each");
	is_int(take(t, &info), 0, "nothing is taken");
	t->stub->mask = 0;
	ok(signal_pending(t), "unblocked they do");
	is_int(take(t, &info), SIGUSR1, "the lowest number first");
	for (int i = 0; i < 3; i++) {
		is_int(take(t, &info), SIGRTMIN, "then real-time ones");
		is_int(info.si_int, i, "in order");
	}
	is_int(take(t, &info), 0, "and no more");
	is_int(t->stub->pending, 0, "the stub knows");
	t->process->limits[RLIMIT_SIGPENDING].rlim_cur = 1;
	t->stub->mask = ~0ull;
	info.si_signo = SIGRTMIN;
	is_int(signal_send_process(t->process, &info), 0, "one more within the limit");
	is_int(signal_send_process(t->process, &info), -EAGAIN, "a full queue refuses");
	handle(t, SIGUSR2, 1 /* SIG_IGN */, 0);
	t->stub->mask = 0;
	send_process(t, SIGUSR2);
	ok(!(t->process->pending.set & SIGNAL_BIT(SIGUSR2)), "ignored signals are dropped");
	send_process(t, SIGWINCH);
	ok(!(t->process->pending.set & SIGNAL_BIT(SIGWINCH)), "so are those without effect");
	end(t, 0);
	wait_any(init, 0, &r);
}

static void test_defaults(void)
{
	struct task *t = do_fork(init, 0);
	struct stub_process *sp = t->process->stub;
	struct wait_result r;
	siginfo_t info;

	send_process(t, SIGTERM);
	be(t);
	ok(fake_call(take(t, &info)), "SIGTERM without a handler ends the process");
	fake_reap(sp);
	be(init);
	is_int(wait_any(init, 0, &r), 0, "its parent hears");
	is_int(r.wait_status, SIGTERM, "of what");
	task_put(t);
}

static void test_temporary_mask(void)
{
	struct task *t = do_fork(init, 0);
	struct stub_action a;
	struct wait_result r;
	uint64_t mask = 0;
	siginfo_t info;

	handle(t, SIGUSR1, 0x1000, 0);
	t->stub->mask = SIGNAL_BIT(SIGUSR1);
	send_process(t, SIGUSR1);
	be(t);
	is_int(take(t, &info), 0, "a blocked signal waits");
	signal_mask_temporarily(t, 0);
	ok(t->sleeper.interrupted, "a mask that lets it through ends the next sleep");
	is_int(signal_take(t->stub, &info, &a, &mask), SIGUSR1, "and it is taken");
	is_int(mask, SIGNAL_BIT(SIGUSR1), "its frame brings the old mask back");
	signal_mask_temporarily(t, SIGNAL_BIT(SIGUSR2));
	is_int(take(t, &info), 0, "without a signal");
	is_int(t->stub->mask, 0, "the old mask is back at once");
	end(t, 0);
	wait_any(init, 0, &r);
}

/* Stopping needs the thread asleep in signal_take(): here it is killed, or continued, meanwhile. */
static void test_stop(void)
{
	struct task *t = do_fork(init, 0);
	struct stub_process *sp = t->process->stub;
	struct wait_for w = { .which = P_ALL, .options = WEXITED | WSTOPPED | WCONTINUED };
	struct wait_result r;
	siginfo_t info;

	/* Dead on arrival: the sleep of a stopped thread ends at once. */
	send_process(t, SIGSTOP);
	sleeper_kill(&t->sleeper);
	be(t);
	ok(fake_call(take(t, &info)), "a stopped thread can be killed");
	fake_reap(sp);
	be(init);
	is_int(task_wait(init, &w, &r), 0, "its end is told");
	task_put(t);

	t = do_fork(init, 0);
	t->process->stopped = true;
	t->process->state = PROCESS_STOPPED;
	t->process->stopped_unseen = true;
	t->process->wait_status = SIGTSTP << 8 | 0x7f;
	is_int(task_wait(init, &w, &r), 0, "a stop is told");
	ok(r.code == CLD_STOPPED && r.status == SIGTSTP && WIFSTOPPED(r.wait_status), "as such");
	w.options |= WNOHANG;
	is_int(task_wait(init, &w, &r), 0, "but once");
	is_int(r.pid, 0, "not again");
	send_process(t, SIGCONT);
	ok(!t->process->stopped && t->process->state == PROCESS_RUNNING, "SIGCONT continues");
	is_int(task_wait(init, &w, &r), 0, "which is told");
	ok(r.code == CLD_CONTINUED && WIFCONTINUED(r.wait_status), "as such");
	t->stub->mask = ~0ull;
	send_process(t, SIGTSTP);
	ok(t->process->pending.set & SIGNAL_BIT(SIGTSTP), "a stop signal waits");
	send_process(t, SIGCONT);
	ok(!(t->process->pending.set & SIGNAL_BIT(SIGTSTP)), "SIGCONT drops it");
	end(t, 0);
	w.options &= ~WNOHANG;
	task_wait(init, &w, &r);
}

static void test_groups(void)
{
	struct task *shell = do_fork(init, 0), *job = do_fork(shell, 0);
	struct tty_control tty = { 0 };
	struct wait_result r;

	is_int(pgroup_getpgid(shell, 0), 1, "a child is in its parent's group");
	is_int(pgroup_setsid(shell), shell->tid, "setsid");
	is_int(pgroup_setsid(shell), -EPERM, "a leader may not again");
	is_int(pgroup_getsid(init, 0), 1, "sessions are apart");
	is_int(pgroup_setpgid(shell, job->tid, 0), -EPERM, "a child of another session stays");
	end(job, 0);
	be(shell);
	wait_any(shell, 0, &r);
	job = do_fork(shell, 0);
	is_int(pgroup_setpgid(shell, job->tid, 0), 0, "a job gets a group");
	is_int(pgroup_getpgid(shell, job->tid), job->tid, "of its number");
	is_int(pgroup_setpgid(shell, job->tid, 4242), -EPERM, "not one that is nobody's");
	job->process->has_execed = true;
	is_int(pgroup_setpgid(shell, job->tid, shell->tid), -EACCES, "not after its execve");
	is_int(tty_control_acquire(&tty, job, false), -EPERM, "only a leader takes a terminal");
	is_int(tty_control_acquire(&tty, shell, false), 0, "it does");
	is_int(tty_control_get_foreground(&tty, job), shell->tid, "its group is in the foreground");
	is_int(tty_control_set_foreground(&tty, shell, job->tid), 0, "the job comes to it");
	handle(job, SIGINT, 0x1000, 0);
	tty_control_signal(&tty, SIGINT);
	ok(job->process->pending.set & SIGNAL_BIT(SIGINT), "^C reaches it");
	is_int(tty_control_check(&tty, job, SIGTTIN), 0, "it may read");
	is_int(tty_control_check(&tty, shell, SIGTTIN), -EIO, "an orphaned background may not");
	handle(shell, SIGTTOU, 1, 0);
	is_int(tty_control_set_foreground(&tty, shell, shell->tid), 0,
	       "a shell that ignores SIGTTOU");
	handle(job, SIGTTIN, 0x1000, 0);
	is_int(tty_control_check(&tty, job, SIGTTIN), -ERESTARTSYS, "nor may a background job");
	ok(job->process->pending.set & SIGNAL_BIT(SIGTTIN), "which is told by SIGTTIN");
	job->stub->mask = SIGNAL_BIT(SIGTTIN);
	is_int(tty_control_check(&tty, job, SIGTTIN), -EIO, "unless it blocks that");
	job->stub->mask = 0;
	handle(shell, SIGHUP, 0x1000, 0);
	end(shell, 0);
	ok(!tty.session && !tty.foreground, "the end of a session's leader frees the terminal");
	end(job, 0);
	while (!wait_any(init, 0, &r))
		;
	is_int(init->process->pids->count, 1, "all are gone");
}

static void test_orphaned_group(void)
{
	struct task *shell = do_fork(init, 0), *job;
	struct wait_result r;

	pgroup_setsid(shell);
	job = do_fork(shell, 0);
	pgroup_setpgid(shell, job->tid, 0);
	ok(!pgroup_is_orphaned(job->process), "a shell can continue its job");
	handle(job, SIGHUP, 0x1000, 0);
	job->process->state = PROCESS_STOPPED;
	job->process->stopped = true;
	end(shell, 0);
	ok(job->process->pending.set & SIGNAL_BIT(SIGHUP),
	   "a stopped job that it leaves gets SIGHUP");
	ok(!job->process->stopped, "and goes on");
	ok(pgroup_is_orphaned(job->process), "its group is an orphan");
	end(job, 0);
	while (!wait_any(init, 0, &r))
		;
}

static void test_permissions(void)
{
	struct task *a = do_fork(init, 0), *b = do_fork(init, 0);
	struct cred *c = cred_copy(a->cred);
	struct wait_result r;

	c->uid = c->euid = c->suid = 100;
	task_set_cred(a, cred_get(c));
	is_int(signal_may_send(a, b->process, SIGTERM), -EPERM, "a user may not signal root");
	is_int(signal_may_send(a, a->process, SIGTERM), 0, "but itself");
	is_int(signal_may_send(a, b->process, SIGCONT), 0, "and SIGCONT within its session");
	task_set_cred(b, c);
	is_int(signal_may_send(a, b->process, SIGTERM), 0, "and its own");
	end(a, 0);
	end(b, 0);
	while (!wait_any(init, 0, &r))
		;
}

static void exited(struct process *p, int wait_status, void *data)
{
	(void)p;
	*(int *)data = wait_status;
}

static void test_end_of_init(void)
{
	struct task *child = do_fork(init, 0);
	struct stub_process *sp = init->process->stub, *child_sp = child->process->stub;
	int status = -1;

	init->process->on_exit = exited;
	init->process->on_exit_data = &status;
	init->process->init_protected = true;
	send_process(init, SIGTERM);
	ok(!(init->process->pending.set & SIGNAL_BIT(SIGTERM)), "init is safe from its children");
	is_int(process_signal(init->process, SIGTERM), 0, "but not from outside");
	is_int(sp->kills, 1, "it is killed");
	fake_reap(sp);
	fake_call(stub_exit_thread(init->stub));
	is_int(status, SIGTERM, "who started it is told");
	is_int(child_sp->kills, 1, "and all others end with it");
	be(child);
	fake_call(stub_exit_thread(child->stub));
	fake_reap(child_sp);
	is_int(child->process->state, PROCESS_DEAD, "they leave no zombies");
	is_int(container->pids->count, 0, "nobody is left");
	task_put(child);
	task_put(init);
}

int main(void)
{
	start_init();
	test_fork_and_wait();
	test_ignored_children();
	test_orphans();
	test_subreaper();
	test_threads();
	test_kill_of_many_threads();
	test_host_kill();
	test_clone_fails();
	test_queues();
	test_defaults();
	test_temporary_mask();
	test_stop();
	test_groups();
	test_orphaned_group();
	test_permissions();
	test_end_of_init();
	guest_container_put(container);
	return tap_done();
}
