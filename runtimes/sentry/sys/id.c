/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users, groups, capabilities.
 *
 * Each call makes a changed copy of the credentials and publishes it.  The rules are those of
 * credentials(7) and capabilities(7); nothing of the host's is asked.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <string.h>

#include "runtimes/sentry/sys/calls.h"

#define NGROUPS_LIMIT 65536
#define KEEP	      ((uint32_t)-1) /* "leave it" */

/* fix_capabilities() - what a change of user ids does to them (SECUREBITS apart). */
static void fix_capabilities(const struct cred *old, struct cred *c)
{
	const uint64_t file_caps = 1ull << CAP_CHOWN | 1ull << CAP_MKNOD |
				   1ull << CAP_DAC_OVERRIDE | 1ull << CAP_DAC_READ_SEARCH |
				   1ull << CAP_FOWNER | 1ull << CAP_FSETID |
				   1ull << CAP_LINUX_IMMUTABLE | 1ull << CAP_MAC_OVERRIDE;
	bool was_root = !old->uid || !old->euid || !old->suid;
	bool is_root = !c->uid || !c->euid || !c->suid;

	if (c->securebits & (1u << SECURE_NO_SETUID_FIXUP))
		return;
	if (was_root && !is_root) {
		if (!(c->securebits & (1u << SECURE_KEEP_CAPS))) {
			c->permitted = 0;
			c->effective = 0;
		}
		c->ambient = 0;
	}
	if (!old->euid && c->euid)
		c->effective = 0;
	else if (old->euid && !c->euid)
		c->effective = c->permitted;
	if (!old->fsuid && c->fsuid)
		c->effective &= ~file_caps;
	else if (old->fsuid && !c->fsuid)
		c->effective |= c->permitted & file_caps;
}

static long publish(struct task *t, struct cred *c)
{
	fix_capabilities(t->cred, c);
	if (c->euid != t->cred->euid || c->egid != t->cred->egid)
		t->process->dumpable = false;
	task_set_cred(t, c);
	return 0;
}

static long drop(struct cred *c)
{
	cred_put(c);
	return -EPERM;
}

static bool is_one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
	return id == KEEP || id == a || id == b || id == c;
}

long sys_getuid(struct task *t, const uint64_t a[6])
{
	(void)a;
	return t->cred->uid;
}

long sys_geteuid(struct task *t, const uint64_t a[6])
{
	(void)a;
	return t->cred->euid;
}

long sys_getgid(struct task *t, const uint64_t a[6])
{
	(void)a;
	return t->cred->gid;
}

long sys_getegid(struct task *t, const uint64_t a[6])
{
	(void)a;
	return t->cred->egid;
}

long sys_setuid(struct task *t, const uint64_t a[6])
{
	struct cred *c = cred_copy(t->cred);
	uint32_t uid = (uint32_t)a[0];

	if (uid == KEEP) {
		cred_put(c);
		return -EINVAL;
	}
	if (cred_has(c, CAP_SETUID))
		c->uid = c->suid = uid;
	else if (uid != c->uid && uid != c->suid)
		return drop(c);
	c->euid = c->fsuid = uid;
	return publish(t, c);
}

long sys_setgid(struct task *t, const uint64_t a[6])
{
	struct cred *c = cred_copy(t->cred);
	uint32_t gid = (uint32_t)a[0];

	if (gid == KEEP) {
		cred_put(c);
		return -EINVAL;
	}
	if (cred_has(c, CAP_SETGID))
		c->gid = c->sgid = gid;
	else if (gid != c->gid && gid != c->sgid)
		return drop(c);
	c->egid = c->fsgid = gid;
	return publish(t, c);
}

long sys_setreuid(struct task *t, const uint64_t a[6])
{
	struct cred *c = cred_copy(t->cred);
	uint32_t r = (uint32_t)a[0], e = (uint32_t)a[1];

	if (!cred_has(c, CAP_SETUID) &&
	    (!is_one_of(r, c->uid, c->euid, c->euid) || !is_one_of(e, c->uid, c->euid, c->suid)))
		return drop(c);
	if (r != KEEP)
		c->uid = r;
	if (e != KEEP)
		c->euid = e;
	if (r != KEEP || (e != KEEP && e != t->cred->uid))
		c->suid = c->euid;
	c->fsuid = c->euid;
	return publish(t, c);
}

long sys_setregid(struct task *t, const uint64_t a[6])
{
	struct cred *c = cred_copy(t->cred);
	uint32_t r = (uint32_t)a[0], e = (uint32_t)a[1];

	if (!cred_has(c, CAP_SETGID) &&
	    (!is_one_of(r, c->gid, c->egid, c->egid) || !is_one_of(e, c->gid, c->egid, c->sgid)))
		return drop(c);
	if (r != KEEP)
		c->gid = r;
	if (e != KEEP)
		c->egid = e;
	if (r != KEEP || (e != KEEP && e != t->cred->gid))
		c->sgid = c->egid;
	c->fsgid = c->egid;
	return publish(t, c);
}

long sys_setresuid(struct task *t, const uint64_t a[6])
{
	struct cred *c = cred_copy(t->cred);
	uint32_t r = (uint32_t)a[0], e = (uint32_t)a[1], s = (uint32_t)a[2];

	if (!cred_has(c, CAP_SETUID) &&
	    !(is_one_of(r, c->uid, c->euid, c->suid) && is_one_of(e, c->uid, c->euid, c->suid) &&
	      is_one_of(s, c->uid, c->euid, c->suid)))
		return drop(c);
	if (r != KEEP)
		c->uid = r;
	if (e != KEEP)
		c->euid = e;
	if (s != KEEP)
		c->suid = s;
	c->fsuid = c->euid;
	return publish(t, c);
}

long sys_setresgid(struct task *t, const uint64_t a[6])
{
	struct cred *c = cred_copy(t->cred);
	uint32_t r = (uint32_t)a[0], e = (uint32_t)a[1], s = (uint32_t)a[2];

	if (!cred_has(c, CAP_SETGID) &&
	    !(is_one_of(r, c->gid, c->egid, c->sgid) && is_one_of(e, c->gid, c->egid, c->sgid) &&
	      is_one_of(s, c->gid, c->egid, c->sgid)))
		return drop(c);
	if (r != KEEP)
		c->gid = r;
	if (e != KEEP)
		c->egid = e;
	if (s != KEEP)
		c->sgid = s;
	c->fsgid = c->egid;
	return publish(t, c);
}

static long get_three(struct task *t, const uint64_t a[6], uint32_t r, uint32_t e, uint32_t s)
{
	int rc = sys_copy_out(t, a[0], &r, sizeof(r));

	if (!rc)
		rc = sys_copy_out(t, a[1], &e, sizeof(e));
	return rc ? rc : sys_copy_out(t, a[2], &s, sizeof(s));
}

long sys_getresuid(struct task *t, const uint64_t a[6])
{
	return get_three(t, a, t->cred->uid, t->cred->euid, t->cred->suid);
}

long sys_getresgid(struct task *t, const uint64_t a[6])
{
	return get_three(t, a, t->cred->gid, t->cred->egid, t->cred->sgid);
}

/* setfsuid, setfsgid: never fail, and answer the old one. */
long sys_setfsuid(struct task *t, const uint64_t a[6])
{
	uint32_t id = (uint32_t)a[0], old = t->cred->fsuid;
	struct cred *c;

	if (id == KEEP || id == old ||
	    !(is_one_of(id, t->cred->uid, t->cred->euid, t->cred->suid) ||
	      cred_has(t->cred, CAP_SETUID)))
		return old;
	c = cred_copy(t->cred);
	c->fsuid = id;
	publish(t, c);
	return old;
}

long sys_setfsgid(struct task *t, const uint64_t a[6])
{
	uint32_t id = (uint32_t)a[0], old = t->cred->fsgid;
	struct cred *c;

	if (id == KEEP || id == old ||
	    !(is_one_of(id, t->cred->gid, t->cred->egid, t->cred->sgid) ||
	      cred_has(t->cred, CAP_SETGID)))
		return old;
	c = cred_copy(t->cred);
	c->fsgid = id;
	publish(t, c);
	return old;
}

long sys_getgroups(struct task *t, const uint64_t a[6])
{
	const struct cred *c = t->cred;
	int size = (int)a[0], rc;

	if (size < 0 || (size && (size_t)size < c->n_groups))
		return -EINVAL;
	rc = size ? sys_copy_out(t, a[1], c->groups, c->n_groups * sizeof(gid_t)) : 0;
	return rc ? rc : (long)c->n_groups;
}

static int by_number(const void *a, const void *b)
{
	gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;

	return x < y ? -1 : x > y;
}

long sys_setgroups(struct task *t, const uint64_t a[6])
{
	cleanup_free gid_t *groups = NULL;
	struct cred *c;
	int n = (int)a[0], rc;

	if (!cred_has(t->cred, CAP_SETGID))
		return -EPERM;
	if (n < 0 || n > NGROUPS_LIMIT)
		return -EINVAL;
	groups = xcalloc((size_t)n + 1, sizeof(*groups));
	rc = sys_copy_in(t, groups, a[1], (size_t)n * sizeof(*groups));
	if (rc)
		return rc;
	qsort(groups, (size_t)n, sizeof(*groups), by_number);
	c = cred_copy(t->cred);
	free(c->groups);
	c->groups = steal_ptr(groups);
	c->n_groups = (size_t)n;
	task_set_cred(t, c);
	return 0;
}

/* --- capget, capset ----------------------------------------------------------------------------
 */

/* words_of() - how many 32-bit halves this version has; 0: unknown. */
static int words_of(uint32_t version)
{
	switch (version) {
	case _LINUX_CAPABILITY_VERSION_1:
		return 1;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		return 2;
	default:
		return 0;
	}
}

/* read_header() - Return: words, or -errno; an unknown version is answered with ours. */
static int read_header(struct task *t, uint64_t at, struct __user_cap_header_struct *ret)
{
	int rc = sys_copy_in(t, &ret->version, at, sizeof(ret->version)), words;

	if (rc)
		return rc;
	words = words_of(ret->version);
	if (words)
		return sys_copy_in(t, ret, at, sizeof(*ret)) ?: words;
	ret->version = _LINUX_CAPABILITY_VERSION_3;
	rc = sys_copy_out(t, at, ret, sizeof(ret->version));
	return rc ? rc : -EINVAL;
}

long sys_capget(struct task *t, const uint64_t a[6])
{
	struct __user_cap_header_struct h;
	struct __user_cap_data_struct d[2];
	int words = read_header(t, a[0], &h);
	struct task *other;
	struct cred *c;

	if (words < 0)
		return words == -EINVAL && !a[1] ? 0 : words;
	if (h.pid < 0)
		return -EINVAL;
	other = h.pid ? task_find(t->process->pids, h.pid) : task_get(t);
	if (!other)
		return -ESRCH;
	lock_acquire(&other->process->lock);
	c = cred_get(other->cred);
	lock_release(&other->process->lock);
	task_put(other);
	for (int i = 0; i < 2; i++) {
		d[i].effective = (uint32_t)(c->effective >> 32 * i);
		d[i].permitted = (uint32_t)(c->permitted >> 32 * i);
		d[i].inheritable = (uint32_t)(c->inheritable >> 32 * i);
	}
	cred_put(c);
	return a[1] ? sys_copy_out(t, a[1], d, (size_t)words * sizeof(d[0])) : 0;
}

static int check_capset(const struct cred *c, uint64_t e, uint64_t p, uint64_t i)
{
	if (!cred_has(c, CAP_SETPCAP) && (i & ~(c->inheritable | c->permitted)))
		return -EPERM;
	if (i & ~(c->inheritable | c->bounding))
		return -EPERM;
	return (p & ~c->permitted) || (e & ~p) ? -EPERM : 0;
}

long sys_capset(struct task *t, const uint64_t a[6])
{
	struct __user_cap_header_struct h;
	struct __user_cap_data_struct d[2] = { 0 };
	int words = read_header(t, a[0], &h), rc;
	uint64_t e, p, i;
	struct cred *c;

	if (words < 0)
		return words;
	if (h.pid && h.pid != t->tid)
		return -EPERM;
	rc = sys_copy_in(t, d, a[1], (size_t)words * sizeof(d[0]));
	if (rc)
		return rc;
	e = d[0].effective | (uint64_t)d[1].effective << 32;
	p = d[0].permitted | (uint64_t)d[1].permitted << 32;
	i = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
	rc = check_capset(t->cred, e, p, i);
	if (rc)
		return rc;
	c = cred_copy(t->cred);
	c->effective = e;
	c->permitted = p;
	c->inheritable = i;
	c->ambient &= p & i;
	task_set_cred(t, c);
	return 0;
}
