/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers and their namespaces as objects.
 */
#include <string.h>

#include "runtimes/sentry/task/container.h"
#include "runtimes/sentry/task/seccomp.h"

static void get(uint32_t *refs)
{
	__atomic_fetch_add(refs, 1, __ATOMIC_RELAXED);
}

static bool put(uint32_t *refs)
{
	return __atomic_fetch_sub(refs, 1, __ATOMIC_ACQ_REL) == 1;
}

struct pid_namespace *pid_namespace_create(void)
{
	struct pid_namespace *ns = xnew(struct pid_namespace);

	ns->refs = 1;
	list_init(&ns->sessions);
	for (int i = 0; i < PID_BUCKETS; i++) {
		list_init(&ns->tasks[i]);
		list_init(&ns->processes[i]);
		list_init(&ns->groups[i]);
	}
	return ns;
}

struct pid_namespace *pid_namespace_get(struct pid_namespace *ns)
{
	get(&ns->refs);
	return ns;
}

void pid_namespace_put(struct pid_namespace *ns)
{
	if (ns && put(&ns->refs))
		free(ns);
}

struct uts_namespace *uts_namespace_create(const char *nodename)
{
	struct uts_namespace *ns = xnew(struct uts_namespace);

	ns->refs = 1;
	lock_init(&ns->lock, LOCK_OBJECT);
	strncpy(ns->nodename, nodename, UTS_NAME_BYTES - 1);
	strcpy(ns->domainname, "(none)");
	return ns;
}

struct uts_namespace *uts_namespace_get(struct uts_namespace *ns)
{
	get(&ns->refs);
	return ns;
}

struct uts_namespace *uts_namespace_copy(struct uts_namespace *ns)
{
	struct uts_namespace *copy = uts_namespace_create("");

	LOCKED(&ns->lock);
	memcpy(copy->nodename, ns->nodename, UTS_NAME_BYTES);
	memcpy(copy->domainname, ns->domainname, UTS_NAME_BYTES);
	return copy;
}

void uts_namespace_put(struct uts_namespace *ns)
{
	if (ns && put(&ns->refs))
		free(ns);
}

struct container *guest_container_create(const char *id, struct zygote *zygote,
					 struct pid_namespace *pids, struct uts_namespace *uts,
					 struct mount_namespace *mounts)
{
	struct container *c = xnew(struct container);

	c->refs = 1;
	c->id = xstrdup(id);
	c->zygote = zygote;
	c->pids = pids;
	c->uts = uts;
	c->mounts = mounts;
	return c;
}

struct container *guest_container_get(struct container *c)
{
	get(&c->refs);
	return c;
}

void guest_container_put(struct container *c)
{
	if (!c || !put(&c->refs))
		return;
	pid_namespace_put(c->pids);
	uts_namespace_put(c->uts);
	if (c->mounts)
		mount_namespace_put(c->mounts);
	seccomp_put(c->seccomp);
	free(c->id);
	free(c);
}
