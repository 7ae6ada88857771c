/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's side of the gofer: one function a request.
 *
 * Each waits for the answer; several threads may ask at once (GOFER_CONNECTIONS of them at a time,
 * others wait their turn).  Return: 0 or -errno of the operation; -EIO when the gofer is gone.
 */
#ifndef RUNTIMES_GOFER_CLIENT_H
#define RUNTIMES_GOFER_CLIENT_H

#include <stddef.h>
#include <sys/statfs.h>
#include <sys/types.h>

#include "runtimes/gofer/protocol.h"

struct gofer;

/* A file that the gofer told us of. */
struct gofer_node {
	uint32_t handle;
	struct gofer_attr attr;
};

/* gofer_create() - over @n sockets (taken over), at most GOFER_CONNECTIONS. */
struct gofer *gofer_create(const int *socks, size_t n);
void gofer_destroy(struct gofer *g); /* may be NULL */
/*
 * gofer_on_lost() - @fn is called once, when a request finds the gofer gone: by whoever asked, with
 * the locks that it holds.
 */
void gofer_on_lost(struct gofer *g, void (*fn)(void));

int gofer_lookup(struct gofer *g, uint32_t dir, const char *name, struct gofer_node *ret);
int gofer_getattr(struct gofer *g, uint32_t handle, struct gofer_attr *ret);
/* gofer_open() - @flags O_RDONLY or O_RDWR; *ret_fd is the caller's, close-on-exec. */
int gofer_open(struct gofer *g, uint32_t handle, int flags, int *ret_fd);
/* gofer_create_file() - a new regular file, open for reading and writing. @name NULL: O_TMPFILE. */
int gofer_create_file(struct gofer *g, uint32_t dir, const char *name, mode_t mode, uid_t uid,
		      gid_t gid, struct gofer_node *ret, int *ret_fd);
/* gofer_make() - directory, fifo, socket or empty regular file, as @mode's type bits say. */
int gofer_make(struct gofer *g, uint32_t dir, const char *name, mode_t mode, uid_t uid, gid_t gid,
	       struct gofer_node *ret);
int gofer_symlink(struct gofer *g, uint32_t dir, const char *name, const char *target, uid_t uid,
		  gid_t gid, struct gofer_node *ret);
int gofer_link(struct gofer *g, uint32_t dir, const char *name, uint32_t file);
/* gofer_unlink() - @flags 0 or AT_REMOVEDIR. */
int gofer_unlink(struct gofer *g, uint32_t dir, const char *name, int flags);
int gofer_rename(struct gofer *g, uint32_t dir, const char *name, uint32_t new_dir,
		 const char *new_name, unsigned int flags);
/* gofer_readlink() - Return: bytes written to @buf, or -errno. */
ssize_t gofer_readlink(struct gofer *g, uint32_t handle, char *buf, size_t size);
/* gofer_setattr() - those of @mask (GOFER_SET_*) from @to; *ret says all of them after. */
int gofer_setattr(struct gofer *g, uint32_t handle, unsigned int mask, const struct gofer_attr *to,
		  struct gofer_attr *ret);
/* As getxattr(2) and listxattr(2): @size 0 asks for the length, too small is -ERANGE. */
ssize_t gofer_getxattr(struct gofer *g, uint32_t handle, const char *name, void *buf, size_t size);
ssize_t gofer_listxattr(struct gofer *g, uint32_t handle, char *buf, size_t size);
int gofer_setxattr(struct gofer *g, uint32_t handle, const char *name, const void *value,
		   size_t size, int flags);
int gofer_removexattr(struct gofer *g, uint32_t handle, const char *name);
int gofer_statfs(struct gofer *g, uint32_t handle, struct statfs *ret);
/* gofer_sync() - the file system that @handle (a directory or regular file) is on. */
int gofer_sync(struct gofer *g, uint32_t handle);
/* gofer_close() - give a handle back; does not wait. */
void gofer_close(struct gofer *g, uint32_t handle);

/*
 * gofer_add_tree() - the launcher's call: on the socket at @path, one tree more for that gofer.
 * @fd stays the caller's.  Return: the handle of its root, or -errno.
 */
struct error;
int gofer_add_tree(const char *path, int fd, int read_only, struct error *err);

#endif
