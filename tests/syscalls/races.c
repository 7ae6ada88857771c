/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files under many hands: names that come and go, directories that change places, memory that two
 * processes map, trees that are deep, tables that are large.
 */
#include <sys/mount.h>

#include "tests/syscalls/file_dirs.h"

#define HANDS 4
#define TURNS 300

static unsigned int seed;

static unsigned int pick(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

/* all_hands() - @fn in several processes at once; Value: how many ended well. */
static int all_hands(void (*fn)(int who))
{
	int good = 0, status;

	fflush(stdout);
	for (int who = 0; who < HANDS; who++)
		if (fork() == 0) {
			seed = (unsigned int)who + 1;
			fn(who);
			_exit(0);
		}
	while (wait(&status) > 0)
		good += status == 0;
	return good;
}

/* expect() - a call that may lose a race, but not in another way than those. */
static void expect(int rc, int e1, int e2, int e3)
{
	if (rc < 0 && errno != e1 && errno != e2 && errno != e3)
		_exit(errno);
}

static void names(int who)
{
	char a[16], b[16];

	for (int n = 0; n < TURNS; n++) {
		snprintf(a, sizeof(a), "n%u", pick(4));
		snprintf(b, sizeof(b), "n%u", pick(4));
		switch (pick(5)) {
		case 0:
			close(open(a, O_CREAT | O_RDWR, 0600));
			break;
		case 1:
			expect(rename(a, b), ENOENT, 0, 0);
			break;
		case 2:
			expect(unlink(a), ENOENT, 0, 0);
			break;
		case 3:
			expect(link(a, b), ENOENT, EEXIST, 0);
			break;
		default:
			expect(access(a, F_OK), ENOENT, 0, 0);
		}
	}
	(void)who;
}

static void directories(int who)
{
	char a[24], b[24];

	for (int n = 0; n < TURNS; n++) {
		snprintf(a, sizeof(a), "d%u/%u", pick(3), pick(2));
		snprintf(b, sizeof(b), "d%u/%u", pick(3), pick(2));
		switch (pick(4)) {
		case 0:
			expect(mkdir(a, 0700), EEXIST, ENOENT, 0);
			break;
		case 1:
			expect(rename(a, b), ENOENT, ENOTEMPTY, EINVAL);
			break;
		case 2:
			expect(rmdir(a), ENOENT, ENOTEMPTY, 0);
			break;
		default:
			expect((int)syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2), ENOENT,
			       EINVAL, 0);
		}
	}
	(void)who;
}

/* Every hand appends whole lines to one file. */
static void appending(int who)
{
	int fd = open("log", O_WRONLY | O_APPEND);
	char line[64];

	memset(line, 'a' + who, 63);
	line[63] = '\n';
	for (int n = 0; n < TURNS; n++)
		if (write(fd, line, 64) != 64)
			_exit(1);
}

/* Every hand adds to one number, under a lock. */
static void counting(int who)
{
	int fd = open("count", O_RDWR);
	long value;

	(void)who;
	for (int n = 0; n < 100; n++) {
		struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

		if (fcntl(fd, F_SETLKW, &l) || pread(fd, &value, sizeof(value), 0) != sizeof(value))
			_exit(1);
		value++;
		pwrite(fd, &value, sizeof(value), 0);
		l.l_type = F_UNLCK;
		fcntl(fd, F_SETLK, &l);
	}
}

static bool lines_are_whole(void)
{
	static char text[HANDS * TURNS * 64 + 1];
	int fd = open("log", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text));

	close(fd);
	for (ssize_t at = 0; at < n; at += 64)
		for (int k = 0; k < 63; k++)
			if (text[at + k] != text[at] || text[at + 63] != '\n')
				return false;
	return n == HANDS * TURNS * 64;
}

static void test_names(void)
{
	int n = 0;
	DIR *d;

	is(all_hands(names), HANDS, "%s: names in one directory", on_what);
	d = opendir(".");
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] == 'n' && access(e->d_name, F_OK) < 0;
	closedir(d);
	is(n, 0, "%s: what is listed is there", on_what);
	for (int k = 0; k < 3; k++)
		mkdir((char[]){ 'd', (char)('0' + k), 0 }, 0700);
	is(all_hands(directories), HANDS, "%s: directories that change places", on_what);
}

static void test_contents(void)
{
	long value = 0, *shared;
	int fd = t_file("count", "");

	close(t_file("log", ""));
	is(all_hands(appending), HANDS, "%s: many append", on_what);
	ok(lines_are_whole(), "%s: whole lines", on_what);
	write(fd, &value, sizeof(value));
	is(all_hands(counting), HANDS, "%s: many count under a lock", on_what);
	pread(fd, &value, sizeof(value), 0);
	is(value, HANDS * 100, "%s: none is lost", on_what);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	is(in_child({
		   long *theirs = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
				       open("count", O_RDWR), 0);

		   theirs[0] = 77;
	   }),
	   0, "%s: another process maps it", on_what);
	is(shared[0], 77, "%s: its writes are seen in memory", on_what);
	is(pread(fd, &value, sizeof(value), 0), sizeof(value), "%s: and read", on_what);
	is(value, 77, "%s: the same", on_what);
	value = 78;
	pwrite(fd, &value, sizeof(value), 0);
	is(shared[0], 78, "%s: a write is seen in the mapping", on_what);
	munmap(shared, 4096);
	close(fd);
}

/* A path that no call can name as a whole. */
static void test_depth(void)
{
	char path[PATH_MAX + 1];
	int top = open(".", O_RDONLY), levels = 0;

	for (; levels < 600; levels++)
		if (mkdir("directory", 0755) || chdir("directory"))
			break;
	is(levels, 600, "%s: directories in directories", on_what);
	is(CALL(SYS_getcwd, path, sizeof(path)), -ENAMETOOLONG, "%s: getcwd: ENAMETOOLONG",
	   on_what);
	close(t_file("leaf", "text"));
	is(access("../directory/../directory/leaf", F_OK), 0, "%s: a file at the bottom", on_what);
	unlink("leaf");
	for (; levels > 0; levels--)
		if (chdir("..") || rmdir("directory"))
			break;
	is(levels, 0, "%s: and all the way back", on_what);
	fchdir(top);
	close(top);
}

/* A deep tree goes away with its file system. */
static void test_tree(void)
{
	int top = open(".", O_RDONLY), levels = 0;

	mkdir("tree", 0755);
	is(mount("none", "tree", "tmpfs", 0, NULL), 0, "%s: a file system", on_what);
	if (chdir("tree") == 0)
		while (levels < 5000 && mkdir("d", 0755) == 0 && chdir("d") == 0)
			levels++;
	is(levels, 5000, "%s: a deep tree in it", on_what);
	fchdir(top);
	is(umount2("tree", 0), 0, "%s: goes with it", on_what);
	rmdir("tree");
	close(top);
}

static void test_many(void)
{
	struct rlimit before, l = { 5000, 5000 };
	int first = -1, fd = -1, n = 0;

	close(t_file("many", "x"));
	getrlimit(RLIMIT_NOFILE, &before);
	l.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
	while ((fd = open("many", O_RDONLY)) >= 0) {
		first = first < 0 ? fd : first;
		n++;
	}
	ok(n > 4900 && errno == EMFILE, "%s: thousands of open files", on_what);
	is(CALL(SYS_close_range, first, ~0u, 0), 0, "%s: closed at once", on_what);
	setrlimit(RLIMIT_NOFILE, &before);
}

static void run(void)
{
	test_names();
	test_contents();
	test_depth();
	test_tree();
	test_many();
}

int main(void)
{
	alarm(50);
	in_dirs(run);
	return tap_done();
}
