/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `bulkhead import`: images from an archive.
 *
 * The server opens the archive by its path and reads it where it lies.  What is no regular file
 * becomes one first: standard input is copied, of a directory tar makes an archive.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "cri/proto/admin.pb-c.h"
#include "cri/tool/client.h"
#include "cri/tool/commands.h"

#define TAR_TIMEOUT_MS (10 * 60 * 1000)
#define PIECE	       (1 << 20)

static const char usage[] =
	"usage: bulkhead import ARCHIVE | DIRECTORY | -\n\n"
	"Images of a tar archive (an OCI layout, or what `docker save` writes), of a directory "
	"with\n"
	"an OCI layout, or of an archive on standard input.  Prints their ids.\n";

static int make_temporary(char path[32], struct error *err)
{
	int fd;

	snprintf(path, 32, "/var/tmp/bulkhead-import-XXXXXX");
	fd = mkostemp(path, O_CLOEXEC);
	return fd < 0 ? error_errno(err, errno, "%s", path) : fd;
}

static int copy_stdin(int to, struct error *err)
{
	char *piece cleanup_free = xmalloc(PIECE);

	for (;;) {
		ssize_t n = read(STDIN_FILENO, piece, PIECE);
		int rc;

		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, errno, "standard input");
		rc = fd_write_all(to, piece, (size_t)n);
		if (rc < 0)
			return error_errno(err, -rc, "copy of standard input");
	}
}

static int pack(const char *dir, const char *archive, struct error *err)
{
	const char *argv[] = { "tar", "--format=ustar", "-C", dir, "-cf", archive, ".", NULL };
	char *tar cleanup_free = path_find_program("tar");
	struct spawn_result result = { 0 };
	struct spawn s = SPAWN_INIT;
	int rc;

	if (!tar)
		return error_set(err, ENOENT, "no tar to pack directory %s with", dir);
	s.program = tar;
	s.argv = argv;
	rc = spawn_run(&s, NULL, 0, TAR_TIMEOUT_MS, -1, &result, err);
	if (rc == 0 && result.exit_code != 0)
		rc = error_set(err, EIO, "tar of %s ended with status %d", dir, result.exit_code);
	spawn_result_finish(&result);
	return rc;
}

static int import(const char *socket, char *path, char *name, struct error *err)
{
	Bulkhead__V1__ImportRequest request = BULKHEAD__V1__IMPORT_REQUEST__INIT;
	const Bulkhead__V1__ImportResponse *ids;
	ProtobufCMessage *reply;
	int rc;

	request.path = path;
	request.name = name;
	rc = client_call(socket, "/bulkhead.v1.Admin/Import", &request.base,
			 &bulkhead__v1__import_response__descriptor, &reply, -1, err);
	if (rc < 0)
		return rc;
	ids = (void *)reply;
	for (size_t i = 0; i < ids->n_ids; i++)
		puts(ids->ids[i]);
	protobuf_c_message_free_unpacked(reply, NULL);
	return 0;
}

/* What @name is not: a regular file. */
static int import_copy(const char *socket, char *name, bool is_stdin, struct error *err)
{
	char path[32];
	int fd cleanup_close = make_temporary(path, err);
	int rc = fd;

	if (rc >= 0)
		rc = is_stdin ? copy_stdin(fd, err) : pack(name, path, err);
	if (rc == 0)
		rc = import(socket, path, is_stdin ? (char *)"standard input" : name, err);
	if (fd >= 0)
		unlink(path);
	return rc;
}

static int run(const char *socket, char *name, struct error *err)
{
	char *whole cleanup_free = NULL;
	struct stat st;

	if (str_eq(name, "-"))
		return import_copy(socket, name, true, err);
	if (stat(name, &st) < 0)
		return error_errno(err, errno, "%s", name);
	if (S_ISDIR(st.st_mode))
		return import_copy(socket, name, false, err);
	whole = realpath(name, NULL);
	if (!whole)
		return error_errno(err, errno, "%s", name);
	return import(socket, whole, name, err);
}

int command_import(const char *socket, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct error err = ERROR_INIT;
	int c = getopt_long(argc, argv, "", longs, NULL);

	if (c != -1 || argc - optind != 1) {
		fputs(usage, c == 'h' ? stdout : stderr);
		return c == 'h' ? 0 : 2;
	}
	if (run(socket, argv[optind], &err) == 0)
		return 0;
	fprintf(stderr, "bulkhead import: %s\n", err.text);
	return 1;
}
