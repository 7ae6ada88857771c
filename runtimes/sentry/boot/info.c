/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the command line asks about a running container: processes, use of resources, calls.
 */
#include <errno.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "runtimes/sentry/boot/pod.h"
#include "runtimes/sentry/sys/trace.h"

/* put_command() - what a process was started with, blanks for NULs. Preconditions: tasks lock. */
static void put_command(struct json_writer *w, struct process *p)
{
	char text[256];
	size_t len;

	lock_acquire(&p->lock);
	len = p->command_line ? MIN(p->command_line_len, sizeof(text) - 1) : 0;
	memcpy(text, p->command_line ? p->command_line : "", len);
	lock_release(&p->lock);
	while (len > 0 && text[len - 1] == '\0')
		len--;
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	json_key(w, "command");
	json_stringn(w, text, len);
}

static void put_process(struct json_writer *w, struct process *p)
{
	const struct task *first =
		list_empty(&p->tasks) ? NULL : list_first(&p->tasks, struct task, in_process);

	json_begin_object(w);
	json_put_i64(w, "pid", p->pid);
	json_put_i64(w, "ppid", p->parent ? p->parent->pid : 0);
	json_put_u64(w, "uid", first && first->cred ? first->cred->uid : 0);
	json_put_i64(w, "threads", p->n_tasks);
	put_command(w, p);
	json_end_object(w);
}

static size_t put_processes(struct json_writer *w, struct container *c)
{
	struct process *p;
	size_t n = 0;

	LOCKED(&tasks_lock);
	for (int i = 0; i < PID_BUCKETS; i++)
		list_for_each(p, &c->pids->processes[i], in_pids) {
			if (p->container != c || p->state == PROCESS_ZOMBIE ||
			    p->state == PROCESS_DEAD)
				continue;
			n++;
			if (w)
				put_process(w, p);
		}
	return n;
}

int pod_ps(const struct control_request *rq, int *fds, struct control_answer *ret,
	   struct error *err)
{
	struct json_writer w = { .out = &ret->text };
	struct member *m;
	int rc = pod_find(rq->id, &m, err);

	(void)fds;
	if (rc < 0)
		return rc;
	json_begin_array(&w);
	put_processes(&w, m->container);
	json_end_array(&w);
	member_put(m);
	return 0;
}

int pod_stats(const struct control_request *rq, int *fds, struct control_answer *ret,
	      struct error *err)
{
	struct json_writer w = { .out = &ret->text };
	struct member *m;
	struct rusage self;
	int rc = pod_find(rq->id, &m, err);

	(void)fds;
	if (rc < 0)
		return rc;
	getrusage(RUSAGE_SELF, &self);
	json_begin_object(&w);
	json_put_u64(&w, "pids", put_processes(NULL, m->container));
	json_put_u64(&w, "sentry_cpu_us",
		     (uint64_t)(self.ru_utime.tv_sec + self.ru_stime.tv_sec) * 1000000 +
			     (uint64_t)(self.ru_utime.tv_usec + self.ru_stime.tv_usec));
	json_end_object(&w);
	member_put(m);
	return 0;
}

int pod_trace(const struct control_request *rq, int *fds, struct control_answer *ret,
	      struct error *err)
{
	(void)ret;
	if (rq->value && fds[0] < 0)
		return error_set(err, EINVAL, "trace: nowhere to write to");
	sys_trace_to(rq->value ? steal_fd(&fds[0]) : -1);
	return 0;
}
