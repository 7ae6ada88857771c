/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that were started from outside, and their stand-ins on the host.
 *
 * A stand-in sends the signals that it gets, and hears how the process ended.  When it is killed
 * itself, which nobody can catch, its socket closes and the process is killed.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtimes/sentry/boot/pod.h"
#include "runtimes/sentry/fs/tty.h"

/* current_process() - with a reference; NULL: not started, or ended. */
static struct process *current_process(struct guest *g)
{
	struct process *p;

	pthread_mutex_lock(&pod_lock);
	p = g->process && !g->ended ? process_get(g->process) : NULL;
	pthread_mutex_unlock(&pod_lock);
	return p;
}

static void pass_signal(struct guest *g, int signo)
{
	struct process *p = current_process(g);

	if (!p)
		return;
	process_signal(p, signo);
	process_put(p);
}

/* standin_gone() - it was killed: so is what it stands for, and a container that never started. */
static void standin_gone(struct guest *g)
{
	bool created;

	pthread_mutex_lock(&pod_lock);
	created = g->is_init && g->member->state == CONTROL_CREATED;
	if (created)
		g->member->state = CONTROL_STOPPED;
	pthread_mutex_unlock(&pod_lock);
	if (created)
		guest_abandon(g, SIGKILL);
	else
		pass_signal(g, SIGKILL);
}

/* standin_event() - by the poller's thread: may not wait. */
static void standin_event(struct poller_watch *w, uint32_t events)
{
	struct guest *g = CONTAINER_OF(w, struct guest, watch);
	uint32_t signo;
	ssize_t n;

	while ((n = recv(g->standin, &signo, sizeof(signo), MSG_DONTWAIT)) == sizeof(signo)) {
		if (signo == SIGWINCH && g->tty)
			tty_host_resized(g->tty);
		else if (signo >= 1 && signo <= N_SIGNALS)
			pass_signal(g, (int)signo);
	}
	if (n == 0 || (events & (EPOLLHUP | EPOLLERR)))
		standin_gone(g);
}

int guest_create(struct member *m, int *standin, struct guest **ret, struct error *err)
{
	struct guest *g = xnew(struct guest);
	int rc;

	g->member = m;
	g->standin = steal_fd(standin);
	g->watch = (struct poller_watch){ .fd = g->standin, .fn = standin_event };
	rc = poller_add(&g->watch);
	if (rc < 0) {
		close(g->standin);
		free(g);
		return error_errno(err, -rc, "watch the stand-in");
	}
	pthread_mutex_lock(&pod_lock);
	m->refs++;
	pthread_mutex_unlock(&pod_lock);
	*ret = g;
	return 0;
}

static void member_free(struct member *m)
{
	fdtable_put(m->fds);
	file_put(m->tty);
	guest_container_put(m->container);
	spec_finish(&m->spec);
	free(m->config);
	free(m->id);
	free(m);
}

void member_put(struct member *m)
{
	bool last;

	pthread_mutex_lock(&pod_lock);
	last = --m->refs == 0;
	pthread_mutex_unlock(&pod_lock);
	if (last)
		member_free(m);
}

/* finish() - the stand-in is told, and everything of @g goes. */
static void finish(struct guest *g, int wait_status)
{
	int32_t status = wait_status;
	struct member *m = g->member;

	poller_remove(&g->watch);
	send(g->standin, &status, sizeof(status), MSG_DONTWAIT | MSG_NOSIGNAL);
	if (g->is_init && m->once)
		_exit(0);
	close(g->standin);
	process_put(g->process);
	file_put(g->tty);
	free(g);
	member_put(m);
}

static void end_container(struct member *m)
{
	container_kill_all(m->container);
	zygote_kill(m->zygote);
	log_info("container ended id=%s", m->id);
}

int guest_started(struct guest *g, struct process *p)
{
	int pid = p->pid;
	bool ended;

	pthread_mutex_lock(&pod_lock);
	g->process = p;
	g->started = true;
	ended = g->ended;
	pthread_mutex_unlock(&pod_lock);
	if (ended)
		finish(g, g->wait_status);
	return pid;
}

/* It may end before its starter has been told that it runs: the later of the two finishes. */
void guest_exited(struct process *p, int wait_status, void *guest)
{
	struct guest *g = guest;
	struct member *m = g->member;
	bool is_init = g->is_init, started;

	(void)p;
	pthread_mutex_lock(&pod_lock);
	g->ended = true;
	g->wait_status = wait_status;
	started = g->started;
	if (is_init) {
		m->init = NULL;
		m->state = CONTROL_STOPPED;
		m->refs++;
	}
	pthread_mutex_unlock(&pod_lock);
	if (is_init) {
		end_container(m);
		member_put(m);
	}
	if (started)
		finish(g, wait_status);
}

void guest_abandon(struct guest *g, int wait_status)
{
	pthread_mutex_lock(&pod_lock);
	g->ended = true;
	if (g->is_init) {
		g->member->init = NULL;
		g->member->state = CONTROL_STOPPED;
	}
	pthread_mutex_unlock(&pod_lock);
	if (g->is_init)
		end_container(g->member);
	finish(g, wait_status);
}
