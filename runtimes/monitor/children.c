/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reaping, and killing of a process tree.
 */
#include "runtimes/monitor/children.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"

#define KEPT_MAX    1024
#define KILL_ROUNDS 8
#define TREE_MAX    4096

struct child {
	struct list in_watched;
	pid_t pid;
	child_fn *fn; /* NULL: unwatched after its exit was found among the kept */
	void *data;
	int status;
};

static struct {
	struct loop *loop;
	struct list watched;
	unsigned int holds;
	struct kept {
		pid_t pid;
		int status;
	} * kept;
	size_t n_kept;
} children;

/* --- reaping ---------------------------------------------------------------------------------- */

static struct child *find(pid_t pid)
{
	struct child *c;

	list_for_each(c, &children.watched, in_watched)
		if (c->pid == pid)
			return c;
	return NULL;
}

static void keep(pid_t pid, int status)
{
	if (children.holds == 0 || children.n_kept == KEPT_MAX)
		return;
	if (!children.kept)
		children.kept = xcalloc(KEPT_MAX, sizeof(*children.kept));
	children.kept[children.n_kept++] = (struct kept){ pid, status };
}

static void ended(struct child *c, int status)
{
	child_fn *fn = c->fn;
	void *data = c->data;

	list_remove(&c->in_watched);
	free(c);
	fn(data, status);
}

static void on_sigchld(void *data, int signo)
{
	int status;
	pid_t pid;

	(void)data;
	(void)signo;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *c = find(pid);

		if (c)
			ended(c, status);
		else
			keep(pid, status);
	}
}

int children_init(struct loop *loop, struct error *err)
{
	list_init(&children.watched);
	children.loop = loop;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return error_errno(err, errno, "become subreaper");
	return loop_add_signal(loop, SIGCHLD, on_sigchld, NULL, err);
}

void children_hold(void)
{
	children.holds++;
}

void children_release(void)
{
	if (--children.holds > 0)
		return;
	free(children.kept);
	children.kept = NULL;
	children.n_kept = 0;
}

/* The caller is not ready for its callback yet, so it comes from the loop. */
static void deliver_kept(void *data)
{
	struct child *c = data;

	if (c->fn)
		ended(c, c->status);
	else
		free(c);
}

struct child *children_watch(pid_t pid, child_fn *fn, void *data)
{
	struct child *c = xnew(struct child);

	*c = (struct child){ .pid = pid, .fn = fn, .data = data };
	for (size_t i = 0; i < children.n_kept; i++) {
		if (children.kept[i].pid != pid)
			continue;
		c->status = children.kept[i].status;
		children.kept[i] = children.kept[--children.n_kept];
		c->pid = 0; /* the number may be another's by now */
		list_init(&c->in_watched);
		loop_post(children.loop, deliver_kept, c);
		return c;
	}
	list_add(&children.watched, &c->in_watched);
	return c;
}

void children_unwatch(struct child *c)
{
	if (!c)
		return;
	if (c->pid == 0) {
		c->fn = NULL; /* deliver_kept() frees it */
		return;
	}
	list_remove(&c->in_watched);
	free(c);
}

/* --- killing a tree --------------------------------------------------------------------------- */

struct tree {
	pid_t pids[TREE_MAX];
	size_t count;
};

static bool tree_has(const struct tree *t, pid_t pid)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->pids[i] == pid)
			return true;
	return false;
}

/* read_stat() - state, parent and session.  The name may hold anything, so count from its ')'. */
static bool read_stat(pid_t pid, char *ret_state, pid_t *ret_parent, pid_t *ret_session)
{
	struct strbuf text cleanup_strbuf = { 0 };
	char path[32];
	const char *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (fd_read_file(AT_FDCWD, path, 4096, &text, NULL) < 0 || !text.data)
		return false;
	p = strrchr(text.data, ')');
	return p && sscanf(p + 1, " %c %d %*d %d", ret_state, ret_parent, ret_session) == 3;
}

/* grow() - one walk over /proc; Return: how many living ones were added. */
static size_t grow(struct tree *t)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	size_t added = 0;

	while (dir && (e = readdir(dir)) && t->count < TREE_MAX) {
		pid_t parent, session;
		uint64_t pid;
		char state;

		if (str_parse_u64(e->d_name, &pid) < 0 || pid <= 1 || pid > INT32_MAX ||
		    (pid_t)pid == getpid() || tree_has(t, (pid_t)pid))
			continue;
		if (!read_stat((pid_t)pid, &state, &parent, &session) || state == 'Z')
			continue;
		if (session != t->pids[0] && !tree_has(t, parent))
			continue;
		t->pids[t->count++] = (pid_t)pid;
		added++;
	}
	if (dir)
		closedir(dir);
	return added;
}

/*
 * Descendants are stopped and collected until no walk finds another, then killed.  A session
 * keeps its number while it has members, so those whose parent ended already are found too.
 */
void children_kill_tree(pid_t pid)
{
	struct tree *t;

	if (pid <= 1)
		return;
	t = xnew(struct tree);
	t->pids[t->count++] = pid;
	process_kill(pid, SIGSTOP);
	for (int i = 0; i < KILL_ROUNDS; i++) {
		size_t before = t->count;

		if (grow(t) == 0)
			break;
		for (size_t j = before; j < t->count; j++)
			process_kill(t->pids[j], SIGSTOP);
	}
	for (size_t i = t->count; i > 0; i--)
		process_kill(t->pids[i - 1], SIGKILL);
	log_debug("killed a tree of %zu processes below %d", t->count, pid);
	free(t);
}
