/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of pods and containers, read from their cgroups by this server.
 *
 * A list takes references under the lock, then reads files without it.  A container that ends in
 * between is left out; it never fails the list.  What an upper directory holds is measured by
 * disk.c in the background.
 */
#include <errno.h>

#include "cri/pods/disk.h"
#include "cri/pods/objects.h"
#include "network/stats.h"
#include "runtimes/cgroup/cgroup.h"

#define MAX_INTERFACES 16

static Runtime__V1__UInt64Value *number(struct arena *arena, uint64_t value)
{
	Runtime__V1__UInt64Value *v;

	if (value == UINT64_MAX)
		return NULL;
	v = MESSAGE_NEW(arena, uint64_value);
	v->value = value;
	return v;
}

static Runtime__V1__PsiData *psi_data(struct arena *arena, uint64_t total_us, double avg10,
				      double avg60, double avg300)
{
	Runtime__V1__PsiData *d = MESSAGE_NEW(arena, psi_data);

	d->total = total_us * 1000; /* the CRI counts nanoseconds */
	d->avg10 = avg10;
	d->avg60 = avg60;
	d->avg300 = avg300;
	return d;
}

static Runtime__V1__PsiStats *psi(struct arena *arena, const struct cgroup_psi *p)
{
	Runtime__V1__PsiStats *s;

	if (!p->valid)
		return NULL;
	s = MESSAGE_NEW(arena, psi_stats);
	s->full = psi_data(arena, p->full_total_us, p->full_avg10, p->full_avg60, p->full_avg300);
	s->some = psi_data(arena, p->some_total_us, p->some_avg10, p->some_avg60, p->some_avg300);
	return s;
}

static Runtime__V1__CpuUsage *show_cpu(struct arena *arena, const struct cgroup_stats *s)
{
	Runtime__V1__CpuUsage *cpu = MESSAGE_NEW(arena, cpu_usage);

	cpu->timestamp = s->time_ns;
	cpu->usage_core_nano_seconds = number(arena, s->cpu_usage_ns);
	cpu->psi = psi(arena, &s->cpu_psi);
	return cpu;
}

static Runtime__V1__MemoryUsage *show_memory(struct arena *arena, const struct cgroup_stats *s)
{
	Runtime__V1__MemoryUsage *m = MESSAGE_NEW(arena, memory_usage);

	m->timestamp = s->time_ns;
	m->working_set_bytes = number(arena, s->memory_working_set);
	m->usage_bytes = number(arena, s->memory_usage);
	m->rss_bytes = number(arena, s->memory_rss);
	m->page_faults = number(arena, s->page_faults);
	m->major_page_faults = number(arena, s->major_page_faults);
	if (s->memory_limit != UINT64_MAX && s->memory_working_set != UINT64_MAX)
		m->available_bytes = number(arena, s->memory_limit > s->memory_working_set
							   ? s->memory_limit - s->memory_working_set
							   : 0);
	m->psi = psi(arena, &s->memory_psi);
	return m;
}

static Runtime__V1__SwapUsage *show_swap(struct arena *arena, const struct cgroup_stats *s)
{
	Runtime__V1__SwapUsage *w = MESSAGE_NEW(arena, swap_usage);

	w->timestamp = s->time_ns;
	w->swap_usage_bytes = number(arena, s->swap_usage);
	if (s->swap_limit != UINT64_MAX && s->swap_usage != UINT64_MAX)
		w->swap_available_bytes = number(
			arena, s->swap_limit > s->swap_usage ? s->swap_limit - s->swap_usage : 0);
	return w;
}

static Runtime__V1__FilesystemUsage *show_disk(struct arena *arena, struct container *c,
					       int64_t now_ns)
{
	Runtime__V1__FilesystemUsage *f = MESSAGE_NEW(arena, filesystem_usage);
	uint64_t bytes, inodes;

	disk_usage(c, &bytes, &inodes);
	f->timestamp = now_ns;
	f->fs_id = MESSAGE_NEW(arena, filesystem_identifier);
	f->fs_id->mountpoint = c->pod->pods->disk_dir;
	f->used_bytes = number(arena, bytes);
	f->inodes_used = number(arena, inodes);
	return f;
}

static Runtime__V1__ContainerAttributes *show_attributes(struct arena *arena,
							 const struct container *c)
{
	Runtime__V1__ContainerAttributes *a = MESSAGE_NEW(arena, container_attributes);

	a->id = arena_strdup(arena, c->id);
	a->metadata = message_copy_in(arena, c->config->metadata);
	a->labels = message_copy_all(arena, c->config->labels, c->config->n_labels);
	a->n_labels = c->config->n_labels;
	a->annotations = message_copy_all(arena, c->config->annotations, c->config->n_annotations);
	a->n_annotations = c->config->n_annotations;
	return a;
}

/* One container, or NULL when it is gone.  A created or ended one has times and zeros. */
static Runtime__V1__ContainerStats *container_stats(struct arena *arena, struct container *c,
						    bool must_run)
{
	Runtime__V1__ContainerStats *v;
	struct cgroup_stats s = { 0 };

	if (cgroup_stats_read(c->cgroup, &s, NULL) < 0) {
		if (must_run)
			return NULL;
		s = (struct cgroup_stats){ .time_ns = clock_wall_ns(),
					   .memory_limit = UINT64_MAX,
					   .swap_limit = UINT64_MAX };
	}
	v = MESSAGE_NEW(arena, container_stats);
	v->attributes = show_attributes(arena, c);
	v->cpu = show_cpu(arena, &s);
	v->memory = show_memory(arena, &s);
	v->swap = show_swap(arena, &s);
	v->io = MESSAGE_NEW(arena, io_usage);
	v->io->timestamp = s.time_ns;
	v->io->psi = psi(arena, &s.io_psi);
	v->writable_layer = show_disk(arena, c, s.time_ns);
	return v;
}

int stats_container(struct pods *pods, const char *id, struct arena *arena,
		    Runtime__V1__ContainerStats **ret, struct error *err)
{
	struct container *c;
	int rc = pods_find_container(pods, id, &c, err);

	if (rc < 0)
		return rc;
	*ret = container_stats(arena, c, false);
	container_put(c);
	return 0;
}

static bool container_wanted(const struct container *c, const Runtime__V1__ContainerStatsFilter *f)
{
	if (c->state != CONTAINER_RUNNING)
		return false;
	if (!f)
		return true;
	if (!str_empty(f->id) && !str_has_prefix(c->id, f->id))
		return false;
	if (!str_empty(f->pod_sandbox_id) && !str_has_prefix(c->pod->id, f->pod_sandbox_id))
		return false;
	return pods_has_labels(c->config->labels, c->config->n_labels, f->label_selector,
			       f->n_label_selector);
}

void stats_list_containers(struct pods *pods, const Runtime__V1__ContainerStatsFilter *filter,
			   struct arena *arena, Runtime__V1__ListContainerStatsResponse *reply)
{
	struct container **list;
	struct map_entry *e;
	size_t n = 0;

	pods_lock(pods);
	list = xcalloc(pods->container_ids.count + 1, sizeof(*list));
	for (size_t i = 0; (e = map_at(&pods->container_ids, &i));)
		if (container_wanted(e->value, filter)) {
			list[n] = e->value;
			list[n++]->refs++;
		}
	pods_unlock(pods);
	reply->stats = arena_alloc(arena, (n + 1) * sizeof(*reply->stats));
	for (size_t i = 0; i < n; i++) {
		Runtime__V1__ContainerStats *s = container_stats(arena, list[i], true);

		if (s)
			reply->stats[reply->n_stats++] = s;
		container_put(list[i]);
	}
	free(list);
}

/* --- sandboxes
 * -------------------------------------------------------------------------------------- */

static Runtime__V1__NetworkInterfaceUsage *show_interface(struct arena *arena,
							  const struct network_interface_stats *i)
{
	Runtime__V1__NetworkInterfaceUsage *u = MESSAGE_NEW(arena, network_interface_usage);

	u->name = arena_strdup(arena, i->name);
	u->rx_bytes = number(arena, i->rx_bytes);
	u->rx_errors = number(arena, i->rx_errors);
	u->tx_bytes = number(arena, i->tx_bytes);
	u->tx_errors = number(arena, i->tx_errors);
	return u;
}

/* NULL without an interface of the pod's own: kubelets look into the default one unasked. */
static Runtime__V1__NetworkUsage *show_network(struct arena *arena, const struct pod *pod, int pid,
					       int64_t now_ns)
{
	struct network_interface_stats list[MAX_INTERFACES];
	Runtime__V1__NetworkUsage *u = MESSAGE_NEW(arena, network_usage);
	int n = pod->netns && pid > 1 ? network_stats_read(pid, list, MAX_INTERFACES) : 0;

	u->timestamp = now_ns;
	u->interfaces = arena_alloc(arena, MAX_INTERFACES * sizeof(*u->interfaces));
	for (int i = 0; i < n; i++) {
		if (str_eq(list[i].name, "lo"))
			continue;
		if (!u->default_interface)
			u->default_interface = show_interface(arena, &list[i]);
		else
			u->interfaces[u->n_interfaces++] = show_interface(arena, &list[i]);
	}
	return u->default_interface ? u : NULL;
}

static Runtime__V1__PodSandboxAttributes *pod_attributes(struct arena *arena, const struct pod *pod)
{
	const Runtime__V1__PodSandboxConfig *config = pod->config;
	Runtime__V1__PodSandboxAttributes *a = MESSAGE_NEW(arena, pod_sandbox_attributes);

	a->id = arena_strdup(arena, pod->id);
	a->metadata = message_copy_in(arena, config->metadata);
	a->labels = message_copy_all(arena, config->labels, config->n_labels);
	a->n_labels = config->n_labels;
	a->annotations = message_copy_all(arena, config->annotations, config->n_annotations);
	a->n_annotations = config->n_annotations;
	return a;
}

static void add_containers(struct arena *arena, struct pod *pod,
			   Runtime__V1__LinuxPodSandboxStats *stats)
{
	size_t n;
	struct container **list = pods_containers(pod, &n);

	stats->containers = arena_alloc(arena, (n + 1) * sizeof(*stats->containers));
	for (size_t i = 0; i < n; i++) {
		Runtime__V1__ContainerStats *s = NULL;
		bool running;

		pods_lock(pod->pods);
		running = list[i]->state == CONTAINER_RUNNING;
		pods_unlock(pod->pods);
		if (running)
			s = container_stats(arena, list[i], true);
		if (s)
			stats->containers[stats->n_containers++] = s;
		container_put(list[i]);
	}
	free(list);
}

static Runtime__V1__PodSandboxStats *pod_stats(struct arena *arena, struct pod *pod)
{
	Runtime__V1__PodSandboxStats *v = MESSAGE_NEW(arena, pod_sandbox_stats);
	Runtime__V1__LinuxPodSandboxStats *l = MESSAGE_NEW(arena, linux_pod_sandbox_stats);
	struct cgroup_stats s = { 0 };
	int pid;

	if (cgroup_stats_read(pod->cgroup, &s, NULL) < 0)
		s = (struct cgroup_stats){ .time_ns = clock_wall_ns(),
					   .memory_limit = UINT64_MAX,
					   .swap_limit = UINT64_MAX };
	pods_lock(pod->pods);
	pid = pod->monitor_pid;
	pods_unlock(pod->pods);
	v->attributes = pod_attributes(arena, pod);
	v->linux = l;
	l->cpu = show_cpu(arena, &s);
	l->memory = show_memory(arena, &s);
	l->network = show_network(arena, pod, pid, s.time_ns);
	l->process = MESSAGE_NEW(arena, process_usage);
	l->process->timestamp = s.time_ns;
	l->process->process_count = number(arena, cgroup_process_count(pod->cgroup));
	l->io = MESSAGE_NEW(arena, io_usage);
	l->io->timestamp = s.time_ns;
	l->io->psi = psi(arena, &s.io_psi);
	add_containers(arena, pod, l);
	return v;
}

int stats_sandbox(struct pods *pods, const char *id, struct arena *arena,
		  Runtime__V1__PodSandboxStats **ret, struct error *err)
{
	struct pod *pod;
	int rc = pods_find_pod(pods, id, &pod, err);

	if (rc < 0)
		return rc;
	*ret = pod_stats(arena, pod);
	pod_put(pod);
	return 0;
}

static bool pod_wanted(const struct pod *pod, const Runtime__V1__PodSandboxStatsFilter *f)
{
	if (pod->state != POD_READY)
		return false;
	if (!f)
		return true;
	if (!str_empty(f->id) && !str_has_prefix(pod->id, f->id))
		return false;
	return pods_has_labels(pod->config->labels, pod->config->n_labels, f->label_selector,
			       f->n_label_selector);
}

void stats_list_sandboxes(struct pods *pods, const Runtime__V1__PodSandboxStatsFilter *filter,
			  struct arena *arena, Runtime__V1__ListPodSandboxStatsResponse *reply)
{
	struct pod **list;
	struct map_entry *e;
	size_t n = 0;

	pods_lock(pods);
	list = xcalloc(pods->pod_ids.count + 1, sizeof(*list));
	for (size_t i = 0; (e = map_at(&pods->pod_ids, &i));)
		if (pod_wanted(e->value, filter)) {
			list[n] = e->value;
			list[n++]->refs++;
		}
	pods_unlock(pods);
	reply->stats = arena_alloc(arena, (n + 1) * sizeof(*reply->stats));
	for (size_t i = 0; i < n; i++) {
		reply->stats[reply->n_stats++] = pod_stats(arena, list[i]);
		pod_put(list[i]);
	}
	free(list);
}
