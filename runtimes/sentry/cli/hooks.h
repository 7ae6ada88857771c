/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks of a bundle that run on the host.
 */
#ifndef SENTRY_CLI_HOOKS_H
#define SENTRY_CLI_HOOKS_H

#include "base/json.h"
#include "runtimes/sentry/cli/record.h"

/*
 * hooks_run() - those of @kind ("prestart"), in order, with the container's state on stdin.
 * Return: 0, or the first one's failure.
 */
int hooks_run(const struct json *hooks, const char *kind, const struct record *r,
	      const char *status, struct error *err);
/* hooks_run_bundle() - the same, read from the bundle's config.json; failures are warnings. */
void hooks_run_bundle(const struct cli *c, const struct record *r, const char *kind,
		      const char *status);

#endif
