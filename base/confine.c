/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host calls behind it; the filter is in confine_calls.c.  Order matters: what a later step
 * needs, an earlier one keeps.
 */
#include "base/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int confine_empty_root(struct error *err)
{
	if (mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(err, errno, "make the mounts private");
	if (mount("none", "/tmp", "tmpfs", MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC,
		  "size=4k,mode=555") < 0)
		return error_errno(err, errno, "mount an empty root");
	if (chdir("/tmp") < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return error_errno(err, errno, "enter the empty root");
	return 0;
}

int confine_bounding(uint32_t keep, struct error *err)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if ((cap > 31 || !(keep >> cap & 1)) && prctl(PR_CAPBSET_DROP, cap) < 0 &&
		    errno != EPERM)
			return error_errno(err, errno, "drop capability %d", cap);
	return 0;
}

int confine_rights(uint32_t keep, struct error *err)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { keep, keep, 0 }, { 0, 0, 0 } };
	struct rlimit no_core = { 0, 0 };
	int rc;

	rc = confine_bounding(keep, err);
	if (rc < 0)
		return rc;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &head, data) < 0)
		return error_errno(err, errno, "drop capabilities");
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, errno, "set no_new_privs");
	return setrlimit(RLIMIT_CORE, &no_core) < 0 ? error_errno(err, errno, "forbid core files")
						    : 0;
}
