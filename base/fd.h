/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File descriptors: whole reads and writes, descriptor passing, UNIX sockets.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"

/* fd_write_all() - write all of it, over EINTR and short writes.  Return: 0 or -errno. */
int fd_write_all(int fd, const void *data, size_t len);
/* fd_read_all() - append to @buf until end of file or @max bytes (then -EFBIG). */
int fd_read_all(int fd, size_t max, struct strbuf *buf);
int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);

/* fd_read_file() - whole file of at most @max bytes, relative to @dirfd (AT_FDCWD). */
int fd_read_file(int dirfd, const char *path, size_t max, struct strbuf *buf, struct error *err);
/* fd_write_file() - write(2) once to an existing file (cgroup, sysctl): O_WRONLY, no create. */
int fd_write_file(int dirfd, const char *path, const char *text, struct error *err);
/*
 * fd_replace_file() - new contents by temporary file and rename, never half-written;
 * @sync also waits for the disk.
 */
int fd_replace_file(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
		    bool sync, struct error *err);

/* fd_send() - one message with @nfds descriptors on a UNIX socket. Return: 0 or -errno. */
int fd_send(int sock, const void *data, size_t len, const int *fds, size_t nfds);
/*
 * fd_recv() - one message; descriptors are close-on-exec and owned by the caller, unused
 * entries of @fds are -1.  Return: bytes (0: peer closed) or -errno (-EMSGSIZE: cut off).
 */
ssize_t fd_recv(int sock, void *data, size_t size, int *fds, size_t max_fds);

/*
 * fd_listen_unix() / fd_connect_unix() - @path may be longer than sun_path: the directory is
 * opened and the name reached by /proc/self/fd/N/name.  @type is SOCK_STREAM or SOCK_SEQPACKET.
 * listen replaces a dead socket file; a live one is -EADDRINUSE.  Return: descriptor or -errno.
 */
int fd_listen_unix(const char *path, int type, mode_t mode, struct error *err);
int fd_connect_unix(const char *path, int type, struct error *err);

/* fd_wait() - poll one descriptor. Return: 1 ready, 0 timeout, -errno. timeout_ms -1: for ever. */
int fd_wait(int fd, short events, int timeout_ms);

#endif
