/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jail of a program.
 *
 * In this order: check what was asked for; copy the program into BASE/NAME/ID/root (a link would
 * share its pages with other jails); network namespace, limits, control group, while their files
 * can be seen; a mount namespace whose root is that directory; device nodes in it; then user,
 * group and the program.  The one who runs there owns everything in it.
 */
#include "runtimes/microvm/jail/jail.h"

#include <ctype.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"

#define DEFAULT_BASE  "/srv/jailer"
#define ID_MAX	      64
#define COPY_BYTES    (1 << 20)
#define ARGUMENTS_MAX 256
#define MISC_MAJOR    10
#define UFFD_NODE     "/dev/userfaultfd"
#define MISC_TEXT_MAX 65536

static int64_t now_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

void jail_close_fds(void)
{
	close_range(STDERR_FILENO + 1, ~0U, 0);
}

/* --- checks ----------------------------------------------------------------------------------- */

static int check_id(const char *id, struct error *err)
{
	if (str_empty(id))
		return error_set(err, EINVAL, "--id is missing");
	for (const char *p = id; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-')
			return error_set(err, EINVAL, "--id %s: invalid character '%c'", id, *p);
	return strlen(id) > ID_MAX
		       ? error_set(err, EINVAL, "--id has more than %d characters", ID_MAX)
		       : 0;
}

static int check_exec_file(struct jail *j, const char *path, struct error *err)
{
	struct stat st;

	if (!path)
		return error_set(err, EINVAL, "--exec-file is missing");
	j->exec_path = realpath(path, NULL);
	if (!j->exec_path || stat(j->exec_path, &st))
		return error_errno(err, errno, "--exec-file %s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "--exec-file %s is no regular file", path);
	j->name = strrchr(j->exec_path, '/') + 1;
	return 0;
}

static int check_base(struct jail *j, const char *path, struct error *err)
{
	char *base cleanup_free = realpath(path, NULL);
	struct stat st;

	if (!base || stat(base, &st))
		return error_errno(err, errno, "--chroot-base-dir %s", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ENOTDIR, "--chroot-base-dir %s is no directory", path);
	j->root = xasprintf("%s/%s/%s/root", base, j->name, j->options->id);
	return 0;
}

static int check(struct jail *j, const struct jail_options *o, struct error *err)
{
	int r = check_id(o->id, err);

	if (!r)
		r = check_exec_file(j, o->exec_file, err);
	if (!r && (!o->has_uid || !o->has_gid))
		r = error_set(err, EINVAL, "--uid or --gid is missing");
	if (!r && (o->uid >= UINT32_MAX || o->gid >= UINT32_MAX))
		r = error_set(err, EINVAL, "--uid or --gid is no user or group");
	return r ? r : check_base(j, o->base_dir ? o->base_dir : DEFAULT_BASE, err);
}

/* --- the directory ---------------------------------------------------------------------------- */

static int copy_bytes(int from, int to)
{
	char *buffer cleanup_free = xmalloc(COPY_BYTES);
	ssize_t n;
	int r = 0;

	while (!r && (n = read(from, buffer, COPY_BYTES)) != 0)
		r = n < 0 ? -errno : fd_write_all(to, buffer, (size_t)n);
	return r;
}

static int copy_program(const struct jail *j, struct error *err)
{
	char *to_path cleanup_free = path_join(j->root, j->name);
	int from cleanup_close = open(j->exec_path, O_RDONLY | O_CLOEXEC), to cleanup_close = -1, r;
	struct stat st;

	if (from < 0)
		return error_errno(err, errno, "open %s", j->exec_path);
	to = open(to_path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0500);
	if (to < 0 || fstat(to, &st))
		return error_errno(err, errno, "open %s", to_path);
	if (st.st_nlink > 1)
		return error_set(err, EMLINK, "%s has another name elsewhere", to_path);
	r = copy_bytes(from, to);
	if (!r && (fchown(to, j->uid, j->gid) || fchmod(to, 0500)))
		r = -errno;
	return r ? error_errno(err, -r, "copy %s to %s", j->exec_path, to_path) : 0;
}

static int enter_netns(const char *path, struct error *err)
{
	int fd cleanup_close = -1;

	if (!path)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "--netns %s", path);
	return setns(fd, CLONE_NEWNET) ? error_errno(err, errno, "--netns %s: enter it", path) : 0;
}

static int enter_root(const struct jail *j, struct error *err)
{
	if (unshare(CLONE_NEWNS))
		return error_errno(err, errno, "make a mount namespace");
	if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) ||
	    mount(j->root, j->root, NULL, MS_BIND | MS_REC, NULL))
		return error_errno(err, errno, "mount %s", j->root);
	if (chdir(j->root) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) ||
	    chdir("/"))
		return error_errno(err, errno, "make %s the root", j->root);
	return 0;
}

/* --- devices ---------------------------------------------------------------------------------- */

static int make_folder(const struct jail *j, const char *path, struct error *err)
{
	if ((mkdir(path, 0700) && errno != EEXIST) || chmod(path, 0700) ||
	    chown(path, j->uid, j->gid))
		return error_errno(err, errno, "make the folder %s in the jail", path);
	return 0;
}

static int make_node(const struct jail *j, const char *path, unsigned int major_number,
		     unsigned int minor_number, struct error *err)
{
	if (unlink(path) && errno != ENOENT)
		return error_errno(err, errno, "make the device %s in the jail", path);
	if (mknod(path, S_IFCHR | 0600, makedev(major_number, minor_number)) ||
	    chown(path, j->uid, j->gid))
		return error_errno(err, errno, "make the device %s in the jail", path);
	return 0;
}

/* uffd_minor() - the kernel gives it a number when it starts.  Return: -1 when there is none. */
static int uffd_minor(void)
{
	struct strbuf text cleanup_strbuf = { 0 };
	const char *line;
	int minor_number = -1, value;

	if (fd_read_file(AT_FDCWD, "/proc/misc", MISC_TEXT_MAX, &text, NULL))
		return -1;
	for (line = text.data; line && *line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (str_has_prefix(line + strspn(line, " 0123456789"), "userfaultfd") &&
		    (value = atoi(line)) >= 0)
			minor_number = value;
	return minor_number;
}

static int make_devices(const struct jail *j, int uffd, struct error *err)
{
	static const char *const folders[] = { "/", "/dev", "/dev/net", "/run" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(folders) && !r; i++)
		r = make_folder(j, folders[i], err);
	if (!r)
		r = make_node(j, "/dev/net/tun", MISC_MAJOR, 200, err);
	if (!r)
		r = make_node(j, "/dev/kvm", MISC_MAJOR, 232, err);
	if (!r)
		r = make_node(j, "/dev/urandom", 1, 9, err);
	if (!r && uffd >= 0)
		r = make_node(j, UFFD_NODE, MISC_MAJOR, (unsigned int)uffd, err);
	return r;
}

int jail_enter(struct jail *j, const struct jail_options *o, struct error *err)
{
	int r, uffd;

	*j = (struct jail){ .options = o,
			    .uid = (uid_t)o->uid,
			    .gid = (gid_t)o->gid,
			    .start_us = now_us(CLOCK_MONOTONIC),
			    .start_cpu_us = now_us(CLOCK_PROCESS_CPUTIME_ID) };
	r = check(j, o, err);
	if (!r)
		r = path_mkdirs(j->root, 0700, err);
	if (!r)
		r = copy_program(j, err);
	if (!r)
		r = enter_netns(o->netns, err);
	if (!r)
		r = jail_limit(j, err);
	if (r)
		return r;
	uffd = uffd_minor();
	r = enter_root(j, err);
	return r ? r : make_devices(j, uffd, err);
}

/* --- the program ------------------------------------------------------------------------------ */

static int write_pid(const struct jail *j, pid_t pid, struct error *err)
{
	char *path cleanup_free = xasprintf("/%s.pid", j->name), text[16];
	int fd cleanup_close = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int n = snprintf(text, sizeof(text), "%d", pid);

	if (fd < 0 || write(fd, text, (size_t)n) != n)
		return error_errno(err, errno, "write %s in the jail", path);
	return 0;
}

/* go_on_in_child() - the caller ends well.  Return: in the child 0. */
static int go_on_in_child(struct error *err)
{
	pid_t pid = fork();

	if (pid < 0)
		return error_errno(err, errno, "--daemonize: start a process");
	if (pid)
		_exit(0);
	return 0;
}

/* leave_terminal() - a session of its own, of which it is not the leader: it gets no terminal. */
static int leave_terminal(int null, struct error *err)
{
	int r = go_on_in_child(err);

	if (!r && setsid() < 0)
		r = error_errno(err, errno, "--daemonize: begin a session");
	if (!r)
		r = go_on_in_child(err);
	for (int fd = 0; fd <= STDERR_FILENO && !r; fd++)
		if (dup2(null, fd) < 0)
			r = error_errno(err, errno, "--daemonize: leave the terminal");
	return r;
}

static int drop_user(const struct jail *j, struct error *err)
{
	if (setgroups(0, NULL) || setresgid(j->gid, j->gid, j->gid) ||
	    setresuid(j->uid, j->uid, j->uid))
		return error_errno(err, errno, "become user %u of group %u", j->uid, j->gid);
	return 0;
}

static int execute(const struct jail *j, struct error *err)
{
	char *path cleanup_free = xasprintf("/%s", j->name);
	char *start cleanup_free = xasprintf("%lld", (long long)j->start_us);
	char *cpu cleanup_free = xasprintf("%lld", (long long)now_us(CLOCK_PROCESS_CPUTIME_ID));
	char *parent cleanup_free =
		xasprintf("%lld", (long long)(now_us(CLOCK_PROCESS_CPUTIME_ID) - j->start_cpu_us));
	const char *argv[ARGUMENTS_MAX] = { path,
					    "--id",
					    j->options->id,
					    "--start-time-us",
					    start,
					    "--start-time-cpu-us",
					    cpu,
					    "--parent-cpu-time-us",
					    parent };
	char *environment[] = { NULL };
	size_t n = 9;

	for (char *const *a = j->options->arguments; *a; a++) {
		if (n == ARGUMENTS_MAX - 1)
			return error_set(err, E2BIG, "more than %d arguments", ARGUMENTS_MAX);
		argv[n++] = *a;
	}
	execve(path, (char *const *)(uintptr_t)argv, environment);
	return error_errno(err, errno, "start %s in the jail (it has to be linked statically)",
			   j->exec_path);
}

/* start_in_pid_ns() - the child is process 1 of it.  Return: in the child 0, in the parent never.
 */
static int start_in_pid_ns(const struct jail *j, struct error *err)
{
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return error_errno(err, errno, "--new-pid-ns");
	pid = fork();
	if (pid < 0)
		return error_errno(err, errno, "--new-pid-ns: start a process");
	if (!pid)
		return 0;
	if (write_pid(j, pid, err)) {
		fprintf(stderr, "bulkhead-jailer: %s\n", err->text);
		_exit(1);
	}
	_exit(0);
}

int jail_exec(struct jail *j, struct error *err)
{
	int null cleanup_close = -1, r = 0;

	if (j->options->daemonize) {
		if (mknod("/dev/null", S_IFCHR | 0600, makedev(1, 3)) && errno != EEXIST)
			return error_errno(err, errno, "make the device /dev/null in the jail");
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null < 0)
			return error_errno(err, errno, "open /dev/null in the jail");
		unlink("/dev/null");
		r = leave_terminal(null, err);
	}
	if (!r)
		r = j->options->new_pid_ns ? start_in_pid_ns(j, err) : write_pid(j, getpid(), err);
	if (!r)
		r = drop_user(j, err);
	return r ? r : execute(j, err);
}
