/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of the system, randomness, and calls that fit nowhere else.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>

#include "runtimes/sentry/sys/calls.h"
#include "runtimes/sentry/task/alarm.h"

/* What programs may take for granted: the interface of this kernel is Linux's of that version. */
#define RELEASE "6.1.0-bulkhead"
#define VERSION "#1 SMP Bulkhead"

long sys_uname(struct task *t, const uint64_t a[6])
{
	struct uts_namespace *ns = t->process->container->uts;
	struct utsname u = { .sysname = "Linux", .machine = "x86_64" };

	strcpy(u.release, RELEASE);
	strcpy(u.version, VERSION);
	lock_acquire(&ns->lock);
	memcpy(u.nodename, ns->nodename, sizeof(u.nodename));
	memcpy(u.domainname, ns->domainname, sizeof(u.domainname));
	lock_release(&ns->lock);
	return sys_copy_out(t, a[0], &u, sizeof(u));
}

static long set_name(struct task *t, const uint64_t a[6], size_t field)
{
	struct uts_namespace *ns = t->process->container->uts;
	char name[UTS_NAME_BYTES] = { 0 };
	int rc;

	if (!cred_has(t->cred, CAP_SYS_ADMIN))
		return -EPERM;
	if ((int)a[1] < 0 || (int)a[1] > UTS_NAME_BYTES - 1)
		return -EINVAL;
	rc = sys_copy_in(t, name, a[0], (size_t)a[1]);
	if (rc)
		return rc;
	LOCKED(&ns->lock);
	memcpy((char *)ns + field, name, sizeof(name));
	return 0;
}

long sys_sethostname(struct task *t, const uint64_t a[6])
{
	return set_name(t, a, offsetof(struct uts_namespace, nodename));
}

long sys_setdomainname(struct task *t, const uint64_t a[6])
{
	return set_name(t, a, offsetof(struct uts_namespace, domainname));
}

long sys_getrandom(struct task *t, const uint64_t a[6])
{
	uint64_t left = MIN(a[1], (uint64_t)33554431), at = a[0];
	char buf[4096];

	if ((unsigned int)a[2] & ~(unsigned int)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
	    (a[2] & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	while (left) {
		size_t n = MIN(left, sizeof(buf));
		ssize_t got = getrandom(buf, n, 0);

		if (got < 0)
			return -errno;
		if (sys_copy_out(t, at, buf, (size_t)got))
			return at > a[0] ? (long)(at - a[0]) : -EFAULT;
		at += (uint64_t)got;
		left -= (uint64_t)got;
	}
	return (long)(at - a[0]);
}

/* Barriers among a process's own threads are the host's; here is what was not passed on. */
long sys_membarrier(struct task *t, const uint64_t a[6])
{
	(void)t;
	if ((int)a[0] == MEMBARRIER_CMD_QUERY && !a[1])
		return MEMBARRIER_CMD_PRIVATE_EXPEDITED |
		       MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |
		       MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |
		       MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE;
	return -EINVAL;
}

#define SYSLOG_READ_ALL	   3
#define SYSLOG_SIZE_BUFFER 10

/* The pod's kernel has no log; its buffer is empty. */
long sys_syslog(struct task *t, const uint64_t a[6])
{
	int type = (int)a[0];

	if (type != SYSLOG_READ_ALL && type != SYSLOG_SIZE_BUFFER &&
	    !cred_has(t->cred, CAP_SYSLOG) && !cred_has(t->cred, CAP_SYS_ADMIN))
		return -EPERM;
	if (type < 0 || type > SYSLOG_SIZE_BUFFER)
		return -EINVAL;
	return 0;
}

/* Which file system types there are, by number; the order is /proc/filesystems'. */
long sys_sysfs(struct task *t, const uint64_t a[6])
{
	static const char *const types[] = {
		"proc", "sysfs", "tmpfs", "devpts", "mqueue", "overlay"
	};
	char name[64];
	ssize_t len;

	switch ((int)a[0]) {
	case 1:
		len = stub_read_string(t->stub, name, sizeof(name), a[1]);
		if (len < 0)
			return len == -EFAULT ? len : -EINVAL;
		for (size_t i = 0; i < ARRAY_LEN(types); i++)
			if (!strcmp(types[i], name))
				return (long)i;
		return -EINVAL;
	case 2:
		if (a[1] >= ARRAY_LEN(types))
			return -EINVAL;
		return sys_copy_out(t, a[2], types[a[1]], strlen(types[a[1]]) + 1);
	case 3:
		return ARRAY_LEN(types);
	default:
		return -EINVAL;
	}
}

/* The stub keeps the list's head; what comes here is what it left to us. */
long sys_get_robust_list(struct task *t, const uint64_t a[6])
{
	struct task *to = (pid_t)a[0] ? task_find(t->process->pids, (pid_t)a[0]) : task_get(t);
	uint64_t head, len = 24;
	int rc;

	if (!to)
		return -ESRCH;
	rc = sys_may_look_into(t, to->process);
	head = to->robust_list;
	task_put(to);
	if (!rc)
		rc = sys_copy_out(t, a[2], &len, sizeof(len));
	return rc ? rc : sys_copy_out(t, a[1], &head, sizeof(head));
}

long sys_set_robust_list(struct task *t, const uint64_t a[6])
{
	if (a[1] != 24)
		return -EINVAL;
	t->robust_list = a[0];
	return 0;
}
