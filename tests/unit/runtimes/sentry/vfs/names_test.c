/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names: walking, links, creating, removing, renaming, permissions, the bound of the cache.
 */
#include <linux/capability.h>
#include <pthread.h>
#include <sys/mount.h>

#include "runtimes/sentry/vfs/names.h"
#include "tests/unit/runtimes/sentry/vfs/fixture.h"

static void test_walk(void)
{
	struct path p;
	char longname[300], deep[4000] = "";

	is_int(t_mkdir("/a", 0755), 0, "mkdir /a");
	is_int(t_mkdir("/a/b", 0755), 0, "mkdir /a/b");
	is_int(t_mkdir("/a", 0755), -EEXIST, "mkdir of what is there: EEXIST");
	is_int(t_mkdir("/", 0755), -EEXIST, "mkdir /: EEXIST");
	is_int(t_mkdir("/x/y", 0755), -ENOENT, "mkdir below nothing: ENOENT");
	is_int(t_touch("/a/b/f", 0644), 0, "create a file");
	is_int(t_exists("//a/./b/../b//f"), 0, "slashes and dots");
	is_int(t_exists("/../../a"), 0, "nothing is above the root");
	is_int(t_exists("/a/b/f/"), -ENOTDIR, "a file with a slash behind: ENOTDIR");
	is_int(t_exists("/a/b/f/x"), -ENOTDIR, "below a file: ENOTDIR");
	is_int(t_exists("/a/b/f/.."), -ENOTDIR, ".. of a file: ENOTDIR");
	is_int(t_exists(""), -ENOENT, "an empty name: ENOENT");
	memset(longname, 'x', 256);
	longname[256] = 0;
	is_int(t_exists(longname), -ENAMETOOLONG, "a component of 256 bytes: ENAMETOOLONG");
	for (int n = 0; n < 500; n++)
		strcat(deep, "/a/..");
	strcat(deep, "/a/b");
	is_int(t_walk(deep, 0, &p), 0, "a long way");
	is_str(t_path(&p), "/a/b", "and its short name");
	path_put(&p);
}

static void test_links(void)
{
	struct path p;
	char name[16];

	is_int(t_symlink("b/f", "/a/l"), 0, "a relative link");
	is_int(t_walk("/a/l", 0, &p), 0, "is followed");
	is_str(t_path(&p), "/a/b/f", "to its target");
	path_put(&p);
	is_int(t_symlink("/a/b", "/a/abs"), 0, "an absolute link");
	is_int(t_exists("/a/abs/f"), 0, "in the middle of a name");
	is_int(t_symlink("abs/", "/a/slash"), 0, "a link with a slash behind");
	is_int(t_walk("/a/slash", 0, &p), 0, "leads to a directory");
	path_put(&p);
	is_int(t_symlink("loop", "/loop"), 0, "a link to itself");
	is_int(t_walk("/loop", 0, &p), -ELOOP, "ELOOP");
	is_int(t_exists("/loop"), 0, "but not when it is not followed");
	t_symlink("/a", "/l0");
	for (int n = 1; n <= 45; n++) {
		char target[16];

		snprintf(target, sizeof(target), "l%d", n - 1);
		snprintf(name, sizeof(name), "/l%d", n);
		t_symlink(target, name);
	}
	is_int(t_walk("/l39", 0, &p), 0, "40 links");
	path_put(&p);
	is_int(t_walk("/l40", 0, &p), -ELOOP, "41 links: ELOOP");
	is_int(t_open_errno(tree.root, "/a/l", O_RDONLY | O_NOFOLLOW), -ELOOP, "O_NOFOLLOW: ELOOP");
	is_int(t_symlink("new", "/a/dangling"), 0, "a dangling link");
	is_int(t_touch("/a/dangling", 0644), 0, "O_CREAT through it");
	is_int(t_exists("/a/new"), 0, "makes the target");
	is_int(t_open_errno(tree.root, "/a/dangling", O_CREAT | O_EXCL), -EEXIST,
	       "O_EXCL does not follow");
}

static int confined(const char *name, unsigned int flags)
{
	struct path start;
	struct walk w;
	int rc;

	t_walk("/a", 0, &start);
	rc = path_walk(tree.fs, &start, name, flags, tree.root, &w);
	if (rc == 0)
		path_put(&w.path);
	path_put(&start);
	return rc;
}

static void test_resolve(void)
{
	is_int(confined("b/f", WALK_BENEATH), 0, "BENEATH: below");
	is_int(confined("b/../b/f", WALK_BENEATH), 0, "BENEATH: .. that stays");
	is_int(confined("../a", WALK_BENEATH), -EXDEV, "BENEATH: .. out of it: EXDEV");
	is_int(confined("/a", WALK_BENEATH), -EXDEV, "BENEATH: an absolute name: EXDEV");
	is_int(confined("abs/f", WALK_BENEATH), -EXDEV, "BENEATH: an absolute link: EXDEV");
	is_int(confined("../../b/f", WALK_IN_ROOT), 0, "IN_ROOT: .. stays");
	is_int(confined("/b/f", WALK_IN_ROOT), 0, "IN_ROOT: absolute from there");
	is_int(confined("abs/f", WALK_IN_ROOT), -ENOENT, "IN_ROOT: an absolute link from there");
	is_int(confined("l", WALK_NO_SYMLINKS), -ELOOP, "NO_SYMLINKS: ELOOP");
}

static void test_rename(void)
{
	struct stat st;
	struct path p;

	t_mkdir("/r", 0755);
	t_mkdir("/r/d", 0755);
	t_touch("/r/f", 0644);
	is_int(t_walk("/r/d", 0, &p), 0, "hold a directory");
	is_int(t_rename("/r/d", "/r/e", 0), 0, "rename it");
	is_str(t_path(&p), "/r/e", "its name follows");
	path_put(&p);
	is_int(t_exists("/r/d"), -ENOENT, "the old name is gone");
	is_int(t_rename("/r/e", "/r/e/x", 0), -EINVAL, "into itself: EINVAL");
	is_int(t_rename("/r", "/r/e/x", 0), -EINVAL, "into a child: EINVAL");
	is_int(t_rename("/r/f", "/r/e", 0), -EISDIR, "a file over a directory: EISDIR");
	is_int(t_rename("/r/e", "/r/f", 0), -ENOTDIR, "a directory over a file: ENOTDIR");
	is_int(t_rename("/r/f", "/r", 0), -ENOTEMPTY, "over its own parent: ENOTEMPTY");
	is_int(t_rename("/r/none", "/r/f", 0), -ENOENT, "of nothing: ENOENT");
	t_touch("/r/g", 0644);
	is_int(t_rename("/r/f", "/r/g", RENAME_NOREPLACE), -EEXIST, "NOREPLACE: EEXIST");
	is_int(t_rename("/r/f", "/r/e", RENAME_EXCHANGE), 0, "EXCHANGE of a file and a directory");
	is_int(t_stat("/r/f", &st) | !S_ISDIR(st.st_mode), 0, "the file's name is a directory");
	is_int(t_stat("/r/e", &st) | !S_ISREG(st.st_mode), 0, "and the other way round");
	t_mkdir("/r/h", 0755);
	is_int(t_rename("/r/f", "/r/h", 0), 0, "over an empty directory");
	t_touch("/r/h/x", 0644);
	t_mkdir("/r/i", 0755);
	is_int(t_rename("/r/i", "/r/h", 0), -ENOTEMPTY, "over a full one: ENOTEMPTY");
	is_int(t_stat("/r", &st) | (st.st_nlink != 4), 0, "link counts follow");
}

static void test_unlink(void)
{
	struct file *f;
	struct path p;
	char buf[16];

	t_mkdir("/u", 0755);
	f = t_open("/u/f", O_CREAT | O_RDWR, 0644);
	is_int(t_write(f, "text"), 4, "write to a file");
	is_int(t_rmdir("/u/f"), -ENOTDIR, "rmdir of a file: ENOTDIR");
	is_int(t_unlink("/u/f"), 0, "unlink it");
	is_int(t_exists("/u/f"), -ENOENT, "its name is gone");
	p = (struct path){ f->mount, f->dentry };
	is_str(t_path(&p), "/u/f (deleted)", "its path says so");
	file_seek(f, 0, SEEK_SET);
	is_int(t_read(f, buf, sizeof(buf)), 4, "and it can still be read");
	file_put(f);
	is_int(t_unlink("/u"), -EISDIR, "unlink of a directory: EISDIR");
	is_int(t_rmdir("/u/."), -EINVAL, "rmdir .: EINVAL");
	is_int(t_rmdir("/u/.."), -ENOTEMPTY, "rmdir ..: ENOTEMPTY");
	is_int(t_rmdir("/"), -EBUSY, "rmdir /: EBUSY");
	t_touch("/u/g", 0644);
	is_int(t_rmdir("/u"), -ENOTEMPTY, "rmdir of a full one: ENOTEMPTY");
	is_int(t_walk("/u", 0, &p), 0, "hold the directory");
	t_unlink("/u/g");
	is_int(t_rmdir("/u"), 0, "remove it");
	f = NULL;
	is_int(vfs_open(tree.fs, &p, "x", O_CREAT | O_WRONLY, 0644, 0, tree.root, &f), -ENOENT,
	       "nothing is made in a removed directory");
	path_put(&p);
	is_int(t_exists("/u/g"), -ENOENT, "nor found");
}

static void test_permission(void)
{
	struct attr a = { .mode = 0600, .uid = 1000 };
	struct path p;
	struct stat st;

	t_mkdir("/p", 0755);
	t_mkdir("/p/closed", 0700);
	t_touch("/p/closed/f", 0666);
	t_touch("/p/secret", 0600);
	t_touch("/p/shown", 0644);
	is_int(t_open_errno(tree.user, "/p/closed/f", O_RDONLY), -EACCES, "no search: EACCES");
	is_int(t_open_errno(tree.user, "/p/secret", O_RDONLY), -EACCES, "no read: EACCES");
	is_int(t_open_errno(tree.user, "/p/shown", O_RDONLY), 0, "read for others");
	is_int(t_open_errno(tree.user, "/p/shown", O_RDWR), -EACCES, "no write: EACCES");
	is_int(t_open_errno(tree.user, "/p/shown", O_RDONLY | O_TRUNC), -EACCES,
	       "O_TRUNC needs write");
	is_int(t_open_errno(tree.user, "/p/new", O_CREAT | O_WRONLY), -EACCES,
	       "no write in the directory: EACCES");
	t_walk("/p/shown", 0, &p);
	is_int(inode_setattr(p.dentry->inode, ATTR_MODE, &a, tree.user), -EPERM,
	       "chmod by others: EPERM");
	is_int(inode_setattr(p.dentry->inode, ATTR_UID, &a, tree.user), -EPERM,
	       "chown by others: EPERM");
	a.mode = 06755;
	is_int(inode_setattr(p.dentry->inode, ATTR_MODE, &a, tree.root), 0, "chmod by root");
	is_int(inode_setattr(p.dentry->inode, ATTR_UID, &a, tree.root), 0, "chown by root");
	t_stat("/p/shown", &st);
	is_int(st.st_mode & 07777, 0755, "chown drops set-id bits");
	path_put(&p);
	t_mkdir("/sticky", 01777);
	t_touch("/sticky/roots", 0666);
	is_int(vfs_unlink(tree.fs, NULL, "/sticky/roots", false, tree.user), -EPERM,
	       "the sticky bit: EPERM");
	is_int(vfs_unlink(tree.fs, NULL, "/p/secret", false, tree.user), -EACCES,
	       "unlink without write: EACCES");
	is_int(vfs_mknod(tree.fs, NULL, "/sticky/dev", S_IFCHR | 0666, 0x103, tree.user, NULL),
	       -EPERM, "mknod without capability: EPERM");
}

static void test_hard_links(void)
{
	struct path p;
	struct stat st;

	t_touch("/h1", 0644);
	t_walk("/h1", 0, &p);
	is_int(vfs_link(tree.fs, &p, NULL, "/h2", tree.root), 0, "link");
	is_int(vfs_link(tree.fs, &p, NULL, "/h2", tree.root), -EEXIST, "again: EEXIST");
	path_put(&p);
	t_stat("/h2", &st);
	is_int(st.st_nlink, 2, "two links");
	is_int(t_rename("/h1", "/h2", 0), 0, "rename onto another name of itself");
	is_int(t_exists("/h1"), 0, "does nothing");
	t_unlink("/h1");
	t_stat("/h2", &st);
	is_int(st.st_nlink, 1, "one is left");
	t_walk("/a", 0, &p);
	is_int(vfs_link(tree.fs, &p, NULL, "/h3", tree.root), -EPERM, "of a directory: EPERM");
	path_put(&p);
}

static void test_mounts(void)
{
	struct filesystem *fs;
	struct path at, p;
	struct stat st;

	tmpfs_create("other", "mode=0700,size=1m", NULL, &fs);
	t_mkdir("/m", 0755);
	t_touch("/m/below", 0644);
	t_walk("/m", 0, &at);
	is_int(mount_add(&at, fs, NULL, MS_NOSUID, NULL), 0, "mount");
	filesystem_put(fs);
	path_put(&at);
	t_stat("/m", &st);
	is_int(st.st_mode & 07777, 0700, "its root is seen");
	is_int(t_exists("/m/below"), -ENOENT, "what is below is not");
	t_touch("/m/in", 0644);
	is_int(t_walk("/m/in", 0, &p), 0, "a file in it");
	is_str(t_path(&p), "/m/in", "has its name");
	is_int(t_exists("/m/.."), 0, ".. leads out");
	is_int(t_rmdir("/m"), -EBUSY, "a mount point is not removed: EBUSY");
	is_int(t_rename("/m/in", "/in", 0), -EXDEV, "rename to another mount: EXDEV");
	t_walk("/m", 0, &at);
	is_int(mount_remove(&at, 0), -EBUSY, "umount while in use: EBUSY");
	path_put(&p);
	is_int(mount_change(&at, MS_RDONLY), 0, "remount read-only");
	is_int(t_touch("/m/new", 0644), -EROFS, "create: EROFS");
	is_int(t_open_errno(tree.root, "/m/in", O_RDWR), -EROFS, "open to write: EROFS");
	is_int(t_open_errno(tree.root, "/m/in", O_RDONLY), 0, "open to read");
	t_mkdir("/bound", 0755);
	t_walk("/bound", 0, &p);
	is_int(mount_bind(&p, &at, false, 0), 0, "bind");
	path_put(&p);
	is_int(t_exists("/bound/in"), 0, "is seen there too");
	t_walk("/bound", 0, &p);
	is_int(mount_remove(&p, 0), 0, "umount the second");
	path_put(&p);
	is_int(mount_remove(&at, 0), 0, "umount the first");
	path_put(&at);
	is_int(t_exists("/m/below"), 0, "what was below is seen again");
	t_walk("/m", 0, &at);
	is_int(mount_remove(&at, 0), -EINVAL, "umount of no mount: EINVAL");
	path_put(&at);
}

static void test_bound(void)
{
	char name[32];
	uint32_t most = 0;

	t_mkdir("/many", 0755);
	for (int n = 0; n < 3 * NAMES_CACHED; n++) {
		snprintf(name, sizeof(name), "/many/absent-%d", n);
		t_exists(name);
		if (names_count() > most)
			most = names_count();
	}
	ok(most <= NAMES_CACHED + 64, "names that were only asked for are bounded (%u)", most);
	is_int(t_rmdir("/many"), 0, "a directory with forgotten names goes");
}

#define ROUNDS 4000

static void *renamer(void *data)
{
	const char *which = data;
	char a[32], b[32];

	snprintf(a, sizeof(a), "/race/%s1", which);
	snprintf(b, sizeof(b), "/race/sub/%s2", which);
	for (int n = 0; n < ROUNDS; n++) {
		t_touch(a, 0644);
		t_rename(a, b, 0);
		t_rename(b, a, 0);
		t_exists(b);
		t_unlink(a);
	}
	return NULL;
}

static void *walker(void *data)
{
	bool *wrong = data;

	for (int n = 0; n < ROUNDS; n++) {
		int rc = t_exists("/race/sub/../sub/x2");

		if (rc != 0 && rc != -ENOENT)
			*wrong = true;
	}
	return NULL;
}

static void test_race(void)
{
	pthread_t t[3];
	bool wrong = false;

	t_mkdir("/race", 0755);
	t_mkdir("/race/sub", 0755);
	pthread_create(&t[0], NULL, renamer, "x");
	pthread_create(&t[1], NULL, renamer, "y");
	pthread_create(&t[2], NULL, walker, &wrong);
	for (int n = 0; n < 3; n++)
		pthread_join(t[n], NULL);
	ok(!wrong, "walks while names change find them or do not");
	is_int(t_rmdir("/race/sub"), 0, "nothing is left over");
	is_int(t_rmdir("/race"), 0, "nor above");
}

int main(void)
{
	uint32_t before = names_count();

	tree_init("mode=0755");
	test_walk();
	test_links();
	test_resolve();
	test_rename();
	test_unlink();
	test_permission();
	test_hard_links();
	test_mounts();
	test_bound();
	test_race();
	tree_finish();
	is_int(names_count(), before, "all names are freed with the last mount");
	return tap_done();
}
