/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes, removes and lists cgroups.
 *
 * The common case is one mkdir a hierarchy: parents are made only when that says ENOENT, and v2
 * controllers are enabled on the way down only when the new cgroup lacks some of them.
 */
#include "runtimes/cgroup/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "runtimes/cgroup/file.h"
#include "runtimes/cgroup/hierarchy.h"

#define DEPTH_MAX	64
#define PIDS_MAX	(1 << 22) /* the kernel's PID_MAX_LIMIT */
#define REMOVE_TRIES	40
#define REMOVE_PAUSE_US 2500

int cgroup_version(void)
{
	return hierarchies_get()->version;
}

bool cgroup_is_hybrid(void)
{
	const struct hierarchies *all = hierarchies_get();

	return all->version == 1 && all->unified;
}

void cgroup_controllers(struct strlist *ret)
{
	const struct hierarchies *all = hierarchies_get();

	for (size_t i = 0; i < all->count; i++)
		for (size_t c = 0; c < all->list[i].controllers.count; c++)
			if (!strlist_has(ret, all->list[i].controllers.items[c]))
				strlist_add(ret, all->list[i].controllers.items[c]);
}

/* A path becomes part of many others: no "..", no second root. */
static int check_path(const char *path, struct error *err)
{
	if (!path_is_clean(path) || str_eq(path, "/"))
		return error_set(err, EINVAL, "'%s' does not name a cgroup below the root", path);
	return 0;
}

/* --- create ----------------------------------------------------------------------------------- */

/* parent_of() - "/a/b" of "/a/b/c", "" of "/a".  Caller frees. */
static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return xstrndup(path, slash ? (size_t)(slash - path) : 0);
}

static int copy_down(const struct hierarchy *h, const char *parent, const char *path,
		     const char *file)
{
	char text[FILE_TEXT_MAX];
	int rc = cgroup_file_read(h, path, file, text);

	if (rc < 0 || rc > 1) /* set already: by clone_children, or it existed */
		return MIN(rc, 0);
	rc = cgroup_file_read(h, parent, file, text);
	return rc < 0 ? rc : cgroup_file_write(h, path, file, text);
}

/* A new v1 cpuset has no cpus and no memory nodes, and no process may join it like that. */
static int inherit_cpuset(const struct hierarchy *h, const char *parent, const char *path)
{
	int rc = copy_down(h, parent, path, "cpuset.cpus");

	if (rc == 0)
		rc = copy_down(h, parent, path, "cpuset.mems");
	if (rc == 0)
		cgroup_file_write(h, path, "cgroup.clone_children",
				  "1"); /* its children get theirs */
	return rc;
}

static int make_in(const struct hierarchy *h, const char *path, unsigned int depth)
{
	char *dir cleanup_free = hierarchy_path(h, path, NULL);
	char *parent cleanup_free = parent_of(path);
	int rc;

	if (mkdir(dir, 0755) < 0) {
		if (errno == EEXIST)
			return 0;
		if (errno != ENOENT || !*parent || depth > DEPTH_MAX)
			return -errno;
		rc = make_in(h, parent, depth + 1);
		if (rc == 0 && mkdir(dir, 0755) < 0 && errno != EEXIST)
			rc = -errno;
		if (rc < 0)
			return rc;
	}
	if (!h->unified && strlist_has(&h->controllers, "cpuset"))
		return inherit_cpuset(h, parent, path);
	return 0;
}

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = text; (p = strstr(p, word)); p += len)
		if ((p == text || p[-1] == ' ') && (!p[len] || strchr(" \n", p[len])))
			return true;
	return false;
}

static bool has_controllers(const struct hierarchy *h, const char *cgroup, const char *file)
{
	char text[FILE_TEXT_MAX];

	cgroup_file_read(h, cgroup, file, text);
	for (size_t i = 0; i < h->controllers.count; i++)
		if (!has_word(text, h->controllers.items[i]))
			return false;
	return true;
}

/*
 * enable_down() - give @path the controllers that the root has.  Each is written alone, so that
 * one which cannot be had (an ancestor with processes, a delegated subtree) does not cost the
 * others; a limit on it then fails by name in cgroup_update().
 */
static void enable_down(const struct hierarchy *h, const char *path)
{
	for (const char *slash = path; slash; slash = strchr(slash + 1, '/')) {
		char *ancestor cleanup_free = xstrndup(path, (size_t)(slash - path));

		if (has_controllers(h, ancestor, "cgroup.subtree_control"))
			continue;
		for (size_t i = 0; i < h->controllers.count; i++) {
			char word[64];

			snprintf(word, sizeof(word), "+%s", h->controllers.items[i]);
			cgroup_file_write(h, ancestor, "cgroup.subtree_control", word);
		}
	}
}

int cgroup_create(const char *path, struct error *err)
{
	const struct hierarchies *all = hierarchies_get();
	int rc = check_path(path, err);

	if (rc < 0)
		return rc;
	if (all->count == 0)
		return error_set(err, ENOENT,
				 "no cgroup file system is mounted; mount cgroup2 at "
				 "/sys/fs/cgroup");
	for (size_t i = 0; i < all->count; i++) {
		const struct hierarchy *h = &all->list[i];

		rc = make_in(h, path, 0);
		if (rc < 0)
			return error_errno(err, -rc, "make cgroup %s in %s", path, h->mount);
		if (h->unified && !has_controllers(h, path, "cgroup.controllers"))
			enable_down(h, path);
	}
	return 0;
}

/* --- look and remove -------------------------------------------------------------------------- */

bool cgroup_exists(const char *path)
{
	const struct hierarchies *all = hierarchies_get();

	for (size_t i = 0; i < all->count; i++) {
		char *dir cleanup_free = hierarchy_path(&all->list[i], path, NULL);

		if (path_exists(dir))
			return true;
	}
	return false;
}

static int open_in(const struct hierarchy *h, const char *path, struct fork_cgroups *g)
{
	char *name cleanup_free = hierarchy_path(h, path, h->unified ? NULL : "tasks");
	int fd = open(name, (h->unified ? O_RDONLY | O_DIRECTORY : O_WRONLY) | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (h->unified)
		g->born_in = fd;
	else
		g->join[g->n_join++] = fd;
	if (h == hierarchies_get()->primary && !h->unified && g->n_join > 1) {
		/* the first to be joined: whoever is to be found is looked for there */
		g->join[g->n_join - 1] = g->join[0];
		g->join[0] = fd;
	}
	return 0;
}

int cgroup_open(const char *path, struct fork_cgroups *ret, struct error *err)
{
	const struct hierarchies *all = hierarchies_get();
	struct fork_cgroups g = FORK_CGROUPS_INIT;

	_Static_assert(HIERARCHY_MAX <= FORK_CGROUPS_MAX, "one of each");
	for (size_t i = 0; i < all->count; i++) {
		int rc = open_in(&all->list[i], path, &g);

		if (rc < 0) {
			fork_cgroups_close(&g);
			return error_errno(err, -rc, "open cgroup %s in %s", path,
					   all->list[i].mount);
		}
	}
	*ret = g;
	return 0;
}

/* remove_children() - rmdir what is below @dirfd, deepest first.  Takes @dirfd. */
static void remove_children(int dirfd, unsigned int depth)
{
	DIR *dir = dirfd < 0 ? NULL : fdopendir(dirfd);
	struct dirent *e;

	if (!dir) {
		if (dirfd >= 0)
			close(dirfd);
		return;
	}
	while ((e = readdir(dir))) {
		if (e->d_type != DT_DIR || str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		if (unlinkat(dirfd, e->d_name, AT_REMOVEDIR) == 0 || depth >= DEPTH_MAX)
			continue;
		remove_children(
			openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
			depth + 1);
		unlinkat(dirfd, e->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
}

/*
 * remove_in() - a process that has ended leaves its cgroup a moment after its parent was told,
 * so "busy" is tried again shortly where no process is listed.
 */
static int remove_in(const struct hierarchy *h, const char *path)
{
	char *dir cleanup_free = hierarchy_path(h, path, NULL);

	for (int i = 0; rmdir(dir) < 0; i++) {
		char text[FILE_TEXT_MAX];

		if (errno == ENOENT)
			return 0;
		if ((errno != EBUSY && errno != ENOTEMPTY) || i == REMOVE_TRIES)
			return -errno;
		if (cgroup_file_read(h, path, "cgroup.procs", text) > 0)
			return -EBUSY;
		remove_children(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
		if (i > 0)
			usleep(REMOVE_PAUSE_US);
	}
	return 0;
}

int cgroup_remove(const char *path, struct error *err)
{
	const struct hierarchies *all = hierarchies_get();
	int rc = check_path(path, err);

	for (size_t i = 0; i < all->count && rc == 0; i++) {
		rc = remove_in(&all->list[i], path);
		if (rc == -EBUSY)
			return error_set(err, EBUSY, "cgroup %s still has processes in %s", path,
					 all->list[i].mount);
		if (rc < 0)
			return error_errno(err, -rc, "remove cgroup %s in %s", path,
					   all->list[i].mount);
	}
	return rc;
}

/* --- members ---------------------------------------------------------------------------------- */

struct members {
	pid_t *pids;
	size_t count, cap;
};

static void add_members(struct members *m, int fd)
{
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	int pid;

	if (!f) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (m->count < PIDS_MAX && fscanf(f, "%d", &pid) == 1) {
		if (m->count == m->cap) {
			m->cap = m->cap * 2 + 64;
			m->pids = xrealloc(m->pids, m->cap, sizeof(*m->pids));
		}
		m->pids[m->count++] = pid;
	}
	fclose(f);
}

/* collect() - members of @dirfd and below.  Takes @dirfd. */
static void collect(struct members *m, int dirfd, unsigned int depth)
{
	DIR *dir = fdopendir(dirfd);
	struct dirent *e;

	if (!dir) {
		close(dirfd);
		return;
	}
	add_members(m, openat(dirfd, "cgroup.procs", O_RDONLY | O_CLOEXEC));
	while ((e = readdir(dir))) {
		int sub;

		if (e->d_type != DT_DIR || str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		sub = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0 && depth < DEPTH_MAX)
			collect(m, sub, depth + 1);
		else if (sub >= 0)
			close(sub);
	}
	closedir(dir);
}

int cgroup_file_pids(const struct hierarchy *h, const char *path, pid_t **ret_pids,
		     size_t *ret_count, struct error *err)
{
	char *dir cleanup_free = hierarchy_path(h, path, NULL);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct members m = { 0 };

	if (fd < 0)
		return error_errno(err, errno, "open cgroup %s", dir);
	collect(&m, fd, 0);
	*ret_pids = m.pids;
	*ret_count = m.count;
	return 0;
}

int cgroup_pids(const char *path, pid_t **ret_pids, size_t *ret_count, struct error *err)
{
	const struct hierarchies *all = hierarchies_get();
	int rc = check_path(path, err);

	if (rc < 0)
		return rc;
	if (!all->primary)
		return error_set(err, ENOENT, "no cgroup file system is mounted");
	return cgroup_file_pids(all->primary, path, ret_pids, ret_count, err);
}
