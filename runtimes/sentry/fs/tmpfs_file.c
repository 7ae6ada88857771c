/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tmpfs: attributes, and open files.
 */
#include "runtimes/sentry/fs/tmpfs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"

static void show_size(struct inode *i)
{
	struct tmpfs_inode *n = tmpfs_node_of(i);

	i->attr.size = n->file.size;
	i->attr.blocks = n->file.charged_bytes / 512;
}

static int resize(struct inode *i, uint64_t size)
{
	int rc;

	if (size > INT64_MAX)
		return -EFBIG;
	LOCKED(&i->lock);
	rc = memfile_truncate(&tmpfs_node_of(i)->file, size);
	if (rc < 0)
		return rc;
	show_size(i);
	inode_touch(i, ATTR_MTIME);
	return 0;
}

int tmpfs_setattr(struct inode *i, unsigned int mask, const struct attr *to)
{
	int rc = 0;

	if (mask & ATTR_SIZE)
		rc = S_ISREG(i->attr.mode) ? resize(i, to->size) : -EINVAL;
	if (rc == 0)
		inode_apply_attr(i, mask, to);
	return rc;
}

ssize_t tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	LOCKED(&i->lock);
	return xattrs_get(&tmpfs_node_of(i)->xattrs, name, buf, size);
}

int tmpfs_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags)
{
	LOCKED(&i->lock);
	return xattrs_set(&tmpfs_node_of(i)->xattrs, name, buf, size, flags);
}

ssize_t tmpfs_listxattr(struct inode *i, char *buf, size_t size)
{
	LOCKED(&i->lock);
	return xattrs_list(&tmpfs_node_of(i)->xattrs, buf, size);
}

int tmpfs_removexattr(struct inode *i, const char *name)
{
	LOCKED(&i->lock);
	return xattrs_remove(&tmpfs_node_of(i)->xattrs, name);
}

/* --- open files --- */

static ssize_t file_read_at(struct file *f, struct uio *to, int64_t *pos)
{
	struct inode *i = f->inode;
	ssize_t rc;

	LOCKED(&i->lock);
	rc = memfile_read(&tmpfs_node_of(i)->file, to, *pos);
	if (rc > 0)
		*pos += rc;
	return rc;
}

static ssize_t file_write_at(struct file *f, struct uio *from, int64_t *pos)
{
	struct inode *i = f->inode;
	struct memfile *m = &tmpfs_node_of(i)->file;
	ssize_t rc;

	LOCKED(&i->lock);
	if (file_appends(f, from))
		*pos = (int64_t)m->size;
	rc = memfile_write(m, from, *pos);
	if (rc > 0) {
		*pos += rc;
		show_size(i);
		inode_touch(i, ATTR_MTIME);
	}
	return rc;
}

static int64_t file_seek_at(struct file *f, int64_t offset, int whence)
{
	struct memfile *m = &tmpfs_node_of(f->inode)->file;
	off_t at;

	if ((whence != SEEK_DATA && whence != SEEK_HOLE) || m->fd < 0)
		return file_seek_sized(f, offset, whence, (int64_t)m->size);
	at = lseek(m->fd, offset, whence);
	return at < 0 ? -errno : (f->pos = at);
}

static int file_map(struct file *f, bool shared, bool writable, int64_t *offset)
{
	(void)writable, (void)offset;
	LOCKED(&f->inode->lock);
	/* A private mapping needs no more: whoever has the stub could map what is given shared. */
	return memfile_map_fd(&tmpfs_node_of(f->inode)->file, !shared || !file_writable(f));
}

static int file_truncate_to(struct file *f, int64_t length)
{
	return resize(f->inode, (uint64_t)length);
}

static int file_allocate(struct file *f, int mode, int64_t offset, int64_t length)
{
	struct inode *i = f->inode;
	int rc;

	LOCKED(&i->lock);
	rc = memfile_allocate(&tmpfs_node_of(i)->file, mode, offset, length);
	show_size(i);
	return rc;
}

int tmpfs_no_sync(struct file *f, bool data_only)
{
	(void)f, (void)data_only;
	return 0;
}

const struct file_ops tmpfs_file_ops = {
	.read = file_read_at,
	.write = file_write_at,
	.seek = file_seek_at,
	.mmap = file_map,
	.truncate = file_truncate_to,
	.allocate = file_allocate,
	.sync = tmpfs_no_sync,
};
