/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces against the real kernel: pins, sysctls, user maps, undo.
 */
#include "runtimes/namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "tests/unit/tap.h"

#define NSFS_MAGIC 0x6e736673

static char dir[64];

static bool is_pin(const char *path)
{
	struct statfs s;

	return statfs(path, &s) == 0 && s.f_type == NSFS_MAGIC;
}

/* inside() - first line of @file as seen from the namespaces at @paths (NULL-terminated). */
static const char *inside(const char *const *paths, const char *file)
{
	static char text[256];
	int p[2];
	ssize_t n;
	pid_t pid;

	if (pipe(p) < 0)
		return "pipe";
	pid = fork();
	if (pid == 0) {
		for (; *paths; paths++)
			if (setns(open(*paths, O_RDONLY), 0) < 0)
				_exit(1);
		n = read(open(file, O_RDONLY), text, sizeof(text));
		_exit(n > 0 && write(p[1], text, (size_t)n) == n ? 0 : 1);
	}
	close(p[1]);
	n = read(p[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	close(p[0]);
	waitpid(pid, NULL, 0);
	return text;
}

static void test_plain(void)
{
	const char *sysctls[] = { "net.core.somaxconn=777", "kernel.shm_rmid_forced=1",
				  "fs.mqueue.msg_max=21", "net/ipv4/ip_unprivileged_port_start=80",
				  NULL };
	char *net cleanup_free = path_join(dir, "net");
	char *ipc cleanup_free = path_join(dir, "ipc");
	char *uts cleanup_free = path_join(dir, "uts");
	struct namespaces n = {
		.net = net, .ipc = ipc, .uts = uts, .hostname = "bh-pod", .sysctls = sysctls
	};
	struct error err = ERROR_INIT;
	char before[65], after[65];

	gethostname(before, sizeof(before));
	if (!is_int(namespaces_create(&n, &err), 0, "net, ipc, uts with 4 sysctls are made"))
		printf("# %s\n", err.text);
	gethostname(after, sizeof(after));
	is_str(after, before, "our own hostname stays");
	ok(is_pin(net) && is_pin(ipc) && is_pin(uts), "all three are pinned");
	is_str(inside((const char *const[]){ uts, NULL }, "/proc/sys/kernel/hostname"), "bh-pod",
	       "hostname is set inside");
	is_str(inside((const char *const[]){ net, NULL }, "/proc/sys/net/core/somaxconn"), "777",
	       "net sysctl is set inside");
	is_str(inside((const char *const[]){ net, NULL },
		      "/proc/sys/net/ipv4/ip_unprivileged_port_start"),
	       "80", "a name with slashes works");
	is_str(inside((const char *const[]){ ipc, NULL }, "/proc/sys/fs/mqueue/msg_max"), "21",
	       "mqueue sysctl is set inside");
	is_str(inside((const char *const[]){ ipc, NULL }, "/proc/sys/kernel/shm_rmid_forced"), "1",
	       "ipc sysctl is set inside");
	is_int(namespaces_create(&n, &err), 0, "pins that a killed server left are replaced");
	is_int(namespaces_unpin(net, &err), 0, "unpin");
	ok(!path_exists(net), "unpinning removes the mount point");
	is_int(namespaces_unpin(net, &err), 0, "unpin again is fine");
	namespaces_unpin(ipc, NULL);
	namespaces_unpin(uts, NULL);
}

static void test_user(void)
{
	struct strlist list cleanup_strlist = { 0 };
	char *net cleanup_free = path_join(dir, "net");
	char *ipc cleanup_free = path_join(dir, "ipc");
	char *user cleanup_free = path_join(dir, "user");
	struct namespaces n = { .net = net,
				.ipc = ipc,
				.user = user,
				.uid_map = { 100000, 0, 65536 },
				.gid_map = { 200000, 0, 65536 } };
	struct error err = ERROR_INIT;

	strlist_add(&list, "kernel.shm_rmid_forced=1");
	namespaces_default_sysctls(&n, &list);
	n.sysctls = (const char *const *)list.items;
	if (!is_int(namespaces_create(&n, &err), 0, "with a user namespace"))
		printf("# %s\n", err.text);
	is_int(prctl(PR_GET_DUMPABLE), 1, "we stay dumpable");
	is_int(geteuid(), 0, "and root");
	is_str(inside((const char *const[]){ user, NULL }, "/proc/self/uid_map"),
	       "         0     100000      65536", "uid map");
	is_str(inside((const char *const[]){ user, NULL }, "/proc/self/gid_map"),
	       "         0     200000      65536", "gid map");
	is_str(inside((const char *const[]){ user, net, NULL },
		      "/proc/sys/net/ipv4/ping_group_range"),
	       "0\t65535",
	       "the ping range is cut to the mapped groups, and the namespace owns net");
	is_str(inside((const char *const[]){ user, ipc, NULL }, "/proc/sys/kernel/shm_rmid_forced"),
	       "1", "ipc sysctl");
	namespaces_unpin(net, NULL);
	namespaces_unpin(ipc, NULL);
	namespaces_unpin(user, NULL);
}

static void refused(const char *sysctl, const char *why)
{
	char *net cleanup_free = path_join(dir, "net");
	const char *sysctls[] = { "net.core.somaxconn=77", sysctl, NULL };
	struct namespaces n = { .net = net, .sysctls = sysctls };
	struct error err = ERROR_INIT;

	ok(namespaces_create(&n, &err) < 0 && strstr(err.text, why), "'%s': %s", sysctl, err.text);
	ok(!path_exists(net), "nothing is left");
}

static void test_refusals(void)
{
	char *net cleanup_free = path_join(dir, "net");
	char *bad cleanup_free = path_join(dir, "absent/ipc");
	struct namespaces n = { .net = net, .ipc = bad };
	struct error err = ERROR_INIT;

	refused("kernel.panic=1", "not namespaced");
	refused("net/../kernel/panic=1", "not a name");
	refused("net.ipv4.no_such=1", "net.ipv4.no_such");
	refused("net.core.somaxconn=x", "net.core.somaxconn=x");
	refused("kernel.shm_rmid_forced=1", "host's ipc");
	refused("net.ipv4", "name=value");
	ok(namespaces_create(&n, &err) == -ENOENT && strstr(err.text, "absent/ipc"),
	   "a pin that cannot be made is named: %s", err.text);
	ok(!path_exists(net), "and the others are undone");
}

static void test_defaults(void)
{
	struct strlist list cleanup_strlist = { 0 };
	struct namespaces n = { .net = "/x" };

	strlist_add(&list, "net/ipv4/ping_group_range=5 6");
	namespaces_default_sysctls(&n, &list);
	is_int(list.count, 2, "a default that was asked for otherwise is left out");
	is_str(list.items[1], "net.ipv4.ip_unprivileged_port_start=0", "the other is added");
	n.net = NULL;
	namespaces_default_sysctls(&n, &list);
	is_int(list.count, 2, "on the host's network there are none");
}

static void test_prepare(void)
{
	struct statx st;
	struct error err = ERROR_INIT;

	is_int(namespaces_prepare_dir(dir, &err), 0, "prepare a directory");
	is_int(namespaces_prepare_dir(dir, &err), 0, "twice");
	statx(AT_FDCWD, dir, 0, STATX_TYPE, &st);
	ok(st.stx_attributes & STATX_ATTR_MOUNT_ROOT, "it is a mount now");
	umount2(dir, MNT_DETACH);
	statx(AT_FDCWD, dir, 0, STATX_TYPE, &st);
	ok(!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT), "one only");
}

int main(void)
{
	snprintf(dir, sizeof(dir), "/tmp/bh-test-ns-%d", getpid());
	if (geteuid() != 0) {
		skip("namespaces", "needs root");
		return tap_done();
	}
	mkdir(dir, 0755);
	test_plain();
	test_user();
	test_refusals();
	test_defaults();
	test_prepare();
	rmdir(dir);
	return tap_done();
}
