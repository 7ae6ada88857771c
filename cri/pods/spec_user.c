/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a container's process is: from the request, the image's USER and the image's own files.
 *
 * /etc/passwd and /etc/group are read through the descriptor of a mount that nobody else sees;
 * symlinks in the image cannot lead out of it, and what is read is bounded.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "cri/pods/spec.h"

#define FILE_MAX   (4 << 20)
#define MAX_GROUPS 1024 /* more is a hostile image: the kernel takes 65536, nobody has them */

struct lookup {
	struct strbuf passwd, group;
};

static void lookup_finish(struct lookup *l)
{
	strbuf_finish(&l->passwd);
	strbuf_finish(&l->group);
}

/* An absent file is empty: images from scratch have none. */
static int read_image_file(int rootfs, const char *path, struct strbuf *ret, struct error *err)
{
	int fd cleanup_close =
		path_open_in_root(rootfs, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	struct stat st;
	int rc;

	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return 0;
	if (fd < 0)
		return error_errno(err, -fd, "open %s of the image", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	rc = fd_read_all(fd, FILE_MAX, ret);
	return rc < 0 ? error_errno(err, -rc, "read %s of the image", path) : 0;
}

/* split() - cut @line at colons into at most @max fields; missing ones are "". */
static void split(char *line, char **fields, size_t max)
{
	for (size_t i = 0; i < max; i++) {
		char *colon = strchr(line, ':');

		fields[i] = line;
		if (colon && i + 1 < max) {
			*colon = '\0';
			line = colon + 1;
		} else {
			line += strlen(line);
		}
	}
}

typedef bool entry_fn(char **fields, void *data); /* true: found, stop */

static bool each_entry(const struct strbuf *file, entry_fn *fn, void *data)
{
	const char *at = file->data;
	const char *end = at + file->len;

	while (at && at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((newline ? newline : end) - at);
		char *line cleanup_free = xstrndup(at, len);
		char *fields[7];

		split(line, fields, ARRAY_LEN(fields));
		if (*fields[0] && *fields[0] != '#' && fn(fields, data))
			return true;
		at += len + 1;
	}
	return false;
}

static bool parse_id(const char *text, uint32_t *ret)
{
	uint64_t value;

	if (str_parse_u64(text, &value) < 0 || value >= UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

/* An entry of passwd or group: by name, or by number. */
struct wanted {
	const char *name; /* NULL: by id */
	uint32_t id;
	uint32_t gid;	 /* found: primary group */
	char found[256]; /* found: name */
};

static bool match_user(char **fields, void *data)
{
	struct wanted *w = data;
	uint32_t uid, gid;

	if (!parse_id(fields[2], &uid) || !parse_id(fields[3], &gid))
		return false;
	if (w->name ? strcmp(w->name, fields[0]) != 0 : uid != w->id)
		return false;
	w->id = uid;
	w->gid = gid;
	snprintf(w->found, sizeof(w->found), "%s", fields[0]);
	return true;
}

static bool match_group(char **fields, void *data)
{
	struct wanted *w = data;

	return strcmp(w->name, fields[0]) == 0 && parse_id(fields[2], &w->id);
}

/* --- groups ----------------------------------------------------------------------------------- */

struct groups {
	gid_t *list;
	size_t count;
	bool overflow;
	const char *member;
};

static void add_group(struct groups *g, gid_t gid)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->list[i] == gid)
			return;
	if (g->count == MAX_GROUPS)
		g->overflow = true;
	else
		g->list[g->count++] = gid;
}

static bool has_member(const char *members, const char *name)
{
	size_t len = strlen(name);

	while (*members) {
		size_t n = strcspn(members, ",\r");

		if (n == len && strncmp(members, name, n) == 0)
			return true;
		members += n + (members[n] != '\0');
	}
	return false;
}

static bool collect_group(char **fields, void *data)
{
	struct groups *g = data;
	uint32_t gid;

	if (has_member(fields[3], g->member) && parse_id(fields[2], &gid))
		add_group(g, gid);
	return g->overflow;
}

static int compare_gids(const void *a, const void *b)
{
	gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;

	return (x > y) - (x < y);
}

/* The primary group comes first and is always among them: a "negative" group must not be lost. */
static int put_groups(const spec_security_t *sec, const struct lookup *l, const char *user,
		      struct bundle *b, struct error *err)
{
	struct groups g = { .member = user };

	g.list = arena_alloc(&b->arena, MAX_GROUPS * sizeof(gid_t));
	add_group(&g, b->gid);
	if (sec->supplemental_groups_policy == RUNTIME__V1__SUPPLEMENTAL_GROUPS_POLICY__Merge &&
	    *user)
		each_entry(&l->group, collect_group, &g);
	for (size_t i = 0; i < sec->n_supplemental_groups; i++) {
		int64_t gid = sec->supplemental_groups[i];

		if (gid < 0 || gid >= UINT32_MAX)
			return error_set(err, EINVAL, "supplemental group %lld is not a group id",
					 (long long)gid);
		add_group(&g, (gid_t)gid);
	}
	if (g.overflow)
		return error_set(err, EINVAL, "user is in more than %d groups", MAX_GROUPS);
	qsort(g.list + 1, g.count - 1, sizeof(gid_t), compare_gids);
	b->groups = g.list;
	b->n_groups = g.count;
	return 0;
}

/* --- user ------------------------------------------------------------------------------------- */

static int check_id(const char *what, const Runtime__V1__Int64Value *v, struct error *err)
{
	if (v && (v->value < 0 || v->value >= UINT32_MAX))
		return error_set(err, EINVAL, "%s %lld is not an id", what, (long long)v->value);
	return 0;
}

static int check(const spec_security_t *sec, struct error *err)
{
	int rc = check_id("run_as_user", sec->run_as_user, err);

	if (rc == 0)
		rc = check_id("run_as_group", sec->run_as_group, err);
	if (rc == 0 && sec->run_as_group && !sec->run_as_user && str_empty(sec->run_as_username))
		rc = error_set(err, EINVAL, "run_as_group without run_as_user: give the user too");
	if (rc == 0 &&
	    sec->supplemental_groups_policy > RUNTIME__V1__SUPPLEMENTAL_GROUPS_POLICY__Strict)
		rc = error_set(err, EINVAL, "unknown supplemental groups policy %d",
			       sec->supplemental_groups_policy);
	return rc;
}

/* "name", "uid", with ":group" of a name or a number. */
static int resolve_text(const char *text, const struct lookup *l, struct wanted *w,
			struct error *err)
{
	char *user cleanup_free = xstrndup(text, strcspn(text, ":"));
	const char *group = strchr(text, ':') ? strchr(text, ':') + 1 : "";
	struct wanted g = { .name = group };

	w->name = user;
	if (!each_entry(&l->passwd, match_user, w)) {
		if (!parse_id(user, &w->id))
			return error_set(err, EINVAL, "user '%s' is not in the image's /etc/passwd",
					 user);
		w->name = NULL;
		each_entry(&l->passwd, match_user, w);
	}
	w->name = NULL;
	if (!*group)
		return 0;
	if (!each_entry(&l->group, match_group, &g) && !parse_id(group, &g.id))
		return error_set(err, EINVAL, "group '%s' is not in the image's /etc/group", group);
	w->gid = g.id;
	return 0;
}

static int resolve(const struct spec_container *s, const struct lookup *l, struct bundle *b,
		   struct error *err)
{
	const spec_security_t *sec = spec_security(s->config);
	const char *text = str_or(sec->run_as_username, str_or(s->image->user, "0"));
	struct wanted w = { 0 };
	int rc = 0;

	if (sec->run_as_user) {
		w.id = (uint32_t)sec->run_as_user->value;
		each_entry(&l->passwd, match_user, &w);
	} else {
		rc = resolve_text(text, l, &w, err);
	}
	if (rc < 0)
		return rc;
	if (sec->run_as_group)
		w.gid = (uint32_t)sec->run_as_group->value;
	b->uid = w.id;
	b->gid = w.gid;
	return put_groups(sec, l, w.found, b, err);
}

int spec_user(const struct spec_container *s, struct bundle *b, struct error *err)
{
	struct lookup l cleanup(lookup_finish) = { 0 };
	int rc = check(spec_security(s->config), err);

	if (rc == 0)
		rc = read_image_file(s->rootfs_fd, "/etc/passwd", &l.passwd, err);
	if (rc == 0)
		rc = read_image_file(s->rootfs_fd, "/etc/group", &l.group, err);
	return rc < 0 ? rc : resolve(s, &l, b, err);
}
