/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CNI configurations: which file counts, what is refused, what survives the journal.
 */
#include "network/conf.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "tests/unit/tap.h"

#define LIST                                                                           \
	"{\"cniVersion\":\"0.4.0\",\"name\":\"n\",\"plugins\":[{\"type\":\"bridge\"}," \
	"{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true,\"dns\":false}}]}"

static void bad(const char *text, const char *why)
{
	struct conf *c = NULL;
	struct error err = ERROR_INIT;

	ok(conf_parse(text, strlen(text), &c, &err) < 0 && strstr(err.text, why) && !c, "%s",
	   err.text);
}

static void test_parse(void)
{
	static const char single[] = "{\"cniVersion\":\"1.0.0\",\"name\":\"s\",\"type\":\"ptp\"}";
	struct strbuf out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &out };
	struct conf *c, *again;
	struct error err = ERROR_INIT;

	is_int(conf_parse(LIST, strlen(LIST), &c, &err), 0, "a list");
	is_int(c->n_plugins, 2, "of two");
	is_str(c->types[1], "portmap", "type");
	ok(conf_wants(c, 1, "portMappings"), "a declared capability");
	ok(!conf_wants(c, 1, "dns") && !conf_wants(c, 0, "portMappings"), "those not declared");
	conf_json(c, &w);
	is_str(out.data, LIST, "written back as it was");
	conf_destroy(c);
	strbuf_reset(&out);
	is_int(conf_parse(single, strlen(single), &c, &err), 0, "a single plugin");
	w = (struct json_writer){ .out = &out };
	conf_json(c, &w);
	is_int(conf_parse(out.data, out.len, &again, &err), 0, "as a list");
	is_str(again->types[0], "ptp", "of one");
	conf_destroy(c);
	conf_destroy(again);
	bad("", "JSON");
	bad("[]", "not an object");
	bad("{\"x\":\"\xff\"}", "UTF-8");
	bad("{\"name\":\"n\",\"type\":\"x\"}", "cniVersion");
	bad("{\"cniVersion\":\"0.2.0\",\"name\":\"n\",\"type\":\"x\"}", "0.2.0");
	bad("{\"cniVersion\":\"1.0.0\",\"name\":\"../n\",\"type\":\"x\"}", "name");
	bad("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[]}", "plugins");
	bad("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"plugins\":[{}]}", "type");
	bad("{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"type\":\"../../bin/sh\"}", "type");
}

static void put(const char *dir, const char *name)
{
	char *path cleanup_free = path_join(dir, name);

	fd_replace_file(AT_FDCWD, path, LIST, strlen(LIST), 0644, false, NULL);
}

static void test_find(void)
{
	char *dir cleanup_free = xasprintf("/tmp/bh-test-conf-%d", getpid());
	char *path = NULL;
	struct conf_stamp a, b;
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct error err = ERROR_INIT;

	is_int(conf_find(dir, &path, &err), -ENOENT, "no directory");
	ok(str_has_prefix(err.text, "no network config found in "), "%s", err.text);
	mkdir(dir, 0755);
	is_int(conf_find(dir, &path, &err), -ENOENT, "an empty one");
	put(dir, "20-b.conf");
	put(dir, "10-a.conflist.bak");
	put(dir, ".05-hidden.conf");
	is_int(conf_find(dir, &path, &err), 0, "one that counts");
	ok(str_has_suffix(path, "/20-b.conf"), "others are passed by");
	a = conf_stamp(dir, path);
	b = conf_stamp(dir, path);
	ok(!conf_stamp_same(&a, &b), "a fresh file is read again");
	utimensat(AT_FDCWD, path, old, 0);
	utimensat(AT_FDCWD, dir, old, 0);
	a = conf_stamp(dir, path);
	b = conf_stamp(dir, path);
	ok(conf_stamp_same(&a, &b), "an old one is not");
	free(path);
	put(dir, "10-c.json");
	b = conf_stamp(dir, NULL);
	ok(!conf_stamp_same(&a, &b), "a new file shows");
	is_int(conf_find(dir, &path, &err), 0, "now");
	ok(str_has_suffix(path, "/10-c.json"), "the first by name counts");
	free(path);
	path_remove_tree(AT_FDCWD, dir, &err);
}

int main(void)
{
	test_parse();
	test_find();
	return tap_done();
}
