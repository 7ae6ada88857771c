/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `bulkhead check`: the kernel's features, mounts and security modules.
 *
 * System calls are tried with arguments that cannot succeed: ENOSYS tells that one is missing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "cri/tool/check.h"

#define MOUNTINFO_MAX (16 << 20)

static bool has_syscall(long number)
{
	return syscall(number, -1, -1, -1, -1, -1) >= 0 || errno != ENOSYS;
}

static void check_syscalls(struct check_report *r)
{
	static const struct {
		long number;
		const char *name, *since;
	} needed[] = {
		{ SYS_pidfd_open, "pidfd_open", "5.3" },
		{ SYS_openat2, "openat2", "5.6" },
		{ SYS_fsopen, "fsopen", "5.2" },
		{ SYS_move_mount, "move_mount", "5.2" },
		{ SYS_mount_setattr, "mount_setattr", "5.12" },
	};
	struct strbuf missing cleanup_strbuf = { 0 };
	struct utsname u = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (!has_syscall(needed[i].number))
			strbuf_printf(&missing, " %s (Linux %s)", needed[i].name, needed[i].since);
	uname(&u);
	if (missing.len > 0)
		check_fail(r, "kernel", "run Linux 5.12 or newer", "%s lacks%s", u.release,
			   missing.data);
	else
		check_ok(r, "kernel", "%s: pidfds, openat2, detached and idmapped mounts",
			 u.release);
}

/* fsopen() also loads the module, as the first pod would. */
static void check_overlay(struct check_report *r)
{
	int fd cleanup_close = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);

	if (fd >= 0)
		check_ok(r, "overlay", "available");
	else if (errno == EPERM)
		check_warn(r, "overlay", "run it as root", "cannot be tried");
	else
		check_fail(r, "overlay", "modprobe overlay, or CONFIG_OVERLAY_FS in the kernel",
			   "the overlay file system is missing: %s", strerror(errno));
}

static void check_user_namespaces(struct check_report *r)
{
	char max[32];

	check_read("/proc/sys/user/max_user_namespaces", max, sizeof(max));
	if (!path_exists("/proc/self/ns/user"))
		check_warn(r, "userns", "CONFIG_USER_NS in the kernel",
			   "no user namespaces: pods with hostUsers: false are refused");
	else if (str_eq(max, "0"))
		check_warn(r, "userns", "sysctl -w user.max_user_namespaces=10000",
			   "user.max_user_namespaces is 0: pods with hostUsers: false are refused");
	else
		check_ok(r, "userns", "available, at most %s", str_or(max, "unknown"));
}

static void check_seccomp(struct check_report *r)
{
	if (path_exists("/proc/sys/kernel/seccomp/actions_avail"))
		check_ok(r, "seccomp", "filters are available");
	else
		check_fail(r, "seccomp", "CONFIG_SECCOMP_FILTER in the kernel",
			   "no seccomp filters: containers cannot be confined");
}

void check_kernel(struct check_report *r)
{
	check_syscalls(r);
	check_overlay(r);
	check_user_namespaces(r);
	check_seccomp(r);
}

/* --- mounts ----------------------------------------------------------------------------------- */

/* Whether mountinfo says that the topmost mount on "/" is shared: "... / / rw shared:1 - ext4". */
static bool root_is_shared(const char *mountinfo)
{
	const char *line = mountinfo;
	bool shared = false;

	while (line && *line) {
		const char *end = strchrnul(line, '\n');
		char *copy cleanup_free = xstrndup(line, (size_t)(end - line));
		char point[4096];

		if (sscanf(copy, "%*s %*s %*s %*s %4095s", point) == 1 && str_eq(point, "/")) {
			char *dash = strstr(copy, " - ");

			if (dash)
				*dash = '\0';
			shared = strstr(copy, " shared:");
		}
		line = *end ? end + 1 : NULL;
	}
	return shared;
}

static bool same_mount_namespace(void)
{
	char own[64] = "", init[64] = "";

	return readlink("/proc/self/ns/mnt", own, sizeof(own) - 1) > 0 &&
	       readlink("/proc/1/ns/mnt", init, sizeof(init) - 1) > 0 && str_eq(own, init);
}

void check_mounts(struct check_report *r)
{
	struct strbuf info cleanup_strbuf = { 0 };

	if (fd_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &info, NULL) == 0 &&
	    root_is_shared(info.data))
		check_ok(r, "propagation", "/ is a shared mount");
	else
		check_warn(r, "propagation", "mount --make-rshared /",
			   "/ is not a shared mount: Bidirectional and HostToContainer volumes are "
			   "refused");
	if (same_mount_namespace())
		check_ok(r, "mount ns", "the same as pid 1's");
	else
		check_warn(
			r, "mount ns",
			"start the server without PrivateMounts=, PrivateTmp=, ProtectSystem=",
			"not the same as pid 1's: volumes that the kubelet mounts may not be seen");
}

/* --- security modules ------------------------------------------------------------------------- */

void check_security(struct check_report *r)
{
	char state[16];

	check_read("/sys/module/apparmor/parameters/enabled", state, sizeof(state));
	if (state[0] == 'Y')
		check_ok(r, "apparmor", "on");
	else
		check_ok(r, "apparmor", "off: pods that ask for a profile are refused");
	check_read("/sys/fs/selinux/enforce", state, sizeof(state));
	if (state[0])
		check_ok(r, "selinux", "%s", state[0] == '1' ? "enforcing" : "permissive");
	else
		check_ok(r, "selinux", "off");
}
