/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount options, as mount(8) and the runtime-spec spell them.
 */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "base/mem.h"
#include "runtimes/sentry/boot/spec.h"

static const struct {
	const char *name;
	unsigned long set, clear;
} flags[] = {
	{ "ro", MS_RDONLY, 0 },
	{ "rw", 0, MS_RDONLY },
	{ "rro", MS_RDONLY, 0 }, /* mounts of ours have no others below them */
	{ "nosuid", MS_NOSUID, 0 },
	{ "suid", 0, MS_NOSUID },
	{ "nodev", MS_NODEV, 0 },
	{ "dev", 0, MS_NODEV },
	{ "noexec", MS_NOEXEC, 0 },
	{ "exec", 0, MS_NOEXEC },
	{ "noatime", MS_NOATIME, 0 },
	{ "atime", 0, MS_NOATIME },
	{ "nodiratime", MS_NODIRATIME, 0 },
	{ "relatime", MS_RELATIME, 0 },
	{ "strictatime", MS_STRICTATIME, 0 },
	{ "sync", MS_SYNCHRONOUS, 0 },
	{ "dirsync", MS_DIRSYNC, 0 },
};

/* What changes nothing inside: nobody below could tell. */
static const char *const ignored[] = {
	"defaults",   "async",	     "remount",	   "private",	    "rprivate",
	"unbindable", "runbindable", "nofail",	   "auto",	    "mand",
	"nomand",     "diratime",    "norelatime", "nostrictatime", "lazytime",
	"nolazytime", "iversion",    "noiversion", "silent",	    "loud",
};

static bool is_ignored(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		if (strcmp(ignored[i], word) == 0)
			return true;
	return false;
}

static bool is_follow(const char *word)
{
	static const char *const words[] = { "slave", "rslave", "shared", "rshared" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

static bool take_flag(const char *word, struct spec_options *o)
{
	if (is_follow(word)) {
		o->follow = true;
		return true;
	}
	if (strcmp(word, "tmpcopyup") == 0) {
		o->copy_up = true;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (strcmp(flags[i].name, word) != 0)
			continue;
		o->flags = (o->flags & ~flags[i].clear) | flags[i].set;
		return true;
	}
	if (strcmp(word, "bind") != 0 && strcmp(word, "rbind") != 0)
		return false;
	o->bind = true;
	o->recursive |= word[0] == 'r';
	return true;
}

int spec_options_parse(struct arena *a, const struct json *options, struct spec_options *ret,
		       struct error *err)
{
	const struct json *it;

	memset(ret, 0, sizeof(*ret));
	json_for_each(it, options) {
		if (it->type != JSON_STRING)
			return error_set(err, EINVAL, "options: not all of them are strings");
		if (strcmp(it->text, "idmap") == 0 || strcmp(it->text, "ridmap") == 0)
			return error_set(err, ENOTSUP,
					 "option '%s': refused: idmapped mounts are not done yet",
					 it->text);
		if (take_flag(it->text, ret) || is_ignored(it->text))
			continue;
		ret->data = ret->data ? arena_printf(a, "%s,%s", ret->data, it->text)
				      : arena_strdup(a, it->text);
	}
	return 0;
}
