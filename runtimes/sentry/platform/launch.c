/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a zygote, in three processes.
 *
 *   launcher    makes a sealed copy of the stub's program, takes the filter's listener out of the
 *               zygote
 *   helper      enters the cgroups, becomes the owner (the sentry's ids, in the sentry's user
 * namespace), makes the zygote in new namespaces, writes its id maps, ends.  It shares the
 * launcher's table of descriptors, so the zygote's pidfd is the launcher's too. zygote      empties
 * its world (root, capabilities, descriptors) and runs the stub
 *
 * Only system calls are made between fork and exec: the launcher's copy may hold any lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/spawn.h"
#include "runtimes/sentry/platform/abi.h"
#include "runtimes/sentry/platform/launch.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* since Linux 6.3 */
#endif

#define INNER_ID  1 /* of stubs, in their own user namespace */
#define STATUS_FD 1 /* what the stub expects there */
#define EXE_FD	  2

#define ZYGOTE_NAMESPACES (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS)

/* What helper and zygote work with; memory of the launcher, shared with the helper. */
struct launch_work {
	struct launch launch;
	pid_t helper; /* 0: none runs */
	int exe, go[2], status[2];
	uid_t stub_uid;
	gid_t stub_gid;
	pid_t pid;
	int pidfd;
	int errnum;
	const char *failed; /* what the helper was about to do */
};

/* --- the zygote
 * ----------------------------------------------------------------------------------- */

/*
 * libc's functions would change the ids of all threads, and wait for those that the fork has not
 * copied.
 */
static int set_ids(uid_t uid, gid_t gid)
{
	if (syscall(SYS_setresgid, gid, gid, gid) < 0)
		return -1;
	return (int)syscall(SYS_setresuid, uid, uid, uid);
}

static void zygote_fail(const struct launch_work *w)
{
	int32_t code = -errno;

	if (write(w->status[1], &code, sizeof(code)) < 0)
		_exit(126);
	_exit(127);
}

/* Nothing but an empty, read-only directory. */
static int empty_root(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	if (mount("none", "/proc", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "size=4k,nr_inodes=2,mode=555") < 0)
		return -1;
	if (chdir("/proc") < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return -1;
	if (umount2(".", MNT_DETACH) < 0)
		return -1;
	return chdir("/");
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { 0 }, { 0 } };

	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_capset, &h, d);
}

/*
 * The host puts mappings without an address below the room that it keeps for the stack: this much
 * puts them below the part of the address space that is the stub's.
 */
static int make_room(void)
{
	struct rlimit none = { 0, 0 }, stack;

	if (setrlimit(RLIMIT_CORE, &none) < 0 || getrlimit(RLIMIT_STACK, &stack) < 0)
		return -1;
	stack.rlim_cur = (1ull << 47) - STUB_GUEST_TOP;
	setrlimit(RLIMIT_STACK, &stack); /* where the hard limit is lower: the stub looks */
	return 0;
}

static int keep_only(int exe, int status)
{
	int high = fcntl(exe, F_DUPFD_CLOEXEC, 10), s = fcntl(status, F_DUPFD_CLOEXEC, 10);

	if (high < 0 || s < 0)
		return -1;
	if (dup3(high, EXE_FD, O_CLOEXEC) < 0 || dup2(s, STATUS_FD) < 0)
		return -1;
	close(STUB_FD_FIRST);
	return (int)syscall(SYS_close_range, EXE_FD + 1, ~0u, 0);
}

static void zygote_run(const struct launch_work *w)
{
	char *strict = w->launch.strict ? (char *)"strict" : NULL;
	char *const argv[] = { (char *)"bulkhead-stub", strict, NULL }, *const envp[] = { NULL };
	char go;

	close(w->go[1]);
	if (read(w->go[0], &go, 1) != 1)
		_exit(127); /* the launcher has given up */
	setsid();
	if (set_ids(INNER_ID, INNER_ID) < 0)
		zygote_fail(w);
	if (empty_root() < 0 || drop_capabilities() < 0 || make_room() < 0)
		zygote_fail(w);
	if (keep_only(w->exe, w->status[1]) < 0)
		zygote_fail(w);
	syscall(SYS_execveat, EXE_FD, "", argv, envp, AT_EMPTY_PATH);
	go = (char)errno;
	if (write(STATUS_FD, &(int32_t){ -go }, sizeof(int32_t)) < 0)
		_exit(126);
	_exit(127);
}

/* --- the helper
 * ----------------------------------------------------------------------------------- */

static void helper_fail(struct launch_work *w, const char *what)
{
	w->errnum = errno;
	w->failed = what;
	_exit(1);
}

static void put(struct launch_work *w, const char *file, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", w->pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		helper_fail(w, file);
	close(fd);
}

/* A change of ids takes effective capabilities away; the map of the zygote needs them. */
static int raise_capabilities(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) < 0)
		return -1;
	d[0].effective = d[0].permitted;
	d[1].effective = d[1].permitted;
	return (int)syscall(SYS_capset, &h, d);
}

static void become_owner(struct launch_work *w)
{
	const struct launch *l = &w->launch;

	if (l->pid_ns >= 0 && setns(l->pid_ns, CLONE_NEWPID) < 0)
		helper_fail(w, "enter the sentry's pid namespace");
	if (l->user_ns < 0)
		return;
	if (setns(l->user_ns, CLONE_NEWUSER) < 0)
		helper_fail(w, "enter the sentry's user namespace");
	prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (syscall(SYS_setgroups, 0, NULL) < 0 || set_ids(l->owner_uid, l->owner_gid) < 0 ||
	    raise_capabilities() < 0)
		helper_fail(w, "take the sentry's ids");
	/* The change of ids has made us undumpable, and /proc/<child>/uid_map would be root's. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void helper_run(struct launch_work *w)
{
	const struct launch_work own = *w; /* the launcher closes its ends and says so in *w */
	char map[64];
	long pid;

	if (fork_join(w->launch.cgroups) < 0)
		helper_fail(w, "join cgroup");
	become_owner(w);
	pid = syscall(SYS_clone,
		      ZYGOTE_NAMESPACES | (own.launch.share_network ? 0 : CLONE_NEWNET) |
			      CLONE_PIDFD | SIGCHLD,
		      0, &w->pidfd, 0, 0);
	if (pid < 0)
		helper_fail(w, "make the zygote");
	if (pid == 0)
		zygote_run(&own);
	w->pid = (pid_t)pid;
	put(w, "setgroups", "deny"); /* so that an owner without rights may write the next one */
	snprintf(map, sizeof(map), "%d %u 1", INNER_ID, w->stub_gid);
	put(w, "gid_map", map);
	snprintf(map, sizeof(map), "%d %u 1", INNER_ID, w->stub_uid);
	put(w, "uid_map", map);
	_exit(0);
}

/* --- the launcher
 * --------------------------------------------------------------------------------- */

/* A copy that nobody can change, on no mount that the zygote would have to see. */
static int seal_program(const char *path, struct error *err)
{
	cleanup_close int from = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_close int fd =
		memfd_create("bulkhead-stub", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	struct stat st;
	off_t done = 0;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("bulkhead-stub", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (from < 0 || fstat(from, &st) < 0)
		return error_errno(err, errno, "open %s", path);
	if (fd < 0)
		return error_errno(err, errno, "memfd_create");
	while (done < st.st_size)
		if (sendfile(fd, from, &done, (size_t)(st.st_size - done)) <= 0)
			return error_errno(err, errno, "copy %s", path);
	/* readable by stubs, or the kernel would hide them from their owner */
	if (fchmod(fd, 0755) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return error_errno(err, errno, "seal a copy of %s", path);
	return steal_fd(&fd);
}

static int start_helper(struct launch_work *w, struct error *err)
{
	w->helper = fork_into(w->launch.cgroups, CLONE_FILES);
	if (w->helper < 0)
		return error_errno(err, errno, "fork");
	if (w->helper == 0)
		helper_run(w);
	return 0;
}

static int await_helper(struct launch_work *w, struct error *err)
{
	int status;
	pid_t helper = w->helper;

	w->helper = 0;
	while (waitpid(helper, &status, 0) < 0)
		if (errno != EINTR)
			return error_errno(err, errno, "wait");
	if (status)
		return w->errnum ? error_errno(err, w->errnum, "%s", w->failed)
				 : error_set(err, EIO, "helper ended with status %d", status);
	return 0;
}

static int write_number(const char *path, long number, struct error *err)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dprintf(fd, "%ld\n", number) < 0)
		return error_errno(err, errno, "write %s", path);
	return 0;
}

static int place(const struct launch_work *w, struct error *err)
{
	const struct launch *l = &w->launch;
	char path[64];

	if (!l->set_oom_score_adj)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", w->pid);
	return write_number(path, l->oom_score_adj, err);
}

/* The pipe ends when the filter is there, or says why it is not. */
static int await_filter(struct launch_work *w, struct error *err)
{
	int32_t code = 0;
	ssize_t n;

	do {
		n = read(w->status[0], &code, sizeof(code));
	} while (n < 0 && errno == EINTR);
	if (n != 0)
		return error_errno(err, code ? -code : EIO, "zygote");
	return 0;
}

static int take_listener(struct launch_work *w, struct launched *ret, struct error *err)
{
	ret->listener = (int)syscall(SYS_pidfd_getfd, w->pidfd, STUB_FD_FIRST, 0);
	if (ret->listener < 0)
		return error_errno(err, errno, "take the zygote's listener");
	ret->pid = w->pid;
	ret->pidfd = steal_fd(&w->pidfd);
	return 0;
}

int launch_zygote_begin(const struct launch *l, struct launch_work **ret, struct error *err)
{
	struct launch_work *w =
		mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int rc;

	if (w == MAP_FAILED)
		return error_errno(err, errno, "mmap");
	*w = (struct launch_work){
		.launch = *l, .pidfd = -1, .go = { -1, -1 }, .status = { -1, -1 }
	};
	w->stub_uid = l->stub_uid == (uid_t)-1 ? geteuid() : l->stub_uid;
	w->stub_gid = l->stub_gid == (gid_t)-1 ? getegid() : l->stub_gid;
	/* the helper shares our table: what the caller closes meanwhile would be closed for it too
	 */
	w->launch.user_ns = l->user_ns < 0 ? -1 : fcntl(l->user_ns, F_DUPFD_CLOEXEC, 0);
	w->launch.pid_ns = l->pid_ns < 0 ? -1 : fcntl(l->pid_ns, F_DUPFD_CLOEXEC, 0);
	w->exe = rc = seal_program(l->program, err);
	if (rc >= 0 && (pipe2(w->go, O_CLOEXEC) < 0 || pipe2(w->status, O_CLOEXEC) < 0))
		rc = error_errno(err, errno, "pipe");
	if (rc >= 0)
		rc = start_helper(w, err);
	if (rc < 0)
		launch_zygote_abandon(w);
	else
		*ret = w;
	return MIN(rc, 0);
}

int launch_zygote_go(struct launch_work *w, struct error *err)
{
	int rc = await_helper(w, err);

	if (rc == 0)
		rc = place(w, err);
	close_fd(&w->status[1]);
	close_fd(&w->go[0]);
	if (rc == 0 && write(w->go[1], "g", 1) != 1)
		rc = error_errno(err, errno, "start the zygote");
	return rc;
}

static void discard(struct launch_work *w)
{
	close_fd(&w->exe);
	for (int i = 0; i < 2; i++) {
		close_fd(&w->go[i]);
		close_fd(&w->status[i]);
	}
	close_fd(&w->pidfd);
	close_fd(&w->launch.user_ns);
	close_fd(&w->launch.pid_ns);
	munmap(w, sizeof(*w));
}

int launch_zygote_end(struct launch_work *w, struct launched *ret, struct error *err)
{
	int rc = await_filter(w, err);

	if (rc == 0)
		rc = take_listener(w, ret, err);
	if (rc < 0)
		launch_zygote_abandon(w);
	else
		discard(w);
	return rc;
}

void launch_zygote_abandon(struct launch_work *w)
{
	if (!w)
		return;
	if (w->helper > 0)
		await_helper(w, NULL);
	if (w->pid > 0)
		process_kill(w->pid, SIGKILL);
	discard(w);
}

int launch_zygote(const struct launch *l, struct launched *ret, struct error *err)
{
	struct launch_work *w;
	int rc = launch_zygote_begin(l, &w, err);

	if (rc < 0)
		return rc;
	rc = launch_zygote_go(w, err);
	if (rc == 0)
		return launch_zygote_end(w, ret, err);
	launch_zygote_abandon(w);
	return rc;
}
