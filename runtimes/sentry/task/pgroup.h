/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Process groups, sessions and their controlling terminals: job control.
 *
 * All fields are under the tasks lock.  A terminal is known here by its address only: the tty
 * driver (fs/) keeps a struct tty_control in it and asks before it reads, writes or signals.
 */
#ifndef SENTRY_TASK_PGROUP_H
#define SENTRY_TASK_PGROUP_H

#include "runtimes/sentry/task/task.h"

struct session {
	uint32_t refs;
	pid_t sid;
	struct pid_namespace *pids;
	struct tty_control *tty; /* NULL: none */
	struct process *leader;	 /* NULL: has ended; not a reference */
	struct list in_pids;
};

struct pgroup {
	uint32_t refs; /* members, and who else holds it */
	pid_t pgid;
	struct session *session;
	struct list members, in_pids;
};

/* The job control side of a terminal: embedded in the tty of fs/, zeroed there. */
struct tty_control {
	struct session *session;   /* whose controlling terminal it is; NULL: nobody's */
	struct pgroup *foreground; /* NULL: none */
};

/* pgroup_start() - @p becomes leader of a new session and group. Caller holds the tasks lock. */
void pgroup_start(struct process *p);
/* pgroup_inherit() - @p joins the group of @parent. Caller holds the tasks lock. */
void pgroup_inherit(struct process *p, struct process *parent);
/*
 * pgroup_leave() - @p has been reaped or is dead: out of its group.  Caller holds the tasks lock.
 */
void pgroup_leave(struct process *p);
/*
 * pgroup_exit() - @p becomes a zombie: a session leader gives its terminal up (SIGHUP, SIGCONT to
 * the foreground), groups that it orphans and that are stopped get the same.  No lock held.
 */
void pgroup_exit(struct process *p);

long pgroup_setsid(struct task *t);
long pgroup_setpgid(struct task *t, pid_t pid, pid_t pgid);
long pgroup_getpgid(struct task *t, pid_t pid);
long pgroup_getsid(struct task *t, pid_t pid);
/* pgroup_kill() - @info to each member that @from may signal (NULL: the kernel's own). */
int pgroup_kill(struct pid_namespace *ns, pid_t pgid, const siginfo_t *info, struct task *from);
/* pgroup_signal() - from the kernel to each member of the group. @g may be NULL. */
void pgroup_signal(struct pgroup *g, int signo);
/* pgroup_has() - whether @p is in group @pgid. */
bool pgroup_has(struct process *p, pid_t pgid);
/* pgroup_is_orphaned() - nobody outside of it in its session could continue it. */
bool pgroup_is_orphaned(struct process *p);

/*
 * tty_control_check() - before a background process reads (SIGTTIN) or writes with TOSTOP or
 * changes settings (SIGTTOU) of its controlling terminal.
 * Return: 0 go on; -ERESTARTSYS the signal was sent; -EIO it may not be (orphaned; blocked or
 * ignored for reading).  For SIGTTOU blocked or ignored: 0.
 */
int tty_control_check(struct tty_control *c, struct task *t, int signo);
/* tty_control_acquire() - TIOCSCTTY; @steal: its argument. Return: 0 or -EPERM. */
int tty_control_acquire(struct tty_control *c, struct task *t, bool steal);
/* tty_control_open() - at open without O_NOCTTY: becomes the terminal of a leader without one. */
void tty_control_open(struct tty_control *c, struct task *t);
/* tty_control_release() - TIOCNOTTY. */
int tty_control_release(struct tty_control *c, struct task *t);
/* tty_control_hangup() - the other side is gone: SIGHUP and SIGCONT to the session's leader and
 * foreground; the session has no terminal any more. */
void tty_control_hangup(struct tty_control *c);
/* tty_control_get_foreground() - TIOCGPGRP. Return: pgid or -ENOTTY. */
pid_t tty_control_get_foreground(struct tty_control *c, struct task *t);
/* tty_control_set_foreground() - TIOCSPGRP; sends SIGTTOU from the background. */
int tty_control_set_foreground(struct tty_control *c, struct task *t, pid_t pgid);
/* tty_control_get_session() - TIOCGSID. */
pid_t tty_control_get_session(struct tty_control *c, struct task *t);
/* tty_control_signal() - SIGINT, SIGQUIT, SIGTSTP, SIGWINCH to the foreground group. */
void tty_control_signal(struct tty_control *c, int signo);
/* tty_control_of() - /dev/tty: the terminal of the task's session; NULL: none. */
struct tty_control *tty_control_of(struct task *t);
/* tty_control_finish() - the terminal itself goes away. */
void tty_control_finish(struct tty_control *c);

#endif
