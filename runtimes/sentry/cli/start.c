/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `start`: the first process of a container that was created.
 */
#include "runtimes/sentry/cli/lifecycle.h"

int cli_start(const struct cli *c, int argc, char **argv)
{
	struct record r cleanup_record = { 0 };
	struct error err = ERROR_INIT;
	int i = flags_parse(c, NULL, 0, false, argc, argv);

	if (i < 0)
		return 1;
	if (argc - i != 1)
		return cli_usage(c, "start: exactly one argument: the container's id");
	if (record_load(c, argv[i], &r, &err) < 0 || lifecycle_start(c, &r, &err) < 0)
		return cli_fail(c, &err);
	return 0;
}
