/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount options.
 */
#include "runtimes/sentry/fs/options.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/sysinfo.h>

#include "base/mem.h"
#include "base/str.h"

static bool copy(char *to, size_t size, const char *from, size_t len)
{
	if (len >= size)
		return false;
	memcpy(to, from, len);
	to[len] = 0;
	return true;
}

bool option_next(const char **list, struct option *ret)
{
	size_t len, name;

	while (**list == ',')
		(*list)++;
	if (!**list)
		return false;
	len = strcspn(*list, ",");
	name = MIN(strcspn(*list, "="), len);
	*ret = (struct option){ .value = "" };
	/* What does not fit is no option that we know. */
	if (!copy(ret->name, sizeof(ret->name), *list, name) ||
	    (name < len && !copy(ret->value, sizeof(ret->value), *list + name + 1, len - name - 1)))
		copy(ret->name, sizeof(ret->name), "?", 1);
	*list += len;
	return true;
}

int option_size(const struct option *o, uint64_t *ret)
{
	static const char units[] = "kmg";
	struct sysinfo si;
	const char *unit;
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(o->value, &end, 10);
	if (errno || end == o->value)
		return -EINVAL;
	if (*end == '%' && !end[1]) {
		if (n > 100 || sysinfo(&si) < 0)
			return -EINVAL;
		*ret = (uint64_t)si.totalram * si.mem_unit / 100 * n;
		return 0;
	}
	if (*end) {
		unit = strchr(units, *end | 0x20);
		if (!unit || end[1])
			return -EINVAL;
		n <<= 10 * (unit - units + 1);
	}
	*ret = n;
	return 0;
}

int option_number(const struct option *o, uint64_t *ret)
{
	return str_parse_u64(o->value, ret) < 0 ? -EINVAL : 0;
}

int option_octal(const struct option *o, mode_t *ret)
{
	char *end;
	unsigned long n = strtoul(o->value, &end, 8);

	if (!*o->value || *end || n > 07777)
		return -EINVAL;
	*ret = (mode_t)n;
	return 0;
}
