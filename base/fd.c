/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File descriptors: whole reads and writes, files.
 */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/mem.h"

int fd_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_read_all(int fd, size_t max, struct strbuf *buf)
{
	char chunk[16384];

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		if ((size_t)n > max - MIN(max, buf->len))
			return -EFBIG;
		strbuf_append(buf, chunk, (size_t)n);
	}
}

int fd_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int fd_set_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int fd_read_file(int dirfd, const char *path, size_t max, struct strbuf *buf, struct error *err)
{
	int fd cleanup_close = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int rc;

	if (fd < 0)
		return error_errno(err, errno, "open %s", path);
	rc = fd_read_all(fd, max, buf);
	if (rc == -EFBIG)
		return error_set(err, EFBIG, "%s: larger than %zu bytes", path, max);
	return rc < 0 ? error_errno(err, -rc, "read %s", path) : 0;
}

int fd_write_file(int dirfd, const char *path, const char *text, struct error *err)
{
	int fd cleanup_close = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return error_errno(err, errno, "open %s", path);
	if (write(fd, text, strlen(text)) < 0)
		return error_errno(err, errno, "write '%s' to %s", text, path);
	return 0;
}

static int write_new(int fd, const void *data, size_t len, mode_t mode, bool sync)
{
	int rc = fd_write_all(fd, data, len);

	if (rc == 0 && fchmod(fd, mode) < 0)
		rc = -errno;
	if (rc == 0 && sync && fsync(fd) < 0)
		rc = -errno;
	return rc;
}

int fd_replace_file(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
		    bool sync, struct error *err)
{
	char suffix[17];
	char *temporary cleanup_free = NULL;
	int fd cleanup_close = -1;
	int rc;

	str_random_hex(suffix, 8);
	temporary = xasprintf("%s.%s", path, suffix);
	fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, errno, "create %s", path);
	rc = write_new(fd, data, len, mode, sync);
	if (rc == 0 && renameat(dirfd, temporary, dirfd, path) < 0)
		rc = -errno;
	if (rc < 0) {
		unlinkat(dirfd, temporary, 0);
		return error_errno(err, -rc, "write %s", path);
	}
	return 0;
}

int fd_wait(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	do
		n = poll(&p, 1, timeout_ms);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}
