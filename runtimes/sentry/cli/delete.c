/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `delete`: what is left of a container that has stopped.
 */
#include "base/mem.h"
#include "runtimes/sentry/cli/lifecycle.h"

int cli_delete(const struct cli *c, int argc, char **argv)
{
	struct error err = ERROR_INIT;
	bool force = false;
	const struct flag flags[] = { { "force", 'f', FLAG_BOOL, &force } };
	int i = flags_parse(c, flags, ARRAY_LEN(flags), false, argc, argv);

	if (i < 0)
		return 1;
	if (argc - i != 1)
		return cli_usage(c, "delete: exactly one argument: the container's id");
	return lifecycle_delete(c, argv[i], force, &err) < 0 ? cli_fail(c, &err) : 0;
}
