/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `spec`: a config.json to begin with.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "runtimes/sentry/cli/default_spec.h"
#include "runtimes/sentry/cli/lifecycle.h"

int cli_spec(const struct cli *c, int argc, char **argv)
{
	static char *const shell[] = { "sh" };
	struct default_spec d = { .root = "rootfs",
				  .cwd = "/",
				  .hostname = "bulkhead",
				  .terminal = true,
				  .read_only = true,
				  .args = shell,
				  .n_args = 1 };
	struct strbuf out cleanup_strbuf = { 0 };
	struct error err = ERROR_INIT;
	const char *bundle = ".", *cwd = NULL;
	char *path cleanup_free = NULL;
	const struct flag flags[] = {
		{ "bundle", 'b', FLAG_STRING, &bundle },
		{ "cwd", 0, FLAG_STRING, &cwd },
		{ "rootless", 0, FLAG_IGNORED_BOOL, NULL },
	};
	int i = flags_parse(c, flags, ARRAY_LEN(flags), false, argc, argv);

	if (i < 0)
		return 1;
	if (argc > i) {
		d.args = argv + i;
		d.n_args = (size_t)(argc - i);
	}
	if (cwd)
		d.cwd = cwd;
	path = path_join(bundle, "config.json");
	if (path_exists(path)) {
		error_set(&err, EEXIST, "file %s exists: remove it first", path);
		return cli_fail(c, &err);
	}
	default_spec(&d, &out);
	strbuf_putc(&out, '\n');
	if (fd_replace_file(AT_FDCWD, path, out.data, out.len, 0666, false, &err) < 0)
		return cli_fail(c, &err);
	return 0;
}
