/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pod sandboxes: run, stop, remove.
 *
 *   (none) --run--> CREATING --ok--> READY --stop--> NOTREADY --remove--> REMOVING --> GONE
 *                      `--failed--> GONE                ^
 *                                     monitor died -----'
 *
 * The record is written before anything is made and deleted after everything is gone, so that
 * whatever a killed server leaves is found by its successor (restore.c).
 */
#include <errno.h>
#include <fcntl.h>

#include "base/path.h"
#include "base/thread.h"
#include "cri/pods/objects.h"
#include "cri/pods/spec.h"
#include "runtimes/monitor/client.h"

#define RUN_BOUND_NS (240 * INT64_C(1000000000)) /* a joined creation is waited for this long */

static int check_config(const Runtime__V1__PodSandboxConfig *config, struct error *err)
{
	const Runtime__V1__PodSandboxMetadata *m = config ? config->metadata : NULL;

	if (!m)
		return error_set(err, EINVAL, "sandbox config without metadata");
	if (str_empty(m->name) || str_empty(m->namespace_) || str_empty(m->uid))
		return error_set(
			err, EINVAL,
			"sandbox metadata needs name, namespace and uid, has '%s', '%s', '%s'",
			m->name, m->namespace_, m->uid);
	if (!str_empty(config->log_directory) && config->log_directory[0] != '/')
		return error_set(err, EINVAL, "log_directory '%s' is not absolute",
				 config->log_directory);
	return spec_check_sandbox(config, err);
}

/* What the configuration asks of the runtime beyond the base. */
static int check_handler(const Runtime__V1__PodSandboxConfig *config, const struct handler *handler,
			 struct error *err)
{
	const Runtime__V1__UserNamespace *user = spec_sandbox_namespaces(config)->userns_options;

	if (user && user->mode == RUNTIME__V1__NAMESPACE_MODE__POD && !handler->user_namespaces)
		return error_set(err, EINVAL,
				 "runtime handler '%s' (%s) has no user namespaces with idmapped "
				 "mounts: install runc 1.2 or crun 1.9, or newer",
				 handler->name, str_or(handler->version, "unknown version"));
	return 0;
}

static struct pod *make_pod(struct pods *pods, const Runtime__V1__PodSandboxConfig *config,
			    const char *handler_name, const struct handler *handler)
{
	struct pod *pod = pod_new(pods);

	str_random_hex(pod->id, ID_LEN / 2);
	pod->config = message_copy(config);
	pod->handler_name = xstrdup(handler_name);
	pod->created_ns = clock_wall_ns();
	sandbox_derive(pod);
	if (handler->sandbox == HANDLER_CONTAINER)
		pod->has_sandbox_container = true;
	return pod;
}

/* join() - the name is taken: by an equal request (fine), or by another. Takes over @pod. */
static int join(struct pod *pod, const struct pod *wanted, struct arena *arena, char **ret_id,
		struct error *err)
{
	struct pods *pods = pod->pods;
	int64_t deadline_ns = clock_monotonic_ns() + RUN_BOUND_NS;
	int rc = 0;

	pods_lock(pods);
	while (pod->state == POD_CREATING && pods_wait(pods, deadline_ns))
		;
	if (!message_equal(pod->config, wanted->config))
		rc = error_set(err, EEXIST,
			       "name '%s' is in use by pod sandbox %s, which has another "
			       "configuration",
			       pod->key, pod->id);
	else if (!str_eq(pod->handler_name, wanted->handler_name))
		rc = error_set(err, EEXIST,
			       "name '%s' is in use by pod sandbox %s, which has runtime handler "
			       "'%s'",
			       pod->key, pod->id, pod->handler_name);
	else if (pod->state == POD_GONE)
		rc = error_copy(err, &pod->failure);
	else if (pod->state != POD_READY)
		rc = error_set(err, EEXIST, "name '%s' is in use by pod sandbox %s, which is %s",
			       pod->key, pod->id, pod_state_name(pod->state));
	else
		*ret_id = arena_strdup(arena, pod->id);
	pods_unlock(pods);
	pod_put(pod);
	return rc;
}

struct connecting {
	struct pod *pod;
	struct error err;
	int rc;
};

static void *connect_network(void *data)
{
	struct connecting *c = data;

	c->rc = sandbox_add_network(c->pod, &c->err);
	fault_point("cni-added");
	return NULL;
}

/*
 * The network's plugins and the monitor need nothing of each other, and both mostly wait: the
 * first for iptables, the second 8 ms for the kernel to let it into its cgroup.
 */
static int connect_and_start(struct pod *pod, const struct handler *handler, struct error *err)
{
	struct connecting c = { .pod = pod, .err = ERROR_INIT };
	pthread_t thread;
	bool beside = pod->netns && thread_start_joinable(&thread, connect_network, &c) == 0;
	int rc;

	if (!beside)
		connect_network(&c);
	rc = beside || c.rc == 0 ? sandbox_start_monitor(pod, handler, err) : c.rc;
	if (beside)
		pthread_join(thread, NULL);
	return c.rc < 0 ? error_copy(err, &c.err) : rc;
}

/* All parts of a sandbox in order; whatever fails, the caller tears down. */
static int build(struct pod *pod, const struct handler *handler, struct error *err)
{
	int rc = record_save_pod(pod, 0, err);

	fault_point("sandbox-recorded");
	if (rc == 0)
		rc = sandbox_make_files(pod, err);
	if (rc == 0)
		rc = sandbox_make_namespaces(pod, err);
	fault_point("namespaces-pinned");
	if (rc == 0)
		rc = connect_and_start(pod, handler, err);
	fault_point("monitor-started");
	if (rc == 0 && pod->has_sandbox_container)
		rc = sandbox_start_container(pod, handler, err);
	return rc;
}

static void set_state(struct pod *pod, enum pod_state state)
{
	pods_lock(pod->pods);
	pod->state = state;
	pods_changed(pod->pods);
	pods_unlock(pod->pods);
}

/* The name is free before the failure is answered (pain: "name is reserved"). */
static void undo(struct pod *pod, const struct error *cause)
{
	struct error err = ERROR_INIT;

	if (sandbox_teardown(pod, true, &err) < 0)
		log_warn("pod %s: undo: %s", pod->id, err.text);
	sandbox_remove_files(pod);
	record_delete_pod(pod);
	pods_lock(pod->pods);
	pod->failure = *cause;
	pods_drop_pod(pod);
	pods_unlock(pod->pods);
}

static int create(struct pod *pod, const struct handler *handler, struct error *err)
{
	struct error own = ERROR_INIT;
	int rc;

	pthread_mutex_lock(&pod->op);
	rc = build(pod, handler, &own);
	if (rc == 0) {
		set_state(pod, POD_READY);
		rc = record_save_pod(pod, 0, &own);
		fault_point("sandbox-ready");
	}
	if (rc < 0) {
		undo(pod, &own);
		error_copy(err, &own);
	}
	pthread_mutex_unlock(&pod->op);
	return rc;
}

int sandbox_run(struct pods *pods, const Runtime__V1__PodSandboxConfig *config,
		const char *handler_name, struct arena *arena, char **ret_id, struct error *err)
{
	const struct handler *handler;
	struct pod *pod, *other;
	int rc = check_config(config, err);

	if (rc == 0)
		rc = handlers_find(pods->config.handlers, handler_name, &handler, err);
	if (rc == 0)
		rc = check_handler(config, handler, err);
	if (rc < 0)
		return rc;
	pod = make_pod(pods, config, handler_name, handler);
	pods_lock(pods);
	other = map_get(&pods->pod_keys, pod->key);
	if (other)
		other->refs++;
	else
		pods_insert_pod(pod);
	pods_unlock(pods);
	if (other)
		rc = join(other, pod, arena, ret_id, err);
	else
		rc = create(pod, handler, err);
	if (rc < 0)
		error_wrap(err, "run pod sandbox %s/%s", config->metadata->namespace_,
			   config->metadata->name);
	else if (!other)
		*ret_id = arena_strdup(arena, pod->id);
	pod_put(pod);
	return rc;
}

/* --- stop and remove -------------------------------------------------------------------------- */

/* each_container() - @fn for all; the first failure is reported. */
static int each_container(struct pod *pod, int (*fn)(struct container *c, struct error *err),
			  struct error *err)
{
	size_t n;
	struct container **list = pods_containers(pod, &n);
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		struct error one = ERROR_INIT;
		int r = fn(list[i], &one);

		if (r < 0 && rc == 0)
			rc = error_copy(err, &one);
		container_put(list[i]);
	}
	free(list);
	return rc;
}

/*
 * stop_locked() - pod->op held.
 *
 * The runtime deletes what has ended while the network's plugins run, so what is left of that is
 * waited for after them.
 */
static int stop_locked(struct pod *pod, struct error *err)
{
	enum pod_state state;
	int rc;

	pods_lock(pod->pods);
	state = pod->state;
	pods_unlock(pod->pods);
	if (state != POD_READY)
		return 0;
	rc = each_container(pod, container_kill, err);
	fault_point("stop-killed");
	if (rc < 0)
		return rc;
	sandbox_disconnect(pod, true);
	rc = each_container(pod, container_forget_runtime, err);
	if (rc == 0)
		rc = sandbox_end(pod, err);
	if (rc < 0)
		return rc;
	set_state(pod, POD_NOTREADY);
	return record_save_pod(pod, 0, err);
}

int sandbox_stop(struct pods *pods, const char *id, struct error *err)
{
	struct pod *pod;
	int rc = pods_find_pod(pods, id, &pod, err);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	pthread_mutex_lock(&pod->op);
	rc = stop_locked(pod, err);
	pthread_mutex_unlock(&pod->op);
	if (rc < 0)
		error_wrap(err, "stop pod sandbox %s", pod->id);
	pod_put(pod);
	return rc;
}

static int remove_containers(struct pod *pod, struct error *err)
{
	size_t n;
	struct container **list = pods_containers(pod, &n);
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		if (rc == 0)
			rc = container_destroy(list[i], err);
		container_put(list[i]);
	}
	free(list);
	return rc;
}

static int remove_locked(struct pod *pod, struct error *err)
{
	int rc;

	pods_lock(pod->pods);
	rc = pod->state == POD_GONE;
	pods_unlock(pod->pods);
	if (rc)
		return 0;
	rc = stop_locked(pod, err);
	if (rc == 0) {
		set_state(pod, POD_REMOVING);
		rc = record_save_pod(pod, 0, err);
	}
	if (rc == 0)
		rc = remove_containers(pod, err);
	if (rc < 0) {
		set_state(pod, POD_NOTREADY);
		return rc;
	}
	sandbox_remove_files(pod);
	fault_point("pod-removed");
	record_delete_pod(pod);
	pods_lock(pod->pods);
	pods_drop_pod(pod);
	pods_unlock(pod->pods);
	return 0;
}

int sandbox_remove(struct pods *pods, const char *id, struct error *err)
{
	struct pod *pod;
	int rc = pods_find_pod(pods, id, &pod, err);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	pthread_mutex_lock(&pod->op);
	rc = remove_locked(pod, err);
	pthread_mutex_unlock(&pod->op);
	if (rc < 0)
		error_wrap(err, "remove pod sandbox %s", pod->id);
	pod_put(pod);
	return rc;
}
