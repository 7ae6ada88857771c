/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Global flags, and which command is run.
 */
#include "runtimes/sentry/cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

static const struct {
	const char *name;
	cli_fn *fn;
	const char *help; /* NULL: not listed */
} commands[] = {
	{ "create", cli_create, "create [--bundle DIR] [--pid-file F] [--console-socket S] ID" },
	{ "start", cli_start, "start ID" },
	{ "run", cli_run, "run [--detach] [create's flags] ID" },
	{ "exec", cli_exec,
	  "exec [--process F] [--detach] [--tty] [--pid-file F] ID [COMMAND...]" },
	{ "ps", cli_ps, "ps [--format table|json] ID" },
	{ "kill", cli_kill, "kill [--all] [--pid PID] ID [SIGNAL]" },
	{ "delete", cli_delete, "delete [--force] ID" },
	{ "state", cli_state, "state ID" },
	{ "list", cli_list, "list [--format table|json] [--quiet]" },
	{ "events", cli_events, "events --stats ID" },
	{ "pause", cli_pause, "pause ID" },
	{ "resume", cli_resume, "resume ID" },
	{ "update", cli_update, "update [--resources F] ID" },
	{ "trace", cli_trace, "trace [--stop] ID: system calls of the pod, as they happen" },
	{ "spec", cli_spec, "spec [--bundle DIR]: writes a config.json to begin with" },
	{ "features", cli_features, "features: what this runtime can do, as JSON" },
	{ "syscalls", cli_syscalls, "syscalls: number, name, state, note of every call" },
	{ "do", cli_do,
	  "do [--rootfs DIR] [--cwd DIR] [--env K=V] [--trace] [--] COMMAND...: run one command" },
	{ "checkpoint", cli_refused, NULL },
	{ "restore", cli_refused, NULL },
};

static int help(FILE *to, int code)
{
	fputs("usage: bulkhead-sentry [--root DIR] [--log FILE] [--log-format text|json] "
	      "[--debug]\n"
	      "                       [--systemd-cgroup] [--network host|none] [--strict] COMMAND "
	      "...\n"
	      "An OCI runtime whose containers run on a kernel of their own, in user space.\n\n",
	      to);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (commands[i].help)
			fprintf(to, "  %s\n", commands[i].help);
	return code;
}

static int version(void)
{
	puts("bulkhead-sentry version " BULKHEAD_VERSION "\nspec: 1.2.0");
	return 0;
}

static int dispatch(const struct cli *c, int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, argv[0]) == 0)
			return commands[i].fn(c, argc, argv);
	return cli_usage(c, "unknown command '%s'", argv[0]);
}

int cli_refused(const struct cli *c, int argc, char **argv)
{
	struct error err = ERROR_INIT;

	(void)argc;
	error_set(&err, ENOTSUP, "%s: this runtime does not do it", argv[0]);
	return cli_fail(c, &err);
}

int cli_main(int argc, char **argv)
{
	struct cli c = { .root = CLI_DEFAULT_ROOT, .network = "sandbox" };
	const char *format = "text";
	bool want_help = false, want_version = false;
	const struct flag flags[] = {
		{ "root", 0, FLAG_STRING, &c.root },
		{ "log", 0, FLAG_STRING, &c.log },
		{ "log-format", 0, FLAG_STRING, &format },
		{ "debug", 0, FLAG_BOOL, &c.debug },
		{ "systemd-cgroup", 0, FLAG_BOOL, &c.systemd_cgroup },
		{ "network", 0, FLAG_STRING, &c.network },
		{ "strict", 0, FLAG_BOOL, &c.strict },
		{ "help", 'h', FLAG_BOOL, &want_help },
		{ "version", 'v', FLAG_BOOL, &want_version },
		{ "platform", 0, FLAG_IGNORED, NULL },
		{ "rootless", 0, FLAG_IGNORED, NULL },
		{ "criu", 0, FLAG_IGNORED, NULL },
		{ "debug-log", 0, FLAG_IGNORED, NULL },
		{ "debug-log-format", 0, FLAG_IGNORED, NULL },
		{ "overlay2", 0, FLAG_IGNORED, NULL },
		{ "file-access", 0, FLAG_IGNORED, NULL },
		{ "host-uds", 0, FLAG_IGNORED, NULL },
		{ "host-fifo", 0, FLAG_IGNORED, NULL },
		{ "num-network-channels", 0, FLAG_IGNORED, NULL },
		{ "watchdog-action", 0, FLAG_IGNORED, NULL },
		{ "panic-signal", 0, FLAG_IGNORED, NULL },
		{ "alsologtostderr", 0, FLAG_IGNORED_BOOL, NULL },
		{ "strace", 0, FLAG_IGNORED_BOOL, NULL },
		{ "TESTONLY-unsafe-nonroot", 0, FLAG_IGNORED_BOOL, NULL },
	};
	int i = flags_parse(&c, flags, ARRAY_LEN(flags), true, argc, argv);

	if (i < 0)
		return 1;
	if (want_version)
		return version();
	if (want_help)
		return help(stdout, 0);
	if (i >= argc)
		return help(stderr, 1);
	c.log_json = strcmp(format, "json") == 0;
	if (!c.log_json && strcmp(format, "text") != 0)
		return cli_usage(&c, "--log-format: '%s' is neither text nor json", format);
	log_init("bulkhead-sentry", c.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN);
	return dispatch(&c, argc - i, argv + i);
}
