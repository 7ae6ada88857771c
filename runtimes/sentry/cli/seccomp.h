/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.seccomp of a bundle as a program that the sentry runs for its guests.
 */
#ifndef SENTRY_CLI_SECCOMP_H
#define SENTRY_CLI_SECCOMP_H

#include "base/error.h"
#include "base/json.h"

/* seccomp_compile() - Return: descriptor of a file in memory with the BPF program, or -errno. */
int seccomp_compile(const struct json *profile, struct error *err);

#endif
