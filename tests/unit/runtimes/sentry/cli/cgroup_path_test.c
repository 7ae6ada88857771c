/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.cgroupsPath: both ways of writing it.
 */
#include "runtimes/sentry/cli/cgroup_path.h"

#include "base/mem.h"
#include "tests/unit/tap.h"

static void check(const char *text, bool systemd, const char *want)
{
	struct error err = ERROR_INIT;
	char *got cleanup_free = NULL;
	int rc = cgroup_path(text, "id", systemd, &got, &err);

	is_int(rc, want ? 0 : -EINVAL, text ? text : "none");
	is_str(got, want, err.text);
}

int main(void)
{
	check(NULL, false, "/id");
	check("/kubepods/pod1/c", false, "/kubepods/pod1/c");
	check("relative", false, "/relative");
	check("/a/../b", false, NULL);
	check(NULL, true, "/system.slice/bulkhead-id.scope");
	check("kubepods-burstable-pod1.slice:cri:c", true,
	      "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-c.scope");
	check(":p:n", true, "/system.slice/p-n.scope");
	check("-.slice::n", true, "/n.scope");
	check("/kubepods/pod1/c", true, NULL);
	check("a--b.slice:p:n", true, NULL);
	check("a.slice:p:n/m", true, NULL);
	return tap_done();
}
