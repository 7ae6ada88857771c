/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owner, mode, xattrs and times of unpacked entries.
 *
 * The order matters: chown clears setuid bits and security.capability, every change moves the
 * times.  Of xattrs we take user.*, POSIX ACLs and file capabilities.  Dropped are the marks of
 * overlayfs (a layer must not forge ours), trusted.* (nobody who unpacks may set them), labels
 * of the host's security modules, and anything else.
 *
 * A change of an inode costs as much as making it, so what a new file has already is not set
 * again.  That holds as long as directories pass nothing on to what is made in them: a setgid
 * bit or a default ACL would.  So directories are plain until the layer's end, and what they are
 * to be is saved: {struct saved, path, NUL, xattrs: {name, NUL, uint32_t size, value} ...}.
 */
#include "image/unpack/attributes.h"

#include <archive_entry.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"

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

/* Without user.* or ACLs a program runs; without its capability it does not. */
static int set_xattr(int fd, const char *name, const void *value, size_t size, struct error *err)
{
	if (fsetxattr(fd, name, value, size, 0) == 0 ||
	    (errno == EOPNOTSUPP && !str_eq(name, "security.capability")))
		return 0;
	return error_errno(err, errno, "set extended attribute %.100s", name);
}

/* next_xattr() - the next one that is taken, or false. */
static bool next_xattr(struct archive_entry *e, const char **name, const void **value, size_t *size)
{
	while (archive_entry_xattr_next(e, name, value, size) == 0)
		if (*name && wanted(*name))
			return true;
	return false;
}

static int first_xattr(struct archive_entry *e, struct error *err)
{
	int count = archive_entry_xattr_reset(e);

	if (count > XATTRS_MAX)
		return error_set(err, E2BIG, "%d extended attributes, more than %d", count,
				 XATTRS_MAX);
	return count;
}

static int set_xattrs(int fd, struct archive_entry *e, struct error *err)
{
	int count = first_xattr(e, err), rc = MIN(count, 0);
	const char *name;
	const void *value;
	size_t size;

	while (rc == 0 && count > 0 && next_xattr(e, &name, &value, &size))
		rc = set_xattr(fd, name, value, size, err);
	return rc;
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

int attributes_of_file(int fd, struct archive_entry *e, struct error *err)
{
	const mode_t special = archive_entry_mode(e) & 07000;
	struct timespec times[2];
	uid_t uid = 0;
	gid_t gid = 0;
	int rc = owner(e, &uid, &gid, err);

	if (rc < 0)
		return rc;
	if ((uid != geteuid() || gid != getegid()) && fchown(fd, uid, gid) < 0)
		return error_errno(err, errno, "chown to %u:%u", uid, gid);
	if (special && fchmod(fd, archive_entry_mode(e) & 07777) < 0)
		return error_errno(err, errno, "chmod");
	rc = set_xattrs(fd, e, err);
	attributes_times(e, times);
	if (rc == 0 && futimens(fd, times) < 0)
		return error_errno(err, errno, "set times");
	return rc;
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

/* --- directories ------------------------------------------------------------------------------ */

struct saved {
	struct timespec times[2];
	uid_t uid;
	gid_t gid;
	mode_t mode;
	uint32_t n_xattrs;
};

int attributes_save(struct strbuf *out, const char *path, struct archive_entry *e,
		    struct error *err)
{
	struct saved saved = { .mode = archive_entry_mode(e) & 07777 };
	size_t at = out->len;
	const char *name;
	const void *value;
	size_t size;
	int count, rc = owner(e, &saved.uid, &saved.gid, err);

	if (rc < 0)
		return rc;
	count = first_xattr(e, err);
	if (count < 0)
		return count;
	attributes_times(e, saved.times);
	strbuf_append(out, &saved, sizeof(saved));
	strbuf_append(out, path, strlen(path) + 1);
	while (count > 0 && next_xattr(e, &name, &value, &size)) {
		uint32_t bytes = (uint32_t)size;

		if (size > XATTR_SIZE_MAX)
			return error_set(err, E2BIG, "extended attribute %.100s of %zu bytes", name,
					 size);
		strbuf_append(out, name, strlen(name) + 1);
		strbuf_append(out, &bytes, sizeof(bytes));
		strbuf_append(out, value, size);
		saved.n_xattrs++;
	}
	memcpy(out->data + at, &saved, sizeof(saved));
	return 0;
}

const char *attributes_saved_path(const char *at)
{
	return at + sizeof(struct saved);
}

static int set_owner_and_mode(int fd, const struct saved *saved, struct error *err)
{
	bool given = false;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, errno, "stat");
	if (st.st_uid != saved->uid || st.st_gid != saved->gid) {
		if (fchown(fd, saved->uid, saved->gid) < 0)
			return error_errno(err, errno, "chown to %u:%u", saved->uid, saved->gid);
		given = true;
	}
	if ((given || (st.st_mode & 07777) != saved->mode) && fchmod(fd, saved->mode) < 0)
		return error_errno(err, errno, "chmod");
	return 0;
}

int attributes_restore(int fd, const char **at, struct error *err)
{
	const char *p = attributes_saved_path(*at);
	struct saved saved;
	int rc = 0;

	memcpy(&saved, *at, sizeof(saved));
	if (fd >= 0)
		rc = set_owner_and_mode(fd, &saved, err);
	p += strlen(p) + 1;
	for (uint32_t i = 0; i < saved.n_xattrs; i++) {
		const char *name = p;
		uint32_t size;

		p += strlen(p) + 1;
		memcpy(&size, p, sizeof(size));
		p += sizeof(size);
		if (fd >= 0 && rc == 0)
			rc = set_xattr(fd, name, p, size, err);
		p += size;
	}
	*at = p;
	if (fd >= 0 && rc == 0 && futimens(fd, saved.times) < 0)
		rc = error_errno(err, errno, "set times");
	return rc;
}
