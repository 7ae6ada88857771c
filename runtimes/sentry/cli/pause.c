/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `pause` and `resume`: the guest processes of a container stand still, or go on.
 *
 * The freezer of the container's cgroup holds its stubs.  A sandbox's cgroup also holds the sentry,
 * so with it the whole pod stands still.  A zygote that waits for the sentry's orders does not
 * freeze, but what it makes then does: so a cgroup that is on its way there is paused.
 */
#include <errno.h>

#include "runtimes/cgroup/cgroup.h"
#include "runtimes/sentry/cli/lifecycle.h"

static int set(const struct cli *c, int argc, char **argv, bool freeze)
{
	struct record r cleanup_record = { 0 };
	struct error err = ERROR_INIT;
	int i = flags_parse(c, NULL, 0, false, argc, argv), rc;

	if (i < 0)
		return 1;
	if (argc - i != 1)
		return cli_usage(c, "%s: exactly one argument: the container's id", argv[0]);
	if (record_load(c, argv[i], &r, &err) < 0)
		return cli_fail(c, &err);
	if (!r.cgroup) {
		error_set(&err, ENOTSUP, "container %s has no cgroup", r.id);
		return cli_fail(c, &err);
	}
	rc = cgroup_freeze(r.cgroup, freeze, &err);
	return rc < 0 && rc != -EINPROGRESS ? cli_fail(c, &err) : 0;
}

int cli_pause(const struct cli *c, int argc, char **argv)
{
	return set(c, argc, argv, true);
}

int cli_resume(const struct cli *c, int argc, char **argv)
{
	return set(c, argc, argv, false);
}
