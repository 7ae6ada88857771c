/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing trees: whatever their depth and shape, and nothing beside them. Opening below a
 * directory and nowhere else.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/thread.h"
#include "tests/unit/tap.h"

#define DEEP 5000 /* levels: more than a thread has stack or descriptors for */

static char root[] = "/tmp/path-test-XXXXXX";

/* dig() - @levels directories below @at, each with a file and a symlink.  Return: the lowest. */
static int dig(int at, int levels)
{
	for (int i = 0; i < levels; i++) {
		int fd;

		close(openat(at, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		if (symlinkat("/etc", at, "link") < 0 || mkdirat(at, "d", 0700) < 0)
			abort();
		fd = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = fd;
	}
	return at;
}

static int open_dir(int at, const char *name)
{
	if (mkdirat(at, name, 0700) < 0)
		abort();
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void *remove_tree(void *data)
{
	struct error err = ERROR_INIT;

	is_int(path_remove_tree(*(int *)data, "tree", &err), 0, "removed");
	is_str(err.text, "", "without an error");
	return NULL;
}

/* As the server does it: on a thread with a small stack. */
static void check_removed(int at)
{
	pthread_t thread;

	if (thread_start_joinable(&thread, remove_tree, &at) == 0)
		pthread_join(thread, NULL);
	ok(faccessat(at, "tree", F_OK, AT_SYMLINK_NOFOLLOW) < 0, "nothing is left");
}

static int opened(int at, const char *path, int flags)
{
	int fd = path_open_below(at, path, flags, 0);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void test_open_below(int at)
{
	int dir = open_dir(at, "below");

	close(open_dir(dir, "d"));
	if (symlinkat("d", dir, "link") < 0 || symlinkat("/", dir, "d/out") < 0)
		abort();
	is_int(opened(dir, "d", O_PATH | O_DIRECTORY), 0, "a directory below");
	is_int(opened(dir, "link", O_PATH | O_DIRECTORY), -ELOOP, "no link is followed");
	is_int(opened(dir, "link/x", O_RDONLY), -ELOOP, "nor on the way");
	is_int(opened(dir, "d/out", O_PATH | O_NOFOLLOW), 0, "a link itself can be had");
	is_int(opened(dir, "d/../d", O_PATH), 0, "up and down again");
	is_int(opened(dir, "..", O_PATH), -EXDEV, "but not out");
	is_int(opened(dir, "/", O_PATH), -EXDEV, "nor from the root");
	is_int(opened(dir, "none", O_RDONLY), -ENOENT, "what is absent");
	close(dir);
	is_int(path_remove_tree(at, "below", NULL), 0, "all is removed");
}

int main(void)
{
	int at, top, low;

	if (!mkdtemp(root))
		abort();
	at = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	is_int(path_remove_tree(at, "tree", NULL), 0, "what is absent is removed");
	close(open_dir(at, "tree"));
	check_removed(at);
	close(dig(open_dir(at, "tree"), DEEP));
	check_removed(at);

	/* deep places with several branches, one of them deep again */
	top = open_dir(at, "tree");
	low = dig(fcntl(top, F_DUPFD_CLOEXEC, 3), 200);
	for (const char *name = "abcdefg"; *name; name++)
		close(dig(open_dir(low, (char[]){ *name, '\0' }), *name == 'c' ? 300 : 3));
	close(low);
	close(top);
	check_removed(at);
	test_open_below(at);
	close(at);
	is_int(rmdir(root), 0, "and nothing was put beside it");
	return tap_done();
}
