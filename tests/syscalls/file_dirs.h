/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of calls on files: each runs on a file system of the disk and on tmpfs.
 */
#ifndef TESTS_SYSCALLS_FILE_DIRS_H
#define TESTS_SYSCALLS_FILE_DIRS_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

#include "tests/syscalls/check.h"

static const char *on_what; /* "disk" or "tmpfs", for the texts of checks */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st, (void)type, (void)f;
	return remove(path);
}

/* in_dirs() - run @fn in a new directory of each kind, which is removed after it. */
__attribute__((unused)) static void in_dirs(void (*fn)(void))
{
	static const char *const where[][2] = { { "/tmp/file-XXXXXX", "disk" },
						{ "/dev/shm/file-XXXXXX", "tmpfs" } };

	for (size_t n = 0; n < ARRAY_LEN(where); n++) {
		char dir[64];

		snprintf(dir, sizeof(dir), "%s", where[n][0]);
		if (!mkdtemp(dir) || chdir(dir)) {
			ok(false, "a directory for the test: %s", dir);
			continue;
		}
		on_what = where[n][1];
		umask(022);
		fn();
		if (chdir("/") == 0)
			nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	}
}

/* t_file() - a file with this text; Value: a descriptor open for both. */
__attribute__((unused)) static int t_file(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		ok(false, "%s: the file %s", on_what, name);
	return fd;
}

/* as_user() - @stmt in a child without rights. Value: its exit code. */
#define as_user(...) (in_child(if (setgid(1000) || setuid(1000)) _exit(99); __VA_ARGS__) >> 8)

#endif
