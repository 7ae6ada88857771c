/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of bulkhead-vmm: Firecracker's.
 */
#include "runtimes/microvm/options.h"

#include <ctype.h>
#include <string.h>

#include "base/options.h"
#include "base/str.h"
#include "runtimes/microvm/api/http.h"

#define DEFAULT_SOCKET "/run/firecracker.socket"
#define ID_MAX	       64

#define AT(field) offsetof(struct vmm_options, field)

/* clang-format off */
static const struct option_spec specs[] = {
	{ "api-sock", OPTION_TEXT, AT(api_sock), "PATH", "socket of the API (" DEFAULT_SOCKET ")" },
	{ "id", OPTION_TEXT, AT(id), "ID", "name of the instance (anonymous-instance)" },
	{ "config-file", OPTION_TEXT, AT(config_file), "FILE", "configure from FILE and start" },
	{ "no-api", OPTION_FLAG, AT(no_api), NULL, "no API; needs --config-file" },
	{ "metadata", OPTION_TEXT, AT(metadata), "FILE", "JSON for the metadata service" },
	{ "log-path", OPTION_TEXT, AT(log_path), "FILE", "log there instead of on standard error" },
	{ "level", OPTION_TEXT, AT(level), "LEVEL", "Off, Error, Warning, Info (default), Debug" },
	{ "module", OPTION_TEXT, AT(module), "NAME", "warned about: the log has no modules" },
	{ "show-level", OPTION_FLAG, AT(show_level), NULL, "lines of the log name their level" },
	{ "show-log-origin", OPTION_FLAG, AT(show_log_origin), NULL,
	  "warned about: lines of the log have no origin" },
	{ "metrics-path", OPTION_TEXT, AT(metrics_path), "FILE", "metrics as lines of JSON" },
	{ "boot-timer", OPTION_FLAG, AT(boot_timer), NULL,
	  "a device with which the guest says that it has booted" },
	{ "no-seccomp", OPTION_FLAG, AT(no_seccomp), NULL, "run without filters of system calls" },
	{ "seccomp-filter", OPTION_TEXT, AT(seccomp_filter), "FILE",
	  "refused: the filters are built in" },
	{ "http-api-max-payload-size", OPTION_U64, AT(body_max), "BYTES",
	  "longest body of a request (51200)" },
	{ "mmds-size-limit", OPTION_U64, AT(mmds_max), "BYTES",
	  "largest content of the metadata service (as a body)" },
	{ "start-time-us", OPTION_U64, AT(start_us), "N",
	  "monotonic clock when this process was started, for the metrics" },
	{ "start-time-cpu-us", OPTION_U64, AT(start_cpu_us), "N",
	  "its CPU time then" },
	{ "parent-cpu-time-us", OPTION_U64, AT(parent_cpu_us), "N",
	  "CPU time that its parent spent on starting it" },
	{ "enable-pci", OPTION_FLAG, AT(enable_pci), NULL, "warned about: devices are on MMIO" },
	{ "describe-snapshot", OPTION_TEXT, AT(describe_snapshot), "FILE",
	  "print the format version of a snapshot's state file" },
	{ "snapshot-version", OPTION_FLAG, AT(snapshot_version), NULL,
	  "print the format version of snapshots" },
	{ "version", OPTION_FLAG, AT(version), NULL, "print the version" },
	{ "help", OPTION_FLAG, AT(help), NULL, "print this" },
	{ 0 },
};
/* clang-format on */

static int check_id(const char *id, struct error *err)
{
	for (const char *p = id; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-')
			return error_set(err, EINVAL, "--id: invalid character '%c'", *p);
	if (!*id || strlen(id) > ID_MAX)
		return error_set(err, EINVAL, "--id: has %zu characters, not 1 to %d", strlen(id),
				 ID_MAX);
	return 0;
}

/* check() - what does not go together, and what is not there. */
static int check(const struct vmm_options *o, struct error *err)
{
	if (o->no_api && !o->config_file)
		return error_set(err, EINVAL, "--no-api needs --config-file");
	if (o->no_seccomp && o->seccomp_filter)
		return error_set(err, EINVAL,
				 "--no-seccomp and --seccomp-filter exclude each other");
	if (o->seccomp_filter)
		return error_set(err, ENOTSUP,
				 "--seccomp-filter is not supported: the filters are built in");
	return check_id(o->id, err);
}

int vmm_options_parse(struct vmm_options *o, int argc, char **argv, struct error *err)
{
	int rest, r;

	*o = (struct vmm_options){ .api_sock = DEFAULT_SOCKET,
				   .id = "anonymous-instance",
				   .body_max = HTTP_BODY_MAX };
	r = options_parse(specs, argc, argv, o, &rest, err);
	if (!r && rest < argc)
		r = error_set(err, EINVAL, "'%s' is no option", argv[rest]);
	if (!r && !o->help && !o->version && !o->snapshot_version && !o->describe_snapshot)
		r = check(o, err);
	return r;
}

void vmm_options_help(FILE *to)
{
	fputs("usage: bulkhead-vmm [OPTION...]\n", to);
	options_help(specs, to);
}
