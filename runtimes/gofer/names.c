/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on names in a directory.
 *
 * Every walk is one step: a checked name below a directory's descriptor, no symlink followed.
 * New files get their owner and mode before anybody is told their handle.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"
#include "runtimes/gofer/serve.h"

#define ANY_MODE 07777

/* answer_node() - @fd (O_PATH, taken over) gets a handle; the reply says it and its attributes. */
static int answer_node(struct gofer_call *c, int fd)
{
	struct gofer_reply *r = &c->answer->reply;
	int rc = gofer_attr_of(fd, &r->attr);

	if (rc < 0) {
		close(fd);
		return rc;
	}
	return handles_add(fd, &c->handle, &r->handle);
}

int gofer_do_lookup(struct gofer_call *c)
{
	int fd = path_open_below(c->handle.fd, c->name, O_PATH | O_NOFOLLOW, 0);

	return fd < 0 ? fd : answer_node(c, fd);
}

/* own() - a new file's owner, then its mode: changing the owner clears set-id bits. */
static int own(int fd, const struct gofer_request *rq, bool has_mode)
{
	char self[12];

	if (fchownat(fd, "", rq->uid, rq->gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	gofer_self_name(fd, self);
	if (has_mode && fchmodat(AT_FDCWD, self, rq->mode & ANY_MODE, 0) < 0)
		return -errno;
	return 0;
}

/* answer_open() - a new regular file, open for reading and writing (@fd taken over). */
static int answer_open(struct gofer_call *c, int fd)
{
	char self[12];
	int path, rc = own(fd, c->rq, true);

	if (rc == 0) {
		gofer_self_name(fd, self);
		path = open(self, O_PATH | O_CLOEXEC);
		rc = path < 0 ? -errno : answer_node(c, path);
	}
	if (rc == 0)
		c->answer->fd = fd;
	else
		close(fd);
	return rc;
}

int gofer_do_create(struct gofer_call *c)
{
	int rc, fd = path_open_below(c->handle.fd, c->name, O_RDWR | O_CREAT | O_EXCL, 0600);

	if (fd < 0)
		return fd;
	rc = answer_open(c, fd);
	if (rc < 0)
		unlinkat(c->handle.fd, c->name, 0);
	return rc;
}

int gofer_do_tmpfile(struct gofer_call *c)
{
	char self[12];
	int fd;

	gofer_self_name(c->handle.fd, self);
	fd = open(self, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : answer_open(c, fd);
}

/* finish_new() - what was just made under the name: owner, mode, handle; undone on failure. */
static int finish_new(struct gofer_call *c, mode_t type)
{
	struct stat st;
	int rc, fd = path_open_below(c->handle.fd, c->name, O_PATH | O_NOFOLLOW, 0);

	if (fd < 0)
		return fd;
	/* another process may have put something else there meanwhile: not ours to change */
	if (fstat(fd, &st) < 0 || (st.st_mode & S_IFMT) != type) {
		close(fd);
		return -EEXIST;
	}
	rc = own(fd, c->rq, type != S_IFLNK);
	if (rc == 0)
		return answer_node(c, fd);
	close(fd);
	unlinkat(c->handle.fd, c->name, type == S_IFDIR ? AT_REMOVEDIR : 0);
	return rc;
}

int gofer_do_mkdir(struct gofer_call *c)
{
	return mkdirat(c->handle.fd, c->name, 0700) < 0 ? -errno : finish_new(c, S_IFDIR);
}

/* Devices would be the host's: the kernel has its own. */
int gofer_do_mknod(struct gofer_call *c)
{
	mode_t type = c->rq->mode & S_IFMT;

	if (type != S_IFIFO && type != S_IFSOCK && type != S_IFREG)
		return -EPERM;
	if (mknodat(c->handle.fd, c->name, type | 0600, 0) < 0)
		return -errno;
	return finish_new(c, type);
}

int gofer_do_symlink(struct gofer_call *c)
{
	char target[GOFER_TARGET_MAX + 1];

	if (c->data_len == 0 || c->data_len > GOFER_TARGET_MAX ||
	    memchr(c->data, '\0', c->data_len))
		return -EINVAL;
	memcpy(target, c->data, c->data_len);
	target[c->data_len] = '\0';
	if (symlinkat(target, c->handle.fd, c->name) < 0)
		return -errno;
	return finish_new(c, S_IFLNK);
}

int gofer_do_link(struct gofer_call *c)
{
	return linkat(c->other.fd, "", c->handle.fd, c->name, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int gofer_do_unlink(struct gofer_call *c)
{
	if (c->rq->flags & ~(uint32_t)AT_REMOVEDIR)
		return -EINVAL;
	return unlinkat(c->handle.fd, c->name, (int)c->rq->flags) < 0 ? -errno : 0;
}

int gofer_do_rename(struct gofer_call *c)
{
	char to[GOFER_NAME_MAX + 1];
	unsigned int flags = c->rq->flags;

	if (gofer_name_ok(c->data, c->data_len) < 0 ||
	    (flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE)))
		return -EINVAL;
	memcpy(to, c->data, c->data_len);
	to[c->data_len] = '\0';
	return renameat2(c->handle.fd, c->name, c->other.fd, to, flags) < 0 ? -errno : 0;
}
