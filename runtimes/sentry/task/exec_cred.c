/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials over execve: setuid and setgid bits, file capabilities, root.
 *
 * The rules of capabilities(7): P'(permitted) = (P(inheritable) & F(inheritable)) |
 * (F(permitted) & bounding) | ambient; a root user's program has all F bits, unless securebits say
 * otherwise.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "runtimes/sentry/task/exec.h"

/* What the program's file grants. */
struct file_caps {
	bool any, effective;
	uint64_t permitted, inheritable;
};

/* read_file_caps() - the xattr security.capability, versions 2 and 3. */
static int read_file_caps(struct exec *e, struct file_caps *ret)
{
	struct inode *i = e->program->inode;
	struct vfs_ns_cap_data d;
	uint32_t magic;
	ssize_t len;

	*ret = (struct file_caps){ 0 };
	if (!i->ops->getxattr)
		return 0;
	len = i->ops->getxattr(i, "security.capability", &d, sizeof(d));
	if (len < 0)
		return len == -ENODATA || len == -EOPNOTSUPP || len == -ERANGE ? 0 : (int)len;
	if ((size_t)len < XATTR_CAPS_SZ_2)
		return 0;
	magic = d.magic_etc;
	if ((magic & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_2 &&
	    (magic & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_3)
		return 0;
	ret->any = true;
	ret->effective = magic & VFS_CAP_FLAGS_EFFECTIVE;
	ret->permitted = d.data[0].permitted | (uint64_t)d.data[1].permitted << 32;
	ret->inheritable = d.data[0].inheritable | (uint64_t)d.data[1].inheritable << 32;
	return 0;
}

static void apply_id_bits(struct exec *e, struct cred *c)
{
	const struct attr *a = &e->program->inode->attr;

	if (a->mode & S_ISUID)
		c->euid = a->uid;
	if ((a->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		c->egid = a->gid;
}

/* grant() - the capability sets that the new program begins with. */
static int grant(const struct cred *old, struct cred *c, struct file_caps *f)
{
	const uint64_t all = (2ull << CAP_LAST_CAP) - 1;
	bool root_rules = !(c->securebits & (1 << SECURE_NOROOT));
	bool gains = f->any || c->euid != old->euid || c->egid != old->egid;

	if (root_rules && (c->uid == 0 || c->euid == 0)) {
		/* A setuid-root file with capabilities of its own gives a user just those. */
		if (!(f->any && c->uid != 0)) {
			f->permitted = f->inheritable = all;
			f->effective = c->euid == 0;
			gains = true;
		}
	}
	if (f->any && ((f->permitted & c->bounding) != f->permitted) && f->effective)
		return -EPERM;
	if (f->any || c->euid != old->euid || c->egid != old->egid)
		c->ambient = 0;
	c->permitted = c->ambient;
	if (gains)
		c->permitted |= (f->permitted & c->bounding) | (f->inheritable & c->inheritable);
	c->effective = gains && f->effective ? c->permitted : c->ambient;
	return 0;
}

static bool may_gain(const struct exec *e)
{
	return !e->cred->no_new_privs &&
	       !(e->program->mount && e->program->mount->flags & MS_NOSUID);
}

int exec_credentials(struct exec *e)
{
	struct cred *c = cred_copy(e->cred);
	struct file_caps f = { 0 };
	int rc = 0;

	if (may_gain(e)) {
		apply_id_bits(e, c);
		rc = read_file_caps(e, &f);
	}
	if (!rc)
		rc = grant(e->cred, c, &f);
	if (rc) {
		cred_put(c);
		return rc;
	}
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	c->securebits &= ~(1u << SECURE_KEEP_CAPS);
	e->secure = c->euid != e->cred->uid || c->egid != e->cred->gid || (f.any && f.effective);
	cred_put(e->new_cred);
	e->new_cred = c;
	return 0;
}
