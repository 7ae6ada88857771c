/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List and Status: answers from memory, on the event loop.
 *
 * A reply points into the immutable parts of objects (freed on this same thread, so not before
 * the reply is encoded) and copies what may change.  Map entries of requests and replies are
 * different C types with one layout and one wire form, hence the casts of labels.
 */
#include <errno.h>

#include "base/json.h"
#include "cri/pods/objects.h"
#include "cri/pods/spec.h"

/* pods_has_labels() - whether all of @wanted stand in @have (both are arrays of map entries). */
bool pods_has_labels(void *have_array, size_t n_have, void *wanted_array, size_t n_wanted)
{
	Runtime__V1__ContainerConfig__LabelsEntry **have = have_array;
	Runtime__V1__ContainerConfig__LabelsEntry **wanted = wanted_array;

	for (size_t i = 0; i < n_wanted; i++) {
		size_t k = 0;

		while (k < n_have && !(str_eq(have[k]->key, wanted[i]->key) &&
				       str_eq(have[k]->value, wanted[i]->value)))
			k++;
		if (k == n_have)
			return false;
	}
	return true;
}

/* --- sandboxes -------------------------------------------------------------------------------- */

static Runtime__V1__PodSandboxState shown_pod_state(const struct pod *pod)
{
	return pod->state == POD_READY ? RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_READY
				       : RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_NOTREADY;
}

static bool pod_matches(const struct pod *pod, const Runtime__V1__PodSandboxFilter *f)
{
	if (pod->state == POD_CREATING || pod->state == POD_GONE)
		return false;
	if (!f)
		return true;
	if (!str_empty(f->id) && !str_has_prefix(pod->id, f->id))
		return false;
	if (f->state && f->state->state != shown_pod_state(pod))
		return false;
	return pods_has_labels(pod->config->labels, pod->config->n_labels, f->label_selector,
			       f->n_label_selector);
}

static Runtime__V1__PodSandbox *show_pod(struct arena *arena, const struct pod *pod)
{
	Runtime__V1__PodSandbox *p = MESSAGE_NEW(arena, pod_sandbox);

	p->id = (char *)pod->id;
	p->metadata = pod->config->metadata;
	p->state = shown_pod_state(pod);
	p->created_at = pod->created_ns;
	p->labels = (void *)pod->config->labels;
	p->n_labels = pod->config->n_labels;
	p->annotations = (void *)pod->config->annotations;
	p->n_annotations = pod->config->n_annotations;
	p->runtime_handler = pod->handler_name;
	return p;
}

void pods_list_sandboxes(struct pods *pods, const Runtime__V1__PodSandboxFilter *filter,
			 struct arena *arena, Runtime__V1__ListPodSandboxResponse *reply)
{
	struct map_entry *e;

	pods_lock(pods);
	reply->items = arena_alloc(arena, (pods->pod_ids.count + 1) * sizeof(*reply->items));
	for (size_t i = 0; (e = map_at(&pods->pod_ids, &i));)
		if (pod_matches(e->value, filter))
			reply->items[reply->n_items++] = show_pod(arena, e->value);
	pods_unlock(pods);
}

static Runtime__V1__PodSandboxNetworkStatus *show_network(struct arena *arena,
							  const struct pod *pod)
{
	Runtime__V1__PodSandboxNetworkStatus *n = MESSAGE_NEW(arena, pod_sandbox_network_status);

	if (pod->state != POD_READY || pod->ips.count == 0)
		return n;
	n->ip = arena_strdup(arena, pod->ips.items[0]);
	n->additional_ips = arena_alloc(arena, pod->ips.count * sizeof(*n->additional_ips));
	for (size_t i = 1; i < pod->ips.count; i++) {
		Runtime__V1__PodIP *ip = MESSAGE_NEW(arena, pod_ip);

		ip->ip = arena_strdup(arena, pod->ips.items[i]);
		n->additional_ips[n->n_additional_ips++] = ip;
	}
	return n;
}

static Runtime__V1__LinuxPodSandboxStatus *show_linux(struct arena *arena, const struct pod *pod)
{
	Runtime__V1__LinuxPodSandboxStatus *l = MESSAGE_NEW(arena, linux_pod_sandbox_status);

	l->namespaces = MESSAGE_NEW(arena, namespace);
	l->namespaces->options = (void *)spec_sandbox_namespaces(pod->config);
	return l;
}

static char *pod_info(struct arena *arena, const struct pod *pod)
{
	struct strbuf out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &out };
	const struct handler *handler;

	json_begin_object(&w);
	json_put_i64(&w, "pid", pod->sandbox_pid ? pod->sandbox_pid : pod->monitor_pid);
	json_put_i64(&w, "monitorPid", pod->monitor_pid);
	json_put_string(&w, "runtimeHandler", pod->handler_name);
	if (handlers_find(pod->pods->config.handlers, pod->handler_name, &handler, NULL) == 0)
		json_put_string(&w, "runtime", handler->runtime);
	json_put_string(&w, "state", pod_state_name(pod->state));
	json_put_string(&w, "netns", pod->netns);
	json_put_string(&w, "cgroup", pod->cgroup);
	json_put_string(&w, "directory", pod->dir);
	json_put_bool(&w, "sandboxContainer", pod->has_sandbox_container);
	json_end_object(&w);
	return arena_strdup(arena, out.data);
}

/* An info map with one entry, as crictl prints it. */
#define SET_INFO(arena, reply, entry_type, text)                            \
	do {                                                                \
		(reply)->info = arena_alloc(arena, sizeof(*(reply)->info)); \
		(reply)->info[0] = MESSAGE_NEW(arena, entry_type);          \
		(reply)->info[0]->key = (char *)"info";                     \
		(reply)->info[0]->value = (text);                           \
		(reply)->n_info = 1;                                        \
	} while (0)

int pods_sandbox_status(struct pods *pods, const char *id, bool verbose, struct arena *arena,
			Runtime__V1__PodSandboxStatusResponse *reply, struct error *err)
{
	Runtime__V1__PodSandboxStatus *s;
	struct pod *pod;

	pods_lock(pods);
	pod = pods_peek_pod(pods, id);
	if (!pod) {
		pods_unlock(pods);
		return error_set(err, ENOENT, "pod sandbox '%s' not found", id);
	}
	s = reply->status = MESSAGE_NEW(arena, pod_sandbox_status);
	s->id = pod->id;
	s->metadata = pod->config->metadata;
	s->state = shown_pod_state(pod);
	s->created_at = pod->created_ns;
	s->network = show_network(arena, pod);
	s->linux = show_linux(arena, pod);
	s->labels = (void *)pod->config->labels;
	s->n_labels = pod->config->n_labels;
	s->annotations = (void *)pod->config->annotations;
	s->n_annotations = pod->config->n_annotations;
	s->runtime_handler = pod->handler_name;
	if (verbose)
		SET_INFO(arena, reply, pod_sandbox_status_response__info_entry,
			 pod_info(arena, pod));
	pods_unlock(pods);
	return 0;
}

/* --- containers ------------------------------------------------------------------------------- */

static Runtime__V1__ContainerState shown_state(const struct container *c)
{
	switch (c->state) {
	case CONTAINER_CREATING:
	case CONTAINER_CREATED:
	case CONTAINER_STARTING:
		return RUNTIME__V1__CONTAINER_STATE__CONTAINER_CREATED;
	case CONTAINER_RUNNING:
		return RUNTIME__V1__CONTAINER_STATE__CONTAINER_RUNNING;
	default:
		return RUNTIME__V1__CONTAINER_STATE__CONTAINER_EXITED;
	}
}

static bool container_matches(const struct container *c, const Runtime__V1__ContainerFilter *f)
{
	if (c->state == CONTAINER_CREATING || c->state == CONTAINER_GONE)
		return false;
	if (!f)
		return true;
	if (!str_empty(f->id) && !str_has_prefix(c->id, f->id))
		return false;
	if (!str_empty(f->pod_sandbox_id) && !str_has_prefix(c->pod->id, f->pod_sandbox_id))
		return false;
	if (f->state && f->state->state != shown_state(c))
		return false;
	return pods_has_labels(c->config->labels, c->config->n_labels, f->label_selector,
			       f->n_label_selector);
}

/* The image as ListContainers and ContainerStatus show it: asked for, with the id's spec. */
static Runtime__V1__ImageSpec *show_image(struct arena *arena, const struct container *c)
{
	Runtime__V1__ImageSpec *spec = MESSAGE_NEW(arena, image_spec);

	*spec = *c->config->image;
	spec->image = c->image_name;
	return spec;
}

static Runtime__V1__Container *show_container(struct arena *arena, const struct container *c)
{
	Runtime__V1__Container *v = MESSAGE_NEW(arena, container);

	v->id = (char *)c->id;
	v->pod_sandbox_id = c->pod->id;
	v->metadata = c->config->metadata;
	v->image = show_image(arena, c);
	v->image_ref = c->image_id;
	v->image_id = c->image_id;
	v->state = shown_state(c);
	v->created_at = c->created_ns;
	v->labels = (void *)c->config->labels;
	v->n_labels = c->config->n_labels;
	v->annotations = (void *)c->config->annotations;
	v->n_annotations = c->config->n_annotations;
	return v;
}

void pods_list_containers(struct pods *pods, const Runtime__V1__ContainerFilter *filter,
			  struct arena *arena, Runtime__V1__ListContainersResponse *reply)
{
	struct map_entry *e;

	pods_lock(pods);
	reply->containers =
		arena_alloc(arena, (pods->container_ids.count + 1) * sizeof(*reply->containers));
	for (size_t i = 0; (e = map_at(&pods->container_ids, &i));)
		if (container_matches(e->value, filter))
			reply->containers[reply->n_containers++] = show_container(arena, e->value);
	pods_unlock(pods);
}

static char *container_info(struct arena *arena, const struct container *c)
{
	struct strbuf out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &out };

	json_begin_object(&w);
	json_put_string(&w, "sandboxID", c->pod->id);
	json_put_i64(&w, "pid", c->state == CONTAINER_RUNNING ? c->pid : 0);
	json_put_string(&w, "state", container_state_name(c->state));
	json_put_string(&w, "bundle", c->dir);
	json_put_string(&w, "writableLayer", c->disk);
	json_put_string(&w, "cgroup", c->cgroup);
	json_put_strings(&w, "layers", c->layers.items, c->layers.count);
	json_end_object(&w);
	return arena_strdup(arena, out.data);
}

static void show_end(Runtime__V1__ContainerStatus *s, struct arena *arena,
		     const struct container *c)
{
	if (shown_state(c) != RUNTIME__V1__CONTAINER_STATE__CONTAINER_EXITED)
		return;
	s->finished_at = c->finished_ns;
	s->exit_code = c->exit_code;
	s->reason = (char *)c->reason;
	s->message = arena_strdup(arena, c->message);
}

static void show_resources(Runtime__V1__ContainerStatus *s, struct arena *arena,
			   const struct container *c)
{
	if (!c->resources)
		return;
	s->resources = MESSAGE_NEW(arena, container_resources);
	s->resources->linux = message_copy_in(arena, c->resources);
}

int pods_container_status(struct pods *pods, const char *id, bool verbose, struct arena *arena,
			  Runtime__V1__ContainerStatusResponse *reply, struct error *err)
{
	Runtime__V1__ContainerStatus *s;
	struct container *c;

	pods_lock(pods);
	c = pods_peek_container(pods, id);
	if (!c) {
		pods_unlock(pods);
		return error_set(err, ENOENT, "container '%s' not found", id);
	}
	s = reply->status = MESSAGE_NEW(arena, container_status);
	s->id = c->id;
	s->metadata = c->config->metadata;
	s->state = shown_state(c);
	s->created_at = c->created_ns;
	s->started_at = c->state == CONTAINER_CREATED ? 0 : c->started_ns;
	s->image = show_image(arena, c);
	s->image_ref = c->image_id;
	s->image_id = c->image_id;
	s->labels = (void *)c->config->labels;
	s->n_labels = c->config->n_labels;
	s->annotations = (void *)c->config->annotations;
	s->n_annotations = c->config->n_annotations;
	s->mounts = c->config->mounts;
	s->n_mounts = c->config->n_mounts;
	if (c->log_path)
		s->log_path = c->log_path;
	s->user = c->user;
	s->stop_signal = spec_cri_signal(c->stop_signal);
	show_end(s, arena, c);
	show_resources(s, arena, c);
	if (verbose)
		SET_INFO(arena, reply, container_status_response__info_entry,
			 container_info(arena, c));
	pods_unlock(pods);
	return 0;
}
