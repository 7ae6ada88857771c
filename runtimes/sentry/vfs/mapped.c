/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of files that are mapped.
 *
 * A table of the last MAX_NAMES files: a name that has been pushed out shows as the host's number
 * alone, which nobody but a reader of maps misses.
 */
#include "runtimes/sentry/vfs/mapped.h"

#include <sys/stat.h>

#include "base/mem.h"
#include "runtimes/sentry/vfs/dentry.h"

#define MAX_NAMES 1024

struct name {
	dev_t host_dev;
	uint64_t host_ino;
	struct mapped m;
};

static struct lock lock = LOCK_INIT(LOCK_OBJECT);
static struct name names[MAX_NAMES];
static size_t n_names, next_out;

static struct name *find(dev_t dev, uint64_t ino)
{
	for (size_t n = 0; n < n_names; n++)
		if (names[n].host_ino == ino && names[n].host_dev == dev)
			return &names[n];
	return NULL;
}

static bool is_noted(const struct stat *st, const struct file *f)
{
	struct name *n;

	LOCKED(&lock);
	n = find(st->st_dev, st->st_ino);
	return n && n->m.ino == f->inode->ino && n->m.dev == f->inode->fs->dev;
}

void mapped_note(struct file *f, int fd)
{
	char path[4096] __attribute__((uninitialized));
	struct name *n;
	struct stat st;

	if (fstat(fd, &st) < 0 || is_noted(&st, f))
		return;
	file_path(f, NULL, path, sizeof(path));
	LOCKED(&lock);
	n = find(st.st_dev, st.st_ino);
	if (!n) {
		n = &names[n_names < MAX_NAMES ? n_names++ : next_out++ % MAX_NAMES];
		n->host_dev = st.st_dev;
		n->host_ino = st.st_ino;
	}
	free(n->m.name);
	n->m = (struct mapped){ .dev = f->inode->fs->dev,
				.ino = f->inode->ino,
				.name = xstrdup(path) };
}

bool mapped_find(dev_t dev, uint64_t ino, struct mapped *ret)
{
	struct name *n;

	LOCKED(&lock);
	n = find(dev, ino);
	if (!n)
		return false;
	*ret = n->m;
	ret->name = xstrdup(n->m.name);
	return true;
}
