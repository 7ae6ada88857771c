/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/PID/stat, statm, status: what ps and top read.
 *
 * Who and whose is the sentry's to say; how much memory, faults and CPU time, the host's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtimes/sentry/fs/proc_node.h"
#include "runtimes/sentry/fs/tty.h"
#include "runtimes/sentry/task/pgroup.h"
#include "runtimes/sentry/task/signal.h"

#define TICKS_A_SECOND 100
#define HOST_FIELDS    52

/* What the host says; fields of proc(5), numbered from 1. */
struct host_stat {
	char state;
	unsigned long long field[HOST_FIELDS + 1];
};

/* The sentry's part. */
struct ids {
	pid_t ppid, pgrp, session, foreground;
	int tty;
	int threads;
	enum process_state state;
	int exit_signal, exit_status;
	char name[TASK_NAME_BYTES + 1];
};

static void parse_host(const char *text, struct host_stat *ret)
{
	const char *at = strrchr(text, ')');
	char *end;

	if (!at || !at[1])
		return;
	ret->state = at[2];
	at += 3;
	for (int n = 4; n <= HOST_FIELDS && *at; n++) {
		ret->field[n] = strtoull(at, &end, 10);
		if (end == at)
			break;
		at = end;
	}
}

/* read_host() - zeros for a process that has ended. */
static void read_host(const struct proc_target *t, struct host_stat *ret)
{
	cleanup_strbuf struct strbuf text = { 0 };

	*ret = (struct host_stat){ .state = 'S' };
	if (proc_host_text(t, "stat", &text) >= 0 && text.data)
		parse_host(text.data, ret);
}

static void read_ids(const struct proc_target *t, struct ids *ret)
{
	struct process *p = t->process;

	*ret = (struct ids){ .foreground = -1, .ppid = process_ppid(p) };
	lock_acquire(&tasks_lock);
	ret->state = p->state;
	ret->threads = p->n_tasks;
	ret->exit_signal = p->exit_signal;
	if (p->group) {
		struct session *s = p->group->session;

		ret->pgrp = p->group->pgid;
		ret->session = s->sid;
		ret->tty = s->tty ? tty_number(s->tty) : 0;
		if (s->tty && s->tty->foreground)
			ret->foreground = s->tty->foreground->pgid;
	}
	lock_release(&tasks_lock);
	lock_acquire(&p->lock);
	if (t->task)
		memcpy(ret->name, t->task->name, TASK_NAME_BYTES);
	lock_release(&p->lock);
}

/* state_of() - a thread that is in a call of ours sleeps, whatever the host sees. */
static char state_of(const struct proc_target *t, const struct ids *ids, const struct host_stat *h)
{
	if (ids->state >= PROCESS_ZOMBIE)
		return 'Z';
	if (ids->state == PROCESS_STOPPED)
		return 'T';
	if (t->task == task_current())
		return 'R';
	return h->state == 'R' ? 'R' : 'S';
}

static unsigned long long ticks_of(const struct timeval *tv)
{
	return (unsigned long long)tv->tv_sec * TICKS_A_SECOND +
	       (unsigned long long)tv->tv_usec * TICKS_A_SECOND / 1000000;
}

struct signal_sets {
	uint64_t pending, shared, blocked, ignored, caught;
	uint32_t queued;
};

static void read_signals(const struct proc_target *t, struct signal_sets *ret)
{
	struct process *p = t->process;

	*ret = (struct signal_sets){ .pending = 0 };
	LOCKED(&p->signal_lock);
	ret->shared = p->pending.set;
	ret->queued = p->n_pending;
	if (!p->stub || !t->task || !t->task->stub)
		return;
	ret->pending = t->task->pending.set;
	ret->blocked = stub_signal_mask(t->task->stub);
	for (int n = 1; n <= N_SIGNALS; n++) {
		struct stub_action a = stub_action_get(p->stub, n);

		if (a.handler == 1)
			ret->ignored |= SIGNAL_BIT(n);
		else if (a.handler)
			ret->caught |= SIGNAL_BIT(n);
	}
}

int proc_stat(const struct proc_target *t, struct strbuf *out)
{
	struct process *p = t->process;
	bool look = proc_may_look(t);
	struct signal_sets sig;
	struct host_stat h;
	struct rusage use;
	struct ids ids;

	read_host(t, &h);
	read_ids(t, &ids);
	read_signals(t, &sig);
	process_usage(p, &use);
	strbuf_printf(out, "%d (%s) %c %d %d %d %d %d 0 %llu 0 %llu 0 ",
		      t->key.tid ? t->key.tid : p->pid, ids.name, state_of(t, &ids, &h), ids.ppid,
		      ids.pgrp, ids.session, ids.tty, ids.foreground, h.field[10], h.field[12]);
	strbuf_printf(out, "%llu %llu %llu %llu 20 %d %d 0 %llu ", ticks_of(&use.ru_utime),
		      ticks_of(&use.ru_stime), ticks_of(&p->children_usage.ru_utime),
		      ticks_of(&p->children_usage.ru_stime), t->task ? t->task->nice : 0,
		      ids.threads,
		      (unsigned long long)(p->start_ns / (1000000000 / TICKS_A_SECOND)));
	strbuf_printf(out, "%llu %llu %llu 0 0 %llu 0 0 %llu %llu %llu %llu 0 0 0 %d %llu ",
		      h.field[23], h.field[24],
		      (unsigned long long)(p->limits[RLIMIT_RSS].rlim_cur),
		      look ? (unsigned long long)p->stack_start : 0,
		      (unsigned long long)((sig.pending | sig.shared) & INT32_MAX),
		      (unsigned long long)(sig.blocked & INT32_MAX),
		      (unsigned long long)(sig.ignored & INT32_MAX),
		      (unsigned long long)(sig.caught & INT32_MAX), ids.exit_signal, h.field[39]);
	strbuf_printf(out, "0 0 0 0 0 0 0 %llu %llu %llu %llu %llu 0\n",
		      look ? (unsigned long long)p->brk_start : 0,
		      look ? (unsigned long long)p->arg_start : 0,
		      look ? (unsigned long long)p->arg_end : 0,
		      look ? (unsigned long long)p->env_start : 0,
		      look ? (unsigned long long)p->env_end : 0);
	return 0;
}

int proc_statm(const struct proc_target *t, struct strbuf *out)
{
	if (proc_host_text(t, "statm", out) < 0) {
		strbuf_reset(out);
		strbuf_puts(out, "0 0 0 0 0 0 0\n");
	}
	return 0;
}

/* put_memory() - the Vm lines, as the host has them. */
static void put_memory(const struct proc_target *t, struct strbuf *out)
{
	cleanup_strbuf struct strbuf text = { 0 };
	char *line, *rest;

	if (proc_host_text(t, "status", &text) < 0 || !text.data)
		return;
	for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (str_has_prefix(line, "Vm") || str_has_prefix(line, "Rss"))
			strbuf_printf(out, "%s\n", line);
}

static void put_switches(const struct proc_target *t, struct strbuf *out)
{
	struct rusage use;

	process_usage(t->process, &use);
	strbuf_printf(out, "voluntary_ctxt_switches:\t%ld\nnonvoluntary_ctxt_switches:\t%ld\n",
		      use.ru_nvcsw, use.ru_nivcsw);
}

static void put_cred(const struct proc_target *t, const struct cred *c, struct strbuf *out)
{
	struct fdtable *fds = t->task ? task_fds(t->task) : NULL;

	strbuf_printf(out, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid,
		      c->fsuid, c->gid, c->egid, c->sgid, c->fsgid);
	strbuf_printf(out, "FDSize:\t%d\nGroups:\t", fds ? fdtable_slots(fds) : 0);
	fdtable_put(fds);
	for (size_t n = 0; n < c->n_groups; n++)
		strbuf_printf(out, "%u ", c->groups[n]);
	strbuf_putc(out, '\n');
}

static void put_capabilities(const struct cred *c, struct strbuf *out)
{
	strbuf_printf(out, "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\n",
		      (unsigned long long)c->inheritable, (unsigned long long)c->permitted,
		      (unsigned long long)c->effective);
	strbuf_printf(out, "CapBnd:\t%016llx\nCapAmb:\t%016llx\nNoNewPrivs:\t%d\n",
		      (unsigned long long)c->bounding, (unsigned long long)c->ambient,
		      c->no_new_privs);
}

static const char *state_name(char state)
{
	switch (state) {
	case 'R':
		return "R (running)";
	case 'T':
		return "T (stopped)";
	case 'Z':
		return "Z (zombie)";
	default:
		return "S (sleeping)";
	}
}

static void put_signals(const struct proc_target *t, struct strbuf *out)
{
	struct signal_sets s;

	read_signals(t, &s);
	strbuf_printf(out, "SigQ:\t%u/%llu\nSigPnd:\t%016llx\nShdPnd:\t%016llx\n", s.queued,
		      (unsigned long long)t->process->limits[RLIMIT_SIGPENDING].rlim_cur,
		      (unsigned long long)s.pending, (unsigned long long)s.shared);
	strbuf_printf(out, "SigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
		      (unsigned long long)s.blocked, (unsigned long long)s.ignored,
		      (unsigned long long)s.caught);
}

static void put_cpus(const struct proc_target *t, struct strbuf *out)
{
	cleanup_strbuf struct strbuf text = { 0 };
	char *line, *rest;

	if (proc_host_text(t, "status", &text) < 0 || !text.data)
		return;
	for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (str_has_prefix(line, "Cpus_allowed") || str_has_prefix(line, "Mems_allowed"))
			strbuf_printf(out, "%s\n", line);
}

int proc_status(const struct proc_target *t, struct strbuf *out)
{
	struct cred *c = process_cred(t->process);
	struct fs_context *fs = t->task ? task_fs(t->task) : NULL;
	struct host_stat h;
	struct ids ids;

	read_host(t, &h);
	read_ids(t, &ids);
	strbuf_printf(out, "Name:\t%s\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\n",
		      ids.name, fs ? fs->umask : 0, state_name(state_of(t, &ids, &h)),
		      t->process->pid, t->key.tid ? t->key.tid : t->process->pid);
	strbuf_printf(out, "PPid:\t%d\nTracerPid:\t0\n", ids.ppid);
	if (c)
		put_cred(t, c, out);
	strbuf_printf(out, "NStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", t->process->pid,
		      t->process->pid, ids.pgrp, ids.session);
	if (ids.state < PROCESS_ZOMBIE)
		put_memory(t, out);
	strbuf_printf(out, "Threads:\t%d\n", ids.threads);
	put_signals(t, out);
	if (c)
		put_capabilities(c, out);
	strbuf_printf(out, "Seccomp:\t%d\nSeccomp_filters:\t%d\n",
		      t->task && t->task->seccomp ? 2 : 0, t->task && t->task->seccomp ? 1 : 0);
	put_cpus(t, out);
	put_switches(t, out);
	fs_context_put(fs);
	cred_put(c);
	return 0;
}
