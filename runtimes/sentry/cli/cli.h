/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: global flags, and one function a subcommand.
 *
 *   bulkhead-sentry [global flags] COMMAND [flags] ARGUMENTS
 *
 * Flags are runc's and runsc's; a flag that only tunes runsc is taken with a warning.
 */
#ifndef SENTRY_CLI_CLI_H
#define SENTRY_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define CLI_DEFAULT_ROOT "/run/bulkhead-sentry"

struct cli {
	const char *root; /* where state is kept */
	const char *log;  /* file for messages; NULL: stderr */
	bool log_json, debug;
	bool systemd_cgroup;
	bool strict;	     /* the host serves no call of guest code where it stands */
	const char *network; /* "sandbox", "host", "none" */
};

/*
 * A subcommand. @argv[0] is its name.  Return: exit code; a message has been written when it is
 * not 0 and not the guest's own.
 */
typedef int cli_fn(const struct cli *c, int argc, char **argv);
cli_fn cli_do, cli_create, cli_start, cli_run, cli_exec, cli_ps, cli_kill, cli_delete, cli_state,
	cli_list, cli_spec, cli_features, cli_syscalls, cli_events, cli_pause, cli_resume,
	cli_trace, cli_update, cli_refused;

/* cli_main() - the program. Return: exit code. */
int cli_main(int argc, char **argv);

/* --- messages (message.c) ----------------------------------------------------------------------
 */

/* cli_fail() - @err to the log and to stderr. Return: 1. */
int cli_fail(const struct cli *c, const struct error *err);
/* cli_usage() - a command line that cannot be understood. Return: 1, as runc. */
int cli_usage(const struct cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_warn(const struct cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- flags (flags.c) ----------------------------------------------------------------------------
 */

enum flag_kind {
	FLAG_BOOL,    /* bool *into */
	FLAG_STRING,  /* const char **into */
	FLAG_LIST,    /* struct strlist *into: may be given several times */
	FLAG_IGNORED, /* taken with a value, and without effect */
	FLAG_IGNORED_BOOL,
};

/* One flag. "--name VALUE", "--name=VALUE", "-name" as Go programs take them; short: "-x". */
struct flag {
	const char *name;
	char letter; /* 0: none */
	enum flag_kind kind;
	void *into;
};

/*
 * flags_parse() - the flags at the front of @argv[1..]; stops at the first word without '-' and
 * behind "--".  @lenient: unknown flags are warned of and skipped.
 * Return: index of the first argument, or -1 after a message.
 */
int flags_parse(const struct cli *c, const struct flag *flags, size_t n, bool lenient, int argc,
		char **argv);

#endif
