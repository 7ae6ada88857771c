/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Container records on disk.
 */
#include "runtimes/sentry/cli/record.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "runtimes/cgroup/cgroup.h"

#define RECORD_MAX (8 << 20)

void record_finish(struct record *r)
{
	arena_finish(&r->arena);
	memset(r, 0, sizeof(*r));
}

int record_check_id(const char *id, struct error *err)
{
	size_t len = strlen(id);

	if (len == 0 || len > 200 || strcmp(id, ".") == 0 || strcmp(id, "..") == 0)
		return error_set(err, EINVAL, "invalid container ID format: '%.40s'", id);
	for (const char *p = id; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_+-.", *p))
			return error_set(err, EINVAL, "invalid container ID format: '%.40s'", id);
	return 0;
}

char *record_dir(const struct cli *c, const char *id)
{
	return path_join(c->root, id);
}

char *record_path(const struct cli *c, const char *id, const char *file)
{
	return xasprintf("%s/%s/%s", c->root, id, file);
}

int record_reserve(const struct cli *c, const char *id, struct error *err)
{
	char *dir cleanup_free = record_dir(c, id);
	int rc = record_check_id(id, err);

	if (rc == 0)
		rc = path_mkdirs(c->root, 0711, err);
	if (rc < 0)
		return rc;
	if (mkdir(dir, 0700) < 0)
		return errno == EEXIST
			       ? error_set(err, EEXIST, "container with given ID already exists")
			       : error_errno(err, errno, "make %s", dir);
	return 0;
}

static void put_process(struct json_writer *w, const char *key, pid_t pid, unsigned long long start)
{
	json_put_object(w, key);
	json_put_i64(w, "pid", pid);
	json_put_u64(w, "start", start);
	json_end_object(w);
}

int record_save(const struct cli *c, const struct record *r, struct error *err)
{
	char *path cleanup_free = record_path(c, r->id, "state.json");
	struct strbuf out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &out };

	json_begin_object(&w);
	json_put_string(&w, "id", r->id);
	json_put_string(&w, "sandbox", r->sandbox);
	json_put_string(&w, "bundle", r->bundle);
	json_put_string(&w, "rootfs", r->rootfs);
	json_put_string(&w, "cgroup", r->cgroup);
	json_put_string(&w, "created", r->created);
	put_process(&w, "standin", r->pid, r->pid_start);
	put_process(&w, "sentry", r->sentry, r->sentry_start);
	put_process(&w, "gofer", r->gofer, r->gofer_start);
	if (r->annotations) {
		json_key(&w, "annotations");
		json_value(&w, r->annotations);
	}
	json_end_object(&w);
	return fd_replace_file(AT_FDCWD, path, out.data, out.len, 0600, false, err);
}

static void get_process(const struct json *j, const char *key, pid_t *ret,
			unsigned long long *start)
{
	const struct json *p = json_get(j, key);

	*ret = (pid_t)json_get_int(p, "pid", 0);
	*start = (unsigned long long)json_get_int(p, "start", 0);
}

int record_load(const struct cli *c, const char *id, struct record *ret, struct error *err)
{
	char *path cleanup_free = record_path(c, id, "state.json");
	struct strbuf text cleanup_strbuf = { 0 };
	struct json *j;
	int rc = record_check_id(id, err);

	memset(ret, 0, sizeof(*ret));
	if (rc < 0)
		return rc;
	rc = fd_read_file(AT_FDCWD, path, RECORD_MAX, &text, err);
	if (rc == -ENOENT)
		return error_set(err, ENOENT, "container does not exist");
	if (rc == 0)
		rc = json_parse(&ret->arena, str_or(text.data, ""), text.len, 0, &j, err);
	if (rc < 0)
		return error_wrap(err, "%s", path);
	ret->id = arena_strdup(&ret->arena, id);
	ret->sandbox = json_get_string(j, "sandbox", id);
	ret->bundle = json_get_string(j, "bundle", "");
	ret->rootfs = json_get_string(j, "rootfs", "");
	ret->cgroup = json_get_string(j, "cgroup", NULL);
	ret->created = json_get_string(j, "created", "");
	ret->annotations = json_get(j, "annotations");
	get_process(j, "standin", &ret->pid, &ret->pid_start);
	get_process(j, "sentry", &ret->sentry, &ret->sentry_start);
	get_process(j, "gofer", &ret->gofer, &ret->gofer_start);
	return 0;
}

void record_remove(const struct cli *c, const char *id)
{
	char *dir cleanup_free = record_dir(c, id);

	path_remove_tree(AT_FDCWD, dir, NULL);
}

bool record_process_alive(pid_t pid, unsigned long long start)
{
	unsigned long long now;

	return pid > 1 && process_start_time(pid, &now) == 0 && now == start;
}

int record_call(const struct cli *c, const struct record *r, struct control_request *rq,
		const int *fds, size_t n_fds, int *ret_value, struct strbuf *ret_text,
		struct error *err)
{
	char *path cleanup_free = record_path(c, r->sandbox, "control.sock");

	return control_call(path, rq, fds, n_fds, ret_value, ret_text, err);
}

enum control_state record_state(const struct cli *c, const struct record *r)
{
	struct control_request rq;
	int value;

	if (r->cgroup && cgroup_is_frozen(r->cgroup))
		return CONTROL_PAUSED;
	if (control_request_init(&rq, CONTROL_STATE, r->id, NULL) < 0 ||
	    record_call(c, r, &rq, NULL, 0, &value, NULL, NULL) < 0)
		return CONTROL_STOPPED;
	return value == CONTROL_CREATED || value == CONTROL_RUNNING ? (enum control_state)value
								    : CONTROL_STOPPED;
}

const char *record_state_name(enum control_state s)
{
	switch (s) {
	case CONTROL_CREATED:
		return "created";
	case CONTROL_RUNNING:
		return "running";
	case CONTROL_PAUSED:
		return "paused";
	default:
		return "stopped";
	}
}
