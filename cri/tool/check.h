/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report of `bulkhead check`: one entry a finding.
 *
 * The check_*.c files each look at one side of the host and add what they find.
 */
#ifndef CRI_TOOL_CHECK_H
#define CRI_TOOL_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "cri/config.h"

#define CHECK_MAX 128

enum check_level { CHECK_OK, CHECK_WARN, CHECK_FAIL };

struct check_entry {
	enum check_level level;
	const char *name; /* constant, or the caller's for as long as the report */
	char *text;
	const char *cure; /* constant; NULL for CHECK_OK */
};

struct check_report {
	struct check_entry entries[CHECK_MAX];
	size_t count;
};

/* check_ok/warn/fail() - add a finding; beyond CHECK_MAX it is left out. */
void check_ok(struct check_report *r, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void check_warn(struct check_report *r, const char *name, const char *cure, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void check_fail(struct check_report *r, const char *name, const char *cure, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* check_read() - first line of a small file, cut to @size; "" when it cannot be read. */
void check_read(const char *path, char *ret, size_t size);

/* check_kernel.c: system calls, file systems, mounts, security modules */
void check_kernel(struct check_report *r);
void check_mounts(struct check_report *r);
void check_security(struct check_report *r);
/* check_host.c: cgroups, KVM, network */
void check_cgroups(struct check_report *r);
void check_kvm(struct check_report *r);
void check_network(struct check_report *r, const struct config *c);
/* check_runtimes.c: each handler and why its runtimes were passed over */
void check_runtimes(struct check_report *r, const struct config *c);

#endif
