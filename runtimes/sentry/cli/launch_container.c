/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting one container, in a pod whose sentry and gofer run or in a new one.
 *
 * Its trees go to the gofer, its stand-in takes our stdio and its zygote is made while the sentry
 * of a new pod still starts; the sentry gets all of it in one request.
 */
#include "runtimes/sentry/cli/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "base/thread.h"
#include "runtimes/gofer/client.h"
#include "runtimes/sentry/boot/boot.h"
#include "runtimes/sentry/cli/seccomp.h"
#include "runtimes/sentry/platform/launch.h"

/* --- trees ------------------------------------------------------------------------------------ */

/* open_tree_of() - a detached copy of what is mounted at @path: nothing leads out of it. */
static int open_tree_of(const char *path, bool recursive, struct error *err)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
	long fd = syscall(SYS_open_tree, AT_FDCWD, path, flags);

	return fd < 0 ? error_errno(err, errno, "open %s", path) : (int)fd;
}

/* open_live() - the host's own mount at @path: what is mounted below it later is there too. */
static int open_live(const char *path, struct error *err)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? error_errno(err, errno, "open %s", path) : fd;
}

static char *absolute(const char *bundle, const char *path)
{
	return path[0] == '/' ? xstrdup(path) : path_join(bundle, path);
}

static const struct spec_options of_root = { .recursive = true };

/* options_of() - of tree @n: the root is 0, and bind mounts follow in order. */
static const struct spec_options *options_of(const struct launching *l, size_t n)
{
	for (size_t i = 0; n > 0 && i < l->spec->n_mounts; i++)
		if (l->spec->mounts[i].options.bind && --n == 0)
			return &l->spec->mounts[i].options;
	return &of_root;
}

bool launch_tree_read_only(const struct launching *l, size_t n)
{
	return options_of(l, n)->flags & MS_RDONLY;
}

static int add_tree(struct launching *l, const char *path, const struct spec_options *o,
		    struct error *err)
{
	char *full cleanup_free = absolute(l->bundle, path);
	int fd = o->follow ? open_live(full, err) : open_tree_of(full, o->recursive, err);

	if (fd >= 0)
		l->trees[l->n_trees++] = fd;
	return MIN(fd, 0);
}

static int open_trees(struct launching *l, struct error *err)
{
	int rc;

	l->trees = xcalloc(l->spec->n_mounts + 1, sizeof(*l->trees));
	rc = add_tree(l, l->spec->root, &of_root, err);
	for (size_t i = 0; i < l->spec->n_mounts && rc == 0; i++)
		if (l->spec->mounts[i].options.bind)
			rc = add_tree(l, l->spec->mounts[i].source, &l->spec->mounts[i].options,
				      err);
	return rc == 0 && l->n_trees > CONTROL_TREES_MAX ? error_set(err, E2BIG, "too many mounts")
							 : rc;
}

/* serve_trees() - a gofer numbers its trees as it gets them, those of its start first. */
static int serve_trees(struct launching *l, struct control_request *rq, struct error *err)
{
	char *sock cleanup_free = record_path(l->cli, l->record->sandbox, "gofer.sock");

	for (size_t i = 0; i < l->n_trees; i++) {
		int handle = i < l->n_given ? (int)i
					    : gofer_add_tree(sock, l->trees[i],
							     launch_tree_read_only(l, i), err);

		if (handle < 0)
			return handle;
		rq->trees[rq->n_trees++] =
			(struct control_tree){ .handle = (uint32_t)handle, .shared = i > 0 };
	}
	return 0;
}

/* --- a network without anything in it --------------------------------------------------------- */

static void *make_nowhere(void *data)
{
	struct launching *l = data;

	l->nowhere = unshare(CLONE_NEWNET) < 0
			     ? -errno
			     : open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return NULL;
}

void launch_prepare(struct launching *l)
{
	l->preparing = thread_start_joinable(&l->preparer, make_nowhere, l) == 0;
	if (!l->preparing)
		l->nowhere = -EAGAIN;
}

static void await_prepared(struct launching *l)
{
	if (l->preparing)
		pthread_join(l->preparer, NULL);
	l->preparing = false;
}

void launch_finish(struct launching *l)
{
	await_prepared(l);
	close_fd(&l->nowhere);
}

/* enter_nowhere() - where a sandbox's processes are, or to be: a new one for a new pod. */
static int enter_nowhere(struct launching *l, bool new, struct error *err)
{
	char path[64];

	l->outside = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (l->outside < 0)
		return error_errno(err, errno, "open /proc/self/ns/net");
	if (new) {
		await_prepared(l);
	} else {
		snprintf(path, sizeof(path), "/proc/%d/ns/net", l->record->sentry);
		l->nowhere = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (l->nowhere < 0)
		return error_errno(err, l->nowhere == -1 ? errno : -l->nowhere,
				   "make an empty network namespace (root is needed)");
	if (setns(l->nowhere, CLONE_NEWNET) < 0)
		return error_errno(err, errno, "enter an empty network namespace");
	return 0;
}

static int leave_nowhere(struct launching *l, struct error *err)
{
	int rc = setns(l->outside, CLONE_NEWNET) < 0
			 ? error_errno(err, errno, "return to the network")
			 : 0;

	close_fd(&l->outside);
	return rc;
}

/* --- stdio, stand-in -------------------------------------------------------------------------- */

/* reopen() - a description of its own where the kind of file lets us. */
static int reopen(int fd)
{
	char path[32];
	struct stat st;
	int flags = fcntl(fd, F_GETFL), own = -1;

	if (flags < 0) /* closed: as a program started without it would see */
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		own = open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

int launch_stdio(const int from[3], int ret[3], struct error *err)
{
	for (int i = 0; i < 3; i++)
		ret[i] = -1;
	for (int i = 0; i < 3; i++) {
		ret[i] = reopen(from[i]);
		if (ret[i] < 0) {
			int rc = error_errno(err, errno, "copy descriptor %d", i);

			launch_close(ret, 3);
			return rc;
		}
	}
	return 0;
}

int launch_standin(const int stdio[3], bool has_tty, const struct fork_cgroups *cgroups,
		   int *ret_socket, pid_t *ret_pid, struct error *err)
{
	const char *argv[] = { "bulkhead-stand-in", has_tty ? "tty" : NULL, NULL };
	char *program cleanup_free = NULL;
	int pair[2], rc = launch_program("bulkhead-stand-in", &program, err);
	struct spawn s = SPAWN_INIT;

	if (rc < 0)
		return rc;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, errno, "make a socket");
	s.program = program;
	s.argv = argv;
	memcpy(s.stdio, stdio, sizeof(s.stdio));
	s.extra_fds = &pair[1];
	s.n_extra_fds = 1;
	s.cgroups = cgroups;
	s.new_session = true;
	rc = spawn_start(&s, ret_pid, NULL, err);
	close(pair[1]);
	if (rc < 0)
		close(pair[0]);
	else
		*ret_socket = pair[0];
	return rc;
}

int launch_memory_file(const char *text, size_t len, struct error *err)
{
	int fd cleanup_close = memfd_create("config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int rc;

	if (fd < 0)
		return error_errno(err, errno, "make a file in memory");
	rc = fd_write_all(fd, text, len);
	if (rc < 0)
		return error_errno(err, -rc, "fill a file in memory");
	fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	return steal_fd(&fd);
}

/* --- the container ---------------------------------------------------------------------------- */

static int begin_zygote(struct launching *l, struct launch_work **ret, struct error *err)
{
	char *program cleanup_free = NULL;
	char path[64];
	int user_ns cleanup_close = -1;
	struct launch z = LAUNCH_INIT;
	int rc = launch_program("bulkhead-stub", &program, err);

	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", l->record->sentry);
	user_ns = open(path, O_RDONLY | O_CLOEXEC);
	if (user_ns < 0)
		return error_errno(err, errno, "open %s", path);
	z.program = program;
	z.user_ns = user_ns;
	z.owner_uid = z.owner_gid = BOOT_SENTRY_ID;
	z.stub_uid = z.stub_gid = BOOT_STUB_ID;
	z.cgroups = &l->cgroups;
	z.share_network = true;
	z.strict = l->cli->strict;
	z.set_oom_score_adj = l->spec->process.has_oom_score_adj;
	z.oom_score_adj = l->spec->process.oom_score_adj;
	return launch_zygote_begin(&z, ret, err);
}

static int end_zygote(struct launch_work *w, int fds[CONTROL_CREATE_FDS], struct error *err)
{
	struct launched got;
	int rc = launch_zygote_end(w, &got, err);

	if (rc < 0)
		return rc;
	fds[CONTROL_FD_ZYGOTE] = got.pidfd;
	fds[CONTROL_FD_LISTENER] = got.listener;
	fds[CONTROL_FD_PROC] = open_tree_of("/proc", false, err);
	return MIN(fds[CONTROL_FD_PROC], 0);
}

static int start_standin(struct launching *l, int fds[CONTROL_CREATE_FDS], struct error *err)
{
	int rc = launch_stdio(l->stdio, &fds[CONTROL_FD_STDIN], err);

	if (rc == 0)
		rc = launch_standin(l->stdio, l->has_tty, &l->cgroups, &fds[CONTROL_FD_STANDIN],
				    &l->record->pid, err);
	if (rc == 0)
		process_start_time(l->record->pid, &l->record->pid_start);
	return rc;
}

/*
 * start_for() - what the sentry is told of; @fds: enum control_create_fd.  The zygote takes
 * longest: other processes are started while it is on its way.
 */
static int start_for(struct launching *l, int fds[CONTROL_CREATE_FDS], struct error *err)
{
	struct launch_work *zygote = NULL;
	int rc = 0;

	fds[CONTROL_FD_CONFIG] = fcntl(l->config, F_DUPFD_CLOEXEC, 0);
	if (fds[CONTROL_FD_CONFIG] < 0)
		return error_errno(err, errno, "copy a descriptor");
	if (l->sync >= 0)
		rc = launch_sandbox_ids(l, err);
	if (rc == 0)
		rc = begin_zygote(l, &zygote, err);
	if (rc == 0 && l->sync >= 0)
		rc = launch_helper(l, err);
	if (rc == 0)
		rc = launch_zygote_go(zygote, err);
	if (rc == 0)
		rc = start_standin(l, fds, err);
	if (rc == 0)
		return end_zygote(zygote, fds, err);
	launch_zygote_abandon(zygote);
	return rc;
}

/* create() - everything is there: the sentry makes a container of it. */
static int create(struct launching *l, bool sandbox, int fds[CONTROL_CREATE_FDS], struct error *err)
{
	struct control_request rq;
	int rc = control_request_init(&rq, CONTROL_CREATE, l->id, err);

	if (rc == 0)
		rc = serve_trees(l, &rq, err);
	if (rc == 0 && l->spec->seccomp) {
		rq.flags |= CONTROL_HAS_SECCOMP;
		rc = fds[CONTROL_FD_SECCOMP] = seccomp_compile(l->spec->seccomp, err);
	}
	if (sandbox)
		rq.flags |= CONTROL_SANDBOX | (l->once ? CONTROL_ONCE : 0);
	if (rc >= 0)
		rc = launch_await(l, err);
	if (rc == 0)
		rc = record_save(l->cli, l->record, err);
	if (rc == 0)
		rc = record_call(l->cli, l->record, &rq, fds,
				 CONTROL_CREATE_FDS - !l->spec->seccomp, NULL, NULL, err);
	return rc;
}

int launch(struct launching *l, bool sandbox, struct error *err)
{
	int fds[CONTROL_CREATE_FDS], rc = open_trees(l, err), back;

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = -1;
	if (rc == 0) {
		rc = enter_nowhere(l, sandbox, err);
		if (rc == 0 && sandbox)
			rc = launch_sandbox(l, err);
		if (rc == 0)
			rc = start_for(l, fds, err);
		back = leave_nowhere(l, rc < 0 ? NULL : err);
		rc = rc < 0 ? rc : back;
	}
	if (rc == 0)
		rc = create(l, sandbox, fds, err);
	launch_close(fds, ARRAY_LEN(fds));
	close_fd(&l->helper);
	close_fd(&l->log);
	launch_close(l->trees, l->n_trees);
	free(steal_ptr(l->trees));
	close_fd(&l->sync);
	return rc;
}
