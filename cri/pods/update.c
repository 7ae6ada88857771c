/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UpdateContainerResources: all or nothing, then visible in the container's status.
 *
 * A field that is 0 or empty leaves a limit as it is (api.proto).  A container that is not
 * running yet gets the new limits in its bundle; an ended one is refused.
 */
#include <errno.h>

#include "cri/pods/container_spec.h"
#include "cri/pods/objects.h"
#include "runtimes/cgroup/cgroup.h"

typedef Runtime__V1__LinuxContainerResources resources_t;

static void set_string(char **member, const char *value)
{
	if (str_empty(value))
		return;
	if (*member != protobuf_c_empty_string)
		free(*member);
	*member = xstrdup(value);
}

/* merged() - what is in force with what was asked for laid over it, as a new message. */
static resources_t *merged(const resources_t *now, const resources_t *asked)
{
	resources_t empty = RUNTIME__V1__LINUX_CONTAINER_RESOURCES__INIT;
	resources_t *r = message_copy(now ? now : &empty);

	if (asked->cpu_period)
		r->cpu_period = asked->cpu_period;
	if (asked->cpu_quota)
		r->cpu_quota = asked->cpu_quota;
	if (asked->cpu_shares)
		r->cpu_shares = asked->cpu_shares;
	if (asked->memory_limit_in_bytes)
		r->memory_limit_in_bytes = asked->memory_limit_in_bytes;
	if (asked->memory_swap_limit_in_bytes)
		r->memory_swap_limit_in_bytes = asked->memory_swap_limit_in_bytes;
	if (asked->oom_score_adj)
		r->oom_score_adj = asked->oom_score_adj;
	set_string(&r->cpuset_cpus, asked->cpuset_cpus);
	set_string(&r->cpuset_mems, asked->cpuset_mems);
	return r;
}

static int apply(const struct container *c, const resources_t *asked, struct error *err)
{
	struct cgroup_hugepage *pages cleanup_free =
		xcalloc(asked->n_hugepage_limits + 1, sizeof(*pages));
	struct cgroup_unified *unified cleanup_free =
		xcalloc(asked->n_unified + 1, sizeof(*unified));
	struct cgroup_limits limits = {
		.cpu_period_us = asked->cpu_period,
		.cpu_quota_us = asked->cpu_quota,
		.cpu_shares = asked->cpu_shares,
		.memory_limit_bytes = asked->memory_limit_in_bytes,
		.memory_swap_limit_bytes = asked->memory_swap_limit_in_bytes,
		.cpuset_cpus = asked->cpuset_cpus,
		.cpuset_mems = asked->cpuset_mems,
		.hugepages = pages,
		.n_hugepages = asked->n_hugepage_limits,
		.unified = unified,
		.n_unified = asked->n_unified,
	};

	for (size_t i = 0; i < asked->n_hugepage_limits; i++)
		pages[i] = (struct cgroup_hugepage){ asked->hugepage_limits[i]->page_size,
						     asked->hugepage_limits[i]->limit };
	for (size_t i = 0; i < asked->n_unified; i++)
		unified[i] =
			(struct cgroup_unified){ asked->unified[i]->key, asked->unified[i]->value };
	return cgroup_update(c->cgroup, &limits, err);
}

static void set_resources(struct container *c, resources_t *r)
{
	pods_lock(c->pod->pods);
	message_free(c->resources);
	c->resources = r;
	pods_unlock(c->pod->pods);
}

static int update_locked(struct container *c, const resources_t *asked, struct error *err)
{
	enum container_state state;
	int rc;

	pods_lock(c->pod->pods);
	state = c->state;
	pods_unlock(c->pod->pods);
	if (state != CONTAINER_CREATED && state != CONTAINER_RUNNING)
		return error_set(err, EBUSY, "container is %s", container_state_name(state));
	if (state == CONTAINER_RUNNING) {
		rc = apply(c, asked, err);
		if (rc < 0)
			return rc;
		set_resources(c, merged(c->resources, asked));
	} else {
		resources_t *before = c->resources ? message_copy(c->resources) : NULL;

		set_resources(c, merged(c->resources, asked));
		rc = container_spec_rewrite(c, err);
		if (rc < 0) {
			set_resources(c, before);
			return rc;
		}
		message_free(before);
	}
	return record_save_container(c, 0, err);
}

int container_update(struct pods *pods, const char *id, const resources_t *resources,
		     struct error *err)
{
	struct container *c;
	int rc = pods_find_container(pods, id, &c, err);

	if (rc < 0)
		return rc;
	if (resources) {
		pthread_mutex_lock(&c->pod->op);
		rc = update_locked(c, resources, err);
		pthread_mutex_unlock(&c->pod->op);
	}
	if (rc < 0)
		error_wrap(err, "update container %.13s", c->id);
	container_put(c);
	return rc;
}
