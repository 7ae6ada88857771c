/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overlays of layers as the unpacker leaves them, user namespaces, limits.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "storage/overlay.h"
#include "tests/unit/image/unpack/tar.h"
#include "tests/unit/tap.h"

static char top[] = "/tmp/overlay-test-XXXXXX";

static char *at(const char *name)
{
	return path_join(top, name);
}

/* make_layer() - an unpacked layer.  Return: its path, the caller's. */
static char *make_layer(const char *name, const struct tar_entry *entries, size_t count)
{
	char *path = at(name);
	struct strbuf tar cleanup_strbuf = { 0 };
	struct error err = ERROR_INIT;
	struct unpack_result r;
	int fd;

	if (path_mkdirs(path, 0755, NULL) < 0)
		abort();
	fd = open(path, O_RDONLY | O_DIRECTORY);
	tar_make(&tar, entries, count);
	if (tar_unpack(&tar, fd, &r, &err) < 0)
		printf("# layer %s: %s\n", name, err.text);
	close(fd);
	return path;
}

/* count_names() - entries that readdir shows in @path below @dirfd; -1: no such directory. */
static int count_names(int dirfd, const char *path)
{
	DIR *dir = fdopendir(openat(dirfd, path, O_RDONLY | O_DIRECTORY));
	struct dirent *e;
	int n = 0;

	if (!dir)
		return -1;
	while ((e = readdir(dir)))
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

static bool has(int dirfd, const char *path)
{
	return faccessat(dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static char *layers[3];

static void make_layers(void)
{
	const struct tar_entry base[] = { { .name = "dir/gone", .type = '0', .data = "1" },
					  { .name = "dir/kept", .type = '0', .data = "2" },
					  { .name = "opaque/old", .type = '0' },
					  { .name = "owned", .type = '0', .uid = 1000 } };
	const struct tar_entry upper[] = { { .name = "dir/.wh.gone", .type = '0' },
					   { .name = "opaque/.wh..wh..opq", .type = '0' },
					   { .name = "opaque/new", .type = '0' },
					   { .name = "alone/.wh.nothing", .type = '0' },
					   { .name = ".wh.never", .type = '0' } };
	const struct tar_entry third[] = { { .name = "dir/third", .type = '0' } };

	layers[0] = make_layer("layers/base/fs", base, ARRAY_LEN(base));
	layers[1] = make_layer("layers/upper/fs", upper, ARRAY_LEN(upper));
	layers[2] = make_layer("layers/third/fs", third, ARRAY_LEN(third));
}

static void check_view(int fd)
{
	ok(!has(fd, "dir/gone") && has(fd, "dir/kept"), "a whiteout hides its name alone");
	is_int(count_names(fd, "dir"), 2, "and is not listed");
	ok(!has(fd, "opaque/old") && has(fd, "opaque/new"), "an opaque mark hides all below");
	is_int(count_names(fd, "opaque"), 1, "in the listing too");
	is_int(count_names(fd, "alone"), 0,
	       "whiteout in a directory with nothing below: not listed");
	ok(has(fd, "dir/third"), "the top layer shows");
}

static void test_read_write(void)
{
	char *upper cleanup_free = at("upper"), *work cleanup_free = at("work");
	char *written cleanup_free = at("upper/written");
	struct overlay o = {
		.lower = layers, .n_lower = 3, .upper = upper, .work = work, .userns_fd = -1
	};
	struct error err = ERROR_INIT;
	int fd cleanup_close = -1, file cleanup_close = -1;

	if (mkdir(upper, 0755) < 0 || mkdir(work, 0755) < 0)
		abort();
	is_int(overlay_mount(&o, &fd, &err), 0, "three layers and an upper one");
	is_str(err.text, "", "without an error");
	check_view(fd);
	file = openat(fd, "written", O_CREAT | O_WRONLY, 0644);
	ok(file >= 0 && access(written, F_OK) == 0, "written into the upper one");
	o.work = NULL;
	is_int(overlay_mount(&o, &file, &err), -EINVAL, "upper without work");
}

static void test_read_only(void)
{
	struct overlay o = { .lower = layers, .n_lower = 3, .userns_fd = -1 };
	struct error err = ERROR_INIT;
	int fd = -1;

	is_int(overlay_mount(&o, &fd, &err), 0, "read-only");
	check_view(fd);
	ok(openat(fd, "written", O_CREAT | O_WRONLY, 0644) < 0 && errno == EROFS,
	   "no file is made");
	close(fd);
	o.lower = layers + 1;
	o.n_lower = 1;
	is_int(overlay_mount(&o, &fd, &err), 0, "read-only, one layer");
	ok(has(fd, "opaque/new") && !has(fd, "never"), "its names");
	is_int(count_names(fd, "dir"), 0, "whose whiteouts are not listed");
	ok(openat(fd, "written", O_CREAT | O_WRONLY, 0644) < 0 && errno == EROFS,
	   "no file is made");
	close(fd);
}

static void test_limits(void)
{
	char *many[OVERLAY_MAX_LAYERS + 1], *missing[] = { at("layers/none") };
	struct overlay o = { .lower = many, .n_lower = OVERLAY_MAX_LAYERS + 1, .userns_fd = -1 };
	struct error err = ERROR_INIT;
	int fd = -1;

	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		char name[32];

		snprintf(name, sizeof(name), "many/%zu", i);
		many[i] = at(name);
		path_mkdirs(many[i], 0755, NULL);
	}
	is_int(overlay_mount(&o, &fd, &err), -E2BIG, "one layer too many");
	ok(strstr(err.text, "500"), "the limit is named: %s", err.text);
	o.n_lower = OVERLAY_MAX_LAYERS;
	if (!ok(overlay_mount(&o, &fd, &err) == 0, "as many as the kernel takes"))
		printf("# %s\n", err.text);
	close_fd(&fd);
	o.lower = missing;
	o.n_lower = 1;
	is_int(overlay_mount(&o, &fd, &err), -ENOENT, "a layer that is not there");
	ok(strstr(err.text, "layers/none"), "is named: %s", err.text);
	o.n_lower = 0;
	is_int(overlay_mount(&o, &fd, &err), -E2BIG, "no layer");
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		free(many[i]);
	free(missing[0]);
}

static void test_odd_paths(void)
{
	char *odd[] = { at("a:b,c\\d/x"), NULL, NULL };
	char long_name[300];
	struct overlay o = { .lower = odd, .n_lower = 2, .userns_fd = -1 };
	struct error err = ERROR_INIT;
	int fd = -1;

	memset(long_name, 'n', 240);
	memcpy(long_name + 240, "/long", 6);
	odd[1] = at(long_name);
	for (int i = 0; i < 2; i++)
		if (path_mkdirs(odd[i], 0755, NULL) < 0)
			abort();
	if (!ok(overlay_mount(&o, &fd, &err) == 0, "paths with colons, commas, and long ones"))
		printf("# %s\n", err.text);
	close_fd(&fd);
	o.upper = o.work = layers[0];
	ok(overlay_mount(&o, &fd, &err) < 0 && strstr(err.text, "overlay"),
	   "the kernel's reason is told: %s", err.text);
	free(odd[0]);
	free(odd[1]);
}

/* user_namespace() - one that maps 0 to 100000.  Return: its descriptor, or -1. */
static int user_namespace(void)
{
	int ready[2], go[2], fd = -1, status;
	char path[64], c;
	pid_t pid;

	if (pipe(ready) < 0 || pipe(go) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		if (unshare(CLONE_NEWUSER) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit(read(go[0], &c, 1) < 0); /* until the parent has what it needs */
	}
	close(ready[1]);
	close(go[0]);
	if (read(ready[0], &c, 1) == 1) {
		snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
		fd_write_file(AT_FDCWD, path, "0 100000 65536", NULL);
		snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
		fd_write_file(AT_FDCWD, path, "0 100000 65536", NULL);
		snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	close(ready[0]);
	close(go[1]);
	waitpid(pid, &status, 0);
	return fd;
}

static void test_userns(void)
{
	char *upper cleanup_free = at("uupper"), *work cleanup_free = at("uwork");
	int userns cleanup_close = user_namespace(), fd cleanup_close = -1;
	struct overlay o = {
		.lower = layers, .n_lower = 3, .upper = upper, .work = work, .userns_fd = userns
	};
	struct error err = ERROR_INIT;
	struct stat st = { 0 };

	if (userns < 0) {
		skip("user namespace", "none can be made here");
		return;
	}
	if (mkdir(upper, 0755) < 0 || mkdir(work, 0755) < 0 || chown(upper, 100000, 100000) < 0 ||
	    chown(work, 100000, 100000) < 0)
		abort();
	is_int(overlay_mount(&o, &fd, &err), 0, "layers for a user namespace");
	is_str(err.text, "", "without an error");
	check_view(fd);
	is_int(fstatat(fd, "owned", &st, 0), 0, "a file");
	is_int(st.st_uid, 101000, "of uid 1000 in the layer");
	is_int(fstatat(fd, "dir/kept", &st, 0), 0, "a file");
	is_int(st.st_uid, 100000, "of root in the layer");
	is_int(mkdirat(fd, "dir/made", 0755), 0, "and it can be written");
	close_fd(&fd);
	o.n_lower = 1;
	o.upper = o.work = NULL;
	is_int(overlay_mount(&o, &fd, &err), 0, "one layer, read-only");
	is_int(fstatat(fd, "owned", &st, 0) == 0 ? (int)st.st_uid : -1, 101000, "mapped too");
}

static void test_tmpfs(void)
{
	struct error err = ERROR_INIT;
	struct stat st = { 0 };
	struct statfs fs = { 0 };
	int fd cleanup_close = -1;

	is_int(overlay_tmpfs(1 << 20, 7, 8, &fd, &err), 0, "tmpfs");
	is_int(fstat(fd, &st), 0, "stat");
	ok(st.st_mode == (S_IFDIR | 01777) && st.st_uid == 7 && st.st_gid == 8, "mode and owner");
	is_int(fstatfs(fd, &fs), 0, "statfs");
	is_int((long long)fs.f_blocks * fs.f_bsize, 1 << 20, "size");
	is_int(fs.f_flags & (ST_NOSUID | ST_NODEV | ST_NOEXEC), ST_NOSUID | ST_NODEV | ST_NOEXEC,
	       "nosuid nodev noexec");
}

int main(void)
{
	umask(0);
	if (!mkdtemp(top))
		return 1;
	make_layers();
	test_read_write();
	test_read_only();
	test_limits();
	test_odd_paths();
	test_userns();
	test_tmpfs();
	for (size_t i = 0; i < ARRAY_LEN(layers); i++)
		free(layers[i]);
	path_remove_tree(AT_FDCWD, top, NULL);
	return tap_done();
}
