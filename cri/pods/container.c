/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers: create, start, update, remove.  (Stopping is in stop.c.)
 *
 *   (none) -create-> CREATING -> CREATED -start-> STARTING -> RUNNING -exit-> EXITED -remove-> GONE
 *                       `-failed-> GONE              `-failed-> EXITED (StartError, 128)
 *
 * Create checks everything that can be wrong with a configuration and writes the bundle; it
 * starts nothing.  Start mounts the rootfs (detached, handed to the monitor) and runs the OCI
 * runtime once, `run --detach`.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "base/path.h"
#include "base/spawn.h"
#include "cri/pods/container_spec.h"
#include "cri/pods/objects.h"
#include "cri/pods/spec.h"
#include "runtimes/cgroup/cgroup.h"
#include "runtimes/monitor/client.h"

#define CREATE_BOUND_NS	  (240 * INT64_C(1000000000))
#define START_BOUND_MS	  120000
#define START_ERROR_EXIT  128 /* what containerd reports, and kubelets show */
#define START_ERROR_BYTES 2048

void container_derive(struct container *c)
{
	const struct pod *pod = c->pod;

	c->key = xasprintf("%s/%s/%u", pod->id, c->config->metadata->name,
			   c->config->metadata->attempt);
	c->dir = xasprintf("%s/containers/%s", pod->dir, c->id);
	c->disk = path_join(pod->pods->disk_dir, c->id);
	c->cgroup = xasprintf("%s/%s", pod->cgroup, c->id);
}

/* --- create ----------------------------------------------------------------------------------- */

static int check_config(const Runtime__V1__ContainerConfig *config, struct error *err)
{
	if (!config || !config->metadata || str_empty(config->metadata->name))
		return error_set(err, EINVAL, "container config without metadata.name");
	if (!config->image || str_empty(config->image->image))
		return error_set(err, EINVAL, "container '%s': no image given",
				 config->metadata->name);
	if (strstr(config->log_path, ".."))
		return error_set(err, EINVAL, "container '%s': log_path '%s' leaves its directory",
				 config->metadata->name, config->log_path);
	return 0;
}

/* What ContainerStatus shows as image: a name of it, never a bare id when there is one. */
static const char *image_shown(const struct image *image, const char *asked)
{
	if (image->repo_tags.count > 0 && !strchr(asked, '/'))
		return image->repo_tags.items[0];
	return asked;
}

static struct container *make_container(struct pod *pod, const Runtime__V1__ContainerConfig *config,
					const struct image *image)
{
	struct container *c = container_new(pod);

	str_random_hex(c->id, ID_LEN / 2);
	c->config = message_copy(config);
	c->created_ns = clock_wall_ns();
	c->image_id = xstrdup(image->id);
	c->image_name = xstrdup(image_shown(image, config->image->image));
	for (size_t i = 0; i < image->layers.count; i++)
		strlist_add(&c->layers, image->layers.items[i]);
	if (config->linux && config->linux->resources)
		c->resources = message_copy(config->linux->resources);
	if (!str_empty(config->log_path) && !str_empty(pod->config->log_directory))
		c->log_path = path_join(pod->config->log_directory, config->log_path);
	c->reason = "";
	c->message = xstrdup("");
	container_derive(c);
	return c;
}

/* take_name() - enter the tables, or find who has the name. Return: the other, referenced, or NULL.
 */
static struct container *take_name(struct container *c)
{
	struct pods *pods = c->pod->pods;
	struct container *other;

	pods_lock(pods);
	other = map_get(&pods->container_keys, c->key);
	if (other)
		other->refs++;
	else
		pods_insert_container(c);
	pods_unlock(pods);
	return other;
}

/* join() - as for sandboxes: an equal request gets the id.  Takes over @c. */
static int join(struct container *c, const struct container *wanted, struct arena *arena,
		char **ret_id, struct error *err)
{
	struct pods *pods = c->pod->pods;
	int64_t deadline_ns = clock_monotonic_ns() + CREATE_BOUND_NS;
	int rc = 0;

	pods_lock(pods);
	while (c->state == CONTAINER_CREATING && pods_wait(pods, deadline_ns))
		;
	if (!message_equal(c->config, wanted->config))
		rc = error_set(err, EEXIST,
			       "name '%s' attempt %u is in use by container %s, which has another "
			       "configuration",
			       c->config->metadata->name, c->config->metadata->attempt, c->id);
	else if (c->state == CONTAINER_GONE)
		rc = error_copy(err, &c->failure);
	else if (c->state != CONTAINER_CREATED)
		rc = error_set(err, EEXIST, "name '%s' attempt %u is in use by container %s, %s",
			       c->config->metadata->name, c->config->metadata->attempt, c->id,
			       container_state_name(c->state));
	else
		*ret_id = arena_strdup(arena, c->id);
	pods_unlock(pods);
	container_put(c);
	return rc;
}

static int make_dirs(struct container *c, struct error *err)
{
	char *upper cleanup_free = path_join(c->disk, "upper");
	char *work cleanup_free = path_join(c->disk, "work");
	int rc = path_mkdirs(c->dir, 0711, err);

	if (rc == 0)
		rc = path_mkdirs(upper, 0755, err);
	if (rc == 0)
		rc = path_mkdirs(work, 0700, err);
	return rc;
}

static void remove_files(struct container *c)
{
	struct error err = ERROR_INIT;

	if (path_remove_tree(AT_FDCWD, c->dir, &err) < 0)
		log_warn("container %s: %s", c->id, err.text);
	if (path_remove_tree(AT_FDCWD, c->disk, &err) < 0)
		log_warn("container %s: %s", c->id, err.text);
	if (c->holds_layers)
		image_release(c->pod->pods->config.images, &c->layers);
	c->holds_layers = false;
}

static int build(struct container *c, const struct image *image, const struct handler *handler,
		 struct error *err)
{
	int rc = image_hold(c->pod->pods->config.images, &c->layers, err);

	if (rc < 0)
		return rc;
	c->holds_layers = true;
	rc = record_save_container(c, 0, err);
	fault_point("container-recorded");
	if (rc == 0)
		rc = make_dirs(c, err);
	if (rc == 0)
		rc = container_spec_write(c, image, handler, err);
	return rc;
}

static void undo(struct container *c, const struct error *cause)
{
	remove_files(c);
	record_delete_container(c);
	pods_lock(c->pod->pods);
	c->failure = *cause;
	pods_drop_container(c);
	pods_unlock(c->pod->pods);
}

static int create_locked(struct container *c, const struct image *image, struct error *err)
{
	struct pods *pods = c->pod->pods;
	const struct handler *handler;
	struct error own = ERROR_INIT;
	int rc;

	if (c->pod->state != POD_READY)
		rc = error_set(&own, EBUSY, "pod sandbox %s is not ready (%s)", c->pod->id,
			       pod_state_name(c->pod->state));
	else
		rc = handlers_find(pods->config.handlers, c->pod->handler_name, &handler, &own);
	if (rc == 0)
		rc = build(c, image, handler, &own);
	if (rc == 0) {
		pods_lock(pods);
		c->state = CONTAINER_CREATED;
		pods_changed(pods);
		pods_unlock(pods);
		rc = record_save_container(c, 0, &own);
	}
	if (rc < 0) {
		undo(c, &own);
		error_copy(err, &own);
	}
	return rc;
}

static int create(struct pod *pod, const Runtime__V1__ContainerConfig *config,
		  const struct image *image, struct arena *arena, char **ret_id, struct error *err)
{
	struct container *c = make_container(pod, config, image);
	struct container *other = take_name(c);
	int rc;

	if (other) {
		rc = join(other, c, arena, ret_id, err);
	} else {
		pthread_mutex_lock(&pod->op);
		rc = create_locked(c, image, err);
		pthread_mutex_unlock(&pod->op);
		if (rc == 0)
			*ret_id = arena_strdup(arena, c->id);
	}
	container_put(c);
	return rc;
}

int container_create(struct pods *pods, const char *pod_id,
		     const Runtime__V1__ContainerConfig *config, struct arena *arena, char **ret_id,
		     struct error *err)
{
	struct image *image;
	struct pod *pod;
	int rc = check_config(config, err);

	if (rc == 0)
		rc = pods_find_pod(pods, pod_id, &pod, err);
	if (rc < 0)
		return rc;
	image = image_get(pods->config.images, config->image->image);
	if (!image)
		rc = error_set(err, ENOENT, "image '%s' not found: pull it first",
			       config->image->image);
	else
		rc = create(pod, config, image, arena, ret_id, err);
	/* "ImageVolumeMountFailed" must stay first: the kubelet looks for it there */
	if (rc < 0 && err && !str_has_prefix(err->text, "ImageVolumeMountFailed"))
		error_wrap(err, "create container '%s' in pod %s/%s", config->metadata->name,
			   pod->config->metadata->namespace_, pod->config->metadata->name);
	image_put(image);
	pod_put(pod);
	return rc;
}

/* --- start ------------------------------------------------------------------------------------ */

static int run(struct container *c, struct error *err)
{
	struct container_mounts mounts = { 0 };
	struct monitor_container m = {
		.id = c->id,
		.bundle = c->dir,
		.terminal = c->config->tty,
		.stdin_open = c->config->stdin,
		.stdin_once = c->config->stdin_once,
		.log_path = c->log_path,
		.cgroup = c->cgroup,
	};
	int64_t started_ns;
	pid_t pid;
	int rc = container_mounts_make(c, &mounts, err);

	fault_point("rootfs-mounted");
	if (rc == 0) {
		m.mounts = mounts.list;
		m.n_mounts = mounts.count;
		rc = monitor_run(c->pod->dir, &m, START_BOUND_MS, &pid, &started_ns, err);
	}
	container_mounts_finish(&mounts);
	if (rc < 0)
		return rc;
	fault_point("container-started");
	pods_lock(c->pod->pods);
	c->pid = pid;
	c->started_ns = started_ns;
	if (c->state == CONTAINER_STARTING) { /* else it has ended already */
		c->state = CONTAINER_RUNNING;
		c->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	}
	pods_changed(c->pod->pods);
	pods_unlock(c->pod->pods);
	return 0;
}

/* A failed start ends the container for good; its status tells why. */
static void start_failed(struct container *c, const struct error *cause)
{
	struct pods *pods = c->pod->pods;

	pods_lock(pods);
	c->state = CONTAINER_EXITED;
	c->exit_code = START_ERROR_EXIT;
	c->reason = "StartError";
	c->started_ns = 0;
	c->finished_ns = clock_wall_ns();
	free(c->message);
	c->message = xstrndup(cause->text, START_ERROR_BYTES);
	pods_changed(pods);
	pods_unlock(pods);
}

static int start_locked(struct container *c, struct error *err)
{
	struct pods *pods = c->pod->pods;
	struct error own = ERROR_INIT;
	int rc = 0;

	pods_lock(pods);
	if (c->pod->state != POD_READY)
		rc = error_set(err, EBUSY, "pod sandbox %s is not ready (%s)", c->pod->id,
			       pod_state_name(c->pod->state));
	else if (c->state != CONTAINER_CREATED)
		rc = error_set(err, EBUSY, "container %s is %s, not created", c->id,
			       container_state_name(c->state));
	else
		c->state = CONTAINER_STARTING;
	pods_unlock(pods);
	if (rc < 0)
		return rc;
	rc = record_save_container(c, 0, &own);
	if (rc == 0)
		rc = run(c, &own);
	if (rc < 0) {
		start_failed(c, &own);
		error_copy(err, &own);
	}
	if (record_save_container(c, 0, &own) < 0)
		log_error("container %s: not recorded: %s", c->id, own.text);
	return rc;
}

int container_start(struct pods *pods, const char *id, struct error *err)
{
	struct container *c;
	int rc = pods_find_container(pods, id, &c, err);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&c->pod->op);
	rc = start_locked(c, err);
	pthread_mutex_unlock(&c->pod->op);
	if (rc < 0)
		error_wrap(err, "start container '%s' (%.13s)", c->config->metadata->name, c->id);
	container_put(c);
	return rc;
}

/* --- remove ----------------------------------------------------------------------------------- */

int container_forget_runtime(struct container *c, struct error *err)
{
	struct error why = ERROR_INIT;
	bool never_ran;
	int rc;

	pods_lock(c->pod->pods);
	never_ran = c->started_ns == 0 && c->pid == 0;
	pods_unlock(c->pod->pods);
	if (never_ran)
		return 0;
	rc = monitor_delete(c->pod->dir, c->id, &why);
	if (rc < 0) { /* it is gone, and its mounts with it; or it hangs */
		if (rc != -ECONNREFUSED && rc != -ENOENT)
			log_warn("container %s: %s", c->id, why.text);
		runtime_forget(c->pod, c->id);
	}
	return cgroup_remove(c->cgroup, err);
}

int container_destroy(struct container *c, struct error *err)
{
	struct pods *pods = c->pod->pods;
	int rc = container_kill(c, err);

	if (rc == 0) {
		pods_lock(pods);
		c->state = CONTAINER_REMOVING;
		pods_unlock(pods);
		rc = record_save_container(c, 0, err);
	}
	if (rc == 0)
		rc = container_forget_runtime(c, err);
	if (rc < 0) {
		pods_lock(pods);
		c->state = CONTAINER_EXITED;
		pods_unlock(pods);
		return rc;
	}
	remove_files(c);
	/* gone first: who may still be saving its exit looks at that afterwards (exits.c) */
	pods_lock(pods);
	pods_drop_container(c);
	pods_unlock(pods);
	record_delete_container(c);
	return 0;
}

int container_remove(struct pods *pods, const char *id, struct error *err)
{
	struct container *c;
	bool gone;
	int rc = pods_find_container(pods, id, &c, err);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	pthread_mutex_lock(&c->pod->op);
	pods_lock(pods);
	gone = c->state == CONTAINER_GONE;
	pods_unlock(pods);
	if (!gone)
		rc = container_destroy(c, err);
	pthread_mutex_unlock(&c->pod->op);
	if (rc < 0)
		error_wrap(err, "remove container %.13s", c->id);
	container_put(c);
	return rc;
}

int container_reopen_log(struct pods *pods, const char *id, struct error *err)
{
	struct container *c;
	bool running;
	int rc = pods_find_container(pods, id, &c, err);

	if (rc < 0)
		return rc;
	pods_lock(pods);
	running = c->state == CONTAINER_RUNNING;
	pods_unlock(pods);
	if (!running)
		rc = error_set(err, EBUSY, "container %.13s is not running", c->id);
	else
		rc = monitor_reopen_log(c->pod->dir, c->id, err);
	container_put(c);
	return rc;
}
