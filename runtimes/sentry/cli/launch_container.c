/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting one container in a pod whose sentry and gofer run, or are about to.
 *
 * Its trees go to the gofer, its zygote is made while the sentry of a new pod still starts, its
 * stand-in takes our stdio; the sentry gets all of it in one request.
 */
#include "runtimes/sentry/cli/launch.h"

#include <errno.h>
#include <fcntl.h>
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

static int serve_tree(struct launching *l, const char *path, const struct spec_options *o,
		      bool shared, struct control_request *rq, struct error *err)
{
	char *sock cleanup_free = record_path(l->cli, l->record->sandbox, "gofer.sock");
	int fd cleanup_close =
		o->follow ? open_live(path, err) : open_tree_of(path, o->recursive, err);
	bool read_only = o->flags & MS_RDONLY;
	int handle;

	if (fd < 0)
		return fd;
	if (rq->n_trees == CONTROL_TREES_MAX)
		return error_set(err, E2BIG, "too many mounts");
	handle = gofer_add_tree(sock, fd, read_only, err);
	if (handle < 0)
		return handle;
	rq->trees[rq->n_trees++] =
		(struct control_tree){ .handle = (uint32_t)handle, .shared = shared };
	return 0;
}

static char *absolute(const char *bundle, const char *path)
{
	return path[0] == '/' ? xstrdup(path) : path_join(bundle, path);
}

static int serve_trees(struct launching *l, struct control_request *rq, struct error *err)
{
	static const struct spec_options of_root = { .recursive = true };
	char *root cleanup_free = absolute(l->bundle, l->spec->root);
	int rc = serve_tree(l, root, &of_root, false, rq, err);

	for (size_t i = 0; i < l->spec->n_mounts && rc == 0; i++) {
		const struct spec_mount *m = &l->spec->mounts[i];
		char *source cleanup_free = absolute(l->bundle, m->source);

		if (m->options.bind)
			rc = serve_tree(l, source, &m->options, true, rq, err);
	}
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

static int start_zygote(struct launching *l, int fds[CONTROL_CREATE_FDS], struct error *err)
{
	char *program cleanup_free = NULL;
	char path[64];
	int user_ns cleanup_close = -1;
	struct launch z = LAUNCH_INIT;
	struct launched got;
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
	z.set_oom_score_adj = l->spec->process.has_oom_score_adj;
	z.oom_score_adj = l->spec->process.oom_score_adj;
	rc = launch_zygote(&z, &got, err);
	if (rc < 0)
		return rc;
	fds[CONTROL_FD_ZYGOTE] = got.pidfd;
	fds[CONTROL_FD_LISTENER] = got.listener;
	fds[CONTROL_FD_PROC] = open_tree_of("/proc", false, err);
	return fds[CONTROL_FD_PROC] < 0 ? fds[CONTROL_FD_PROC] : 0;
}

static int fill_fds(struct launching *l, int fds[CONTROL_CREATE_FDS], struct error *err)
{
	int rc;

	fds[CONTROL_FD_CONFIG] = fcntl(l->config, F_DUPFD_CLOEXEC, 0);
	if (fds[CONTROL_FD_CONFIG] < 0)
		return error_errno(err, errno, "copy a descriptor");
	rc = start_zygote(l, fds, err);
	if (rc == 0)
		rc = launch_stdio(l->stdio, &fds[CONTROL_FD_STDIN], err);
	if (rc == 0)
		rc = launch_standin(l->stdio, l->has_tty, &l->cgroups, &fds[CONTROL_FD_STANDIN],
				    &l->record->pid, err);
	if (rc == 0)
		process_start_time(l->record->pid, &l->record->pid_start);
	return rc;
}

int launch_container(struct launching *l, bool is_sandbox, struct error *err)
{
	struct control_request rq;
	int fds[CONTROL_CREATE_FDS], rc = control_request_init(&rq, CONTROL_CREATE, l->id, err);

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = -1;
	if (is_sandbox)
		rq.flags |= CONTROL_SANDBOX | (l->once ? CONTROL_ONCE : 0);
	if (rc == 0)
		rc = serve_trees(l, &rq, err);
	if (rc == 0)
		rc = fill_fds(l, fds, err);
	if (rc == 0)
		rc = launch_await(l, err);
	if (rc == 0 && l->spec->seccomp) {
		rq.flags |= CONTROL_HAS_SECCOMP;
		rc = fds[CONTROL_FD_SECCOMP] = seccomp_compile(l->spec->seccomp, err);
	}
	if (rc >= 0)
		rc = record_call(l->cli, l->record, &rq, fds,
				 CONTROL_CREATE_FDS - !l->spec->seccomp, NULL, NULL, err);
	launch_close(fds, ARRAY_LEN(fds));
	return rc;
}
