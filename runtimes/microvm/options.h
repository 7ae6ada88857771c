/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of bulkhead-vmm: Firecracker's.
 */
#ifndef MICROVM_OPTIONS_H
#define MICROVM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

struct vmm_options {
	const char *api_sock, *id, *config_file, *metadata;
	const char *log_path, *level, *module, *metrics_path;
	const char *seccomp_filter, *describe_snapshot;
	bool no_api, boot_timer, no_seccomp, enable_pci;
	bool show_level, show_log_origin, snapshot_version, version, help;
	uint64_t body_max, mmds_max; /* mmds_max 0: as body_max */
	uint64_t start_us, start_cpu_us, parent_cpu_us;
};

/* vmm_options_parse() - with the defaults.  Return: 0, or -EINVAL with Firecracker's text. */
int vmm_options_parse(struct vmm_options *o, int argc, char **argv, struct error *err);

void vmm_options_help(FILE *to);

#endif
