/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials of a guest task: ids, groups, capabilities.
 *
 * Immutable once published: a change makes a copy, so readers need no lock.  Permission rules of
 * Linux are decided with these in the sentry, never by the host.
 */
#ifndef SENTRY_KERN_CRED_H
#define SENTRY_KERN_CRED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cred {
	uint32_t refs;
	uid_t uid, euid, suid, fsuid;
	gid_t gid, egid, sgid, fsgid;
	uint64_t permitted, effective, inheritable, bounding, ambient; /* bit n: capability n */
	uint32_t securebits;
	bool no_new_privs;
	size_t n_groups;
	gid_t *groups; /* sorted */
};

/* cred_create() - root of a container: all ids 0, no group, no capability. */
struct cred *cred_create(void);
/* cred_copy() - a private copy to change, with one reference. */
struct cred *cred_copy(const struct cred *c);
struct cred *cred_get(struct cred *c);
void cred_put(struct cred *c); /* c may be NULL */
/* cred_has() - effective capability @cap (capabilities(7)). */
bool cred_has(const struct cred *c, int cap);
/* cred_in_group() - fsgid or a supplementary group. */
bool cred_in_group(const struct cred *c, gid_t gid);

#endif
