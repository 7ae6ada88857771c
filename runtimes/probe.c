/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether an OCI runtime works on this host, and what it can do.
 *
 * A runtime that is installed need not work: crun refuses hybrid cgroups, a seccomp library may
 * be missing, a kernel too old.  So a container with bulkhead-pause is really run, once for each
 * program file: the result is noted in the work directory, which does not outlive a boot.
 */
#include "runtimes/probe.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "runtimes/bundle/bundle.h"
#include "runtimes/cgroup/cgroup.h"
#include "runtimes/oci/oci.h"

#define RUN_BOUND_MS 10000
#define NOTE_MAX     (64 << 10)
#define PROGRAM_MAX  (64 << 20)

void probe_finish(struct probe *p)
{
	free(p->version);
	p->version = NULL;
}

/* --- asking the runtime ----------------------------------------------------------------------- */

static int run(char *const *argv, struct spawn_result *ret, struct error *err)
{
	struct spawn s = SPAWN_INIT;

	s.program = argv[0];
	s.argv = (const char *const *)argv;
	return spawn_run(&s, NULL, 0, RUN_BOUND_MS, -1, ret, err);
}

/* ask() - output of "program [args] verb"; an error when it fails. */
static int ask(const char *program, const struct strlist *args, const char *verb,
	       struct strbuf *ret, struct error *err)
{
	struct strlist argv cleanup_strlist = { 0 };
	struct spawn_result r cleanup(spawn_result_finish) = { 0 };
	int rc;

	strlist_add(&argv, program);
	for (size_t i = 0; i < args->count; i++)
		strlist_add(&argv, args->items[i]);
	strlist_add(&argv, verb);
	rc = run(argv.items, &r, err);
	if (rc < 0)
		return error_wrap(err, "%s %s", program, verb);
	if (r.exit_code != 0)
		return error_set(err, EIO, "%s %s ended with %d: %.200s", program, verb,
				 r.exit_code, str_or(r.err.data, "no message"));
	strbuf_append(ret, r.out.data ? r.out.data : "", r.out.len);
	return 0;
}

/* version_at_least() - whether @line reads "NAME version MAJOR.MINOR..." and is that new. */
static bool version_at_least(const char *line, const char *name, int major, int minor)
{
	const char *rest = str_after(line, name);
	int a, b;

	rest = rest ? str_after(rest, " version ") : NULL;
	if (!rest || sscanf(rest, "%d.%d", &a, &b) != 2)
		return false;
	return a > major || (a == major && b >= minor);
}

static bool has_string(const struct json *array, const char *text)
{
	const struct json *it;

	json_for_each(it, array) {
		if (it->type == JSON_STRING && strcmp(it->text, text) == 0)
			return true;
	}
	return false;
}

void probe_features(const char *version, const char *text, struct probe *ret)
{
	struct arena arena cleanup_arena = { 0 };
	struct json *features = NULL;
	const struct json *idmap;

	/* by the table: crun before 1.8.6 has no such command */
	ret->rro_mounts = version_at_least(version, "crun", 1, 4);
	ret->idmap_mounts =
		version_at_least(version, "runc", 1, 2) || version_at_least(version, "crun", 1, 9);
	if (!str_empty(text) && json_parse(&arena, text, strlen(text), 0, &features, NULL) == 0) {
		ret->rro_mounts = has_string(json_get(features, "mountOptions"), "rro");
		idmap = json_get(json_get(json_get(features, "linux"), "mountExtensions"), "idmap");
		if (idmap)
			ret->idmap_mounts = json_get_bool(idmap, "enabled", false);
	}
	/* a pod with ids of its own needs its volumes mapped, and a namespace joined by path alone
	 */
	ret->user_namespaces = ret->idmap_mounts;
}

/* --- the trial run ---------------------------------------------------------------------------- */

static int make_rootfs(const char *rootfs, const char *pause_program, struct error *err)
{
	static const char *const dirs[] = { "proc", "dev", "sys" };
	char *path cleanup_free = path_join(rootfs, "pause");
	struct strbuf program cleanup_strbuf = { 0 };
	int rc = fd_read_file(AT_FDCWD, pause_program, PROGRAM_MAX, &program, err);

	for (size_t i = 0; i < ARRAY_LEN(dirs) && rc == 0; i++) {
		char *dir cleanup_free = path_join(rootfs, dirs[i]);

		rc = path_mkdirs(dir, 0755, err);
	}
	if (rc == 0)
		rc = fd_replace_file(AT_FDCWD, path, program.data, program.len, 0755, false, err);
	return rc;
}

static int write_trial(const char *dir, const char *rootfs, const char *cgroup, struct error *err)
{
	struct bundle_mount mounts[] = {
		{ .target = "/proc", .type = "proc", .source = "proc", .options = "nosuid,noexec" },
		{ .target = "/dev",
		  .type = "tmpfs",
		  .source = "tmpfs",
		  .options = "nosuid,mode=755" },
	};
	struct bundle b cleanup_bundle = {
		.root = rootfs,
		.root_readonly = true,
		.no_new_privs = true,
		.seccomp = BUNDLE_SECCOMP_DEFAULT,
		.cgroup = cgroup,
		.mounts = mounts,
		.n_mounts = ARRAY_LEN(mounts),
	};
	static const char *const namespaces[] = { "mount", "pid", "ipc", "uts", "network" };
	struct strbuf oom cleanup_strbuf = { 0 };

	/* our own: a lower one may be refused */
	if (fd_read_file(AT_FDCWD, "/proc/self/oom_score_adj", 64, &oom, NULL) == 0 && oom.data)
		b.oom_score_adj = atoi(oom.data);
	strlist_add(&b.args, "/pause");
	strlist_add(&b.args, "--version");
	for (size_t i = 0; i < ARRAY_LEN(namespaces); i++)
		bundle_add_namespace(&b, namespaces[i], NULL);
	return bundle_write(&b, dir, err);
}

static int run_trial(const char *program, const struct strlist *args, const char *dir,
		     const char *id, struct error *err)
{
	char *root cleanup_free = path_join(dir, "root");
	char *log cleanup_free = path_join(dir, "log");
	char *pid_file cleanup_free = path_join(dir, "pid");
	struct strlist argv cleanup_strlist = { 0 };
	struct strbuf why cleanup_strbuf = { 0 };
	struct spawn_result r cleanup(spawn_result_finish) = { 0 };
	struct oci o = { program, (const char *const *)args->items, root };
	int rc;

	oci_argv_run(&o, &(struct oci_start){ .id = id, .log = log, .pid_file = pid_file }, dir,
		     &argv);
	rc = run(argv.items, &r, err);
	if (rc == 0 && r.exit_code == 0) {
		rc = 0;
	} else if (rc == 0) {
		oci_read_error(log, r.err.data, &why);
		rc = error_set(err, EIO, "a trial container failed: %s",
			       str_or(why.data, "no message"));
	}
	strlist_finish(&argv);
	spawn_result_finish(&r);
	memset(&r, 0, sizeof(r));
	oci_argv_delete(&o, log, id, true, &argv);
	run(argv.items, &r, NULL);
	return rc;
}

static int trial(const char *program, const struct strlist *args, const char *pause_program,
		 const char *work_dir, struct error *err)
{
	char id[16 + 1];
	char *name cleanup_free = NULL;
	char *dir cleanup_free = NULL;
	char *rootfs cleanup_free = NULL;
	char *cgroup cleanup_free = NULL;
	int rc;

	str_random_hex(id, sizeof(id) / 2);
	name = xasprintf("trial-%s", id);
	dir = path_join(work_dir, name);
	rootfs = path_join(dir, "rootfs");
	cgroup = xasprintf("/bulkhead-%s", name);
	rc = path_mkdirs(rootfs, 0711, err);
	if (rc == 0)
		rc = make_rootfs(rootfs, pause_program, err);
	if (rc == 0)
		rc = write_trial(dir, rootfs, cgroup, err);
	if (rc == 0)
		rc = run_trial(program, args, dir, name, err);
	cgroup_remove(cgroup, NULL);
	path_remove_tree(AT_FDCWD, dir, NULL);
	return rc;
}

/* --- the note of an earlier probe ------------------------------------------------------------- */

static char *note_path(const char *program, const struct strlist *args, const char *work_dir)
{
	struct strbuf key cleanup_strbuf = { 0 };
	char digest[DIGEST_MAX];
	struct stat st;

	if (stat(program, &st) < 0)
		memset(&st, 0, sizeof(st));
	strbuf_printf(&key, "%s %lld %lld.%09ld", program, (long long)st.st_size,
		      (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	for (size_t i = 0; i < args->count; i++)
		strbuf_printf(&key, " %s", args->items[i]);
	digest_of(key.data, key.len, digest);
	return xasprintf("%s/probe-%.16s.json", work_dir, digest + strlen("sha256:"));
}

static bool read_note(const char *path, struct probe *ret)
{
	struct strbuf text cleanup_strbuf = { 0 };
	struct arena arena cleanup_arena = { 0 };
	struct json *j;

	if (fd_read_file(AT_FDCWD, path, NOTE_MAX, &text, NULL) < 0 || !text.data ||
	    json_parse(&arena, text.data, text.len, 0, &j, NULL) < 0 ||
	    !json_get_string(j, "version", NULL))
		return false;
	ret->version = xstrdup(json_get_string(j, "version", ""));
	ret->rro_mounts = json_get_bool(j, "rro_mounts", false);
	ret->idmap_mounts = json_get_bool(j, "idmap_mounts", false);
	ret->user_namespaces = json_get_bool(j, "user_namespaces", false);
	return true;
}

/* Only what works is noted: what fails is tried again by the next server. */
static void write_note(const char *path, const struct probe *p)
{
	struct strbuf out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &out };

	json_begin_object(&w);
	json_put_string(&w, "version", p->version);
	json_put_bool(&w, "rro_mounts", p->rro_mounts);
	json_put_bool(&w, "idmap_mounts", p->idmap_mounts);
	json_put_bool(&w, "user_namespaces", p->user_namespaces);
	json_end_object(&w);
	fd_replace_file(AT_FDCWD, path, out.data, out.len, 0600, false, NULL);
}

/* --- all of it -------------------------------------------------------------------------------- */

static int check_host(const char *version, struct error *err)
{
	if (str_has_prefix(version, "crun") && cgroup_is_hybrid())
		return error_set(
			err, ENOTSUP,
			"crun does not run on hybrid cgroup hosts (cgroup2 is mounted below a "
			"cgroup v1 tree): install runc, or boot with "
			"systemd.unified_cgroup_hierarchy=1");
	return 0;
}

static int probe_anew(const char *program, const struct strlist *args, const char *pause_program,
		      const char *work_dir, struct probe *ret, struct error *err)
{
	static const struct strlist none;
	struct strbuf version cleanup_strbuf = { 0 };
	struct strbuf features cleanup_strbuf = { 0 };

	if (ask(program, &none, "--version", &version, err) < 0)
		return err ? err->code : -EIO;
	ret->version = xstrndup(str_or(version.data, ""), strcspn(str_or(version.data, ""), "\n"));
	if (check_host(ret->version, err) < 0)
		return err ? err->code : -ENOTSUP;
	ask(program, &none, "features", &features, NULL);
	probe_features(ret->version, str_or(features.data, ""), ret);
	return trial(program, args, pause_program, work_dir, err);
}

int probe_run(const char *program, const struct strlist *args, const char *pause_program,
	      const char *work_dir, struct probe *ret, struct error *err)
{
	char *note cleanup_free = note_path(program, args, work_dir);
	int rc;

	memset(ret, 0, sizeof(*ret));
	rc = path_mkdirs(work_dir, 0700, err);
	if (rc < 0)
		return rc;
	if (read_note(note, ret))
		return check_host(ret->version, err);
	rc = probe_anew(program, args, pause_program, work_dir, ret, err);
	if (rc == 0)
		write_note(note, ret);
	return rc;
}
