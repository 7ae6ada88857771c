/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CNI network configurations: a list of plugins.
 */
#ifndef NETWORK_CONF_H
#define NETWORK_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

#define CONF_PLUGINS_MAX 32

/* One list.  Everything points into the arena. */
struct conf {
	struct arena arena;
	const char *name, *version; /* of the network; cniVersion */
	const struct json *plugins[CONF_PLUGINS_MAX];
	const char *types[CONF_PLUGINS_MAX]; /* of the plugins: names of programs */
	size_t n_plugins;
	const struct json *root;
};

/*
 * conf_parse() - a list, or a single plugin's configuration, which becomes a list of one.
 * conf_destroy() takes NULL.
 */
int conf_parse(const char *text, size_t len, struct conf **ret, struct error *err);
void conf_destroy(struct conf *c);
/* conf_json() - write it as a list that conf_parse() takes back. */
void conf_json(const struct conf *c, struct json_writer *w);
/* conf_wants() - whether plugin @i declares @capability. */
bool conf_wants(const struct conf *c, size_t i, const char *capability);

/*
 * conf_find() - path of the configuration in @dir that counts: the first *.conflist, *.conf or
 * *.json by name.  Return: 0, -ENOENT when there is none.  Caller frees *ret_path.
 */
int conf_find(const char *dir, char **ret_path, struct error *err);

/* What is looked at to see whether a directory's choice is still the same. */
struct conf_stamp {
	long long dir_ns, file_ns, size;
	unsigned long long inode;
	bool settled; /* old enough that a change since would show */
};

/* conf_stamp() - two stat calls; @file may be NULL.  */
struct conf_stamp conf_stamp(const char *dir, const char *file);
bool conf_stamp_same(const struct conf_stamp *a, const struct conf_stamp *b);
/* conf_load() - read and parse @path. */
int conf_load(const char *path, struct conf **ret, struct error *err);

#endif
