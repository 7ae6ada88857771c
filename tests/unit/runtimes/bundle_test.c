/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtimes/bundle: the JSON, and whether runc runs it.
 *
 * Containers are run in a pid and mount namespace of the test's own.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "runtimes/bundle/bundle.h"
#include "tests/unit/tap.h"

static char dir[] = "/tmp/bundle-test.XXXXXX";

static struct json *parse(struct arena *a, const char *text)
{
	struct error err = ERROR_INIT;
	struct json *j = NULL;

	ok(json_parse(a, text, strlen(text), 0, &j, &err) == 0, "it is JSON %s", err.text);
	return j;
}

static void test_caps(void)
{
	is_int(bundle_cap_parse("CHOWN"), 0, "first capability");
	is_int(bundle_cap_parse("cap_net_admin"), CAP_NET_ADMIN, "any case, with prefix");
	is_int(bundle_cap_parse("NET_NONSENSE"), -1, "unknown capability");
	is_str(bundle_cap_name(CAP_LAST_CAP), "CAP_CHECKPOINT_RESTORE", "the last one of Linux");
	ok(!bundle_cap_name(CAP_LAST_CAP + 1), "none past the last");
}

/* Whether the profile for @caps allows @name without conditions. */
static bool allows(uint64_t caps, const char *name)
{
	struct strbuf out cleanup_strbuf = { 0 };
	struct arena a cleanup_arena = { 0 };
	struct json_writer w = { .out = &out };
	const struct json *rule, *n;
	struct json *j;

	bundle_seccomp_default(&w, caps);
	if (json_parse(&a, out.data, out.len, 0, &j, NULL) < 0)
		return false;
	json_for_each(rule, json_get(j, "syscalls")) {
		if (json_get(rule, "args") ||
		    strcmp(json_get_string(rule, "action", ""), "SCMP_ACT_ALLOW") != 0)
			continue;
		json_for_each(n, json_get(rule, "names")) {
			if (strcmp(n->text, name) == 0)
				return true;
		}
	}
	return false;
}

static void test_seccomp(void)
{
	static const struct {
		const char *name;
		uint64_t caps;
		bool allowed;
	} rows[] = {
		{ "read", 0, true },
		{ "execve", 0, true },
		{ "mount", 0, false },
		{ "mount", UINT64_C(1) << CAP_SYS_ADMIN, true },
		{ "clone", 0, false }, /* by argument only */
		{ "unshare", 0, false },
		{ "keyctl", ~UINT64_C(0), false },
		{ "io_uring_setup", ~UINT64_C(0), false },
		{ "kexec_load", ~UINT64_C(0), false },
		{ "userfaultfd", 0, false },
		{ "chroot", 0, false },
		{ "chroot", UINT64_C(1) << CAP_SYS_CHROOT, true },
		{ "finit_module", 0, false },
		{ "finit_module", UINT64_C(1) << CAP_SYS_MODULE, true },
		{ "socket", 0, false }, /* by family only */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ok(allows(rows[i].caps, rows[i].name) == rows[i].allowed, "%s with caps %llx: %s",
		   rows[i].name, (unsigned long long)rows[i].caps,
		   rows[i].allowed ? "allowed" : "refused");
}

static void test_architectures(void)
{
#if defined(__x86_64__)
	struct strbuf out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &out };
	bool x32 = syscall(0x40000000 | SYS_getpid) > 0;

	bundle_seccomp_default(&w, 0);
	ok(strstr(out.data, "\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\"") != NULL,
	   "programs of 64 and 32 bits may run");
	ok((strstr(out.data, "SCMP_ARCH_X32") != NULL) == x32,
	   "those of x32 where the kernel has it (here: %s)", x32 ? "yes" : "no");
#endif
}

static void run(char *const *argv, struct spawn_result *ret)
{
	struct spawn s = SPAWN_INIT;
	struct error err = ERROR_INIT;
	char *program cleanup_free = path_find_program(argv[0]);

	s.program = program;
	s.argv = (const char *const *)argv;
	if (!program || spawn_run(&s, NULL, 0, 30000, -1, ret, &err) < 0)
		printf("# %s: %s\n", argv[0], err.text);
}

static struct bundle_mount mounts[] = {
	{ .target = "/proc", .type = "proc", .source = "proc", .options = "nosuid,noexec,nodev" },
	{ .target = "/dev", .type = "tmpfs", .source = "tmpfs", .options = "nosuid,mode=755" },
};

static void fill(struct bundle *b, const char *script)
{
	static const gid_t groups[] = { 1000, 1234 };
	struct strbuf oom cleanup_strbuf = { 0 };

	fd_read_file(AT_FDCWD, "/proc/self/oom_score_adj", 64, &oom, NULL);
	b->oom_score_adj = atoi(oom.data);
	b->uid = b->gid = 1000;
	b->groups = groups;
	b->n_groups = 2;
	b->cwd = "/tmp";
	b->hostname = "inside";
	b->no_new_privs = true;
	b->seccomp = BUNDLE_SECCOMP_DEFAULT;
	b->mounts = mounts;
	b->n_mounts = ARRAY_LEN(mounts);
	strlist_add(&b->args, "/bin/sh");
	strlist_add(&b->args, "-c");
	strlist_add(&b->args, script);
	strlist_add(&b->env, "PATH=/bin");
	strlist_add(&b->env, "QUOTED=a \"b\" \\c");
	strlist_add(&b->masked_paths, "/proc/keys");
	strlist_add(&b->readonly_paths, "/proc/sys");
	for (const char *const *n =
		     (const char *const[]){ "mount", "pid", "ipc", "uts", "network", NULL };
	     *n; n++)
		bundle_add_namespace(b, *n, NULL);
	bundle_annotate(b, "io.example/one", "1");
}

/* A rootfs whose programs are the host's: links as the host has them (/bin is one, or none is). */
static void make_rootfs(const char *root, struct bundle *b)
{
	static const char *const dirs[] = { "usr", "bin", "lib", "lib64", "proc", "dev", "tmp" };
	static struct bundle_mount all[ARRAY_LEN(mounts) + 4];
	static char sources[4][8];

	memcpy(all, mounts, sizeof(mounts));
	b->mounts = all;
	path_mkdirs(root, 0755, NULL);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		char *path cleanup_free = path_join(root, dirs[i]);
		char link[PATH_MAX] = "";

		if (i < 4) {
			snprintf(sources[i], sizeof(sources[i]), "/%s", dirs[i]);
			if (readlink(sources[i], link, sizeof(link) - 1) > 0) {
				ok(symlink(link, path) == 0, "link %s", path);
				continue;
			}
			all[b->n_mounts++] = (struct bundle_mount){ .target = sources[i],
								    .type = "bind",
								    .source = sources[i],
								    .options = "rbind,ro" };
		}
		path_mkdirs(path, 0755, NULL);
	}
}

static const char script[] =
	"id; hostname; pwd; printf '%s\\n' \"$QUOTED\"; grep -E 'Seccomp:|NoNewPrivs|CapEff' "
	"/proc/self/status; "
	"cat /proc/keys | wc -c; echo x > /proc/sys/kernel/hostname || echo sys is ro; "
	"unshare -U true || echo no unshare";

static void test_runc(void)
{
	char *root cleanup_free = path_join(dir, "rootfs");
	char *state cleanup_free = path_join(dir, "state");
	struct bundle b cleanup_bundle = { .root = root, .cgroup = "/bundle-test" };
	struct spawn_result r cleanup(spawn_result_finish) = { 0 };
	struct error err = ERROR_INIT;
	const char *out;

	fill(&b, script);
	make_rootfs(root, &b);
	ok(bundle_write(&b, dir, &err) == 0, "written %s", err.text);
	run((char *[]){ "runc", "--root", state, "run", "--bundle", dir, "bundle-test", NULL }, &r);
	out = str_or(r.out.data, "");
	is_int(r.exit_code, 0, "runc runs the bundle");
	if (r.exit_code != 0)
		printf("# %s\n", str_or(r.err.data, ""));
	ok(strstr(out, "uid=1000") && strstr(out, "groups=1000") && strstr(out, "1234"), "user");
	ok(strstr(out, "\ninside\n/tmp\na \"b\" \\c\n") != NULL,
	   "hostname, directory, environment");
	ok(strstr(out, "NoNewPrivs:\t1") != NULL, "no new privileges");
	ok(strstr(out, "Seccomp:\t2") != NULL, "seccomp filter is on");
	ok(strstr(out, "CapEff:\t0000000000000000") != NULL, "no capabilities");
	ok(strstr(out, "\n0\n") != NULL, "masked file is empty");
	ok(strstr(out, "sys is ro") != NULL, "read-only path");
	ok(strstr(out, "no unshare") != NULL, "the profile refuses unshare");
}

static void test_process(void)
{
	struct arena a cleanup_arena = { 0 };
	struct error err = ERROR_INIT;
	char *text cleanup_free = NULL;
	char *argv[] = { "/bin/sh", "-c", "echo \"hi\"" };
	const struct json *args;
	struct json *j;

	ok(bundle_process_json(dir, argv, 3, true, &text, &err) == 0, "derived %s", err.text);
	if (!text)
		return;
	j = parse(&a, text);
	args = json_get(j, "args");
	ok(args && args->len == 3 && strcmp(args->child->next->next->text, "echo \"hi\"") == 0,
	   "its arguments");
	ok(json_get_bool(j, "terminal", false), "its terminal");
	is_int(json_get_int(json_get(j, "user"), "uid", -1), 1000, "the container's user");
	is_str(json_get_string(j, "cwd", ""), "/tmp", "the container's directory");
	ok(json_get_bool(j, "noNewPrivileges", false), "the container's rights");
	ok(strstr(text, "TERM=xterm") && strstr(text, "PATH=/bin"), "environment with TERM");
	ok(bundle_process_json("/nonexistent", argv, 3, false, &text, &err) == -ENOENT,
	   "no bundle: %s", err.text);
	ok(bundle_process_json(dir, argv, 0, false, &text, &err) == -EINVAL, "no command: %s",
	   err.text);
}

static void test_rewrite(void)
{
	char *path cleanup_free = path_join(dir, "config.json");
	struct bundle_resources r = { .cpu_shares = 512, .memory_limit = 1 << 20 };
	struct strbuf text cleanup_strbuf = { 0 };
	struct arena a cleanup_arena = { 0 };
	struct error err = ERROR_INIT;
	const struct json *l, *res;
	struct json *j;

	ok(bundle_rewrite_resources(dir, &r, 777, &err) == 0, "rewritten %s", err.text);
	fd_read_file(AT_FDCWD, path, BUNDLE_CONFIG_MAX, &text, NULL);
	j = parse(&a, text.data);
	l = json_get(j, "linux");
	res = json_get(l, "resources");
	is_int(json_get_int(json_get(res, "cpu"), "shares", 0), 512, "shares");
	is_int(json_get_int(json_get(res, "memory"), "limit", 0), 1 << 20, "memory");
	is_int(json_get_int(json_get(j, "process"), "oomScoreAdj", 0), 777, "oom_score_adj");
	ok(json_get(res, "devices") != NULL, "device rules stay");
	ok(json_get(l, "seccomp") && json_get(l, "maskedPaths"), "the rest stays");
}

/* inner() - Return: whether this is the process in the namespaces; it replaces itself if not. */
static bool inner(char **argv)
{
	if (getenv("BUNDLE_TEST_INNER"))
		return true;
	setenv("BUNDLE_TEST_INNER", "1", 1);
	execlp("unshare", "unshare", "--pid", "--fork", "--mount-proc", argv[0], NULL);
	return false;
}

int main(int argc, char **argv)
{
	(void)argc;
	if (geteuid() == 0 && !inner(argv))
		skip("own namespaces", "no unshare");
	if (!mkdtemp(dir))
		return 1;
	test_caps();
	test_seccomp();
	test_architectures();
	if (geteuid() == 0) {
		test_runc();
		test_process();
		test_rewrite();
	} else {
		skip("runc runs the bundle", "needs root");
	}
	path_remove_tree(AT_FDCWD, dir, NULL);
	return tap_done();
}
