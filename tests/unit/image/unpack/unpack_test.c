/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers into a directory: every kind of entry, marks, and archives that lie.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "tests/unit/image/unpack/tar.h"
#include "tests/unit/tap.h"

static char top[] = "/tmp/unpack-test-XXXXXX";
static int root = -1; /* the layer of the running check */

/* fresh() - an empty layer's directory, also the current one. */
static void fresh(void)
{
	close_fd(&root);
	if (chdir(top) < 0 || path_remove_tree(AT_FDCWD, "layer", NULL) < 0 ||
	    mkdir("layer", 0755) < 0 || chdir("layer") < 0)
		abort();
	root = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int unpack(const struct tar_entry *entries, size_t count, struct error *err)
{
	struct unpack_result r;
	struct strbuf tar cleanup_strbuf = { 0 };

	fresh();
	tar_make(&tar, entries, count);
	return tar_unpack(&tar, root, &r, err);
}
#define UNPACK(err, ...)                                  \
	unpack((const struct tar_entry[]){ __VA_ARGS__ }, \
	       ARRAY_LEN(((const struct tar_entry[]){ __VA_ARGS__ })), err)

static struct stat st_of(const char *path)
{
	struct stat st = { 0 };

	lstat(path, &st);
	return st;
}

static bool is_whiteout(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

static bool is_opaque(const char *path)
{
	char v[4];

	return getxattr(path, "user.overlay.opaque", v, sizeof(v)) == 1 && v[0] == 'y';
}

static void test_kinds(void)
{
	static const char capability[20] = { 1, 0, 0, 2, 0, 4 };
	struct error err = ERROR_INIT;
	char target[16] = "", value[32];
	struct stat st;
	int rc =
		UNPACK(&err, { .name = "./", .type = '5', .mode = 0711 },
		       { .name = "d/", .type = '5', .mode = 01777, .uid = 5, .gid = 6 },
		       { .name = "d/suid", .type = '0', .data = "hello", .mode = 06755, .uid = 33 },
		       { .name = "prog",
			 .type = '0',
			 .data = "x",
			 .uid = 44,
			 .pax_key = "SCHILY.xattr.security.capability",
			 .pax_value = capability,
			 .pax_value_len = sizeof(capability) },
		       { .name = "link", .type = '2', .link = "/d/suid", .uid = 9 },
		       { .name = "hard", .type = '1', .link = "d/suid" },
		       { .name = "fifo", .type = '6', .mode = 0600 },
		       { .name = "null", .type = '3', .major = 1, .minor = 3, .mode = 0666 },
		       { .name = "loop", .type = '4', .major = 7, .minor = 1 },
		       { .name = "/abs/deep/file", .type = '0' });

	is_int(rc, 0, "every kind of entry");
	is_str(err.text, "", "without an error");
	is_int(st_of(".").st_mode, S_IFDIR | 0711, "the root's mode");
	st = st_of("d");
	ok(st.st_mode == (S_IFDIR | 01777) && st.st_uid == 5 && st.st_gid == 6, "sticky directory");
	is_int(st.st_mtime, TAR_MTIME, "whose time survives its entries");
	st = st_of("d/suid");
	ok(st.st_mode == (S_IFREG | 06755) && st.st_uid == 33 && st.st_size == 5, "setuid file");
	is_int(st.st_mtime, TAR_MTIME, "its time");
	is_int(getxattr("prog", "security.capability", value, sizeof(value)), 20, "capability");
	ok(readlink("link", target, sizeof(target) - 1) == 7 && st_of("link").st_uid == 9 &&
		   st_of("link").st_mtime == TAR_MTIME,
	   "symlink with owner and time");
	is_str(target, "/d/suid", "absolute, as it was");
	is_int(st_of("hard").st_ino, st_of("d/suid").st_ino, "hard link");
	ok(S_ISFIFO(st_of("fifo").st_mode), "fifo");
	ok(st_of("null").st_rdev == makedev(1, 3) && st_of("null").st_mode == (S_IFCHR | 0666),
	   "character device");
	ok(S_ISBLK(st_of("loop").st_mode) && st_of("loop").st_rdev == makedev(7, 1),
	   "block device");
	is_int(st_of("abs/deep").st_mode, S_IFDIR | 0755, "missing parents, absolute names");
}

static void test_marks(void)
{
	struct error err = ERROR_INIT;
	int rc = UNPACK(&err, { .name = "d/.wh.gone", .type = '0' },
			{ .name = "o/.wh.a", .type = '0' },
			{ .name = "o/.wh..wh..opq", .type = '0' },
			{ .name = "o/.wh.b", .type = '0' }, { .name = "o/new", .type = '0' },
			{ .name = ".wh.late", .type = '0' }, { .name = "late/f", .type = '0' },
			{ .name = "early/", .type = '5' }, { .name = ".wh.early", .type = '0' },
			{ .name = "file", .type = '0' }, { .name = ".wh.file", .type = '0' },
			{ .name = ".wh..wh.plnk/1", .type = '0' }, { .name = "raw", .type = '3' });

	is_int(rc, 0, "whiteouts and opaque marks");
	is_str(err.text, "", "without an error");
	ok(is_whiteout("d/gone"), "whiteout");
	is_int(getxattr("d", "user.overlay.origin", NULL, 0), 0, "its directory has an origin");
	ok(is_opaque("o") && access("o/new", F_OK) == 0, "opaque directory");
	ok(access("o/a", F_OK) < 0 && access("o/b", F_OK) < 0, "no whiteouts beside the mark");
	ok(is_opaque("late") && access("late/f", F_OK) == 0,
	   "directory after its whiteout: opaque");
	ok(is_opaque("early"), "directory before its whiteout: opaque");
	ok(S_ISREG(st_of("file").st_mode), "a whiteout leaves this layer's own file");
	ok(access(".wh..wh.plnk", F_OK) < 0, "notes of aufs are dropped");
	ok(is_whiteout("raw") && getxattr(".", "user.overlay.origin", NULL, 0) == 0,
	   "a device 0:0 is a whiteout too");
}

static void test_replace(void)
{
	struct error err = ERROR_INIT;
	int rc =
		UNPACK(&err, { .name = "x", .type = '0', .data = "1" },
		       { .name = "x/", .type = '5' }, { .name = "x/in", .type = '0' },
		       { .name = "x/in2", .type = '0' }, { .name = "x", .type = '0', .data = "22" },
		       { .name = "l", .type = '2', .link = "x" },
		       { .name = "l", .type = '0', .data = "333" }, { .name = "d/", .type = '5' },
		       { .name = "d/f", .type = '0' }, { .name = "d/", .type = '5', .mode = 0700 });

	is_int(rc, 0, "entries that come twice");
	ok(S_ISREG(st_of("x").st_mode) && st_of("x").st_size == 2, "file, directory, file");
	ok(S_ISREG(st_of("l").st_mode) && st_of("l").st_size == 3, "a symlink is replaced");
	ok(st_of("d").st_mode == (S_IFDIR | 0700) && access("d/f", F_OK) == 0,
	   "a directory keeps its entries");
}

static void test_xattrs(void)
{
	struct error err = ERROR_INIT;
	char v[8];
	int rc = UNPACK(
		&err,
		{ .name = "a", .type = '0', .pax_key = "SCHILY.xattr.user.k", .pax_value = "v" },
		{ .name = "b/",
		  .type = '5',
		  .pax_key = "SCHILY.xattr.user.overlay.opaque",
		  .pax_value = "y" },
		{ .name = "c",
		  .type = '0',
		  .pax_key = "SCHILY.xattr.trusted.overlay.opaque",
		  .pax_value = "y" },
		{ .name = "d",
		  .type = '0',
		  .pax_key = "SCHILY.xattr.security.selinux",
		  .pax_value = "a:b:c:s0" });

	is_int(rc, 0, "extended attributes");
	is_int(getxattr("a", "user.k", v, sizeof(v)), 1, "user.* is taken");
	ok(!is_opaque("b"), "marks of overlayfs cannot be forged");
	ok(getxattr("c", "trusted.overlay.opaque", v, sizeof(v)) < 0, "nor the trusted ones");
	ok(getxattr("d", "security.selinux", v, sizeof(v)) < 0, "labels are dropped");
}

static void test_names(void)
{
	struct error err = ERROR_INIT;
	int rc = UNPACK(
		&err, { .name = "x", .type = '0', .pax_key = "path", .pax_value = "cafe\xcc\x81" },
		{ .name = "bad\xff", .type = '0' });

	is_int(rc, 0, "names are bytes");
	ok(access("cafe\xcc\x81", F_OK) == 0, "accents are not composed");
	ok(access("bad\xff", F_OK) == 0, "invalid UTF-8 is kept");
}

/* refused() - the archive fails with @text in the message. */
static void refused(const char *what, int rc, const struct error *err, const char *text)
{
	if (!ok(rc < 0 && strstr(err->text, text), "%s: refused", what))
		printf("# %d: %s\n", rc, err->text);
}
#define REFUSED(what, text, ...)                    \
	do {                                        \
		struct error e_ = ERROR_INIT;       \
		int rc_ = UNPACK(&e_, __VA_ARGS__); \
		refused(what, rc_, &e_, text);      \
	} while (0)

static void test_escapes(void)
{
	static char deep[5000];

	REFUSED("..", "entry \"../x\": leaves the layer", { .name = "../x", .type = '0' });
	REFUSED(".. inside", "leaves the layer", { .name = "a/../../x", .type = '0' });
	REFUSED("through a symlink", "passes through a symbolic link",
		{ .name = "s", .type = '2', .link = top }, { .name = "s/escaped", .type = '0' });
	REFUSED("directory through a symlink", "symbolic link",
		{ .name = "s", .type = '2', .link = ".." }, { .name = "s/escaped/", .type = '5' });
	REFUSED("whiteout through a symlink", "symbolic link",
		{ .name = "s", .type = '2', .link = ".." },
		{ .name = "s/.wh.escaped", .type = '0' });
	REFUSED("hard link to ..", "leaves the layer",
		{ .name = "h", .type = '1', .link = "../../etc/passwd" });
	REFUSED("hard link outside", "not in the layer",
		{ .name = "h", .type = '1', .link = "/etc/passwd" });
	REFUSED("hard link through a symlink", "not in the layer",
		{ .name = "s", .type = '2', .link = "/etc" },
		{ .name = "h", .type = '1', .link = "s/passwd" });
	REFUSED("hard link to a whiteout", "not in the layer", { .name = ".wh.w", .type = '0' },
		{ .name = "h", .type = '1', .link = "w" });
	REFUSED("hard link to itself", "itself", { .name = "h", .type = '0' },
		{ .name = "h", .type = '1', .link = "./h" });
	REFUSED("below a file", "not a directory", { .name = "f", .type = '0' },
		{ .name = "f/x", .type = '0' });
	REFUSED("whiteout of ..", "no name", { .name = ".wh...", .type = '0' });
	for (size_t i = 0; i + 2 < sizeof(deep); i += 2)
		memcpy(deep + i, "d/", 3);
	REFUSED("too deep", "too deep",
		{ .name = "x", .type = '0', .pax_key = "path", .pax_value = deep });
	memset(deep, 'n', 300);
	deep[300] = '\0';
	REFUSED("long name", "300 bytes",
		{ .name = "x", .type = '0', .pax_key = "path", .pax_value = deep });
	REFUSED("root as a file", "root is not a directory", { .name = ".", .type = '0' });
	ok(faccessat(root, "../escaped", F_OK, AT_SYMLINK_NOFOLLOW) < 0, "nothing came outside");
}

static void test_limits(void)
{
	const struct tar_entry two[] = { { .name = "a", .type = '0', .data = "hello" },
					 { .name = "b", .type = '0', .data = "hello" } };
	const struct tar_entry sparse = { .name = "s",
					  .type = '0',
					  .pax_key = "GNU.sparse.realsize",
					  .pax_value = "9999999999" };
	struct strbuf tar cleanup_strbuf = { 0 };
	struct error err = ERROR_INIT;
	struct unpack_result r;

	tar_make(&tar, two, 2);
	fresh();
	is_int(tar_unpack(&tar, root, &r, &err), 0, "two files");
	ok(r.bytes == 1024 && r.inodes == 2, "are counted in blocks");
	strbuf_append(&tar, "trailing", 8);
	fresh();
	is_int(tar_unpack(&tar, root, &r, &err), 0, "bytes after the end are part of the digest");
	tar.len = 600;
	fresh();
	refused("cut off", tar_unpack(&tar, root, &r, &err), &err, "Truncated");
	refused("sparse beyond the bound", unpack(&sparse, 1, &err), &err, "larger than");
	{
		struct unpack u = { .in_fd = tar_fd(tar.data, 512),
				    .root_fd = root,
				    .max_bytes = 100,
				    .media_type = "application/vnd.oci.image.layer.v1.tar",
				    .diff_id = "sha256:00000000000000000000000000000000000000000000"
					       "00000000000000000000" };

		refused("bound", unpack_layer(&u, &r, &err), &err, "larger than 100 bytes");
		u.max_bytes = 1 << 20;
		close(u.in_fd);
		u.in_fd = tar_fd("", 0);
		refused("diff_id", unpack_layer(&u, &r, &err), &err, "diff_id mismatch: expected");
		u.diff_id = "sha256:abc";
		refused("malformed diff_id", unpack_layer(&u, &r, &err), &err, "not sha256:");
		close(u.in_fd);
	}
}

int main(void)
{
	umask(0);
	if (!mkdtemp(top))
		return 1;
	test_kinds();
	test_marks();
	test_replace();
	test_xattrs();
	test_names();
	test_escapes();
	test_limits();
	close_fd(&root);
	if (chdir("/") < 0 || path_remove_tree(AT_FDCWD, top, NULL) < 0)
		return 1;
	return tap_done();
}
