/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `create` and `run`: a container from a bundle.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "runtimes/sentry/cli/console.h"
#include "runtimes/sentry/cli/lifecycle.h"

struct words {
	struct create_options o;
	bool keep;
};

/* take_words() - flags and the id. Return: 0, or the exit code. */
static int take_words(const struct cli *c, int argc, char **argv, struct words *w)
{
	bool detach = false;
	const struct flag flags[] = {
		{ "bundle", 'b', FLAG_STRING, &w->o.bundle },
		{ "pid-file", 0, FLAG_STRING, &w->o.pid_file },
		{ "console-socket", 0, FLAG_STRING, &w->o.console_socket },
		{ "detach", 'd', FLAG_BOOL, &detach },
		{ "keep", 0, FLAG_BOOL, &w->keep },
		{ "no-pivot", 0, FLAG_IGNORED_BOOL, NULL },
		{ "no-new-keyring", 0, FLAG_IGNORED_BOOL, NULL },
		{ "no-subreaper", 0, FLAG_IGNORED_BOOL, NULL },
		{ "preserve-fds", 0, FLAG_IGNORED, NULL },
		{ "pidfd-socket", 0, FLAG_IGNORED, NULL },
		{ "user-log", 0, FLAG_IGNORED, NULL },
	};
	int i = flags_parse(c, flags, ARRAY_LEN(flags), false, argc, argv);

	if (i < 0)
		return 1;
	if (argc - i != 1)
		return cli_usage(c, "%s: exactly one argument: the container's id", argv[0]);
	w->o.id = argv[i];
	w->o.detach = detach;
	return 0;
}

int cli_create(const struct cli *c, int argc, char **argv)
{
	struct words w = { 0 };
	struct record r cleanup_record = { 0 };
	struct error err = ERROR_INIT;
	int rc = take_words(c, argc, argv, &w);

	if (rc)
		return rc;
	w.o.detach = true;
	return lifecycle_create(c, &w.o, &r, &err) < 0 ? cli_fail(c, &err) : 0;
}

int cli_run(const struct cli *c, int argc, char **argv)
{
	struct words w = { 0 };
	struct record r cleanup_record = { 0 };
	struct error err = ERROR_INIT;
	int rc = take_words(c, argc, argv, &w), code;

	if (rc)
		return rc;
	w.o.once = !w.o.detach && !w.keep;
	if (lifecycle_create(c, &w.o, &r, &err) < 0)
		return cli_fail(c, &err);
	if (lifecycle_start(c, &r, &err) < 0) {
		lifecycle_delete(c, w.o.id, true, NULL);
		return cli_fail(c, &err);
	}
	if (w.o.detach)
		return 0;
	code = lifecycle_wait(r.pid);
	console_detach();
	if (w.o.once && strcmp(r.id, r.sandbox) == 0)
		lifecycle_forget(c, &r); /* the sentry has ended with it */
	else if (!w.keep && lifecycle_delete(c, w.o.id, true, &err) < 0)
		cli_fail(c, &err);
	return code;
}
