/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers: created, started, entered, signalled, deleted.
 */
#include "runtimes/sentry/boot/pod.h"
#include "runtimes/sentry/fs/memfile.h"
#include "runtimes/sentry/fs/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "runtimes/sentry/task/seccomp.h"

pthread_mutex_t pod_lock = PTHREAD_MUTEX_INITIALIZER;
static struct list members = { &members, &members };
static struct gofer *gofer;
/* Of the first container; later ones share what their bundles say they share. */
static struct uts_namespace *pod_uts;
static struct pid_namespace *pod_pids;

/* end_containers() - on a thread of its own: who finds the gofer gone holds locks of files. */
static void *end_containers(void *unused)
{
	struct member *m;

	(void)unused;
	pthread_mutex_lock(&pod_lock);
	list_for_each(m, &members, in_pod)
		if (m->container)
			container_kill_all(m->container);
	pthread_mutex_unlock(&pod_lock);
	return NULL;
}

static void gofer_lost(void)
{
	log_error("the gofer has ended: files of the host cannot be reached, so the pod's "
		  "containers are "
		  "killed");
	thread_start(end_containers, NULL);
}

void pod_init(struct gofer *g)
{
	gofer = g;
	gofer_on_lost(g, gofer_lost);
}

struct gofer *pod_gofer(void)
{
	return gofer;
}

bool pod_is_empty(void)
{
	bool empty;

	pthread_mutex_lock(&pod_lock);
	empty = list_empty(&members);
	pthread_mutex_unlock(&pod_lock);
	return empty;
}

/* --- finding ---------------------------------------------------------------------------------- */

/* Preconditions: holds pod_lock. */
static struct member *find_locked(const char *id)
{
	struct member *m;

	list_for_each(m, &members, in_pod) {
		if (strcmp(m->id, id) == 0)
			return m;
	}
	return NULL;
}

int pod_find(const char *id, struct member **ret, struct error *err)
{
	pthread_mutex_lock(&pod_lock);
	*ret = find_locked(id);
	if (*ret)
		(*ret)->refs++;
	pthread_mutex_unlock(&pod_lock);
	return *ret ? 0 : error_set(err, ENOENT, "container %s does not exist", id);
}

static enum control_state state_of(const struct member *m)
{
	enum control_state s;

	pthread_mutex_lock(&pod_lock);
	s = m->state;
	pthread_mutex_unlock(&pod_lock);
	return s;
}

/* --- create ----------------------------------------------------------------------------------- */

/* read_file() - of a descriptor that the launcher filled. */
static int read_file(int fd, size_t max, struct strbuf *ret, struct error *err)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 0 ||
	    (size_t)st.st_size > max)
		return error_set(err, EINVAL, "a file of the request is no file, or too long");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_errno(err, errno, "read a file of the request");
	rc = fd_read_all(fd, max, ret);
	return rc < 0 ? error_errno(err, -rc, "read a file of the request") : 0;
}

static int read_seccomp(struct member *m, int fd, struct error *err)
{
	struct strbuf code cleanup_strbuf = { 0 };
	int rc = read_file(fd, BPF_MAXINSNS * sizeof(struct sock_filter), &code, err);

	if (rc < 0)
		return rc;
	rc = seccomp_create((const struct sock_filter *)(const void *)code.data,
			    code.len / sizeof(struct sock_filter), NULL, &m->container->seccomp);
	return rc < 0 ? error_errno(err, -rc, "linux.seccomp") : 0;
}

/* pids_of() - the pod's numbers when the bundle joins them, its own otherwise. */
static struct pid_namespace *pids_of(const struct spec *s)
{
	struct pid_namespace *own;

	if (s->pid == SPEC_JOINED && pod_pids)
		return pid_namespace_get(pod_pids);
	own = pid_namespace_create();
	if (!pod_pids)
		pod_pids = pid_namespace_get(own);
	return own;
}

static struct uts_namespace *uts_of(const struct spec *s)
{
	struct uts_namespace *own;

	if (pod_uts && s->uts != SPEC_NEW)
		return uts_namespace_get(pod_uts);
	own = pod_uts && str_empty(s->hostname)
		      ? uts_namespace_copy(pod_uts)
		      : uts_namespace_create(str_or(s->hostname, "bulkhead"));
	if (!str_empty(s->domainname))
		snprintf(own->domainname, sizeof(own->domainname), "%s", s->domainname);
	if (!pod_uts)
		pod_uts = uts_namespace_get(own);
	return own;
}

/* keep_own_descriptors() - where files are opened again with fewer rights; once. */
static void keep_own_descriptors(int proc)
{
	static bool kept;
	int dir = kept ? -1 : openat(proc, "self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return;
	memfile_set_self(dir);
	kept = true;
}

static int attach_zygote(struct member *m, int *fds, struct error *err)
{
	int rc;

	keep_own_descriptors(fds[CONTROL_FD_PROC]);
	rc = zygote_attach(fds[CONTROL_FD_ZYGOTE], fds[CONTROL_FD_LISTENER], fds[CONTROL_FD_PROC],
			   &m->zygote);

	fds[CONTROL_FD_ZYGOTE] = fds[CONTROL_FD_LISTENER] = fds[CONTROL_FD_PROC] = -1;
	return rc < 0 ? error_errno(err, -rc, "attach the zygote") : 0;
}

/* take_stdio() - descriptors 0, 1, 2: a terminal, or as they are. */
static int take_stdio(struct member *m, const struct spec_process *p, int *fds,
		      struct fdtable **ret, struct file **ret_tty, struct error *err)
{
	struct cred *c;
	int rc;

	if (p->terminal)
		return begin_terminal(m, p, fds, ret, ret_tty, err);
	c = begin_cred(p);
	rc = begin_stdio(fds, c, ret, err);
	cred_put(c);
	return rc;
}

/*
 * The network's settings are also those of the pod's namespace, which whoever made it has set: one
 * that is not shown inside is no fault.
 */
static int apply_sysctls(const struct spec *s, struct error *err)
{
	const struct json *one;

	json_for_each(one, s->sysctls) {
		int rc = one->type == JSON_STRING ? sysctl_set(one->key, one->text) : -EINVAL;

		if (rc < 0 && !(rc == -ENOENT && str_has_prefix(one->key, "net.")))
			return error_set(err, EINVAL, "linux.sysctl: '%s' %s", one->key,
					 rc == -ENOENT ? "is not known to this kernel"
						       : "cannot have that value");
	}
	return 0;
}

/* set_up() - everything of a container but its first process. */
static int set_up(struct member *m, const struct control_request *rq, int *fds, struct error *err)
{
	int rc = attach_zygote(m, fds, err);

	if (rc < 0)
		return rc;
	m->container =
		guest_container_create(m->id, m->zygote, pids_of(&m->spec), uts_of(&m->spec), NULL);
	shown_limits(m->id, m->spec.resources);
	rc = mounts_create(&m->spec, rq->trees, rq->n_trees, m->container, &m->container->mounts,
			   err);
	if (rc == 0)
		rc = apply_sysctls(&m->spec, err);
	if (rc == 0 && (rq->flags & CONTROL_HAS_SECCOMP))
		rc = read_seccomp(m, fds[CONTROL_FD_SECCOMP], err);
	if (rc < 0)
		return rc;
	rc = take_stdio(m, &m->spec.process, &fds[CONTROL_FD_STDIN], &m->fds, &m->tty, err);
	if (rc == 0)
		rc = begin_check(m, &m->spec.process, err);
	if (rc == 0)
		rc = guest_create(m, &fds[CONTROL_FD_STANDIN], &m->init, err);
	if (rc == 0) {
		m->init->is_init = true;
		m->init->tty = steal_ptr(m->tty);
	}
	return rc;
}

static int add_member(struct member *m, struct error *err)
{
	int rc = 0;

	pthread_mutex_lock(&pod_lock);
	if (find_locked(m->id))
		rc = error_set(err, EEXIST, "container %s exists already", m->id);
	else
		list_add(&members, &m->in_pod);
	pthread_mutex_unlock(&pod_lock);
	return rc;
}

static void remove_member(struct member *m)
{
	pthread_mutex_lock(&pod_lock);
	list_remove(&m->in_pod);
	pthread_mutex_unlock(&pod_lock);
	member_put(m);
}

int pod_create(const struct control_request *rq, int *fds, struct control_answer *ret,
	       struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };
	struct member *m;
	int rc = read_file(fds[CONTROL_FD_CONFIG], SPEC_BYTES_MAX, &text, err);

	(void)ret;
	if (rc < 0)
		return rc;
	m = xnew(struct member);
	m->refs = 1;
	m->id = xstrdup(rq->id);
	m->state = CONTROL_CREATED;
	m->is_sandbox = rq->flags & CONTROL_SANDBOX;
	m->once = rq->flags & CONTROL_ONCE;
	rc = spec_parse(str_or(text.data, ""), text.len, &m->spec, NULL, err);
	if (rc == 0)
		rc = add_member(m, err);
	if (rc < 0) {
		member_put(m);
		return rc;
	}
	rc = set_up(m, rq, fds, err);
	if (rc < 0) {
		if (m->zygote)
			zygote_kill(m->zygote);
		remove_member(m);
	}
	return rc;
}

/* --- start, exec ------------------------------------------------------------------------------ */

/* take_init() - the first process becomes the starter's: nobody starts it twice. */
static int take_start(struct member *m, struct guest **ret, struct error *err)
{
	int rc = 0;

	pthread_mutex_lock(&pod_lock);
	if (m->state != CONTROL_CREATED)
		rc = error_set(err, EBUSY, "container %s is %s, not created", m->id,
			       m->state == CONTROL_RUNNING ? "running" : "stopped");
	else
		m->state = CONTROL_RUNNING;
	*ret = m->init;
	pthread_mutex_unlock(&pod_lock);
	return rc;
}

int pod_start(const struct control_request *rq, int *fds, struct control_answer *ret,
	      struct error *err)
{
	struct member *m;
	struct guest *g;
	int rc = pod_find(rq->id, &m, err);

	(void)fds;
	(void)ret;
	if (rc < 0)
		return rc;
	rc = take_start(m, &g, err);
	if (rc == 0) {
		rc = begin_process(m, &m->spec.process, m->fds, g, err);
		fdtable_put(m->fds);
		m->fds = NULL;
		if (rc < 0)
			guest_abandon(g, 127 << 8);
	}
	member_put(m);
	return rc;
}

static int exec_in(struct member *m, int *fds, struct control_answer *ret, struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };
	struct arena arena cleanup_arena = { 0 };
	struct fdtable *table = NULL;
	struct spec_process p;
	struct guest *g = NULL;
	struct file *tty = NULL;
	struct json *j;
	int rc = read_file(fds[CONTROL_FD_PROCESS], SPEC_BYTES_MAX, &text, err);

	if (rc == 0)
		rc = json_parse(&arena, str_or(text.data, ""), text.len, 0, &j, err);
	if (rc == 0)
		rc = spec_process_parse(&arena, j, &p, err);
	if (rc < 0)
		return rc;
	rc = take_stdio(m, &p, &fds[CONTROL_FD_EXEC_STDIN], &table, &tty, err);
	if (rc == 0)
		rc = guest_create(m, &fds[CONTROL_FD_EXEC_STANDIN], &g, err);
	if (rc == 0) {
		g->tty = steal_ptr(tty);
		rc = begin_process(m, &p, table, g, err);
		if (rc < 0)
			guest_abandon(g, 127 << 8);
		else
			ret->value = rc;
	}
	fdtable_put(table);
	file_put(tty);
	return rc < 0 ? rc : 0;
}

int pod_exec(const struct control_request *rq, int *fds, struct control_answer *ret,
	     struct error *err)
{
	struct member *m;
	int rc = pod_find(rq->id, &m, err);

	if (rc < 0)
		return rc;
	if (state_of(m) == CONTROL_RUNNING)
		rc = exec_in(m, fds, ret, err);
	else
		rc = error_set(err, ESRCH, "container %s is not running", m->id);
	member_put(m);
	return rc;
}

/* --- kill, state, delete ---------------------------------------------------------------------- */

/* init_of() - the first process with a reference; NULL: not running. */
static struct process *init_of(struct member *m)
{
	struct process *p = NULL;

	pthread_mutex_lock(&pod_lock);
	if (m->init && m->init->process && !m->init->ended)
		p = process_get(m->init->process);
	pthread_mutex_unlock(&pod_lock);
	return p;
}

/* kill_created() - a container whose first process never ran. */
static int kill_created(struct member *m, int signo, struct error *err)
{
	struct guest *g = NULL;

	pthread_mutex_lock(&pod_lock);
	if (m->state == CONTROL_CREATED) {
		g = m->init;
		m->state = CONTROL_STOPPED;
	}
	pthread_mutex_unlock(&pod_lock);
	if (!g)
		return error_set(err, ESRCH, "container %s is not running", m->id);
	guest_abandon(g, signo & 0x7f);
	return 0;
}

static int kill_in(struct member *m, const struct control_request *rq, struct error *err)
{
	struct process *p;
	int rc;

	if (rq->flags & CONTROL_ALL && rq->signo == SIGKILL) {
		container_kill_all(m->container);
		return 0;
	}
	p = rq->pid ? process_find(m->container->pids, rq->pid) : init_of(m);
	if (!p && !rq->pid)
		return kill_created(m, rq->signo, err);
	if (!p)
		return error_set(err, ESRCH, "no process %d", rq->pid);
	rc = process_signal(p, rq->signo);
	process_put(p);
	return rc < 0 ? error_errno(err, -rc, "signal %d", rq->signo) : 0;
}

int pod_kill(const struct control_request *rq, int *fds, struct control_answer *ret,
	     struct error *err)
{
	struct member *m;
	int rc = pod_find(rq->id, &m, err);

	(void)fds;
	(void)ret;
	if (rc < 0)
		return rc;
	rc = kill_in(m, rq, err);
	member_put(m);
	return rc;
}

int pod_state(const struct control_request *rq, int *fds, struct control_answer *ret,
	      struct error *err)
{
	struct member *m;
	int rc = pod_find(rq->id, &m, err);

	(void)fds;
	if (rc < 0)
		return rc;
	ret->value = (int)state_of(m);
	member_put(m);
	return 0;
}

int pod_delete(const struct control_request *rq, int *fds, struct control_answer *ret,
	       struct error *err)
{
	struct member *m;
	int rc = pod_find(rq->id, &m, err);

	(void)fds;
	if (rc < 0)
		return rc;
	if (state_of(m) != CONTROL_STOPPED) {
		rc = error_set(err, EBUSY, "container %s has not stopped", m->id);
	} else {
		ret->last = m->is_sandbox;
		remove_member(m);
	}
	member_put(m);
	return rc;
}
