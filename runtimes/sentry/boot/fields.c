/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every field of config.json, and what becomes of it.
 *
 * One table: `bulkhead-sentry features` prints it, and a bundle is checked against it.  A field
 * that is in no row is unknown and refused by name, as is one whose row says so: what a bundle
 * asks for is either done, or its author is told.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "runtimes/sentry/boot/spec.h"

#define ENFORCED(path)                     \
	{                                  \
		path, FIELD_ENFORCED, NULL \
	}
#define WARNED(path, why)               \
	{                               \
		path, FIELD_WARNED, why \
	}
#define REFUSED(path, why)               \
	{                                \
		path, FIELD_REFUSED, why \
	}

const struct spec_field spec_fields[] = {
	ENFORCED("ociVersion"),
	ENFORCED("root.path"),
	ENFORCED("root.readonly"),
	ENFORCED("hostname"),
	ENFORCED("domainname"),
	ENFORCED("annotations.*"),
	ENFORCED("mounts[].destination"),
	ENFORCED("mounts[].type"),
	ENFORCED("mounts[].source"),
	ENFORCED("mounts[].options[]"),
	REFUSED("mounts[].uidMappings[]", "idmapped mounts are not done yet"),
	REFUSED("mounts[].gidMappings[]", "idmapped mounts are not done yet"),
	/* process */
	ENFORCED("process.terminal"),
	ENFORCED("process.consoleSize.height"),
	ENFORCED("process.consoleSize.width"),
	ENFORCED("process.user.uid"),
	ENFORCED("process.user.gid"),
	ENFORCED("process.user.umask"),
	ENFORCED("process.user.additionalGids[]"),
	WARNED("process.user.username", "only for Windows"),
	ENFORCED("process.args[]"),
	ENFORCED("process.env[]"),
	ENFORCED("process.cwd"),
	ENFORCED("process.capabilities.bounding[]"),
	ENFORCED("process.capabilities.effective[]"),
	ENFORCED("process.capabilities.permitted[]"),
	ENFORCED("process.capabilities.inheritable[]"),
	ENFORCED("process.capabilities.ambient[]"),
	ENFORCED("process.rlimits[].type"),
	ENFORCED("process.rlimits[].soft"),
	ENFORCED("process.rlimits[].hard"),
	ENFORCED("process.noNewPrivileges"),
	ENFORCED("process.oomScoreAdj"),
	WARNED("process.apparmorProfile",
	       "confines a host process; the sentry's filter is stricter"),
	WARNED("process.selinuxLabel", "labels a host process; the sentry has its own walls"),
	WARNED("process.scheduler.*", "host scheduling classes are not given to guests"),
	WARNED("process.ioPriority.*", "the host's default"),
	REFUSED("process.execCPUAffinity.*", "not done yet"),
	REFUSED("process.commandLine", "only for Windows"),
	/* hooks */
	ENFORCED("hooks.createRuntime[].*"),
	ENFORCED("hooks.prestart[].*"),
	ENFORCED("hooks.poststart[].*"),
	ENFORCED("hooks.poststop[].*"),
	REFUSED("hooks.createContainer[].*",
		"would run in the container's host namespaces: there are none"),
	REFUSED("hooks.startContainer[].*", "would run a host program inside the container"),
	/* linux */
	ENFORCED("linux.namespaces[].type"),
	ENFORCED("linux.namespaces[].path"),
	ENFORCED("linux.cgroupsPath"),
	ENFORCED("linux.sysctl.*"),
	ENFORCED("linux.maskedPaths[]"),
	ENFORCED("linux.readonlyPaths[]"),
	ENFORCED("linux.seccomp.*"),
	WARNED("linux.devices[].*",
	       "guests have /dev/null and its like; the host's devices are not given"),
	WARNED("linux.rootfsPropagation", "mounts of the guest are private"),
	WARNED("linux.mountLabel", "labels files of the host; the gofer has its own walls"),
	REFUSED("linux.uidMappings[].*", "user namespaces of a bundle are not done yet"),
	REFUSED("linux.gidMappings[].*", "user namespaces of a bundle are not done yet"),
	REFUSED("linux.timeOffsets.*", "time namespaces are not done"),
	REFUSED("linux.intelRdt.*", "not done"),
	REFUSED("linux.personality.*", "only x86-64 is run"),
	REFUSED("linux.memoryPolicy.*", "not done"),
	REFUSED("linux.netDevices.*", "host interfaces are not moved"),
	/* limits: of the cgroup that sentry and stubs are in */
	ENFORCED("linux.resources.cpu.shares"),
	ENFORCED("linux.resources.cpu.quota"),
	ENFORCED("linux.resources.cpu.period"),
	ENFORCED("linux.resources.cpu.cpus"),
	ENFORCED("linux.resources.cpu.mems"),
	WARNED("linux.resources.cpu.burst", "not set"),
	WARNED("linux.resources.cpu.idle", "not set"),
	REFUSED("linux.resources.cpu.realtimeRuntime", "real-time scheduling is not given"),
	REFUSED("linux.resources.cpu.realtimePeriod", "real-time scheduling is not given"),
	ENFORCED("linux.resources.memory.limit"),
	ENFORCED("linux.resources.memory.swap"),
	WARNED("linux.resources.memory.reservation", "not set"),
	WARNED("linux.resources.memory.kernel", "obsolete"),
	WARNED("linux.resources.memory.kernelTCP", "obsolete"),
	WARNED("linux.resources.memory.swappiness", "not set"),
	WARNED("linux.resources.memory.disableOOMKiller", "not set"),
	WARNED("linux.resources.memory.useHierarchy", "obsolete"),
	WARNED("linux.resources.memory.checkBeforeUpdate", "only for update"),
	ENFORCED("linux.resources.pids.limit"),
	ENFORCED("linux.resources.hugepageLimits[].pageSize"),
	ENFORCED("linux.resources.hugepageLimits[].limit"),
	ENFORCED("linux.resources.unified.*"),
	WARNED("linux.resources.devices[].*", "guests cannot open devices of the host at all"),
	WARNED("linux.resources.blockIO.*", "not set"),
	WARNED("linux.resources.network.*", "not set"),
	WARNED("linux.resources.rdma.*", "not set"),
	/* of other platforms */
	REFUSED("solaris.*", "another platform"),
	REFUSED("windows.*", "another platform"),
	REFUSED("vm.*", "another platform"),
	REFUSED("zos.*", "another platform"),
	REFUSED("freebsd.*", "another platform"),
};
const size_t spec_n_fields = ARRAY_LEN(spec_fields);

/* --- checking --------------------------------------------------------------------------------- */

/* covers() - whether row @pattern is @path, or an "x.*" above it. */
static bool covers(const char *pattern, const char *path)
{
	size_t len = strlen(pattern);

	if (strcmp(pattern, path) == 0)
		return true;
	return len > 2 && strcmp(pattern + len - 2, ".*") == 0 &&
	       strncmp(pattern, path, len - 1) == 0;
}

static const struct spec_field *find_row(const char *path)
{
	for (size_t i = 0; i < spec_n_fields; i++)
		if (covers(spec_fields[i].path, path))
			return &spec_fields[i];
	return NULL;
}

/* is_inner() - rows exist below @path: an object or array of ours. */
static bool is_inner(const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < spec_n_fields; i++) {
		const char *p = spec_fields[i].path;

		if (strncmp(p, path, len) == 0 && (p[len] == '.' || p[len] == '['))
			return true;
	}
	return false;
}

/* What does not change anything by being there. */
static bool is_empty(const struct json *j)
{
	return j->type == JSON_NULL ||
	       ((j->type == JSON_ARRAY || j->type == JSON_OBJECT) && !j->child) ||
	       (j->type == JSON_STRING && j->len == 0);
}

static int check(const struct json *j, const char *path, struct strlist *warnings,
		 struct error *err);

static int check_children(const struct json *j, const char *path, struct strlist *warnings,
			  struct error *err)
{
	const struct json *it;
	int rc = 0;

	json_for_each(it, j) {
		char *below cleanup_free = NULL;

		if (j->type == JSON_ARRAY)
			below = xasprintf("%s[]", path);
		else
			below = *path ? xasprintf("%s.%s", path, it->key) : xstrdup(it->key);
		rc = check(it, below, warnings, err);
		if (rc < 0)
			break;
	}
	return rc;
}

static int check(const struct json *j, const char *path, struct strlist *warnings,
		 struct error *err)
{
	const struct spec_field *row = find_row(path);
	char *text cleanup_free = NULL;

	if (is_empty(j) || (row && row->state == FIELD_ENFORCED))
		return 0;
	if (!row && is_inner(path) && (j->type == JSON_ARRAY || j->type == JSON_OBJECT))
		return check_children(j, path, warnings, err);
	if (!row)
		return error_set(err, EINVAL, "%s: unknown field", path);
	if (row->state == FIELD_REFUSED)
		return error_set(err, ENOTSUP, "%s: refused: %s", path, row->note);
	text = xasprintf("%s: no effect: %s", row->path, row->note);
	if (warnings && !strlist_has(warnings, text))
		strlist_add(warnings, text);
	return 0;
}

int spec_fields_check(const struct json *config, struct strlist *warnings, struct error *err)
{
	return check_children(config, "", warnings, err);
}
