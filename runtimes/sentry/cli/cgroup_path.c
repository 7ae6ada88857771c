/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths of cgroups, both ways of writing them.
 *
 * A slice's name spells its place: "a-b-c.slice" is a.slice/a-b.slice/a-b-c.slice
 * (systemd.slice(5)).
 */
#include "runtimes/sentry/cli/cgroup_path.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"

/* put_slice() - "/a.slice/a-b.slice" for "a-b.slice"; "-.slice" is the root. */
static int put_slice(const char *slice, struct strbuf *out, struct error *err)
{
	size_t len = strlen(slice);

	if (strcmp(slice, "-.slice") == 0)
		return 0;
	if (!str_has_suffix(slice, ".slice") || strchr(slice, '/') || slice[0] == '-' ||
	    strstr(slice, "--"))
		return error_set(err, EINVAL, "linux.cgroupsPath: '%s' is no slice", slice);
	len -= strlen(".slice");
	for (size_t i = 1; i <= len; i++)
		if (i == len || slice[i] == '-')
			strbuf_printf(out, "/%.*s.slice", (int)i, slice);
	return 0;
}

static int systemd_path(const char *text, char **ret, struct error *err)
{
	struct strbuf out cleanup_strbuf = { 0 };
	const char *first = strchr(text, ':');
	const char *second = first ? strchr(first + 1, ':') : NULL;
	char *slice cleanup_free = NULL;
	int rc;

	if (!second || second[1] == '\0' || strchr(first, '/'))
		return error_set(err, EINVAL,
				 "linux.cgroupsPath: '%s' is not slice:prefix:name, as "
				 "--systemd-cgroup wants",
				 text);
	slice = xstrndup(text, (size_t)(first - text));
	rc = put_slice(*slice ? slice : "system.slice", &out, err);
	if (rc < 0)
		return rc;
	if (second > first + 1)
		strbuf_printf(&out, "/%.*s-%s", (int)(second - first - 1), first + 1, second + 1);
	else
		strbuf_printf(&out, "/%s", second + 1);
	if (!str_has_suffix(second + 1, ".slice"))
		strbuf_puts(&out, ".scope");
	*ret = strbuf_steal(&out);
	return 0;
}

int cgroup_path(const char *text, const char *id, bool systemd, char **ret, struct error *err)
{
	if (!text && !systemd) {
		*ret = xasprintf("/%s", id);
		return 0;
	}
	if (systemd && !text) {
		*ret = xasprintf("/system.slice/bulkhead-%s.scope", id);
		return 0;
	}
	if (systemd)
		return systemd_path(text, ret, err);
	*ret = text[0] == '/' ? xstrdup(text) : xasprintf("/%s", text);
	if (path_is_clean(*ret))
		return 0;
	free(steal_ptr(*ret));
	return error_set(err, EINVAL, "linux.cgroupsPath: '%s' is no clean path", text);
}
