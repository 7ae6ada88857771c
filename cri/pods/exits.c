/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the server learns that containers ended.
 *
 * Each pod's monitor keeps one connection on which exits arrive, those of the past first.  When
 * it ends without having been asked to, the monitor died: nobody can tell exit codes any more,
 * so the pod's containers are killed through their cgroups and reported as Unknown, 255, and the
 * pod as not ready; the kubelet then makes a new one.  So does the end of a sandbox container,
 * whose namespaces nothing can be started in any more.
 */
#include <errno.h>
#include <sys/wait.h>

#include "base/thread.h"
#include "cri/pods/objects.h"
#include "cri/pods/spec.h"
#include "runtimes/cgroup/cgroup.h"
#include "runtimes/monitor/client.h"

#define UNKNOWN_EXIT 255

static void end(struct container *c, int32_t exit_code, int64_t finished_ns, const char *reason)
{
	c->state = CONTAINER_EXITED;
	c->exit_code = exit_code;
	c->finished_ns = finished_ns;
	c->reason = reason;
	close_fd(&c->pidfd);
	pods_changed(c->pod->pods);
}

static bool may_end(const struct container *c)
{
	return c->state == CONTAINER_RUNNING || c->state == CONTAINER_STARTING;
}

void exits_apply(struct container *c, const struct monitor_exit *e)
{
	const char *reason = e->exit_code == 0 ? "Completed" : "Error";

	if (!may_end(c))
		return;
	if (e->oom_killed)
		reason = "OOMKilled";
	end(c, e->exit_code, e->finished_ns, reason);
}

void exits_unknown(struct container *c)
{
	if (may_end(c))
		end(c, UNKNOWN_EXIT, clock_wall_ns(), "Unknown");
}

/* Not under pod->op: a removal may be done by the time that the record is written. */
static void save(struct container *c)
{
	struct error err = ERROR_INIT;
	bool gone;

	if (record_save_container(c, 0, &err) < 0)
		log_error("container %s: exit not recorded: %s", c->id, err.text);
	pods_lock(c->pod->pods);
	gone = c->state == CONTAINER_GONE;
	pods_unlock(c->pod->pods);
	if (gone)
		record_delete_container(c);
}

/* A pid namespace shared in the pod outlives the container's first process: end the rest. */
static bool leaves_processes(const struct container *c)
{
	return spec_container_pid_mode(c->config) != RUNTIME__V1__NAMESPACE_MODE__CONTAINER;
}

static void *kill_rest(void *data)
{
	struct container *c = data;
	struct error err = ERROR_INIT;

	if (cgroup_exists(c->cgroup) && cgroup_kill(c->cgroup, 10000, &err) < 0)
		log_warn("container %s: %s", c->id, err.text);
	container_put(c);
	return NULL;
}

static void end_container(struct container *c, bool has_monitor)
{
	struct error err = ERROR_INIT;

	if (has_monitor) {
		if (container_kill(c, &err) < 0)
			log_warn("container %s: %s", c->id, err.text);
	} else if (cgroup_exists(c->cgroup) && cgroup_kill(c->cgroup, 10000, &err) < 0) {
		log_warn("container %s: %s", c->id, err.text);
	}
	pods_lock(c->pod->pods);
	exits_unknown(c);
	pods_unlock(c->pod->pods);
	save(c);
}

static void end_pod(struct pod *pod, bool has_monitor)
{
	struct error err = ERROR_INIT;
	size_t n;
	struct container **list;

	pthread_mutex_lock(&pod->op);
	list = pods_containers(pod, &n);
	for (size_t i = 0; i < n; i++) {
		end_container(list[i], has_monitor);
		container_put(list[i]);
	}
	free(list);
	if (pod->state == POD_READY) {
		if (sandbox_teardown(pod, true, &err) < 0)
			log_warn("pod %s: %s", pod->id, err.text);
		pods_lock(pod->pods);
		pod->state = POD_NOTREADY;
		pods_changed(pod->pods);
		pods_unlock(pod->pods);
		record_save_pod(pod, 0, NULL);
	}
	pthread_mutex_unlock(&pod->op);
}

void exits_monitor_died(struct pod *pod)
{
	log_warn("pod %s: its monitor is gone; ending its containers", pod->id);
	end_pod(pod, false);
}

static void *died_thread(void *data)
{
	exits_monitor_died(data);
	pod_put(data);
	return NULL;
}

static void *sandbox_ended_thread(void *data)
{
	end_pod(data, true);
	pod_put(data);
	return NULL;
}

/* A pod that is being stopped is not watched any more: this one ended by itself. */
static void sandbox_ended(struct pod *pod, const struct monitor_exit *e)
{
	log_warn("pod %s: its sandbox container ended (%d); ending the others", pod->id,
		 e->exit_code);
	pods_lock(pod->pods);
	pod->refs++;
	pods_unlock(pod->pods);
	thread_detach(sandbox_ended_thread, pod);
}

static void apply(struct pod *pod, const struct monitor_exit *e)
{
	struct pods *pods = pod->pods;
	struct container *c;
	bool ended = false;

	if (str_eq(e->container_id, pod->id)) {
		sandbox_ended(pod, e);
		return;
	}
	pods_lock(pods);
	c = map_get(&pods->container_ids, e->container_id);
	if (c && c->pod == pod && may_end(c)) {
		exits_apply(c, e);
		c->refs++;
		ended = true;
	}
	pods_unlock(pods);
	if (!ended)
		return;
	log_info("container %s ended: exit code %d%s", c->id, e->exit_code,
		 e->oom_killed ? " (OOM)" : "");
	save(c);
	if (leaves_processes(c))
		thread_detach(kill_rest, c);
	else
		container_put(c);
}

static void drop_watch(struct pod *pod)
{
	loop_fd_remove(pod->watch);
	pod->watch = NULL;
	close_fd(&pod->watch_fd);
}

static void on_watch(void *data, uint32_t events)
{
	struct pod *pod = data;
	struct monitor_exit e;
	int rc;

	(void)events;
	while ((rc = monitor_next_exit(pod->watch_fd, &e)) == 1)
		apply(pod, &e);
	if (rc == -EAGAIN)
		return;
	drop_watch(pod);
	thread_detach(died_thread, pod); /* takes over the watch's reference */
}

struct watch_request {
	struct pod *pod;
	int fd;
};

static void watch_on_loop(void *data)
{
	struct watch_request *r = data;

	r->pod->watch_fd = r->fd;
	r->pod->watch = loop_add_fd(r->pod->pods->config.loop, r->fd, EPOLLIN | EPOLLRDHUP,
				    on_watch, r->pod);
	free(r);
}

void exits_watch(struct pod *pod, int fd)
{
	struct watch_request *r = xnew(struct watch_request);

	pods_lock(pod->pods);
	pod->refs++;
	pods_unlock(pod->pods);
	r->pod = pod;
	r->fd = fd;
	loop_post(pod->pods->config.loop, watch_on_loop, r);
}

void exits_stop_watching(struct pod *pod)
{
	if (!pod->watch)
		return;
	drop_watch(pod);
	pod_put(pod); /* the watch's */
}

static void unwatch_on_loop(void *data)
{
	struct pod *pod = data;

	exits_stop_watching(pod);
	pods_lock(pod->pods);
	pod->unwatched = true;
	pods_changed(pod->pods);
	pods_unlock(pod->pods);
	pod_put(pod);
}

/* Waits for the loop: after the return no exit of this pod's monitor is being looked at. */
void exits_unwatch(struct pod *pod)
{
	int64_t deadline_ns = clock_monotonic_ns() + 5 * INT64_C(1000000000);

	if (pod->pods->restoring)
		return; /* the loop does not run yet, and nothing is watched */
	pods_lock(pod->pods);
	pod->refs++;
	pod->unwatched = false;
	pods_unlock(pod->pods);
	loop_post(pod->pods->config.loop, unwatch_on_loop, pod);
	pods_lock(pod->pods);
	while (!pod->unwatched && pods_wait(pod->pods, deadline_ns))
		;
	pods_unlock(pod->pods);
}
