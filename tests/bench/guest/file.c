/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Benchmark guest: files of the root file system.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/guest/guest.h"

#define FOLDER "/tmp/guest"
#define PATH   FOLDER "/file"
#define SIZE   (1L << 20)

static char buffer[65536];
static int fd = -1;

static void file_begin(void)
{
	mkdir(FOLDER, 0700);
	fd = (int)guest_must(open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600), PATH);
	for (long done = 0; done < SIZE; done += (long)sizeof(buffer))
		guest_must(write(fd, buffer, sizeof(buffer)), "write");
}

static void file_end(void)
{
	close(fd);
	unlink(PATH);
	rmdir(FOLDER);
}

static void do_stat(long n)
{
	struct stat st;

	while (n--)
		guest_must(stat(PATH, &st), "stat");
}

static void do_stat_absent(long n)
{
	struct stat st;

	while (n--)
		stat(FOLDER "/absent", &st);
}

static void do_open(long n)
{
	while (n--)
		close((int)guest_must(open(PATH, O_RDONLY), PATH));
}

static void do_pread(long n, size_t len)
{
	while (n--)
		guest_must(pread(fd, buffer, len, 0), "pread");
}

static void do_pread_1(long n)
{
	do_pread(n, 1);
}

static void do_pread_4k(long n)
{
	do_pread(n, 4096);
}

static void do_pread_64k(long n)
{
	do_pread(n, sizeof(buffer));
}

static void do_read_4k(long n)
{
	for (long at = 0; n--; at += 4096) {
		if (at % SIZE == 0)
			lseek(fd, 0, SEEK_SET);
		guest_must(read(fd, buffer, 4096), "read");
	}
}

static void do_pwrite_4k(long n)
{
	while (n--)
		guest_must(pwrite(fd, buffer, 4096, 0), "pwrite");
}

static void do_fstat(long n)
{
	struct stat st;

	while (n--)
		guest_must(fstat(fd, &st), "fstat");
}

const struct measure measures_file[] = {
	{ "stat", do_stat, file_begin, file_end },
	{ "stat_absent", do_stat_absent, file_begin, file_end },
	{ "fstat", do_fstat, file_begin, file_end },
	{ "open_close", do_open, file_begin, file_end },
	{ "read_4k", do_read_4k, file_begin, file_end },
	{ "pread_1", do_pread_1, file_begin, file_end },
	{ "pread_4k", do_pread_4k, file_begin, file_end },
	{ "pread_64k", do_pread_64k, file_begin, file_end },
	{ "pwrite_4k", do_pwrite_4k, file_begin, file_end },
	{ NULL, NULL, NULL, NULL },
};
