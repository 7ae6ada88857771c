/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A config.json to begin with: for `spec` and `do`.
 */
#ifndef SENTRY_CLI_DEFAULT_SPEC_H
#define SENTRY_CLI_DEFAULT_SPEC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct default_spec {
	const char *root, *cwd, *hostname;
	bool terminal, read_only;
	bool host_network; /* no network of its own */
	bool all_caps;
	char *const *args;
	size_t n_args;
	char *const *env; /* beside PATH and TERM */
	size_t n_env;
	unsigned int uid, gid;
};

/* default_spec() - appended to @out. */
void default_spec(const struct default_spec *d, struct strbuf *out);

#endif
