/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads and writes single cgroup files.
 */
#include "runtimes/cgroup/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"

int cgroup_file_open_dir(const struct hierarchy *h, const char *cgroup)
{
	char *path cleanup_free = h ? hierarchy_path(h, cgroup, NULL) : NULL;
	int fd = path ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	return fd >= 0 ? fd : path ? -errno : -ENOENT;
}

int cgroup_file_read_at(int dirfd, const char *file, char text[FILE_TEXT_MAX])
{
	int fd cleanup_close = openat(dirfd, file, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	while (len < FILE_TEXT_MAX - 1) {
		ssize_t n = read(fd, text + len, FILE_TEXT_MAX - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	return (int)len;
}

int cgroup_file_read(const struct hierarchy *h, const char *cgroup, const char *file,
		     char text[FILE_TEXT_MAX])
{
	char *path cleanup_free = hierarchy_path(h, cgroup, file);

	return cgroup_file_read_at(AT_FDCWD, path, text);
}

int cgroup_file_read_u64(const struct hierarchy *h, const char *cgroup, const char *file,
			 uint64_t *ret)
{
	char *path cleanup_free = hierarchy_path(h, cgroup, file);

	return cgroup_file_read_u64_at(AT_FDCWD, path, ret);
}

int cgroup_file_read_u64_at(int dirfd, const char *file, uint64_t *ret)
{
	char text[FILE_TEXT_MAX];
	int rc = cgroup_file_read_at(dirfd, file, text);

	if (rc < 0)
		return rc;
	text[strcspn(text, "\n")] = '\0';
	if (str_parse_u64(text, ret) < 0)
		*ret = UINT64_MAX;
	return 0;
}

int cgroup_file_write(const struct hierarchy *h, const char *cgroup, const char *file,
		      const char *text)
{
	char *path cleanup_free = hierarchy_path(h, cgroup, file);
	int fd cleanup_close = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

uint64_t cgroup_file_key(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; line && *line;) {
		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			return strtoull(line + len + 1, NULL, 10);
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return UINT64_MAX;
}
