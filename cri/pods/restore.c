/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a new server makes of its predecessor's records.
 *
 *   recorded     found                              becomes
 *   creating     anything                           undone, record deleted
 *   ready        its monitor answers                ready, taken over
 *   ready        its monitor hangs                  ready as recorded, tried again every 5 s
 *   ready        no monitor, or another boot        containers ended, torn down, not ready
 *   notready     -                                  not ready
 *   removing     -                                  removed
 *
 * Containers: "creating" is undone; "starting" and "running" are running when the monitor knows
 * them, else ended as their exit file says, else Unknown; "removing" is removed.  Nothing is
 * swept by looking at directories of others: all that a pod has follows from its record.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/thread.h"
#include "cri/pods/objects.h"
#include "runtimes/cgroup/cgroup.h"
#include "runtimes/monitor/client.h"

#define RETRY_MS 60000
#define REACH_MS 5000

struct loading {
	struct pods *pods;
	struct map same_boot; /* pod id -> non-NULL */
	unsigned int damaged;
};

static int load_pod(void *data, const char *id, const char *text, bool same_boot)
{
	struct loading *l = data;
	struct error err = ERROR_INIT;
	struct pod *pod;

	if (record_load_pod(l->pods, id, text, &pod, &err) < 0) {
		log_error("%s", err.text);
		l->damaged++;
		return 0;
	}
	pods_insert_pod(pod);
	if (same_boot)
		map_put(&l->same_boot, id, pod);
	pod_put(pod);
	return 0;
}

static int load_container(void *data, const char *id, const char *text, bool same_boot)
{
	struct loading *l = data;
	struct error err = ERROR_INIT;
	struct container *c;

	(void)same_boot; /* the pod's counts */
	if (record_load_container(l->pods, id, text, &c, &err) < 0) {
		log_error("%s", err.text);
		l->damaged++;
		return 0;
	}
	if (image_hold(l->pods->config.images, &c->layers, &err) == 0)
		c->holds_layers = true;
	else
		log_warn("container %s: %s", id, err.text);
	pods_insert_container(c);
	container_put(c);
	return 0;
}

static int load_journal(void *data, const char *id, const char *text, bool same_boot)
{
	struct pods *pods = data;
	struct error err = ERROR_INIT;

	(void)same_boot;
	if (network_restore(pods->config.network, id, text, &err) < 0)
		log_error("network journal of pod %s: %s", id, err.text);
	return 0;
}

/* known_pid() - the pid that the monitor names for container @id, or 0. */
static int known_pid(const struct strlist *known, const char *id)
{
	for (size_t i = 0; i < known->count; i++) {
		const char *rest = str_after(known->items[i], id);

		if (rest && *rest == ' ')
			return atoi(rest + 1);
	}
	return 0;
}

static void set_ended(struct container *c)
{
	struct monitor_exit e;

	if (monitor_read_exit(c->pod->dir, c->id, &e, NULL) == 0)
		exits_apply(c, &e);
	else
		exits_unknown(c);
}

/* A container of a pod whose monitor answers. */
static void adopt_container(struct container *c, const struct strlist *known)
{
	int pid = known_pid(known, c->id);

	if (c->state != CONTAINER_RUNNING && c->state != CONTAINER_STARTING)
		return;
	if (pid > 1) {
		if (c->started_ns == 0)
			c->started_ns = clock_wall_ns();
		c->state = CONTAINER_RUNNING;
		c->pid = pid;
		c->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	} else {
		set_ended(c);
	}
}

static void finish_container(struct container *c, const char *what)
{
	struct error err = ERROR_INIT;

	log_info("container %s: %s", c->id, what);
	pthread_mutex_lock(&c->pod->op);
	if (container_destroy(c, &err) < 0)
		log_warn("container %s: %s", c->id, err.text);
	pthread_mutex_unlock(&c->pod->op);
}

/* What was half made or half removed. */
static void settle_containers(struct pod *pod)
{
	size_t n;
	struct container **list = pods_containers(pod, &n);

	for (size_t i = 0; i < n; i++) {
		if (list[i]->state == CONTAINER_CREATING)
			finish_container(list[i], "was half created, removing");
		else if (list[i]->state == CONTAINER_REMOVING)
			finish_container(list[i], "was half removed, finishing");
		else
			record_save_container(list[i], 0, NULL);
		container_put(list[i]);
	}
	free(list);
}

/* reach() - take over what the monitor knows.  Return: 0, -ETIMEDOUT it hangs, else it is gone. */
static int reach(struct pod *pod, struct error *err)
{
	struct strlist known cleanup_strlist = { 0 };
	struct container *c;
	int watch;
	int rc = monitor_list(pod->dir, &known, err);

	if (rc == 0)
		rc = monitor_watch(pod->dir, &watch, err);
	if (rc < 0)
		return rc;
	pods_lock(pod->pods);
	pod->unreached = false;
	list_for_each(c, &pod->containers, in_pod)
		adopt_container(c, &known);
	pods_unlock(pod->pods);
	exits_watch(pod, watch);
	return 0;
}

/* A monitor that hangs (stopped, or on a host with too much to do) is no reason to end its pod. */
static bool adopt(struct pod *pod)
{
	struct error err = ERROR_INIT;
	int rc = reach(pod, &err);

	if (rc < 0)
		log_warn("pod %s: its monitor does not answer: %s", pod->id, err.text);
	pod->unreached = rc == -ETIMEDOUT;
	if (rc < 0 && !pod->unreached)
		return false;
	settle_containers(pod);
	return true;
}

/* Its monitor is gone: whatever still runs ends, and the kubelet makes a new sandbox. */
static void end_pod(struct pod *pod, bool same_boot)
{
	struct error err = ERROR_INIT;
	struct container *c;
	size_t n;
	struct container **list = pods_containers(pod, &n);

	for (size_t i = 0; i < n; i++) {
		c = list[i];
		if (same_boot && cgroup_exists(c->cgroup) &&
		    cgroup_kill(c->cgroup, 10000, &err) < 0)
			log_warn("container %s: %s", c->id, err.text);
		set_ended(c);
		if (same_boot && cgroup_remove(c->cgroup, &err) < 0)
			log_warn("container %s: %s", c->id, err.text);
		container_put(c);
	}
	free(list);
	if (sandbox_teardown(pod, same_boot, &err) < 0)
		log_warn("pod %s: %s", pod->id, err.text);
	if (pod->state == POD_READY)
		pod->state = POD_NOTREADY;
	settle_containers(pod);
	record_save_pod(pod, 0, NULL);
}

static void remove_pod(struct pod *pod, bool same_boot, const char *what)
{
	size_t n;
	struct container **list;

	log_info("pod %s: %s", pod->id, what);
	end_pod(pod, same_boot);
	list = pods_containers(pod, &n);
	for (size_t i = 0; i < n; i++) {
		finish_container(list[i], "its pod goes");
		container_put(list[i]);
	}
	free(list);
	sandbox_remove_files(pod);
	record_delete_pod(pod);
	pods_lock(pod->pods);
	pods_drop_pod(pod);
	pods_unlock(pod->pods);
}

static void restore_pod(struct pod *pod, bool same_boot)
{
	switch (pod->state) {
	case POD_CREATING:
		remove_pod(pod, same_boot, "was half created, undoing");
		break;
	case POD_REMOVING:
		remove_pod(pod, same_boot, "was half removed, finishing");
		break;
	case POD_READY:
		if (!same_boot || !adopt(pod))
			end_pod(pod, same_boot);
		break;
	default:
		if (!same_boot)
			sandbox_make_files(pod, NULL); /* state was lost with the boot */
		settle_containers(pod);
	}
}

static struct pod **snapshot(struct pods *pods, size_t *ret_count)
{
	struct pod **list = xcalloc(pods->pod_ids.count + 1, sizeof(struct pod *));
	struct map_entry *e;
	size_t n = 0;

	for (size_t i = 0; (e = map_at(&pods->pod_ids, &i));) {
		list[n] = e->value;
		list[n++]->refs++;
	}
	*ret_count = n;
	return list;
}

static bool is_known(void *data, const char *id)
{
	struct pods *pods = data;
	struct pod *pod;
	bool keep;

	pods_lock(pods);
	pod = map_get(&pods->pod_ids, id);
	keep = pod && (pod->state == POD_READY || pod->state == POD_CREATING);
	pods_unlock(pods);
	return keep;
}

/* reach_again() - @pod, whose monitor hung. */
static void reach_again(struct pod *pod)
{
	struct error err = ERROR_INIT;
	int rc = 0;

	pthread_mutex_lock(&pod->op);
	if (pod->state != POD_READY)
		pod->unreached = false;
	if (pod->unreached)
		rc = reach(pod, &err);
	pthread_mutex_unlock(&pod->op);
	if (rc < 0 && rc != -ETIMEDOUT) {
		pod->unreached = false;
		exits_monitor_died(pod);
	}
}

/* Return: whether a monitor still hangs. */
static bool reach_rest(struct pods *pods)
{
	struct pod **list;
	bool rest = false;
	size_t n;

	pods_lock(pods);
	list = snapshot(pods, &n);
	pods_unlock(pods);
	for (size_t i = 0; i < n; i++) {
		if (list[i]->unreached)
			reach_again(list[i]);
		rest |= list[i]->unreached;
		pod_put(list[i]);
	}
	free(list);
	return rest;
}

static void rearm(void *data)
{
	struct pods *pods = data;

	loop_timer_arm(pods->retry, REACH_MS);
}

/* Plugins and monitors may take their time, so not on the loop. */
static void *retry_thread(void *data)
{
	struct pods *pods = data;

	if (reach_rest(pods))
		loop_post(pods->config.loop, rearm, pods);
	network_retry(pods->config.network, is_known, pods);
	return NULL;
}

static void retry(void *data)
{
	struct pods *pods = data;
	thread_detach(retry_thread, pods);
	loop_timer_arm(pods->retry, RETRY_MS);
}

int restore_all(struct pods *pods, struct error *err)
{
	struct loading l = { .pods = pods };
	struct pod **list;
	size_t n;
	int rc = db_each(pods->config.db, "pod", load_pod, &l, err);

	if (rc == 0)
		rc = db_each(pods->config.db, "container", load_container, &l, err);
	if (rc == 0)
		rc = db_each(pods->config.db, "cni", load_journal, pods, err);
	if (rc < 0) {
		map_finish(&l.same_boot);
		return rc;
	}
	pods->restoring = true;
	list = snapshot(pods, &n);
	for (size_t i = 0; i < n; i++) {
		restore_pod(list[i], map_get(&l.same_boot, list[i]->id) != NULL);
		pod_put(list[i]);
	}
	free(list);
	map_finish(&l.same_boot);
	pods->restoring = false;
	if (n > 0 || l.damaged > 0)
		log_info("restored %zu pods (%u damaged records)", n, l.damaged);
	image_sweep(pods->config.images);
	pods->retry = loop_add_timer(pods->config.loop, retry, pods);
	loop_timer_arm(pods->retry, 1000);
	return 0;
}
