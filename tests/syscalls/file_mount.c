/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount, umount2, pivot_root: who may not.  What they do, with rights that a container does not
 * have, tests/unit/runtimes/sentry/vfs/names_test.c shows.
 */
#include <sys/mount.h>

#include "tests/syscalls/file_dirs.h"

int main(void)
{
	is(as_user(_exit(CALL(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL) != -EPERM)), 0,
	   "mount by a user: EPERM");
	is(as_user(_exit(CALL(SYS_mount, "/", "/tmp", NULL, MS_BIND, NULL) != -EPERM)), 0,
	   "a bind mount by a user: EPERM");
	is(as_user(_exit(CALL(SYS_mount, NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL) != -EPERM)),
	   0, "a remount by a user: EPERM");
	is(as_user(_exit(CALL(SYS_umount2, "/proc", MNT_DETACH) != -EPERM)), 0,
	   "umount2 by a user: EPERM");
	is(CALL(SYS_umount2, "/proc", 1 << 20), -EINVAL, "umount2: EINVAL");
	is(CALL(SYS_umount2, "/proc", MNT_EXPIRE | MNT_DETACH), -EINVAL,
	   "what contradicts: EINVAL");
	is(as_user(_exit(CALL(SYS_pivot_root, "/tmp", "/tmp") != -EPERM)), 0,
	   "pivot_root by a user: EPERM");
	return tap_done();
}
