/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Picks and parses CNI configurations.
 *
 * The first file by name counts, valid or not: to fall through a half-written one to the next
 * would put pods into another network.  A change is seen by the times of the directory and of
 * the file; where those are so fresh that a second change could bear the same time, it is read
 * again.
 */
#include "network/conf.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/path.h"

#define FILE_MAX_BYTES (1 << 20)
#define NAME_MAX_BYTES 255
#define DEPTH_MAX      48
#define SETTLE_NS      (2 * INT64_C(1000000000))

/* --- parse ------------------------------------------------------------------------------------ */

/* The name of a program, not a path: it is looked up in the plugin directories. */
static bool is_plugin_type(const char *type)
{
	return *type && !strchr(type, '/') && *type != '.' && strlen(type) <= NAME_MAX_BYTES;
}

static int add_plugin(struct conf *c, const struct json *plugin, struct error *err)
{
	const char *type = json_get_string(plugin, "type", "");

	if (plugin->type != JSON_OBJECT || !is_plugin_type(type))
		return error_set(err, EINVAL, "line %u: plugin %zu has no valid \"type\"",
				 plugin->line, c->n_plugins);
	if (c->n_plugins == CONF_PLUGINS_MAX)
		return error_set(err, EINVAL, "more than %d plugins", CONF_PLUGINS_MAX);
	c->types[c->n_plugins] = type;
	c->plugins[c->n_plugins++] = plugin;
	return 0;
}

static int check_version(const char *version, struct error *err)
{
	static const char *const known[] = { "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0" };

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_eq(version, known[i]))
			return 0;
	return error_set(err, EINVAL,
			 "cniVersion '%.32s' is not supported; write \"0.3.1\", "
			 "\"0.4.0\" or \"1.0.0\"",
			 version);
}

/* The name becomes part of file names in the plugins' own state (CNI spec, section 1). */
static bool is_network_name(const char *name)
{
	return strlen(name) <= NAME_MAX_BYTES && *name && *name != '.' &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "_.-")] == '\0';
}

/* too_deep() - whether @j has more than @levels levels; the journal needs some around it. */
static bool too_deep(const struct json *j, unsigned int levels)
{
	const struct json *it;

	if (levels == 0)
		return true;
	json_for_each(it, j)
		if (too_deep(it, levels - 1))
			return true;
	return false;
}

static int read_conf(struct conf *c, struct error *err)
{
	const struct json *list = json_get(c->root, "plugins"), *it;

	if (!c->root || c->root->type != JSON_OBJECT)
		return error_set(err, EINVAL, "the configuration is not an object");
	if (too_deep(c->root, DEPTH_MAX))
		return error_set(err, EINVAL, "nested more than %d deep", DEPTH_MAX);
	c->name = json_get_string(c->root, "name", "");
	c->version = json_get_string(c->root, "cniVersion", "");
	if (!is_network_name(c->name))
		return error_set(err, EINVAL, "\"name\" must be letters, digits, '.', '_' and '-'");
	if (check_version(c->version, err) < 0)
		return -EINVAL;
	if (!list)
		return add_plugin(c, c->root, err);
	if (list->type != JSON_ARRAY || !list->child)
		return error_set(err, EINVAL, "\"plugins\" must be an array with at least one");
	json_for_each(it, list)
		if (add_plugin(c, it, err) < 0)
			return -EINVAL;
	return 0;
}

int conf_parse(const char *text, size_t len, struct conf **ret, struct error *err)
{
	struct conf *c = xnew(struct conf);
	struct json *root;
	int rc = str_is_utf8(text, len) ? json_parse(&c->arena, text, len, 0, &root, err)
					: error_set(err, EINVAL, "the configuration is not UTF-8");

	if (rc == 0) {
		c->root = root;
		rc = read_conf(c, err);
	}
	if (rc < 0) {
		conf_destroy(c);
		return rc;
	}
	*ret = c;
	return 0;
}

void conf_destroy(struct conf *c)
{
	if (!c)
		return;
	arena_finish(&c->arena);
	free(c);
}

void conf_json(const struct conf *c, struct json_writer *w)
{
	json_begin_object(w);
	json_put_string(w, "cniVersion", c->version);
	json_put_string(w, "name", c->name);
	json_put_array(w, "plugins");
	for (size_t i = 0; i < c->n_plugins; i++)
		json_value(w, c->plugins[i]);
	json_end_array(w);
	json_end_object(w);
}

bool conf_wants(const struct conf *c, size_t i, const char *capability)
{
	return json_get_bool(json_get(c->plugins[i], "capabilities"), capability, false);
}

/* --- pick ------------------------------------------------------------------------------------- */

static bool is_conf_name(const char *name)
{
	return str_has_suffix(name, ".conflist") || str_has_suffix(name, ".conf") ||
	       str_has_suffix(name, ".json");
}

int conf_find(const char *dir, char **ret_path, struct error *err)
{
	char *first cleanup_free = NULL;
	DIR *d = opendir(dir);
	struct dirent *e;

	if (!d && errno != ENOENT)
		return error_errno(err, errno, "open %s", dir);
	while (d && (e = readdir(d))) {
		if (!is_conf_name(e->d_name) || *e->d_name == '.' || e->d_type == DT_DIR)
			continue;
		if (first && strcmp(e->d_name, first) >= 0)
			continue;
		free(first);
		first = xstrdup(e->d_name);
	}
	if (d)
		closedir(d);
	if (!first)
		return error_set(err, ENOENT,
				 "no network config found in %s: install a network "
				 "add-on, or put a .conflist there",
				 dir);
	*ret_path = path_join(dir, first);
	return 0;
}

int conf_load(const char *path, struct conf **ret, struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };
	int rc = fd_read_file(AT_FDCWD, path, FILE_MAX_BYTES, &text, err);

	if (rc < 0)
		return rc;
	if (conf_parse(text.data ? text.data : "", text.len, ret, err) < 0)
		return error_wrap(err, "%s", path);
	return 0;
}

static long long time_ns(struct timespec t)
{
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

struct conf_stamp conf_stamp(const char *dir, const char *file)
{
	struct conf_stamp s = { 0 };
	struct stat st;

	if (stat(dir, &st) == 0)
		s.dir_ns = time_ns(st.st_mtim);
	if (file && stat(file, &st) == 0) {
		s.file_ns = time_ns(st.st_mtim);
		s.size = st.st_size;
		s.inode = st.st_ino;
	}
	s.settled = clock_wall_ns() - MAX(s.dir_ns, s.file_ns) > SETTLE_NS;
	return s;
}

bool conf_stamp_same(const struct conf_stamp *a, const struct conf_stamp *b)
{
	return a->dir_ns == b->dir_ns && a->file_ns == b->file_ns && a->size == b->size &&
	       a->inode == b->inode && a->settled;
}
