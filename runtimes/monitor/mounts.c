/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pod's mounts, and those of one run of the runtime.
 */
#include "runtimes/monitor/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"

int mounts_init(struct monitor *m, struct error *err)
{
	m->host_mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (m->host_mounts < 0)
		return error_errno(err, errno, "open the host's mount namespace");
	if (unshare(CLONE_NEWNS) < 0)
		return error_errno(err, errno, "make a mount namespace");
	/* what the host unmounts must not live on in our copy, where it tells us */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return error_errno(err, errno, "make our mounts slaves of the host's");
	return 0;
}

/* Below our working directory, never through a symlink or out of it. */
static int open_target(const char *target, struct error *err)
{
	int fd;

	if (path_mkdirs(target, 0755, err) < 0)
		return err->code;
	fd = path_open_below(AT_FDCWD, target, O_PATH | O_DIRECTORY, 0);
	return fd < 0 ? error_errno(err, -fd, "mount target %s", target) : fd;
}

static int attach(const char *target, int mount_fd, struct error *err)
{
	int at cleanup_close = open_target(target, err);

	if (at < 0)
		return at;
	if (move_mount(mount_fd, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return error_errno(err, errno, "attach mount at %s", target);
	return 0;
}

int mounts_add(struct monitor *m, Monitor__Mount *const *mounts, size_t count, const int *fds,
	       struct error *err)
{
	size_t before = m->mounts.count;
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		rc = attach(mounts[i]->target, fds[i], err);
		if (rc == 0)
			strlist_add(&m->mounts, mounts[i]->target);
	}
	while (rc < 0 && m->mounts.count > before) {
		char *last = m->mounts.items[--m->mounts.count];

		if (umount2(last, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			log_warn("unmount %s: %s", last, strerror(errno));
		m->mounts.items[m->mounts.count] = NULL;
		free(last);
	}
	return rc;
}

int mounts_of_run(struct monitor *m, Monitor__Mount *const *want, size_t count, const int *fds,
		  struct run_mounts *ret, struct error *err)
{
	*ret = (struct run_mounts){ 0 };
	ret->list = xcalloc(m->mounts.count + count + 1, sizeof(*ret->list));
	for (size_t i = 0; i < m->mounts.count; i++) {
		const char *target = m->mounts.items[i];
		int fd = open_tree(AT_FDCWD, target, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

		if (fd < 0)
			return error_errno(err, errno, "copy the mount at %s", target);
		ret->list[ret->count++] = (struct spawn_mount){ fd, target };
		ret->n_pod++;
	}
	for (size_t i = 0; i < count; i++) {
		if (path_mkdirs(want[i]->target, 0755, err) < 0)
			return err->code;
		ret->list[ret->count++] = (struct spawn_mount){ fds[i], want[i]->target };
	}
	return 0;
}

void mounts_finish(struct run_mounts *r)
{
	for (size_t i = 0; i < r->n_pod; i++)
		close(r->list[i].fd);
	free(r->list);
}
