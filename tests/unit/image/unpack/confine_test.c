/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the unpacker cannot do any more once it is confined.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/path.h"
#include "image/unpack/confine.h"
#include "tests/unit/tap.h"

static char dir[] = "/tmp/confine-test-XXXXXX";

/* denied() - by the filter, or by the kernel for want of a right. */
static bool denied(long rc)
{
	return rc < 0 && (errno == ENOSYS || errno == EPERM);
}

static void test_root(void)
{
	ok(open("/etc", O_PATH) < 0 && errno == ENOENT, "the host's files are gone");
	ok(open("/../etc", O_PATH) < 0 && errno == ENOENT, "and nothing is above");
	ok(mkdirat(AT_FDCWD, "/made", 0755) == 0, "names can be made");
	ok(mknodat(AT_FDCWD, "/null", S_IFCHR | 0666, makedev(1, 3)) == 0, "devices too");
	ok(open("/null", O_RDWR) < 0, "but not opened");
}

static void test_rights(void)
{
	int fd = open("/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	ok(fd >= 0 && fchown(fd, 12345, 6) == 0 && fchmod(fd, 06755) == 0, "any owner, setuid");
	ok(denied(mount("t", "/made", "tmpfs", 0, NULL)), "no mounts");
	ok(denied(chroot("/made")), "no chroot");
	ok(denied(setuid(1)), "no change of user");
}

/* Sanitizer builds have no filter (confine.c). */
__attribute__((unused)) static void test_filter(void)
{
	const int rwx = PROT_READ | PROT_WRITE | PROT_EXEC;
	char *argv[] = { NULL };

	ok(denied(socket(AF_UNIX, SOCK_STREAM, 0)), "no sockets");
	ok(denied(execve("/file", argv, argv)), "no programs");
	ok(denied(fork()), "no processes");
	ok(denied(prctl(PR_GET_DUMPABLE)), "no calls that are not in the list");
	ok(mmap(NULL, 4096, rwx, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED,
	   "no memory to execute");
	ok(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED,
	   "but memory");
}

int main(void)
{
	struct error err = ERROR_INIT;
	int status = 0;
	pid_t pid;

	if (!mkdtemp(dir))
		return 1;
	ok(confine("/nowhere/at/all", &err) < 0 && strstr(err.text, "/nowhere"),
	   "a directory that is not there: %s", err.text);
	pid = fork();
	if (pid == 0) {
		err = (struct error)ERROR_INIT;
		if (!ok(confine(dir, &err) == 0, "confined %s", err.text))
			_exit(1);
		test_root();
		test_rights();
#if CONFINE_FILTERS
		test_filter();
#endif
		status = tap_done();
		fflush(stdout);
		_exit(status);
	}
	waitpid(pid, &status, 0);
	path_remove_tree(AT_FDCWD, dir, NULL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
