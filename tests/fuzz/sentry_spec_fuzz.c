/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json as the sentry reads it: any bytes, never a crash; what is taken is in its bounds.
 */
#include <stdint.h>

#include "base/mem.h"
#include "runtimes/sentry/boot/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct spec *s)
{
	const struct spec_process *p = &s->process;

	if (!p->args || !p->args[0] || p->cwd[0] != '/' || !s->root[0])
		abort();
	if (s->n_mounts > SPEC_MOUNTS_MAX || p->n_groups > SPEC_GROUPS_MAX)
		abort();
	for (size_t i = 0; i < s->n_mounts; i++)
		if (s->mounts[i].target[0] != '/')
			abort();
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (p->has_limit[i] && p->limits[i].rlim_cur > p->limits[i].rlim_max)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strlist warnings cleanup_strlist = { 0 };
	struct error err = ERROR_INIT;
	struct spec s;

	if (spec_parse((const char *)data, size, &s, &warnings, &err) < 0) {
		if (err.code >= 0)
			abort();
		return 0;
	}
	check(&s);
	spec_finish(&s);
	return 0;
}
