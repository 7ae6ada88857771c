/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The freezer: all processes of a cgroup stand still.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "runtimes/cgroup/cgroup.h"
#include "runtimes/cgroup/file.h"

#define TRIES 40 /* of 5 ms: a process in a host call may take a moment */

/* is_asked() - whether it is to be frozen; some of it may not have got there yet. */
static bool is_asked(const struct hierarchy *h, const char *path)
{
	char text[FILE_TEXT_MAX];
	uint64_t on;

	if (h->unified)
		return cgroup_file_read_u64(h, path, "cgroup.freeze", &on) == 0 && on == 1;
	return cgroup_file_read(h, path, "freezer.state", text) > 0 &&
	       strncmp(text, "THAWED", 6) != 0;
}

/* is_frozen() - v1: the state file; v2: a line of cgroup.events. */
static bool is_frozen(const struct hierarchy *h, const char *path)
{
	char text[FILE_TEXT_MAX];

	if (h->unified)
		return cgroup_file_read(h, path, "cgroup.events", text) > 0 &&
		       cgroup_file_key(text, "frozen") == 1;
	return cgroup_file_read(h, path, "freezer.state", text) > 0 &&
	       strncmp(text, "FROZEN", 6) == 0;
}

static int write_state(const struct hierarchy *h, const char *path, bool freeze)
{
	if (h->unified)
		return cgroup_file_write(h, path, "cgroup.freeze", freeze ? "1" : "0");
	return cgroup_file_write(h, path, "freezer.state", freeze ? "FROZEN" : "THAWED");
}

static const struct hierarchy *freezer(void)
{
	const struct hierarchies *all = hierarchies_get();

	return all->version == 2 ? all->unified : hierarchy_with("freezer");
}

bool cgroup_is_frozen(const char *path)
{
	const struct hierarchy *h = freezer();

	return h && is_asked(h, path);
}

int cgroup_freeze(const char *path, bool freeze, struct error *err)
{
	const struct hierarchy *h = freezer();
	const struct timespec pause = { .tv_nsec = 5000000 };
	int rc;

	if (!h)
		return error_set(err, ENOTSUP, "this host has no cgroup freezer");
	rc = write_state(h, path, freeze);
	if (rc < 0)
		return error_errno(err, -rc, "%s cgroup %s", freeze ? "freeze" : "thaw", path);
	for (int i = 0; i < TRIES && is_frozen(h, path) != freeze; i++)
		nanosleep(&pause, NULL);
	return is_frozen(h, path) == freeze ? 0 : -EINPROGRESS;
}
