/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gofer as a program: what it does below its trees, and what it refuses.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "base/confine.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "runtimes/gofer/client.h"
#include "tests/unit/tap.h"

static char top[] = "/tmp/gofer-test-XXXXXX";
static int ends[3]; /* ours: two for the client, one for hostile bytes */
static pid_t pid;
static struct gofer *g;

enum { RW = 0, RO = 1 };

static char *at(const char *name)
{
	static char path[4][256];
	static int next;
	char *p = path[next++ % 4];

	snprintf(p, 256, "%s/%s", top, name);
	return p;
}

static int start(void)
{
	const char *bin = getenv("BIN");
	char *program cleanup_free = path_join(bin ? bin : "build/bin", "bulkhead-gofer");
	const char *argv[] = { program, "--connection",
			       "3",	"--connection",
			       "4",	"--connection",
			       "5",	"--tree",
			       "6",	"--tree",
			       "7:ro",	"--admin",
			       "8",	NULL };
	struct spawn s = SPAWN_INIT;
	struct error err = ERROR_INIT;
	int pair[3][2], fds[6];

	for (int i = 0; i < 3; i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair[i]) < 0)
			return -errno;
		ends[i] = pair[i][0];
		fds[i] = pair[i][1];
	}
	fds[3] = open(at("rw"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	fds[4] = open(at("ro"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	fds[5] = fd_listen_unix(at("admin"), SOCK_SEQPACKET, 0600, &err);
	s.program = program;
	s.argv = argv;
	s.extra_fds = fds;
	s.n_extra_fds = 6;
	s.stdio[2] = 2;
	if (spawn_start(&s, &pid, NULL, &err) < 0) {
		printf("# %s\n", err.text);
		return -1;
	}
	for (int i = 0; i < 6; i++)
		close(fds[i]);
	g = gofer_create(ends, 2);
	return 0;
}

static void test_files(void)
{
	struct gofer_node n, again;
	struct gofer_attr a = { .mode = 04711, .uid = 5, .gid = 6, .size = 3 };
	struct stat st;
	char buf[16] = "";
	int fd = -1;

	is_int(gofer_create_file(g, RW, "file", 0640, 1000, 1001, &n, &fd), 0, "a file is made");
	ok(write(fd, "hello", 5) == 5 && pread(fd, buf, 5, 0) == 5,
	   "its descriptor reads and writes");
	close(fd);
	ok(stat(at("rw/file"), &st) == 0 && st.st_uid == 1000 && st.st_gid == 1001 &&
		   (st.st_mode & 07777) == 0640,
	   "owner and mode are as asked");
	is_int(gofer_create_file(g, RW, "file", 0640, 0, 0, &n, &fd), -EEXIST, "not twice");
	is_int(gofer_lookup(g, RW, "file", &again), 0, "it is found");
	ok(again.attr.ino == st.st_ino && again.attr.size == 5, "with its attributes");
	is_int(gofer_setattr(g, again.handle,
			     GOFER_SET_MODE | GOFER_SET_UID | GOFER_SET_GID | GOFER_SET_SIZE, &a,
			     &a),
	       0, "attributes are set");
	ok(stat(at("rw/file"), &st) == 0 && st.st_uid == 5 && st.st_gid == 6 && st.st_size == 3 &&
		   (st.st_mode & 07777) == 04711,
	   "all of them, set-id bit too");
	is_int(gofer_open(g, again.handle, O_RDONLY, &fd), 0, "opened for reading");
	ok(write(fd, "x", 1) < 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC), "only that, close-on-exec");
	close(fd);
	gofer_close(g, again.handle);
	is_int(gofer_getattr(g, again.handle, &a), -EBADF, "a closed handle is none");
}

static void test_names(void)
{
	struct gofer_node d, l, f;
	char buf[64] = "";
	int fd = -1;

	is_int(gofer_make(g, RW, "dir", S_IFDIR | 02755, 7, 8, &d), 0, "mkdir");
	is_int(gofer_symlink(g, d.handle, "link", "/etc/passwd", 9, 9, &l), 0, "symlink");
	is_int(gofer_readlink(g, l.handle, buf, sizeof(buf)), 11, "readlink");
	is_str(buf, "/etc/passwd", "its target");
	is_int(gofer_open(g, l.handle, O_RDONLY, &fd), -ENXIO, "a symlink is never opened");
	is_int(gofer_lookup(g, l.handle, "x", &f), -ENOTDIR, "nor walked through");
	is_int(gofer_make(g, d.handle, "fifo", S_IFIFO | 0600, 0, 0, &f), 0, "mkfifo");
	is_int(gofer_open(g, f.handle, O_RDONLY, &fd), -ENXIO, "a fifo is never opened");
	is_int(gofer_create_file(g, d.handle, NULL, 0600, 1, 1, &f, &fd), 0, "O_TMPFILE");
	is_int(gofer_link(g, d.handle, "now", f.handle), 0, "gets a name");
	close(fd);
	is_int(gofer_rename(g, d.handle, "now", RW, "there", 0), 0, "rename");
	is_int(gofer_rename(g, RW, "there", RW, "file", RENAME_NOREPLACE), -EEXIST, "NOREPLACE");
	is_int(gofer_unlink(g, RW, "there", 0), 0, "unlink");
	is_int(gofer_unlink(g, RW, "dir", AT_REMOVEDIR), -ENOTEMPTY, "rmdir of a full one");
	is_int(gofer_setxattr(g, d.handle, "user.a", "bc", 2, 0), 0, "setxattr");
	is_int(gofer_getxattr(g, d.handle, "user.a", buf, sizeof(buf)), 2, "getxattr");
	is_int(gofer_getxattr(g, d.handle, "user.a", buf, 1), -ERANGE, "too small a buffer");
	is_int(gofer_listxattr(g, d.handle, buf, sizeof(buf)), 7, "listxattr");
	is_int(gofer_removexattr(g, d.handle, "user.a"), 0, "removexattr");
}

static void test_refusals(void)
{
	struct gofer_node n;
	struct gofer_attr a = { 0 };
	int fd = -1;

	is_int(gofer_lookup(g, RW, "..", &n), -EINVAL, "..");
	is_int(gofer_lookup(g, RW, ".", &n), -EINVAL, ".");
	is_int(gofer_lookup(g, RW, "dir/fifo", &n), -EINVAL, "a path is no name");
	is_int(gofer_lookup(g, RW, "", &n), -EINVAL, "nothing is no name");
	is_int(gofer_make(g, RW, "null", S_IFCHR | 0666, 0, 0, &n), -EPERM, "no devices");
	is_int(gofer_create_file(g, RO, "x", 0600, 0, 0, &n, &fd), -EROFS,
	       "read-only: no new file");
	is_int(gofer_lookup(g, RO, "old", &n), 0, "read-only: lookup");
	is_int(gofer_open(g, n.handle, O_RDWR, &fd), -EROFS, "read-only: no writing");
	is_int(gofer_setattr(g, n.handle, GOFER_SET_MODE, &a, &a), -EROFS, "read-only: no chmod");
	is_int(gofer_link(g, RW, "stolen", n.handle), -EROFS, "no link out of it");
	is_int(gofer_rename(g, RO, "old", RW, "x", 0), -EROFS, "no rename out of it");
	is_int(gofer_open(g, n.handle, O_RDONLY, &fd), 0, "read-only: reading");
	close(fd);
	is_int(gofer_open(g, n.handle, O_WRONLY | O_TRUNC, &fd), -EINVAL, "no other open flags");
	is_int(gofer_getattr(g, 100000, &a), -EBADF, "no such handle");
	is_int(gofer_getattr(g, 2, &a), -EBADF, "no such tree");
	is_int(gofer_setxattr(g, RW, "trusted.overlay.opaque", "y", 1, 0), -EOPNOTSUPP,
	       "attributes that are the host's");
}

/* bad() - @len bytes of @rq, cut off or too long. Return: the error that comes back. */
static int bad(const struct gofer_request *rq, size_t len)
{
	char message[sizeof(*rq) + 64] = { 0 };
	struct gofer_reply reply = { .error = 1 };

	memcpy(message, rq, sizeof(*rq));
	if (send(ends[2], message, len, 0) < 0 || recv(ends[2], &reply, sizeof(reply), 0) <= 0)
		return 1;
	return reply.error;
}

static void test_bytes(void)
{
	struct gofer_request rq = { .op = GOFER_GETATTR };
	char huge[GOFER_REQUEST_MAX + 100] = { 0 };
	struct gofer_reply reply;

	is_int(bad(&rq, sizeof(rq)), 0, "a good one");
	is_int(bad(&rq, 1), -EINVAL, "one byte");
	is_int(bad(&rq, sizeof(rq) + 3), -EINVAL, "bytes that nobody asked for");
	rq.name_len = UINT32_MAX;
	rq.data_len = 4;
	is_int(bad(&rq, sizeof(rq) + 3), -EINVAL, "lengths that wrap around");
	rq = (struct gofer_request){ .op = 77 };
	is_int(bad(&rq, sizeof(rq)), -ENOSYS, "an unknown request");
	ok(send(ends[2], huge, sizeof(huge), 0) > 0 &&
		   recv(ends[2], &reply, sizeof(reply), 0) > 0 && reply.error == -EINVAL,
	   "a message longer than any request");
	rq = (struct gofer_request){ .op = GOFER_LOOKUP, .name_len = 3 };
	is_int(bad(&rq, sizeof(rq) + 3), -EINVAL, "a name of zero bytes");
}

static void test_rights(void)
{
	char path[64], *line;
	struct strbuf status cleanup_strbuf = { 0 };

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (!ok(fd_read_file(AT_FDCWD, path, 65536, &status, NULL) == 0, "its status can be read"))
		return;
	line = strstr(status.data, "CapEff:");
	ok(line && strncmp(line, "CapEff:\t000000000000001f", 24) == 0,
	   "five capabilities and no more");
	line = strstr(status.data, "CapBnd:");
	ok(line && strncmp(line, "CapBnd:\t000000000000001f", 24) == 0, "nor can it get others");
#if !CONFINE_FILTERS
	skip("a filter is on", "sanitizer builds have none");
#else
	line = strstr(status.data, "Seccomp:");
	ok(line && strncmp(line, "Seccomp:\t2", 10) == 0, "a filter is on");
#endif
}

static void test_admin(void)
{
	struct error err = ERROR_INIT;
	struct gofer_node n;
	int fd = open(at("more"), O_PATH | O_DIRECTORY | O_CLOEXEC);

	is_int(gofer_add_tree(at("admin"), fd, 0, &err), 2, "a tree more");
	close(fd);
	is_int(gofer_lookup(g, 2, "inside", &n), 0, "is served");
	is_int(gofer_rename(g, 2, "inside", RW, "x", 0), -EXDEV, "apart from the others");
}

int main(void)
{
	int status;

	if (geteuid() != 0) {
		skip("the gofer", "needs root");
		return tap_done();
	}
	ok(mkdtemp(top) && mkdir(at("rw"), 0755) == 0 && mkdir(at("ro"), 0755) == 0 &&
		   mkdir(at("more"), 0755) == 0 && mkdir(at("more/inside"), 0755) == 0 &&
		   close(creat(at("ro/old"), 0644)) == 0,
	   "trees to serve");
	if (ok(start() == 0, "the program starts")) {
		test_files();
		test_names();
		test_refusals();
		test_bytes();
		test_rights();
		test_admin();
		gofer_destroy(g);
		close(ends[2]);
		ok(waitpid(pid, &status, 0) == pid && status == 0,
		   "it ends with its last connection");
	}
	path_remove_tree(AT_FDCWD, top, NULL);
	return tap_done();
}
