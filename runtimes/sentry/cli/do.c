/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `do`: run one command on a directory as root file system, without a bundle.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "runtimes/sentry/cli/default_spec.h"
#include "runtimes/sentry/cli/lifecycle.h"

/* trace_to_stderr() - each call of the pod, as `trace` shows them. */
static int trace_to_stderr(const struct cli *c, const struct record *r, struct error *err)
{
	struct control_request rq;
	int fd = 2, rc = control_request_init(&rq, CONTROL_TRACE, r->id, err);

	rq.value = 1;
	return rc < 0 ? rc : record_call(c, r, &rq, &fd, 1, NULL, NULL, err);
}

static int run(const struct cli *c, const struct default_spec *d, bool trace)
{
	struct strbuf config cleanup_strbuf = { 0 };
	struct record r cleanup_record = { 0 };
	struct error err = ERROR_INIT;
	char id[] = "do-0123456789abcdef";
	struct create_options o = { .id = id, .bundle = "/", .once = true, .no_cgroup = true };
	int code;

	str_random_hex(id + 3, 8);
	default_spec(d, &config);
	o.config = config.data;
	o.config_len = config.len;
	if (lifecycle_create(c, &o, &r, &err) < 0)
		return cli_fail(c, &err);
	if ((trace && trace_to_stderr(c, &r, &err) < 0) || lifecycle_start(c, &r, &err) < 0) {
		lifecycle_delete(c, id, true, NULL);
		return cli_fail(c, &err);
	}
	code = lifecycle_wait(r.pid);
	console_detach();
	lifecycle_forget(c, &r); /* the sentry has ended with it */
	return code;
}

int cli_do(const struct cli *c, int argc, char **argv)
{
	struct default_spec d = { .hostname = "bulkhead", .root = "/", .cwd = "/" };
	struct strlist env cleanup_strlist = { 0 };
	char *root cleanup_free = NULL;
	bool trace = false;
	const struct flag flags[] = {
		{ "rootfs", 0, FLAG_STRING, &d.root },
		{ "root", 0, FLAG_STRING, &d.root },
		{ "cwd", 0, FLAG_STRING, &d.cwd },
		{ "env", 'e', FLAG_LIST, &env },
		{ "ro", 0, FLAG_BOOL, &d.read_only },
		{ "all-caps", 0, FLAG_BOOL, &d.all_caps },
		{ "hostname", 0, FLAG_STRING, &d.hostname },
		{ "trace", 0, FLAG_BOOL, &trace },
		{ "tty", 't', FLAG_BOOL, &d.terminal },
	};
	int i = flags_parse(c, flags, ARRAY_LEN(flags), false, argc, argv);

	if (i < 0)
		return 1;
	if (i >= argc)
		return cli_usage(c, "do: what is to be run?");
	d.host_network = strcmp(c->network, "host") == 0;
	root = realpath(d.root, NULL);
	if (!root)
		return cli_usage(c, "do: --rootfs %s: no such directory", d.root);
	d.root = root;
	d.args = argv + i;
	d.n_args = (size_t)(argc - i);
	d.env = env.items;
	d.n_env = env.count;
	return run(c, &d, trace);
}
