/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of pods and containers, and their references.
 *
 * Each object stands in two tables, by id and by name key.  The key is taken when a creation
 * begins and freed before a failed one answers, so there is no index of reserved names that
 * could outlive its owner.
 */
#include "cri/pods/pods.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "base/fd.h"
#include "base/path.h"
#include "cri/pods/objects.h"
#include "runtimes/namespaces.h"

void pods_lock(struct pods *pods)
{
	pthread_mutex_lock(&pods->lock);
}

void pods_unlock(struct pods *pods)
{
	pthread_mutex_unlock(&pods->lock);
}

bool pods_wait(struct pods *pods, int64_t deadline_ns)
{
	struct timespec ts = {
		.tv_sec = deadline_ns / 1000000000,
		.tv_nsec = deadline_ns % 1000000000,
	};

	return pthread_cond_timedwait(&pods->changed, &pods->lock, &ts) != ETIMEDOUT;
}

void pods_changed(struct pods *pods)
{
	pthread_cond_broadcast(&pods->changed);
}

/* release() - frees @object on the loop's thread, whose callbacks may be looking at it. */
static void release(struct pods *pods, void (*free_object)(void *object), void *object)
{
	if (pods->closing)
		free_object(object);
	else
		loop_post(pods->config.loop, free_object, object);
}

/* --- pods ------------------------------------------------------------------------------------- */

struct pod *pod_new(struct pods *pods)
{
	struct pod *pod = xnew(struct pod);

	pod->refs = 1;
	pod->pods = pods;
	pod->watch_fd = -1;
	list_init(&pod->containers);
	pthread_mutex_init(&pod->op, NULL);
	return pod;
}

static void pod_free(void *data)
{
	struct pod *pod = data;

	pthread_mutex_destroy(&pod->op);
	message_free(pod->config);
	free(pod->key);
	free(pod->handler_name);
	free(pod->dir);
	free(pod->cgroup);
	free(pod->netns);
	free(pod->ipcns);
	free(pod->utsns);
	free(pod->userns);
	strlist_finish(&pod->ips);
	free(pod);
}

void pod_put(struct pod *pod)
{
	struct pods *pods;
	bool last;

	if (!pod)
		return;
	pods = pod->pods;
	pods_lock(pods);
	last = --pod->refs == 0;
	pods_unlock(pods);
	if (last)
		release(pods, pod_free, pod);
}

void pods_insert_pod(struct pod *pod)
{
	struct pods *pods = pod->pods;

	pod->refs++;
	map_put(&pods->pod_ids, pod->id, pod);
	map_put(&pods->pod_keys, pod->key, pod);
}

void pods_drop_pod(struct pod *pod)
{
	struct pods *pods = pod->pods;

	pod->state = POD_GONE;
	if (map_remove(&pods->pod_ids, pod->id))
		pod->refs--; /* the caller holds another */
	if (map_get(&pods->pod_keys, pod->key) == pod)
		map_remove(&pods->pod_keys, pod->key);
	pods_changed(pods);
}

/* find_in() - exact id, else the only one that begins with @id. */
static void *find_in(const struct map *map, const char *id, bool *ret_ambiguous)
{
	void *found;

	*ret_ambiguous = false;
	if (str_empty(id))
		return NULL;
	found = map_get(map, id);
	return found ? found : map_find_prefix(map, id, ret_ambiguous);
}

struct pod *pods_peek_pod(struct pods *pods, const char *id)
{
	bool ambiguous;
	struct pod *pod = find_in(&pods->pod_ids, id, &ambiguous);

	return pod && pod->state != POD_CREATING ? pod : NULL;
}

int pods_find_pod(struct pods *pods, const char *id, struct pod **ret, struct error *err)
{
	struct pod *pod;
	bool ambiguous;

	pods_lock(pods);
	pod = find_in(&pods->pod_ids, id, &ambiguous);
	if (pod && pod->state == POD_CREATING)
		pod = NULL;
	if (pod)
		pod->refs++;
	pods_unlock(pods);
	if (ambiguous)
		return error_set(err, EINVAL, "'%s' begins the ids of several pod sandboxes", id);
	if (!pod)
		return error_set(err, ENOENT, "pod sandbox '%s' not found", id);
	*ret = pod;
	return 0;
}

/* --- containers ------------------------------------------------------------------------------- */

struct container *container_new(struct pod *pod)
{
	struct container *c = xnew(struct container);

	c->refs = 1;
	c->pidfd = -1;
	c->pod = pod;
	pods_lock(pod->pods);
	pod->refs++;
	pods_unlock(pod->pods);
	return c;
}

static void container_free(void *data)
{
	struct container *c = data;

	pod_put(c->pod);
	message_free(c->config);
	message_free(c->resources);
	message_free(c->user);
	free(c->key);
	free(c->image_id);
	free(c->image_name);
	strlist_finish(&c->layers);
	free(c->dir);
	free(c->disk);
	free(c->cgroup);
	free(c->log_path);
	free(c->message);
	close_fd(&c->pidfd);
	free(c);
}

void container_put(struct container *c)
{
	struct pods *pods;
	bool last;

	if (!c)
		return;
	pods = c->pod->pods;
	pods_lock(pods);
	last = --c->refs == 0;
	pods_unlock(pods);
	if (last)
		release(pods, container_free, c);
}

void pods_insert_container(struct container *c)
{
	struct pods *pods = c->pod->pods;

	c->refs++;
	map_put(&pods->container_ids, c->id, c);
	map_put(&pods->container_keys, c->key, c);
	list_add(&c->pod->containers, &c->in_pod);
}

void pods_drop_container(struct container *c)
{
	struct pods *pods = c->pod->pods;

	c->state = CONTAINER_GONE;
	list_remove(&c->in_pod);
	if (map_remove(&pods->container_ids, c->id))
		c->refs--; /* the caller holds another */
	if (map_get(&pods->container_keys, c->key) == c)
		map_remove(&pods->container_keys, c->key);
	pods_changed(pods);
}

struct container *pods_peek_container(struct pods *pods, const char *id)
{
	bool ambiguous;
	struct container *c = find_in(&pods->container_ids, id, &ambiguous);

	return c && c->state != CONTAINER_CREATING ? c : NULL;
}

int pods_find_container(struct pods *pods, const char *id, struct container **ret,
			struct error *err)
{
	struct container *c;
	bool ambiguous;

	pods_lock(pods);
	c = find_in(&pods->container_ids, id, &ambiguous);
	if (c && c->state == CONTAINER_CREATING)
		c = NULL;
	if (c)
		c->refs++;
	pods_unlock(pods);
	if (ambiguous)
		return error_set(err, EINVAL, "'%s' begins the ids of several containers", id);
	if (!c)
		return error_set(err, ENOENT, "container '%s' not found", id);
	*ret = c;
	return 0;
}

struct container **pods_containers(struct pod *pod, size_t *ret_count)
{
	struct container **list = NULL;
	struct container *c;
	size_t n = 0;

	pods_lock(pod->pods);
	list_for_each(c, &pod->containers, in_pod) {
		list = xrealloc(list, n + 1, sizeof(*list));
		c->refs++;
		list[n++] = c;
	}
	pods_unlock(pod->pods);
	*ret_count = n;
	return list;
}

/* --- open and close --------------------------------------------------------------------------- */

static void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

/* The built-in rootfs of sandbox containers: a directory with one program. */
static int make_pause_rootfs(struct pods *pods, struct error *err)
{
	struct strbuf program cleanup_strbuf = { 0 };
	struct strbuf there cleanup_strbuf = { 0 };
	char *path cleanup_free = path_join(pods->pause_dir, "pause");
	int dir cleanup_close = -1;
	int rc = path_mkdirs(pods->pause_dir, 0755, err);

	if (rc == 0)
		rc = fd_read_file(AT_FDCWD, pods->config.pause_program, 16 << 20, &program, err);
	if (rc < 0)
		return rc;
	for (const char *const *d = (const char *const[]){ "proc", "sys", "dev", "etc", NULL }; *d;
	     d++) {
		char *sub cleanup_free = path_join(pods->pause_dir, *d);

		if (path_mkdirs(sub, 0755, err) < 0)
			return err ? err->code : -EIO;
	}
	if (fd_read_file(AT_FDCWD, path, 16 << 20, &there, NULL) == 0 && there.len == program.len &&
	    memcmp(there.data, program.data, program.len) == 0)
		return 0; /* a full disk must not keep the server from starting */
	return fd_replace_file(AT_FDCWD, path, program.data, program.len, 0755, false, err);
}

int pods_open(const struct pods_config *config, struct pods **ret, struct error *err)
{
	struct pods *pods = xnew(struct pods);
	int rc;

	pods->config = *config;
	pods->pods_dir = path_join(config->state, "pods");
	pods->disk_dir = path_join(config->root, "containers");
	pods->pause_dir = path_join(config->root, "pause");
	pods->runtime_root = path_join(config->state, "runtimes");
	pthread_mutex_init(&pods->lock, NULL);
	cond_init(&pods->changed);
	rc = path_mkdirs(pods->pods_dir, 0711, err);
	if (rc == 0)
		rc = path_mkdirs(pods->disk_dir, 0700, err);
	if (rc == 0)
		rc = path_mkdirs(pods->runtime_root, 0700, err);
	if (rc == 0)
		rc = namespaces_prepare_dir(pods->pods_dir, err);
	if (rc == 0)
		rc = make_pause_rootfs(pods, err);
	if (rc == 0)
		rc = restore_all(pods, err);
	if (rc < 0) {
		pods_close(pods);
		return rc;
	}
	*ret = pods;
	return 0;
}

/* What runs goes on under the next server: only memory and descriptors are given back. */
static void forget_all(struct pods *pods)
{
	struct map_entry *e;

	pods->closing = true;
	for (size_t i = 0; (e = map_at(&pods->container_ids, &i));) {
		struct container *c = e->value;

		list_remove(&c->in_pod);
		container_put(c);
	}
	for (size_t i = 0; (e = map_at(&pods->pod_ids, &i));) {
		exits_stop_watching(e->value);
		pod_put(e->value);
	}
}

void pods_close(struct pods *pods)
{
	if (!pods)
		return;
	loop_timer_remove(pods->retry);
	forget_all(pods);
	map_finish(&pods->pod_ids);
	map_finish(&pods->pod_keys);
	map_finish(&pods->container_ids);
	map_finish(&pods->container_keys);
	pthread_cond_destroy(&pods->changed);
	pthread_mutex_destroy(&pods->lock);
	free(pods->pods_dir);
	free(pods->disk_dir);
	free(pods->pause_dir);
	free(pods->runtime_root);
	free(pods);
}
