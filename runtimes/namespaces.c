/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes namespaces in a child, sets them up and pins them.
 *
 * The maker shares our memory and descriptors (CLONE_VM, CLONE_VFORK, CLONE_FILES), so making a
 * pod costs the same in a large server as in a small one.  It enters new namespaces one by one,
 * writes sysctls, opens /proc/self/ns/X for us and ends; all it does are system calls.  The
 * descriptors keep the namespaces until each is bound to its path.
 *
 * A user namespace comes first, since it must own the others.  Its maps can only be written from
 * outside while a process is in it: a holder, which does nothing but wait for its pipe to close.
 *
 *   holder: clone(NEWUSER) ......... wait | exit
 *   us:     uid_map gid_map, open ns/user |  maker: setns(user) setuid(0) unshare ... exit | pin
 */
#include "runtimes/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/spawn.h"

#define STACK_BYTES  (32 << 10)
#define SYSCTLS_MAX  256
#define HOSTNAME_MAX 64 /* the kernel's __NEW_UTS_LEN */

enum { NET, IPC, UTS, KINDS };

static const struct {
	const char *name, *link;
	int flag;
} kinds[KINDS] = {
	[NET] = { "net", "/proc/self/ns/net", CLONE_NEWNET },
	[IPC] = { "ipc", "/proc/self/ns/ipc", CLONE_NEWIPC },
	[UTS] = { "uts", "/proc/self/ns/uts", CLONE_NEWUTS },
};

struct sysctl {
	char *path; /* below /proc/sys */
	const char *text, *value;
};

struct maker {
	const struct namespaces *n;
	const char *pins[KINDS];
	int user_fd; /* namespace to enter first, or -1 */
	struct sysctl *sysctls;
	size_t n_sysctls;
	/* set by the child */
	int fds[KINDS];
	int errnum;
	const char *step, *object;
};

/* --- checks ----------------------------------------------------------------------------------- */

/*
 * sysctl_path() - where @name (dots, or slashes as sysctl(8) allows) lies in /proc/sys, or NULL
 * when it is no clean name.
 */
static char *sysctl_path(const char *name, size_t len)
{
	char *path = xasprintf("/proc/sys/%.*s", (int)len, name);
	char *p = path + strlen("/proc/sys/");
	bool dots = strcspn(p, ".") < strcspn(p, "/");

	for (char *c = p; dots && *c; c++)
		*c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
	if (!*p || *p == '/' || strstr(path, "//") || strstr(path, "/./") || strstr(path, "/../") ||
	    str_has_suffix(path, "/") || str_has_suffix(path, "/.") ||
	    str_has_suffix(path, "/..")) {
		free(path);
		return NULL;
	}
	return path;
}

/* sysctl_kind() - the namespace that @path belongs to, or -1: it is the whole node's. */
static int sysctl_kind(const char *path)
{
	static const struct {
		const char *prefix;
		int kind;
	} owned[] = {
		{ "net/", NET },       { "fs/mqueue/", IPC }, { "kernel/shm", IPC },
		{ "kernel/msg", IPC }, { "kernel/sem", IPC }, { "kernel/domainname", UTS },
	};

	for (size_t i = 0; i < ARRAY_LEN(owned); i++)
		if (str_has_prefix(path + strlen("/proc/sys/"), owned[i].prefix))
			return owned[i].kind;
	return -1;
}

static int check_sysctl(struct maker *m, const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');
	struct sysctl *s = &m->sysctls[m->n_sysctls];
	int kind;

	if (!equals || strlen(text) > 4096)
		return error_set(err, EINVAL, "sysctl '%.64s' is not name=value", text);
	s->path = sysctl_path(text, (size_t)(equals - text));
	if (!s->path)
		return error_set(err, EINVAL, "sysctl '%.*s': not a name", (int)(equals - text),
				 text);
	m->n_sysctls++;
	s->text = text;
	s->value = equals + 1;
	kind = sysctl_kind(s->path);
	if (kind < 0)
		return error_set(err, EINVAL,
				 "sysctl '%.*s' is not namespaced: it would change "
				 "the node; set it there",
				 (int)(equals - text), text);
	if (!m->pins[kind])
		return error_set(err, EINVAL,
				 "sysctl '%.*s': the pod shares the host's %s "
				 "namespace; drop the sysctl or give it its own",
				 (int)(equals - text), text, kinds[kind].name);
	return 0;
}

static int check(struct maker *m, struct error *err)
{
	const struct namespaces *n = m->n;
	size_t count = 0;
	int rc = 0;

	if (n->uts && n->hostname && strlen(n->hostname) > HOSTNAME_MAX)
		return error_set(err, EINVAL, "hostname '%s' is longer than %d bytes", n->hostname,
				 HOSTNAME_MAX);
	if (n->user && (n->uid_map.length == 0 || n->gid_map.length == 0))
		return error_set(err, EINVAL, "user namespace: a mapping of length 0");
	while (n->sysctls && n->sysctls[count])
		count++;
	if (count > SYSCTLS_MAX)
		return error_set(err, EINVAL, "more than %d sysctls", SYSCTLS_MAX);
	m->sysctls = xcalloc(count + 1, sizeof(*m->sysctls));
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = check_sysctl(m, n->sysctls[i], err);
	return rc;
}

/* --- in the maker: system calls only ---------------------------------------------------------- */

static int give_up(struct maker *m, const char *step, const char *object)
{
	m->errnum = errno ? errno : EIO;
	m->step = step;
	m->object = object;
	_exit(1);
}

/* Raw calls: the library's would change the ids of all our threads. */
static void enter_user(struct maker *m)
{
	if (m->user_fd < 0)
		return;
	if (setns(m->user_fd, CLONE_NEWUSER) < 0)
		give_up(m, "enter namespace", "user");
	if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
		give_up(m, "become root of namespace", "user");
}

static void write_sysctl(struct maker *m, const struct sysctl *s)
{
	int fd = open(s->path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		give_up(m, "set sysctl", s->text);
	if (write(fd, s->value, strlen(s->value)) < 0) {
		int saved = errno;

		close(fd); /* the table is shared: it would stay open */
		errno = saved;
		give_up(m, "set sysctl", s->text);
	}
	close(fd);
}

static int in_maker(void *data)
{
	struct maker *m = data;

	enter_user(m);
	for (int i = 0; i < KINDS; i++)
		if (m->pins[i] && unshare(kinds[i].flag) < 0)
			give_up(m, "make namespace", kinds[i].name);
	if (m->pins[UTS] && m->n->hostname &&
	    sethostname(m->n->hostname, strlen(m->n->hostname)) < 0)
		give_up(m, "set hostname", m->n->hostname);
	for (size_t i = 0; i < m->n_sysctls; i++)
		write_sysctl(m, &m->sysctls[i]);
	for (int i = 0; i < KINDS; i++) {
		if (!m->pins[i])
			continue;
		m->fds[i] = open(kinds[i].link, O_RDONLY | O_CLOEXEC);
		if (m->fds[i] < 0)
			give_up(m, "open namespace", kinds[i].name);
	}
	_exit(0);
}

/* in_holder() - neither call fails, so errno, which is our starter's, stays untouched. */
static int in_holder(void *data)
{
	const int *pipe_fds = data;
	char c;

	close(pipe_fds[1]);
	while (read(pipe_fds[0], &c, 1) > 0)
		;
	_exit(0);
}

/* --- clone ------------------------------------------------------------------------------------ */

/* clone_with() - start @fn on @stack with all signals blocked.  Return: pid or -errno. */
static pid_t clone_with(int (*fn)(void *data), char *stack, int flags, void *data)
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pid = clone(fn, stack + STACK_BYTES, flags | CLONE_VM | SIGCHLD, data);
	if (pid < 0)
		pid = -errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid;
}

static char *new_stack(void)
{
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (stack == MAP_FAILED)
		return NULL;
	spawn_unpoison(stack, STACK_BYTES);
	return stack;
}

static void reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int run_maker(struct maker *m, struct error *err)
{
	char *stack = new_stack();
	pid_t pid;

	if (!stack)
		return error_errno(err, ENOMEM, "make namespaces: stack");
	pid = clone_with(in_maker, stack, CLONE_VFORK | CLONE_FILES, m);
	if (pid > 0)
		reap(pid);
	munmap(stack, STACK_BYTES);
	if (pid < 0)
		return error_errno(err, -pid, "make namespaces: clone");
	if (m->errnum == ENOSPC && str_eq(m->step, "make namespace"))
		return error_errno(err, ENOSPC,
				   "%s %s: limit reached, raise user.max_%s_namespaces", m->step,
				   m->object, m->object);
	if (m->errnum)
		return error_errno(err, m->errnum, "%s %s", m->step, m->object);
	return 0;
}

/* --- user namespace --------------------------------------------------------------------------- */

static int write_map(pid_t holder, const char *file, const struct id_mapping *map,
		     struct error *err)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", holder, file);
	snprintf(text, sizeof(text), "%u %u %u", map->container_id, map->host_id, map->length);
	if (fd_write_file(AT_FDCWD, path, text, err) < 0)
		return error_wrap(err, "user namespace: %s", file);
	return 0;
}

static int set_up_user(const struct namespaces *n, pid_t holder, int *ret_fd, struct error *err)
{
	char path[64];
	int rc = write_map(holder, "uid_map", &n->uid_map, err);

	if (rc == 0)
		rc = write_map(holder, "gid_map", &n->gid_map, err);
	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", holder);
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? error_errno(err, errno, "open namespace user") : 0;
}

/* make_user() - a mapped user namespace as a descriptor. */
static int make_user(const struct namespaces *n, int *ret_fd, struct error *err)
{
	char *stack = new_stack();
	int pipe_fds[2], rc;
	pid_t pid;

	if (!stack || pipe2(pipe_fds, O_CLOEXEC) < 0) {
		if (stack)
			munmap(stack, STACK_BYTES);
		return error_errno(err, errno, "make namespace user");
	}
	pid = clone_with(in_holder, stack, CLONE_NEWUSER, pipe_fds);
	if (pid < 0)
		rc = error_errno(err, -pid, "make namespace user%s",
				 pid == -ENOSPC ? ": limit reached, raise user.max_user_namespaces"
						: "");
	else
		rc = set_up_user(n, pid, ret_fd, err);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	if (pid > 0)
		reap(pid);
	munmap(stack, STACK_BYTES);
	return rc;
}

/* --- pins ------------------------------------------------------------------------------------- */

int namespaces_unpin(const char *path, struct error *err)
{
	/* EINVAL: a plain file, left between its creation and the mount */
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
		return error_errno(err, errno, "unmount %s", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return error_errno(err, errno, "remove %s", path);
	return 0;
}

static int pin(int fd, const char *path, struct error *err)
{
	char source[48];
	int file, rc = namespaces_unpin(path, err); /* what a killed server left */

	if (rc < 0)
		return rc;
	file = open(path, O_CREAT | O_EXCL | O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0444);
	if (file < 0)
		return error_errno(err, errno, "create %s", path);
	close(file);
	snprintf(source, sizeof(source), "/proc/self/fd/%d", fd);
	if (mount(source, path, NULL, MS_BIND, NULL) < 0) {
		rc = error_errno(err, errno, "pin namespace at %s", path);
		unlink(path);
	}
	return rc;
}

/* pin_all() - each at its path, or none. */
static int pin_all(struct maker *m, struct error *err)
{
	const char *paths[] = { m->n->user, m->pins[NET], m->pins[IPC], m->pins[UTS] };
	const int fds[] = { m->user_fd, m->fds[NET], m->fds[IPC], m->fds[UTS] };
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (!paths[i])
			continue;
		rc = pin(fds[i], paths[i], err);
		if (rc < 0) {
			while (i-- > 0)
				if (paths[i])
					namespaces_unpin(paths[i], NULL);
			break;
		}
	}
	return rc;
}

/* --- together --------------------------------------------------------------------------------- */

/*
 * make_in_user() - changing ids marks the memory, which is ours, as not dumpable.  That is put
 * back, and the lock keeps two makers from mistaking each other's mark for ours.
 */
static int make_in_user(struct maker *m, struct error *err)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int dumpable, rc = make_user(m->n, &m->user_fd, err);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&lock);
	dumpable = prctl(PR_GET_DUMPABLE);
	rc = run_maker(m, err);
	if (dumpable == 1)
		prctl(PR_SET_DUMPABLE, 1);
	pthread_mutex_unlock(&lock);
	return rc;
}

int namespaces_create(const struct namespaces *n, struct error *err)
{
	struct maker m = {
		.n = n,
		.pins = { [NET] = n->net, [IPC] = n->ipc, [UTS] = n->uts },
		.user_fd = -1,
		.fds = { -1, -1, -1 },
	};
	int rc = check(&m, err);

	if (rc == 0 && (n->user || n->net || n->ipc || n->uts)) {
		rc = n->user ? make_in_user(&m, err) : run_maker(&m, err);
		if (rc == 0)
			rc = pin_all(&m, err);
	}
	close_fd(&m.user_fd);
	for (int i = 0; i < KINDS; i++)
		close_fd(&m.fds[i]);
	for (size_t i = 0; i < m.n_sysctls; i++)
		free(m.sysctls[i].path);
	free(m.sysctls);
	return rc;
}

static bool names(const struct strlist *sysctls, const char *name)
{
	char *path cleanup_free = sysctl_path(name, strlen(name));

	for (size_t i = 0; i < sysctls->count; i++) {
		const char *s = sysctls->items[i];
		char *other cleanup_free = sysctl_path(s, strcspn(s, "="));

		if (str_eq(path, other))
			return true;
	}
	return false;
}

/* Group 2147483647 exists only outside of user namespaces: there, all that are mapped. */
void namespaces_default_sysctls(const struct namespaces *n, struct strlist *sysctls)
{
	static const char port[] = "net.ipv4.ip_unprivileged_port_start";
	static const char ping[] = "net.ipv4.ping_group_range";
	uint32_t first = n->user ? n->gid_map.container_id : 0;
	uint32_t last = n->user ? first + n->gid_map.length - 1 : INT32_MAX;

	if (!n->net)
		return;
	if (!names(sysctls, port))
		strlist_addf(sysctls, "%s=0", port);
	if (!names(sysctls, ping))
		strlist_addf(sysctls, "%s=%u %u", ping, first, MIN(last, (uint32_t)INT32_MAX));
}

int namespaces_prepare_dir(const char *dir, struct error *err)
{
	struct statx st;

	if (statx(AT_FDCWD, dir, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) < 0)
		return error_errno(err, errno, "stat %s", dir);
	if (!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT) &&
	    mount(dir, dir, NULL, MS_BIND, NULL) < 0)
		return error_errno(err, errno, "bind %s on itself", dir);
	if (mount(NULL, dir, NULL, MS_PRIVATE, NULL) < 0)
		return error_errno(err, errno, "make the mount at %s private", dir);
	return 0;
}
