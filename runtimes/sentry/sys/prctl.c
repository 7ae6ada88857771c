/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prctl, seccomp, arch_prctl, personality.
 */
#include <asm/prctl.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/personality.h>

#include "runtimes/sentry/sys/calls.h"
#include "runtimes/sentry/task/seccomp.h"
#include "runtimes/sentry/task/signal.h"

#define ALL_SECUREBITS 0xffu

static long set_cred_bit(struct task *t, void (*change)(struct cred *c, uint64_t arg), uint64_t arg)
{
	struct cred *c = cred_copy(t->cred);

	change(c, arg);
	task_set_cred(t, c);
	return 0;
}

static void drop_bounding(struct cred *c, uint64_t cap)
{
	c->bounding &= ~(1ull << cap);
}

static void set_no_new_privs(struct cred *c, uint64_t arg)
{
	(void)arg;
	c->no_new_privs = true;
}

static void set_securebits(struct cred *c, uint64_t bits)
{
	c->securebits = (uint32_t)bits;
}

static void raise_ambient(struct cred *c, uint64_t cap)
{
	c->ambient |= 1ull << cap;
}

static void lower_ambient(struct cred *c, uint64_t cap)
{
	c->ambient &= ~(1ull << cap);
}

static void clear_ambient(struct cred *c, uint64_t arg)
{
	(void)arg;
	c->ambient = 0;
}

static long prctl_bounding(struct task *t, int option, uint64_t cap)
{
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	if (option == PR_CAPBSET_READ)
		return t->cred->bounding >> cap & 1;
	return cred_has(t->cred, CAP_SETPCAP) ? set_cred_bit(t, drop_bounding, cap) : -EPERM;
}

static long prctl_ambient(struct task *t, const uint64_t a[6])
{
	const struct cred *c = t->cred;
	uint64_t cap = a[2];

	if (a[3] || a[4])
		return -EINVAL;
	if (a[1] == PR_CAP_AMBIENT_CLEAR_ALL)
		return cap ? -EINVAL : set_cred_bit(t, clear_ambient, 0);
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	switch (a[1]) {
	case PR_CAP_AMBIENT_IS_SET:
		return c->ambient >> cap & 1;
	case PR_CAP_AMBIENT_LOWER:
		return set_cred_bit(t, lower_ambient, cap);
	case PR_CAP_AMBIENT_RAISE:
		if (!(c->permitted & c->inheritable & 1ull << cap) ||
		    c->securebits & (1u << SECURE_NO_CAP_AMBIENT_RAISE))
			return -EPERM;
		return set_cred_bit(t, raise_ambient, cap);
	default:
		return -EINVAL;
	}
}

static long prctl_securebits(struct task *t, uint64_t bits)
{
	uint32_t old = t->cred->securebits, locked = old >> 1 & 0x55;

	/* Locks stay locked, and what is locked stays as it is. */
	if (bits & ~(uint64_t)ALL_SECUREBITS || (old & 0xaa & ~bits) || ((old ^ bits) & locked) ||
	    !cred_has(t->cred, CAP_SETPCAP))
		return -EPERM;
	return set_cred_bit(t, set_securebits, bits);
}

static long prctl_keepcaps(struct task *t, uint64_t on)
{
	uint32_t bits = t->cred->securebits & ~(1u << SECURE_KEEP_CAPS);

	if (on > 1)
		return -EINVAL;
	if (t->cred->securebits & (1u << SECURE_KEEP_CAPS_LOCKED))
		return -EPERM;
	return set_cred_bit(t, set_securebits, bits | (on ? 1u << SECURE_KEEP_CAPS : 0));
}

static long prctl_name(struct task *t, int option, uint64_t at)
{
	char name[TASK_NAME_BYTES] = { 0 };
	ssize_t len;

	if (option == PR_GET_NAME)
		return sys_copy_out(t, at, t->name, TASK_NAME_BYTES);
	len = stub_read_string(t->stub, name, TASK_NAME_BYTES, at);
	if (len == -EFAULT)
		return -EFAULT;
	name[TASK_NAME_BYTES - 1] = '\0';
	LOCKED(&t->process->lock);
	memcpy(t->name, name, TASK_NAME_BYTES);
	return 0;
}

static long prctl_int_out(struct task *t, uint64_t at, int value)
{
	return sys_copy_out(t, at, &value, sizeof(value));
}

static long prctl_dumpable(struct task *t, uint64_t on)
{
	if (on > 1)
		return -EINVAL;
	t->process->dumpable = on;
	return 0;
}

static long prctl_pdeathsig(struct task *t, uint64_t signo)
{
	if (signo > N_SIGNALS)
		return -EINVAL;
	t->death_signal = (int)signo;
	return 0;
}

/* Where /proc shows things: programs that rename themselves set these. */
static long prctl_mm(struct task *t, const uint64_t a[6])
{
	struct process *p = t->process;

	if (!cred_has(t->cred, CAP_SYS_RESOURCE))
		return -EPERM;
	LOCKED(&p->lock);
	switch (a[1]) {
	case PR_SET_MM_ARG_START:
		p->arg_start = a[2];
		return 0;
	case PR_SET_MM_ARG_END:
		p->arg_end = a[2];
		return 0;
	case PR_SET_MM_ENV_START:
		p->env_start = a[2];
		return 0;
	case PR_SET_MM_ENV_END:
		p->env_end = a[2];
		return 0;
	default:
		return -EINVAL;
	}
}

static long set_filter(struct task *t, uint64_t flags, uint64_t at)
{
	struct {
		uint16_t len;
		uint64_t filter;
	} program;
	cleanup_free struct sock_filter *code = NULL;
	struct seccomp_filter *f;
	int rc;

	if (flags & ~(uint64_t)(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG |
				SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC_ESRCH))
		return -EINVAL;
	if (!t->cred->no_new_privs && !cred_has(t->cred, CAP_SYS_ADMIN))
		return -EACCES;
	rc = sys_copy_in(t, &program, at, sizeof(program));
	if (rc)
		return rc;
	if (!program.len || program.len > BPF_MAXINSNS)
		return -EINVAL;
	code = xcalloc(program.len, sizeof(*code));
	rc = sys_copy_in(t, code, program.filter, program.len * sizeof(*code));
	if (rc)
		return rc;
	/* Each thread has its own chain: those of others cannot be changed from here. */
	if ((flags & SECCOMP_FILTER_FLAG_TSYNC) && t->process->n_tasks > 1)
		return -ENOSYS;
	rc = seccomp_create(code, program.len, t->seccomp, &f);
	if (rc)
		return rc;
	t->seccomp = f;
	task_show_ids(t);
	return 0;
}

/* strict mode: read, write, exit, sigreturn, as a filter. */
static long set_strict(struct task *t)
{
	static const struct sock_filter strict[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 60, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 15, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct seccomp_filter *f;
	int rc = seccomp_create(strict, ARRAY_LEN(strict), t->seccomp, &f);

	if (rc)
		return rc;
	t->seccomp = f;
	t->seccomp_strict = true;
	task_show_ids(t);
	return 0;
}

static long action_available(struct task *t, uint64_t at)
{
	uint32_t action;
	int rc = sys_copy_in(t, &action, at, sizeof(action));

	if (rc)
		return rc;
	switch (action) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

long sys_seccomp(struct task *t, const uint64_t a[6])
{
	switch (a[0]) {
	case SECCOMP_SET_MODE_STRICT:
		return a[1] || a[2] ? -EINVAL : set_strict(t);
	case SECCOMP_SET_MODE_FILTER:
		return set_filter(t, a[1], a[2]);
	case SECCOMP_GET_ACTION_AVAIL:
		return a[1] ? -EINVAL : action_available(t, a[2]);
	default:
		return -EINVAL;
	}
}

static long prctl_seccomp(struct task *t, const uint64_t a[6])
{
	if (a[1] == SECCOMP_MODE_STRICT)
		return set_strict(t);
	return a[1] == SECCOMP_MODE_FILTER ? set_filter(t, 0, a[2]) : -EINVAL;
}

static long prctl_timer_slack(struct task *t, uint64_t ns)
{
	t->timer_slack_ns = ns ? (int64_t)MIN(ns, (uint64_t)INT64_MAX) : 50000;
	return 0;
}

static long prctl_subreaper(struct task *t, uint64_t on)
{
	LOCKED(&tasks_lock);
	t->process->is_subreaper = on;
	return 0;
}

static long prctl_no_new_privs(struct task *t, const uint64_t a[6])
{
	if (a[1] != 1 || a[2] || a[3] || a[4])
		return -EINVAL;
	return set_cred_bit(t, set_no_new_privs, 0);
}

long sys_prctl(struct task *t, const uint64_t a[6])
{
	int option = (int)a[0];

	switch (option) {
	case PR_SET_PDEATHSIG:
		return prctl_pdeathsig(t, a[1]);
	case PR_GET_PDEATHSIG:
		return prctl_int_out(t, a[1], t->death_signal);
	case PR_GET_DUMPABLE:
		return t->process->dumpable;
	case PR_SET_DUMPABLE:
		return prctl_dumpable(t, a[1]);
	case PR_SET_NAME:
	case PR_GET_NAME:
		return prctl_name(t, option, a[1]);
	case PR_GET_KEEPCAPS:
		return t->cred->securebits >> SECURE_KEEP_CAPS & 1;
	case PR_SET_KEEPCAPS:
		return prctl_keepcaps(t, a[1]);
	case PR_GET_SECUREBITS:
		return t->cred->securebits;
	case PR_SET_SECUREBITS:
		return prctl_securebits(t, a[1]);
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
		return prctl_bounding(t, option, a[1]);
	case PR_CAP_AMBIENT:
		return prctl_ambient(t, a);
	case PR_SET_NO_NEW_PRIVS:
		return prctl_no_new_privs(t, a);
	case PR_GET_NO_NEW_PRIVS:
		return a[1] || a[2] || a[3] || a[4] ? -EINVAL : t->cred->no_new_privs;
	case PR_SET_CHILD_SUBREAPER:
		return prctl_subreaper(t, a[1]);
	case PR_GET_CHILD_SUBREAPER:
		return prctl_int_out(t, a[1], t->process->is_subreaper);
	case PR_SET_TIMERSLACK:
		return prctl_timer_slack(t, a[1]);
	case PR_GET_TIMERSLACK:
		return t->timer_slack_ns;
	case PR_SET_SECCOMP:
		return prctl_seccomp(t, a);
	case PR_GET_SECCOMP:
		return t->seccomp_strict ? SECCOMP_MODE_STRICT
		       : t->seccomp	 ? SECCOMP_MODE_FILTER
					 : SECCOMP_MODE_DISABLED;
	case PR_SET_MM:
		return prctl_mm(t, a);
	case PR_GET_TIMING:
	case PR_GET_THP_DISABLE:
		return 0;
	case PR_GET_TSC:
		return prctl_int_out(t, a[1], PR_TSC_ENABLE);
	case PR_SET_PTRACER:
		return 0; /* nobody traces: nothing to allow */
	default:
		return -EINVAL;
	}
}

/* FS and GS are the stub's; here is what is left over. */
long sys_arch_prctl(struct task *t, const uint64_t a[6])
{
	(void)t;
	switch (a[0]) {
	case ARCH_GET_CPUID:
		return 1;
	case ARCH_SET_CPUID:
		return -ENODEV;
	default:
		return -EINVAL;
	}
}

long sys_personality(struct task *t, const uint64_t a[6])
{
	uint32_t wanted = (uint32_t)a[0];

	(void)t;
	/* Asking, and the one personality there is; addresses are random whatever is asked. */
	if (wanted == 0xffffffff || wanted == PER_LINUX)
		return PER_LINUX;
	return -EINVAL;
}
