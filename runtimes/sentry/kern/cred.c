/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials: counted, immutable once published.
 */
#include <string.h>

#include "base/mem.h"
#include "runtimes/sentry/kern/cred.h"

struct cred *cred_create(void)
{
	struct cred *c = xnew(struct cred);

	c->refs = 1;
	return c;
}

struct cred *cred_copy(const struct cred *c)
{
	struct cred *copy = xmemdup(c, sizeof(*c));

	copy->refs = 1;
	copy->groups = NULL;
	if (c->n_groups)
		copy->groups = xmemdup(c->groups, c->n_groups * sizeof(*c->groups));
	return copy;
}

struct cred *cred_get(struct cred *c)
{
	__atomic_fetch_add(&c->refs, 1, __ATOMIC_RELAXED);
	return c;
}

void cred_put(struct cred *c)
{
	if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL))
		return;
	free(c->groups);
	free(c);
}

bool cred_has(const struct cred *c, int cap)
{
	return cap >= 0 && cap < 64 && (c->effective >> cap & 1);
}

bool cred_in_group(const struct cred *c, gid_t gid)
{
	size_t low = 0, high = c->n_groups;

	if (gid == c->fsgid)
		return true;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->groups[middle] == gid)
			return true;
		if (c->groups[middle] < gid)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}
