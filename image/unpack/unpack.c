/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One layer archive into one directory.
 *
 *   in_fd -> inflate -> SHA-256 (a thread: feed.c) -> libarchive -> entries, each made anew
 *
 * libarchive only reads: its extractor is not used.  It runs in the "C" locale, where it hands
 * on the bytes of names as they are, with a warning; a UTF-8 locale would make it compose
 * accents (NFC) and so rename files.
 * After the archive's end mark the rest of the input is still read: it is part of the digest.
 */
#include "image/unpack/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/mem.h"
#include "base/str.h"
#include "image/unpack/attributes.h"
#include "image/unpack/feed.h"
#include "image/unpack/tree.h"

#define WHITEOUT	".wh."
#define WHITEOUT_META	".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"
#define DIR_NAMES_MAX	(256 << 20)

struct state {
	const struct unpack *u;
	struct unpack_result result;
	struct archive *archive;
	struct feed *feed;
	struct error stream; /* what ended the stream, if not its end */
	struct tree tree;
	struct strbuf dirs; /* what directories are to be at the end: attributes.c */
};

/* --- input ------------------------------------------------------------------------------------ */

static ssize_t read_piece(struct archive *a, void *data, const void **ret_data)
{
	struct state *s = data;
	ssize_t n = s->stream.code ? -1 : feed_next(s->feed, ret_data, &s->stream);

	if (n < 0)
		archive_set_error(a, EIO, "%s", s->stream.text);
	return n < 0 ? ARCHIVE_FATAL : n;
}

/* drain() - to the real end, for the digest. */
static int drain(struct state *s)
{
	const void *data;
	ssize_t n;

	do {
		n = feed_next(s->feed, &data, &s->stream);
	} while (n > 0);
	return (int)n;
}

static int archive_failed(struct state *s, struct error *err)
{
	const char *text = archive_error_string(s->archive);

	if (s->stream.code)
		return error_copy(err, &s->stream);
	return error_set(err, EBADMSG, "tar: %s", str_or(text, "corrupt archive"));
}

/* --- entries ---------------------------------------------------------------------------------- */

static int count_bytes(struct state *s, int64_t size, struct error *err)
{
	if (size < 0 || (uint64_t)size > s->u->max_bytes ||
	    s->result.bytes + (uint64_t)size > s->u->max_bytes)
		return error_set(err, EFBIG, "files of the layer are larger than %llu bytes",
				 (unsigned long long)s->u->max_bytes);
	s->result.bytes += ((uint64_t)size + 511) & ~511ULL;
	return 0;
}

static int write_at(int fd, const char *data, size_t len, off_t at)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, at);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
			at += n;
		}
	}
	return 0;
}

/* copy_data() - the entry's bytes; holes of sparse files stay holes. */
static int copy_data(struct state *s, int fd, int64_t size, struct error *err)
{
	const void *data;
	int64_t at, end = 0;
	size_t len;
	int rc;

	while ((rc = archive_read_data_block(s->archive, &data, &len, &at)) == ARCHIVE_OK) {
		if (len == 0)
			continue;
		if (at < 0 || at > size || len > (uint64_t)(size - at))
			return error_set(err, EBADMSG, "data beyond the size of the file");
		rc = write_at(fd, data, len, at);
		if (rc < 0)
			return error_errno(err, -rc, "write");
		end = MAX(end, at + (int64_t)len);
	}
	if (rc != ARCHIVE_EOF)
		return archive_failed(s, err);
	if (end < size && ftruncate(fd, size) < 0)
		return error_errno(err, errno, "set the size to %lld", (long long)size);
	return 0;
}

/*
 * make_new() - run @make, which must find nothing at @name.  Names in a layer are new as a rule,
 * so what is in the way is looked for only when something is.
 */
typedef int make_fn(int dirfd, const char *name, struct archive_entry *e);

static int make_new(struct state *s, make_fn *make, int dirfd, const char *name,
		    struct archive_entry *e, struct error *err)
{
	bool whiteout = false;
	int rc = make(dirfd, name, e);

	if (rc == -EEXIST) {
		rc = tree_remove(&s->tree, dirfd, name, &whiteout, err);
		if (rc < 0)
			return rc;
		rc = make(dirfd, name, e);
	}
	return rc < 0 ? error_errno(err, -rc, "create") : rc;
}

static int create_file(int dirfd, const char *name, struct archive_entry *e)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			archive_entry_mode(e) & 0777);

	return fd < 0 ? -errno : fd;
}

static int make_file(struct state *s, int dirfd, const char *name, struct archive_entry *e,
		     struct error *err)
{
	int64_t size = archive_entry_size(e);
	int rc = count_bytes(s, size, err);
	int fd cleanup_close = -1;

	if (rc < 0)
		return rc;
	rc = fd = make_new(s, create_file, dirfd, name, e, err);
	if (rc >= 0)
		rc = copy_data(s, fd, size, err);
	return rc < 0 ? rc : attributes_of_file(fd, e, err);
}

/* make_dir() - @path is "" for the layer's directory itself; it is plain until the end. */
static int make_dir(struct state *s, const char *path, struct archive_entry *e, struct error *err)
{
	int rc = 0;

	if (*path) {
		const char *name;
		int dirfd = tree_parent(&s->tree, path, &name, err);

		rc = dirfd < 0 ? dirfd : tree_mkdir(&s->tree, dirfd, name, err);
	}
	if (rc < 0)
		return rc;
	if (s->dirs.len > DIR_NAMES_MAX)
		return error_set(err, E2BIG, "too many directories");
	return attributes_save(&s->dirs, path, e, err);
}

static int make_hardlink(struct state *s, const char *path, const char *raw_target,
			 struct error *err)
{
	char target[PATH_MAX];
	const char *name, *target_name;
	int from cleanup_close = -1;
	bool whiteout = false;
	struct stat st;
	int dirfd, rc = tree_clean(raw_target, target, err);

	if (rc < 0)
		return error_wrap(err, "hard link target '%.200s'", raw_target);
	if (str_eq(target, path) || !*target)
		return error_set(err, EINVAL, "hard link to itself or to nothing");
	dirfd = tree_find(&s->tree, target, &target_name, err);
	if (dirfd < 0 || fstatat(dirfd, target_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    S_ISDIR(st.st_mode) || (S_ISCHR(st.st_mode) && st.st_rdev == 0))
		return error_set(err, ENOENT, "hard link target '%.200s' is not in the layer",
				 target);
	from = fcntl(dirfd, F_DUPFD_CLOEXEC, 3); /* tree_parent() below may drop it */
	dirfd = tree_parent(&s->tree, path, &name, err);
	if (from < 0 || dirfd < 0)
		return dirfd < 0 ? dirfd : error_errno(err, errno, "dup");
	rc = tree_remove(&s->tree, dirfd, name, &whiteout, err);
	if (rc == 0 && linkat(from, target_name, dirfd, name, 0) < 0)
		rc = error_errno(err, errno, "hard link to '%.200s'", target);
	return rc;
}

static int create_special(int dirfd, const char *name, struct archive_entry *e)
{
	const unsigned int type = archive_entry_filetype(e);
	const char *target = archive_entry_symlink(e);
	int rc;

	if (type == AE_IFLNK)
		rc = symlinkat(target, dirfd, name);
	else if (type == AE_IFIFO)
		rc = mknodat(dirfd, name, S_IFIFO | 0600, 0);
	else
		rc = mknodat(dirfd, name, (type == AE_IFCHR ? S_IFCHR : S_IFBLK) | 0600,
			     makedev(archive_entry_rdevmajor(e), archive_entry_rdevminor(e)));
	return rc < 0 ? -errno : 0;
}

/* make_special() - symlinks, fifos and devices.  Sockets cannot be in an archive. */
static int make_special(struct state *s, int dirfd, const char *name, struct archive_entry *e,
			struct error *err)
{
	const unsigned int type = archive_entry_filetype(e);
	int rc;

	if (type == AE_IFLNK && str_empty(archive_entry_symlink(e)))
		return error_set(err, EINVAL, "symbolic link to nothing");
	if (type != AE_IFLNK && type != AE_IFIFO && type != AE_IFCHR && type != AE_IFBLK)
		return error_set(err, EINVAL, "unknown kind of entry");
	rc = make_new(s, create_special, dirfd, name, e, err);
	return rc < 0 ? rc : attributes_of_name(dirfd, name, e, err);
}

/* make_whiteout() - what @path, whose last name begins with ".wh.", says. */
static int make_whiteout(struct state *s, const char *path, struct error *err)
{
	const char *name, *gone;
	int dirfd = tree_parent(&s->tree, path, &name, err);

	if (dirfd < 0)
		return dirfd;
	if (str_eq(name, WHITEOUT_OPAQUE))
		return tree_opaque(dirfd, err);
	if (str_has_prefix(name, WHITEOUT_META))
		return 0; /* other notes of aufs */
	gone = name + strlen(WHITEOUT);
	if (!*gone || str_eq(gone, ".") || str_eq(gone, ".."))
		return error_set(err, EINVAL, "a whiteout of no name");
	return tree_whiteout(dirfd, gone, err);
}

static bool is_device_whiteout(struct archive_entry *e)
{
	return archive_entry_filetype(e) == AE_IFCHR && archive_entry_rdev(e) == 0;
}

static int make_entry(struct state *s, const char *path, struct archive_entry *e, struct error *err)
{
	const char *hardlink = archive_entry_hardlink(e);
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	int dirfd;

	if (str_has_prefix(path, WHITEOUT_META) || strstr(path, "/" WHITEOUT_META))
		if (!str_eq(name, WHITEOUT_OPAQUE))
			return 0; /* .wh..wh.plnk/... of aufs */
	if (str_has_prefix(name, WHITEOUT))
		return make_whiteout(s, path, err);
	if (hardlink)
		return make_hardlink(s, path, hardlink, err);
	if (archive_entry_filetype(e) == AE_IFDIR)
		return make_dir(s, path, e, err);
	if (!*path)
		return error_set(err, EINVAL, "the layer's root is not a directory");
	dirfd = tree_parent(&s->tree, path, &name, err);
	if (dirfd < 0)
		return dirfd;
	if (is_device_whiteout(e)) /* as some tools write them */
		return tree_whiteout(dirfd, name, err);
	if (archive_entry_filetype(e) == AE_IFREG)
		return make_file(s, dirfd, name, e, err);
	return make_special(s, dirfd, name, e, err);
}

/* printable() - a name for a message of one line. */
static const char *printable(const char *raw, char out[256])
{
	size_t i = 0;

	for (; raw[i] && i < 255; i++)
		out[i] = (unsigned char)raw[i] < ' ' || raw[i] == 0x7f || raw[i] == '"' ? '?'
											: raw[i];
	out[i] = '\0';
	return out;
}

static int take_entry(struct state *s, struct archive_entry *e, struct error *err)
{
	const char *raw = archive_entry_pathname(e);
	char path[PATH_MAX], shown[256];
	int rc;

	if (str_empty(raw))
		return error_set(err, EINVAL, "an entry without a name");
	if (++s->result.inodes > UNPACK_MAX_ENTRIES)
		return error_set(err, E2BIG, "more than %d entries", UNPACK_MAX_ENTRIES);
	rc = tree_clean(raw, path, err);
	if (rc == 0)
		rc = make_entry(s, path, e, err);
	if (rc < 0)
		return error_wrap(err, "entry \"%s\"", printable(raw, shown));
	return 0;
}

/* --- the whole layer -------------------------------------------------------------------------- */

/* header_ok() - of warnings only the one about character sets is harmless (see above). */
static bool header_ok(struct state *s, int code)
{
	const char *text = archive_error_string(s->archive);

	return code == ARCHIVE_OK ||
	       (code == ARCHIVE_WARN && text && strstr(text, "can't be converted"));
}

static int read_entries(struct state *s, struct error *err)
{
	struct archive_entry *e;
	int code, rc = 0;

	while (rc == 0 && (code = archive_read_next_header(s->archive, &e)) != ARCHIVE_EOF)
		rc = header_ok(s, code) ? take_entry(s, e, err) : archive_failed(s, err);
	if (rc == 0 && drain(s) < 0)
		rc = error_copy(err, &s->stream);
	return rc;
}

static int finish_dirs(struct state *s, struct error *err)
{
	const char *p = s->dirs.data, *end = p ? p + s->dirs.len : p;
	int rc = 0;

	while (p < end && rc == 0) {
		const char *path = attributes_saved_path(p);
		/* -1 where a later entry has replaced it */
		int fd cleanup_close = tree_open_dir(&s->tree, path, NULL);

		rc = attributes_restore(fd, &p, err);
		if (rc < 0)
			error_wrap(err, "directory '%.200s'", path);
	}
	return rc;
}

static int finish_layer(struct state *s, struct error *err)
{
	int rc = finish_dirs(s, err);

	if (rc < 0)
		return rc;
	feed_digest(s->feed, s->result.diff_id);
	if (!str_eq(s->result.diff_id, s->u->diff_id))
		return error_set(err, EBADMSG, "diff_id mismatch: expected %s, got %s",
				 s->u->diff_id, s->result.diff_id);
	if (s->u->sync && syncfs(s->u->root_fd) < 0)
		return error_errno(err, errno, "sync the layer");
	return 0;
}

static int open_archive(struct state *s, struct error *err)
{
	s->archive = archive_read_new();
	if (!s->archive)
		return error_set(err, ENOMEM, "tar: out of memory");
	archive_read_support_format_tar(s->archive);
	archive_read_support_format_empty(s->archive);
	if (archive_read_open(s->archive, s, NULL, read_piece, NULL) != ARCHIVE_OK)
		return archive_failed(s, err);
	return 0;
}

int unpack_layer(const struct unpack *u, struct unpack_result *ret, struct error *err)
{
	struct state s = { .u = u };
	int rc;

	if (!digest_valid(u->diff_id) || !str_has_prefix(u->diff_id, "sha256:"))
		return error_set(err, EINVAL, "diff_id '%.100s' is not sha256:<64 hex>",
				 u->diff_id ? u->diff_id : "");
	tree_init(&s.tree, u->root_fd);
	if (fchmod(u->root_fd, 0755) < 0) /* nothing is passed on from it */
		return error_errno(err, errno, "chmod the layer's directory");
	rc = feed_open(u->in_fd, u->media_type, u->max_bytes, &s.feed, err);
	if (rc == 0)
		rc = open_archive(&s, err);
	if (rc == 0)
		rc = read_entries(&s, err);
	if (rc == 0)
		rc = finish_layer(&s, err);
	if (rc == 0)
		*ret = s.result;
	archive_read_free(s.archive);
	feed_close(s.feed);
	tree_finish(&s.tree);
	strbuf_finish(&s.dirs);
	return rc;
}
