/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `features`: what this runtime can do (runtime-spec, "Features"), and more: every field of
 * config.json, the host calls that the sentry may make, commands beyond the specification.
 */
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "runtimes/bundle/bundle.h"
#include "runtimes/sentry/boot/boot.h"
#include "runtimes/sentry/boot/spec.h"
#include "runtimes/sentry/cli/cli.h"
#include "runtimes/sentry/platform/filter.h"

static void put_names(struct json_writer *w, const char *key, const char *const *names, size_t n)
{
	json_put_array(w, key);
	for (size_t i = 0; i < n; i++)
		json_string(w, names[i]);
	json_end_array(w);
}

static void put_linux(struct json_writer *w)
{
	static const char *const namespaces[] = { "ipc", "mount", "network", "pid", "uts" };

	json_put_object(w, "linux");
	put_names(w, "namespaces", namespaces, ARRAY_LEN(namespaces));
	json_put_array(w, "capabilities");
	for (unsigned int i = 0; bundle_cap_name(i); i++)
		json_string(w, bundle_cap_name(i));
	json_end_array(w);
	json_put_object(w, "cgroup");
	json_put_bool(w, "v1", true);
	json_put_bool(w, "v2", true);
	json_put_bool(w, "systemd", false);
	json_end_object(w);
	json_put_object(w, "seccomp");
	json_put_bool(w, "enabled", true);
	json_end_object(w);
	json_put_object(w, "apparmor");
	json_put_bool(w, "enabled", false);
	json_end_object(w);
	json_put_object(w, "selinux");
	json_put_bool(w, "enabled", false);
	json_end_object(w);
	json_put_object(w, "mountExtensions");
	json_put_object(w, "idmap");
	json_put_bool(w, "enabled", false);
	json_end_object(w);
	json_end_object(w);
	json_end_object(w);
}

static void put_fields(struct json_writer *w)
{
	static const char *const states[] = { [FIELD_ENFORCED] = "enforced",
					      [FIELD_WARNED] = "no effect",
					      [FIELD_REFUSED] = "refused" };

	json_put_array(w, "configFields");
	for (size_t i = 0; i < spec_n_fields; i++) {
		json_begin_object(w);
		json_put_string(w, "path", spec_fields[i].path);
		json_put_string(w, "state", states[spec_fields[i].state]);
		if (spec_fields[i].note)
			json_put_string(w, "note", spec_fields[i].note);
		json_end_object(w);
	}
	json_end_array(w);
}

static void add_check(struct strbuf *b, const struct filter_check *c)
{
	strbuf_printf(b, "%sa%u", b->len ? ", " : "", c->arg);
	switch (c->test) {
	case FILTER_AT_MOST:
		strbuf_printf(b, " <= %u", c->value);
		break;
	case FILTER_LISTED:
		if (c->mask != ~0u)
			strbuf_printf(b, " & 0x%x", c->mask);
		strbuf_puts(b, " one of");
		for (unsigned int i = 0; i < 32; i++)
			if (c->value & 1u << i)
				strbuf_printf(b, " %u", i);
		break;
	default:
		if (c->mask == ~0u)
			strbuf_printf(b, " = 0x%x", c->value);
		else if (c->value & ~c->mask || !c->value)
			strbuf_printf(b, " within 0x%x", ~c->mask);
		else
			strbuf_printf(b, " = 0x%x, or more of 0x%x", c->value, ~c->mask);
	}
}

/* What stubs may ask of the host, from the table that their filter is made of. */
static void put_stub_calls(struct json_writer *w)
{
	json_put_array(w, "stubHostCalls");
	for (size_t i = 0; i < filter_n_rows; i++) {
		const struct filter_row *r = &filter_rows[i];
		cleanup_strbuf struct strbuf b = { 0 };

		for (size_t k = 0; k < FILTER_MAX_CHECKS && r->checks[k].test; k++)
			add_check(&b, &r->checks[k]);
		json_begin_object(w);
		json_put_string(w, "name", r->name);
		json_put_string(w, "from", r->from == FILTER_GUEST ? "anywhere" : "stub");
		json_put_bool(w, "default", r->modes & FILTER_DEFAULT);
		json_put_bool(w, "strict", r->modes & FILTER_STRICT);
		json_put_string(w, "arguments", b.len ? b.data : "");
		json_put_string(w, "why", r->why);
		json_end_object(w);
	}
	json_end_array(w);
}

static void put_bulkhead(struct json_writer *w)
{
	static const char *const verbs[] = { "do", "trace", "syscalls" };

	json_put_object(w, "bulkhead");
	put_names(w, "verbs", verbs, ARRAY_LEN(verbs));
	json_put_array(w, "sentryHostCalls");
	for (size_t i = 0; boot_filter_name(i); i++)
		json_string(w, boot_filter_name(i));
	json_end_array(w);
	put_stub_calls(w);
	put_fields(w);
	json_end_object(w);
}

int cli_features(const struct cli *c, int argc, char **argv)
{
	static const char *const hooks[] = { "prestart", "createRuntime", "poststart", "poststop" };
	static const char *const options[] = { "bind",	   "rbind",	  "ro",	     "rw",
					       "rro",	   "nosuid",	  "suid",    "nodev",
					       "dev",	   "noexec",	  "exec",    "noatime",
					       "relatime", "strictatime", "private", "rprivate",
					       "slave",	   "rslave",	  "shared",  "rshared" };
	struct strbuf out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &out, .pretty = true };

	if (flags_parse(c, NULL, 0, false, argc, argv) < 0)
		return 1;
	json_begin_object(&w);
	json_put_string(&w, "ociVersionMin", "1.0.0");
	json_put_string(&w, "ociVersionMax", "1.2.0");
	put_names(&w, "hooks", hooks, ARRAY_LEN(hooks));
	put_names(&w, "mountOptions", options, ARRAY_LEN(options));
	put_linux(&w);
	put_bulkhead(&w);
	json_end_object(&w);
	puts(out.data);
	return 0;
}
