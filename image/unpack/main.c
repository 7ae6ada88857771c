/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulkhead-unpack: a layer from stdin into a directory.
 *
 *   bulkhead-unpack --dir DIR --diff-id sha256:HEX --media-type TYPE [--max-bytes N] [--no-sync]
 *   bulkhead-unpack --version | --help
 *
 * DIR exists and is empty.  Success: exit 0 and {"diff_id":..,"bytes":N,"inodes":N} on stdout.
 * Failure: exit 1 and one line on stderr; what is in DIR then is to be removed.  A wrong command
 * line: exit 2.  All rights but the needed are dropped before the first byte is read (confine.h).
 */
#include <fcntl.h>
#include <getopt.h>
#include <iconv.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "image/unpack/confine.h"
#include "image/unpack/unpack.h"

#define PIPE_BYTES (1 << 20)

#ifdef __SANITIZE_ADDRESS__
/* The leak checker needs rights that confine() gives up. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

static const char usage[] =
	"usage: bulkhead-unpack --dir DIR --diff-id sha256:HEX --media-type TYPE\n"
	"                       [--max-bytes N] [--no-sync]  < layer\n"
	"       bulkhead-unpack --version | --help\n"
	"Unpacks a layer into DIR, which exists and is empty, and prints what it was as JSON.\n";

enum { OPT_DIR, OPT_DIFF_ID, OPT_MEDIA_TYPE, OPT_MAX_BYTES, OPT_NO_SYNC };

static const struct option options[] = {
	{ "dir", required_argument, NULL, OPT_DIR },
	{ "diff-id", required_argument, NULL, OPT_DIFF_ID },
	{ "media-type", required_argument, NULL, OPT_MEDIA_TYPE },
	{ "max-bytes", required_argument, NULL, OPT_MAX_BYTES },
	{ "no-sync", no_argument, NULL, OPT_NO_SYNC },
	{ NULL, 0, NULL, 0 },
};

static int parse_options(int argc, char **argv, struct unpack *u, const char **dir)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == OPT_DIR)
			*dir = optarg;
		else if (c == OPT_DIFF_ID)
			u->diff_id = optarg;
		else if (c == OPT_MEDIA_TYPE)
			u->media_type = optarg;
		else if (c == OPT_NO_SYNC)
			u->sync = false;
		else if (c != OPT_MAX_BYTES || str_parse_u64(optarg, &u->max_bytes) < 0)
			return -EINVAL;
	}
	return optind == argc && *dir && u->diff_id && u->media_type ? 0 : -EINVAL;
}

/*
 * load_lazy_parts() - what libraries would open files for later: then the root is the layer's
 * directory, and whatever lies there was made by others.
 */
static void load_lazy_parts(void)
{
	char digest[DIGEST_MAX];
	iconv_t conv = iconv_open("ANSI_X3.4-1968", "UTF-8"); /* libarchive, for pax names */

	if (conv != (iconv_t)-1)
		iconv_close(conv);
	digest_of("", 0, digest); /* OpenSSL reads its configuration */
}

static int run(const char *dir, struct unpack *u, struct unpack_result *ret, struct error *err)
{
	int root cleanup_close = -1;
	int rc;

	load_lazy_parts();
	fcntl(STDIN_FILENO, F_SETPIPE_SZ, PIPE_BYTES); /* fewer switches; may be refused */
	rc = confine(dir, err);
	if (rc < 0)
		return rc;
	root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return error_errno(err, errno, "open the layer's directory");
	umask(0);
	u->root_fd = root;
	return unpack_layer(u, ret, err);
}

static int print_result(const struct unpack_result *r)
{
	struct strbuf text cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &text };

	json_begin_object(&w);
	json_put_string(&w, "diff_id", r->diff_id);
	json_put_u64(&w, "bytes", r->bytes);
	json_put_u64(&w, "inodes", r->inodes);
	json_end_object(&w);
	strbuf_putc(&text, '\n');
	return fd_write_all(STDOUT_FILENO, text.data, text.len);
}

int main(int argc, char **argv)
{
	struct unpack u = { .in_fd = STDIN_FILENO, .max_bytes = UNPACK_MAX_BYTES, .sync = true };
	struct unpack_result result;
	struct error err = ERROR_INIT;
	const char *dir = NULL;

	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return puts("bulkhead-unpack " BULKHEAD_VERSION) < 0;
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return fputs(usage, stdout) < 0;
	if (parse_options(argc, argv, &u, &dir) < 0) {
		fputs(usage, stderr);
		return 2;
	}
	if (run(dir, &u, &result, &err) < 0) {
		for (char *p = err.text; *p; p++)
			if ((unsigned char)*p < ' ') /* names of the archive may hold anything */
				*p = '?';
		dprintf(STDERR_FILENO, "%s\n", err.text);
		return 1;
	}
	return print_result(&result) < 0;
}
