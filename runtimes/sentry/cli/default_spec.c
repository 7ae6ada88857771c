/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bundle that `spec` writes and `do` runs: what runc's would have.
 */
#include "runtimes/sentry/cli/default_spec.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "runtimes/bundle/bundle.h"

static void put_caps(struct json_writer *w, bool all)
{
	static const char *const sets[] = { "bounding", "effective", "permitted" };
	/* what container tools give by default */
	const uint64_t usual = 0xa80425fb;
	uint64_t set = all ? ~UINT64_C(0) : usual;

	json_put_object(w, "capabilities");
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		json_put_array(w, sets[i]);
		for (unsigned int cap = 0; bundle_cap_name(cap); cap++)
			if (set >> cap & 1)
				json_string(w, bundle_cap_name(cap));
		json_end_array(w);
	}
	json_end_object(w);
}

static void put_process(struct json_writer *w, const struct default_spec *d)
{
	json_put_object(w, "process");
	json_put_bool(w, "terminal", d->terminal);
	json_put_object(w, "user");
	json_put_u64(w, "uid", d->uid);
	json_put_u64(w, "gid", d->gid);
	json_end_object(w);
	json_put_strings(w, "args", d->args, d->n_args);
	json_put_array(w, "env");
	json_string(w, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	json_string(w, "TERM=xterm");
	for (size_t i = 0; i < d->n_env; i++)
		json_string(w, d->env[i]);
	json_end_array(w);
	json_put_string(w, "cwd", str_or(d->cwd, "/"));
	put_caps(w, d->all_caps);
	json_put_bool(w, "noNewPrivileges", !d->all_caps);
	json_end_object(w);
}

static void put_mount(struct json_writer *w, const char *target, const char *type,
		      const char *options)
{
	json_begin_object(w);
	json_put_string(w, "destination", target);
	json_put_string(w, "type", type);
	json_put_string(w, "source", type);
	json_put_array(w, "options");
	while (*options) {
		size_t len = strcspn(options, ",");

		json_stringn(w, options, len);
		options += len + (options[len] == ',');
	}
	json_end_array(w);
	json_end_object(w);
}

static void put_mounts(struct json_writer *w)
{
	json_put_array(w, "mounts");
	put_mount(w, "/proc", "proc", "nosuid,noexec,nodev");
	put_mount(w, "/dev", "tmpfs", "nosuid,strictatime,mode=755,size=65536k");
	put_mount(w, "/dev/pts", "devpts",
		  "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
	put_mount(w, "/dev/shm", "tmpfs", "nosuid,noexec,nodev,mode=1777,size=65536k");
	put_mount(w, "/dev/mqueue", "mqueue", "nosuid,noexec,nodev");
	put_mount(w, "/sys", "sysfs", "nosuid,noexec,nodev,ro");
	json_end_array(w);
}

static void put_linux(struct json_writer *w, const struct default_spec *d)
{
	static const char *const namespaces[] = { "pid", "network", "ipc", "uts", "mount" };
	static const char *const masked[] = { "/proc/acpi",	  "/proc/kcore",
					      "/proc/keys",	  "/proc/latency_stats",
					      "/proc/timer_list", "/proc/sched_debug",
					      "/sys/firmware" };
	static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
						"/proc/sysrq-trigger" };

	json_put_object(w, "linux");
	json_put_array(w, "namespaces");
	for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
		if (d->host_network && strcmp(namespaces[i], "network") == 0)
			continue;
		json_begin_object(w);
		json_put_string(w, "type", namespaces[i]);
		json_end_object(w);
	}
	json_end_array(w);
	json_put_strings(w, "maskedPaths", (char *const *)(uintptr_t)masked, ARRAY_LEN(masked));
	json_put_strings(w, "readonlyPaths", (char *const *)(uintptr_t)readonly,
			 ARRAY_LEN(readonly));
	json_end_object(w);
}

void default_spec(const struct default_spec *d, struct strbuf *out)
{
	struct json_writer w = { .out = out, .pretty = true };

	json_begin_object(&w);
	json_put_string(&w, "ociVersion", "1.2.0");
	put_process(&w, d);
	json_put_object(&w, "root");
	json_put_string(&w, "path", d->root);
	json_put_bool(&w, "readonly", d->read_only);
	json_end_object(&w);
	json_put_string(&w, "hostname", d->hostname);
	put_mounts(&w);
	put_linux(&w, d);
	json_end_object(&w);
}
