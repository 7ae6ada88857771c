/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds cgroup hierarchies in /proc/self/mountinfo.
 *
 * A line of it (proc_pid_mountinfo(5)); the optional fields end with " - ":
 *
 *   35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
 *    0  1 2    3 4                     5                       type   source super options
 *
 * The same hierarchy mounted twice is told by its device number (field 2).
 */
#include "runtimes/cgroup/hierarchy.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/mem.h"

#define MOUNTINFO_MAX (16 << 20)

static struct hierarchies found;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Super options that are not controllers. */
static bool is_option(const char *word)
{
	static const char *const options[] = {
		"rw", "ro", "xattr", "noprefix", "clone_children", "nsdelegate"
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (str_eq(word, options[i]))
			return true;
	return strchr(word, '=') != NULL || str_has_prefix(word, "memory_") ||
	       str_has_prefix(word, "favordynmods") || str_has_prefix(word, "pids_");
}

static void add_words(struct strlist *list, char *text, const char *separators, bool filter)
{
	char *save;

	for (char *w = strtok_r(text, separators, &save); w; w = strtok_r(NULL, separators, &save))
		if (!filter || !is_option(w))
			strlist_add(list, w);
}

/* mountinfo writes blanks and backslashes as \040 and the like. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		unsigned int c;

		if (*s == '\\' && sscanf(s + 1, "%3o", &c) == 1 && strlen(s) >= 4) {
			*out++ = (char)c;
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

static void read_root_controllers(struct hierarchy *h)
{
	char *path cleanup_free = hierarchy_path(h, "", "cgroup.controllers");
	struct strbuf text cleanup_strbuf = { 0 };

	if (fd_read_file(AT_FDCWD, path, 4096, &text, NULL) == 0 && text.data)
		add_words(&h->controllers, text.data, " \n", false);
}

/* add_line() - one line of mountinfo, which it takes apart. */
static void add_line(struct hierarchies *all, char *line, struct strlist *devices)
{
	char *rest = strstr(line, " - ");
	char device[32], type[32], *mount cleanup_free = NULL, *options cleanup_free = NULL;
	struct hierarchy *h;

	if (!rest || sscanf(rest, " - %31s %*s %ms", type, &options) != 2 ||
	    sscanf(line, "%*s %*s %31s %*s %ms", device, &mount) != 2)
		return;
	if (!str_eq(type, "cgroup") && !str_eq(type, "cgroup2"))
		return;
	if (all->count == HIERARCHY_MAX || strlist_has(devices, device))
		return;
	strlist_add(devices, device);
	h = &all->list[all->count++];
	unescape(mount);
	h->mount = steal_ptr(mount);
	h->unified = str_eq(type, "cgroup2");
	if (h->unified)
		read_root_controllers(h);
	else
		add_words(&h->controllers, options, ",", true);
}

static const struct hierarchy *with(const struct hierarchies *all, const char *controller)
{
	for (size_t i = 0; i < all->count; i++)
		if (strlist_has(&all->list[i].controllers, controller))
			return &all->list[i];
	return NULL;
}

static void parse(struct hierarchies *all, char *text)
{
	struct strlist devices cleanup_strlist = { 0 };
	bool v1 = false;
	char *save;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		add_line(all, l, &devices);
	for (size_t i = 0; i < all->count; i++) {
		if (all->list[i].unified)
			all->unified = &all->list[i];
		else if (all->list[i].controllers.count > 0)
			v1 = true;
	}
	all->version = v1 || !all->unified ? 1 : 2;
	/* a hybrid's v2 tree is for membership only: a controller enabled there would forbid
	 * processes in inner cgroups, which v1 allows */
	for (size_t i = 0; i < all->count && all->version == 1; i++)
		if (all->list[i].unified) {
			strlist_finish(&all->list[i].controllers);
			all->list[i].controllers = (struct strlist){ 0 };
		}
	if (all->version == 2)
		all->primary = all->unified;
	else /* the freezer first: a kill lists and freezes in the same tree */
		all->primary = with(all, "freezer") ?: with(all, "pids") ?: with(all, "memory");
	if (!all->primary && all->count > 0)
		all->primary = &all->list[0];
}

static void find(void)
{
	struct strbuf text cleanup_strbuf = { 0 };

	if (fd_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL) < 0)
		strbuf_reset(&text);
	strbuf_puts(&text, "");
	parse(&found, text.data);
}

const struct hierarchies *hierarchies_get(void)
{
	pthread_once(&once, find);
	return &found;
}

const struct hierarchy *hierarchy_with(const char *controller)
{
	return with(hierarchies_get(), controller);
}

char *hierarchy_path(const struct hierarchy *h, const char *cgroup, const char *file)
{
	while (*cgroup == '/')
		cgroup++;
	return xasprintf("%s%s%s%s%s", h->mount, *cgroup ? "/" : "", cgroup, file ? "/" : "",
			 file ? file : "");
}

void hierarchies_replace(const char *mountinfo)
{
	char *text cleanup_free = xstrdup(mountinfo);

	hierarchies_get();
	for (size_t i = 0; i < found.count; i++) {
		free(found.list[i].mount);
		strlist_finish(&found.list[i].controllers);
	}
	found = (struct hierarchies){ 0 };
	parse(&found, text);
}
