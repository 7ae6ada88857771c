/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sendfile, splice, tee, vmsplice, copy_file_range.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include "tests/syscalls/file_dirs.h"

static void test_sendfile(void)
{
	int in = t_file("in", "0123456789"), out = t_file("out", ""), p[2];
	int app = open("out", O_WRONLY | O_APPEND);
	off_t pos = 2;
	char buf[16];

	is(CALL(SYS_sendfile, out, in, &pos, 5), 5, "%s: sendfile", on_what);
	is(pos, 7, "%s: moves the offset", on_what);
	is(lseek(in, 0, SEEK_CUR), 10, "%s: and not the position", on_what);
	is(pread(out, buf, 16, 0), 5, "%s: copies", on_what);
	ok(memcmp(buf, "23456", 5) == 0, "%s: what is there", on_what);
	lseek(in, 0, SEEK_SET);
	is(CALL(SYS_sendfile, out, in, NULL, 100), 10, "%s: to the end", on_what);
	is(CALL(SYS_sendfile, out, in, NULL, 100), 0, "%s: then nothing", on_what);
	pipe(p);
	pos = 0;
	is(CALL(SYS_sendfile, p[1], in, &pos, 4), 4, "%s: to a pipe", on_what);
	is(CALL(SYS_sendfile, out, p[0], NULL, 4), -EINVAL, "%s: from a pipe: EINVAL", on_what);
	is(CALL(SYS_sendfile, out, 99, NULL, 4), -EBADF, "%s: sendfile: EBADF", on_what);
	is(CALL(SYS_sendfile, app, in, NULL, 4), -EINVAL, "%s: to O_APPEND: EINVAL", on_what);
	is(CALL(SYS_sendfile, out, in, BAD, 4), -EFAULT, "%s: sendfile: EFAULT", on_what);
	pos = -1;
	is(CALL(SYS_sendfile, out, in, &pos, 4), -EINVAL, "%s: a negative offset: EINVAL", on_what);
	close(p[0]);
	close(p[1]);
	close(app);
	close(in);
	close(out);
}

static void test_splice(void)
{
	int in = t_file("in", "0123456789"), out = t_file("out", ""), p[2], q[2];
	struct iovec v = { "vec", 3 };
	loff_t pos = 4;
	char buf[16];

	pipe(p);
	pipe(q);
	is(CALL(SYS_splice, in, &pos, p[1], NULL, 3, 0), 3, "%s: splice to a pipe", on_what);
	is(pos, 7, "%s: moves the offset", on_what);
	is(CALL(SYS_tee, p[0], q[1], 10, 0), 3, "%s: tee", on_what);
	is(CALL(SYS_splice, p[0], NULL, out, NULL, 10, 0), 3, "%s: splice from a pipe", on_what);
	is(read(q[0], buf, 16), 3, "%s: tee has left it there", on_what);
	ok(memcmp(buf, "456", 3) == 0, "%s: and copied it", on_what);
	is(pread(out, buf, 16, 0), 3, "%s: splice has written it", on_what);
	is(CALL(SYS_splice, p[0], NULL, out, NULL, 10, SPLICE_F_NONBLOCK), -EAGAIN,
	   "%s: an empty pipe: EAGAIN", on_what);
	is(CALL(SYS_splice, in, NULL, out, NULL, 10, 0), -EINVAL, "%s: no pipe: EINVAL", on_what);
	is(CALL(SYS_splice, p[0], &pos, out, NULL, 10, 0), -ESPIPE, "%s: offset of a pipe: ESPIPE",
	   on_what);
	is(CALL(SYS_splice, 99, NULL, p[1], NULL, 10, 0), -EBADF, "%s: splice: EBADF", on_what);
	is(CALL(SYS_tee, in, p[1], 10, 0), -EINVAL, "%s: tee of no pipe: EINVAL", on_what);
	is(CALL(SYS_vmsplice, p[1], &v, 1, 0), 3, "%s: vmsplice", on_what);
	is(read(p[0], buf, 16), 3, "%s: is a write", on_what);
	is(CALL(SYS_vmsplice, out, &v, 1, 0), -EBADF, "%s: of no pipe: EBADF", on_what);
	interrupted(CALL(SYS_splice, p[0], NULL, out, NULL, 10, 0), -EINTR, "splice: EINTR");
	close(p[1]);
	is(CALL(SYS_splice, p[0], NULL, out, NULL, 10, 0), 0, "%s: the end", on_what);
	close(p[0]);
	close(q[0]);
	close(q[1]);
	close(in);
	close(out);
}

static void test_copy_range(void)
{
	int in = t_file("in", "0123456789"), out = t_file("out", ""), p[2];
	loff_t from = 5, to = 1;
	char buf[16];

	is(CALL(SYS_copy_file_range, in, &from, out, &to, 3, 0), 3, "%s: copy_file_range", on_what);
	ok(from == 8 && to == 4, "%s: moves both offsets", on_what);
	is(pread(out, buf, 16, 0), 4, "%s: has copied", on_what);
	ok(memcmp(buf,
		  "\0"
		  "567",
		  4) == 0,
	   "%s: to where it should", on_what);
	is(CALL(SYS_copy_file_range, in, &from, out, &to, 100, 0), 2, "%s: to the end", on_what);
	is(CALL(SYS_copy_file_range, in, &from, out, &to, 100, 0), 0, "%s: then nothing", on_what);
	from = 0, to = 2;
	is(CALL(SYS_copy_file_range, in, &from, in, &to, 5, 0), -EINVAL, "%s: overlapping: EINVAL",
	   on_what);
	is(CALL(SYS_copy_file_range, in, &from, out, &to, 5, 1), -EINVAL, "%s: flags: EINVAL",
	   on_what);
	pipe(p);
	is(CALL(SYS_copy_file_range, in, &from, p[1], NULL, 5, 0), -EINVAL, "%s: a pipe: EINVAL",
	   on_what);
	is(CALL(SYS_copy_file_range, in, &from, 99, NULL, 5, 0), -EBADF, "%s: EBADF", on_what);
	is(CALL(SYS_copy_file_range, in, BAD, out, NULL, 5, 0), -EFAULT, "%s: EFAULT", on_what);
	close(p[0]);
	close(p[1]);
	close(in);
	close(out);
}

static void run(void)
{
	test_sendfile();
	test_splice();
	test_copy_range();
}

int main(void)
{
	in_dirs(run);
	return tap_done();
}
