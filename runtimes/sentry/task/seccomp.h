/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seccomp filters of the guest: the bundle's and those of seccomp(2), run in the sentry.
 *
 * They protect nothing of ours: they keep the guest's own promises.  A filter is immutable and
 * points to those installed before it; all are run, the strictest answer counts.  Calls that never
 * come to the sentry are asked for when the filters do not allow them whatever their arguments.
 */
#ifndef SENTRY_TASK_SECCOMP_H
#define SENTRY_TASK_SECCOMP_H

#include <linux/filter.h>
#include <stdint.h>

#include "runtimes/sentry/platform/platform.h"

struct seccomp_filter;

/*
 * seccomp_create() - @code is copied; @before: the filters it adds to, taken over (may be NULL).
 * Return: 0, -EINVAL for what Linux's checker refuses, -ENOMEM when the chain gets too long;
 * @before is the caller's again then.
 */
int seccomp_create(const struct sock_filter *code, size_t len, struct seccomp_filter *before,
		   struct seccomp_filter **ret);
struct seccomp_filter *seccomp_get(struct seccomp_filter *f); /* f may be NULL */
void seccomp_put(struct seccomp_filter *f);		      /* f may be NULL */
/*
 * seccomp_ask() - the calls (bit n % 64 of word n / 64: call n) that are not let through whatever
 * their arguments: for stub_set_ask(). @f may not be NULL; valid as long as it.
 */
const uint64_t *seccomp_ask(const struct seccomp_filter *f);
/* seccomp_run() - Return: SECCOMP_RET_* with its data. @f may be NULL. */
uint32_t seccomp_run(const struct seccomp_filter *f, const struct stub_call *c);

#endif
