/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks (threads) and processes of the guest.
 *
 *   struct process  what threads share: memory's identity, signals sent to the process, children,
 *                   limits, its exit
 *   struct task     one thread: its tid, credentials, descriptors, pending signals
 *
 * Life of a process: RUNNING -> (STOPPED <-> RUNNING) -> ZOMBIE -> DEAD.  It is a zombie when its
 * last task is gone and no guest code of it can run any more; it is dead when it has been waited
 * for, or at once when its parent ignores SIGCHLD.
 *
 * Lock order: kern/lock.h.  `tasks` (tasks_lock, one a sentry) guards the tree: parent, children,
 * group, session, state; `process` limits, names and the credentials that others read;
 * `signal` (process.signal_lock) all queues of pending signals of a process and its threads, its
 * stop and its exit.  The list of threads changes under `tasks` and `signal` both, so either is
 * enough to walk it.  A task's own fields are its serving thread's alone unless said otherwise.
 */
#ifndef SENTRY_TASK_TASK_H
#define SENTRY_TASK_TASK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/list.h"
#include "runtimes/sentry/kern/cred.h"
#include "runtimes/sentry/kern/lock.h"
#include "runtimes/sentry/kern/wait.h"
#include "runtimes/sentry/platform/platform.h"
#include "runtimes/sentry/task/alarm.h"
#include "runtimes/sentry/task/container.h"
#include "runtimes/sentry/vfs/dentry.h"
#include "runtimes/sentry/vfs/fdtable.h"

#define TASK_NAME_BYTES 16
#define N_SIGNALS	64
#define SIGNAL_BIT(n)	(1ull << ((n)-1))

struct itimers; /* task/itimer.c */
struct sysv_process;

/* Signals waiting for a task or a process. */
struct pending {
	struct list queue; /* struct pending_signal, oldest first */
	uint64_t set;	   /* SIGNAL_BIT()s of those in the queue */
};

enum process_state { PROCESS_RUNNING, PROCESS_STOPPED, PROCESS_ZOMBIE, PROCESS_DEAD };

struct process {
	uint32_t refs;
	pid_t pid;
	struct container *container;
	struct pid_namespace *pids;

	/* under the tasks lock */
	enum process_state state;
	struct process *parent; /* NULL: started from outside */
	struct list children, in_siblings, in_pids;
	struct pgroup *group; /* task/pgroup.h: group, session, controlling tty; NULL once DEAD */
	struct list in_group;
	struct list tasks; /* struct task.in_process; under signal_lock too */
	int n_tasks;
	bool host_gone; /* no guest code of it runs any more */
	bool is_subreaper, has_execed, continued_unseen, stopped_unseen;
	int exit_signal;		/* to the parent at exit; 0: none */
	int wait_status;		/* as wait(2) tells, once ZOMBIE or STOPPED */
	struct wait_queue child_events; /* wait4() of its threads; execve waiting for threads */
	struct wait_queue exited;	/* pidfds */
	struct rusage usage;		/* once ZOMBIE */
	struct rusage children_usage;	/* of children that were waited for */

	/* under its own lock */
	struct lock lock; /* LOCK_PROCESS */
	struct rlimit limits[RLIM_NLIMITS];
	struct file *exe;   /* /proc/self/exe; NULL once it has ended */
	char *command_line; /* NUL separated, as execve got it */
	size_t command_line_len;
	uint64_t arg_start, arg_end, env_start, env_end, stack_start, brk_start;
	uint64_t auxv[44]; /* as execve laid it: /proc/self/auxv */
	size_t auxv_len;   /* bytes */
	int oom_score_adj;
	bool dumpable;

	/* under signal_lock */
	struct lock signal_lock;   /* LOCK_SIGNAL */
	struct stub_process *stub; /* NULL: has ended */
	struct stub_life *life;	   /* what the platform reports its death with; exit.c */
	struct pending pending;
	uint32_t n_pending;	   /* queued signals, its threads' included: RLIMIT_SIGPENDING */
	struct wait_queue signals; /* signalfd, sigtimedwait */
	bool stopped;		   /* its threads sleep in take_signal() */
	struct wait_queue resumed;
	bool exiting;	      /* exit_group or a fatal signal: exit_status is decided */
	bool init_protected;  /* init of its namespace: default actions do not end it */
	int exit_status;      /* as wait(2) tells */
	int64_t past_cpu_ns;  /* CPU time of stubs that execve has left; all of it once exiting */
	struct task *exec_by; /* execve waits for all others to go */

	struct list in_leaving; /* under the tasks lock: asked to go, not gone yet */
	struct alarm overdue;	/* then it is killed */
	int64_t leaving_ns;

	int64_t start_ns;	   /* CLOCK_BOOTTIME */
	struct sysv_process *sysv; /* ipc/sysv.h; NULL: never used */
	struct itimers *itimers;   /* task/itimer.c; has its own lock; NULL: never used */
	void (*on_exit)(struct process *p, int wait_status, void *data);
	void *on_exit_data;
};

struct task {
	uint32_t refs;
	pid_t tid;
	struct process *process;
	struct list in_process, in_pids; /* under the tasks lock (and signal_lock) */
	struct stub_thread *stub;	 /* others: under signal_lock; NULL: is gone */
	struct sleeper sleeper;
	struct cred *cred;     /* replaced whole; others read it under the process lock */
	struct fs_context *fs; /* shared with CLONE_FS */
	struct fdtable *fds;   /* shared with CLONE_FILES; others: task_fds() */
	struct pending pending;
	uint64_t saved_mask; /* sigsuspend, ppoll, pselect, epoll_pwait */
	bool restore_mask;
	uint64_t wait_set; /* sigtimedwait: also signals of this set end its sleep */
	uint64_t robust_list;
	char name[TASK_NAME_BYTES];
	int death_signal;
	int64_t timer_slack_ns;
	int nice, policy, ioprio; /* kept and shown: the host schedules */
	uint64_t affinity[16];	  /* sched_setaffinity(2); all 0: what the pod may use */
	int exit_code;		  /* of the thread, when it ends alone */
	struct seccomp_filter *seccomp;
	bool seccomp_strict; /* mode 1: what it refuses is SIGKILL */
	struct restart {     /* restart_syscall(2) */
		long (*fn)(struct task *t);
		uint64_t args[6];
		int64_t deadline_ns;
	} restart;
	const struct stub_call *call; /* what it is doing, for traces; NULL: in user mode */
};

extern struct lock tasks_lock; /* LOCK_TASKS */

/* task_upcalls() - fill in all of @ops but call, which is the system call table's. */
void task_upcalls(struct platform_ops *ops);

/* task_current() - whom the calling serving thread serves; NULL: no guest's. */
struct task *task_current(void);
struct task *task_get(struct task *t);
void task_put(struct task *t); /* t may be NULL */
struct process *process_get(struct process *p);
void process_put(struct process *p); /* p may be NULL */
/* task_find(), process_find() - by guest number, with a reference; NULL: none. */
struct task *task_find(struct pid_namespace *ns, pid_t tid);
/* process_find() - zombies too, until they have been waited for. */
struct process *process_find(struct pid_namespace *ns, pid_t pid);
/* process_leader() - any task of @p (the one whose tid is the pid if there), with a reference. */
struct task *process_leader(struct process *p);
/* process_next() - the process with the lowest pid >= @from, with a reference; NULL: none. */
struct process *process_next(struct pid_namespace *ns, pid_t from);
/* task_next() - the task of @p with the lowest tid >= @from, with a reference; NULL: none. */
struct task *task_next(struct process *p, pid_t from);
/* process_ppid() - the parent's number; 0: none in its namespace. */
pid_t process_ppid(struct process *p);
/* process_cred() - of the leader, with a reference: what /proc and kill(2) judge by. */
struct cred *process_cred(struct process *p);
/* task_set_cred() - publish @c, whose reference it takes; only for the task's own thread. */
void task_set_cred(struct task *t, struct cred *c);
/*
 * task_show_ids() - what the stub knows is brought up to date: numbers, ids, calls that filters may
 * forbid. Any thread, but the task's own when filters have changed.
 */
void task_show_ids(struct task *t);
/* task_fds() - of any task, with a reference; NULL: has ended. */
struct fdtable *task_fds(struct task *t);
struct fs_context *task_fs(struct task *t);
/* task_limit() - the soft limit @resource (RLIMIT_*) of its process. */
uint64_t task_limit(struct task *t, int resource);

/*
 * task_read(), task_write() - memory of another guest.  Return: 0, -EFAULT, -ESRCH (has ended).
 * Its signals wait for the copy: at most a few pages at a time.
 */
int task_read(struct task *t, void *to, uint64_t from, size_t len);
int task_write(struct task *t, uint64_t to, const void *from, size_t len);

/* task_clone() - clone(2) and clone3(2) as one; @flags as CLONE_*. Return: the child's tid or
 * -errno. */
struct clone_args_in {
	uint64_t flags, child_tid, parent_tid, exit_signal, stack, tls, pidfd;
};
long task_clone(struct task *t, const struct clone_args_in *a);
/* task_unshare() - unshare(2): CLONE_FS, CLONE_FILES, CLONE_NEWUTS, CLONE_NEWNS. */
int task_unshare(struct task *t, uint64_t flags);
/*
 * task_execve() - does not return to the old image when it succeeds.  @program is open for
 * reading, @name is how it was named (AT_EXECFN), all are freed by it: the vectors and each
 * string of them are malloc'ed.
 */
long task_execve(struct task *t, struct file *program, char *name, char **argv, char **envp);
void task_exit(struct task *t, int status) __attribute__((noreturn));
/* task_exit_group() - @wait_status as wait(2) tells it. */
void task_exit_group(struct task *t, int wait_status) __attribute__((noreturn));
/* process_begin_exit() - from any thread: all threads of @p end; the first status counts. */
void process_begin_exit(struct process *p, int wait_status);

/* What waitid(2) asks for and gets. */
struct wait_for {
	int which; /* P_ALL, P_PID, P_PGID */
	pid_t id;
	int options; /* WEXITED WSTOPPED WCONTINUED WNOHANG WNOWAIT __WALL __WCLONE __WNOTHREAD */
	struct process *process; /* P_PIDFD's, instead of which and id; NULL: none */
};
struct wait_result {
	pid_t pid; /* 0: WNOHANG and nothing there */
	uid_t uid;
	int code, status; /* CLD_*, and si_status */
	int wait_status;  /* as wait4(2) tells */
	struct rusage usage;
};
/* task_wait() - Return: 0, -ECHILD, -ERESTARTSYS. */
int task_wait(struct task *t, const struct wait_for *w, struct wait_result *ret);
/* process_usage() - of all its threads, living and dead. */
void process_usage(struct process *p, struct rusage *ret);
/* process_cpu_ns() - CPU time of its host process; 0 once it has ended. */
int64_t process_cpu_ns(struct process *p);

#endif
