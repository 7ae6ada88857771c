/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json: what is read, what is refused and by which name.
 */
#include "runtimes/sentry/boot/spec.h"

#include <sys/mount.h>

#include "base/mem.h"
#include "tests/unit/tap.h"

#define PROCESS "\"process\": {\"args\": [\"a\"], \"cwd\": \"/\"}"

static struct error err;

/* parse() - a bundle with @more members. */
static int parse(struct spec *s, struct strlist *warnings, const char *more)
{
	char *text cleanup_free =
		xasprintf("{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"r\"}, %s}", more);

	err = (struct error)ERROR_INIT;
	return spec_parse(text, strlen(text), s, warnings, &err);
}

static void refused(const char *more, const char *says)
{
	struct spec s cleanup_spec = { 0 };

	ok(parse(&s, NULL, more) < 0, "%s is refused", says);
	ok(strstr(err.text, says), "by name: %s", err.text);
}

static void test_good(void)
{
	struct strlist warnings cleanup_strlist = { 0 };
	struct spec s cleanup_spec = { 0 };
	int rc = parse(
		&s, &warnings,
		"\"process\": {\"args\": [\"sh\", \"-c\"], \"cwd\": \"/w\", \"env\": [\"A=b\"],"
		" \"user\": {\"uid\": 7, \"gid\": 8, \"additionalGids\": [9]}, "
		"\"noNewPrivileges\": true,"
		" \"capabilities\": {\"bounding\": [\"CAP_CHOWN\", \"CAP_KILL\"]}, "
		"\"oomScoreAdj\": -5,"
		" \"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"soft\": 5, \"hard\": "
		"18446744073709551615}],"
		" \"apparmorProfile\": \"x\"},"
		" \"mounts\": [{\"destination\": \"/d\", \"type\": \"bind\", \"source\": \"/s\","
		"   \"options\": [\"rbind\", \"ro\", \"nosuid\", \"size=1\"]}],"
		" \"linux\": {\"namespaces\": [{\"type\": \"pid\"}, {\"type\": \"network\", "
		"\"path\": \"/n\"}],"
		"   \"maskedPaths\": [\"/m\"]}, \"annotations\": {\"k\": \"v\"}");
	const char *const keys[] = { "none", "k", NULL };

	if (!ok(rc == 0, "a bundle: %s", err.text))
		return;
	is_str(s.process.args[1], "-c", "args");
	is_str(s.process.env[0], "A=b", "env");
	is_int(s.process.uid, 7, "uid");
	is_int(s.process.groups[0], 9, "additionalGids");
	is_int(s.process.bounding, 1 | 1 << 5, "bounding set");
	is_int(s.process.oom_score_adj, -5, "oomScoreAdj");
	is_int(s.process.limits[RLIMIT_NOFILE].rlim_cur, 5, "soft limit");
	ok(s.process.limits[RLIMIT_NOFILE].rlim_max == RLIM_INFINITY, "hard limit");
	is_int(s.mounts[0].options.flags, MS_RDONLY | MS_NOSUID, "mount flags");
	ok(s.mounts[0].options.bind && s.mounts[0].options.recursive, "rbind");
	is_str(s.mounts[0].options.data, "size=1", "the file system's own options");
	is_int(s.pid, SPEC_NEW, "a new pid namespace");
	is_int(s.network, SPEC_JOINED, "a joined network");
	is_str(s.network_path, "/n", "its path");
	is_str(s.masked[0], "/m", "maskedPaths");
	is_str(spec_annotation(&s, keys), "v", "annotations");
	is_int(warnings.count, 1, "one warning");
	ok(warnings.count && strstr(warnings.items[0], "apparmorProfile"), "of what has no effect");
}

static void test_bad(void)
{
	refused(PROCESS ", \"linux\": {\"intelRdt\": {\"closID\": \"x\"}}", "linux.intelRdt");
	refused(PROCESS ", \"windows\": {\"a\": 1}", "windows");
	refused(PROCESS ", \"nonsense\": 1", "nonsense: unknown");
	refused(PROCESS ", \"hooks\": {\"startContainer\": [{\"path\": \"/x\"}]}",
		"hooks.startContainer");
	refused("\"process\": {\"args\": [], \"cwd\": \"/\"}", "process.args");
	refused("\"process\": {\"args\": [\"a\"], \"cwd\": \"rel\"}", "process.cwd");
	refused("\"process\": {\"args\": [1], \"cwd\": \"/\"}", "args");
	refused("\"process\": {\"args\": [\"a\"], \"cwd\": \"/\", \"user\": {\"uid\": -1}}", "uid");
	refused("\"process\": {\"args\": [\"a\"], \"cwd\": \"/\", \"rlimits\": [{\"type\": "
		"\"RLIMIT_NO\"}]}",
		"RLIMIT_NO");
	refused("\"process\": {\"args\": [\"a\"], \"cwd\": \"/\", \"rlimits\": [{\"type\": "
		"\"RLIMIT_NOFILE\","
		" \"soft\": 5, \"hard\": 4}]}",
		"RLIMIT_NOFILE");
	refused(PROCESS ", \"mounts\": [{\"type\": \"tmpfs\"}]", "destination");
}

/* What is there but says nothing changes nothing. */
static void test_empty(void)
{
	struct spec s cleanup_spec = { 0 };

	is_int(parse(&s, NULL,
		     PROCESS
		     ", \"linux\": {\"intelRdt\": null, \"uidMappings\": [], \"timeOffsets\": {}}"),
	       0, "empty members of what is refused");
}

int main(void)
{
	test_good();
	test_bad();
	test_empty();
	return tap_done();
}
