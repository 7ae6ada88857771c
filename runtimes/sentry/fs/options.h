/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount options: "size=64m,mode=1777".
 */
#ifndef SENTRY_FS_OPTIONS_H
#define SENTRY_FS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct option {
	char name[32], value[64]; /* value "" when there is none */
};

/* option_next() - the next of @list, which moves on. Return: whether there was one. */
bool option_next(const char **list, struct option *ret);
/* option_size() - bytes with k, m, g; or a share of the host's memory with %. 0 or -EINVAL. */
int option_size(const struct option *o, uint64_t *ret);
int option_number(const struct option *o, uint64_t *ret);
int option_octal(const struct option *o, mode_t *ret);

#endif
