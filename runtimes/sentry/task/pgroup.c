/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Process groups and sessions.
 *
 * A group lives while it has members or somebody holds it (a terminal's foreground); a session
 * while it has groups.
 */
#include <errno.h>

#include "runtimes/sentry/task/internal.h"
#include "runtimes/sentry/task/pgroup.h"
#include "runtimes/sentry/task/signal.h"

/* --- objects; all under the tasks lock ------------------------------------------------------ */

static struct session *session_create(struct pid_namespace *ns, pid_t sid)
{
	struct session *s = xnew(struct session);

	s->sid = sid;
	s->pids = ns;
	list_add(&ns->sessions, &s->in_pids);
	return s;
}

static void session_put(struct session *s)
{
	if (--s->refs)
		return;
	if (s->tty)
		s->tty->session = NULL;
	list_remove(&s->in_pids);
	free(s);
}

static struct pgroup *group_create(struct session *s, pid_t pgid)
{
	struct pgroup *g = xnew(struct pgroup);

	g->pgid = pgid;
	g->session = s;
	s->refs++;
	list_init(&g->members);
	list_add(&s->pids->groups[pid_bucket(pgid)], &g->in_pids);
	return g;
}

static void group_put(struct pgroup *g)
{
	if (!g || --g->refs)
		return;
	list_remove(&g->in_pids);
	session_put(g->session);
	free(g);
}

static struct pgroup *group_find(struct pid_namespace *ns, pid_t pgid)
{
	struct pgroup *g;

	list_for_each(g, &ns->groups[pid_bucket(pgid)], in_pids)
		if (g->pgid == pgid)
			return g;
	return NULL;
}

static void join(struct process *p, struct pgroup *g)
{
	struct pgroup *old = p->group;

	g->refs++;
	list_remove(&p->in_group);
	list_add(&g->members, &p->in_group);
	p->group = g;
	group_put(old);
}

void pgroup_start(struct process *p)
{
	struct session *s = session_create(p->pids, p->pid);

	s->leader = p;
	join(p, group_create(s, p->pid));
}

void pgroup_inherit(struct process *p, struct process *parent)
{
	join(p, parent->group);
}

void pgroup_leave(struct process *p)
{
	if (p->group->session->leader == p)
		p->group->session->leader = NULL;
	list_remove(&p->in_group);
	group_put(steal_ptr(p->group));
}

/* --- signals to many -------------------------------------------------------------------------
 *
 * Members are collected with references first: sending takes locks of its own.
 */

struct members {
	struct process **items;
	size_t count;
};

static void collect(struct pgroup *g, struct members *m)
{
	struct process *p;
	size_t n = 0;

	list_for_each(p, &g->members, in_group)
		n++;
	m->items = xcalloc(n + 1, sizeof(*m->items));
	list_for_each(p, &g->members, in_group)
		m->items[m->count++] = process_get(p);
}

static void members_signal(struct members *m, int signo)
{
	siginfo_t info = signal_from_kernel(signo);

	for (size_t i = 0; i < m->count; i++)
		signal_send_process(m->items[i], &info);
}

static void members_finish(struct members *m)
{
	for (size_t i = 0; i < m->count; i++)
		process_put(m->items[i]);
	free(m->items);
}

int pgroup_kill(struct pid_namespace *ns, pid_t pgid, const siginfo_t *info, struct task *from)
{
	struct members m = { 0 };
	int rc = -ESRCH;
	struct pgroup *g;

	lock_acquire(&tasks_lock);
	g = group_find(ns, pgid);
	if (g)
		collect(g, &m);
	lock_release(&tasks_lock);
	for (size_t i = 0; i < m.count; i++) {
		int one = from ? signal_may_send(from, m.items[i], info->si_signo) : 0;

		if (!one && info->si_signo)
			one = signal_send_process(m.items[i], info);
		/* One success is a success of the whole. */
		if (rc)
			rc = one;
	}
	members_finish(&m);
	return rc;
}

void pgroup_signal(struct pgroup *g, int signo)
{
	struct members m = { 0 };

	if (!g)
		return;
	lock_acquire(&tasks_lock);
	collect(g, &m);
	lock_release(&tasks_lock);
	members_signal(&m, signo);
	members_finish(&m);
}

/* --- orphans ------------------------------------------------------------------------------- */

/* Caller holds the tasks lock. @without: who does not count; may be NULL. */
static bool is_orphaned(const struct pgroup *g, const struct process *without)
{
	struct process *p;

	list_for_each(p, &g->members, in_group) {
		const struct process *parent = p->parent;

		if (p == without || p->state >= PROCESS_ZOMBIE || !parent || parent == without)
			continue;
		if (parent->group && parent->group != g && parent->group->session == g->session)
			return false;
	}
	return true;
}

bool pgroup_has(struct process *p, pid_t pgid)
{
	LOCKED(&tasks_lock);
	return p->group && p->group->pgid == pgid;
}

bool pgroup_is_orphaned(struct process *p)
{
	LOCKED(&tasks_lock);
	return !p->group || is_orphaned(p->group, NULL);
}

static bool has_stopped(const struct pgroup *g)
{
	struct process *p;

	list_for_each(p, &g->members, in_group)
		if (p->state == PROCESS_STOPPED)
			return true;
	return false;
}

/* collect_orphaned() - members of @g if the end of @p orphans it while it is stopped. */
static void collect_orphaned(struct pgroup *g, struct process *p, struct members *m)
{
	if (has_stopped(g) && !is_orphaned(g, NULL) && is_orphaned(g, p))
		collect(g, m);
}

static void wake_orphans(struct process *p)
{
	struct process *child;
	struct members m = { 0 };

	/* One group at a time; each is signalled at most once, as it is not stopped after that. */
	for (;;) {
		lock_acquire(&tasks_lock);
		if (p->group)
			collect_orphaned(p->group, p, &m);
		list_for_each(child, &p->children, in_siblings)
			if (!m.count && child->group && child->group != p->group)
				collect_orphaned(child->group, p, &m);
		lock_release(&tasks_lock);
		if (!m.count)
			break;
		members_signal(&m, SIGHUP);
		members_signal(&m, SIGCONT);
		members_finish(&m);
		m = (struct members){ 0 };
	}
	free(m.items);
}

static void give_up_terminal(struct process *p)
{
	struct members m = { 0 };
	struct tty_control *c = NULL;

	lock_acquire(&tasks_lock);
	if (p->group && p->group->session->leader == p) {
		c = p->group->session->tty;
		if (c && c->foreground)
			collect(c->foreground, &m);
		if (c) {
			group_put(steal_ptr(c->foreground));
			c->session = NULL;
			p->group->session->tty = NULL;
		}
		p->group->session->leader = NULL;
	}
	lock_release(&tasks_lock);
	members_signal(&m, SIGHUP);
	members_signal(&m, SIGCONT);
	members_finish(&m);
}

void pgroup_exit(struct process *p)
{
	give_up_terminal(p);
	wake_orphans(p);
}

/* --- calls --------------------------------------------------------------------------------- */

long pgroup_setsid(struct task *t)
{
	struct process *p = t->process;

	LOCKED(&tasks_lock);
	if (p->group->session->leader == p || group_find(p->pids, p->pid))
		return -EPERM;
	pgroup_start(p);
	return p->pid;
}

static struct process *find_process(struct pid_namespace *ns, pid_t pid)
{
	struct process *p;

	list_for_each(p, &ns->processes[pid_bucket(pid)], in_pids)
		if (p->pid == pid)
			return p;
	return NULL;
}

/* Caller holds the tasks lock. */
static int may_move(struct process *self, struct process *p)
{
	if (!p || p->state >= PROCESS_ZOMBIE || (p != self && p->parent != self))
		return -ESRCH;
	if (p != self && p->group->session != self->group->session)
		return -EPERM;
	if (p != self && p->has_execed)
		return -EACCES;
	return p->group->session->leader == p ? -EPERM : 0;
}

long pgroup_setpgid(struct task *t, pid_t pid, pid_t pgid)
{
	struct process *self = t->process, *p;
	struct pgroup *g;
	int rc;

	if (pgid < 0)
		return -EINVAL;
	LOCKED(&tasks_lock);
	p = pid ? find_process(self->pids, pid) : self;
	rc = may_move(self, p);
	if (rc)
		return rc;
	if (!pgid)
		pgid = p->pid;
	g = group_find(p->pids, pgid);
	if (g == p->group)
		return 0;
	if (g && g->session != self->group->session)
		return -EPERM;
	if (!g && pgid != p->pid)
		return -EPERM;
	join(p, g ? g : group_create(p->group->session, pgid));
	return 0;
}

long pgroup_getpgid(struct task *t, pid_t pid)
{
	struct process *p;

	LOCKED(&tasks_lock);
	p = pid ? find_process(t->process->pids, pid) : t->process;
	return p && p->group ? p->group->pgid : -ESRCH;
}

long pgroup_getsid(struct task *t, pid_t pid)
{
	struct process *p;

	LOCKED(&tasks_lock);
	p = pid ? find_process(t->process->pids, pid) : t->process;
	return p && p->group ? p->group->session->sid : -ESRCH;
}

/* --- terminals ------------------------------------------------------------------------------ */

static bool is_held_back(struct task *t, int signo)
{
	return (stub_signal_mask(t->stub) & SIGNAL_BIT(signo)) ||
	       signal_action(t->process, signo).handler == (uint64_t)(uintptr_t)SIG_IGN;
}

int tty_control_check(struct tty_control *c, struct task *t, int signo)
{
	struct process *p = t->process;
	bool background, orphaned;

	lock_acquire(&tasks_lock);
	background = c->session && c->session == p->group->session && c->foreground != p->group;
	orphaned = background && is_orphaned(p->group, NULL);
	lock_release(&tasks_lock);
	if (!background)
		return 0;
	if (is_held_back(t, signo))
		return signo == SIGTTIN ? -EIO : 0;
	if (orphaned)
		return -EIO;
	pgroup_kill(p->pids, pgroup_getpgid(t, 0),
		    &(siginfo_t){ .si_signo = signo, .si_code = SI_KERNEL }, NULL);
	return -ERESTARTSYS;
}

static void attach(struct tty_control *c, struct process *p)
{
	c->session = p->group->session;
	c->session->tty = c;
	group_put(c->foreground);
	c->foreground = p->group;
	c->foreground->refs++;
}

static void detach(struct tty_control *c)
{
	if (c->session)
		c->session->tty = NULL;
	c->session = NULL;
	group_put(steal_ptr(c->foreground));
}

int tty_control_acquire(struct tty_control *c, struct task *t, bool steal)
{
	struct process *p = t->process;
	struct session *s;

	LOCKED(&tasks_lock);
	s = p->group->session;
	if (s->leader == p && c->session == s)
		return 0;
	if (s->leader != p || s->tty)
		return -EPERM;
	if (c->session) {
		if (!steal || !cred_has(t->cred, 21 /* CAP_SYS_ADMIN */))
			return -EPERM;
		detach(c);
	}
	attach(c, p);
	return 0;
}

void tty_control_open(struct tty_control *c, struct task *t)
{
	struct process *p = t->process;

	LOCKED(&tasks_lock);
	if (p->group->session->leader == p && !p->group->session->tty && !c->session)
		attach(c, p);
}

int tty_control_release(struct tty_control *c, struct task *t)
{
	struct process *p = t->process;
	bool is_leader;

	lock_acquire(&tasks_lock);
	if (!c->session || c->session != p->group->session) {
		lock_release(&tasks_lock);
		return -ENOTTY;
	}
	is_leader = c->session->leader == p;
	lock_release(&tasks_lock);
	/* Linux takes it from all; a member alone merely has it no longer, which we do not keep. */
	if (is_leader)
		give_up_terminal(p);
	if (is_leader) {
		LOCKED(&tasks_lock);
		p->group->session->leader = p;
	}
	return 0;
}

void tty_control_hangup(struct tty_control *c)
{
	struct members m = { 0 };
	struct process *leader = NULL;
	siginfo_t hup = signal_from_kernel(SIGHUP), cont = signal_from_kernel(SIGCONT);

	lock_acquire(&tasks_lock);
	if (c->foreground)
		collect(c->foreground, &m);
	if (c->session && c->session->leader)
		leader = process_get(c->session->leader);
	detach(c);
	lock_release(&tasks_lock);
	if (leader) {
		signal_send_process(leader, &hup);
		signal_send_process(leader, &cont);
	}
	members_signal(&m, SIGHUP);
	members_signal(&m, SIGCONT);
	members_finish(&m);
	process_put(leader);
}

pid_t tty_control_get_foreground(struct tty_control *c, struct task *t)
{
	LOCKED(&tasks_lock);
	if (!c->session || c->session != t->process->group->session)
		return -ENOTTY;
	return c->foreground ? c->foreground->pgid : 0;
}

int tty_control_set_foreground(struct tty_control *c, struct task *t, pid_t pgid)
{
	struct process *p = t->process;
	struct pgroup *g;
	int rc = tty_control_check(c, t, SIGTTOU);

	if (rc)
		return rc;
	LOCKED(&tasks_lock);
	if (!c->session || c->session != p->group->session)
		return -ENOTTY;
	if (pgid < 0)
		return -EINVAL;
	g = group_find(p->pids, pgid);
	if (!g)
		return -ESRCH;
	if (g->session != c->session)
		return -EPERM;
	g->refs++;
	group_put(c->foreground);
	c->foreground = g;
	return 0;
}

pid_t tty_control_get_session(struct tty_control *c, struct task *t)
{
	LOCKED(&tasks_lock);
	if (!c->session || c->session != t->process->group->session)
		return -ENOTTY;
	return c->session->sid;
}

void tty_control_signal(struct tty_control *c, int signo)
{
	struct members m = { 0 };

	lock_acquire(&tasks_lock);
	if (c->foreground)
		collect(c->foreground, &m);
	lock_release(&tasks_lock);
	members_signal(&m, signo);
	members_finish(&m);
}

struct tty_control *tty_control_of(struct task *t)
{
	LOCKED(&tasks_lock);
	return t->process->group->session->tty;
}

void tty_control_finish(struct tty_control *c)
{
	LOCKED(&tasks_lock);
	detach(c);
}
