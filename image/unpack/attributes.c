/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owner, mode, xattrs and times of unpacked entries.
 *
 * The order matters: chown clears setuid bits and security.capability, every change moves the
 * times.  Of xattrs we take user.*, POSIX ACLs and file capabilities.  Dropped are the marks of
 * overlayfs (a layer must not forge ours), trusted.* (nobody who unpacks may set them), labels
 * of the host's security modules, and anything else.
 */
#include "image/unpack/attributes.h"

#include <archive_entry.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/mem.h"
#include "base/str.h"

#define XATTRS_MAX 1024

static bool wanted(const char *name)
{
	static const char *const exact[] = { "security.capability", "system.posix_acl_access",
					     "system.posix_acl_default" };

	for (size_t i = 0; i < ARRAY_LEN(exact); i++)
		if (str_eq(name, exact[i]))
			return true;
	return str_has_prefix(name, "user.") && !str_has_prefix(name, "user.overlay.");
}

static int set_xattrs(int fd, struct archive_entry *e, struct error *err)
{
	int count = archive_entry_xattr_reset(e);
	const char *name;
	const void *value;
	size_t size;

	if (count > XATTRS_MAX)
		return error_set(err, E2BIG, "%d extended attributes, more than %d", count,
				 XATTRS_MAX);
	while (count > 0 && archive_entry_xattr_next(e, &name, &value, &size) == 0) {
		if (!name || !wanted(name))
			continue;
		if (fsetxattr(fd, name, value, size, 0) == 0)
			continue;
		/* Without user.* or ACLs a program runs; without its capability it does not. */
		if (errno == EOPNOTSUPP && !str_eq(name, "security.capability"))
			continue;
		return error_errno(err, errno, "set extended attribute %.100s", name);
	}
	return 0;
}

/* owner() - an id of the archive as the kernel's; -1 would mean "leave alone". */
static int owner(struct archive_entry *e, uid_t *uid, gid_t *gid, struct error *err)
{
	int64_t u = archive_entry_uid(e), g = archive_entry_gid(e);

	if (u < 0 || u >= UINT32_MAX || g < 0 || g >= UINT32_MAX)
		return error_set(err, ERANGE, "owner %lld:%lld does not fit in 32 bits",
				 (long long)u, (long long)g);
	*uid = (uid_t)u;
	*gid = (gid_t)g;
	return 0;
}

int attributes_of_fd(int fd, struct archive_entry *e, struct error *err)
{
	uid_t uid = 0;
	gid_t gid = 0;
	int rc = owner(e, &uid, &gid, err);

	if (rc < 0)
		return rc;
	if (fchown(fd, uid, gid) < 0)
		return error_errno(err, errno, "chown to %u:%u", uid, gid);
	if (fchmod(fd, archive_entry_mode(e) & 07777) < 0)
		return error_errno(err, errno, "chmod");
	return set_xattrs(fd, e, err);
}

int attributes_of_name(int dirfd, const char *name, struct archive_entry *e, struct error *err)
{
	struct timespec times[2];
	uid_t uid = 0;
	gid_t gid = 0;
	int rc = owner(e, &uid, &gid, err);

	if (rc < 0)
		return rc;
	if (fchownat(dirfd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, errno, "chown to %u:%u", uid, gid);
	if (archive_entry_filetype(e) != AE_IFLNK &&
	    fchmodat(dirfd, name, archive_entry_mode(e) & 07777, 0) < 0)
		return error_errno(err, errno, "chmod");
	attributes_times(e, times);
	if (utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, errno, "set times");
	return 0;
}

/* Nanoseconds are the archive's text: beyond their range the kernel would read commands. */
static long nanoseconds(long ns)
{
	return ns >= 0 && ns < 1000000000L ? ns : 0;
}

void attributes_times(struct archive_entry *e, struct timespec times[2])
{
	times[1].tv_sec = archive_entry_mtime(e);
	times[1].tv_nsec = nanoseconds(archive_entry_mtime_nsec(e));
	times[0] = times[1];
	if (archive_entry_atime_is_set(e)) {
		times[0].tv_sec = archive_entry_atime(e);
		times[0].tv_nsec = nanoseconds(archive_entry_atime_nsec(e));
	}
}
